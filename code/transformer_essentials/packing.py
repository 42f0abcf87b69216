"""Matrices laid out for writing one token at a time: the same products, read faster.

A step of generation multiplies one row of each text with every matrix, and most of its time goes
into reading these. While ``packed`` lasts, ``product`` uses copies of them in another order, each
made when it is first needed. Numbers change by rounding alone. Shape letters: B rows, D width,
N width of what comes out.
"""

import platform
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE = 2**19  # multiplications in a product, from which on oneDNN gains more than its call costs
ONEDNN = torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64")
PACKS: ContextVar[dict[Tensor, Callable] | None] = ContextVar("packs", default=None)


@contextmanager
def packed():
    """For the time of a ``with``, or of a function. Weights must not change meanwhile.

    The copies need as much memory as the matrices; at the end they are gone.
    """
    before = PACKS.set({})
    try:
        yield
    finally:
        PACKS.reset(before)


def product(x: Tensor, *layers) -> Tensor:
    """x (…,D) through linear layers, what comes out side by side: (…,N).

    A layer is anything with a ``weight`` and a ``bias``, which may be None. It is ``F.linear``
    outside ``packed``, and for what isn't float32 on a processor.
    """
    packs = PACKS.get()
    if packs is None or x.dtype != torch.float32 or not x.is_cpu:
        found = [F.linear(x, layer.weight, layer.bias) for layer in layers]
        return found[0] if len(found) == 1 else torch.cat(found, -1)
    weight = layers[0].weight
    if weight not in packs:
        packs[weight] = pack(layers, len(x))
    return packs[weight](x)


def pack(layers, rows: int) -> Callable[[Tensor], Tensor]:
    """The layers as one function of x (rows,D)."""
    weight, bias = layers[0].weight, layers[0].bias
    if len(layers) > 1:
        weight = torch.cat([layer.weight for layer in layers])  # (N,D)
        bias = None if bias is None else torch.cat([layer.bias for layer in layers])
    if ONEDNN and rows * weight.numel() >= LARGE:
        blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
        multiply = torch.ops.mkldnn._linear_pointwise.default
        return lambda x: multiply(x, blocks, bias, "none", [], "")
    if weight.shape[0] > weight.shape[1]:  # long stretches of memory are read faster than short
        weight = weight.t().contiguous().t()
    return lambda x: F.linear(x, weight, bias)
