"""Short sentences of the grammar, as ids: what the small encoders of the experiments learn from.

Shape letters: B sentences, T words, N chosen words.
"""

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..corpora import grammar
from ..objectives import choose, mask_tokens
from ..tokenizers import PAD, UNK, Vocabulary

MASK = 4  # the id after those of the four marks


class Sentences(NamedTuple):
    """Ids of both splits, (B,T), and the vocabulary that they count in."""

    vocabulary: Vocabulary
    train: Tensor
    test: Tensor


@lru_cache
def sentences(n: int = 12000, n_words: int = 300) -> Sentences:
    """Those of n sentences, of 5 to 8 words, whose words are all among the most frequent."""
    train = [pair.source for pair in grammar.pairs(n, 0, "train", 5, 8, None)]
    test = [pair.source for pair in grammar.pairs(n // 8, 0, "test", 5, 8, None)]
    counts = Counter(word for sentence in train for word in sentence)
    kept = {word for word, _ in counts.most_common(n_words)}
    vocabulary = Vocabulary(["▢", *sorted(kept)])
    rows = (
        [torch.tensor(vocabulary.encode(s)) for s in part if kept.issuperset(s)]
        for part in (train, test)
    )
    return Sentences(vocabulary, *(pad_sequence(part, True, PAD) for part in rows))


def batches(data: Sentences, seed: int, size: int = 32):
    """Sentences of the training split without end: ids (B,T)."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        yield data.train[torch.randint(len(data.train), (size,), generator=rng)]


def masked(data: Sentences, seed: int, size: int = 32):
    """The same with words hidden as BERT hides them: inputs, labels, (B,T) both."""
    rng = torch.Generator().manual_seed(seed)
    for ids in batches(data, seed, size):
        chosen = choose(ids > UNK, rng=rng)
        yield mask_tokens(ids, chosen, MASK, len(data.vocabulary), rng=rng)


@torch.inference_mode()
def share_right(model, data: Sentences) -> float:
    """Of words hidden in the test sentences, how many per cent the model gets right."""
    ids, rng = data.test, torch.Generator().manual_seed(0)
    hits = []
    for _ in range(3):  # other words each time
        chosen = choose(ids > UNK, rng=rng)
        logits = model.eval()(ids.masked_fill(chosen, MASK), positions=chosen)  # (N,V)
        hits.append(logits.argmax(-1) == ids[chosen])
    return round(100 * torch.cat(hits).float().mean().item(), 2)
