"""Models that write, on the same English as ``writer.py``: made by command, their weights kept.

    python -m transformer_essentials.writers ctrl

trains one of KIN on the text of docstrings, with the writer's tokenizer, by what its paper asks of
it (see ``tasks.py``), and leaves ``writer-ctrl.safetensors`` and ``writer-ctrl.json`` among the
weights. Shape letters: B batch, T tokens, C control codes, V vocabulary.
"""

import argparse
import re
from collections.abc import Callable
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from . import weights, writer
from .bart import BART, BARTConfig, shift_tokens_right
from .corpora import docstrings
from .corpora.docstrings import Paragraph
from .ctrl import CTRLConfig, CTRLForCausalLM
from .gpt import GPTConfig, GPTForCausalLM
from .heads import IGNORE, even
from .lessons import Lesson, teach
from .objectives import bart_noise, next_token
from .positions import sinusoids
from .pretrain import stream
from .reader import MASK, PAD, tokenizer
from .t5 import T5, T5Config
from .tasks import ControlCode, Infilling, SpanCorruption, Task, Text, in_order, padded
from .transformer_xl import TransformerXLConfig, TransformerXLForCausalLM

END = 0  # the writer's end mark
CODES = {name: PAD + 1 + i for i, name in enumerate(docstrings.LIBRARIES)}  # CTRL's
SENTINELS = range(PAD + 1, PAD + 5)  # T5's
MARKS = SimpleNamespace(pad=PAD, end=END, mask=MASK, sentinels=SENTINELS)
WIDTH, N_HEADS, N_LAYERS, FF_WIDTH = 96, 4, 2, 384  # layers: of each stack
LENGTH, ROOM = 128, 64  # tokens of a row; of a text that BART and T5 spoil
SEGMENT, MEMORY = 32, 96  # of Transformer-XL, in tokens


def read(paragraphs: list[Paragraph], coded: bool = False) -> list[Text]:
    """Ids of the sentences of each, and, ``coded``, its library's control code as its name."""
    pieces = tokenizer()
    return [
        Text(
            [row.ids for row in pieces.encode_batch(sentences(p.text))],
            (CODES[p.library],) if coded else (),
        )
        for p in paragraphs
    ]


def sentences(paragraph: str) -> list[str]:
    """Cut behind full stops; each but the first keeps the space before it."""
    return re.split(r"(?<=[.!?])(?= [A-Z])", paragraph)


def packed(paragraphs: list[Paragraph]) -> list[Text]:
    """All their sentences as one text, which is cut into rows that are nearly full."""
    pieces = tokenizer()
    spaced = [" " + s.lstrip() for p in paragraphs for s in sentences(p.text)]
    return [Text([row.ids for row in pieces.encode_batch(spaced)])]


def whole(text: Text) -> list[int]:
    """Its sentences in one."""
    return [token for sentence in text.parts for token in sentence]


def split(name: str, paragraphs: list[Paragraph]) -> tuple[list[Paragraph], list[Paragraph]]:
    """To learn from, and held out: every twentieth paragraph, as the writer has it.

    For Transformer-XL every twentieth run of 20, since its memory is of what stood before. For BART
    and T5 the docstrings of the split "test", so that its summaries haven't been read; of these
    every fifth paragraph is to be judged by.
    """
    if name.startswith("transformer-xl"):
        runs = writer.split([paragraphs[i : i + 20] for i in range(0, len(paragraphs), 20)])
        return tuple(sum(some, []) for some in runs)
    if name not in ("bart", "t5"):
        return writer.split(paragraphs)
    parts = {"train": [], "test": []}
    for paragraph in paragraphs:
        parts[docstrings.split_of(paragraph.where)].append(paragraph)
    return parts["train"], parts["test"][::5]


# ---------------------------------------------------------------- the models


def gpt(paragraphs: list[Paragraph], size: int) -> Lesson:
    """What comes next, in stretches from random places, as the writer learned it."""
    width = writer.SIZES["width"]
    config = GPTConfig(PAD + 1, width, N_LAYERS, N_HEADS, LENGTH, dropout=0.0, end=END)
    drawn = writer.windows(marked(paragraphs), LENGTH + 1, size, Generator().manual_seed(0))
    return Lesson(GPTForCausalLM(config), writer.next_word_loss, drawn, judge_gpt)


def ctrl(paragraphs: list[Paragraph], size: int) -> Lesson:
    """The library that a text is from is its control code."""
    config = CTRLConfig(
        PAD + 1 + len(CODES), WIDTH, N_LAYERS, N_HEADS, FF_WIDTH, LENGTH, dropout=0.0, end=END
    )
    task = ControlCode(even(CTRLForCausalLM(config)), MARKS, LENGTH)
    return by_task(task, read(paragraphs, coded=True), size, judge_ctrl)


