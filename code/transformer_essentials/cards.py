"""One row a model, read from the code that builds it: what it is made of, and how large it is.

Sizes come from the model itself, built without memory on PyTorch's device ``meta``. What code
can't say (after whom, on what text, in which tokens the published one works) is in ``FACTS``.
"""

from functools import lru_cache
from typing import NamedTuple

import torch

from .layers import ACTIVATIONS
from .tasks import MODELS, family


class Fact(NamedTuple):
    """Of the published model: its name, the one that it changes, what it learns from, its tokens."""

    name: str
    parent: str
    objective: str
    tokens: str


FACTS = {
    "bert": Fact("BERT", "Transformer", "masked words, next sentence", "WordPiece"),
    "roberta": Fact("RoBERTa", "BERT", "masked words, drawn anew", "pairs of bytes"),
    "albert": Fact("ALBERT", "BERT", "masked spans, sentence order", "SentencePiece"),
    "distilbert": Fact("DistilBERT", "BERT", "a teacher's answers, masked words", "WordPiece"),
    "electra": Fact("ELECTRA", "BERT", "replaced words found out", "WordPiece"),
    "gpt": Fact("GPT", "Transformer", "next word", "pairs of characters"),
    "gpt2": Fact("GPT-2", "GPT", "next word", "pairs of bytes"),
    "ctrl": Fact("CTRL", "Transformer", "next word, after a control code", "pairs of characters"),
    "transformer-xl": Fact("Transformer-XL", "Transformer", "next word, with memory", "words"),
    "bart": Fact("BART", "Transformer", "the text from a spoilt one", "pairs of bytes"),
    "mbart": Fact("mBART", "BART", "the same, in many languages", "SentencePiece"),
    "marian": Fact("Marian", "Transformer", "translation", "SentencePiece"),
    "t5": Fact("T5", "Transformer", "dropped spans", "SentencePiece"),
    "mae": Fact("MAE", "BERT, on images", "hidden patches", "patches"),
}
ROWS = ("model", "parent", "parameters", "norm", "activation", "positions", "objective", "tokens")


def card(name: str) -> dict[str, str]:
    """One model's row: ROWS, in words. ``name`` is one of ``FACTS``."""
    if name not in FACTS:
        raise ValueError(f"no card for {name!r}; there are: {', '.join(FACTS)}")
    fact, n = FACTS[name], [size for _, size in published(name)]
    vocabulary = getattr(next(iter(presets(name).values())), "vocabulary", None)
    return {
        "model": fact.name,
        "parent": fact.parent,
        "parameters": " to ".join(dict.fromkeys([millions(min(n)), millions(max(n))])),
        **parts(name),
        "objective": fact.objective,
        "tokens": fact.tokens + (f", {vocabulary:,}" if vocabulary else ""),
    }


class Table:
    """Cards below each other; what differs from the row above stands in bold."""

    def __init__(self, cards: list[dict[str, str]]):
        self.cards = cards

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        lines = [f"| {' | '.join(ROWS)} |", "|" + "---|" * len(ROWS)]
        for above, row in zip([None, *self.cards], self.cards):
            cells = [
                f"**{row[key]}**" if above and row[key] != above[key] else row[key] for key in ROWS
            ]
            lines.append(f"| {' | '.join(cells)} |")
        plain = "\n".join("; ".join(f"{k}: {v}" for k, v in row.items()) for row in self.cards)
        return {"text/markdown": "\n".join(lines), "text/plain": plain}


def cards(*names: str) -> Table:
    """The cards of these models, to be shown by a notebook: give a parent before its child."""
    return Table([card(name) for name in names])


# ---------------------------------------------------------------- read from the code


def presets(name: str) -> dict:
    """The published sizes; of ELECTRA, without the generators."""
    found = family(MODELS[name].model).PRESETS
    return {size: config for size, config in found.items() if "generator" not in size}


@lru_cache
def published(name: str) -> tuple[tuple[str, int], ...]:
    """(preset, parameters of the model with its head) for each published size."""
    sizes = []
    for size, config in presets(name).items():
        with torch.device("meta"):
            model = MODELS[name].model(config)
        sizes.append((size, sum(p.numel() for p in model.parameters())))
    return tuple(sizes)


@lru_cache
def parts(name: str) -> dict[str, str]:
    """Norm, activation and positions of the first published size."""
    with torch.device("meta"):
        model = MODELS[name].model(next(iter(presets(name).values())))
    modules = list(model.modules())
    block = next(m for m in modules if hasattr(m, "ff") and hasattr(m, "ff_norm"))
    kind = {"LayerNorm": "layer", "RMSNorm": "RMS"}[type(block.ff_norm).__name__]
    activation = next(k for k, v in ACTIVATIONS.items() if v is block.ff.activation)
    tensors = {n for n, _ in [*model.named_parameters(), *model.named_buffers()]}
    learned = any(n.endswith("positions.weight") for n in tensors)
    relative = any("distance" in n for n in tensors)
    return {
        "norm": f"{kind}, {'before' if getattr(block, 'pre', False) else 'after'}",
        "activation": activation + (", gated" if getattr(block.ff, "gate", None) else ""),
        "positions": "a table" if learned else "relative" if relative else "sinusoids",
    }


def millions(n: int) -> str:
    """1,234,567 -> "1.2 M"."""
    return f"{n / 1e9:.1f} B" if n >= 1e9 else f"{n / 1e6:.0f} M" if n >= 1e7 else f"{n / 1e6:.1f} M"
