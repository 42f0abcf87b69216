"""BERT's encoder, looking both ways or to the left alone, on masked words and on the next word.

The same small model three times, trained for the same number of updates, at the same rate, on the
same sentences (those of ``corpora.labelled.entities``, without their tags). The one that is asked
for the next word is asked for every word, the other two for 15% of them. Measured:

- ``cloze``: one word of each test sentence is taken out; share of those that are found again (from
  the left: by the words before it alone);
- ``tried``: the same, if the model of the next word may put its 20 best words in, one after the
  other, and take that with which the whole sentence is most probable;
- ``names``: F1 of names found in test sentences, after training on 300 sentences with tags. What
  comes after a word stays hidden from the models from the left here, too, as in the paper.
"""

from functools import partial

import torch

from ..bert import BERTConfig, BERTForMaskedLM, BERTForTokenClassification
from ..corpora import labelled
from ..heads import IGNORE, masked_lm_loss, token_loss
from ..objectives import choose, mask_tokens, next_token
from ..tasks import padded
from ..tokenizers import UNK, Vocabulary
from ..training import train

SEEDS = (0, 1, 2)
CONDITIONS = {  # is what comes after hidden?, which question
    "both ways, masked words": (False, "masked"),
    "from the left, masked words": (True, "masked"),
    "from the left, next word": (True, "next"),
}
CLS, SEP, MASK = "[CLS]", "[SEP]", "[MASK]"


def run(seed: int, updates: int = 400) -> dict:
    """{condition: {"cloze", "tried", "names": value}}."""
    text = [tagged.words for tagged in labelled.entities(5000, seed)]
    tests = labelled.entities(200, seed, "test")
    words = Vocabulary([CLS, SEP, MASK, *Vocabulary.from_texts(text).tokens[4:]])
    rows, held, found = encode(words, text), encode(words, [t.words for t in tests]), {}
    for name, (causal, question) in CONDITIONS.items():
        torch.manual_seed(seed)
        model = BERTForMaskedLM(BERTConfig(len(words), 64, 2, 4, 256, 48, dropout=0.0))
        see(model.encoder, causal)
        train(
            model, lambda m, b: masked_lm_loss(m, *b), batches(rows, words, question, seed),
            updates=updates, lr=5e-3, warmup=updates // 8, progress=False,
        )  # fmt: skip
        cloze, tried = blanks(model, words, held, question)
        names = name_f1(model.encoder, words, seed, tests, causal, updates // 4)
        found[name] = {"cloze": cloze, "tried": tried, "names": names}
    return found


def see(encoder, causal: bool):
    """Hide from each word what comes after it, in every block; or show it."""
    for block in encoder.blocks:
        block.forward = partial(block.forward, causal=causal)


def encode(words, text):
    return padded([words.encode([CLS, *sentence, SEP]) for sentence in text], 0)  # (N,T)


def batches(rows, words, question, seed):
    rng = torch.Generator().manual_seed(seed)
    while True:
        ids = rows[torch.randint(len(rows), (64,), generator=rng)]
        ids = ids[:, : (ids != 0).sum(1).max()]
        chosen = choose(ids > words[MASK], rng=rng)
        masked = mask_tokens(ids, chosen, words[MASK], len(words), rng=rng)
        yield next_token(ids, pad=0) if question == "next" else masked


@torch.no_grad()
def blanks(model, words, ids, question):
    """Shares of blanks filled rightly, one a sentence: (first guess, best of 20 tried)."""
    chosen = choose(ids > words[MASK], 0.0, torch.Generator().manual_seed(9))  # one a row
    where, right = chosen.int().argmax(1), ids[chosen]  # (N) both
    row, n = torch.arange(len(ids)), 20
    if question == "masked":
        guess = model(ids.masked_fill(chosen, words[MASK]))[row, where].argmax(-1)
        return (share := (guess == right).float().mean().item()), share
    best = model(ids)[row, where - 1].topk(n).indices  # (N,n); sees the words before it
    each = ids.repeat_interleave(n, 0)
    each[torch.arange(len(each)), where.repeat_interleave(n)] = best.flatten()
    inputs, labels = next_token(each, pad=0)
    logp = torch.cat([model(part).log_softmax(-1).gather(-1, part_labels.clamp(min=0)[..., None])
                      for part, part_labels in zip(inputs.split(300), labels.split(300))])  # fmt: skip
    whole = logp[..., 0].masked_fill(labels == IGNORE, 0.0).sum(1).view(-1, n)
    picked = best[row, whole.argmax(1)]
    return tuple((guess == right).float().mean().item() for guess in (best[:, 0], picked))


def name_f1(encoder, words, seed, tests, causal, updates):
    config = encoder.config
    model = BERTForTokenClassification(config, len(labelled.TAGS))
    model.encoder.load_state_dict(encoder.state_dict())
    see(model.encoder, causal)
    known, rng = labelled.entities(300, 100 + seed), torch.Generator().manual_seed(seed)
    ids = encode(words, [t.words for t in known])
    tags = padded([[IGNORE, *map(labelled.TAGS.index, t.tags)] for t in known], IGNORE)
    tags = torch.nn.functional.pad(tags, (0, ids.shape[1] - tags.shape[1]), value=IGNORE)
    drawn = (torch.randint(len(ids), (32,), generator=rng) for _ in range(updates))
    train(model, lambda m, i: token_loss(m(ids[i]), tags[i]), drawn, updates=updates, lr=2e-3,
          warmup=10, progress=False)  # fmt: skip
    with torch.no_grad():
        found = model(encode(words, [t.words for t in tests])).argmax(-1)
    pairs = [([labelled.TAGS[i] for i in row[1:]], t.tags) for row, t in zip(found.tolist(), tests)]
    ours, gold = ([(k, *s) for k, p in enumerate(pairs) for s in spans(p[side][: len(p[1])])]
                  for side in (0, 1))  # fmt: skip
    return 2 * len(set(ours) & set(gold)) / (len(ours) + len(gold))


def spans(tags):
    """(first, after the last, kind) of each name."""
    starts = [i for i, tag in enumerate(tags) if tag[0] == "B"]
    ends = [next((j for j in range(i + 1, len(tags)) if tags[j] != "I" + tags[i][1:]), len(tags))
            for i in starts]  # fmt: skip
    return [(i, j, tags[i][2:]) for i, j in zip(starts, ends)]
