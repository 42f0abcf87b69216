"""Pretraining by command: any model of the library on your own files, from its first token.

What the models are asked is in ``tasks.py``; the command itself is in ``train.py``.
"""

import json
import random
import re
import shlex
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.distributed as dist
from PIL import Image
from sklearn.datasets import load_digits
from tokenizers import Tokenizer
from torch import Generator, Tensor, nn

from . import weights
from .bert import BERTConfig
from .checkpoints import from_pretrained, save_hf
from .corpora import grammar, parallel
from .distilbert import DistilBERTConfig, DistilBERTForMaskedLM
from .electra import PRESETS as ELECTRA_PRESETS
from .electra import ELECTRAForMaskedLM, ELECTRAForPreTraining
from .tasks import MODELS, Distillation, Patches, ReplacedTokens, Task, Text, Translation, family
from .tokenizers import train_tokenizer
from .training import processes, to_device, train

N_SENTINELS = 100  # of T5
END = r"(?<=[.!?])(?=\s)|(?<=[。！？])"  # of a sentence
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def configuration(args: Namespace, known: dict):
    """The model's configuration: a preset, or the sizes asked for, in so far as it has them.

    ``known`` are fields that the data decide on, such as the id of padding.
    """
    presets, D, H, L = family(MODELS[args.model].model).PRESETS, args.width, args.heads, args.layers
    if args.preset and args.preset not in presets:
        raise ValueError(f"{args.model} has no preset {args.preset!r}, but {', '.join(presets)}")
    if not args.preset and D % H:
        raise ValueError(f"--width {D} does not divide into --heads {H}: choose a multiple")
    sizes = {} if args.preset else dict(
        width=D, n_heads=H, head_width=D // H, ff_width=4 * D, embedding_width=min(D, 128),
        n_layers=L, n_decoder_layers=L, vocabulary=known.get("size"), max_length=args.length,
        n_positions=args.length + known.get("pad", 0) + 1,  # RoBERTa's
        memory=args.length, clamp=args.length, cutoffs=(), divide=1,  # Transformer-XL's
        decoder_width=D, decoder_layers=L, decoder_heads=H, decoder_ff_width=4 * D,  # MAE's
    )  # fmt: skip
    base = presets[args.preset] if args.preset else next(iter(presets.values()))
    values = sizes | known
    return replace(base, **{f.name: values[f.name] for f in fields(base) if f.name in values})


