import hashlib
import inspect
import re
from collections import Counter

import pytest

from transformer_essentials.corpora import docstrings
from transformer_essentials.corpora.docstrings import LIBRARIES, prose, words

PINNED = "numpy 2.4.6, torch 2.13.0, matplotlib 3.11.2"


@pytest.fixture(scope="module")
def paragraphs():
    return docstrings.paragraphs()


# ---------------------------------------------------------------- the corpus


def test_size_and_checksum_with_the_pinned_versions(paragraphs):
    sizes = {"numpy": 1496, "torch": 4647, "matplotlib": 2407}
    assert Counter(p.library for p in paragraphs) == sizes, PINNED
    assert sum(len(p.text) for p in paragraphs) == 961158
    text = "\n".join(f"{p.library} {p.where} {p.text}" for p in paragraphs)
    checksum = "cc0a7b00825b24fdfd0ec518ab831e9c1f09b3a6b130c2217cf57b486ce2ef97"
    assert hashlib.sha256(text.encode()).hexdigest() == checksum, PINNED


def test_known_paragraphs(paragraphs):
    place = {p.text: (p.library, p.where.rsplit(":", 1)[0]) for p in paragraphs}
    # a docstring; markup taken away; from the call that documents a function written in C
    assert place["Return whether y is in the open (y0, y1) interval."] == ("matplotlib", "matplotlib/transforms.py")
    assert place["See ifftn for details and a plotting example, and fft for definition and conventions used."] == (
        "numpy",
        "numpy/fft/_pocketfft.py",
    )
    assert place["Returns a new tensor with the inverse hyperbolic cosine of the elements of input."] == (
        "torch",
        "torch/_torch_docs.py",
    )


def test_order_and_place(paragraphs):
    assert [library for library, _ in Counter(p.library for p in paragraphs).items()] == list(LIBRARIES)
    for library in LIBRARIES:
        places = [(file, int(line)) for file, line in (p.where.split(":") for p in paragraphs if p.library == library)]
        assert [file for file, _ in places] == sorted(file for file, _ in places)
        assert places[0][0].startswith(library + "/")
    assert not any("/tests/" in p.where or "/_inductor/" in p.where or "\\" in p.where for p in paragraphs)


def test_each_text_is_there_once(paragraphs):
    assert len({p.text for p in paragraphs}) == len(paragraphs)


def test_min_words(paragraphs):
    assert min(len(p.text.split()) for p in paragraphs) == 8
    longer = docstrings.paragraphs(min_words=20)
    assert longer == [p for p in paragraphs if len(p.text.split()) >= 20]
    assert len(docstrings.paragraphs(("numpy",))) == Counter(p.library for p in paragraphs)["numpy"]


def test_it_reads_as_prose(paragraphs):
    tokens = [token for p in paragraphs for token in re.split(r"[\s/-]+", p.text)]
    assert sum(token.strip("\"'().,;:!?").isalpha() for token in tokens) > 0.96 * len(tokens)
    common = Counter(word for p in paragraphs for word in words(p.text))
    assert {word for word, _ in common.most_common(6)} == {"the", ".", ",", "to", "a", "of"}
    for p in paragraphs:
        assert p.text == " ".join(p.text.split()) and p.text.isascii()
        assert not re.search(r"[`*_=<>{}\[\]\\|@#$^~]|>>>|::|://|\w\(\)|%\(", p.text), p
        assert re.match(r"[\"'(]?[A-Z]", p.text) and re.search(r"[.!?][\"')]*$", p.text), p


def test_a_package_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="'no_such_package' is not installed"):
        docstrings.paragraphs(("no_such_package",))


# ---------------------------------------------------------------- the cleaning

NUMPYDOC = '''Return the *weighted* average, see `numpy.mean`.

    First paragraph of prose, with ``a.shape`` and :class:`~numpy.ma.MaskedArray`
    on two lines [1]_.

    .. versionadded:: 1.7
       Not this.

    Parameters
    ----------
    a : array_like
        The array to average over.

    Returns
    -------
    out : float
        What is returned.

    Notes
    -----
    The notes are prose too (e.g. this one).

    The formula ``a = b`` is not.

    .. math:: a = b

    where this goes on.

    .. note:: A note in the
       margin.

       With two paragraphs.

           code_in_the_note()

    After the note.

    - Not a list.
    - Nor this.

    ====  ====
    Not   This
    ====  ====

    For example::

        Not this block of code.

    References
    ----------
    .. [1] Somebody, A book.

    Examples
    --------
    Not even sentences here.

    >>> np.average([1, 2])
    1.5
    '''

