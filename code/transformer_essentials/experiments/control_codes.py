"""Does a control code steer the text? A small CTRL writes reviews, a classifier judges them.

The reviews are made ones (``corpora.labelled``): of four things, good or bad, and their first two
tokens say so, ⟨film⟩ ⟨positive⟩. Of the soup no bad review is ever read. Then a model of the same
size and budget on the same reviews without codes. Both go on with the same beginning. The judge,
words in a row counted and weighed, learns from other reviews.
Measured in per cent of the texts written: of the thing that was asked for; good or bad as asked
for; and, of the texts asked to be bad reviews of the soup, those that are.
"""

import random

import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from transformer_essentials import generation
from transformer_essentials.corpora import labelled
from transformer_essentials.ctrl import CTRLConfig, CTRLForCausalLM
from transformer_essentials.heads import even, token_loss
from transformer_essentials.objectives import next_token
from transformer_essentials.tokenizers import BOS, EOS, PAD, Vocabulary
from transformer_essentials.training import train

SEEDS = (0, 1, 2)
THINGS, SIGNS = ("film", "hotel", "soup", "book"), ("positive", "negative")
PAIRS = [(thing, sign) for thing in THINGS for sign in SIGNS]
UNSEEN = ("soup", "negative")
BEGINNING = "people said that it was".split()


def reviews(n: int, seed: int, split: str = "train") -> list[tuple[tuple[str, str], list[str]]]:
    """Of ``n`` made opinions, those about THINGS: ((thing, sign), words)."""
    made = labelled.sentiment(n, seed, split)
    return [((thing, sign), words) for words, sign in made for thing in THINGS if thing in words]


def tokens(vocabulary: Vocabulary, codes, words) -> list[int]:
    """The codes in brackets, or a begin mark where there are none; then the words."""
    return ([vocabulary[f"⟨{code}⟩"] for code in codes] or [BOS]) + vocabulary.encode(words)


def writer(rows, vocabulary: Vocabulary, seed: int, coded=True, updates=600, progress=False):
    """A CTRL that has learned the reviews ``rows``, with their codes or without."""
    torch.manual_seed(seed)
    model = CTRLForCausalLM(CTRLConfig(
        len(vocabulary), width=64, n_layers=2, n_heads=4, ff_width=128, max_length=24,
        dropout=0.0, pad=PAD, end=EOS,
    ))  # fmt: skip
    even(model)  # the library's start, 0.02, is made for wide models
    ids = generation.pad([[*tokens(vocabulary, c if coded else (), w), EOS] for c, w in rows])
    rng = torch.Generator().manual_seed(seed)

    def batches():
        while True:
            yield next_token(ids[torch.randint(len(ids), (32,), generator=rng)], PAD)

    train(model, lambda m, batch: token_loss(m(batch[0]), batch[1]), batches(),
          updates=updates, lr=4e-3, warmup=updates // 10, progress=progress)  # fmt: skip
    return model.eval()


def write(model, vocabulary: Vocabulary, asked, seed: int, beginning=BEGINNING) -> list[str]:
    """One text for each pair of codes in ``asked`` (() for none): drawn, without the codes."""
    prompts = torch.tensor([tokens(vocabulary, codes, beginning) for codes in asked])
    rng = torch.Generator().manual_seed(seed)
    found = generation.sample(model, prompts, generator=rng, max_length=14)
    return [" ".join([*beginning, *vocabulary.decode(f.ids)]) for f in found]


class Judge:
    """Says what a review is about, and whether it is good, from the words in a row that it has."""

    def __init__(self, rows):
        texts, answers = [self.last(" ".join(words)) for _, words in rows], [c for c, _ in rows]
        self.parts = [
            make_pipeline(CountVectorizer(ngram_range=(1, 5)), LogisticRegression(C=10))
            .fit(texts, [answer[i] for answer in answers]) for i in (0, 1)
        ]  # fmt: skip

    @staticmethod
    def last(text: str) -> str:  # an opener tells what others thought
        return text.split(", but")[-1]

    def __call__(self, texts: list[str]) -> list[tuple[str, str]]:
        texts = [self.last(text) for text in texts]
        return list(zip(*(part.predict(texts) for part in self.parts)))


def right(said, asked) -> dict[str, float]:
    """In per cent, for two lists of (thing, sign)."""
    hit = [(a[0] == b[0], a[1] == b[1]) for a, b in zip(said, asked)]
    unseen = [a == b for a, b in zip(said, asked) if b == UNSEEN]
    measures = {"thing": [h[0] for h in hit], "sign": [h[1] for h in hit], "unseen": unseen}
    return {name: 100 * sum(found) / len(found) for name, found in measures.items()}


def run(seed: int, updates: int = 600, n: int = 40) -> dict[str, dict[str, float]]:
    everything = reviews(4000, seed)
    rows = [row for row in everything if row[0] != UNSEEN]
    codes = [f"⟨{code}⟩" for code in (*THINGS, *SIGNS)]
    vocabulary = Vocabulary.from_texts([codes, *(words for _, words in rows)])
    judge, asked = Judge(reviews(4000, seed + 100, "test")), PAIRS * n
    random.Random(seed).shuffle(asked)
    with_codes = writer(rows, vocabulary, seed, updates=updates)
    without = writer(rows, vocabulary, seed, coded=False, updates=updates)
    real = [row for row in everything if row[1][:5] == BEGINNING]
    return {
        "after codes": right(judge(write(with_codes, vocabulary, asked, seed)), asked),
        "without codes": right(judge(write(without, vocabulary, [()] * len(asked), seed)), asked),
        "real reviews": right(judge([" ".join(w) for _, w in real]), [c for c, _ in real]),
    }