def generator_of(model: ELECTRAForPreTraining, args: Namespace) -> ELECTRAForMaskedLM:
    """ELECTRA's: a folder's, the published one, or one with half of the discriminator's heads."""
    if args.start:
        return from_pretrained(args.start / "generator", ELECTRAForMaskedLM)
    c, n_heads = model.config, max(1, model.config.n_heads // 2)
    width = n_heads * c.width // c.n_heads
    small = replace(c, width=width, n_heads=n_heads, ff_width=4 * width)
    if args.preset:
        small = ELECTRA_PRESETS.get(f"{args.preset}-generator", ELECTRA_PRESETS[args.preset])
        small = replace(small, vocabulary=c.vocabulary, pad=c.pad)
    return ELECTRAForMaskedLM(small)


def student_of(teacher: nn.Module, n_layers: int) -> DistilBERTForMaskedLM:
    """A DistilBERT as wide as its teacher, with layers that start as some of the teacher's.

    (Sanh et al., 2019, section 3.)
    """
    c = teacher.config
    if not isinstance(c, BERTConfig) or not hasattr(teacher, "head") or n_layers > c.n_layers:
        raise ValueError(
            f"a teacher of {n_layers} layers must be a BERT with as many or more, trained on "
            f"masked words; this is a {type(teacher).__name__} with {c.n_layers}"
        )
    student = DistilBERTForMaskedLM(DistilBERTConfig(**vars(c) | {"n_layers": n_layers}))
    student.head.load_state_dict(teacher.head.state_dict())
    theirs = teacher.encoder.embeddings.state_dict()
    student.encoder.embeddings.load_state_dict(theirs, strict=False)  # which has no segments
    for i, block in enumerate(student.encoder.blocks):
        taught = teacher.encoder.blocks[i * c.n_layers // n_layers]
        block.load_state_dict(taught.state_dict())
    return student


# ---------------------------------------------------------------- data


def read_texts(paths: list[Path]) -> list[tuple[tuple[str], list[str]]]:
    """The texts of UTF-8 files, each as its file's name and its sentences.

    Paragraphs, where a file has empty lines between them, or else its lines. Spaces between
    sentences stay, before the second.
    """
    texts = []
    for path in paths:
        lines = parallel.read_lines(path)
        if any(not line.strip() for line in lines):
            lines = re.split(r"\n\s*\n", "\n".join(lines))
        cut = [re.split(END, " ".join(line.split())) for line in lines]
        texts += [((path.stem,), [part for part in parts if part]) for parts in cut if any(parts)]
    return texts


def read_pairs(args: Namespace) -> list[tuple[tuple[str, ...], list[str]]]:
    """Sources and targets of a TSV file, or of the grammar, as if they were sentences."""
    if args.tsv:
        pairs, names = parallel.read_tsv(args.tsv, split=lambda side: [side]), args.tsv.stem
    else:
        pairs = grammar.pairs(args.pairs, seed=args.seed, max_words=args.max_words)
        names = "en-fr"
    names = tuple(names.split("-"))
    if args.model == "mbart" and len(names) != 2:
        raise ValueError(
            f"{args.tsv}: mBART takes the languages from the file's name, which needs to be "
            "like en-fr.tsv"
        )
    return [(names, [" ".join(pair.source), " ".join(pair.target)]) for pair in pairs]


def read_images(paths: list[Path] | None, config) -> list[Tensor]:
    """Images (C,height,width) of the size that the model has, values from 0 to 1.

    The files', or scikit-learn's digits, 8 × 8 in one channel.
    """
    if not paths:
        return list(torch.tensor(load_digits().images[:, None], dtype=torch.float32) / 16)
    size, images = (config.image_size, config.image_size), []
    for path in paths:
        try:
            pixels = np.array(Image.open(path).convert("RGB").resize(size))
        except OSError as error:
            raise ValueError(f"{path} can't be read as an image: {error}") from error
        images.append(torch.tensor(pixels).permute(2, 0, 1) / 255)
    return images


def make_tokenizer(args: Namespace, texts: list[str], names: list[str]) -> Tokenizer:
    """The tokenizer of the folder to go on from, or one trained on the texts.

    ``names`` of languages and kinds of text become tokens of their own.
    """
    recipe, folder = MODELS[args.model], args.start or args.teacher
    sentinels = [f"<extra_id_{i}>" for i in reversed(range(N_SENTINELS))]
    more = names + sentinels * (args.model == "t5")
    if folder:
        if not (path := folder / "tokenizer.json").exists():
            raise FileNotFoundError(f"{folder} holds no tokenizer.json")
        tokenizer = Tokenizer.from_file(str(path))
    else:
        size = configuration(args, {}).vocabulary if args.preset else args.vocabulary
        kind, marks = args.tokenizer or recipe.tokenizer, recipe.marks
        if size < (least := len(marks) + len(more) + 1):
            raise ValueError(f"--vocabulary {size} is too small: {args.model} needs {least}")
        size -= len(more)
        tokenizer = train_tokenizer(kind, texts, size, list(marks.values()), marks["unk"])
        tokenizer.add_special_tokens(more)
    for mark in (*recipe.marks.values(), *more):
        if tokenizer.token_to_id(mark) is None:
            raise ValueError(f"{path} has no token {mark}, which {args.model} needs here")
    tokenizer.encode_special_tokens = True  # in a text they mean no more than other words
    return tokenizer


def stream(task: Task, rows: list, batch_size: int, seed: int) -> Iterator[tuple]:
    """Whole batches without end, in another order each time through the rows."""
    if len(rows) < batch_size:
        raise ValueError(f"{len(rows)} rows don't make a batch of {batch_size}")
    rng = Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(rows), generator=rng).tolist()
        for first in range(0, len(rows) - batch_size + 1, batch_size):
            yield task.batch([rows[i] for i in order[first : first + batch_size]], rng)


# ---------------------------------------------------------------- the run


def prepare(args: Namespace) -> tuple[Task, list, Tokenizer | None]:
    """The task with its model, the texts as ids, the tokenizer."""
    recipe, length = MODELS[args.model], args.length
    if length < 8:
        raise ValueError(f"--length {length} leaves no room between the marks: give 8 or more")
    if args.teacher and args.model != "distilbert":
        raise ValueError(f"distilbert alone has a --teacher, not {args.model}")
    if recipe.task is Patches:
        known = dict(image_size=8, patch_size=2, channels=1)
        if args.images:
            known = {} if args.preset else dict(image_size=length, patch_size=max(1, length // 8))
        elif args.preset:
            raise ValueError("the digits are too small for a preset: give --images")
        model = start(args, known)
        return Patches(model, None, length), read_images(args.images, model.config), None

    pairs = args.tsv or recipe.task is Translation
    if args.tsv and (args.text or not issubclass(recipe.task, Translation)):
        raise ValueError("--tsv holds pairs, for marian, bart, mbart and t5, and without --text")
    if not (pairs or args.text):
        raise ValueError(f"{args.model} learns from text: give --text FILE, one or more")
    texts = read_pairs(args) if pairs else read_texts(args.text)
    names = {f"<{name}>" for text, _ in texts for name in text} if recipe.task.named else ()
    tokenizer = make_tokenizer(args, [part for _, parts in texts for part in parts], sorted(names))
    items = [
        Text(
            [found.ids for found in tokenizer.encode_batch(parts, add_special_tokens=False)],
            tuple(tokenizer.token_to_id(f"<{name}>") for name in text) if names else (),
        )
        for text, parts in texts
    ]

    ids = {role: tokenizer.token_to_id(mark) for role, mark in recipe.marks.items()}
    size = tokenizer.get_vocab_size()
    sentinels = [tokenizer.token_to_id(f"<extra_id_{i}>") for i in range(N_SENTINELS)]
    tokens = SimpleNamespace(**ids, marks=list(ids.values()), size=size, sentinels=sentinels)
    if args.teacher:
        teacher = from_pretrained(args.teacher)
        model = student_of(teacher, args.layers)
        return Distillation(model, tokens, length, teacher), items, tokenizer
    known = dict(pad=tokens.pad, end=tokens.end, eos=tokens.end, forced=None, size=size)
    model = start(args, known | (dict(begin=items[0].names[-1]) if names else {}))
    if args.model == "electra":
        return ReplacedTokens(model, tokens, length, generator_of(model, args)), items, tokenizer
    return (Translation if pairs else recipe.task)(model, tokens, length), items, tokenizer


def start(args: Namespace, known: dict) -> nn.Module:
    """The model, from a folder or new."""
    model = MODELS[args.model].model
    if not args.start:
        return model(configuration(args, known))
    made = from_pretrained(args.start, model)
    if "begin" in known:  # mBART may have to write another language now
        made.config = replace(made.config, begin=known["begin"])
    return made


@torch.no_grad()
def measure(task: Task, rows: list, batch_size: int, device: torch.device) -> float:
    """The loss over these rows, spoilt the same way each time."""
    task.eval()
    n, losses = max(1, len(rows) // batch_size), []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for i in range(n):
            batch = task.batch(rows[i::n], Generator().manual_seed(i))
            losses.append(task(*to_device(batch, device)).item())
    return round(sum(losses) / n, 4)


def peak_memory() -> int | None:
    """Of the GPU, or else of this process, in megabytes; None where that isn't known."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() // 2**20
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if "VmHWM" in line), None)


def options(args: Namespace) -> dict:
    """What the command says of the loop."""
    names = "updates", "lr", "warmup", "weight_decay", "accumulate", "checkpoint", "save_every"
    chosen = {name: getattr(args, name) for name in names}
    return chosen | {"autocast": PRECISIONS[args.precision]}


def run(args: Namespace, argv: list[str]) -> dict:
    """Train as the command says; write the folder NAME and give back its record."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    with processes() as device:
        task, texts, tokenizer = prepare(args)
        if dist.is_initialized():  # each process with a dropout of its own
            torch.manual_seed(args.seed + dist.get_rank())
        task.to(device)
        if args.teacher:
            task.teacher[0].to(device)
        n_held = max(2, round(0.05 * len(texts)))
        held = set(random.Random(args.seed).sample(range(len(texts)), min(n_held, len(texts))))
        rows = task.rows([text for i, text in enumerate(texts) if i not in held])
        held_rows = task.rows([texts[i] for i in sorted(held)])
        if len(rows) < args.batch_size or not held_rows:
            raise ValueError(
                f"{len(texts)} texts, {n_held} of them held out, make {len(rows)} rows to learn "
                f"from: too few for a batch of {args.batch_size}; give more text or a smaller "
                "--batch-size"
            )
        before = measure(task, held_rows, args.batch_size, device)
        history = train(
            task, lambda network, batch: network(*batch),
            stream(task, rows, args.batch_size, args.seed), **options(args),
        )  # fmt: skip
        record = {
            "command": "python -m transformer_essentials.train " + shlex.join(argv),
            "machine": weights.machine(),
            "seconds": round(history.seconds, 1),
            "updates": args.updates,
            "batch_size": args.batch_size,
            "texts": len(texts),
            "rows": len(rows),
            "parameters": sum(p.numel() for p in task.model.parameters()),
            "peak_memory_mb": peak_memory(),
            "held_out": {
                "before": before, "after": measure(task, held_rows, args.batch_size, device)
            },
            "curve": history.curve(),
        }  # fmt: skip
        if not dist.is_initialized() or dist.get_rank() == 0:
            save(args.folder / args.name, task.cpu(), tokenizer, record)
    return record


def save(folder: Path, task: Task, tokenizer: Tokenizer | None, record: dict) -> None:
    """Write config.json and model.safetensors, tokenizer.json, record.json."""
    save_hf(task.model, folder)
    if isinstance(task, ReplacedTokens):
        save_hf(task.generator, folder / "generator")
    if tokenizer:
        tokenizer.save(str(folder / "tokenizer.json"))
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (folder / "record.json").write_text(text, "utf-8")
    loss = record["held_out"]
    print(f"{folder}: {record['seconds']} s, held-out loss {loss['before']} -> {loss['after']}")