GOOGLE = '''bmm(input, mat2, *, out=None) -> Tensor

Performs a product of matrices. Both must be 3-D.

.. note:: This function does not broadcast. See :func:`torch.matmul`.

Note:
    On some devices, :attr:`input` is rounded.

Warning::

    This may change.

If :math:`n` is 3, it works. This one has a period.
Args:
    input (Tensor): The first batch.

        Not this either.
    {out}

The norm is :math:`\\\\sqrt{x}` here.

Call f(x) or read a/b/c or see https://example.org.

Example::

    >>> Not this.
'''


def test_numpydoc():
    assert list(prose(inspect.cleandoc(NUMPYDOC))) == [
        "Return the weighted average, see mean.",
        "First paragraph of prose, with shape and MaskedArray on two lines.",
        "The notes are prose too (e.g. this one).",
        "A note in the margin.",
        "With two paragraphs.",
        "After the note.",
    ]


def test_google_style():
    assert list(prose(GOOGLE)) == [
        "Performs a product of matrices. Both must be 3-D.",
        "This function does not broadcast. See matmul.",
        "On some devices, input is rounded.",
        "This may change.",
        "If n is 3, it works. This one has a period.",
    ]


SOURCE = '''# coding: latin-1
"""The module."""
from c import add_newdoc, f
class Caf\xe9:
    "The class."
    def method(self):
        r"""The \\method.

            Indented.
        """
        "not a docstring"
add_newdoc("c", "f", ("x", """The function in C.
"""))
'''


def test_read(tmp_path, monkeypatch):
    package = tmp_path / "some_package"
    for folder in ("sub", "tests", "_private"):
        (package / folder).mkdir(parents=True)
    for name in ("__init__.py", "tests/a.py", "_private/a.py", "sub/b.txt"):
        (package / name).write_text('"""The docstring."""')
    (package / "sub" / "a.py").write_bytes(SOURCE.replace("\n", "\r\n").encode("latin-1"))
    monkeypatch.syspath_prepend(tmp_path)
    assert list(docstrings.read("some_package")) == [
        ("some_package/__init__.py:1", "The docstring."),
        ("some_package/sub/a.py:2", "The module."),
        ("some_package/sub/a.py:5", "The class."),
        ("some_package/sub/a.py:7", "The \\method.\n\nIndented."),
        ("some_package/sub/a.py:12", "The function in C."),
    ]


# ---------------------------------------------------------------- the classification


def test_classes_are_balanced_and_random():
    pairs = docstrings.classification(300)
    assert Counter(label for _, label in pairs) == {library: 300 for library in LIBRARIES}
    assert len({text for text, _ in pairs}) == 900
    assert Counter(label for _, label in pairs[:300]).most_common()[-1][1] > 60  # shuffled
    assert docstrings.classification(300) == pairs
    assert docstrings.classification(300, seed=1) != pairs


def test_splits_share_no_docstring(paragraphs):
    where = {p.text: p.where for p in paragraphs}
    train, test = ({where[text] for text, _ in docstrings.classification(300, split=s)} for s in ("train", "test"))
    assert train and test and not train & test


def test_no_text_names_its_library():
    for text, _ in docstrings.classification(1000) + docstrings.classification(300, split="test"):
        assert not {"numpy", "np", "torch", "pytorch", "matplotlib", "mpl", "plt", "pyplot"} & set(words(text)), text


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_per_class": 5000}, "paragraphs of numpy, so give 1 to "),
        ({"n_per_class": 0}, "n_per_class=0"),
        ({"n_per_class": 1, "split": "valid"}, "unknown split 'valid'"),
    ],
)
def test_classification_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        docstrings.classification(**arguments)


def test_words():
    assert words("Don't use 2.5 two-sided arrays (e.g. this), see ReLU.") == [
        "don't", "use", "2.5", "two-sided", "arrays", "(", "e.g", ".", "this", ")", ",", "see", "relu", ".",
    ]  # fmt: skip
