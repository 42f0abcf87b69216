"""T5's question, write the dropped spans, against writing the whole text: what each costs and teaches.

The same tiny T5 reads the same texts, three stories each, with 15% of the words dropped in spans of
3 on average and a sentinel in the place of each. It has to write either the spans behind their
sentinels or the whole text, for as many updates; then it learns to summarize one story from 100
examples, and so does a T5 that wasn't pretrained. Measured are the tokens that go through the model
in an update, both halves together, the seconds that it takes, and the perplexity and the share
written word for word of held-out summaries.
"""

import math
import time

import torch
from torch import Generator

from ..corpora.stories import stories, vocabulary
from ..generation import greedy
from ..objectives import span_corruption
from ..t5 import T5, T5Config
from ..tokenizers import EOS, PAD, Vocabulary
from ..training import train
from ._pairs import batch, drawn, pair_loss

SEEDS = (0, 1, 2)
SENTINELS = ("<0>", "<1>", "<2>", "<3>")
WORDS = Vocabulary([*SENTINELS, *vocabulary()])
MARKS = WORDS.encode(SENTINELS)
CONFIG = T5Config(
    vocabulary=len(WORDS), width=64, head_width=32, n_layers=2, n_heads=2, ff_width=128,
    dropout=0.0, pad=PAD, eos=EOS,
)  # fmt: skip
OBJECTIVES = {  # text, what span_corruption gives -> what the decoder has to write
    "no pretraining": None,
    "the whole text": lambda text, spans: text,
    "the dropped spans": lambda text, spans: spans,
}


def asked(text, kind: str, rng: Generator) -> tuple[list[int], list[int]]:
    """A text -> what the model reads, what it has to write."""
    source, spans = span_corruption(text, MARKS, rng=rng)
    return source, OBJECTIVES[kind](text, spans)


def run(seed: int, updates: int = 400) -> dict[str, dict[str, float]]:
    told = stories(6000, seed=100 + seed)
    texts = [WORDS.encode(sum((s.words for s in told[i : i + 3]), ())) for i in range(0, 6000, 3)]
    pairs = [
        [(WORDS.encode(s.words), WORDS.encode(s.summary)) for s in some]
        for some in (stories(100, seed=seed), stories(200, split="test"))
    ]
    found = {}
    for kind in OBJECTIVES:
        torch.manual_seed(seed)
        model, rng, tokens, seconds = T5(CONFIG), Generator().manual_seed(seed), 0.0, 0.0
        if OBJECTIVES[kind]:
            first = [asked(text, kind, Generator().manual_seed(seed)) for text in texts[:64]]
            tokens = 16 / 64 * sum(len(source) + len(target) + 2 for source, target in first)
            batches = drawn(lambda i: asked(texts[i], kind, rng), len(texts), rng, 16)
            started = time.process_time()
            train(model, pair_loss, batches, updates=updates, lr=5e-3, warmup=20, progress=False)
            seconds = (time.process_time() - started) / updates
        batches = drawn(lambda i: pairs[0][i], 100, rng)
        train(
            model, pair_loss, batches, updates=max(2, 2 * updates // 5), lr=2e-3, warmup=10,
            progress=False,
        )  # fmt: skip
        with torch.inference_mode():
            perplexity = math.exp(pair_loss(model.eval(), pairs[1]).item())
            written = greedy(model, batch(pairs[1])[0], 10)
        right = sum(h.ids == target for h, (_, target) in zip(written, pairs[1]))
        found[kind] = dict(
            tokens=tokens, milliseconds=1000 * seconds, perplexity=perplexity,
            exact=100 * right / len(pairs[1]),
        )  # fmt: skip
    return found
