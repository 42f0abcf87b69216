"""DistilBERT equals Hugging Face's, head by head; published sizes."""

import pytest
import torch
from helpers import seeded  # noqa: F401
from parity.reference import agree, count

from transformer_essentials import distilbert
from transformer_essentials.distilbert import PRESETS, DistilBERT, DistilBERTConfig

SIZES = {
    "three-heads": dict(
        vocab_size=29, dim=12, n_layers=2, n_heads=3, hidden_dim=10, max_position_embeddings=9
    ),
    "relu": dict(
        vocab_size=17, dim=5, n_layers=1, n_heads=1, hidden_dim=7, max_position_embeddings=7,
        activation="relu",
    ),
    "padding-4": dict(
        vocab_size=23, dim=8, n_layers=3, n_heads=4, hidden_dim=33, max_position_embeddings=30,
        activation="gelu_new", pad_token_id=4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", distilbert.HF_MODELS)
def test_agrees(name, size):
    agree(name, **SIZES[size])


def test_no_segments():
    model, ids = DistilBERT(DistilBERTConfig(11, 6, 2, 2, 8, 5)), torch.full((1, 3), 4)
    with pytest.raises(ValueError, match="segments were given, but this model has none"):
        model(ids, segments=torch.zeros_like(ids))


# Exact counts: `params` in keras_hub/src/models/distil_bert/distil_bert_presets.py of KerasHub.
# Table 3 of the paper says 66M.
@pytest.mark.parametrize("size, expected", [
    ("base", 66_362_880), ("base-cased", 65_190_912), ("base-multilingual-cased", 134_734_080),
])  # fmt: skip
def test_published_size(size, expected):
    assert count(lambda: DistilBERT(PRESETS[size])) == expected
