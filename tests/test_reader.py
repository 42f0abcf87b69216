"""The small reader: what it is asked, how it is judged, and the weights that come with the book."""

import math

import pytest
import torch

from transformer_essentials import reader, weights
from transformer_essentials.heads import IGNORE


class Even(torch.nn.Module):
    """Finds all pieces equally likely, and so says the first."""

    def forward(self, ids, mask=None, segments=None, positions=None):
        return torch.zeros(int(positions.sum()), reader.PAD + 1)


def test_spoilt_are_pieces_but_no_end_marks():
    ids = torch.arange(320).remainder(40).view(10, 32)  # 0 is the end mark
    inputs, labels = reader.spoilt(ids, torch.Generator().manual_seed(0))
    asked = labels != IGNORE
    assert (labels[asked] == ids[asked]).all() and (inputs[~asked] == ids[~asked]).all()
    assert not asked[ids == 0].any() and set(asked.sum(1).tolist()) == {5}  # 15% of 31 or 32
    assert 0.6 < (inputs[asked] == reader.MASK).float().mean() < 0.95


def test_judged_on_every_stretch_once():
    ids = torch.arange(1, 200)  # six stretches of 32, and seven ids that are left out
    found = reader.judge(Even(), ids)
    assert found == {"loss": pytest.approx(math.log(1026), abs=1e-3), "right": 0.0}


def test_frequencies_alone():
    """Half of the text one piece, the rest two others; what never came counts as if it came once."""
    ids = torch.tensor([0] + [7, 7, 8, 9] * 1000)
    n = len(ids) - 1 + reader.MASK - 3
    loss = (math.log(n / 2000) + math.log(n / 1000)) / 2
    assert reader.frequencies(ids, ids) == {"loss": pytest.approx(loss, abs=1e-3), "right": 0.5}


def test_shipped_record():
    """Paragraphs that it never saw, judged again: as the record says, the plateau left behind."""
    model, tokenizer, made = reader.load()
    learned, held = (reader.ids_of(tokenizer, texts) for texts in reader.texts())
    assert len(learned) == made["tokens"]
    assert reader.frequencies(learned, held) == made["frequencies"]
    found = reader.judge(model, held)
    assert found == {key: pytest.approx(made[key], abs=0.002) for key in ("loss", "right")}
    assert found["loss"] < made["frequencies"]["loss"] - 3 and found["right"] > 0.45


def test_shipped_weights():
    model, tokenizer, made = reader.load()
    assert sum(p.numel() for p in model.parameters()) == made["parameters"]
    assert made["bytes"] <= 4_000_000 and made["command"] == "python -m transformer_essentials.reader"
    assert tokenizer.get_vocab_size() == reader.MASK == reader.PAD - 1
    # in a sentence as docstrings have it, one piece in three or more
    text = "This function returns the number of elements in the array."
    ids = torch.tensor([[0, *tokenizer.encode(text).ids, 0]])
    hidden = torch.eye(ids.shape[1], dtype=torch.bool)[1:-1]
    with torch.no_grad():
        said = model(ids.where(~hidden, reader.MASK), positions=hidden).argmax(-1)
    assert (said == ids[0, 1:-1]).float().mean() > 1 / 3
    assert weights.record("reader") == made
