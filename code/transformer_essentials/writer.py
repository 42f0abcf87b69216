"""A small GPT-2 that writes the English of docstrings: made by command, its weights kept.

    python -m transformer_essentials.writer

trains it on :mod:`~transformer_essentials.corpora.docstrings` and leaves ``writer.safetensors`` and
``writer.json`` among the weights: command, machine, seconds, curve, held-out loss, and the tokenizer.
Shape letters: B batch, T tokens.
"""

import math
from collections.abc import Iterator

import torch
from tokenizers import Tokenizer
from torch import Generator, Tensor

from . import weights
from .corpora import docstrings
from .gpt2 import GPT2Config, GPT2ForCausalLM
from .heads import token_loss
from .lessons import Lesson, teach
from .objectives import next_token
from .tokenizers import train_tokenizer

END = "<end>"  # between paragraphs, with id 0
SIZES = {"vocabulary": 1024, "width": 128, "n_layers": 3, "n_heads": 4, "max_length": 128}


def texts(libraries: tuple[str, ...] = docstrings.LIBRARIES) -> tuple[list[str], list[str]]:
    """Paragraphs to learn from, and every twentieth, held out."""
    learned, held = split(docstrings.paragraphs(libraries))
    return [paragraph.text for paragraph in learned], [paragraph.text for paragraph in held]


def split(paragraphs: list) -> tuple[list, list]:
    """Those to learn from, and every twentieth, held out."""
    return [p for i, p in enumerate(paragraphs) if i % 20], paragraphs[::20]


def new_model(**sizes) -> GPT2ForCausalLM:
    """An untrained one; ``sizes`` in place of SIZES."""
    return GPT2ForCausalLM(GPT2Config(**(SIZES | sizes), dropout=0.0, end=0))


def ids_of(tokenizer: Tokenizer, paragraphs: list[str]) -> Tensor:
    """All paragraphs in a row, with an end mark before each and at the end."""
    rows = tokenizer.encode_batch(paragraphs)
    return torch.tensor([*(i for row in rows for i in (0, *row.ids)), 0])


def windows(ids: Tensor, length: int, batch_size: int, rng: Generator) -> Iterator[Tensor]:
    """Stretches of the text, each from a random place: (B,T)."""
    while True:
        starts = torch.randint(len(ids) - length + 1, (batch_size, 1), generator=rng)
        yield ids[starts + torch.arange(length)]


def next_word_loss(model, ids: Tensor) -> Tensor:
    """Mean cross-entropy of each token but the first, in nats."""
    inputs, labels = next_token(ids)
    return token_loss(model(inputs), labels)


@torch.inference_mode()
def bits(model, tokenizer: Tokenizer, paragraphs: list[str], length: int = 128) -> float:
    """Bits a character of new text: its loss in stretches of ``length`` tokens, none overlapping."""
    ids = ids_of(tokenizer, paragraphs)
    rows = ids[: (len(ids) - 1) // length * length + 1].unfold(0, length + 1, length)  # (B,T)
    nats = sum(next_word_loss(model, part).item() * len(part) for part in rows.split(32)) * length
    n_tokens, n_characters = len(rows) * length, sum(map(len, paragraphs))
    return nats / math.log(2) / (n_characters * n_tokens / len(ids))


def load() -> tuple[GPT2ForCausalLM, Tokenizer, dict]:
    """The trained one, its tokenizer, and the record of its making."""
    model = new_model()
    made = weights.load("writer", model)
    return model, Tokenizer.from_str(made["tokenizer"]), made


def main(updates: int = 1000, batch_size: int = 16, lr: float = 4e-3) -> dict:
    """Train it and write weights and record, which is given back."""

    def prepare(size: int) -> tuple[Lesson, list[str], int]:
        learned, held = texts()
        pieces = train_tokenizer("bytes", learned, SIZES["vocabulary"], [END], END)
        ids, rng = ids_of(pieces, learned), Generator().manual_seed(0)

        def judge(model, held):
            return {
                "characters": sum(map(len, learned)),
                "bits_a_character": round(bits(model, pieces, held), 3),
                "tokenizer": pieces.to_str(),
            }

        drawn = windows(ids, SIZES["max_length"] + 1, size, rng)
        return Lesson(new_model(), next_word_loss, drawn, judge), held, len(ids)

    return teach(
        "writer", "python -m transformer_essentials.writer", prepare, updates=updates,
        batch_size=batch_size, lr=lr, warmup=100,
    )  # fmt: skip


if __name__ == "__main__":
    main()
