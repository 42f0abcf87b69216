"""A sentence and its translation: the one record that every parallel corpus returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """A source sentence, its translation, and where each target token comes from.

    ``source`` and ``target`` are tuples of tokens: words in the grammar, characters
    in the dates. ``alignment`` holds the gold links ``(source index, target index)``,
    counted from 0. A token may have several links or none; the set is empty where the
    alignment is unknown, as in a corpus that somebody else collected.

    >>> Pair(("black", "cat"), ("chat", "noir"), frozenset({(0, 1), (1, 0)}))
    Pair(source=('black', 'cat'), target=('chat', 'noir'), alignment=frozenset({(0, 1), (1, 0)}))
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: frozenset[tuple[int, int]] = frozenset()
