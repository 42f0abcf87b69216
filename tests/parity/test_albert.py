"""ALBERT equals Hugging Face's, head by head; one block for many layers; published sizes."""

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import agree, count, draw, pair

from transformer_essentials import albert
from transformer_essentials.albert import ALBERT, PRESETS, ALBERTConfig

SIZES = {
    "three-heads": dict(
        vocab_size=29, embedding_size=4, hidden_size=12, num_hidden_layers=3,
        num_attention_heads=3, intermediate_size=10, max_position_embeddings=9,
    ),
    "relu": dict(
        vocab_size=17, embedding_size=5, hidden_size=5, num_hidden_layers=1,
        num_attention_heads=1, intermediate_size=7, max_position_embeddings=7, hidden_act="relu",
    ),
    "two-groups": dict(
        vocab_size=23, embedding_size=11, hidden_size=8, num_hidden_layers=5,
        num_hidden_groups=2, num_attention_heads=4, intermediate_size=33,
        max_position_embeddings=30, hidden_act="gelu",
    ),
}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", albert.HF_MODELS)
def test_agrees(name, size):
    agree(name, **SIZES[size])


def test_pooled_vector():
    theirs, ours = pair("AlbertModel", **SIZES["three-heads"])
    ids, mask, segments = draw(theirs.config)
    expected = theirs(ids, mask.long(), segments).pooler_output
    same(ours.pooler(ours(ids, mask, segments)), expected, 1e-10)


def test_layers_share():
    """As many blocks as groups; the layers of a group are one and the same."""
    model = ALBERT(ALBERTConfig(11, 4, 6, 5, 2, 2, 8, 5))
    layers = model.layers()
    assert len(layers) == 5 and len(model.groups) == 2
    assert [layer is model.groups[0] for layer in layers] == [True, True, True, False, False]


def test_layers_are_as_deep_as_they_say():
    """Three layers of one block are that block three times."""
    config = ALBERTConfig(11, 4, 6, 3, 1, 2, 8, 5)
    model, ids = randomise(ALBERT(config)), torch.tensor([[3, 4, 5]])
    x = model.embed(ids, None)
    for _ in range(3):
        x = model.groups[0](x)[0]
    same(model(ids), x)


# Exact counts: `params` in keras_hub/src/models/albert/albert_presets.py of KerasHub. Table 1 of
# the paper says 12M, 18M, 60M and 235M; the last two are larger than what was published.
@pytest.mark.parametrize("size, expected", [
    ("base", 11_683_584), ("large", 17_683_968), ("xlarge", 58_724_864), ("xxlarge", 222_595_584),
])  # fmt: skip
def test_published_size(size, expected):
    assert count(lambda: ALBERT(PRESETS[size])) == expected
