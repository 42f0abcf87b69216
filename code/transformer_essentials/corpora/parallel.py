"""Your own corpus: sentences and their translations, from a file or a pair of files.

Two forms are common. In a TSV file each line is ``source TAB target``; further columns are ignored, such as the
attribution in the pairs made from Tatoeba. A Moses pair, as from OPUS, is two files in which line n of one is the
translation of line n of the other. Files are UTF-8, with or without a byte order mark, with Unix or Windows line
ends; empty lines at the end are ignored.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from transformer_essentials.corpora.pair import Pair


class CorpusError(ValueError):
    """A fault in a corpus file: which file, which line (counted from 1), and what is needed there."""

    def __init__(self, path: str | Path, line: int, message: str):
        super().__init__(f"{path}, line {line}: {message}")
        self.path, self.line = path, line


# A character of a word: not a space, nor punctuation of ASCII, Latin-1, Unicode's general block, Arabic, Hindi, Chinese.
_LETTER = (
    r"[^\s!-/:-@\[-`{-~\xa1-\xa9\xab-\xb1\xb4-\xb8\xbb-\xbf\xd7\xf7\u2010-\u2027\u2030-\u205e"
    r"\u060c\u061b\u061f\u0964\u0965\u3001-\u3003\u3008-\u3011\u3014-\u301f"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
)
_TOKEN = re.compile(
    r"\d+(?:[.,]\d+)+"  # 3.14 or 1,000
    r"|(?:[cdjlmnst]|(?:jus|lors|puis|quoi)?qu)'"  # French elision: l' and qu'
    r"|'s\b(?!')"  # the English 's
    rf"|{_LETTER}+(?:(?:-|'(?!s\b)){_LETTER}+)*"  # a word: cat, aujourd'hui, don't, week-end
    r"|\S",  # a punctuation mark
    re.IGNORECASE,
)


def words(text: str, lower: bool = False) -> list[str]:
    """Words and punctuation marks, each a token; all in small letters if ``lower``.

    Apostrophes and hyphens inside a word stay, with two exceptions: a French word that lost its vowel is a token
    that ends with the apostrophe, and the English 's is a token that begins with it. A curly apostrophe becomes a
    straight one. For a language that is written without spaces, such as Chinese, give the readers ``split=list``
    instead: then characters are the tokens.

    >>> words("L’homme n'a pas vu Anna's cat!")
    ["L'", 'homme', "n'", 'a', 'pas', 'vu', 'Anna', "'s", 'cat', '!']
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'")  # é is one character, however it was typed
    return _TOKEN.findall(text.lower() if lower else text)


def read_tsv(path: str | Path, split: Callable[[str], Iterable[str]] = words) -> list[Pair]:
    """The pairs of a file with ``source TAB target`` on each line. Raises CorpusError for the first fault in it."""
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        source, tab, rest = line.partition("\t")
        if not tab:
            raise CorpusError(path, number, f"needs a tab between source and target, has none: {_short(line)}")
        target = rest.partition("\t")[0]
        pairs.append(Pair(_side(source, "source", split, path, number), _side(target, "target", split, path, number)))
    return pairs


def read_moses(
    source_path: str | Path, target_path: str | Path, split: Callable[[str], Iterable[str]] = words
) -> list[Pair]:
    """The pairs of two files, a sentence on each line. Raises CorpusError for the first fault in them."""
    sources, targets = read_lines(source_path), read_lines(target_path)
    if len(sources) != len(targets):
        (shorter, ends), (longer, goes_on) = sorted(
            [(source_path, len(sources)), (target_path, len(targets))], key=lambda file: file[1]
        )
        message = f"needs a line here: the file ends after line {ends}, but {longer} has {goes_on} lines"
        raise CorpusError(shorter, ends + 1, message)
    return [
        Pair(_side(s, "source", split, source_path, number), _side(t, "target", split, target_path, number))
        for number, (s, t) in enumerate(zip(sources, targets, strict=True), start=1)
    ]


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends and without empty lines at the end. CorpusError as the others."""
    lines = []
    for number, line in enumerate(Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8").removesuffix("\r"))
        except UnicodeDecodeError as error:
            found = f"byte 0x{line[error.start]:02x} at place {error.start + 1} of the line can't be read"
            raise CorpusError(path, number, f"needs text in UTF-8: {found}; save the file as UTF-8") from None
    while lines and not lines[-1].strip(" "):
        lines.pop()
    if not lines:
        raise CorpusError(path, 1, "needs at least one sentence: the file is empty")
    return lines


def _side(text: str, name: str, split: Callable[[str], Iterable[str]], path: str | Path, number: int) -> tuple:
    tokens = tuple(split(text.strip()))
    if not tokens:
        raise CorpusError(path, number, f"needs words on both sides: the {name} is empty")
    return tokens


def _short(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:60] + "…")
