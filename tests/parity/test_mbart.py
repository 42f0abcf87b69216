"""mBART equals Hugging Face's, and what differs from BART; published sizes."""

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import count
from parity.translators import (
    agree, goes_there_and_back, pair, steps_agree, write_the_same, writers,
)  # fmt: skip

from transformer_essentials.bart import BART
from transformer_essentials.generation import greedy
from transformer_essentials.heads import IGNORE
from transformer_essentials.mbart import MBART, PRESETS, MBARTConfig, shift_tokens_right

NAME = "MBartForConditionalGeneration"
SIZES = {
    "three-heads": dict(
        vocab_size=29, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=3, encoder_ffn_dim=10, decoder_ffn_dim=10,
        max_position_embeddings=9, decoder_start_token_id=27,
    ),
    "relu": dict(
        vocab_size=17, d_model=5, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1,
        decoder_attention_heads=1, encoder_ffn_dim=7, decoder_ffn_dim=7,
        max_position_embeddings=7, activation_function="relu", decoder_start_token_id=16,
    ),
    "padding-4": dict(
        vocab_size=23, d_model=8, encoder_layers=3, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=33, decoder_ffn_dim=33,
        max_position_embeddings=30, activation_function="gelu_new", pad_token_id=4,
        eos_token_id=6, decoder_start_token_id=21,
    ),
}  # fmt: skip
SIZES = {size: sizes | {"scale_embedding": True} for size, sizes in SIZES.items()}
TINY = MBARTConfig(11, 6, 1, 1, 2, 8, max_length=20, dropout=0.0, begin=9)


@pytest.mark.parametrize("size", SIZES)
def test_agrees(size):
    agree(NAME, **SIZES[size])


@pytest.mark.parametrize("size", SIZES)
def test_steps_agree(size):
    steps_agree(NAME, **SIZES[size])


@pytest.mark.parametrize("fifty", [False, True])
def test_writes_the_same(fifty):
    """From the language; or, as mBART-50, from the end mark and the language."""
    torch.manual_seed(13)
    asked = {"decoder_start_token_id": 6, "forced_bos_token_id": 21} if fifty else {}
    theirs, ours = writers(NAME, **SIZES["padding-4"] | asked)
    assert ours.given == ((6, 21) if fifty else (21,))
    write_the_same(theirs, ours)


def test_writes_another_language():
    """The id of the language, as their ``generate`` takes it."""
    theirs, ours = writers(NAME, **SIZES["padding-4"])
    ours.given = (20,)
    one = write_the_same(theirs, ours, varied=False, decoder_start_token_id=20)
    ours.given = (6, 22)
    asked = {"decoder_start_token_id": 6, "forced_bos_token_id": 22}
    assert write_the_same(theirs, ours, varied=False, **asked) != one


def test_there_and_back(tmp_path):
    goes_there_and_back(NAME, tmp_path, **SIZES["padding-4"])


def test_given_ids_are_read():
    """The state after the end mark is that of the end mark read, not of nothing read."""
    model = randomise(MBART(MBARTConfig(11, 6, 1, 1, 2, 8, 20, dropout=0.0, begin=2, forced=9)))
    source = torch.tensor([[5, 6, 2], [7, 2, 1]])
    memory = model.encode(source)
    assert model.first(memory).equal(torch.tensor([[2, 9], [2, 9]]))
    state = model.start(memory)
    assert [cache.length for cache in state] == [1]
    logits, _, _ = model.step(torch.tensor([9, 9]), state, memory)
    same(logits, model(source, torch.tensor([[2, 9], [2, 9]]))[:, 1])
    assert len(greedy(model, source, 4)) == 2


def test_shift_by_hand():
    """Text, end mark, language: the language goes to the front. Also as mBART-50 has it."""
    labels = torch.tensor([[4, 5, 2, 9], [6, 2, 8, IGNORE], [7, 3, 2, 1]])
    expected = torch.tensor([[9, 4, 5, 2], [8, 6, 2, 8], [2, 7, 3, 2]])
    assert shift_tokens_right(labels, TINY).equal(expected)
    assert labels[1, 3] == IGNORE and labels[0].tolist() == [4, 5, 2, 9]


def test_shift_agrees():
    from transformers.models.mbart.modeling_mbart import shift_tokens_right as theirs

    labels = torch.randint(2, 11, (6, 5))
    labels[1, 3:] = labels[3, 1:] = 1
    labels[2, 4:] = IGNORE
    assert shift_tokens_right(labels, TINY).equal(theirs(labels, 1))


# The exact count of facebook/mbart-large-50, as those who train it further report it (through
# transformers); mbart-large-cc25 has 27 tokens less. The paper says about 680M (section 2.2).
@pytest.mark.parametrize("size, expected", [
    ("large-50", 610_879_488), ("large-cc25", 610_879_488 - 27 * 1024),
])  # fmt: skip
def test_published_size(size, expected):
    assert count(lambda: MBART(PRESETS[size])) == expected


def test_norms():
    """A norm at the end of each stack, and one after the embeddings as in BART."""
    names = dict(MBART(TINY).named_parameters()).keys() - dict(BART(TINY).named_parameters()).keys()
    assert names == {
        f"{side}.norm.{kind}" for side in ("encoder", "decoder") for kind in ("weight", "bias")
    }


def test_scaled_embeddings():
    """Token vectors × √D before positions are added, in both stacks."""
    _, model = pair(NAME, **SIZES["relu"])
    x = torch.randn(1, 3, 5).double()
    for stack in (model.encoder, model.decoder):
        expected = stack.embedding_norm(x * 5**0.5 + stack.positions.weight[4:7])
        same(stack.embed(x, 2)[0], expected)
