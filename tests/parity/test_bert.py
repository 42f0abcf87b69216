"""BERT equals Hugging Face's, head by head; published sizes; what bad input is told."""

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import agree, count, draw, pair

from transformer_essentials import bert
from transformer_essentials.bert import BERT, PRESETS, BERTConfig, BERTForMaskedLM
from transformer_essentials.heads import IGNORE, Pooler, masked_lm_loss, span_loss

SIZES = {
    "three-heads": dict(
        vocab_size=29, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=10, max_position_embeddings=9,
    ),
    "relu": dict(
        vocab_size=17, hidden_size=5, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=7, max_position_embeddings=7, hidden_act="relu",
    ),
    "padding-4": dict(
        vocab_size=23, hidden_size=8, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=33, max_position_embeddings=30, hidden_act="gelu_new", pad_token_id=4,
    ),
}  # fmt: skip
TINY = BERTConfig(
    vocabulary=11, width=6, n_layers=2, n_heads=2, ff_width=8, max_length=5, dropout=0.0
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", bert.HF_MODELS)
def test_agrees(name, size):
    agree(name, **SIZES[size])


def test_pooled_vector():
    theirs, ours = pair("BertModel", **SIZES["three-heads"])
    ids, mask, segments = draw(theirs.config)
    expected = theirs(ids, mask.long(), segments).pooler_output
    same(ours.pooler(ours(ids, mask, segments)), expected, 1e-10)


def test_any_token_can_be_hidden():
    """A mask of one's own, not that of the padding."""
    theirs, ours = pair("BertModel", **SIZES["three-heads"])
    ids, _, _ = draw(theirs.config)
    mask = torch.rand(ids.shape) < 0.6
    mask[:, 3] = True
    same(ours(ids, mask), theirs(ids, mask.long())[0], 1e-10)


# Exact counts: `params` in keras_hub/src/models/bert/bert_presets.py of KerasHub, of an encoder
# with pooler. The paper says 110M and 340M (section 3).
@pytest.mark.parametrize("size, expected", [
    ("base", 109_482_240), ("large", 335_141_888), ("base-cased", 108_310_272),
    ("base-multilingual-cased", 177_853_440), ("tiny", 4_385_920), ("small", 28_763_648),
    ("medium", 41_373_184),
])  # fmt: skip
def test_published_size(size, expected):
    assert count(lambda: BERT(PRESETS[size])) == expected


def test_masked_lm_logits_on_request():
    model = randomise(BERTForMaskedLM(TINY))
    ids = torch.randint(1, 11, (3, 5))
    chosen = torch.rand(3, 5) < 0.5
    same(model(ids, positions=chosen), model(ids)[chosen])
    logits, attention = model(ids, return_attention=True, positions=chosen)
    assert logits.shape == (chosen.sum(), 11) and len(attention) == 2
    assert attention[0].shape == (3, 2, 5, 5)


def test_masked_lm_loss_by_hand():
    model = randomise(BERTForMaskedLM(TINY))
    ids = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
    labels = torch.tensor([[IGNORE, 9, IGNORE, 2], [1, IGNORE, IGNORE, IGNORE]])
    logs = model(ids).log_softmax(-1)
    expected = -(logs[0, 1, 9] + logs[0, 3, 2] + logs[1, 0, 1]) / 3
    same(masked_lm_loss(model, ids, labels), expected)


def test_span_loss_by_hand():
    """The second answer ends beyond the text: its end does not count."""
    starts, ends = torch.randn(2, 3).double(), torch.randn(2, 3).double()
    loss = span_loss((starts, ends), torch.tensor([0, 2]), torch.tensor([1, 3]))
    s, e = starts.log_softmax(-1), ends.log_softmax(-1)
    same(loss, -((s[0, 0] + s[1, 2]) / 2 + e[0, 1]) / 2)


def test_padding_changes_nothing():
    model = randomise(BERT(TINY))
    short = torch.tensor([[3, 4, 5]])
    long = torch.tensor([[3, 4, 5, 0, 0]])
    same(model(long)[:, :3], model(short))


def test_initialisation():
    model = BERTForMaskedLM(BERTConfig(vocabulary=500, width=64, n_layers=2, n_heads=4))
    for name, parameter in model.named_parameters():
        if "norm.weight" in name:
            assert (parameter == 1).all(), name
        elif parameter.dim() == 1:
            assert (parameter == 0).all(), name
        else:
            close = 4 * 0.02 / parameter.numel() ** 0.5
            assert abs(parameter.std().item() - 0.02) < close, name
            assert abs(parameter.mean().item()) < close, name


def test_dropout_everywhere():
    """After embeddings, on attention weights, after each sub-layer, before a classifier."""
    model = bert.BERTForTokenClassification(BERTConfig(n_layers=1, dropout=0.25), 3)
    dropouts = {n: m.p for n, m in model.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert dropouts == {
        "dropout": 0.25, "encoder.embeddings.dropout": 0.25,
        "encoder.blocks.0.dropout": 0.25, "encoder.blocks.0.ff.dropout": 0.0,
    }  # fmt: skip
    assert model.encoder.blocks[0].attention.dropout == 0.25


def test_pooler_by_hand():
    pooler, hidden = randomise(Pooler(3)), torch.randn(2, 4, 3).double()
    expected = torch.tanh(hidden[:, 0] @ pooler.dense.weight.T + pooler.dense.bias)
    same(pooler(hidden), expected)


def test_bad_input():
    model, ids = BERT(TINY), torch.ones(2, 6, dtype=torch.long)
    with pytest.raises(ValueError, match="6 tokens, but the model has 5 positions"):
        model(ids)
    with pytest.raises(ValueError, match=r"have a place for each token, \(2, 5\); it is torch.int64"):
        model(ids[:, :5], mask=ids[:, :5])
    with pytest.raises(ValueError, match=r"it is torch.bool and \(2, 1, 5\)"):
        model(ids[:, :5], mask=torch.ones(2, 1, 5, dtype=torch.bool))
