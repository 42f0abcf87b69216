"""The Transformer against the recurrent translator with attention, by processor seconds.

Both learn the same short sentences of the grammar for the same seconds of one processor, each with
the best of five settings that were tried for it on other sentences (width, rate, batch). A run has
as many updates as fit into its seconds, counted beforehand, so that its rate ends at zero.
"""

import time

import torch
from torch import nn

from ..corpora import grammar
from ..generation import translate
from ..metrics import bleu
from ..seq2seq import Seq2Seq
from ..tokenizers import Vocabulary
from ..training import batches, train, translation_loss
from ..transformer import Transformer

SEEDS = (0, 1, 2)
SECONDS = (6, 12, 24)
BATCH = 32


def transformer(n_source: int, n_target: int) -> nn.Module:
    return Transformer(
        n_source, n_target, width=64, n_heads=4, n_layers=2, ff_width=256, dropout=0.0
    )


def recurrent(n_source: int, n_target: int) -> nn.Module:
    return Seq2Seq(n_source, n_target, attention="bahdanau", embed=64, width=64)


TRANSLATORS = {"Transformer": (transformer, 3e-3), "recurrent": (recurrent, 1e-2)}


def corpus(n: int = 10_000, split: str = "train", seed: int = 0):
    """Pairs of at most twelve words, eight on average."""
    return grammar.pairs(n, seed=seed, split=split, max_words=12, mean_words=8)


def per_update(make, lr: float, stream, updates: int) -> float:
    """Processor seconds of one update, by a model that is thrown away."""
    model = make()
    train(model, translation_loss, stream, updates=min(3, updates), lr=lr, progress=False)
    started = time.process_time()
    train(model, translation_loss, stream, updates=min(20, updates), lr=lr, progress=False)
    return (time.process_time() - started) / min(20, updates)


def run(seed: int, updates: int = 1_000_000) -> dict[str, dict[str, float]]:
    """BLEU after each budget, the seconds used, updates and pairs a second."""
    pairs, test = corpus(), corpus(200, "test", seed=1)
    source = Vocabulary.from_texts(pair.source for pair in pairs)
    target = Vocabulary.from_texts(pair.target for pair in pairs)
    sources, references = [p.source for p in test], [p.target for p in test]
    found = {}
    for name, (kind, lr) in TRANSLATORS.items():
        for seconds in SECONDS:

            def make():
                torch.manual_seed(seed)
                return kind(len(source), len(target))

            stream = batches(pairs, source, target, batch_size=BATCH, seed=seed)
            n = min(updates, int(seconds / per_update(make, lr, stream, updates)))
            model, started = make(), time.process_time()
            history = train(
                model, translation_loss, stream, updates=n, lr=lr, warmup=n // 10, progress=False
            )
            used = time.process_time() - started
            written = translate(model, sources, source, target, max_length=30)
            found[f"{name}, {seconds} s"] = {
                "bleu": round(bleu([words for words, _ in written], references), 1),
                "loss": round(history.smooth(50)[-1], 3),
                "seconds": round(used, 1),
                "updates": n,
                "pairs a second": round(n * BATCH / used, 1),
            }
    return found
