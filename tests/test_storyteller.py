"""The two small models of the chapter on BART and T5: their weights, their command, what they do."""

import pytest
import torch

from transformer_essentials import storyteller, weights
from transformer_essentials.corpora.stories import stories
from transformer_essentials.experiments import corruptions
from transformer_essentials.experiments._pairs import pair_loss

NAMES = ("stories-bart", "stories-t5")


@pytest.mark.parametrize("name", NAMES)
def test_weights_have_a_record(name):
    model, made = storyteller.load(name)
    assert made["command"] == f"python -m transformer_essentials.storyteller {name}"
    assert made["parameters"] == sum(p.numel() for p in model.parameters())
    assert made["bytes"] < 500_000 and made["curve"]["loss"][-1] < 1.0 < made["curve"]["loss"][0]


def test_bart_mends_most_of_a_story():
    """Masked stories that it never saw: the loss of a word is far below that of guessing."""
    model, _ = storyteller.load("stories-bart")
    rng, rows = torch.Generator().manual_seed(0), []
    for story in stories(100, split="test"):
        text = [corruptions.WORDS.encode(sentence) for sentence in story.sentences]
        rows.append((corruptions.NOISE["infilling"](text, rng), sum(text, [])))
    with torch.inference_mode():
        assert pair_loss(model, rows) < 0.8  # guessing: ln 59 = 4.1


def test_command_writes_weights_that_load(tmp_path, monkeypatch):
    make = storyteller.make
    monkeypatch.setattr(storyteller, "make", lambda name: make(name, updates=2))
    storyteller.main(list(NAMES), tmp_path)
    for name in NAMES:
        record = weights.load(name, storyteller.load(name)[0], tmp_path)
        assert record["updates"] == 2 and len(record["curve"]["loss"]) == 2
    with pytest.raises(SystemExit, match="give one or both of stories-bart, stories-t5"):
        storyteller.main(["stories-gpt"])


def test_examples_have_their_prefixes():
    [story] = stories(1)
    rows = storyteller.examples([story], n_questions=2)
    assert rows[0] == (["summarize:", *story.words], list(story.summary))
    assert [source[0] for source, _ in rows] == ["summarize:", "question:", "question:"]
    for (source, target), (question, answer) in zip(rows[1:], story.questions):
        assert source == ["question:", *question, "story:", *story.words]
        assert target == list(answer)