def transformer_xl(paragraphs: list[Paragraph], size: int, memory: int = MEMORY) -> Lesson:
    """The text in ``size`` streams, segment by segment, each with the memory of those before."""
    model = even(TransformerXLForCausalLM(TransformerXLConfig(
        PAD + 1, cutoffs=(), divide=1, width=WIDTH, n_layers=N_LAYERS, n_heads=N_HEADS,
        head_width=WIDTH // N_HEADS, ff_width=FF_WIDTH, memory=memory, clamp=0,
        same_length=False, dropout=0.0, end=END,
    )))  # fmt: skip
    loss, drawn = in_order(streams(paragraphs, size), SEGMENT)
    return Lesson(model, loss, drawn, judge_transformer_xl)


def transformer_xl_alone(paragraphs: list[Paragraph], size: int) -> Lesson:
    """The same without a memory."""
    return transformer_xl(paragraphs, size, memory=0)


def streams(paragraphs: list[Paragraph], n: int) -> Tensor:
    """The text cut into n pieces of one length, side by side, (n,T)."""
    ids = marked(paragraphs)
    return ids[: len(ids) // n * n].view(n, -1)


def marked(paragraphs: list[Paragraph]) -> Tensor:
    """All in a row, an end mark before each and at the end, (T,)."""
    return writer.ids_of(tokenizer(), [p.text for p in paragraphs])


def bart(paragraphs: list[Paragraph], size: int) -> Lesson:
    """Sentences in another order, spans of them masked: the text as it was."""
    model = even(BART(BARTConfig(
        PAD + 1, WIDTH, N_LAYERS, N_LAYERS, N_HEADS, FF_WIDTH, ROOM, dropout=0.0, pad=PAD, eos=END,
    )))  # fmt: skip
    with torch.no_grad():
        for stack in (model.encoder, model.decoder):
            stack.positions.weight.copy_(0.1 * sinusoids(*stack.positions.weight.shape))
    return by_task(Infilling(model, MARKS, ROOM), read(paragraphs), size, judge_bart)


def t5(paragraphs: list[Paragraph], size: int) -> Lesson:
    """Spans dropped, a sentinel in the place of each: the spans."""
    return by_task(SpanCorruption(new_t5(), MARKS, ROOM), packed(paragraphs), size, judge_t5)


def new_t5() -> T5:
    """As large as the BART, with four sentinels."""
    return T5(T5Config(
        SENTINELS.stop, WIDTH, WIDTH // N_HEADS, N_LAYERS, N_LAYERS, N_HEADS, FF_WIDTH,
        dropout=0.0, pad=PAD, eos=END,
    ))  # fmt: skip


def by_task(task: Task, texts: list[Text], size: int, judge: Callable) -> Lesson:
    """The task's rows of these texts, in another order each time through."""
    drawn = stream(task, task.rows(texts), size, seed=0)
    return Lesson(task.model, lambda model, batch: task(*batch), drawn, judge)


# ---------------------------------------------------------------- judged by new paragraphs


def judge_gpt(model: GPTForCausalLM, held: list[Paragraph]) -> dict:
    """Bits a character."""
    return {"bits_a_character": round(writer.bits(model, tokenizer(), [p.text for p in held]), 3)}


def judge_ctrl(model: CTRLForCausalLM, held: list[Paragraph]) -> dict:
    """The loss a token after a text's own code and after the others; how many are told by it.

    Of texts that don't name a library. ``told``: the share whose code is the most probable one,
    given the text and how frequent each code is among these; ``most``: that of the most frequent.
    """
    held = [p for p in held if not docstrings.GIVEAWAYS.search(p.text)]
    texts = read(held)
    found = after_codes(model, texts)  # (B,C)
    own = torch.tensor([[p.library == code for code in CODES] for p in held])
    share = own.double().mean(0)
    n_tokens = sum(len(beginning(text)) for text in texts)
    return {
        "loss": round(-found[own].sum().item() / n_tokens, 3),
        "loss_others": round(-found[~own].sum().item() / n_tokens / (len(CODES) - 1), 3),
        "told": round(own.gather(1, told(found, share)[:, None]).double().mean().item(), 3),
        "most": round(share.max().item(), 3),
    }


def told(found: Tensor, share: Tensor) -> Tensor:
    """The most probable code by Bayes' rule: log P(text | code) (B,C), P(code) (C) -> (B)."""
    return (found + share.log()).argmax(1)


def beginning(text: Text) -> list[int]:
    """As much of it as has room behind a code and a mark."""
    return whole(text)[: LENGTH - 1]


@torch.inference_mode()
def after_codes(model: CTRLForCausalLM, texts: list[Text]) -> Tensor:
    """log P(text | code), each beginning of a text after each code: (B,C), in nats."""
    found = []
    model.eval()
    for code in CODES.values():
        ids = padded([[code, END, *beginning(text)] for text in texts], PAD)
        inputs, labels = next_token(ids, PAD)
        labels[:, 0] = IGNORE  # the mark
        pairs = zip(inputs.split(64), labels.split(64))
        found.append(-torch.cat([each(model(some), asked) for some, asked in pairs]).sum(1))
    return torch.stack(found, 1)


def judge_transformer_xl(model: TransformerXLForCausalLM, held: list[Paragraph]) -> dict:
    """The loss a token, by how many places it remembers; 16 streams of the text, side by side."""
    ids, memory = streams(held, 16), model.config.memory
    return {"by_memory": {
        str(places): round(with_memory(model, ids, places).mean().item(), 3)
        for places in (range(SEGMENT, memory + 1, SEGMENT) if memory else (0,))
    }}  # fmt: skip


@torch.inference_mode()
def with_memory(model: TransformerXLForCausalLM, ids: Tensor, places: int) -> Tensor:
    """(B,T+1) -> the loss of each token but the first, (B,T), if so many places are remembered.

    They are at most the model's own, and zero at first.
    """
    c, found = model.eval().config, []
    memory = (torch.zeros(len(ids), places, c.width),) * c.n_layers
    for part, asked in zip(ids[:, :-1].split(SEGMENT, 1), ids[:, 1:].split(SEGMENT, 1)):
        log_p, memory, _ = model.segment(part, memory)
        memory = tuple(layer[:, max(0, layer.shape[1] - places) :] for layer in memory)
        found.append(each(log_p, asked))
    return torch.cat(found, 1)


@torch.inference_mode()
def judge_bart(model: BART, held: list[Paragraph]) -> dict:
    """Loss and share right at the tokens that were hidden, share right at the others.

    Each token is asked for after the text's own tokens before it.
    """
    task, rng = Infilling(model.eval(), MARKS, ROOM), Generator().manual_seed(1)
    losses, rights, hidden = [], [], []
    for row in task.rows(read(held)):
        place = iter(range(ROOM))
        numbered = [[(token, next(place)) for token in sentence] for sentence in row]
        source, target = bart_noise(numbered, (MASK, None), rng=rng)
        source = source[: ROOM - 2]
        there = {place for _, place in source}
        source, labels = (
            torch.tensor([task.framed([token for token, _ in side])]) for side in (source, target)
        )
        logits = model(source, shift_tokens_right(labels, model.config))
        losses.append(each(logits, labels)[0, :-1])
        rights.append((logits.argmax(-1) == labels)[0, :-1])
        hidden.append(torch.tensor([place not in there for _, place in target]))
    losses, rights, hidden = map(torch.cat, (losses, rights, hidden))
    return {
        "loss": round(losses[hidden].mean().item(), 3),
        "right": round(rights[hidden].double().mean().item(), 3),
        "kept": round(rights[~hidden].double().mean().item(), 3),
    }


@torch.inference_mode()
def judge_t5(model: T5, held: list[Paragraph]) -> dict:
    """Loss and share right at the tokens of the spans, without the sentinels."""
    task, rng = SpanCorruption(model.eval(), MARKS, ROOM), Generator().manual_seed(1)
    source, target_in, labels = task.batch(task.rows(packed(held)), rng)
    logits = torch.cat([model(*some) for some in zip(source.split(64), target_in.split(64))])
    asked = (labels > END) & (labels < MASK)
    return {
        "loss": round(each(logits, labels)[asked].mean().item(), 3),
        "right": round((logits.argmax(-1) == labels)[asked].double().mean().item(), 3),
    }


def each(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of each label (B,T), 0 where there is none: logits (B,T,V) -> (B,T)."""
    return F.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=IGNORE)


# ---------------------------------------------------------------- made by command

KIN = {  # each with its updates, rows an update, and rate
    "gpt": (gpt, 1000, 16, 4e-3),
    "ctrl": (ctrl, 1000, 16, 4e-3),
    "transformer-xl": (transformer_xl, 1000, 64, 4e-3),
    "transformer-xl-alone": (transformer_xl_alone, 1000, 64, 4e-3),
    "bart": (bart, 4000, 32, 2e-3),
    "t5": (t5, 6000, 32, 3e-3),
}

RECORDS_ALONE = ("transformer-xl-alone",)  # for comparison: no weights are kept


def load(name: str) -> tuple[nn.Module, dict]:
    """One of KIN, trained, and the record of its making."""
    model = KIN[name][0]([Paragraph("Nothing.", "numpy", "")], 1).model
    return model, weights.load(f"writer-{name}", model)


def main(name: str, updates: int | None = None, batch_size: int | None = None) -> dict:
    """Train it and write weights and record, which is given back."""
    make, usual, size, lr = KIN[name]
    updates = updates or usual

    def prepare(size: int) -> tuple[Lesson, list[Paragraph], int]:
        learned, held = split(name, docstrings.paragraphs())
        return make(learned, size), held, len(marked(learned))

    return teach(
        f"writer-{name}", f"python -m transformer_essentials.writers {name}", prepare,
        updates=updates, batch_size=batch_size or size, lr=lr, warmup=min(200, updates // 10),
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(KIN))
    main(parser.parse_args().name)
