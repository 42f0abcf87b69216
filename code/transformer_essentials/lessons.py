"""How the weights that come with the book are made: one lesson a model, and one way to teach it."""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import nn

from . import weights
from .training import train


class Lesson(NamedTuple):
    """What to train, on which batches, by which loss; how to judge it by new text."""

    model: nn.Module
    loss: Callable
    batches: Iterable
    judge: Callable[..., dict]


def teach(
    name: str, command: str, prepare: Callable[[int], tuple], *, updates: int, batch_size: int,
    lr: float, warmup: int,
) -> dict:  # fmt: skip
    """Train on one core, write weights and record under this name; the record is given back.

    ``prepare(batch_size)`` -> the lesson, what its judge gets besides the model, and how many
    tokens there are to learn from.
    """
    started = time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lesson, held, n_tokens = prepare(batch_size)
    model = lesson.model
    history = train(model, lesson.loss, lesson.batches, updates=updates, lr=lr, warmup=warmup)
    settings = dict(updates=updates, batch_size=batch_size, lr=lr)
    return weights.save(name, model, {
        **weights.making(command, started, model, **settings),
        "tokens": n_tokens,
        **lesson.judge(model.eval(), held),
        "curve": history.curve(),
    })  # fmt: skip
