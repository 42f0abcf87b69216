"""BERT's kin, reading the same English as ``reader.py``: made by command, their weights kept.

    python -m transformer_essentials.readers albert

trains one of KIN on the text of docstrings, with the tokenizer, sizes and batches of ``reader.py``,
and leaves ``reader-albert.safetensors`` and ``reader-albert.json`` among the weights. Shape
letters: B batch, T tokens, N stretches of text, V vocabulary, D width, E width of a piece's vector.
"""

import argparse
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Generator, Tensor, nn

from . import reader, weights
from .albert import ALBERTConfig, ALBERTForMaskedLM
from .electra import ELECTRAConfig, ELECTRAForPreTraining, replaced_token_loss
from .heads import IGNORE
from .lessons import Lesson, teach
from .objectives import choose, replace_tokens, static_masking
from .pretrain import student_of
from .reader import (
    MASK, PAD, SIZES, batches, begun, ids_of, judge, spoilt, stretches, texts, windows, words_loss,
)  # fmt: skip
from .roberta import RoBERTaConfig, RoBERTaForMaskedLM
from .tasks import Distillation

FIRST = 2  # RoBERTa's id of the end mark; 1 is its padding


def counted_from(first: int, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Inputs and labels for a model that counts its tokens from ``first``, behind its padding."""
    inputs, labels = batch
    return inputs + first, torch.where(labels == IGNORE, labels, labels + first)


def albert(ids: Tensor, size: int, rng: Generator) -> Lesson:
    """One block for all layers, and half as wide vectors.

    It is asked for masked pieces, as BERT is. Its padding is 0: the reader's tokens count from 1.
    """
    sizes = SIZES | {"embedding_width": SIZES["width"] // 2}
    model = begun(ALBERTForMaskedLM(ALBERTConfig(MASK + 2, **sizes)))
    door = model.encoder.widen.weight  # (D,E)
    nn.init.normal_(door, std=door.shape[1] ** -0.5)  # what goes in with variance 1 comes out so
    drawn = (counted_from(1, batch) for batch in batches(ids, size, rng))
    return Lesson(model, words_loss, drawn, lambda m, held: judge(m, held, 1))


def roberta(ids: Tensor, size: int, rng: Generator, fixed: int | None = None) -> Lesson:
    """The stretches of the text one after the other, masked anew each time, or ``fixed`` ways.

    Its tokens are the reader's, counted from FIRST.
    """
    sizes = {key: n for key, n in SIZES.items() if key != "max_length"}
    room = SIZES["max_length"] + FIRST
    config = RoBERTaConfig(MASK + FIRST + 1, n_positions=room, **sizes, dropout=0.0)
    rows = stretches(ids)
    if fixed:
        inputs, labels = static_masking(rows, rows > 0, MASK, MASK, copies=fixed, rng=rng)
        inputs, labels = inputs.flatten(0, 1), labels.flatten(0, 1)  # (copies·N,T)

    def drawn():
        while True:
            n = torch.randint(len(inputs if fixed else rows), (size,), generator=rng)
            batch = (inputs[n], labels[n]) if fixed else spoilt(rows[n], rng)
            yield counted_from(FIRST, batch)

    model = begun(RoBERTaForMaskedLM(config))
    return Lesson(model, words_loss, drawn(), lambda m, held: judge(m, held, FIRST))


def roberta_static(ids: Tensor, size: int, rng: Generator) -> Lesson:
    """The same with ten masks a stretch, drawn once: BERT's way, as RoBERTa's paper reckons it."""
    return roberta(ids, size, rng, fixed=10)


def distilbert(ids: Tensor, size: int, rng: Generator) -> Lesson:
    """The first two of the reader's three layers, taught by the reader."""
    teacher, _, _ = reader.load()
    marks = SimpleNamespace(pad=PAD)

    def loss(student, batch):
        return Distillation(student, marks, SIZES["max_length"], teacher)(*batch)

    return Lesson(student_of(teacher, 2), loss, batches(ids, size, rng), judge)


def electra(ids: Tensor, size: int, rng: Generator, as_reader: bool = True) -> Lesson:
    """The discriminator, begun with the reader's weights; the generator knows frequencies alone.

    Clark et al. (2020, section 3.2) try such a generator, too, and discriminators begun with a
    generator's weights.
    """
    teacher, _, _ = reader.load()
    config = ELECTRAConfig(PAD + 1, SIZES["width"], **SIZES, dropout=0.0, pad=PAD)
    discriminator = begun(ELECTRAForPreTraining(config))
    if as_reader:
        discriminator.encoder.load_state_dict(teacher.encoder.state_dict())
    shares = ids[ids > 0].bincount(minlength=MASK).clamp(min=0.01).log()  # (V,)

    def frequencies(rows, chosen):
        return shares.expand(int(chosen.sum()), -1)

    def loss(model, rows):
        corrupted, replaced = forged(rows, frequencies, rng)
        return replaced_token_loss(model(corrupted), replaced, rows != PAD)

    def judged(model, held):
        return told(model, held, frequencies) | {"by_reader": told(model, held, writes_as(teacher))}

    return Lesson(discriminator, loss, windows(ids, SIZES["max_length"], size, rng), judged)


def electra_from_nothing(ids: Tensor, size: int, rng: Generator) -> Lesson:
    """The same, but the discriminator begins as the reader itself began."""
    return electra(ids, size, rng, as_reader=False)


def writes_as(model: nn.Module) -> Callable:
    """A generator: rows (B,T), chosen (B,T) -> the model's logits at the n chosen pieces, (n,V)."""
    return lambda rows, chosen: model(rows.masked_fill(chosen, MASK), positions=chosen)


@torch.no_grad()
def forged(rows: Tensor, generator: Callable, rng: Generator) -> tuple[Tensor, Tensor]:
    """15% of the pieces (B,T) as the generator would have them; 1 where they changed, (B,T)."""
    chosen = choose(rows > 0, rng=rng)
    return replace_tokens(rows, chosen, generator(rows, chosen), rng)


@torch.inference_mode()
def told(model: nn.Module, ids: Tensor, generator: Callable) -> dict[str, float]:
    """How well the discriminator tells the generator's pieces from the author's, in new text.

    ``told``: of a replaced piece and another, both drawn at random, how often the replaced one has
    the higher logit (the area under the curve of true against false alarms); 0.5 is chance.
    ``found`` and ``false_alarms``: the shares of either kind with a logit above 0. End marks, which
    are never replaced, don't count.
    """
    rows = stretches(ids)
    corrupted, replaced = forged(rows, generator, Generator().manual_seed(1))
    logits, replaced = model.eval()(corrupted)[rows > 0], replaced[rows > 0].bool()
    rank = logits.argsort().argsort().double()  # 0 for the lowest
    n, others = int(replaced.sum()), int((~replaced).sum())
    shares = {
        "replaced": n / (n + others),
        "told": (rank[replaced].sum().item() - n * (n - 1) / 2) / (n * others),
        "found": (logits[replaced] > 0).double().mean().item(),
        "false_alarms": (logits[~replaced] > 0).double().mean().item(),
    }
    return {name: round(share, 3) for name, share in shares.items()}


KIN = {  # each with its updates: some 20 minutes of one processor for 6000, 4 for 1000
    "albert": (albert, 6000),
    "roberta": (roberta, 6000),
    "roberta-static": (roberta_static, 6000),
    "distilbert": (distilbert, 1000),
    "electra": (electra, 1000),
    "electra-from-nothing": (electra_from_nothing, 1000),
}

RECORDS_ALONE = ("roberta-static", "electra-from-nothing")  # for comparison: no weights are kept


def load(name: str) -> tuple[nn.Module, dict]:
    """One of KIN, trained, and the record of its making."""
    nothing = torch.zeros(SIZES["max_length"], dtype=torch.long)
    model = KIN[name][0](nothing, 1, Generator()).model
    return model, weights.load(f"reader-{name}", model)


def main(name: str, updates: int | None = None, batch_size: int = 64, lr: float = 2e-3) -> dict:
    """Train it and write weights and record, which is given back."""
    make, usual = KIN[name]
    updates = updates or usual

    def prepare(size: int) -> tuple[Lesson, Tensor, int]:
        pieces = reader.tokenizer()
        learned, held = (ids_of(pieces, paragraphs) for paragraphs in texts())
        return make(learned, size, Generator().manual_seed(0)), held, len(learned)

    return teach(
        f"reader-{name}", f"python -m transformer_essentials.readers {name}", prepare,
        updates=updates, batch_size=batch_size, lr=lr, warmup=min(200, updates),
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(KIN))
    main(parser.parse_args().name)
