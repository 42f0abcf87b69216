"""RoBERTa's choices on a small BERT: masks drawn once or anew, with next sentences and without.

The texts are pairs of sentences on the same person, from ``corpora.labelled.questions``: 512 of
them, seen forty times. As in the paper, "static" has ten masks for each text, so it sees each
four times; which second sentences are false is fixed as well. Without next sentences the second
sentence is always the right one. Measured on other texts:

- ``words``: share of masked words that are found again; one mask, the same for all;
- ``answers``: share of questions answered exactly (start and end), after training on 1500
  questions, each about two sentences.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from ..bert import BERTConfig, BERTForPreTraining, BERTForQuestionAnswering
from ..corpora import labelled
from ..heads import IGNORE, pretraining_loss, span_loss
from ..objectives import choose, mask_tokens, next_sentence, pack
from ..tasks import padded
from ..tokenizers import Vocabulary
from ..training import train

SEEDS = (0, 1, 2)
CLS, SEP, MASK = "[CLS]", "[SEP]", "[MASK]"
N_TEXTS, COPIES, BATCH = 512, 10, 64
CONDITIONS = {  # masks drawn once?, next sentences?
    "static masks": (True, True),
    "dynamic masks": (False, True),
    "dynamic, no next sentence": (False, False),
}


def run(seed: int, updates: int = 320) -> dict:
    """{condition: {"words", "answers": value}}; 320 updates are forty times through the texts."""
    texts, tests = pairs_of(seed, "train", N_TEXTS), pairs_of(seed, "test", 300)
    asked = [short(q) for q in labelled.questions(1500, 100 + seed)]
    words = [sentence for text in texts for sentence in text]
    words += [q.passage + q.question for q in asked]
    words = Vocabulary([CLS, SEP, MASK, *Vocabulary.from_texts(words).tokens[4:]])
    found = {}
    for name, (static, sentences) in CONDITIONS.items():
        torch.manual_seed(seed)
        config = BERTConfig(len(words), 64, 2, 4, 256, 64, dropout=0.0)
        model = BERTForPreTraining(config)
        loss = pretraining_loss if sentences else without_pairs
        train(
            model, lambda m, b: loss(m, *b[:3], segments=b[3]),
            batches(words, texts, static, sentences, seed),
            updates=updates, lr=5e-3, warmup=updates // 8, progress=False,
        )  # fmt: skip
        found[name] = {
            "words": masked_accuracy(model, words, tests),
            "answers": answered(model.encoder, words, asked, seed, 5 * updates // 8),
        }
    return found


def sentences_of(passage):
    """Lists of words, each to its full stop."""
    ends = [i + 1 for i, word in enumerate(passage) if word == "."]
    return [passage[a:b] for a, b in zip([0, *ends], ends)]


def pairs_of(seed, split, n):
    """Texts: two sentences of a passage that are about the same person."""
    texts = []
    for question in labelled.questions(2 * n, seed, split):
        people = {}
        for sentence in sentences_of(question.passage):
            people.setdefault(sentence[0], []).append(sentence)
        texts += [two for two in people.values() if len(two) == 2]
    return texts[:n]


def short(question):
    """The sentence with the answer and a neighbour of it."""
    sentences = sentences_of(question.passage)
    before = [sum(map(len, sentences[:i])) for i in range(len(sentences))]
    i = max(0, sum(start <= question.start for start in before) - 2)
    passage = sentences[i] + sentences[i + 1]
    return question._replace(
        passage=passage, start=question.start - before[i], end=question.end - before[i]
    )


def batches(words, texts, static, sentences, seed):
    """Masked ids, labels, what follows, segments; texts in another order each time through."""
    rng = torch.Generator().manual_seed(seed)

    def spoil(chosen):
        drawn = next_sentence([texts[i] for i in chosen], rng)
        if not sentences:
            drawn = [(*texts[i], 0) for i in chosen]
        ids, segments, follows = packed(words, drawn)
        masks = choose(ids > words[MASK], rng=rng)
        return *mask_tokens(ids, masks, words[MASK], len(words), rng=rng), follows, segments

    def once_through():
        order = torch.randperm(len(texts), generator=rng).split(BATCH)
        return [spoil(chosen.tolist()) for chosen in order]

    fixed = [once_through() for _ in range(COPIES)] if static else None
    while True:
        for n in range(COPIES):
            yield from fixed[n] if static else once_through()


def packed(words, pairs):
    both = [pack(words.encode(a), words.encode(b), words[CLS], words[SEP]) for a, b, _ in pairs]
    ids, segments = (padded(part, 0) for part in zip(*both))
    return ids, segments, torch.tensor([label for *_, label in pairs])


def without_pairs(model, ids, labels, follows, segments):
    chosen = labels != IGNORE
    return F.cross_entropy(model(ids, segments=segments, positions=chosen)[0], labels[chosen])


@torch.no_grad()
def masked_accuracy(model, words, texts):
    ids, segments, _ = packed(words, [(*text, 0) for text in texts])
    chosen = choose(ids > words[MASK], rng=torch.Generator().manual_seed(9))
    guess = model(ids.masked_fill(chosen, words[MASK]), segments=segments, positions=chosen)[0]
    return (guess.argmax(-1) == ids[chosen]).float().mean().item()


def answered(encoder, words, asked, seed, updates):
    model = BERTForQuestionAnswering(encoder.config)
    model.encoder.load_state_dict(
        {k: v for k, v in encoder.state_dict().items() if "pooler" not in k}
    )

    def batch(questions):
        ids, segments, _ = packed(words, [(q.question, q.passage, 0) for q in questions])
        shift = torch.tensor([len(q.question) + 2 for q in questions])
        start, end = (torch.tensor([q[k] for q in questions]) + shift for k in (2, 3))
        return ids, segments, start, end

    rng = torch.Generator().manual_seed(seed)
    drawn = iter(lambda: batch([asked[i] for i in torch.randint(len(asked), (32,), generator=rng)]), 0)
    train(model, lambda m, b: span_loss(m(b[0], segments=b[1]), b[2], b[3]), drawn,
          updates=updates, lr=2e-3, warmup=10, progress=False)  # fmt: skip
    ids, segments, start, end = batch([short(q) for q in labelled.questions(300, seed, "test")])
    with torch.no_grad():
        starts, ends = model(ids, segments=segments)
    return ((starts.argmax(1) == start) & (ends.argmax(1) == end)).float().mean().item()
