"""Does it harm a reader to see the words before it alone? A word's tag, a sentence's label.

Two readers of the same blocks, size and budget on ``corpora.labelled.entities``; one attends to
every word, one to itself and those before. Each is trained twice: to tag the words, and to say at
the full stop, which has seen all words in both, whether the sentence has a date in it.
Measured on sentences with unseen names, in per cent: words tagged right among those that can be
two things (DOUBLES); F1 of whole names; sentences labelled right.
"""

import random

import torch
from torch import Tensor, nn

from transformer_essentials.corpora import labelled
from transformer_essentials.corpora.labelled import DOUBLES, TAGS
from transformer_essentials.generation import pad
from transformer_essentials.heads import IGNORE, token_loss
from transformer_essentials.layers import Block
from transformer_essentials.tokenizers import PAD, UNK, Vocabulary
from transformer_essentials.training import train

SEEDS = (0, 1, 2)
CONDITIONS = {"both sides": False, "before alone": True}  # whether it is causal
UNSEEN = 0.1  # of the words in training are hidden behind UNK, as unknown names are in the test


class Reader(nn.Module):
    """Words and positions, blocks, a layer for the answers: (B,T) -> (B,T,answers)."""

    def __init__(self, vocabulary: int, answers: int, causal: bool, width: int = 64):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(64, width)
        self.blocks = nn.ModuleList(Block(width, 4, 4 * width, norm="pre") for _ in range(2))
        self.norm, self.answer = nn.LayerNorm(width), nn.Linear(width, answers)
        self.causal = causal

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x, _, _ = block(x, mask=(ids != PAD)[:, None], causal=self.causal)
        return self.answer(self.norm(x))


def tags_of(sentence) -> list[int]:
    return [TAGS.index(tag) for tag in sentence.tags]


def date_at_stop(sentence) -> list[int]:
    """A label at the last word, the full stop: 1 if the sentence has a date."""
    return [IGNORE] * (len(sentence.words) - 1) + [int("B-DATE" in sentence.tags)]


def batches(sentences, labels, vocabulary, seed, size=64):
    rng = random.Random(seed)
    while True:
        rows = [sentences[int(rng.random() * len(sentences))] for _ in range(size)]
        longest = max(len(row.words) for row in rows)
        ids = [[UNK if rng.random() < UNSEEN else i for i in vocabulary.encode(row.words)]
               for row in rows]  # fmt: skip
        yield pad(ids), torch.tensor(
            [labels(row) + [IGNORE] * (longest - len(row.words)) for row in rows]
        )


def names_in(tags) -> set[tuple]:
    """(start, end, kind) of each name."""
    found, start = set(), None
    for i, tag in enumerate([*tags, "O"]):
        if start is not None and tag[0] != "I":
            found.add((start, i, tags[start][2:]))
            start = None
        if tag[0] == "B":
            start = i
    return found


@torch.inference_mode()
def answers(reader, vocabulary, sentences) -> Tensor:
    return reader(pad([vocabulary.encode(s.words) for s in sentences])).argmax(-1)  # (B,T)


def run(seed: int, updates: int = 250) -> dict[str, dict[str, float]]:
    sentences = labelled.entities(4000, seed)
    test = labelled.entities(1000, seed, "test")
    vocabulary = Vocabulary.from_texts(s.words for s in sentences)
    measured = {}
    for name, causal in CONDITIONS.items():
        found = {}
        for labels, n in ((tags_of, len(TAGS)), (date_at_stop, 2)):
            torch.manual_seed(seed)
            reader = Reader(len(vocabulary), n, causal)
            train(
                reader, lambda model, batch: token_loss(model(batch[0]), batch[1]),
                batches(sentences, labels, vocabulary, seed),
                updates=updates, lr=3e-3, warmup=updates // 10, progress=False,
            )  # fmt: skip
            said, right = answers(reader, vocabulary, test), [labels(s) for s in test]
            pairs = [(word, a, b) for s, row, truth in zip(test, said.tolist(), right)
                     for word, a, b in zip(s.words, row, truth) if b != IGNORE]  # fmt: skip
            if n == 2:
                found["labels"] = 100 * sum(a == b for _, a, b in pairs) / len(pairs)
                continue
            doubles = [a == b for word, a, b in pairs if word in DOUBLES]
            found["doubles"] = 100 * sum(doubles) / len(doubles)
            guessed = [names_in([TAGS[i] for i in row[: len(s.words)]])
                       for s, row in zip(test, said.tolist())]  # fmt: skip
            truly = [names_in(s.tags) for s in test]
            both = sum(len(a & b) for a, b in zip(guessed, truly))
            found["f1"] = 200 * both / sum(len(a) + len(b) for a, b in zip(guessed, truly))
        measured[name] = found
    return measured
