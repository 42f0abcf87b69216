"""One plain training loop, the learning rate's course, and batches of sentence pairs.

Shape letters: B batch, S source length, T target length.
"""

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from .corpora.pair import Pair
from .generation import pad
from .tokenizers import BOS, EOS, PAD, Vocabulary


@dataclass
class History:
    """What a training run leaves behind: a loss and a norm of the gradient for each update."""

    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def smooth(self, over: int = 20) -> list[float]:
        """The losses, averaged over the last ``over`` updates."""
        out = []
        for i in range(len(self.losses)):
            recent = self.losses[max(0, i - over + 1) : i + 1]
            out.append(sum(recent) / len(recent))
        return out

    def curve(self, points: int = 100) -> dict[str, list]:
        """The losses, averaged over 50 updates, at about so many updates: what records keep."""
        every = max(1, len(self.losses) // points)
        return {
            "update": list(range(every, len(self.losses) + 1, every)),
            "loss": [round(x, 4) for x in self.smooth(50)[every - 1 :: every]],
        }


def warmup_linear(updates: int, warmup: int) -> Callable[[int], float]:
    """The share of the peak rate at update 0, 1, …: up for ``warmup`` updates, down to 0."""

    def share(update: int) -> float:
        if update < warmup:
            return (update + 1) / warmup
        return (updates - update) / max(1, updates - warmup)

    return share


def train(
    model: nn.Module,
    loss: Callable[[nn.Module, object], Tensor],
    batches: Iterable,
    *,
    updates: int,
    lr: float,
    warmup: int = 0,
    clip: float = 1.0,
    weight_decay: float = 0.0,
    accumulate: int = 1,
    autocast: torch.dtype | None = None,
    checkpoint: Path | None = None,
    save_every: int = 500,
    progress: bool = True,
) -> History:
    """Adam on ``loss(model, batch)`` for so many updates; the model is changed in place.

    The rate climbs to ``lr`` over ``warmup`` updates, then falls linearly to zero; gradients
    longer than ``clip`` are shortened to it (Pascanu et al., 2013). A loss that is not a
    number stops the run with an error that names the update.

    ``accumulate`` batches make one update, by their mean loss. ``autocast`` computes in bfloat16
    or float16 where that is safe. With ``checkpoint`` the run is saved to this file every
    ``save_every`` updates and at the end, and goes on from there, bit for bit, if it exists;
    ``batches`` must begin from the beginning again, for what was used is skipped.

    Within :func:`processes`, under torchrun, each process takes every n-th batch, and an update
    follows the mean of their gradients.
    """
    rank, n_processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lr, weight_decay=weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_linear(updates, warmup))
    scaler = torch.amp.GradScaler(device.type, enabled=autocast == torch.float16)
    history, started = History(), time.perf_counter()
    run = Run(
        dict(updates=updates, lr=lr, warmup=warmup, clip=clip, weight_decay=weight_decay,
             accumulate=accumulate, autocast=str(autocast), processes=n_processes),
        (model, optimizer, schedule, scaler), history,
    )  # fmt: skip
    if checkpoint and Path(checkpoint).exists():
        run.load(checkpoint)
        started -= history.seconds
    done = len(history.losses)

    stream = islice(batches, done * accumulate * n_processes + rank, None, n_processes)
    network = DistributedDataParallel(model) if n_processes > 1 else model
    model.train()
    bar = tqdm(range(done, updates), initial=done, total=updates, unit=" updates",
               disable=not progress or rank > 0, mininterval=0.5)  # fmt: skip
    for update in bar:
        parts = list(islice(stream, accumulate))
        if len(parts) < accumulate:
            raise ValueError(f"the batches ran out after {update} of {updates} updates")
        optimizer.zero_grad()
        mean = 0.0
        for n, batch in enumerate(parts, 1):
            wait = n_processes > 1 and n < accumulate  # gradients travel with the last part
            with network.no_sync() if wait else nullcontext():
                with torch.autocast(device.type, autocast, enabled=autocast is not None):
                    value = loss(network, to_device(batch, device)) / accumulate
                mean += (value.detach() if n_processes == 1 else summed(value) / n_processes).item()
                if not math.isfinite(mean):
                    raise FloatingPointError(
                        f"the loss is {mean} at update {update}; lower lr={lr}?"
                    )
                scaler.scale(value).backward()
        scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        history.losses.append(mean)
        history.gradient_norms.append(norm.item())
        history.seconds = time.perf_counter() - started
        if update % 20 == 0:
            bar.set_postfix(loss=f"{mean:.3f}")
        if checkpoint and ((update + 1) % save_every == 0 or update + 1 == updates):
            run.save(checkpoint)
    model.eval()
    return history


