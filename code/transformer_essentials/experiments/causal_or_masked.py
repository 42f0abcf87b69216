"""The next word against the hidden word: same blocks, same small world of text, same updates.

Counted 5-grams, a Transformer that reads from the left, and the same Transformer reading both ways
with 15% of the words hidden. Two words of each sentence are asked for: the noun of its first
clause, and its verb; given what stands to the left, and given the whole sentence.
"""

import math
import random

import torch
from torch import Tensor, nn

from ..generation import pad
from ..heads import token_loss
from ..layers import Block
from ..ngrams import NGrams
from ..objectives import choose, mask_tokens, next_token
from ..positions import sinusoids
from ..tokenizers import BOS, EOS, PAD, UNK, Vocabulary
from ..training import train

SEEDS = (0, 1, 2)
DOES = {"cat": "sleep", "dog": "bark", "bird": "sing", "horse": "run"}  # one "s" makes one many
DETERMINERS, QUALITIES = [["two", "the"], ["a", "the"]], ["black", "old", "small"]
MASK = "▢"


def some_animal(rng: random.Random) -> tuple[list[str], str, bool]:
    """The words for one or several animals; which animal; is it one?"""
    one, animal = rng.random() < 0.5, rng.choice(list(DOES))
    noun = animal if one else animal + "s"
    return [rng.choice(DETERMINERS[one]), rng.choice(QUALITIES), noun], animal, one


def sentence(rng: random.Random) -> tuple[list[str], int, int]:
    """A sentence of the small world, and where the noun and the verb of its first clause stand."""
    words, places = [], []
    for clause in range(1 + (rng.random() < 0.3)):
        words += ["and"] * clause
        who, animal, one = some_animal(rng)
        places += [len(words) + 2]
        words += who
        if rng.random() < 0.5:
            words += ["that", "sees" if one else "see", *some_animal(rng)[0]]
        places += [len(words)]
        words += [DOES[animal] + "s" * one]
    return [*words, "."], places[0], places[1]


WORDS = sorted({word for n in range(400) for word in sentence(random.Random(n))[0]})
VOCABULARY = Vocabulary([MASK, *WORDS])


def text(n: int, seed: int) -> list[tuple[list[int], int, int]]:
    """n sentences as ids, between marks, and the places of noun and verb."""
    rng = random.Random(seed)
    made = (sentence(rng) for _ in range(n))
    return [([BOS, *VOCABULARY.encode(words), EOS], a + 1, b + 1) for words, a, b in made]


class Reader(nn.Module):
    """GPT-2's blocks; with ``causal=False`` each word sees all. ids (B,T) -> logits (B,T,V)."""

    def __init__(self, causal: bool, width: int = 64, n_layers: int = 2, n_heads: int = 4):
        super().__init__()
        self.causal, self.norm = causal, nn.LayerNorm(width)
        self.tokens = nn.Embedding(len(VOCABULARY), width)
        self.positions = nn.Parameter(0.1 * sinusoids(32, width))
        self.blocks = nn.ModuleList(
            Block(width, n_heads, 4 * width, activation="gelu_tanh", norm="pre")
            for _ in range(n_layers)
        )
        nn.init.normal_(self.tokens.weight, std=0.1)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions[: ids.shape[1]]
        for block in self.blocks:
            x, *_ = block(x, mask=(ids != PAD)[:, None], causal=self.causal)
        return self.norm(x) @ self.tokens.weight.T


def asked(ids: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    """What a reader is given, and what it has to say: (B,T) both."""
    if causal:
        return next_token(ids, PAD)
    hidden = choose(ids > UNK)
    return mask_tokens(ids, hidden, VOCABULARY[MASK], len(VOCABULARY), shares=(1.0, 0.0))


def fit(causal: bool, rows: list, seed: int, updates: int, progress: bool = False) -> Reader:
    torch.manual_seed(seed)
    model, rng = Reader(causal), random.Random(seed)
    batches = iter(lambda: pad([row for row, *_ in rng.sample(rows, 64)]), None)
    train(model, lambda m, ids: (lambda x, y: token_loss(m(x), y))(*asked(ids, causal)), batches,
          updates=updates, lr=3e-3, warmup=updates // 10, progress=progress)  # fmt: skip
    return model.eval()


@torch.inference_mode()
def log_probability(model: Reader | NGrams, rows: list[list[int]]) -> Tensor:
    """Of each whole row (B,), by a model that reads from the left."""
    if isinstance(model, NGrams):
        return torch.tensor([-sum(model.nats(row)) for row in rows])
    x, y = next_token(pad(rows))
    return model(x).log_softmax(-1).gather(2, y[..., None])[..., 0].mul(y != PAD).sum(1)


@torch.inference_mode()
def guesses(model: Reader | NGrams, row: list[int], place: int, whole: bool) -> Tensor:
    """Probabilities (V,) of the word at this place, from what is left of it or from the whole.

    A model that reads from the left is asked how probable the whole becomes with each word.
    """
    row = row if whole else row[: place + 1]
    first = VOCABULARY[MASK] + 1  # no mark fills a gap
    if isinstance(model, Reader) and not model.causal:
        hidden = torch.tensor([[*row[:place], VOCABULARY[MASK], *row[place + 1 :]]])
        scores = model(hidden)[0, place, first:]
    else:
        words = range(first, len(VOCABULARY))
        scores = log_probability(model, [[*row[:place], w, *row[place + 1 :]] for w in words])
    return torch.cat([torch.zeros(first), scores.softmax(-1)])


def judge(model: Reader | NGrams, rows: list) -> dict[str, float]:
    """The share of nouns and verbs that it guesses rightly."""
    found = {}
    for name, word in (("noun", 1), ("verb", 2)):
        for whole in (False, True):
            hits = [guesses(model, r[0], r[word], whole).argmax() == r[0][r[word]] for r in rows]
            found[f"{name}, {'whole' if whole else 'left'}"] = sum(map(float, hits)) / len(hits)
    return found


def run(seed: int, updates: int = 400) -> dict:
    rows, test = text(6000, seed), text(300 if updates > 2 else 5, seed + 100)
    held = [row for row, *_ in test]
    n = sum(len(row) - 1 for row in held)
    models = {"5-grams": NGrams([row for row, *_ in rows], 5, len(VOCABULARY))}
    models |= {name: fit(name == "causal", rows, seed, updates) for name in ("causal", "masked")}
    found = {}
    for name, model in models.items():
        if name == "masked":  # the loss on hidden words: another quantity
            with torch.inference_mode():
                x, y = asked(pad(held * 5), False)
                loss = token_loss(model(x), y).item()
        else:
            loss = -log_probability(model, held).sum().item() / n
        found[name] = {"perplexity": math.exp(loss), **judge(model, test[:100])}
    return found
