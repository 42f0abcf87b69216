"""A student of half the layers: alone, begun with its teacher's layers, and taught by it.

The teacher is a BERT of four layers. Each student learns for half as many updates as it did.
"""

import time
from types import SimpleNamespace

import torch

from ..bert import BERTConfig, BERTForMaskedLM
from ..distilbert import DistilBERTConfig, DistilBERTForMaskedLM
from ..heads import masked_lm_loss
from ..pretrain import student_of
from ..tasks import Distillation
from ..tokenizers import PAD
from ..training import train
from ._sentences import masked, sentences, share_right

SEEDS = (0, 1, 2)
SIZES = dict(width=64, n_heads=4, ff_width=256, max_length=8, dropout=0.0)


def taught(teacher: BERTForMaskedLM):
    """The loss of a student of this teacher."""
    marks = SimpleNamespace(pad=PAD)
    return lambda student, batch: Distillation(student, marks, 8, teacher)(*batch)


@torch.inference_mode()
def milliseconds(model, ids, runs: int = 20) -> float:
    """For a batch of sentences, the fastest of some runs."""
    times = []
    for _ in range(runs):
        start = time.thread_time()
        model.encoder(ids)
        times.append(time.thread_time() - start)
    return round(1000 * min(times), 2)


def run(seed: int, updates: int = 300) -> dict:
    """{condition: per cent of hidden words right, parameters, milliseconds for 64 sentences}."""
    data = sentences()
    size, found = len(data.vocabulary), {}

    def learn(name, model, loss, updates):
        train(
            model, loss, masked(data, seed), updates=updates, lr=3e-3,
            warmup=max(1, updates // 10), progress=False,
        )  # fmt: skip
        found[name] = {
            "right": share_right(model, data),
            "parameters": sum(p.numel() for p in model.parameters()),
            "milliseconds": milliseconds(model, data.test[:64]),
        }

    def words(model, batch):
        return masked_lm_loss(model, *batch)

    torch.manual_seed(seed)
    teacher = BERTForMaskedLM(BERTConfig(size, n_layers=4, **SIZES))
    alone = DistilBERTForMaskedLM(DistilBERTConfig(size, n_layers=2, **SIZES))
    unlearned = DistilBERTForMaskedLM(DistilBERTConfig(size, n_layers=2, **SIZES))
    learn("teacher", teacher, words, updates)
    learn("alone", alone, words, updates // 2)
    learn("begun with its layers", student_of(teacher, 2), words, updates // 2)
    learn("taught from nothing", unlearned, taught(teacher), updates // 2)
    learn("begun and taught", student_of(teacher, 2), taught(teacher), updates // 2)
    return found
