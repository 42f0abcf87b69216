"""T5's spans against the whole text, as in span_corruption.py, on real English and with more time.

The small T5 of ``writers.py`` reads the same rows of docstrings, spoilt in the same way, and has to
write either the dropped spans or the whole row, for as many updates. Then it learns from 861 real
descriptions to write their first lines, and so does a T5 that wasn't pretrained. The docstrings of
the 248 first lines that are asked for were held out of everything. Measured are the tokens that go
through the model in an update, both halves together, the seconds of processor time that it takes,
and the perplexity of a piece of these lines, after the better of two rates of fine-tuning.
"""

import copy
import math
import time

import torch
from torch import Generator, Tensor

from ..corpora import docstrings, labelled
from ..heads import IGNORE, token_loss
from ..pretrain import stream
from ..t5 import T5, shift_tokens_right
from ..tasks import SpanCorruption, padded
from ..training import train
from ..writers import END, MARKS, PAD, ROOM, new_t5, packed, split, tokenizer

SEEDS = (0, 1, 2)
RATES = (1e-3, 3e-3)  # of fine-tuning


class WholeText(SpanCorruption):
    """The same spoilt rows; the target is the row as it was."""

    def spoilt(self, row, rng):
        return super().spoilt(row, rng)[0], self.framed(row)


OBJECTIVES = {
    "no pretraining": None,
    "the whole text": WholeText,
    "the dropped spans": SpanCorruption,
}


def pairs(found: list) -> tuple[Tensor, Tensor]:
    """Descriptions (N,S) and their first lines (N,T)."""
    pieces = tokenizer()

    def ids(texts: list[str]) -> list[list[int]]:
        return [row.ids[: ROOM - 1] + [END] for row in pieces.encode_batch(texts)]

    return padded(ids([pair.text for pair in found]), PAD), padded(
        ids([pair.summary for pair in found]), IGNORE
    )


def line_loss(model: T5, batch: tuple[Tensor, Tensor]) -> Tensor:
    source, labels = batch
    return token_loss(model(source, shift_tokens_right(labels, model.config)), labels)


def perplexity(model: T5, rate: float, updates: int, seed: int, taught, asked) -> float:
    """Of a piece of the lines asked for, after so many updates on those taught."""
    model, rng = copy.deepcopy(model), Generator().manual_seed(seed)
    n = len(taught[0])
    rows = (torch.randint(n, (32,), generator=rng) for _ in range(updates))
    batches = ([part[chosen] for part in taught] for chosen in rows)
    train(model, line_loss, batches, updates=updates, lr=rate, warmup=6, progress=False)
    with torch.inference_mode():
        return math.exp(line_loss(model.eval(), asked).item())


def run(seed: int, updates: int = 1500) -> dict[str, dict[str, float]]:
    text = packed(split("t5", docstrings.paragraphs())[0])
    taught = pairs(labelled.summaries(861))
    asked = pairs(labelled.summaries(248, split="test"))
    found = {}
    for kind, objective in OBJECTIVES.items():
        torch.manual_seed(seed)
        model, tokens, seconds = new_t5(), 0.0, 0.0
        if objective:
            task = objective(model, MARKS, ROOM)
            batches = stream(task, task.rows(text), 32, seed)
            source, _, labels = next(stream(task, task.rows(text), 32, seed))
            tokens = float((source != PAD).sum() + (labels != IGNORE).sum())
            started = time.process_time()
            train(
                model, lambda model, batch: task(*batch), batches, updates=updates, lr=3e-3,
                warmup=updates // 10, progress=False,
            )  # fmt: skip
            seconds = (time.process_time() - started) / updates
        few = max(2, updates // 25)
        scores = [perplexity(model, rate, few, seed, taught, asked) for rate in RATES]
        found[kind] = dict(tokens=tokens, milliseconds=1000 * seconds, perplexity=min(scores))
    return found
