"""CTRL equals Hugging Face's, whose sinusoids are float32; with a cache as without; its size."""

import pytest
import torch
from helpers import randomise, seeded  # noqa: F401
from parity import decoders
from parity.decoders import agree
from parity.reference import count

from transformer_essentials import ctrl
from transformer_essentials.ctrl import CTRLConfig, CTRLForCausalLM

SIZES = {
    "three-heads": dict(vocab_size=29, n_embd=12, n_layer=2, n_head=3, n_positions=9, dff=10),
    "one-layer": dict(vocab_size=17, n_embd=6, n_layer=1, n_head=1, n_positions=7, dff=33),
}
TINY = CTRLConfig(
    vocabulary=11, width=6, n_layers=2, n_heads=2, ff_width=8, max_length=9, dropout=0.0
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ctrl.HF_MODELS)
def test_agrees(name, size):
    agree(name, 1e-6, **SIZES[size])


@pytest.mark.parametrize("name", ctrl.HF_MODELS)
def test_there_and_back(name, tmp_path):
    decoders.there_and_back(name, tmp_path, **SIZES["three-heads"])


def test_published_size():
    """"1.63 billion" (abstract of the paper); exactly: 48 blocks, a norm, a table, a bias."""
    D, F, V = 1280, 8192, 246534
    expected = 48 * (4 * D * (D + 1) + 2 * D * F + F + D + 4 * D) + 2 * D + V * D + V
    assert expected == 1_637_964_550
    assert count(CTRLForCausalLM) == expected


def test_cache():
    decoders.cached_equals_whole(randomise(CTRLForCausalLM(TINY)))


def test_padding():
    decoders.padding_changes_nothing(randomise(CTRLForCausalLM(TINY)))


def test_bad_input():
    decoders.bad_input(CTRLForCausalLM(TINY))


def test_sinusoids_are_not_parameters():
    model = CTRLForCausalLM(TINY)
    assert "decoder.positions" not in model.state_dict()
    assert model.bias.shape == (11,) and torch.equal(model.bias, torch.zeros(11))
