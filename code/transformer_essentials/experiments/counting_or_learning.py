"""Counted n-grams against a small GPT-2, on the same words of real English: held-out perplexity.

The text is what numpy and matplotlib say of themselves, in the words that occur most; whole files
are held out.
"""

import math
import random
import zlib
from functools import cache

import torch

from ..corpora import docstrings
from ..generation import pad
from ..gpt2 import GPT2Config, GPT2ForCausalLM
from ..heads import IGNORE, token_loss
from ..ngrams import NGrams
from ..objectives import next_token
from ..tokenizers import BOS, EOS, PAD, Vocabulary
from ..training import train

SEEDS = (0, 1, 2)
KEPT = 2000  # words; the others become <unk>
LONGEST = 64  # ids in a row, marks included


@cache
def english() -> tuple[Vocabulary, list[list[int]], list[list[int]]]:
    """The vocabulary; rows of ids to learn from and held out: paragraphs, cut where too long."""
    texts = {True: [], False: []}  # held out?
    for paragraph in docstrings.paragraphs(("numpy", "matplotlib")):
        file = paragraph.where.split(":")[0]
        texts[zlib.crc32(file.encode()) % 10 == 0].append(docstrings.words(paragraph.text))
    known = Vocabulary.from_texts(texts[False]).tokens[4:][:KEPT]  # the most frequent come first
    vocabulary, room = Vocabulary(known), LONGEST - 2
    rows = {
        held: [
            [BOS, *vocabulary.encode(words[i : i + room]), EOS]
            for words in paragraphs
            for i in range(0, len(words), room)
        ]
        for held, paragraphs in texts.items()
    }
    return vocabulary, rows[False], rows[True]


def fit(seed: int, updates: int, progress: bool = False) -> GPT2ForCausalLM:
    """A GPT-2 of two layers, trained on rows of like length."""
    vocabulary, rows, _ = english()
    torch.manual_seed(seed)
    config = GPT2Config(len(vocabulary), 96, 2, 4, LONGEST, dropout=0.1, pad=PAD, end=EOS)
    model, rng = GPT2ForCausalLM(config), random.Random(seed)

    def batches():
        while True:
            some = sorted(rng.sample(rows, 64 * 16), key=len)
            groups = [some[i : i + 64] for i in range(0, len(some), 64)]
            rng.shuffle(groups)
            for group in groups:
                yield next_token(pad(group), PAD)

    train(model, lambda m, batch: token_loss(m(batch[0]), batch[1]), batches(), updates=updates,
          lr=4e-3, warmup=updates // 10, progress=progress)  # fmt: skip
    return model.eval()


@torch.inference_mode()
def nats(model: GPT2ForCausalLM, rows: list[list[int]]) -> list[float]:
    """Minus the log-probability of each id but the first of each row, one after the other."""
    found = []
    for i in range(0, len(rows), 64):
        x, y = next_token(pad(rows[i : i + 64]), PAD)
        lost = torch.nn.functional.cross_entropy(
            model(x).flatten(0, 1), y.flatten(), ignore_index=IGNORE, reduction="none"
        )
        found += lost.view(y.shape)[y != IGNORE].tolist()
    return found


def perplexity(values: list[float]) -> float:
    return math.exp(sum(values) / len(values))


def run(seed: int, updates: int = 250) -> dict:
    vocabulary, rows, held = english()
    counted = {n: NGrams(rows, n, len(vocabulary)) for n in (1, 2, 3, 4)}
    learned = nats(fit(seed, updates), held)
    lost = [x for row in held for x in counted[4].nats(row)]
    half = [-math.log((math.exp(-a) + math.exp(-b)) / 2) for a, b in zip(lost, learned)]
    found = {"GPT-2": perplexity(learned), "half 4-grams, half GPT-2": perplexity(half)}
    found |= {f"{n}-grams": model.perplexity(held) for n, model in counted.items()}
    return {name: {"perplexity": value} for name, value in found.items()}
