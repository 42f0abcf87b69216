"""The Transformer against torch.nn.Transformer with the same weights, and against itself in steps."""

import math

import pytest
import torch
from helpers import copy_block, copy_same, randomise, same, same_gradients, seeded  # noqa: F401
from torch import nn

from transformer_essentials.generation import select
from transformer_essentials.positions import sinusoids
from transformer_essentials.transformer import Transformer

SOURCE = torch.tensor([[4, 5, 6, 7, 2], [5, 2, 0, 0, 0], [7, 4, 2, 0, 0]])
TARGET = torch.tensor([[1, 4, 5, 4], [1, 5, 3, 0], [1, 6, 4, 5]])
both_norms = pytest.mark.parametrize("norm", ["post", "pre"])


def tiny(norm, **options):
    sizes = dict(width=8, n_heads=2, n_layers=2, ff_width=12, norm=norm, max_length=20)
    return randomise(Transformer(8, 7, **{**sizes, **options}))


def torch_twin(ours):
    """nn.Transformer with copied weights, and the pairs that tell which gradient is whose.

    Post-norm has no norm at the end of a stack, as in the paper; PyTorch's default has.
    """
    pre = ours.encoder[0].pre
    sizes = dict(d_model=8, nhead=2, dim_feedforward=12, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**sizes, norm_first=pre),
        2,
        norm=nn.LayerNorm(8) if pre else None,
        enable_nested_tensor=False,
    )
    decoder = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(**sizes, norm_first=pre), 2, norm=nn.LayerNorm(8) if pre else None
    )
    theirs = nn.Transformer(8, 2, custom_encoder=encoder, custom_decoder=decoder, batch_first=True)
    theirs.double()
    pairs = []
    for side in ("encoder", "decoder"):
        stack = getattr(theirs, side)
        for i, block in enumerate(getattr(ours, side)):
            pairs += copy_block(block, stack.layers[i], f"{side}.layers.{i}.")
        if pre:
            pairs += copy_same(getattr(ours, f"{side}_norm"), stack.norm, f"{side}.norm.")
    return theirs, pairs


def run_twin(theirs, tables):
    """Logits of the twin, on tokens embedded here; and each layer's cross-attention weights."""
    source_table, target_table = tables
    x, y = (
        table[ids] * math.sqrt(8) + sinusoids(ids.shape[1], 8)
        for ids, table in ((SOURCE, source_table), (TARGET, target_table))
    )
    weights, hooks = [], []
    for layer in theirs.decoder.layers:

        def look(attention, args, kwargs):
            kwargs = {**kwargs, "need_weights": True, "average_attn_weights": False}
            weights.append(nn.MultiheadAttention.forward(attention, *args, **kwargs)[1])

        hooks.append(layer.multihead_attn.register_forward_pre_hook(look, with_kwargs=True))
    hidden = SOURCE == 0
    states = theirs(
        x, y, tgt_mask=torch.ones(4, 4).triu(1).bool(),
        src_key_padding_mask=hidden, memory_key_padding_mask=hidden,
    )  # fmt: skip
    for hook in hooks:
        hook.remove()
    return states @ target_table.T, weights


@both_norms
def test_against_torch(norm):
    """Logits, cross-attention weights, gradients of every parameter: embeddings included."""
    ours = tiny(norm)
    theirs, pairs = torch_twin(ours)
    tables = [
        table.weight.detach().clone().requires_grad_()
        for table in (ours.source_embedding, ours.target_embedding)
    ]
    assert {id(p) for p, _ in pairs} | {
        id(ours.source_embedding.weight), id(ours.target_embedding.weight)
    } == {id(p) for p in ours.parameters()}  # fmt: skip
    expected, their_weights = run_twin(theirs, tables)
    logits, weights = ours(SOURCE, TARGET, return_attention=True)
    same(logits, expected)
    assert len(weights) == len(their_weights) == 2
    for found, expectation in zip(weights, their_weights):
        same(found, expectation)

    logits = ours(SOURCE, TARGET)  # the fused kernel
    same(logits, expected)
    inputs = list(zip((ours.source_embedding.weight, ours.target_embedding.weight), tables))
    same_gradients(logits, expected, pairs, theirs, inputs)


