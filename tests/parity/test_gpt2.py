"""GPT-2 equals Hugging Face's, head by head; GPT-3's bands by hand; published sizes."""

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity import decoders
from parity.decoders import agree
from parity.reference import count

from transformer_essentials import gpt2
from transformer_essentials.checkpoints import CheckpointError, load_hf, save_hf, to_hf
from transformer_essentials.gpt2 import (
    GPT3_PRESETS, PRESETS, GPT2Config, GPT2ForCausalLM, GPT3Config, GPT3ForCausalLM,
)  # fmt: skip

SIZES = {
    "three-heads": dict(vocab_size=29, n_embd=12, n_layer=2, n_head=3, n_positions=9),
    "relu": dict(
        vocab_size=17, n_embd=5, n_layer=1, n_head=1, n_positions=7, activation_function="relu"
    ),
    "gelu": dict(
        vocab_size=23, n_embd=8, n_layer=3, n_head=4, n_positions=30, activation_function="gelu"
    ),
}
TINY = GPT2Config(vocabulary=11, width=6, n_layers=2, n_heads=2, max_length=9, dropout=0.0)
BANDED = GPT3Config(11, 6, 3, 2, 9, dropout=0.0, head_width=5, window=2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", gpt2.HF_MODELS)
def test_agrees(name, size):
    agree(name, **SIZES[size])


@pytest.mark.parametrize("name", gpt2.HF_MODELS)
def test_there_and_back(name, tmp_path):
    decoders.there_and_back(name, tmp_path, **SIZES["three-heads"])


# `params` in keras_hub/src/models/gpt2/gpt2_presets.py of KerasHub. The paper's table 2 has 117M,
# 345M, 762M and 1542M, of which OpenAI said afterwards that they were wrong (README of
# github.com/openai/gpt-2).
@pytest.mark.parametrize("size, expected", [
    ("small", 124_439_808), ("medium", 354_823_168), ("large", 774_030_080), ("xl", 1_557_611_200),
])  # fmt: skip
def test_published_size(size, expected):
    assert count(lambda: GPT2ForCausalLM(PRESETS[size])) == expected


def test_masks_in_old_checkpoints():
    """The causal mask and the value of hidden scores are left out; the bias of c_attn is not."""
    model, other = randomise(GPT2ForCausalLM(TINY)), randomise(GPT2ForCausalLM(TINY))
    tensors = to_hf(model)
    assert "transformer.h.1.attn.c_attn.bias" in tensors and "lm_head.weight" not in tensors
    masks = {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 9, 9).tril() for i in (0, 1)}
    masks |= {"transformer.h.0.attn.masked_bias": torch.tensor(-1e4)}
    load_hf(other, tensors | masks | {"lm_head.weight": model.decoder.tokens.weight.clone()})
    for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        assert one.equal(two), name


@pytest.mark.parametrize("model", [GPT2ForCausalLM(TINY), GPT3ForCausalLM(BANDED)], ids=["2", "3"])
def test_cache_and_padding(model):
    randomise(model)
    decoders.cached_equals_whole(model)
    decoders.padding_changes_nothing(model)


def test_bad_input():
    decoders.bad_input(GPT2ForCausalLM(TINY))


def test_initialisation():
    """N(0, 0.02), but 1/√N of it where N = 2 × 8 residual layers are added up (section 2.3)."""
    model = GPT2ForCausalLM(GPT2Config(vocabulary=500, width=64, n_layers=8, n_heads=4))
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            std = 0.02 / 4 if name.endswith(("o.weight", "down.weight")) else 0.02
            assert abs(parameter.std().item() - std) < 4 * std / parameter.numel() ** 0.5, name


# ---------------------------------------------------------------- GPT-3


# Table 2.1 of Brown et al. (2020): sizes in its words, which are rounded (350M are 356 million).
@pytest.mark.parametrize("size, millions, n_layers, width", [
    ("small", 125, 12, 768), ("medium", 350, 24, 1024), ("large", 760, 24, 1536),
    ("xl", 1300, 24, 2048), ("2.7b", 2700, 32, 2560), ("6.7b", 6700, 32, 4096),
    ("13b", 13000, 40, 5140), ("175b", 175000, 96, 12288),
])  # fmt: skip
def test_published_sizes_of_gpt3(size, millions, n_layers, width):
    config = GPT3_PRESETS[size]
    assert (config.n_layers, config.width, config.max_length) == (n_layers, width, 2048)
    found = count(lambda: GPT3ForCausalLM(config))
    assert abs(found / 1e6 / millions - 1) < 0.02


def test_exact_size_of_gpt3():
    """96 blocks of 12 D² + 13 D, two tables, a norm: D = 12288."""
    D = 12288
    expected = 96 * (12 * D**2 + 13 * D) + (50257 + 2048) * D + 2 * D
    assert expected == 174_604_259_328
    assert count(lambda: GPT3ForCausalLM(GPT3_PRESETS["175b"])) == expected


def test_bands():
    """Layers 0 and 2 see all before, layer 1 itself and one more; in rows that are padded too."""
    model = randomise(GPT3ForCausalLM(BANDED))
    ids, mask = torch.randint(11, (2, 5)), torch.ones(2, 5, dtype=torch.bool)
    mask[1, :2] = False
    _, attention = model(ids, mask, return_attention=True)
    everything = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    band = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]]
    for layer, expected in enumerate((everything, band, everything)):
        for head in attention[layer][0]:
            assert (head > 0).int().tolist() == expected
        padded = torch.tensor(expected) * mask[1].int()
        assert (attention[layer][1, 0] > 0).int().tolist() == padded.tolist()


def test_a_wide_band_is_gpt2():
    """With a window as long as the text GPT-3's weights are GPT-2's."""
    wide = randomise(GPT3ForCausalLM(GPT3Config(11, 6, 3, 2, 9, head_width=3, window=9)))
    plain = GPT2ForCausalLM(GPT2Config(11, 6, 3, 2, 9)).double().eval()
    plain.load_state_dict(wide.state_dict())
    ids = torch.randint(11, (2, 9))
    same(wide(ids), plain(ids))


@pytest.mark.parametrize("kind", [gpt2.GPT3, GPT3ForCausalLM])
def test_gpt3_is_not_written_as_gpt2(kind, tmp_path):
    with pytest.raises(CheckpointError, match="no class for GPT3.* and its GPT3Config"):
        save_hf(kind(BANDED), tmp_path / "new")
    assert not list(tmp_path.glob("new/*"))
