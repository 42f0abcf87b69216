"""A small BERT that has read the English of docstrings: made by command, its weights kept.

    python -m transformer_essentials.reader

trains it to fill in masked tokens of the text that ``writer.py`` learns to write, with the writer's
tokenizer, and leaves ``reader.safetensors`` and ``reader.json`` among the weights: command, machine,
seconds, curve, held-out loss, and that of one who knows frequencies alone. Shape letters: B batch,
T tokens, N stretches of text.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Generator, Tensor, nn

from . import weights
from .bert import BERTConfig, BERTForMaskedLM
from .heads import IGNORE, masked_lm_loss
from .lessons import Lesson, teach
from .objectives import choose, mask_tokens
from .positions import sinusoids
from .writer import ids_of, texts, windows

MASK, PAD = 1024, 1025  # behind the writer's ids, of which 0 is the end mark
SIZES = {"width": 128, "n_layers": 3, "n_heads": 4, "ff_width": 512, "max_length": 32}


def new_model(**sizes) -> BERTForMaskedLM:
    """An untrained one; ``sizes`` in place of SIZES."""
    return begun(BERTForMaskedLM(BERTConfig(PAD + 1, **(SIZES | sizes), dropout=0.0, pad=PAD)))


def begun(model: nn.Module) -> nn.Module:
    """The model, its tables larger than BERT's at the start, and its positions sinusoids.

    From small random ones it took longer to leave the stage in which only frequencies count.
    """
    tables = model.encoder.embeddings
    with torch.no_grad():
        tables.tokens.weight.normal_(std=0.1)
        tables.positions.weight.copy_(0.1 * sinusoids(*tables.positions.weight.shape))
    return model


def spoilt(ids: Tensor, rng: Generator, shares=(0.8, 0.1)) -> tuple[Tensor, Tensor]:
    """What the model reads, and what it has to say at the chosen tokens: (B,T) both."""
    chosen = choose(ids > 0, rng=rng)  # no end marks
    return mask_tokens(ids, chosen, MASK, vocabulary=MASK, shares=shares, rng=rng)


def batches(ids: Tensor, size: int, rng: Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Stretches from random places, spoilt anew each time."""
    return (spoilt(rows, rng) for rows in windows(ids, SIZES["max_length"], size, rng))


def stretches(ids: Tensor) -> Tensor:
    """The text cut into stretches one after the other, (N,T); what is left over is left out."""
    T = SIZES["max_length"]
    return ids[: len(ids) // T * T].view(-1, T)


def words_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """BERT's, of the masked tokens: inputs, labels, (B,T) both."""
    return masked_lm_loss(model, *batch)


@torch.inference_mode()
def judge(model: nn.Module, ids: Tensor, first: int = 0) -> dict[str, float]:
    """15% of the tokens of new text, all of them hidden: the loss, and the share that is right.

    ``first`` is added to all ids, for a model that counts its tokens from there.
    """
    inputs, labels = spoilt(stretches(ids), Generator().manual_seed(1), shares=(1.0, 0.0))
    asked = labels != IGNORE
    logits = model.eval()(inputs + first, positions=asked)  # (n,V)
    right = labels[asked] + first  # (n,)
    return {
        "loss": round(F.cross_entropy(logits, right).item(), 3),
        "right": round((logits.argmax(-1) == right).float().mean().item(), 3),
    }


def frequencies(learned: Tensor, held: Tensor) -> dict[str, float]:
    """Of all tokens held, for one who knows nothing but how often each was in the text learned."""
    counts = learned[learned > 0].bincount(minlength=MASK).clamp(min=1).double()
    pieces = held[held > 0]
    return {
        "loss": round((counts.sum() / counts)[pieces].log().mean().item(), 3),
        "right": round((pieces == counts.argmax()).float().mean().item(), 3),
    }


def plateau(loss: float) -> float:
    """The loss at chosen tokens of one who knows frequencies alone; at hidden ones it is ``loss``.

    Eight in ten are hidden; one is replaced, one stays, and either looks like the other: ln 2 more.
    """
    return 0.9 * loss + 0.2 * math.log(2)


def tokenizer() -> Tokenizer:
    """The writer's."""
    return Tokenizer.from_str(weights.record("writer")["tokenizer"])


def load() -> tuple[BERTForMaskedLM, Tokenizer, dict]:
    """The trained one, its tokenizer, and the record of its making."""
    model = new_model()
    made = weights.load("reader", model)
    return model, tokenizer(), made


def main(updates: int = 6000, batch_size: int = 64, lr: float = 2e-3) -> dict:
    """Train it and write weights and record, which is given back."""

    def prepare(size: int) -> tuple[Lesson, Tensor, int]:
        pieces = tokenizer()
        learned, held = (ids_of(pieces, paragraphs) for paragraphs in texts())
        drawn = batches(learned, size, Generator().manual_seed(0))

        def judged(model, held):
            return judge(model, held) | {"frequencies": frequencies(learned, held)}

        return Lesson(new_model(), words_loss, drawn, judged), held, len(learned)

    return teach(
        "reader", "python -m transformer_essentials.reader", prepare, updates=updates,
        batch_size=batch_size, lr=lr, warmup=200,
    )  # fmt: skip


if __name__ == "__main__":
    main()
