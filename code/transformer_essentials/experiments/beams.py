"""What do batches gain, and what do beams cost? A small Marian translates dates, timed.

One model a seed, trained on dates in Chinese and French. It translates the same held-out dates one,
eight and 64 at a time, with greedy search and with beams of four and eight. Measured: sentences per
second of processor time (which other programs of the machine hardly disturb, unlike the clock on
the wall), dates written exactly right in per cent, and the mean log-probability of what was written.
"""

import time

import torch
from torch import Tensor

from transformer_essentials.corpora import dates
from transformer_essentials.generation import beam_search, greedy
from transformer_essentials.heads import IGNORE, token_loss
from transformer_essentials.marian import Marian, MarianConfig, shift_tokens_right
from transformer_essentials.tokenizers import EOS, PAD, Vocabulary
from transformer_essentials.training import batches, make_batch, train

SEEDS = (0, 1, 2)
BEAMS = (1, 4, 8)
BATCHES = {1: 8, 8: 16, 64: 64}  # size: how many dates are translated


def vocabulary(pairs) -> Vocabulary:
    """The characters of both languages: a Marian has one table."""
    return Vocabulary(sorted({c for pair in pairs for c in pair.source + pair.target}))


def small(words: Vocabulary, width: int = 64) -> Marian:
    """A small Marian with this vocabulary.

    Its weights are drawn larger than the class does it, to suit the width (Glorot & Bengio, 2010);
    from N(0, 0.02), which suits wide models, so small a one hardly starts to learn.
    """
    model = Marian(
        MarianConfig(len(words), width, 1, 1, 4, 2 * width, 64, dropout=0.0, pad=PAD, eos=EOS)
    )
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.xavier_uniform_(weight)
    with torch.no_grad():
        model.tokens.weight[PAD] = 0.0
    return model


def loss(model: Marian, batch) -> Tensor:
    labels = batch.target_out.masked_fill(batch.target_out == PAD, IGNORE)
    return token_loss(model(batch.source, shift_tokens_right(labels, model.config)), labels)


def search(model: Marian, source, beam: int, max_length: int = 24):
    """Greedy search, for a beam of 1, or beam search; without a length penalty."""
    if beam == 1:
        return greedy(model, source, max_length)
    return beam_search(model, source, beam, max_length, length_penalty=0)


def run(seed: int, updates: int = 250) -> dict[str, dict[str, float]]:
    pairs = dates.pairs(4000, "zh", "fr", seed, style="long")
    words = vocabulary(pairs)
    torch.manual_seed(seed)
    model = small(words)
    train(model, loss, batches(pairs, words, words, batch_size=32, seed=seed), updates=updates,
          lr=3e-3, warmup=updates // 10, progress=False)  # fmt: skip
    test, measured = dates.pairs(64, "zh", "fr", seed, "test", style="long"), {}
    source = make_batch(test, words, words).source
    search(model, source[:8], 4)  # the first call is slower
    for size, n in BATCHES.items():
        for beam in BEAMS:
            started, found = time.process_time(), []
            for first in range(0, n, size):
                found += search(model, source[first : first + size], beam)
            seconds = time.process_time() - started
            right = sum(words.decode(f.ids) == list(p.target) for f, p in zip(found, test))
            measured[f"batch {size}, beam {beam}"] = {
                "rate": n / seconds,
                "dates": 100 * right / n,
                "score": sum(f.score for f in found) / n,
            }
    return measured
