"""Matrices laid out for writing one token at a time: the same products, read faster.

A step of generation multiplies one row of each text with every matrix, and most of its time goes
into reading these. While ``packed`` lasts, ``product`` uses copies of them in another order, each
made when it is first needed. Numbers change by rounding alone. Shape letters: B rows, D width,
N width of what comes out, P threads.
"""

import math
import platform
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE = 2**16  # numbers in a matrix, from which on another order gains more than its calls cost
ONEDNN = torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64")
PACKS: ContextVar[dict | None] = ContextVar("packs", default=None)


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU as GPT and GPT-2 have it, approximated with tanh."""
    return F.gelu(x, approximate="tanh")


FUSED = {  # activations as oneDNN calls them, which does them with the product
    None: ("none", ""),
    F.relu: ("relu", ""),
    F.gelu: ("gelu", "none"),
    gelu_tanh: ("gelu", "tanh"),
    F.silu: ("swish", ""),
}


@contextmanager
def packed():
    """For the time of a ``with``, or of a function, without gradients.

    Weights must stay, and stay as they are. The copies need as much memory as the matrices; at the
    end they are gone.
    """
    before = PACKS.set({})
    try:
        yield
    finally:
        PACKS.reset(before)


def product(x: Tensor, *layers, activation=None, residual: Tensor | None = None) -> Tensor:
    """x (…,D) through linear layers, what comes out side by side: (…,N).

    The ``activation`` comes after them, then the ``residual`` (…,N) is added. A layer is anything
    with a ``weight`` and a ``bias``, which may be None. They are used as they are outside
    ``packed``, and where x isn't (B,D), float32 and on a processor. Within ``packed`` the first
    layer stands for the call: it must have the same fellows and activation each time.
    """
    packs = PACKS.get()
    if packs is None or x.dim() != 2 or x.dtype != torch.float32 or not x.is_cpu:
        found = [F.linear(x, layer.weight, layer.bias) for layer in layers]
        return finish(found[0] if len(found) == 1 else torch.cat(found, -1), activation, residual)
    rows = x.shape[0]
    key = id(layers[0].weight), rows == 1  # a tensor's own hash takes longer
    if (multiply := packs.get(key)) is None:
        multiply = packs[key] = pack(layers, rows, activation)
    return multiply(x, residual)


def finish(y: Tensor, activation, residual: Tensor | None) -> Tensor:
    y = y if activation is None else activation(y)
    return y if residual is None else residual + y


def pack(layers, rows: int, activation) -> Callable[[Tensor, Tensor | None], Tensor]:
    """The layers as one function of x (rows,D) and the residual."""
    weight, bias = layers[0].weight, layers[0].bias
    if len(layers) > 1:
        weight = torch.cat([layer.weight for layer in layers])  # (N,D)
        bias = None if bias is None else torch.cat([layer.bias for layer in layers])
    if weight.numel() >= LARGE and rows == 1:
        multiply = shared(weight, bias)
        return lambda x, residual: finish(multiply(x), activation, residual)
    if weight.numel() >= LARGE and ONEDNN and activation in FUSED:
        return blocked(weight, bias, *FUSED[activation])
    return lambda x, residual: finish(F.linear(x, weight, bias), activation, residual)


def shared(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """The product with a single row, each thread making some of its columns.

    As measured, MKL leaves one row times one matrix to one thread, but shares out several products.
    """
    N, D = weight.shape
    P = math.gcd(N, torch.get_num_threads())
    parts = weight.reshape(P, N // P, D).transpose(1, 2)  # (P,D,N/P)
    if parts.shape[2] > D:  # long stretches of memory are read faster than short ones
        parts = parts.contiguous()
    if bias is None:
        return lambda x: torch.bmm(x.expand(P, 1, D), parts).view(1, N)
    bias = bias.reshape(P, 1, -1)
    return lambda x: torch.baddbmm(bias, x.expand(P, 1, D), parts).view(1, N)


def blocked(weight: Tensor, bias: Tensor | None, name: str, kind: str):
    """oneDNN's product with several rows, the matrix in an order of its own."""
    bias = None if bias is None else bias.contiguous()  # its strides are not looked at
    blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
    multiply = torch.ops.mkldnn._linear_pointwise.default
    multiply_and_add = torch.ops.mkldnn._linear_pointwise.binary

    def run(x: Tensor, residual: Tensor | None) -> Tensor:
        if residual is None:
            return multiply(x, blocks, bias, name, [], kind)
        if name == "none":
            return multiply_and_add(x, residual, blocks, bias, "add")
        return residual + multiply(x, blocks, bias, name, [], kind)

    return run
