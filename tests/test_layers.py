"""Norms, feed-forward layers and the block, against formulas and PyTorch's own layers."""

import math

import pytest
import torch
import torch.nn.functional as F
from helpers import copy_block, gradients, randn, randomise, same, same_gradients, seeded  # noqa: F401
from torch import nn

from transformer_essentials.attention import KeyValueCache, causal_mask, padding_mask
from transformer_essentials.layers import ACTIVATIONS, Block, FeedForward, MaskedLMHead, RMSNorm

FORMULAS = {
    "relu": lambda x: max(x, 0.0),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "swish": lambda x: x / (1 + math.exp(-x)),
}


def test_rms_norm_by_hand():
    norm = RMSNorm(2, eps=0.0)
    norm.weight.data = torch.tensor([1.0, 10.0])
    rms = math.sqrt((3**2 + 4**2) / 2)
    assert norm(torch.tensor([3.0, -4.0])).tolist() == pytest.approx([3 / rms, -40 / rms])


def test_rms_norm_against_torch():
    ours, theirs = randomise(RMSNorm(6, eps=0.1)), nn.RMSNorm(6, eps=0.1).double()
    theirs.load_state_dict(ours.state_dict())
    x = randn(2, 3, 6, grad=True)
    same(ours(x), theirs(x))
    for found, expected in zip(
        gradients(ours(x), [x, ours.weight]), gradients(theirs(x), [x, theirs.weight])
    ):
        same(found, expected)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = torch.linspace(-5, 5, 41, dtype=torch.float64)
    expected = torch.tensor([FORMULAS[name](v) for v in x.tolist()], dtype=torch.float64)
    same(ACTIVATIONS[name](x), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("gated", [True, False])
def test_feed_forward(gated, bias):
    ff, x = randomise(FeedForward(4, 6, "gelu", gated=gated, bias=bias)), randn(2, 3, 4)
    biases = {n: 0.0 if p is None else p for n, p in (("up", ff.up.bias), ("down", ff.down.bias))}
    hidden = x @ ff.up.weight.T + biases["up"]
    if gated:
        hidden = F.gelu(x @ ff.gate.weight.T + (ff.gate.bias if bias else 0.0)) * hidden
    else:
        hidden = F.gelu(hidden)
    same(ff(x), hidden @ ff.down.weight.T + biases["down"])
    assert len(list(ff.parameters())) == (2 + gated) * (1 + bias)


def test_feed_forward_dropout():
    ff, x = randomise(FeedForward(4, 6, dropout=1.0)).train(), randn(2, 4)
    same(ff(x), ff.down.bias.expand(2, 4))


def test_unknown_activation():
    with pytest.raises(ValueError, match="activation 'sigmoid' is none of relu, gelu, gelu_tanh, s"):
        FeedForward(4, 6, "sigmoid")
    with pytest.raises(ValueError, match='norm must be "pre" or "post", not \'none\''):
        Block(4, 2, 8, norm="none")


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_against_torch(norm, cross, activation):
    """Values and every gradient, with masks and an epsilon that can be seen."""
    ours = randomise(Block(8, 2, 12, activation=activation, norm=norm, eps=0.1, cross=cross))
    layer = nn.TransformerDecoderLayer if cross else nn.TransformerEncoderLayer
    theirs = layer(
        8, 2, 12, dropout=0.0, activation=activation, layer_norm_eps=0.1, batch_first=True,
        norm_first=norm == "pre",
    ).double()  # fmt: skip
    pairs = copy_block(ours, theirs)
    assert len(pairs) == len(list(ours.parameters()))
    x, memory = randn(2, 4, 8, grad=True), randn(2, 5, 8, grad=True)
    visible = padding_mask(torch.tensor([5, 3]))
    if cross:
        y, _, _ = ours(x, memory, mask=causal_mask(4), memory_mask=visible)
        expected = theirs(
            x, memory, tgt_mask=~causal_mask(4), memory_key_padding_mask=~visible[:, 0]
        )
        inputs = [(x, x), (memory, memory)]
    else:
        y, _, _ = ours(memory, mask=visible & causal_mask(5))
        expected = theirs(memory, ~causal_mask(5), ~visible[:, 0])
        inputs = [(memory, memory)]
    same(y, expected)
    same_gradients(y, expected, pairs, theirs, inputs)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_written_out(norm):
    """Each option reaches its layer: RMS norm, gates, head width, scale, score bias, no bias."""
    block = randomise(
        Block(
            8, 2, 12, activation="swish", norm=norm, norm_layer=RMSNorm, eps=0.1, cross=True,
            gated=True, head_width=3, scale=1.0, bias=False,
        )  # fmt: skip
    )
    assert not any("bias" in name for name, _ in block.named_parameters())
    assert block.ff_norm.eps == 0.1 and block.cross.scale == 1.0 and block.cross.head_width == 3
    x, memory, bias = randn(2, 4, 8), randn(2, 5, 8), randn(1, 2, 4, 4)
    mask, memory_mask = causal_mask(4), padding_mask(torch.tensor([5, 3]))
    sublayers = [
        (block.attention_norm, lambda h: block.attention(h, mask=mask, score_bias=bias)[0]),
        (block.cross_norm, lambda h: block.cross(h, memory, mask=memory_mask)[0]),
        (block.ff_norm, block.ff),
    ]
    expected = x
    for normalise, f in sublayers:
        if norm == "pre":
            expected = expected + f(normalise(expected))
        else:
            expected = normalise(expected + f(expected))
    options = dict(mask=mask, memory_mask=memory_mask, score_bias=bias)
    y, weights, cross_weights = block(x, memory, **options)
    same(y, expected)
    assert weights is None and cross_weights is None
    y, weights, cross_weights = block(x, memory, **options, return_weights=True)
    same(y, expected)
    first = block.attention_norm(x) if norm == "pre" else x
    same(weights, block.attention(first, mask=mask, score_bias=bias, return_weights=True)[1])
    assert weights.shape == (2, 2, 4, 4) and cross_weights.shape == (2, 2, 4, 5)
    assert (cross_weights[1, :, :, 3:] == 0).all() and (cross_weights[1, :, :, :3] > 0).all()


@torch.no_grad()
def test_block_with_caches():
    block, x, memory = randomise(Block(8, 2, 12, cross=True)), randn(2, 5, 8), randn(2, 3, 8)
    whole, weights, cross_weights = block(x, memory, mask=causal_mask(5), return_weights=True)
    caches = KeyValueCache(), KeyValueCache()
    for t in range(5):
        y, w, c = block(x[:, t : t + 1], memory, cache=caches, return_weights=True)
        same(y[:, 0], whole[:, t])
        same(w[:, :, 0], weights[:, :, t, : t + 1])
        same(c[:, :, 0], cross_weights[:, :, t])
    assert (caches[0].length, caches[1].length) == (5, 3)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("cross", [False, True])
@torch.no_grad()
def test_one_token_at_a_time(norm, cross):
    """Without weights it goes another way: the same numbers, also with masks and a bias."""
    block = randomise(Block(8, 2, 12, norm=norm, cross=cross, norm_layer=RMSNorm, gated=True)).eval()
    x, memory, bias = randn(2, 5, 8), randn(2, 3, 8) if cross else None, randn(1, 2, 5, 5)
    mask = torch.tensor([[True] * 5, [False] + [True] * 4])[:, None]
    memory_mask = padding_mask(torch.tensor([3, 2])) if cross else None
    whole = block(x, memory, mask=mask, memory_mask=memory_mask, causal=True, score_bias=bias)[0]
    caches = KeyValueCache(), KeyValueCache()
    for t in range(5):
        y, weights, cross_weights = block(
            x[:, t : t + 1], memory, mask=mask[..., : t + 1], memory_mask=memory_mask, causal=True,
            score_bias=bias[:, :, t : t + 1, : t + 1], cache=caches,
        )  # fmt: skip
        same(y, whole[:, t : t + 1])
        assert weights is None and cross_weights is None


@torch.no_grad()
def test_one_token_in_training():
    block, x = randomise(Block(8, 2, 12, norm="pre", dropout=1.0)).train(), randn(2, 1, 8)
    same(block(x, cache=(KeyValueCache(), None))[0], x)  # every branch is dropped here, too


def test_block_dropout():
    x, memory = randn(2, 4, 8), randn(2, 5, 8)
    block = randomise(Block(8, 2, 12, norm="pre", cross=True, dropout=1.0)).train()
    same(block(x, memory)[0], x)  # every branch is dropped, the residual stays
    block = randomise(Block(8, 2, 12, cross=True, attention_dropout=1.0)).train()
    y = block.attention_norm(x + block.attention.o.bias)
    y = block.cross_norm(y + block.cross.o.bias)
    same(block(x, memory)[0], block.ff_norm(y + block.ff(y)))


def test_masked_lm_head():
    table = randomise(nn.Embedding(7, 4))
    head, x = randomise(MaskedLMHead(6, table, eps=0.1)), randn(2, 3, 6)
    h = F.gelu(x @ head.dense.weight.T + head.dense.bias)
    centred = h - h.mean(-1, keepdim=True)
    h = centred / (centred.square().mean(-1, keepdim=True) + 0.1).sqrt()
    h = h * head.norm.weight + head.norm.bias
    same(head(x), h @ table.weight.T + head.output.bias)
    assert head.output.weight is table.weight  # tied
