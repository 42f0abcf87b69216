"""Next sentence against sentence order: which is harder, and does either teach the other?

Neighbouring sentences from the docstrings of the installed libraries. A small reader learns one
of the two questions from them, a second reader the other, and each is then asked both. It is no
Transformer, which would need far more text: it knows each sentence as a bag of words, whose
vectors come from the docstrings that they occur in (latent semantic analysis; Deerwester et al.,
1990) and are trained on. Shape letters: B pairs, D width.
"""

import re
import zlib
from collections import Counter
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn

from ..corpora import docstrings
from ..objectives import next_sentence, sentence_order
from ..tokenizers import UNK, Vocabulary
from ..training import train

SEEDS = (0, 1, 2)
D = 64


@lru_cache
def documents() -> tuple[dict[str, list], torch.Tensor]:
    """Docstrings of either split, as lists of sentences of ids; a vector for each word, (V,D)."""
    texts = {}
    for paragraph in docstrings.paragraphs():
        texts.setdefault(paragraph.where, []).extend(
            docstrings.words(sentence)
            for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph.text)
        )
    held_out = {where for where in texts if zlib.crc32(where.encode()) % 5 == 0}
    read = [text for where, text in texts.items() if where not in held_out]
    counts = Counter(word for text in read for sentence in text for word in sentence)
    vocabulary = Vocabulary(word for word, _ in counts.most_common(3000))
    ids = {where: [vocabulary.encode(s) for s in text] for where, text in texts.items()}
    splits = {"train": [], "test": []}
    for where, text in ids.items():
        if len(text) > 1:
            splits["test" if where in held_out else "train"].append(text)
    read = [sum(text, []) for where, text in ids.items() if where not in held_out]
    return splits, topics(read, len(vocabulary))


def topics(texts: list[list[int]], size: int) -> torch.Tensor:
    """Words as vectors (V,D): alike for words of the same texts."""
    seen = torch.stack([torch.bincount(torch.tensor(text), minlength=size) for text in texts], 1)
    rarity = torch.log(len(texts) / (1 + (seen > 0).sum(1, keepdim=True))).clamp(min=0)
    rarity[: UNK + 1] = 0
    torch.manual_seed(0)
    U, S, _ = torch.svd_lowrank(seen.float().log1p() * rarity, D)
    return F.normalize(U * S, dim=1) * rarity / 8


class Reader(nn.Module):
    """Two sentences as bags of words -> logits (B,2)."""

    def __init__(self, vectors: torch.Tensor):
        super().__init__()
        self.words = nn.EmbeddingBag.from_pretrained(vectors.clone(), freeze=False)
        self.hidden, self.output = nn.Linear(4 * D, D), nn.Linear(D, 2)

    def forward(self, first, second):
        u, v = (F.normalize(self.words(*bags), dim=1) for bags in (first, second))  # (B,D)
        return self.output(F.relu(self.hidden(torch.cat([u, v, 8 * u * v, (u - v).abs()], 1))))


def bags(sentences) -> tuple[torch.Tensor, torch.Tensor]:
    """All words in a row, and where each sentence begins."""
    lengths = torch.tensor([0, *map(len, sentences)])
    return torch.tensor(sum(sentences, [])), lengths.cumsum(0)[:-1]


def order(texts, rng):
    return [pair for text in texts for pair in sentence_order(text, rng)]


QUESTIONS = {"next sentence": next_sentence, "sentence order": order}


def batch(pairs):
    first, second, labels = zip(*pairs)
    return bags(first), bags(second), torch.tensor(labels)


def batches(question, texts, seed: int, size: int = 64):
    """Without end; each time round, pairs and labels are drawn anew."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        pairs = question(texts, rng)
        places = torch.randperm(len(pairs), generator=rng).tolist()
        for i in range(0, len(pairs) - size, size):
            yield batch([pairs[place] for place in places[i : i + size]])


def run(seed: int, updates: int = 200) -> dict:
    """{learned: {asked: per cent right}}."""
    (texts, vectors), found = documents(), {}
    for learned, question in QUESTIONS.items():
        torch.manual_seed(seed)
        reader = Reader(vectors)
        train(
            reader, lambda m, b: F.cross_entropy(m(*b[:2]), b[2]),
            batches(question, texts["train"], seed), updates=updates, lr=2e-3,
            warmup=updates // 10, weight_decay=0.01, progress=False,
        )  # fmt: skip
        found[learned] = {}
        for asked, other in QUESTIONS.items():
            pairs = batch(other(texts["test"], torch.Generator().manual_seed(seed)))
            with torch.inference_mode():
                right = (reader(*pairs[:2]).argmax(-1) == pairs[2]).float().mean().item()
            found[learned][asked] = round(100 * right, 2)
    return found
