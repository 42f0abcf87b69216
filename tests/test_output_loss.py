"""The loss without all logits in memory is the loss of the logits, with the same gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile

from helpers import same
from transformer_essentials.bart import BART, BARTConfig
from transformer_essentials.ctrl import CTRLConfig, CTRLForCausalLM
from transformer_essentials.gpt2 import GPT2Config, GPT2ForCausalLM
from transformer_essentials.heads import IGNORE, Output, output_loss, token_loss
from transformer_essentials.t5 import T5, T5Config


@pytest.mark.parametrize("tokens", [1, 7, 512, 1200])  # 1200 are three parts
@pytest.mark.parametrize("bias", [None, "learned", "fixed"])
def test_loss_and_gradients(tokens, bias):
    torch.manual_seed(0)
    hidden = torch.randn(2, tokens, 6, dtype=torch.float64, requires_grad=True)
    weight = nn.Parameter(torch.randn(11, 6, dtype=torch.float64))
    b = bias and torch.randn(11, dtype=torch.float64).requires_grad_(bias == "learned")
    labels = torch.randint(11, (2, tokens))
    labels[torch.rand(2, tokens) < 0.3] = IGNORE
    labels[0, 0] = 3
    wanted = [hidden, weight, *([b] if bias == "learned" else [])]

    by_hand = F.linear(hidden, weight, b).log_softmax(-1)[labels != IGNORE]
    by_hand = -by_hand[torch.arange(len(by_hand)), labels[labels != IGNORE]].mean()
    expected = torch.autograd.grad(2 * by_hand, wanted)
    loss = output_loss(hidden, Output(weight, b), labels)
    same(loss, by_hand)
    for found, gradient in zip(torch.autograd.grad(2 * loss, wanted), expected, strict=True):
        same(found, gradient)


def test_logits_are_never_all_there():
    hidden, output = torch.randn(1, 1200, 4, requires_grad=True), Output(torch.randn(9, 4))
    labels = torch.randint(9, (1, 1200))

    def rows_of_logits(loss):
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found:
            loss().backward()
        shapes = [shape for event in found.events() for shape in event.input_shapes]
        return max(shape[0] for shape in shapes if len(shape) == 2 and shape[1] == 9)

    assert rows_of_logits(lambda: token_loss(F.linear(hidden, *output), labels)) == 1200
    assert rows_of_logits(lambda: output_loss(hidden, output, labels)) == 512


def test_other_ways(monkeypatch):
    """With autocast, or an older PyTorch, all logits are made."""
    torch.manual_seed(0)
    hidden, output = torch.randn(2, 3, 4), Output(torch.randn(9, 4), torch.randn(9))
    labels = torch.randint(9, (2, 3))
    with torch.autocast("cpu", torch.bfloat16):
        found = output_loss(hidden, output, labels)
        assert found.dtype == torch.float32
        assert found.equal(token_loss(F.linear(hidden, *output), labels))
    monkeypatch.delattr(nn, "LinearCrossEntropyOptions")
    assert output_loss(hidden, output, labels).equal(token_loss(F.linear(hidden, *output), labels))


SIZES = dict(vocabulary=13, width=8, n_heads=2, dropout=0.0)
DECODERS = {
    "GPT-2": lambda: GPT2ForCausalLM(GPT2Config(**SIZES, n_layers=1, max_length=9, end=None)),
    "CTRL": lambda: CTRLForCausalLM(CTRLConfig(**SIZES, n_layers=1, ff_width=12, max_length=9)),
}
PAIRS = {
    "BART": lambda: BART(BARTConfig(**SIZES, n_layers=1, n_decoder_layers=1, ff_width=12)),
    "T5": lambda: T5(T5Config(**SIZES, head_width=3, n_layers=1, ff_width=12)),
    "T5 1.1": lambda: T5(
        T5Config(**SIZES, head_width=3, n_layers=1, ff_width=12, gated=True, tied=False)
    ),
}


def randomised(model):
    torch.manual_seed(0)
    model = model.double()
    for value in [*model.parameters(), *model.buffers()]:
        if value.is_floating_point():
            nn.init.normal_(value)
    return model


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", DECODERS)
def test_decoders(name):
    model = randomised(DECODERS[name]())
    ids, labels = torch.randint(13, (2, 2, 7))
    labels[:, -2:] = IGNORE
    mask = torch.arange(7) >= torch.tensor([[0], [2]])
    for given in (None, mask):
        expected = token_loss(model(ids, given), labels)
        loss = model.loss(ids, labels, given)
        same(loss, expected)
        theirs, ours = gradients(model, expected), gradients(model, loss)
        assert theirs.keys() == ours.keys() and any("bias" in name for name in ours)
        for key, value in theirs.items():
            same(ours[key], value)


@pytest.mark.parametrize("name", PAIRS)
def test_encoder_decoders(name):
    model = randomised(PAIRS[name]())
    source, (target_in, labels) = torch.randint(3, 13, (2, 5)), torch.randint(3, 13, (2, 2, 7))
    labels[:, -2:] = IGNORE
    masks = torch.arange(5) < torch.tensor([[5], [3]]), torch.arange(7) < torch.tensor([[6], [7]])
    for given in ((), masks):
        expected = token_loss(model(source, target_in, *given), labels)
        loss = model.loss(source, target_in, labels, *given)
        same(loss, expected)
        theirs, ours = gradients(model, expected), gradients(model, loss)
        assert theirs.keys() == ours.keys()
        for key, value in theirs.items():
            same(ours[key], value)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.loss(source, target_in, labels).isfinite()
