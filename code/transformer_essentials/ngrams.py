"""Language models that count: which words followed the last n−1?

Interpolated absolute discounting: something is taken off every count, and what is saved goes to
the guess of the next shorter context, down to all words alike (absolute discounting; surveyed, with
what is better, by Chen & Goodman, 1999).
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from .tokenizers import EOS


class NGrams:
    """Probabilities of the next id, counted in rows of ids.

    ``n``: a guess leans on the n−1 ids before, within its row. ``vocabulary``: how many ids there
    are. ``discount``: what is taken off each count, between 0 (nothing is saved for what was never
    seen) and 1.
    """

    def __init__(self, rows: Sequence[list[int]], n: int, vocabulary: int, discount: float = 0.75):
        if n < 1 or not 0 <= discount <= 1:
            raise ValueError(f"n is 1 or more, a discount from 0 to 1; not {n} and {discount}")
        self.n, self.vocabulary, self.discount = n, vocabulary, discount
        self.counts = defaultdict(Counter)  # context, a tuple of up to n-1 ids -> next id -> count
        for row in rows:
            for i in range(1, len(row)):  # nobody is asked for the first
                for k in range(min(n - 1, i) + 1):
                    self.counts[tuple(row[i - k : i])][row[i]] += 1
        self.totals = {context: counts.total() for context, counts in self.counts.items()}

    def probability(self, before: Sequence[int], word: int) -> float:
        """Of this id after these."""
        p, d = 1 / self.vocabulary, self.discount
        for k in range(min(self.n - 1, len(before)) + 1):  # from the shortest context on
            context = tuple(before[len(before) - k :])
            if context not in self.totals:
                break  # and so was no longer one
            counts, total = self.counts[context], self.totals[context]
            kept = max(counts.get(word, 0) - d, 0) / total
            p = kept + d * len(counts) / total * p
        return p

    def nats(self, row: Sequence[int]) -> list[float]:
        """Minus the logarithm of the probability of each id but the first."""
        return [
            -math.log(self.probability(row[max(0, i - self.n + 1) : i], row[i]))
            for i in range(1, len(row))
        ]

    def perplexity(self, rows: Sequence[list[int]]) -> float:
        """Of all ids but the first of each row."""
        nats = [x for row in rows for x in self.nats(row)]
        return math.exp(sum(nats) / len(nats))

    def write(self, start: list[int], length: int, seed: int = 0) -> list[int]:
        """Go on after ``start`` for ``length`` ids or until the end mark.

        Each is drawn from the counts of the longest context that was seen, none taken off.
        """
        chance, row = random.Random(seed), list(start)
        for _ in range(length):
            k = min(self.n - 1, len(row))
            while k and tuple(row[len(row) - k :]) not in self.totals:
                k -= 1
            counts = self.counts[tuple(row[len(row) - k :])]
            row.append(chance.choices(list(counts), list(counts.values()))[0])
            if row[-1] == EOS:
                break
        return row
