"""Does denoising many languages help a pair of which there are few translations?

Two small mBARTs, alike but for where they start: one first learns to restore spoilt dates of five
languages, each in its own (no translations among them); the other starts from random weights. Both
are then trained on the same 20, 50 or 200 dates in English and Basque, in the same order, for the
same number of updates. Measured on 200 dates that neither has seen: whole dates written right, and
characters that stand where they should, both in per cent.
"""

import random

import torch
from torch import Tensor

from transformer_essentials.corpora import dates
from transformer_essentials.generation import greedy, pad
from transformer_essentials.heads import IGNORE, token_loss
from transformer_essentials.mbart import MBART, MBARTConfig, shift_tokens_right
from transformer_essentials.objectives import multilingual_denoising
from transformer_essentials.tokenizers import EOS, PAD, Vocabulary
from transformer_essentials.training import train

SEEDS = (0, 1, 2)
LANGUAGES = ("en", "fr", "de", "zh", "eu")
SOURCE, TARGET = "en", "eu"
PAIRS = (20, 50, 200)
MASK = "▢"
FINE_TUNING = 0.3  # so many updates of fine-tuning for each of pretraining


def name(language: str) -> str:
    """The language's token."""
    return f"[{language}]"


def texts(n: int, language: str, seed: int = 0, split: str = "train") -> list[tuple[str, ...]]:
    """The same n dates for each language: their characters."""
    return [p.target for p in dates.pairs(n, "iso", language, seed, split, style="long")]


def vocabulary() -> Vocabulary:
    """The marks, the languages, and every character that they write dates with."""
    letters = {c for language in LANGUAGES for text in texts(4000, language) for c in text}
    return Vocabulary([MASK, *map(name, LANGUAGES), *sorted(letters)])


def small(words: Vocabulary, width: int = 64) -> MBART:
    """A small mBART with this vocabulary, which writes TARGET.

    Its matrices begin larger than mBART's N(0, 0.02), which is meant for a width of 1024.
    """
    model = MBART(
        MBARTConfig(
            len(words), width, 2, 2, 4, 2 * width, max_length=64, dropout=0.0,
            pad=PAD, eos=EOS, begin=words[name(TARGET)],
        )
    )  # fmt: skip
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.xavier_uniform_(weight)
    return model


def spoilt(words: Vocabulary, seed: int, size: int = 24):
    """Batches of (source, target), each text spoilt in its own language, without end."""
    rng, noise = random.Random(seed), torch.Generator().manual_seed(seed)
    ids = {language: [words.encode(t) for t in texts(4000, language)] for language in LANGUAGES}
    while True:
        drawn = [rng.choice(LANGUAGES) for _ in range(size)]
        yield to_batch([
            multilingual_denoising(
                [rng.choice(ids[language])], words[name(language)], words[MASK], EOS, rng=noise
            )
            for language in drawn
        ])  # fmt: skip


def translations(words: Vocabulary, n: int, seed: int, size: int = 16):
    """Batches of (source, target) from n dates in SOURCE and TARGET, shuffled, without end."""
    rng = random.Random(seed)
    rows = [
        ([*words.encode(s), EOS, words[name(SOURCE)]], [*words.encode(t), EOS, words[name(TARGET)]])
        for s, t in zip(texts(n, SOURCE, seed), texts(n, TARGET, seed))
    ]
    while True:
        yield to_batch([rng.choice(rows) for _ in range(size)])


def to_batch(rows) -> tuple[Tensor, Tensor]:
    return pad([source for source, _ in rows]), pad([target for _, target in rows])


def loss(model: MBART, batch: tuple[Tensor, Tensor]) -> Tensor:
    source, labels = batch
    logits = model(source, shift_tokens_right(labels, model.config))
    return token_loss(logits, labels.masked_fill(labels == PAD, IGNORE))


def score(model: MBART, words: Vocabulary, n: int = 200) -> dict[str, float]:
    source = pad([[*words.encode(s), EOS, words[name(SOURCE)]] for s in texts(n, SOURCE, 0, "test")])
    right = [list(text) for text in texts(n, TARGET, 0, "test")]
    said = [words.decode(found.ids) for found in greedy(model.eval(), source, 40)]
    letters = [sum(a == b for a, b in zip(s, r)) / max(len(s), len(r)) for s, r in zip(said, right)]
    exact = sum(s == r for s, r in zip(said, right))
    return {"dates": 100 * exact / n, "characters": 100 * sum(letters) / n}


def run(seed: int, updates: int = 400) -> dict[str, dict[str, float]]:
    words, measured = vocabulary(), {}
    torch.manual_seed(seed)
    random_start = small(words).state_dict()
    pretrained = small(words)
    train(pretrained, loss, spoilt(words, seed), updates=updates, lr=3e-3, warmup=updates // 10,
          progress=False)  # fmt: skip
    for n in PAIRS:
        for start, weights in (("random", random_start), ("denoising", pretrained.state_dict())):
            model = small(words)
            model.load_state_dict(weights)
            few = max(2, int(FINE_TUNING * updates))
            train(model, loss, translations(words, n, seed), updates=few, lr=3e-3,
                  warmup=few // 10, progress=False)  # fmt: skip
            measured[f"{n} pairs, {start}"] = score(model, words)
    return measured
