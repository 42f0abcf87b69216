"""BLEU, alignment error rate and perplexity, on cases counted by hand."""

import math
from collections import Counter

import pytest
import sacrebleu
import torch
from helpers import seeded  # noqa: F401

from transformer_essentials.metrics import alignment_error_rate, bleu, hard_alignment, perplexity


def test_bleu_by_hand():
    """n-grams found: 5 of 6, 4 of 5, 3 of 4, 2 of 3; no penalty, the lengths are equal."""
    hypothesis = "le chat noir dort ici maintenant".split()
    reference = "le chat noir dort ici toujours".split()
    expected = 100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** (1 / 4)
    assert bleu([hypothesis], [reference]) == pytest.approx(expected)
    assert bleu([reference], [reference]) == pytest.approx(100)


def test_bleu_punishes_brevity():
    """All n-grams right, 4 words where 6 were needed: exp(1 − 6/4)."""
    reference = "le chat noir dort ici toujours".split()
    assert bleu([reference[:4]], [reference]) == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_bleu_counts_a_word_as_often_as_the_reference_has_it():
    """the ×4 against one: 1 of 4 words; no pair of them is right, smoothed to 1/2, 1/4, 1/8."""
    expected = 100 * (1 / 4 * (1 / 2) / 3 * (1 / 4) / 2 * (1 / 8) / 1) ** (1 / 4)
    assert bleu([["the"] * 4], [["the", "cat", "sat", "down"]]) == pytest.approx(expected)


def plain_bleu(hypotheses, references):
    """Papineni et al. (2002), section 2, for a corpus where every order has matches."""
    logs = []
    for n in range(1, 5):
        found = total = 0
        for h, r in zip(hypotheses, references):
            ours, theirs = (
                Counter(tuple(side[i : i + n]) for i in range(len(side) - n + 1)) for side in (h, r)
            )
            found += sum((ours & theirs).values())
            total += sum(ours.values())
        logs.append(math.log(found / total))
    c, r = (sum(map(len, side)) for side in (hypotheses, references))
    return 100 * min(1.0, math.exp(1 - r / c)) * math.exp(sum(logs) / 4)


def test_bleu_of_a_corpus():
    """Counts are added up over the sentences before they are divided; as sacrebleu does it."""
    generator = torch.Generator().manual_seed(3)
    references = [torch.randint(3, (n,), generator=generator).tolist() for n in (7, 9, 4, 12)]
    hypotheses = [[w if i % 6 else 0 for i, w in enumerate(row)][:8] for row in references]
    hypotheses, references = (
        [[f"w{w}" for w in row] for row in side] for side in (hypotheses, references)
    )
    found = bleu(hypotheses, references)
    assert found == pytest.approx(plain_bleu(hypotheses, references))
    lines = [[" ".join(row) for row in side] for side in (hypotheses, references)]
    assert found == sacrebleu.corpus_bleu(lines[0], [lines[1]], tokenize="none").score
    assert 0 < found < 90


def test_bleu_takes_tokens_as_they_are():
    """Points stay where they are; a space among characters is a token like any other."""
    assert bleu([["a.b", "c", "d", "e"]], [["a", ".", "b", "c", "d", "e"]]) < 60
    right, wrong = list("3 mai 2021"), list("3-mai-2021")
    assert bleu([right], [right]) == pytest.approx(100)
    assert bleu([wrong], [right]) == pytest.approx(plain_bleu([wrong], [right]))
    narrow = ["\u202f" if c == " " else c for c in right]  # a space that French has
    assert bleu([narrow], [narrow]) == pytest.approx(100)
    assert bleu([list("3mai2021")], [narrow]) < 70


def test_bleu_needs_as_many_references():
    with pytest.raises(ValueError, match="2 translations, 1 references"):
        bleu([["a"], ["b"]], [["a"]])
    with pytest.raises(ValueError, match="0 translations, 0 references"):
        bleu([], [])


def test_alignment_error_rate_by_hand():
    """Two sentences. A has 3 + 2 links, S 2 + 1, P (with S) 4 + 1."""
    predicted = [{(0, 0), (1, 1), (2, 2)}, {(0, 0), (1, 0)}]
    sure = [{(0, 0), (1, 1)}, {(0, 0)}]
    possible = [{(2, 2), (3, 3)}, set()]
    # |A∩S| = 2 + 1, |A∩P| = 3 + 1, |A| + |S| = 5 + 3
    assert alignment_error_rate(predicted, sure, possible) == pytest.approx(1 - (3 + 4) / 8)
    contained = [s | p for s, p in zip(sure, possible)]
    assert alignment_error_rate(predicted, sure, contained) == pytest.approx(1 - 7 / 8)
    # without possible links: |A∩P| = 3
    assert alignment_error_rate(predicted, sure) == pytest.approx(1 - (3 + 3) / 8)


def test_alignment_error_rate_ends():
    links = [{(0, 1), (1, 0)}]
    assert alignment_error_rate(links, links) == 0
    assert alignment_error_rate([{(1, 1)}], links) == 1
    assert alignment_error_rate([set()], links) == 1
    with pytest.raises(ValueError, match="at least one link"):
        alignment_error_rate([set()], [set()])
    with pytest.raises(ValueError):
        alignment_error_rate(links, links * 2)


def test_hard_alignment():
    """(source, target): a column, then its row."""
    weights = torch.tensor([[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    assert hard_alignment(weights) == {(1, 0), (2, 1)}


def test_perplexity():
    assert perplexity(math.log(4)) == pytest.approx(4)
    assert perplexity(0.0) == 1
