"""From tokens to ids and back."""

from collections import Counter
from collections.abc import Iterable

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")


class Vocabulary:
    """Tokens and their ids. The four special tokens come first, with ids 0 to 3.

    A token is any string: a word in one corpus, a character in another.

    >>> v = Vocabulary.from_texts([["the", "black", "cat"], ["the", "cat"]])
    >>> v.tokens
    ('<pad>', '<bos>', '<eos>', '<unk>', 'cat', 'the', 'black')
    >>> v.encode(["the", "dog"])
    [5, 3]
    """

    def __init__(self, tokens: Iterable[str]):
        """Number ``tokens`` in the order given, after the specials. Each may come once; no special may come."""
        self.tokens = (*SPECIALS, *tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            twice = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise ValueError(f"a vocabulary needs each token once and adds {SPECIALS} itself; {twice!r} comes twice")

    @classmethod
    def from_texts(cls, texts: Iterable[Iterable[str]], min_count: int = 1) -> "Vocabulary":
        """The tokens seen at least ``min_count`` times in ``texts``: the most frequent first, then by alphabet.

        A text is a sequence of tokens; a string is a sequence of characters.
        """
        counts = Counter(token for text in texts for token in text)
        for special in SPECIALS:
            del counts[special]
        kept = (token for token, count in counts.items() if count >= min_count)
        return cls(sorted(kept, key=lambda token: (-counts[token], token)))

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, token: str) -> int:
        """The id of ``token``, or ``UNK`` if the vocabulary doesn't have it."""
        return self._ids.get(token, UNK)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """One id a token; nothing is added in front or behind."""
        return [self[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """One token an id, up to the first EOS; PAD and BOS are left out. ``ids`` may be a tensor."""
        tokens = []
        for i in map(int, ids):
            if not 0 <= i < len(self):
                raise ValueError(f"id {i} is not in this vocabulary: its ids go from 0 to {len(self) - 1}")
            if i == EOS:
                break
            if i not in (PAD, BOS):
                tokens.append(self.tokens[i])
        return tokens
