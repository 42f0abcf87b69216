"""The labelled sentences of the experiment on few labels, and what its parts compute."""

import torch

from transformer_essentials.experiments import few_labels
from transformer_essentials.experiments.few_labels import (
    TASKS, asked, encode, features, labelled, mean, new_gpt, raw_text,
)  # fmt: skip
from transformer_essentials.tokenizers import Vocabulary


def test_labels_are_right_and_balanced():
    for task, names in TASKS.items():
        rows = labelled(task, 30, 1)
        counts = torch.bincount(torch.tensor([label for _, label in rows]))
        assert counts.tolist() == [30 // len(names)] * len(names)
    for words, label in labelled("who", 60, 2):
        first = next(few_labels.NOUN[word] for word in words if word in few_labels.NOUN)
        assert {"person": 0, "animal": 1}.get(first.kind, 2) == label
    for words, label in labelled("when", 60, 2):
        assert label == 1 or not {"did", "was", "were", "yesterday"} & set(words)
        assert label == 0 or not {"do", "does", "is", "are"} & set(words)


def test_no_test_sentence_is_read_in_training():
    test = {words for words, _ in labelled("when", 200, 3, "test")}
    assert not test & set(raw_text(2000))
    assert not test & {words for words, _ in labelled("when", 200, 3)}


def test_mean_features_and_questions():
    hidden = torch.tensor([[[1.0, 2], [3, 4], [9, 9]]])
    assert mean(hidden, torch.tensor([[5, 6, 0]])).tolist() == [[2, 3]]
    texts = [("the", "cat", "sleeps", "."), ("she", "sleeps", ".")]
    vocabulary = Vocabulary.from_texts([*texts, ["every", "yesterday"]])
    torch.manual_seed(0)
    model = new_gpt(vocabulary).eval()
    ids = encode(vocabulary, texts)
    found = features(model.decoder, ids)
    assert found.shape == (2, 192)
    torch.testing.assert_close(found[:, 128:], mean(model.decoder(ids), ids))
    torch.testing.assert_close(found[1:], features(model.decoder, ids[1:, :5]))
    answers = asked(model, vocabulary, ids, "when")
    for answer, words in zip(answers, texts):
        logits = model(encode(vocabulary, [words])[:, :-2])[0, -1]
        every, yesterday = logits[vocabulary.encode(["every", "yesterday"])]
        assert answer == int(yesterday > every)
