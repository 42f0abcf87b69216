"""The small writer: its text, its measures, and the weights that come with the book."""

import math

import pytest
import torch

from transformer_essentials import weights, writer
from transformer_essentials.tokenizers import train_tokenizer

TEXTS = ["the black cat sleeps.", "the cat."]
TOKENIZER = train_tokenizer("characters", TEXTS, 40, [writer.END], writer.END)


class Even(torch.nn.Module):
    """Finds all of V words equally likely."""

    def forward(self, ids):
        return torch.zeros(*ids.shape, 8)


def test_ids_have_a_mark_before_each_paragraph_and_at_the_end():
    ids = writer.ids_of(TOKENIZER, TEXTS).tolist()
    assert [i for i, token in enumerate(ids) if token == 0] == [0, 22, 31]
    assert TOKENIZER.decode(ids[1:22]) == TEXTS[0] and TOKENIZER.decode(ids[23:31]) == TEXTS[1]


def test_windows_are_stretches_of_the_text():
    ids = torch.arange(50)
    rows = next(writer.windows(ids, 7, 200, torch.Generator().manual_seed(0)))
    assert rows.shape == (200, 7) and (rows.diff(dim=1) == 1).all()
    assert rows.min() == 0 and rows.max() == 49  # both ends are reached


def test_bits_of_a_model_that_knows_nothing():
    """Three bits for each of 31 pieces after the first, by 29 characters; here in stretches of 5."""
    ids = [i % 8 for i in range(32)]

    class Eight:
        def encode_batch(self, paragraphs):
            return [type("Row", (), {"ids": ids[1:-1]})]

    found = writer.bits(Even(), Eight(), ["x" * 29], length=5)
    assert found == pytest.approx(3 * 32 / 29)


def test_loss_is_that_of_the_next_word():
    assert writer.next_word_loss(Even(), torch.zeros(2, 5, dtype=torch.long)).item() == (
        pytest.approx(math.log(8))
    )


def test_shipped_weights():
    model, tokenizer, made = writer.load()
    assert sum(p.numel() for p in model.parameters()) == made["parameters"]
    assert made["bytes"] <= 1_500_000 and tokenizer.get_vocab_size() == 1024
    assert tokenizer.token_to_id(writer.END) == 0 == model.stop[0]
    text = "This function returns the number of elements in the array."
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    # it has learned English: half the bits of the same backwards, or of before it learned
    backwards = " ".join(reversed(text.split()))
    right, wrong = (writer.bits(model, tokenizer, [t], length=8) for t in (text, backwards))
    untrained = writer.bits(writer.new_model().eval(), tokenizer, [text], length=8)
    assert right < wrong / 2 and right < untrained / 2
    assert made["command"] == "python -m transformer_essentials.writer"
    assert weights.record("writer") == made
