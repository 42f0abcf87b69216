"""One plain training loop, the learning rate's course, and batches of sentence pairs.

Shape letters: B batch, S source length, T target length.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
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
    batches: Iterator,
    *,
    updates: int,
    lr: float,
    warmup: int = 0,
    clip: float = 1.0,
    weight_decay: float = 0.0,
    progress: bool = True,
) -> History:
    """Adam on ``loss(model, batch)`` for so many updates; the model is changed in place.

    The rate climbs to ``lr`` over ``warmup`` updates, then falls linearly to zero; gradients
    longer than ``clip`` are shortened to it (Pascanu et al., 2013). A loss that is not a
    number stops the run with an error that names the update.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lr, weight_decay=weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_linear(updates, warmup))
    history, started = History(), time.perf_counter()
    model.train()
    bar = tqdm(range(updates), disable=not progress, unit=" updates", mininterval=0.5)
    for update, batch in zip(bar, batches):
        value = loss(model, batch)
        if not value.isfinite():
            raise FloatingPointError(f"the loss is {value.item()} at update {update}; lower lr={lr}?")
        optimizer.zero_grad()
        value.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        schedule.step()
        history.losses.append(value.item())
        history.gradient_norms.append(norm.item())
        if update % 20 == 0:
            bar.set_postfix(loss=f"{value.item():.3f}")
    history.seconds = time.perf_counter() - started
    if len(history.losses) < updates:
        raise ValueError(f"the batches ran out after {len(history.losses)} of {updates} updates")
    model.eval()
    return history


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