def test_final_norms():
    """Pre-norm ends each stack with a norm, post-norm has one already."""
    kinds = {norm: type(tiny(norm).encoder_norm).__name__ for norm in ("pre", "post")}
    assert kinds == {"pre": "LayerNorm", "post": "Identity"}


@both_norms
@torch.no_grad()
def test_steps_equal_forward(norm):
    """With caches, fed with the same words; and rows of the batch may change places."""
    model = tiny(norm)
    whole, cross = model(SOURCE, TARGET, return_attention=True)
    memory = model.encode(SOURCE)
    state, order = model.start(memory), torch.arange(3)
    for t in range(4):
        logits, state, weights = model.step(TARGET[order, t], state, memory)
        same(logits, whole[order, t])
        same(weights, cross[-1].mean(1)[order, t])
        rows = torch.tensor([2, 0, 0])
        order, state, memory = order[rows], select(state, rows), select(memory, rows)


@both_norms
def test_padding_never_changes_logits(norm):
    model = tiny(norm)
    wider = torch.cat([SOURCE, torch.zeros(3, 4, dtype=torch.long)], 1)
    logits, cross = model(SOURCE, TARGET, return_attention=True)
    padded, padded_cross = model(wider, TARGET, return_attention=True)
    same(padded, logits)
    same(model(wider, TARGET), logits)
    for layer, padded_layer in zip(cross, padded_cross):
        same(padded_layer[..., :5], layer)
        assert (padded_layer[..., 5:] == 0).all()
    same(model(SOURCE[1:2, :2], TARGET[1:2]), logits[1:2])


@both_norms
def test_later_words_cannot_be_seen(norm):
    model, other = tiny(norm), TARGET.clone()
    other[:, 2] = 2
    before, after = model(SOURCE, TARGET), model(SOURCE, other)
    same(after[:, :2], before[:, :2])
    assert ((after - before)[:, 2:].abs().amax(-1) > 1e-3).all()


def test_embedding():
    """Vectors × √D, which have variance 1 at first, plus the sinusoids of their places."""
    torch.manual_seed(0)
    model = Transformer(4000, 7, width=64, n_heads=2, n_layers=0, ff_width=4).eval()
    assert model.source_embedding.weight.std().item() * 8 == pytest.approx(1, abs=0.02)
    ids = torch.tensor([[5, 6]])
    expected = model.source_embedding.weight[[5, 6]] * 8 + sinusoids(5, 64)[3:]
    same(model.embed(ids, model.source_embedding, start=3)[0], expected, 1e-6)
    assert "positions" not in model.state_dict()


def test_dropout_only_in_training():
    model = tiny("post", dropout=0.5)
    same(model(SOURCE, TARGET), model(SOURCE, TARGET))
    model.train()
    assert (model(SOURCE, TARGET) - model(SOURCE, TARGET)).abs().max() > 0.1


@torch.no_grad()
def test_too_long():
    """The places are counted: in the source, in the target, and a step at a time."""
    model, six = tiny("post", max_length=5), torch.full((1, 6), 4)
    for source, target in ((six, TARGET[:1]), (SOURCE[:1], six)):
        with pytest.raises(ValueError, match="6 positions, but .* max_length=5"):
            model(source, target)
    memory = model.encode(SOURCE[:1])
    state = model.start(memory)
    for t in range(5):
        _, state, _ = model.step(six[:, t], state, memory)
    with pytest.raises(ValueError, match="6 positions, but .* max_length=5"):
        model.step(six[:, 5], state, memory)


def test_unknown_norm():
    with pytest.raises(ValueError, match='"pre" or "post", not \'none\''):
        tiny("none")
