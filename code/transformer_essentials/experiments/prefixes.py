"""One small T5 told by a prefix which of three tasks to do, against three that do one task each.

All of them read dates, written out in English: a token is a word, or two digits. ``iso:``
asks for the form 2024-03-05, ``french:`` for the date in French, ``answer:`` for an answer to a
question about it. Every model has the same size and sees the same examples of a task, 16 an
update; the one for all gets 48 an update, 16 of each. It takes three times the work of one of the
others, and as much as the three together. Measured is the share of held-out dates that come out
without a mistake.
"""

import random
import re

import torch

from ..corpora import dates
from ..generation import greedy, pad
from ..t5 import T5, T5Config
from ..tokenizers import EOS, PAD, Vocabulary
from ..training import train
from ._pairs import pair_loss

SEEDS = (0, 1, 2)
TASKS = ("iso:", "french:", "answer:")
ASKED = ("which year ?", "which month ?", "which day ?")


def tokens(written) -> list[str]:
    """Words whole, digits in pairs, marks one by one."""
    return re.findall(r"[^\W\d]+|\d\d?|\S", "".join(written).lower())


def examples(task: str, n: int, seed: int, split: str = "train") -> list[tuple[list, list]]:
    """``n`` (source, target) pairs of words for one of TASKS; the source begins with the prefix."""
    pick = random.Random(seed)
    target = "fr" if task == "french:" else "iso"
    made = []
    for pair in dates.pairs(n, target=target, seed=seed, split=split, style="long"):
        source, wanted = tokens(pair.source), tokens(pair.target)
        asked = []
        if task == "answer:":
            month, day, _, *year = source
            answers = dict(zip(ASKED, (year, [month], [day])))
            question = ASKED[int(3 * pick.random())]
            asked, wanted = question.split(), answers[question]
        made.append(([task, *asked, *source], wanted))
    return made


WORDS = Vocabulary.from_texts(s + t for task in TASKS for s, t in examples(task, 2000, 0))
CONFIG = T5Config(
    vocabulary=len(WORDS), width=64, head_width=32, n_layers=2, n_heads=2, ff_width=128,
    dropout=0.0, pad=PAD, eos=EOS,
)  # fmt: skip


def loss(model, rows) -> torch.Tensor:
    """Of (source, target) words."""
    return pair_loss(model, [(WORDS.encode(s), WORDS.encode(t)) for s, t in rows])


def batches(data: dict[str, list], seed: int, size: int = 16):
    """Without end: ``size`` examples of each task, one task below the other."""
    pick = {task: random.Random(seed) for task in data}
    while True:
        yield [
            rows[int(len(rows) * pick[task].random())]
            for task, rows in data.items()
            for _ in range(size)
        ]


def learn(tasks, seed: int, updates: int, progress: bool = False) -> T5:
    torch.manual_seed(seed)
    model = T5(CONFIG)
    data = {task: examples(task, 4000, seed) for task in tasks}
    train(
        model, loss, batches(data, seed), updates=updates, lr=5e-3, warmup=20, progress=progress
    )
    return model


def write(model, sources) -> list[list[str]]:
    """Words -> words."""
    model.eval()
    given = pad([WORDS.encode(words) + [EOS] for words in sources])
    return [WORDS.decode(found.ids) for found in greedy(model, given, 14)]


def right(model, task: str, n: int = 200) -> float:
    """Percent of held-out dates without a mistake."""
    sources, targets = zip(*examples(task, n, seed=0, split="test"))
    return 100 * sum(a == b for a, b in zip(write(model, sources), targets)) / n


def run(seed: int, updates: int = 700) -> dict[str, dict[str, float]]:
    together = learn(TASKS, seed, updates)
    alone = {task: learn([task], seed, updates) for task in TASKS}
    return {
        "one for all": {task: right(together, task) for task in TASKS},
        "one for each": {task: right(alone[task], task) for task in TASKS},
    }
