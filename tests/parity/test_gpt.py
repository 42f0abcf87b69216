"""GPT equals Hugging Face's, head by head; with a cache as without; its published size."""

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity import decoders
from parity.decoders import agree
from parity.reference import count

from transformer_essentials import gpt
from transformer_essentials.gpt import GPTConfig, GPTForCausalLM, GPTForSequenceClassification

SIZES = {
    "three-heads": dict(vocab_size=29, n_embd=12, n_layer=2, n_head=3, n_positions=9),
    "relu": dict(vocab_size=17, n_embd=5, n_layer=1, n_head=1, n_positions=7, afn="relu"),
    "swish": dict(vocab_size=23, n_embd=8, n_layer=3, n_head=4, n_positions=30, afn="swish"),
}
TINY = GPTConfig(vocabulary=11, width=6, n_layers=2, n_heads=2, max_length=9, dropout=0.0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", gpt.HF_MODELS)
def test_agrees(name, size):
    agree(name, **SIZES[size])


@pytest.mark.parametrize("name", gpt.HF_MODELS)
def test_there_and_back(name, tmp_path):
    decoders.there_and_back(name, tmp_path, **SIZES["three-heads"])


def test_published_size():
    """The README of cloneofsimo's and others' reimplementations: 116,534,784, as Hugging Face's."""
    assert count(GPTForCausalLM) == 116_534_784


def test_cache():
    decoders.cached_equals_whole(randomise(GPTForCausalLM(TINY)))


def test_padding():
    decoders.padding_changes_nothing(randomise(GPTForCausalLM(TINY)))


def test_bad_input():
    decoders.bad_input(GPTForCausalLM(TINY))


def test_no_token_sees_what_comes_after():
    model = randomise(GPTForCausalLM(TINY))
    one, other = torch.randint(11, (2, 1, 7))
    other[:, :4] = one[:, :4]
    a, attention = model(one, return_attention=True)
    b = model(other)
    same(a[:, :4], b[:, :4])
    assert ((a - b)[:, 4:].abs().amax(-1) > 1e-6).all()
    assert len(attention) == 2
    for weights in attention:
        assert weights.shape == (1, 2, 7, 7) and weights.triu(1).eq(0).all()
        same(weights.sum(-1), torch.ones(1, 2, 7).double())


def test_ids_that_end_and_fill():
    """As the configuration says; a model without padding is filled with its end, or with 0."""
    for pad, end, expected in [(None, None, ((), 0)), (None, 5, ((5,), 5)), (4, 5, ((5,), 4))]:
        model = GPTForCausalLM(GPTConfig(11, 6, 1, 2, 9, pad=pad, end=end))
        assert (model.stop, model.pad) == expected
        real = model.decoder.real(torch.tensor([[4, 5, 6]]))
        assert real is None if pad is None else real.tolist() == [[False, True, True]]


def test_classifier_reads_the_last_real_token():
    """Without padding, on the left, on the right; without a mask the last of all."""
    model = randomise(GPTForSequenceClassification(TINY, 4))
    text, pads = torch.tensor([[1, 2, 3]]), torch.tensor([[7, 7]])
    real, none = torch.ones(1, 3).bool(), torch.zeros(1, 2).bool()
    expected = model.classifier(model.decoder(text)[:, -1])
    assert expected.shape == (1, 4)
    same(model(text), expected)
    same(model(torch.cat([text, pads], 1), torch.cat([real, none], 1)), expected)
    logits, attention = model(torch.cat([pads, text], 1), torch.cat([none, real], 1), True)
    same(logits, expected)
    assert attention[1].shape == (1, 2, 5, 5)


def test_initialisation():
    """N(0, 0.02) everywhere (section 4.1), biases 0, norms 1."""
    model = GPTForCausalLM(GPTConfig(vocabulary=500, width=64, n_layers=2, n_heads=4))
    for name, parameter in model.named_parameters():
        if "norm.weight" in name:
            assert (parameter == 1).all(), name
        elif parameter.dim() == 1:
            assert (parameter == 0).all(), name
        else:
            assert abs(parameter.std().item() - 0.02) < 4 * 0.02 / parameter.numel() ** 0.5, name


def test_dropout():
    """After the embeddings, on attention, after each sub-layer (section 4.1)."""
    model = gpt.GPT(GPTConfig(n_layers=1, dropout=0.25))
    dropouts = {n: m.p for n, m in model.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert dropouts == {"dropout": 0.25, "blocks.0.dropout": 0.25, "blocks.0.ff.dropout": 0.0}
    assert model.blocks[0].attention.dropout == 0.25
