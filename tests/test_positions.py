"""Sinusoids, T5's buckets and Transformer-XL's shift, each against a plain loop."""

import math

import pytest
import torch
from helpers import randn, seeded  # noqa: F401

from transformer_essentials.positions import (
    grid_sinusoids, relative_buckets, relative_shift, sinusoids,
)  # fmt: skip


def test_sinusoids_by_hand():
    table = sinusoids(3, 4)  # wavelengths 2π and 100·2π
    expected = [
        [0, 1, 0, 1],
        [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)],
        [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)],
    ]
    torch.testing.assert_close(table, torch.tensor(expected))


@pytest.mark.parametrize("width", [2, 6, 64])
def test_sinusoids_by_loops(width):
    table = torch.zeros(200, width, dtype=torch.float64)
    for position in range(200):
        for i in range(width // 2):
            angle = position / 10000 ** (2 * i / width)
            table[position, 2 * i], table[position, 2 * i + 1] = math.sin(angle), math.cos(angle)
    found = sinusoids(200, width)
    torch.testing.assert_close(found.double(), table, rtol=0, atol=5e-5)
    apart = sinusoids(200, width, interleaved=False)
    assert apart.equal(torch.cat([found[:, 0::2], found[:, 1::2]], 1))


def test_a_step_is_a_rotation():
    """Going k positions on turns each pair by one angle, wherever one starts (section 3.5)."""
    pairs = torch.view_as_complex(sinusoids(60, 16).unflatten(1, (8, 2)).double())
    turn = pairs[7] / pairs[0]
    torch.testing.assert_close(pairs[:-7] * turn, pairs[7:], rtol=0, atol=1e-5)


def test_sinusoids_need_an_even_width():
    with pytest.raises(ValueError, match="width 5 is odd"):
        sinusoids(3, 5)


def test_grid_by_hand():
    """Two rows of three, read row by row: sines and cosines of the column, then of the row."""
    table = grid_sinusoids(2, 3, 8)
    line = sinusoids(3, 4, interleaved=False)  # width 4: wavelengths 2π and 100·2π
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert table.equal(torch.stack([torch.cat([line[column], line[row]]) for row, column in places]))
    expected = [math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)]
    expected += [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)]
    torch.testing.assert_close(table[5], torch.tensor(expected))
    with pytest.raises(ValueError, match="need four parts: width is 6"):
        grid_sinusoids(2, 3, 6)


def test_one_way_buckets_by_hand():
    row = relative_buckets(1, 200, both_ways=False)[0].flip(0).tolist()  # by distance 0, 1, …
    assert row[:18] == [*range(16), 16, 16]  # one distance each, then logarithmic
    # 16 + 16 · log(d / 16) / log(128 / 16), rounded down
    assert (row[31], row[32], row[64], row[127], row[128], row[199]) == (21, 21, 26, 31, 31, 31)
    assert row == sorted(row)
    ahead = relative_buckets(4, 4, both_ways=False)
    assert ahead.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [2, 1, 0, 0], [3, 2, 1, 0]]


def test_both_ways_buckets_by_hand():
    buckets = relative_buckets(5, 5, both_ways=True, n_buckets=8, max_distance=16)
    # 4 a side, 2 of them exact; from distance 2 on, 2 + 2 · log(d / 2) / log(8): 2, 2, 2
    assert buckets[0].tolist() == [0, 5, 6, 6, 6]
    assert buckets[4].tolist() == [2, 2, 2, 1, 0]
    assert buckets.max() == 6
    assert relative_buckets(1, 9, both_ways=True, n_buckets=8, max_distance=16)[0, 0] == 3


def bucket_by_hand(distance, both_ways, n_buckets, max_distance):
    """One distance, key − query, as the published code of T5 has it."""
    first = 0
    if both_ways:
        n_buckets //= 2
        first = n_buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(0, -distance)
    exact = n_buckets // 2
    if distance < exact:
        return first + distance
    growth = math.log(distance / exact) / math.log(max_distance / exact)
    return first + min(n_buckets - 1, exact + int(growth * (n_buckets - exact)))


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("n_buckets, max_distance", [(32, 128), (8, 20), (16, 300)])
def test_buckets_by_loops(both_ways, n_buckets, max_distance):
    options = dict(both_ways=both_ways, n_buckets=n_buckets, max_distance=max_distance)
    expected = [[bucket_by_hand(k - q, **options) for k in range(350)] for q in (0, 100, 348, 349)]
    found = relative_buckets(350, 350, **options)
    assert found[[0, 100, 348, 349]].tolist() == expected
    assert relative_buckets(2, 350, **options).tolist() == expected[2:]  # the last queries


@pytest.mark.parametrize("T, S", [(5, 5), (3, 7), (1, 4), (1, 1)])
def test_relative_shift(T, S):
    scores = randn(2, 3, T, S)
    shifted = relative_shift(scores)
    assert shifted.shape == scores.shape
    for t in range(T):
        place = S - T + t  # queries are the last of the positions
        for key in range(place + 1):
            column = S - 1 - (place - key)
            assert shifted[..., t, key].equal(scores[..., t, column])


def test_relative_shift_by_hand():
    # the scores of distances 2, 1, 0 for three queries
    scores = torch.tensor([[12.0, 11, 10], [22, 21, 20], [32, 31, 30]])
    shifted = relative_shift(scores).tril()
    assert shifted.tolist() == [[10, 0, 0], [21, 20, 0], [32, 31, 30]]
