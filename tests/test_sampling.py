"""Sampling and its filters by hand, stop marks, and models that start from ids of their own."""

import math

import pytest
import torch
from helpers import same, seeded  # noqa: F401

from transformer_essentials.generation import (
    beam_search, greedy, keep_top_k, keep_top_p, penalise, sample,
)  # fmt: skip
from transformer_essentials.tokenizers import BOS, EOS

CUT = -torch.inf
LOGITS = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.4, 0.3, 0.2, 0.1]]).double().log()


def left(filtered) -> list[list[int]]:
    return [[i for i, x in enumerate(row) if x > CUT] for row in filtered.tolist()]


@pytest.mark.parametrize("k, kept", [
    (1, [[1], [0]]), (2, [[1, 3], [0, 1]]), (3, [[1, 2, 3], [0, 1, 2]]), (9, [[0, 1, 2, 3]] * 2),
])  # fmt: skip
def test_top_k(k, kept):
    filtered = keep_top_k(LOGITS, k)
    assert left(filtered) == kept
    same(filtered[filtered > CUT], LOGITS[filtered > CUT])


@pytest.mark.parametrize("p, kept", [
    (0.01, [[1], [0]]), (0.45, [[1], [0, 1]]), (0.6, [[1, 3], [0, 1]]), (0.8, [[1, 2, 3], [0, 1, 2]]),
    (0.95, [[0, 1, 2, 3]] * 2),
])  # fmt: skip
def test_top_p(p, kept):
    """Sums are 0.5, 0.75, 0.9, 1 and 0.4, 0.7, 0.9, 1: the word that reaches p is the last."""
    filtered = keep_top_p(LOGITS, p)
    assert left(filtered) == kept
    same(filtered[filtered > CUT], LOGITS[filtered > CUT])


def test_penalty():
    """Divided above zero, multiplied below; once, however often an id was seen."""
    logits = torch.tensor([[3.0, -2.0, 1.0, -1.0], [3.0, -2.0, 1.0, -1.0]])
    found = penalise(logits, torch.tensor([[0, 1, 0], [3, 3, 2]]), 2.0)
    assert found.tolist() == [[1.5, -4.0, 1.0, -1.0], [3.0, -2.0, 0.5, -2.0]]


# ---------------------------------------------------------------- models of a table


class Chain:
    """The next word depends on the word before; texts start from ``given`` (B,P)."""

    pad = 4

    def __init__(self, table, given=((BOS,),), stop=(EOS,)):
        self.logits = torch.tensor(table).log()
        self.given, self.stop, self.fed = torch.tensor(given), stop, []

    def encode(self, source):
        return source

    def first(self, memory):
        return self.given.expand(len(memory), -1)

    def start(self, memory):
        return torch.zeros(len(memory))

    def step(self, ids, state, memory):
        self.fed.append(ids.tolist())
        return self.logits[ids], state, None


EVEN = [[0.0, 0.0, 0.1, 0.2, 0.3, 0.4]] * 6
END = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
TURN = [END, [0.0] * 3 + [0.9, 0.1, 0.0], END, [0.0] * 4 + [0.8, 0.2],
        [0.0] * 3 + [0.0, 0.4, 0.6], [0.0, 0.0, 0.3, 0.4, 0.2, 0.1]]  # fmt: skip
MANY = torch.zeros(20_000, 1, dtype=torch.long)


def frequencies(**options):
    """How often each id comes first, of 20,000 times."""
    found = sample(Chain(EVEN), MANY, max_length=1, generator=torch.Generator().manual_seed(0),
                   **options)  # fmt: skip
    ids = torch.tensor([(h.ids or [EOS])[0] for h in found])
    return torch.bincount(ids, minlength=6) / len(ids)


