"""The two small models of the chapter on BART and T5, and the command that trains them.

    python -m transformer_essentials.storyteller stories-bart stories-t5

Both read the stories of ``corpora.stories``. ``stories-bart`` has learned to mend them (infilling
and permutation) and nothing else: the chapter goes on from there. ``stories-t5`` has learned two
tasks at once, told apart by the prefixes ``summarize:`` and ``question:``.
"""

import sys
import time
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from . import weights
from .corpora.stories import Story, stories, vocabulary
from .experiments import corruptions
from .experiments._pairs import drawn, pair_loss
from .generation import greedy, pad
from .t5 import T5, T5Config
from .tokenizers import EOS, PAD, Vocabulary
from .training import train

PREFIXES = ("summarize:", "question:", "story:")
WORDS = Vocabulary([*PREFIXES, *vocabulary()])
CONFIG = T5Config(
    vocabulary=len(WORDS), width=64, head_width=32, n_layers=2, n_heads=2, ff_width=128,
    dropout=0.0, pad=PAD, eos=EOS,
)  # fmt: skip


def examples(told: list[Story], n_questions: int = 1) -> list[tuple[list[str], list[str]]]:
    """(source, target) words: of each story a summary and the first few of its questions."""
    rows = []
    for i, story in enumerate(told):
        rows.append((["summarize:", *story.words], list(story.summary)))
        for k in range(n_questions):
            question, answer = story.questions[(i + k) % len(story.questions)]
            rows.append((["question:", *question, "story:", *story.words], list(answer)))
    return rows


def loss(model: nn.Module, rows) -> Tensor:
    """Of (source, target) words."""
    return pair_loss(model, [(WORDS.encode(s), WORDS.encode(t)) for s, t in rows])


def write(model: nn.Module, sources) -> list[list[str]]:
    """Words -> words, by greedy search."""
    given = pad([WORDS.encode(words) + [EOS] for words in sources])
    return [WORDS.decode(found.ids) for found in greedy(model.eval(), given, 10)]


def make(name: str, updates: int | None = None) -> tuple[nn.Module, dict]:
    """One of the two models, trained, and what is to be remembered of that."""
    torch.set_num_threads(1)
    started = time.process_time()
    if name == "stories-bart":
        model, updates = corruptions.new_model(0), updates or 600
        texts = [[corruptions.WORDS.encode(s) for s in t.sentences] for t in stories(8000, 100)]
        kind = "infilling and permutation"
        history = corruptions.pretrain(model, kind, texts, updates, 0, progress=True)
    else:
        torch.manual_seed(0)
        model, rng, updates = T5(CONFIG), Generator().manual_seed(0), updates or 900
        rows = examples(stories(8000, 200))
        batches = drawn(lambda i: rows[i], len(rows), rng)
        history = train(model, loss, batches, updates=updates, lr=5e-3, warmup=20)
    command = f"python -m transformer_essentials.storyteller {name}"
    return model, {
        **weights.making(command, started, model, seconds=round(history.seconds, 1), updates=updates),
        "curve": history.curve(30),
    }


def load(name: str) -> tuple[nn.Module, dict]:
    """The model with the weights that come with the book, and their record."""
    model = corruptions.new_model(0) if name == "stories-bart" else T5(CONFIG)
    return model, weights.load(name, model)


def main(names: list[str], folder: Path = weights.FOLDER) -> None:
    known = ("stories-bart", "stories-t5")
    if not names or set(names) - set(known):
        sys.exit(f"give one or both of {', '.join(known)}")
    for name in names:
        weights.save(name, *make(name), folder)


if __name__ == "__main__":
    main(sys.argv[1:])
