"""Masked words against replaced tokens, judged at the hidden places only and at all: ELECTRA.

All encoders have the same size and the same floating-point operations, the generator's included.
Then each learns with half of the nouns if they are persons, and is asked about the other half.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from ..corpora.words import NOUNS
from ..electra import ELECTRAConfig, ELECTRAForMaskedLM, ELECTRAForPreTraining
from ..electra import ELECTRAForTokenClassification, replaced_token_loss, share_embeddings
from ..heads import IGNORE, masked_lm_loss, token_loss
from ..objectives import choose, mask_tokens, replace_tokens
from ..tokenizers import PAD, UNK
from ..training import train
from ._sentences import MASK, batches, sentences

SEEDS = (0, 1, 2)
LABELLED, FINE_TUNING = 64, 60  # sentences with labels; updates on them
WEIGHT = 50  # of the discriminator's loss
SIZES = dict(embedding_width=64, width=64, n_layers=3, n_heads=4, ff_width=256, max_length=8)


def masked_words(vocabulary: int):
    """BERT's task -> encoder, model, loss of a batch of ids (B,T)."""
    model = ELECTRAForMaskedLM(ELECTRAConfig(vocabulary, dropout=0.0, **SIZES))

    def loss(model, ids):
        return masked_lm_loss(model, *mask_tokens(ids, choose(ids > UNK), MASK, vocabulary))

    return model.encoder, model, loss


def replaced_tokens(vocabulary: int, everywhere: bool = True):
    """ELECTRA's, with a generator of a quarter of the width; judged everywhere, or where chosen."""
    config = ELECTRAConfig(vocabulary, dropout=0.0, **SIZES)
    quarter = ELECTRAConfig(vocabulary, 64, 16, 3, 1, 64, max_length=8, dropout=0.0)
    judge, generator = ELECTRAForPreTraining(config), ELECTRAForMaskedLM(quarter)
    share_embeddings(generator, judge)

    def loss(models, ids):
        judge, generator = models
        chosen, real = choose(ids > UNK), ids != PAD
        words = generator(ids.masked_fill(chosen, MASK), positions=chosen)
        corrupted, replaced = replace_tokens(ids, chosen, words)
        judged = replaced_token_loss(judge(corrupted), replaced, real if everywhere else chosen)
        return F.cross_entropy(words, ids[chosen]) + WEIGHT * judged

    return judge.encoder, torch.nn.ModuleList([judge, generator]), loss


TASKS = {
    "masked words": masked_words,
    "replaced, judged where chosen": lambda n: replaced_tokens(n, everywhere=False),
    "replaced, judged everywhere": replaced_tokens,
}


def kinds(vocabulary, ids, half: int):
    """Labels (B,T) of one half of the nouns: person 0, animal 1, anything else 2."""
    labels = torch.full_like(ids, IGNORE)
    for n, noun in enumerate(NOUNS):
        kind = {"person": 0, "animal": 1}.get(noun.kind, 2)
        for word in noun.en if n % 2 == half else ():
            if word in vocabulary:
                labels[ids == vocabulary[word]] = kind
    return labels


def fine_tuned(encoder, data, seed: int, updates: int) -> float:
    """Per cent of the other half of the nouns that are told right, in sentences set apart."""
    model = ELECTRAForTokenClassification(encoder.config, n_labels=3)
    model.encoder = deepcopy(encoder)
    apart, texts = data.train[:1000], data.train[1000:]
    labels = kinds(data.vocabulary, texts, half=0)
    rows = (labels != IGNORE).any(1).nonzero().squeeze(1)
    rng = torch.Generator().manual_seed(seed)
    rows = rows[torch.randperm(len(rows), generator=rng)[:LABELLED]]
    picks = (rows[torch.randint(len(rows), (16,), generator=rng)] for _ in range(updates))
    train(
        model, lambda m, b: token_loss(m(b[0]), b[1]),
        ((texts[pick], labels[pick]) for pick in picks),
        updates=updates, lr=1e-3, warmup=updates // 10, progress=False,
    )  # fmt: skip
    labels = kinds(data.vocabulary, apart, half=1)
    asked = labels != IGNORE
    with torch.inference_mode():
        said = model(apart)[asked].argmax(-1)
    return round(100 * (said == labels[asked]).float().mean().item(), 2)


def cost(model, loss, ids) -> int:
    """Floating-point operations of one update, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        loss(model, ids).backward()
    model.zero_grad()
    return counter.get_total_flops()


def run(seed: int, updates: int = 300) -> dict:
    """{condition: per cent right, updates, operations of one}; ``updates`` are the first's."""
    data, found = sentences(), {}
    for name, task in TASKS.items():
        torch.manual_seed(seed)
        encoder, model, loss = task(len(data.vocabulary))
        price = cost(model, loss, data.train[:32])
        if not found:
            budget = updates * price
        affordable = max(1, budget // price)
        train(
            model, loss, batches(data, seed), updates=affordable, lr=3e-3,
            warmup=affordable // 10, progress=False,
        )  # fmt: skip
        right = fine_tuned(encoder, data, seed, min(updates, FINE_TUNING))
        found[name] = {"right": right, "updates": affordable, "operations": price}
    return found
