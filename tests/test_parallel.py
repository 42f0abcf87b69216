import pytest

from transformer_essentials.corpora import Pair, grammar
from transformer_essentials.corpora.parallel import CorpusError, read_moses, read_tsv, words


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("the black cat sleeps", ["the", "black", "cat", "sleeps"]),
        ("Does he sleep? He doesn't!", ["Does", "he", "sleep", "?", "He", "doesn't", "!"]),
        ("L’homme n'a pas d'ami.", ["L'", "homme", "n'", "a", "pas", "d'", "ami", "."]),
        ("l' homme qu' il voit", ["l'", "homme", "qu'", "il", "voit"]),  # already split
        ("Qu'est-ce que c'est ?", ["Qu'", "est-ce", "que", "c'", "est", "?"]),
        ("jusqu'à aujourd'hui", ["jusqu'", "à", "aujourd'hui"]),
        ("the dogs' tails, a cat's tail", ["the", "dogs", "'", "tails", ",", "a", "cat", "'s", "tail"]),
        ("antoine 's cat; s'il n's'en va", ["antoine", "'s", "cat", ";", "s'", "il", "n'", "s'", "en", "va"]),
        ("3.14 or 1,000, 50%", ["3.14", "or", "1,000", ",", "50", "%"]),
        ("« oui » … (non)", ["«", "oui", "»", "…", "(", "non", ")"]),
        ("मैं घर जा रहा हूँ।", ["मैं", "घर", "जा", "रहा", "हूँ", "।"]),
        ("e\u0301te\u0301", ["été"]),  # letter and accent as two characters
        (" \t\u00a0 ", []),
    ],
)
def test_words(text, tokens):
    assert words(text) == tokens


def test_words_in_small_letters():
    assert words("L'Été ARRIVE", lower=True) == ["l'", "été", "arrive"]


def test_words_agree_with_the_tokens_of_the_grammar():
    for pair in grammar.pairs(500, seed=1):
        for side in (pair.source, pair.target):
            assert words(" ".join(side)) == list(side)


EXPECTED = [
    Pair(("the", "cat", "sleeps", "."), ("le", "chat", "dort", ".")),
    Pair(("the", "man"), ("l'", "homme")),
]


@pytest.mark.parametrize(
    "data",
    [
        "the cat sleeps.\tle chat dort.\nthe man\tl'homme\n",
        "the cat sleeps.\tle chat dort.\nthe man\tl'homme",
        "\ufeffthe cat sleeps.\tle chat dort.\nthe man\tl’homme\n",
        "the cat sleeps.\tle chat dort.\r\nthe man\tl'homme\r\n\r\n  \r\n",
        "the cat sleeps.\tle chat dort.\tCC-BY 2.0 by somebody\t\nthe man\tl'homme\t\n\n\n",
    ],
    ids=["plain", "no newline at the end", "byte order mark", "Windows", "more columns"],
)
def test_tsv(tmp_path, data):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(data.encode())
    assert read_tsv(path) == EXPECTED
    assert read_tsv(str(path)) == EXPECTED


def test_tsv_of_characters(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("the cat\t猫 \n", encoding="utf-8")
    assert read_tsv(path, split=list) == [Pair(tuple("the cat"), ("猫",))]


def test_a_line_ends_only_at_a_newline(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes("a\u2028b\tc\x0bd\x85\n".encode())
    assert read_tsv(path) == [Pair(("a", "b"), ("c", "d"))]


@pytest.mark.parametrize("source_end, target_end", [("\n", "\n"), ("", "\r\n"), ("\n\n\n", "\n \n")])
def test_moses(tmp_path, source_end, target_end):
    source, target = tmp_path / "corpus.en", tmp_path / "corpus.fr"
    source.write_bytes(("\ufeffthe cat sleeps.\nthe man" + source_end).encode())
    target.write_bytes(("le chat dort.\r\nl'homme" + target_end).encode())
    assert read_moses(source, target) == EXPECTED


GOOD = b"the cat\tle chat\n"


@pytest.mark.parametrize(
    "data, line, message",
    [
        (GOOD + b"the dog le chien\n" + GOOD, 2, "needs a tab .*'the dog le chien'"),
        (GOOD + b"\n" + GOOD, 2, "needs a tab"),
        (GOOD + b"\tle chien\n", 2, "the source is empty"),
        (GOOD + GOOD + b"the dog\t \n" + GOOD, 3, "the target is empty"),
        (GOOD + b"the dog\t\tCC-BY\n", 2, "the target is empty"),
        (GOOD + "l'été\tsummer\n".encode("latin-1"), 2, "UTF-8: byte 0xe9 at place 3 "),
        (GOOD.decode().encode("utf-16"), 1, "UTF-8: byte 0xff at place 1 "),
        (b"", 1, "the file is empty"),
        (b"\xef\xbb\xbf", 1, "the file is empty"),
        (b"\r\n\n  \n", 1, "the file is empty"),
    ],
    ids=["no tab", "blank line", "no source", "no target", "no target 2", "latin-1", "utf-16", "empty", "only a mark",
         "only blanks"],
)  # fmt: skip
def test_a_faulty_tsv(tmp_path, data, line, message):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=message) as caught:
        read_tsv(path)
    assert isinstance(caught.value, ValueError)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert str(caught.value).startswith(f"{path}, line {line}: needs ")


@pytest.mark.parametrize(
    "source, target, faulty, line, message",
    [
        (b"a\nb\nc\n", b"d\ne\n", "corpus.fr", 3, "ends after line 2, but .*corpus.en has 3"),
        (b"a\n", b"d\ne\n\n", "corpus.en", 2, "ends after line 1, but .*corpus.fr has 2"),
        (b"a\n\nc\n", b"d\ne\nf\n", "corpus.en", 2, "the source is empty"),
        (b"a\nb\n", b" \nf\n", "corpus.fr", 1, "the target is empty"),
        (b"a\nb\n", b"d\n\xff\n", "corpus.fr", 2, "UTF-8: byte 0xff at place 1 "),
        (b"a\nb\n", b"", "corpus.fr", 1, "the file is empty"),
    ],
    ids=["short target", "short source", "empty source line", "empty target line", "not UTF-8", "empty file"],
)
def test_a_faulty_moses_pair(tmp_path, source, target, faulty, line, message):
    (tmp_path / "corpus.en").write_bytes(source)
    (tmp_path / "corpus.fr").write_bytes(target)
    with pytest.raises(CorpusError, match=message) as caught:
        read_moses(tmp_path / "corpus.en", tmp_path / "corpus.fr")
    assert (caught.value.path, caught.value.line) == (tmp_path / faulty, line)
