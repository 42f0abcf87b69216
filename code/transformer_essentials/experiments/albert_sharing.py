"""BERT against narrow token vectors, one block for all layers, and both: ALBERT.

All see the same masked words, equally often; states are 64 wide. A narrower BERT with about as many
parameters as ALBERT shows what else could have been done with so few.
"""

import torch

from ..albert import ALBERTConfig, ALBERTForMaskedLM
from ..bert import BERTConfig, BERTForMaskedLM
from ..heads import masked_lm_loss
from ..training import train
from ._sentences import masked, sentences, share_right

SEEDS = (0, 1, 2)
SIZES = dict(n_layers=4, n_heads=4, max_length=8, dropout=0.0)


def models(vocabulary: int) -> dict:
    """{condition: model}."""
    wide = dict(vocabulary=vocabulary, width=64, ff_width=256, **SIZES)
    narrow = dict(vocabulary=vocabulary, width=32, ff_width=128, **SIZES)

    def albert(embedding_width, n_groups):
        config = ALBERTConfig(embedding_width=embedding_width, n_groups=n_groups, **wide)
        return ALBERTForMaskedLM(config)

    return {
        "BERT": BERTForMaskedLM(BERTConfig(**wide)),
        "token vectors of 32": albert(32, 4),
        "token vectors of 16": albert(16, 4),
        "one block for all": albert(64, 1),
        "one block, 32: ALBERT": albert(32, 1),
        "BERT, half as wide": BERTForMaskedLM(BERTConfig(**narrow)),
    }


def run(seed: int, updates: int = 300) -> dict:
    """{condition: per cent of hidden words right, parameters}."""
    data, found = sentences(), {}
    for name in models(len(data.vocabulary)):
        torch.manual_seed(seed)
        model = models(len(data.vocabulary))[name]
        train(
            model, lambda m, batch: masked_lm_loss(m, *batch), masked(data, seed),
            updates=updates, lr=3e-3, warmup=updates // 10, progress=False,
        )  # fmt: skip
        found[name] = {
            "right": share_right(model, data),
            "parameters": sum(p.numel() for p in model.parameters()),
        }
    return found
