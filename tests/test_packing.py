"""Matrices laid out anew while text is written: the same numbers, and nothing left behind."""

import math
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from transformer_essentials import packing
from transformer_essentials.bart import BART, BARTConfig
from transformer_essentials.generation import beam_search, greedy
from transformer_essentials.gpt2 import GPT2Config, GPT2ForCausalLM
from transformer_essentials.heads import Output, even
from transformer_essentials.layers import ACTIVATIONS
from transformer_essentials.packing import LARGE, packed, product
from transformer_essentials.t5 import T5, T5Config


def layers(*shapes, bias=True):
    torch.manual_seed(0)
    return [nn.Linear(inward, outward, bias=bias) for inward, outward in shapes]


def is_copied(layers) -> bool:
    return sum(layer.weight.numel() for layer in layers) >= LARGE


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 8])
@pytest.mark.parametrize(
    "shapes, large",
    [
        ([(8, 32)], False),
        ([(8, 8), (8, 8), (8, 8)], False),
        ([(256, 256)], True),
        ([(256, 256), (256, 256), (256, 128)], True),
        ([(128, 1024)], True),
        ([(1024, 128)], True),
        ([(513, 257)], True),  # no number of threads divides the columns
    ],
)
@torch.inference_mode()
def test_products(shapes, large, rows, bias):
    these, x = layers(*shapes, bias=bias), torch.randn(2, rows, shapes[0][0])
    assert is_copied(these) == large
    expected = torch.cat([layer(x) for layer in these], -1)
    assert product(x, *these).equal(expected)
    with packed():
        for some, wanted in zip(x, expected):
            torch.testing.assert_close(product(some, *these), wanted)


@pytest.mark.parametrize("rows", [1, 8])
@torch.inference_mode()
def test_matrices_that_lie_otherwise_in_memory(rows):
    weight, bias = torch.randn(128, 1024).t() / 16, torch.randn(1024, 2)[:, 0]
    x, output = torch.randn(rows, 128), Output(weight, bias)
    with packed():
        torch.testing.assert_close(product(x, output), F.linear(x, weight, bias))


