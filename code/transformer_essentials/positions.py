"""Where a token stands: sinusoids, and the relative positions of T5 and Transformer-XL.

Shape letters: T queries, S keys, D width.
"""

import math

import torch
from torch import Tensor


def sinusoids(length: int, width: int, *, interleaved: bool = True) -> Tensor:
    """Fixed position vectors, (length, width), of wavelengths from 2π to 10000·2π.

    Interleaved, sine and cosine alternate (Vaswani et al., 2017, section 3.5); otherwise all
    sines come before all cosines, as in the code of CTRL and Marian.
    """
    if width % 2:
        raise ValueError(f"sinusoids come in pairs of sine and cosine: width {width} is odd")
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))  # (D/2,)
    angles = torch.arange(length)[:, None] * rates  # (length, D/2)
    if interleaved:
        return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
    return torch.cat([angles.sin(), angles.cos()], -1)


def grid_sinusoids(rows: int, columns: int, width: int) -> Tensor:
    """Fixed position vectors of a grid read row by row, (rows·columns, width).

    Half of a vector says in which column the place is, the other half in which row (published
    code of He et al., 2022); each half has its sines before its cosines.
    """
    if width % 4:
        raise ValueError(f"two halves of sines and cosines need four parts: width is {width}")
    across = sinusoids(columns, width // 2, interleaved=False).repeat(rows, 1)
    down = sinusoids(rows, width // 2, interleaved=False).repeat_interleave(columns, 0)
    return torch.cat([across, down], -1)


def relative_buckets(
    T: int, S: int, *, both_ways: bool, n_buckets: int = 32, max_distance: int = 128
) -> Tensor:
    """The bucket of each distance key − query, (T,S), as T5 has it (Raffel et al., 2020, 2.1).

    Half of the buckets hold one distance each; the others grow logarithmically up to
    ``max_distance``, and all farther keys share the last. ``both_ways`` gives each sign half
    of the buckets; otherwise the keys after the query all fall in bucket 0. The queries are
    the last T of S positions.
    """
    distance = torch.arange(S) - torch.arange(S - T, S)[:, None]  # (T,S)
    bucket = torch.zeros_like(distance)
    if both_ways:
        n_buckets //= 2
        bucket += (distance > 0) * n_buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    exact = n_buckets // 2
    growth = torch.log(distance.clamp(min=1) / exact) / math.log(max_distance / exact)
    far = (exact + growth * (n_buckets - exact)).long().clamp(max=n_buckets - 1)
    return bucket + torch.where(distance < exact, distance, far)


def relative_shift(scores: Tensor) -> Tensor:
    """Turn scores by distance into scores by key: (…,T,S) -> (…,T,S).

    Column r of row t holds the score of distance S−1−r; afterwards column s holds that of
    key s, for queries that are the last T of S positions (Dai et al., 2019, appendix B).
    What lands on keys after the query is meaningless and must be masked.
    """
    *batch, T, S = scores.shape
    padded = torch.cat([scores.new_zeros(*batch, T, 1), scores], -1)  # (…,T,S+1)
    return padded.view(*batch, S + 1, T)[..., 1:, :].reshape(*batch, T, S)
