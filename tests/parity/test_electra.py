"""ELECTRA equals Hugging Face's, generator, discriminator and heads; published sizes."""

import math

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import agree, count

from transformer_essentials import electra
from transformer_essentials.electra import ELECTRA, PRESETS, ELECTRAConfig, share_embeddings

SIZES = {
    "narrow": dict(
        vocab_size=29, embedding_size=4, hidden_size=12, num_hidden_layers=2,
        num_attention_heads=3, intermediate_size=10, max_position_embeddings=9,
    ),
    "relu": dict(
        vocab_size=17, embedding_size=5, hidden_size=5, num_hidden_layers=1,
        num_attention_heads=1, intermediate_size=7, max_position_embeddings=7, hidden_act="relu",
    ),
    "padding-4": dict(
        vocab_size=23, embedding_size=11, hidden_size=8, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=33, max_position_embeddings=30,
        hidden_act="gelu_new", pad_token_id=4,
    ),
}  # fmt: skip
TINY = ELECTRAConfig(11, 4, 6, 2, 2, 8, 5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", electra.HF_MODELS)
def test_agrees(name, size):
    agree(name, **SIZES[size])


def test_replaced_token_loss_by_hand():
    logits = torch.tensor([[0.0, 2.0, 5.0]], dtype=torch.float64)
    real = torch.tensor([[True, True, False]])
    loss = electra.replaced_token_loss(logits, torch.tensor([[1, 0, 1]]), real)
    same(loss, torch.tensor((math.log(2) + math.log1p(math.exp(2))) / 2, dtype=torch.float64))


def test_shared_embeddings():
    """One set of tables for both models, which the generator's output matrix is tied to."""
    generator = randomise(electra.ELECTRAForMaskedLM(ELECTRAConfig(11, 4, 3, 1, 1, 8, 5)))
    judge = randomise(electra.ELECTRAForPreTraining(TINY))
    share_embeddings(generator, judge)
    ids = torch.tensor([[3, 4, 5]])
    (generator(ids).square().sum() + judge(ids).square().sum()).backward()
    tokens = judge.encoder.embeddings.tokens.weight
    assert generator.encoder.embeddings is judge.encoder.embeddings
    assert generator.head.output.weight is tokens
    alone = torch.autograd.grad(judge(ids).square().sum(), tokens)[0]
    assert not torch.allclose(tokens.grad, alone)
    with pytest.raises(ValueError, match="embeddings 5 and 4 wide can't be shared"):
        share_embeddings(electra.ELECTRAForMaskedLM(ELECTRAConfig(11, 5, 3, 1, 1, 8, 5)), judge)


# Exact counts: `params` in keras_hub/src/models/electra/electra_presets.py of KerasHub, where the
# encoder has a pooler, a dense layer that ELECTRA's checkpoints don't have. The paper says 14M,
# 110M (table 1) and 335M (table 2). The small generator was published as large as "small".
@pytest.mark.parametrize("size, expected", [
    ("small", 13_548_800), ("base", 109_482_240), ("large", 335_141_888),
    ("base-generator", 33_576_960), ("large-generator", 51_065_344),
])  # fmt: skip
def test_published_size(size, expected):
    config = PRESETS[size]
    pooler = config.width * config.width + config.width
    assert count(lambda: ELECTRA(config)) == expected - pooler
