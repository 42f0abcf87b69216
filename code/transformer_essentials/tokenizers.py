"""From tokens to ids and back."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, trainers
from tokenizers import pre_tokenizers as cut

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


# ---------------------------------------------------------------- pieces of words, learned

KINDS = ("bytes", "sentencepiece", "wordpiece", "words", "characters")


def train_tokenizer(
    kind: str, texts: Sequence[str], size: int, specials: Sequence[str], unknown: str
) -> Tokenizer:
    """A tokenizer of at most ``size`` tokens, the same each time for the same texts.

    - ``bytes``: pairs of bytes, merged (Radford et al., 2019, section 2.2);
    - ``sentencepiece``: pairs of characters, merged, ``▁`` where a word begins (Kudo & Richardson,
      2018; of its two methods the one with pairs);
    - ``wordpiece``: of BERT, in lower case, ``##`` before what goes on with a word;
    - ``words`` and marks between them; ``characters``.

    ``specials`` get the first ids; the token ``unknown`` stands for what has none.
    """
    if kind == "wordpiece":
        return _wordpiece(texts, size, specials, unknown)
    pairs, single = models.BPE(unk_token=unknown), models.WordLevel(unk_token=unknown)
    model, split, decoder = {
        "bytes": (pairs, cut.ByteLevel(add_prefix_space=False), decoders.ByteLevel()),
        "sentencepiece": (pairs, cut.Metaspace(), decoders.Metaspace()),
        "words": (single, cut.Whitespace(), None),
        "characters": (single, cut.Split(Regex(r"[\s\S]"), "isolated"), decoders.Fuse()),
    }[kind]
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split
    if decoder:
        tokenizer.decoder = decoder
    options = dict(vocab_size=size, special_tokens=list(specials), show_progress=False)
    if kind == "bytes":
        options["initial_alphabet"] = cut.ByteLevel.alphabet()
    trainer = trainers.WordLevelTrainer if model is single else trainers.BpeTrainer
    tokenizer.train_from_iterator(texts, trainer(**options))
    return tokenizer


def _wordpiece(texts, size, specials, unknown):
    """WordPieces that merged pairs of characters make, as ``WordPieceTrainer`` has them.

    That trainer breaks ties differently in each run, which this one doesn't.
    """
    pairs = Tokenizer(models.BPE())
    lower, words = normalizers.BertNormalizer(lowercase=True), cut.BertPreTokenizer()
    pairs.normalizer = lower
    pairs.pre_tokenizer = cut.Sequence([words, cut.Metaspace()])
    pairs.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, show_progress=False))
    found = [token for token, _ in sorted(pairs.get_vocab().items(), key=lambda item: item[1])]
    pieces = [token[1:] if token[0] == "▁" else f"##{token}" for token in found]
    letters = [token for token in found if len(token) == 1]  # may all begin a word
    tokens = list(dict.fromkeys([*specials, *letters, *pieces]))
    tokens = [token for token in tokens if token not in ("", "▁")][:size]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer, tokenizer.pre_tokenizer = lower, words
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(specials))
    return tokenizer