@pytest.mark.parametrize("threads", [1, 2, 3])
@torch.inference_mode()
def test_one_row_is_shared_among_threads(threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    (layer,), x = layers((128, 768)), torch.randn(1, 128)
    torch.testing.assert_close(packing.shared(layer.weight, layer.bias)(x), layer(x))


@pytest.mark.parametrize("name", [None, *ACTIVATIONS, "another"])
@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("width", [8, 256])
@torch.inference_mode()
def test_activations_and_residuals(width, rows, name):
    activation = torch.tanh if name == "another" else name and ACTIVATIONS[name]
    assert (activation in packing.FUSED) == (name != "another")
    first, second = layers((width, width), (width, width))
    x, residual = torch.randn(2, rows, width)
    expected = first(x) if activation is None else activation(first(x))
    for context in (nullcontext(), packed()):
        with context:
            found = product(x, first, activation=activation)
            torch.testing.assert_close(found, expected)
            both = product(x, second, activation=activation, residual=residual)
            wanted = second(x) if activation is None else activation(second(x))
            torch.testing.assert_close(both, residual + wanted)


@torch.inference_mode()
def test_output_layer():
    table, bias, x = torch.randn(2048, 256) / 16, torch.randn(2048), torch.randn(2, 256)
    for output in (Output(table), Output(table, bias)):
        assert product(x, output).equal(F.linear(x, *output))
        with packed():
            torch.testing.assert_close(product(x, output), F.linear(x, *output))


@torch.inference_mode()
def test_other_precisions_are_left_alone(monkeypatch):
    monkeypatch.setattr(packing, "pack", None)  # it would be called
    (layer,) = layers((256, 1024))
    layer, x = layer.double(), torch.randn(8, 256, dtype=torch.float64)
    with packed():
        assert product(x, layer).equal(layer(x))


def test_without_onednn(monkeypatch):
    monkeypatch.setattr(packing, "ONEDNN", False)
    (layer,), x = layers((256, 1024)), torch.randn(8, 256)
    with torch.inference_mode(), packed():
        torch.testing.assert_close(product(x, layer), layer(x))


@torch.inference_mode()
def test_each_is_copied_once_and_gone_at_the_end(monkeypatch):
    made, pack = [], packing.pack
    monkeypatch.setattr(packing, "pack", lambda *args: made.append(args) or pack(*args))
    these, x = layers((8, 8), (8, 16)), torch.randn(2, 8)
    with pytest.raises(KeyError, match="in the midst"), packed():
        for _ in range(3):
            for layer in these:
                product(x, layer)
        assert made == [((layer,), 2, None) for layer in these]
        with packed():  # another generation within this one has copies of its own
            product(x, these[0])
            assert len(made) == 3 and len(packing.PACKS.get()) == 1
        assert len(packing.PACKS.get()) == 2
        raise KeyError("in the midst")
    assert packing.PACKS.get() is None
    product(x, *these)
    assert len(made) == 3


MODELS = {
    "GPT-2": lambda: GPT2ForCausalLM(
        GPT2Config(vocabulary=4096, width=128, n_layers=2, n_heads=2, max_length=40, end=None)
    ),
    "BART": lambda: BART(
        BARTConfig(
            vocabulary=4096, width=128, n_layers=1, n_decoder_layers=2, n_heads=2, ff_width=512
        )
    ),
    "T5": lambda: T5(
        T5Config(
            vocabulary=4096, width=128, head_width=32, n_layers=1, n_heads=2, ff_width=512,
            gated=True, tied=False,
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("name", MODELS)
def test_models_write_the_same(name, rows, monkeypatch):
    torch.manual_seed(0)
    model = even(MODELS[name]()).eval()
    source = torch.randint(4, 4096, (rows, 6))
    before = {key: (value.data_ptr(), value.clone()) for key, value in model.state_dict().items()}
    used, pack = [], packing.pack
    monkeypatch.setattr(packing, "pack", lambda *args: used.append(args) or pack(*args))
    writers = {
        "greedy": lambda: greedy(model, source, 12, stop=()),
        "beam": lambda: beam_search(model, source, 3, 8, stop=()),
    }
    found = {key: write() for key, write in writers.items()}
    assert any(is_copied(these) for these, *_ in used)
    for key, value in model.state_dict().items():
        pointer, old = before[key]
        assert value.data_ptr() == pointer and value.equal(old)
    monkeypatch.setattr(packing, "LARGE", math.inf)
    for key, write in writers.items():
        for one, other in zip(found[key], write(), strict=True):
            assert one.ids == other.ids
            assert one.score == pytest.approx(other.score, rel=1e-4)


def test_changed_weights_write_another_text():
    torch.manual_seed(0)
    model, source = even(MODELS["GPT-2"]()).eval(), torch.randint(4096, (2, 6))
    first = [h.ids for h in greedy(model, source, 8)]
    twin = even(MODELS["GPT-2"]()).eval()
    for one, other in zip(model.parameters(), twin.parameters()):
        one.data.copy_(other.data)  # which leaves no trace in the tensor's version
    second = [h.ids for h in greedy(model, source, 8)]
    assert second == [h.ids for h in greedy(twin, source, 8)] != first


def test_one_text_and_then_its_beams():
    """A second id that is given is read with one row, what follows with three."""
    torch.manual_seed(0)
    sizes = dict(width=128, n_heads=2, ff_width=512, n_layers=1, n_decoder_layers=1, forced=7)
    model = even(BART(BARTConfig(vocabulary=4096, **sizes))).eval()
    source = torch.randint(4, 4096, (1, 6))
    (found,) = beam_search(model, source, 3, 8, stop=())
    (expected,) = beam_search(model.double(), source, 3, 8, stop=())
    assert found.ids == expected.ids
    assert found.score == pytest.approx(expected.score, rel=1e-4)
