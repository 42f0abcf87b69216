"""RoBERTa equals Hugging Face's, head by head; its positions; published sizes."""

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import agree, count

from transformer_essentials import roberta
from transformer_essentials.roberta import PRESETS, RoBERTa, RoBERTaConfig, position_ids

SIZES = {
    "three-heads": dict(
        vocab_size=29, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=10, max_position_embeddings=11, pad_token_id=1,
    ),
    "relu": dict(
        vocab_size=17, hidden_size=5, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=7, max_position_embeddings=9, hidden_act="relu", pad_token_id=1,
    ),
    "padding-4": dict(
        vocab_size=23, hidden_size=8, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=33, max_position_embeddings=30, hidden_act="gelu_new", pad_token_id=4,
    ),
}  # fmt: skip
for size in SIZES.values():  # what Hugging Face's class defaults to is BERT's
    size |= {"type_vocab_size": 1, "layer_norm_eps": 1e-5}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", roberta.HF_MODELS)
def test_agrees(name, size):
    agree(name, **SIZES[size])


def test_positions_by_hand():
    """Counted over real tokens alone, from pad + 1, wherever the padding is."""
    ids = torch.tensor([[1, 1, 5, 6, 7], [5, 6, 7, 1, 1], [0, 5, 1, 6, 2]])
    assert position_ids(ids, 1).tolist() == [[1, 1, 2, 3, 4], [2, 3, 4, 1, 1], [2, 3, 1, 4, 5]]


def test_left_padding_changes_nothing():
    config = RoBERTaConfig(11, 6, 2, 2, 8, n_positions=7)
    model = randomise(RoBERTa(config))
    short, long = torch.tensor([[3, 4, 5]]), torch.tensor([[1, 1, 3, 4, 5]])
    same(model(long)[:, 2:], model(short))


def test_room():
    """Of n_positions rows, pad + 1 are not for tokens."""
    model = RoBERTa(RoBERTaConfig(11, 6, 2, 2, 8, n_positions=7))
    model(torch.full((1, 5), 3))
    with pytest.raises(ValueError, match="6 tokens, but the model has room for 5"):
        model(torch.full((1, 6), 3))


# Exact counts: `params` in keras_hub/src/models/roberta/roberta_presets.py of KerasHub, which
# leaves out three rows that checkpoints have: positions 0 and 1, and the one segment. The published
# models are called 125M and 355M in fairseq's examples/roberta/README.md.
@pytest.mark.parametrize("size, expected", [("base", 124_052_736), ("large", 354_307_072)])
def test_published_size(size, expected):
    config = PRESETS[size]
    assert count(lambda: RoBERTa(config)) == expected + 3 * config.width