@pytest.mark.parametrize("options, expected", [
    ({}, [0.1, 0.2, 0.3, 0.4]),
    (dict(temperature=0.5), [1 / 30, 4 / 30, 9 / 30, 16 / 30]),  # squares
    (dict(top_k=2), [0, 0, 3 / 7, 4 / 7]),
    (dict(top_p=0.8), [0, 2 / 9, 3 / 9, 4 / 9]),
    (dict(top_p=1.0), [0.1, 0.2, 0.3, 0.4]),
    (dict(top_p=0.5, temperature=0.5), [0, 0, 0, 1]),  # after the temperature, 16/30 are enough
    (dict(top_k=3, top_p=0.7), [0, 0, 3 / 7, 4 / 7]),  # of what is left: 4/9 + 3/9
])  # fmt: skip
def test_frequencies(options, expected):
    """To within four standard deviations of a count of 20,000."""
    expected = torch.tensor([0, 0, *expected])
    spread = 4 * (expected * (1 - expected) / 20_000).sqrt()
    assert ((frequencies(**options) - expected).abs() <= spread + 1e-9).all()


def test_seed():
    def draw(seed):
        return sample(Chain(EVEN), MANY[:50], generator=torch.Generator().manual_seed(seed))

    assert draw(1) == draw(1) != draw(2)


def test_scores_are_the_model_s_own():
    """Whatever was filtered: log-probabilities of the words and of the end."""
    for h in sample(Chain(EVEN), MANY[:40], top_k=3, temperature=0.7, max_length=5):
        ended = len(h.ids) < 5
        expected = sum(math.log(EVEN[0][word]) for word in [*h.ids, *[EOS] * ended])
        assert h.score == pytest.approx(expected, abs=1e-5)


def test_penalty_counts_given_ids():
    """5 and 4 take turns where 5 would repeat for ever; the ids given count as well."""
    table = [[0.0, 0.0, 0.0, 0.0, 0.35, 0.65]] * 6  # logits -1.05, -0.43
    (plain,) = sample(Chain(table, given=[[1]]), MANY[:1], temperature=0, max_length=3)
    (fresh,) = sample(Chain(table, given=[[1]]), MANY[:1], temperature=0, max_length=3,
                      repetition_penalty=3.0)  # fmt: skip
    (given,) = sample(Chain(table, given=[[5, 1]]), MANY[:1], temperature=0, max_length=3,
                      repetition_penalty=3.0)  # fmt: skip
    assert plain.ids == [5, 5, 5]
    assert fresh.ids == [5, 4, 5]  # when both were seen, 5 is ahead again
    assert given.ids == [4, 5, 5]


@pytest.mark.parametrize("write", [greedy, lambda *a, **k: beam_search(*a, 3, **k)])
def test_stop(write):
    """The model's marks, several at once, others, none; the end is not among the ids."""
    best, score = [3, 4, 5], math.log(0.9 * 0.8 * 0.6)
    model = Chain(TURN, stop=(5,))
    (found,) = write(model, MANY[:1], max_length=6)
    assert found.ids == best[:2] and found.score == pytest.approx(score)
    (found,) = write(Chain(TURN, stop=(2, 4)), MANY[:1], max_length=6)
    assert found.ids == best[:1] and found.score == pytest.approx(math.log(0.9 * 0.8))
    (found,) = write(model, MANY[:1], max_length=6, stop=(4,))
    assert found.ids == best[:1]
    (found,) = write(model, MANY[:1], max_length=4, stop=())
    assert found.ids[:2] == best[:2] and len(found.ids) == 4


def test_pad_after_the_end():
    model = Chain(TURN, given=[[1], [3]], stop=(5,))
    one, other = greedy(model, MANY[:2], 3, stop=(4,))
    assert (one.ids, other.ids) == ([3], [])
    assert model.fed == [[1, 3], [3, 4]]


@pytest.mark.parametrize("options, message", [
    (dict(temperature=-1.0), "temperature must be at least 0 .* they are -1.0 and 1.0"),
    (dict(repetition_penalty=0.0), "repetition_penalty more than 0; they are 1.0 and 0.0"),
    (dict(top_k=0), "top_k must be at least 1, not 0"),
    (dict(top_p=0.0), "top_p must be more than 0 and at most 1, not 0.0"),
    (dict(top_p=1.5), "top_p must be more than 0 and at most 1, not 1.5"),
])  # fmt: skip
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        sample(Chain(EVEN), MANY[:1], **options)
