"""Marian equals Hugging Face's, and what differs from BART; published size."""

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import count
from parity.translators import (
    agree, goes_there_and_back, pair, steps_agree, write_the_same, writers,
)  # fmt: skip

from transformer_essentials.checkpoints import load_hf, to_hf
from transformer_essentials.heads import IGNORE
from transformer_essentials.marian import PRESETS, Marian, MarianConfig, shift_tokens_right
from transformer_essentials.positions import sinusoids

NAME = "MarianMTModel"
SIZES = {
    "three-heads": dict(
        vocab_size=29, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=3, encoder_ffn_dim=10, decoder_ffn_dim=10,
        max_position_embeddings=9, activation_function="swish", pad_token_id=28,
        decoder_start_token_id=28,
    ),
    "relu": dict(
        vocab_size=17, d_model=6, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1,
        decoder_attention_heads=1, encoder_ffn_dim=7, decoder_ffn_dim=7,
        max_position_embeddings=7, activation_function="relu", pad_token_id=16,
        decoder_start_token_id=16,
    ),
    "padding-4": dict(
        vocab_size=23, d_model=8, encoder_layers=3, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=33, decoder_ffn_dim=33,
        max_position_embeddings=30, activation_function="gelu", pad_token_id=4, eos_token_id=6,
        decoder_start_token_id=4,
    ),
}  # fmt: skip
SIZES = {size: sizes | {"scale_embedding": True} for size, sizes in SIZES.items()}
TINY = MarianConfig(11, 6, 1, 1, 2, 8, max_length=20, dropout=0.0, pad=10, eos=0)
TABLES = 1e-6  # sinusoids are computed in float32, in two ways


@pytest.mark.parametrize("size", SIZES)
def test_agrees(size):
    agree(NAME, tolerance=TABLES, **SIZES[size])


@pytest.mark.parametrize("size", SIZES)
def test_agrees_closely(size, monkeypatch):
    """With one and the same table."""
    from transformers.models.marian import modeling_marian

    table = modeling_marian.MarianSinusoidalPositionalEmbedding

    def ours(self):
        values = sinusoids(*self.weight.shape, interleaved=False).to(self.weight)
        self.weight = torch.nn.Parameter(values, requires_grad=False)

    monkeypatch.setattr(table, "_init_weight", ours)
    agree(NAME, **SIZES[size])


@pytest.mark.parametrize("size", SIZES)
def test_steps_agree(size):
    steps_agree(NAME, **SIZES[size])


def test_writes_the_same():
    """The published models forbid ``generate`` to write padding."""
    write_the_same(*writers(NAME, **SIZES["padding-4"]), bad_words_ids=[[4]])


def test_padding_is_never_written():
    model = randomise(Marian(TINY))
    memory = model.encode(torch.tensor([[5, 6, 0]]))
    logits, _, _ = model.step(torch.tensor([10]), model.start(memory), memory)
    assert logits.isneginf().nonzero().tolist() == [[0, 10]]
    assert model(torch.tensor([[5, 6, 0]]), torch.tensor([[10]])).isfinite().all()


def test_there_and_back(tmp_path):
    goes_there_and_back(NAME, tmp_path, TABLES, **SIZES["padding-4"])


def test_tables_of_positions_are_not_saved():
    """But they may be there, as in the published checkpoints."""
    theirs, ours = pair(NAME, **SIZES["relu"])
    tensors = theirs.state_dict()
    assert "model.encoder.embed_positions.weight" in tensors
    del tensors["model.decoder.embed_positions.weight"]
    load_hf(ours, tensors)
    assert not any("positions" in name for name in to_hf(ours))
    same(ours.decoder.positions[0], torch.tensor([0.0, 0, 0, 1, 1, 1]).double())  # sines, cosines


def test_shift_by_hand():
    labels = torch.tensor([[4, 5, 0], [6, 0, IGNORE]])
    assert shift_tokens_right(labels, TINY).equal(torch.tensor([[10, 4, 5], [10, 6, 0]]))


# The exact count of Helsinki-NLP/opus-mt-en-de: README.md of moon23k/PT_Anchors has 73,886,208;
# with the two tables of sinusoids, 2 × 512 × 512, it is the 74,410,496 that others report.
def test_published_size():
    assert count(lambda: Marian(PRESETS["opus-mt-en-de"])) == 73_886_208 == 74_410_496 - 2 * 512**2
