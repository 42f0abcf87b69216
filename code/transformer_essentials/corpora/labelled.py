"""Texts with answers: a tag for each word, a span, a label, a summary. For learning tasks from few examples.

    jordan paid 20 swiss francs for maps .   ->   B-PERSON O B-MONEY I-MONEY I-MONEY O O O
    jordan was cold in may .                 ->   B-PLACE O O O B-DATE O

**What is real and what is made.** :func:`summaries` is real text: descriptions in the docstrings of numpy, torch and
matplotlib, and the line that their authors put above each. Everything else is made from the templates below, so that
it can be learned in seconds and its answers are exact; what happens in these sentences is invented, and their English
is far narrower than anybody's. The names in them are real: countries, languages, currencies, months and days are
those of the Unicode Consortium's CLDR (Unicode License), which the package Babel (BSD licence) carries; the names of
people are ours. All words are in small letters, so that capitals give nothing away.

The splits are "train" and "test"; no text is in both, whatever the seeds. Of the names of people, places, languages
and currencies one in five never occurs in "train" (:func:`held_out`): in "test" a model has to find these by what
stands around them. Some names are two things at once (DOUBLES): Jordan, a person or a country; May, a person, a month
or a verb. These are frequent, in both splits, and only their sentence tells which they are.
"""

import random
import zlib
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from transformer_essentials.corpora import docstrings
from transformer_essentials.corpora.sentences import (
    BAD, DOUBLES, ENTITIES, FACTS, GOOD, OPENERS, OPINIONS, TOPICS, WHEN, Writer, held_out, names,
)  # fmt: skip

SPLITS = ("train", "test")
KINDS = ("PERSON", "PLACE", "LANGUAGE", "DATE", "MONEY")
TAGS = ("O", *(f"{part}-{kind}" for kind in KINDS for part in "BI"))  # B: a name begins; I: it goes on; O: no name


class Tagged(NamedTuple):
    """A sentence, and a tag of TAGS for each of its words."""

    words: list[str]
    tags: list[str]


class Question(NamedTuple):
    """A question about a passage. The answer is ``passage[start : end + 1]``: ``end`` is the place of its last word."""

    passage: list[str]
    question: list[str]
    start: int
    end: int


class Summary(NamedTuple):
    """A text, and the same in one line."""

    text: str
    summary: str


def entities(n: int, seed: int = 0, split: str = "train") -> list[Tagged]:
    """``n`` different sentences with their names tagged. Made: see above. ValueError for an unknown split, or n < 1."""

    def sentence(writer) -> Tagged:
        words, tags = [], []
        for k in range(1 + (writer.random() < 0.3)):
            clause, found = writer.fill(writer.pick(ENTITIES).replace("WHEN", writer.pick(WHEN)).strip())
            words += [writer.pick(("and", "but", "because"))] * k + clause
            tags += ["O"] * k + found
        return Tagged([*words, "."], [*tags, "O"])

    return made(sentence, n, seed, split)


def questions(n: int, seed: int = 0, split: str = "train") -> list[Question]:
    """``n`` passages with a question; the answer is in the passage. Made. Errors as of :func:`entities`.

    A passage has four to six sentences on two or three people. No name in it has two parts to play.
    """

    def question(writer) -> Question:
        facts = writer.facts([1 + int(2 * writer.random()) for _ in range(3)])
        passage, starts = [], []
        for _, values, fact in facts:
            starts.append(len(passage))
            passage += writer.fill(f"PERSON {fact[0]} .", values)[0]
        chosen = int(len(facts) * writer.random())
        _, values, (long, _, asked) = facts[chosen]
        text, slot = writer.pick(asked)
        before, answer = f"PERSON {long}".split(slot)[0], values[slot].split()
        start = starts[chosen] + len(writer.fill(before, values)[0])
        return Question(passage, writer.fill(text, values)[0], start, start + len(answer) - 1)

    return made(question, n, seed, split)


def reports(n: int, seed: int = 0, split: str = "train") -> list[Summary]:
    """``n`` passages about three people, one of them in three sentences; in short, the three about that one. Made.

    The summary keeps the order, leaves out when and for how much, and says *bought* for *paid for*.
    """

    def report(writer) -> Summary:
        facts = writer.facts([3, 1, 1])
        text = " ".join(" ".join(writer.fill(f"PERSON {fact[0]} .", values)[0]) for _, values, fact in facts)
        first, second, third = (
            " ".join(writer.fill(fact[1], values)[0]) for who, values, fact in facts if who == 0
        )
        person = next(values["PERSON"] for who, values, _ in facts if who == 0)
        return Summary(text, f"{person} {first} , {second} and {third} .")

    return made(report, n, seed, split)


def sentiment(n: int, seed: int = 0, split: str = "train") -> list[tuple[list[str], str]]:
    """``n`` sentences (words, "positive" or "negative"): what is said last counts, and a negation turns it. Made."""

    def opinion(writer) -> tuple[list[str], str]:
        opener = writer.pick(OPENERS).replace("ADJECTIVE", writer.pick(GOOD + BAD))
        text, sign = writer.pick(OPINIONS)
        good = writer.random() < 0.5
        text = text.replace("TOPIC", writer.pick(TOPICS)).replace("ADJECTIVE", writer.pick(GOOD if good else BAD))
        return f"{opener} {text} .".split(), "positive" if good == (sign > 0) else "negative"

    return made(opinion, n, seed, split)


def summaries(n: int, seed: int = 0, split: str = "train") -> list[Summary]:
    """``n`` real descriptions (20 words or more) and their first lines (20 or fewer), from docstrings.

    The splits ("train": three quarters) have no docstring, description or first line in common. Reading takes several
    seconds, once in a program. ValueError for an unknown split, or if it has fewer.
    """
    check(n, split)
    pairs = _summaries()[split]
    if n > len(pairs):
        raise ValueError(f"n={n}: the split {split!r} has {len(pairs)} summaries, so give 1 to {len(pairs)}")
    chance = random.Random(seed)
    return sorted(pairs, key=lambda pair: chance.random())[:n]


@cache
def _summaries() -> dict[str, tuple[Summary, ...]]:
    found, seen = {split: [] for split in SPLITS}, set()
    for library in docstrings.LIBRARIES:
        for where, docstring in docstrings.read(library):
            above, *rest = list(docstrings.prose(docstring)) or [""]
            text = " ".join(rest)
            if len(above.split()) <= 20 <= len(text.split()) and not {above, text} & seen:
                if list(docstrings.prose(docstring.split("\n\n")[0])) == [above]:  # nothing stood before it
                    seen |= {above, text}
                    found[docstrings.split_of(where)].append(Summary(text, above))
    return {split: tuple(pairs) for split, pairs in found.items()}


def check(n: int, split: str) -> None:
    """ValueError for what can't be given."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: give one of {SPLITS}")
    if n < 1:
        raise ValueError(f"n={n}: give 1 or more")


def made(make: Callable, n: int, seed: int, split: str) -> list:
    """``n`` different things that ``make(writer)`` makes. Their first fields decide which split they are in."""
    check(n, split)
    writer, found = Writer(seed, split), {}
    for _ in range(100 * n + 1000):
        text = str((thing := make(writer))[0])
        if (zlib.crc32(text.encode()) % 5 == 0) == (split == "test"):
            found.setdefault(text, thing)
        if len(found) == n:
            return list(found.values())
    raise ValueError(f"n={n}: the templates give only about {len(found)} different texts in the split {split!r}")
