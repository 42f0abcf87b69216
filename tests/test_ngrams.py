"""Counted language models: probabilities by hand, adding up to one, backing off."""

import math
from itertools import product

import pytest
from transformer_essentials.ngrams import NGrams

ROWS = [[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 4, 3], [0, 2, 2]]


def test_bigrams_by_hand():
    """After 1 came 2, 2, 4. Of all ids asked for: 1, 2, 3, 1, 2, 4, 1, 4, 3, 2, 2."""
    model = NGrams(ROWS, 2, 5, discount=0.5)
    alone = (4 - 0.5) / 11 + 0.5 * 4 / 11 / 5  # of 2, its four among eleven, four kinds in all
    assert NGrams(ROWS, 1, 5, 0.5).probability([1], 2) == pytest.approx(alone)
    assert model.probability([1], 2) == pytest.approx((2 - 0.5) / 3 + 0.5 * 2 / 3 * alone)
    unseen = 0.5 * 2 / 3 * ((2 - 0.5) / 11 + 0.5 * 4 / 11 / 5)
    assert model.probability([1], 3) == pytest.approx(unseen)


def test_without_discount_it_is_the_share():
    model = NGrams(ROWS, 3, 5, discount=0)
    assert model.probability([0, 1], 2) == pytest.approx(2 / 3)
    assert model.probability([0, 1], 3) == 0


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_probabilities_add_up_to_one(n):
    model = NGrams(ROWS, n, 5)
    for before in product(range(5), repeat=3):  # most of them never seen
        assert sum(model.probability(before, w) for w in range(5)) == pytest.approx(1)


def test_perplexity():
    model = NGrams(ROWS, 2, 5)
    row = [0, 1, 4]
    nats = [-math.log(model.probability([0], 1)), -math.log(model.probability([0, 1], 4))]
    assert model.nats(row) == pytest.approx(nats)
    assert model.perplexity([row, row]) == pytest.approx(math.exp(sum(nats) / 2))
    assert NGrams([[0, 1]], 1, 8, discount=1).perplexity(ROWS) == pytest.approx(8)


def test_what_it_writes_was_seen_in_a_row():
    model = NGrams(ROWS, 2, 5)
    written = model.write([0], 50, seed=1)
    pairs = {pair for row in ROWS for pair in zip(row, row[1:])}
    assert written[0] == 0 and len(written) > 1
    followed = {one for one, _ in pairs}  # after the others anything may come
    assert {pair for pair in zip(written, written[1:]) if pair[0] in followed} <= pairs
    assert written == model.write([0], 50, seed=1)
    assert 2 not in written[:-1]  # the end mark ends it


def test_bad_sizes():
    with pytest.raises(ValueError, match="n is 1 or more, a discount from 0 to 1; not 0 and 0.75"):
        NGrams(ROWS, 0, 5)