def to_device(batch, device: torch.device):
    """A tensor, or a tuple or list of them, there."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(part, device) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(to_device(part, device) for part in batch)
    return batch


def summed(value: Tensor) -> Tensor:
    """The sum over all processes."""
    total = value.detach().clone()
    dist.all_reduce(total)
    return total


@contextmanager
def processes():
    """Under torchrun: this process among its fellows. Gives the device to put the model on.

    Alone, it is CUDA's if there is one. Several processes on GPUs take one each.
    """
    cuda = torch.cuda.is_available()
    if "RANK" not in os.environ:
        yield torch.device("cuda" if cuda else "cpu")
        return
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


class Run:
    """What a run is made of, to be saved whole and taken up again."""

    def __init__(self, settings: dict, parts: Sequence, history: History):
        self.settings, self.parts, self.history = settings, parts, history

    def save(self, path: Path) -> None:
        """Write everything, or nothing: the file is replaced when the new one is complete."""
        state = {
            "settings": self.settings,
            "parts": [part.state_dict() for part in self.parts],
            "history": asdict(self.history),
            "random": everywhere(random_state()),  # of each process
        }
        path = Path(path)
        if not dist.is_initialized() or dist.get_rank() == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.unfinished")
            with open(unfinished, "wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)

    def load(self, path: Path) -> None:
        """Take everything from the file. ValueError if it is damaged, or of another run."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            settings, parts = state["settings"], state["parts"]
        except (RuntimeError, OSError, EOFError, KeyError, TypeError, UnpicklingError) as error:
            raise ValueError(f"{path} is no checkpoint of a run: {error}") from error
        for name, value in self.settings.items():
            if settings.get(name) != value:
                raise ValueError(
                    f"{path} was saved with {name}={settings.get(name)}, this run has {value}; "
                    "choose another file to begin anew"
                )
        for part, saved in zip(self.parts, parts, strict=True):
            part.load_state_dict(saved)
        for name, value in state["history"].items():
            setattr(self.history, name, value)
        rank = dist.get_rank() if dist.is_initialized() else 0
        set_random_state(state["random"][rank])


def random_state() -> list[Tensor]:
    cuda = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *cuda]


def set_random_state(state: list[Tensor]) -> None:
    torch.set_rng_state(state[0])
    if len(state) > 1 and torch.cuda.is_available():
        torch.cuda.set_rng_state(state[1])


def everywhere(thing) -> list:
    """What each process has of it, in order."""
    if not dist.is_initialized():
        return [thing]
    things = [None] * dist.get_world_size()
    dist.all_gather_object(things, thing)
    return things


class Batch(NamedTuple):
    """Sentence pairs as ids, padded on the right with 0."""

    source: Tensor  # words and end mark, (B,S)
    target_in: Tensor  # begin mark and words, (B,T)
    target_out: Tensor  # words and end mark, (B,T)


def make_batch(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> Batch:
    targets = [target.encode(pair.target) for pair in pairs]
    return Batch(
        pad([source.encode(pair.source) + [EOS] for pair in pairs]),
        pad([[BOS] + ids for ids in targets]),
        pad([ids + [EOS] for ids in targets]),
    )


def batches(
    pairs: Sequence[Pair],
    source: Vocabulary,
    target: Vocabulary,
    *,
    batch_size: int = 64,
    seed: int = 0,
) -> Iterator[Batch]:
    """Shuffled batches without end, each of sentences of like length, to save padding."""
    if not pairs:
        raise ValueError("there are no pairs to make batches of")
    rng, order = random.Random(seed), list(range(len(pairs)))
    pool = 32 * batch_size  # sorted by length within a pool, so that the order stays random
    while True:
        rng.shuffle(order)
        for first in range(0, len(order), pool):
            rows = sorted(order[first : first + pool], key=lambda i: len(pairs[i].source))
            groups = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
            rng.shuffle(groups)
            for group in groups:
                yield make_batch([pairs[i] for i in group], source, target)


def translation_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy of the next target word, in nats, padding left out."""
    logits = model(batch.source, batch.target_in)  # (B,T,V)
    return F.cross_entropy(logits.flatten(0, 1), batch.target_out.flatten(), ignore_index=PAD)
