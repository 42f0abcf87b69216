"""Pairs of a source and a target, as ids: what the small encoder–decoders of the experiments learn from.

Shape letters: B pairs, S source length, T target length.
"""

import torch
from torch import Generator, Tensor, nn

from ..generation import pad
from ..heads import IGNORE, token_loss
from ..tasks import family, padded
from ..tokenizers import EOS


def batch(pairs) -> tuple[Tensor, Tensor]:
    """(source, target) ids -> (B,S), labels (B,T), an end mark behind each."""
    sources, targets = zip(*pairs)
    return pad([x + [EOS] for x in sources]), padded([x + [EOS] for x in targets], IGNORE)


def pair_loss(model: nn.Module, pairs) -> Tensor:
    """Of writing each target after its source, the mean over all tokens."""
    source, labels = batch(pairs)
    return token_loss(model(source, family(model).shift_tokens_right(labels, model.config)), labels)


def drawn(make, n: int, rng: Generator, size: int = 32):
    """Batches without end; ``make(i)`` is an example of n."""
    while True:
        yield [make(i) for i in torch.randint(n, (size,), generator=rng).tolist()]
