"""Stories of three sentences, each with a summary, questions and their answers: all of it made here.

    leo wears red hats . nina eats warm soup . he opens boxes .
    -> leo wears hats and opens boxes .
    what does nina eat ? -> warm soup .

For what is asked of models that write: to say a text in fewer words, and to answer in words. Two people
do things; one of them does two, and is called *he* or *she* the second time. The summary is about this
one, and leaves out what things are like. It isn't natural English: 55 words and one kind of sentence,
so that a tiny model can learn from it in seconds what large ones learn from the web.

Written for this book; same licence as its code (MIT).
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

SPLITS = ("train", "test")
NAMES = {
    "he": "paul louis hugo oscar felix leo".split(),
    "she": "marie julie emma claire nina zoe".split(),
}
DOES = {  # what people do, and to what
    ("eats", "eat"): "apples cake soup".split(),
    ("drinks", "drink"): "water milk tea".split(),
    ("reads", "read"): "books letters poems".split(),
    ("wears", "wear"): "hats coats scarves".split(),
    ("opens", "open"): "boxes bags doors".split(),
}
QUALITIES = {
    "eats": "fresh warm".split(),
    "drinks": "hot cold".split(),
    "reads": "long sad".split(),
    "wears": "red new".split(),
    "opens": "heavy old".split(),
}


@dataclass(frozen=True)
class Story:
    """Sentences, a summary, (question, answer) pairs: all of them tuples of words."""

    sentences: tuple[tuple[str, ...], ...]
    summary: tuple[str, ...]
    questions: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The whole text."""
        return sum(self.sentences, ())


def vocabulary() -> list[str]:
    """Every word that there is, in the order of the alphabet."""
    words = set(". ? and who what does".split()).union(NAMES, *DOES)
    return sorted(words.union(*NAMES.values(), *DOES.values(), *QUALITIES.values()))


def stories(n: int, seed: int = 0, split: str = "train") -> list[Story]:
    """``n`` stories, the same on every machine for the same arguments.

    No text is in both splits. Raises ValueError for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    chance, told = random.Random(zlib.crc32(f"{split} {seed}".encode())), []
    while len(told) < n:
        story = tell(chance.random)
        if (zlib.crc32(" ".join(story.words).encode()) % 8 == 0) == (split == "test"):
            told.append(story)
    return told


def tell(number: Callable[[], float]) -> Story:
    """One story; ``number()`` gives numbers from 0 to 1."""

    def some(things, k):
        left = list(things)
        return [left.pop(int(number() * len(left))) for _ in range(k)]

    (he, she), verbs = some(NAMES, 2), some(DOES, 3)  # he or she: the one who does two things
    hero, other = some(NAMES[he], 1)[0], some(NAMES[she], 1)[0]
    lines, questions, things = [], [], []
    for called, who, verb in zip((hero, he, other), (hero, hero, other), verbs):
        [thing], [quality] = some(DOES[verb], 1), some(QUALITIES[verb[0]], 1)
        things.append(thing)
        described = [quality, thing] if number() < 0.5 else [thing]
        lines.append((called, verb[0], *described, "."))
        questions.append((f"who {verb[0]} {thing} ?".split(), [who, "."]))
        questions.append((f"what does {who} {verb[1]} ?".split(), [*described, "."]))
    order = some(range(3), 3)
    a, b = sorted((order.index(0), order.index(1)))  # the name comes before the pronoun
    order[a], order[b] = 0, 1
    return Story(
        tuple(lines[i] for i in order),
        (hero, verbs[0][0], things[0], "and", verbs[1][0], things[1], "."),
        tuple((tuple(question), tuple(answer)) for question, answer in questions),
    )
