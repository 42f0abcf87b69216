"""The English of scientific Python: the docstrings of the packages that you have just installed, as prose.

The text is read from the installed source files of numpy, torch and matplotlib with :mod:`ast`; nothing is
imported or run. Licences: numpy and torch BSD-3-Clause (some parts under other permissive licences), matplotlib its
own, based on that of the Python Software Foundation. The text stays where it is: the book holds no copy of it.

:func:`read` finds the docstrings, :func:`prose` keeps what reads as English, :func:`paragraphs` puts it together.
With the pinned versions of the three packages, the result is the same on every machine and Python version.
"""

import ast
import gc
import importlib.util
import inspect
import random
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

LIBRARIES = ("numpy", "torch", "matplotlib")
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of prose, the library that it is from, and the place of its docstring ("file:line")."""

    text: str
    library: str
    where: str


def paragraphs(libraries: tuple[str, ...] = LIBRARIES, min_words: int = 8) -> list[Paragraph]:
    """Every paragraph with at least ``min_words`` words, once, in the order of the files and lines.

    The three libraries give about a million characters. Reading them takes several seconds, once in a program.
    Raises ValueError for a package that isn't installed.
    """
    first = {}  # the same text in two places counts once, where it was first
    for library in libraries:
        for paragraph in _library(library):
            if len(paragraph.text.split()) >= min_words:
                first.setdefault(paragraph.text, paragraph)
    return list(first.values())


def classification(n_per_class: int, seed: int = 0, split: str = "train") -> list[tuple[str, str]]:
    """(text, library) pairs for the task "which library is this paragraph from?".

    Every library has ``n_per_class`` of them; the order is random, by ``seed``. The splits, "train" (three quarters)
    and "test", have no docstring in common. Paragraphs that name one of the three libraries (see GIVEAWAYS) are left
    out rather than masked, so that every text is real and has to be judged by what it is about.

    Raises ValueError for an unknown split, or if a library hasn't so many paragraphs.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: give one of {SPLITS}")
    chance = random.Random(seed)
    chosen = []
    usable = [p for p in paragraphs() if split_of(p.where) == split and not GIVEAWAYS.search(p.text)]
    for library in LIBRARIES:
        fit = [p for p in usable if p.library == library]
        if not 0 < n_per_class <= len(fit):
            raise ValueError(
                f"n_per_class={n_per_class}: the split {split!r} has {len(fit)} paragraphs of {library}, "
                f"so give 1 to {len(fit)}"
            )
        chosen += sorted(fit, key=lambda p: chance.random())[:n_per_class]
    return [(p.text, p.library) for p in sorted(chosen, key=lambda p: chance.random())]


GIVEAWAYS = re.compile(r"numpy|torch|matplotlib|pyplot|pylab|\b(?:np|plt|mpl)\b", re.IGNORECASE)


def words(text: str) -> list[str]:
    """Lower-cased words and punctuation marks. Hyphens and apostrophes inside a word stay: "don't", "two-sided"."""
    return re.findall(r"\w+(?:[-'.]\w+)*|[^\w\s]", text.lower())


# ---------------------------------------------------------------- from files to docstrings

# Not read: tests, what only some Python versions have (numpy.distutils), and private folders but numpy's core.
SKIPPED = re.compile(r"/(?:tests|testing|distutils|_(?!core/)\w+)/")
# Functions that attach a docstring to something written in C: numpy's and torch's.
ADDING = {"add_newdoc", "add_docstr", "add_docstr_all"}


def read(library: str) -> Iterator[tuple[str, str]]:
    """Every docstring of an installed package, as ("file:line", docstring): files by name, then as they stand."""
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"the package {library!r} is not installed here, so its docstrings can't be read")
    root = Path(spec.submodule_search_locations[0])
    names = (path.relative_to(root.parent).as_posix() for path in root.rglob("*.py"))
    for name in sorted(name for name in names if not SKIPPED.search(name)):
        with warnings.catch_warnings(), no_collection():
            warnings.simplefilter("ignore", SyntaxWarning)  # newer versions of Python mind a stray backslash
            tree = ast.parse((root.parent / name).read_bytes())
        for text in _strings(tree):
            yield f"{name}:{text.lineno}", inspect.cleandoc(text.value)


@contextmanager
def no_collection() -> Iterator[None]:
    """Without a search for cycles, of which a tree has none: it took nearly half of the reading time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _strings(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> Iterator[ast.Constant]:
    """The docstrings of a module, class or function, and of what is defined in it."""
    for i, child in enumerate(node.body):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _strings(child)
        elif isinstance(child, ast.Expr):
            if i == 0 and _is_text(child.value):
                yield child.value
            elif isinstance(child.value, ast.Call) and ast.unparse(child.value.func).split(".")[-1] in ADDING:
                yield from sorted(filter(_is_text, ast.walk(child.value)), key=lambda text: -len(text.value))[:1]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@lru_cache
def _library(library: str) -> tuple[Paragraph, ...]:
    return tuple(Paragraph(text, library, where) for where, docstring in read(library) for text in prose(docstring))


def split_of(where: str) -> str:
    """The split that a docstring belongs to, by its place: "train" (three quarters) or "test"."""
    return "test" if zlib.crc32(where.encode()) % 4 == 0 else "train"


# ---------------------------------------------------------------- from docstrings to prose

# Sections in numpydoc's style (a title, underlined) that hold lists or code.
LISTS = re.compile(
    r"(?:(?:other |keyword )?(?:parameters|arguments)|returns?|yields|receives|raises|warns|see also|examples?|"
    r"references|(?:class )?attributes|methods|usage):?",
    re.IGNORECASE,
)
UNDERLINE = re.compile(r"([-=~^#*+])\1{2,}")
# What opens an indented block of prose: ".. note:: text" or "Note:". Any other indented block is a list or code.
NOTE = re.compile(
    r"(?:\.\. (?:note|warning|tip|hint|important|caution|attention)::|(?:note|warning|tip|important)s?:{1,2}$)\s*(.*)",
    re.IGNORECASE,
)
# A line that isn't running text: a doctest, a directive, an item of a list, a field, a table.
MARK = re.compile(r">>>|\.\.|\||\+-|:\w[\w ]*:(?!`)|(?:[-*+•#]|\(?(?:\d+|[a-z]|#)[.)])(?:\s|$)")


def prose(docstring: str) -> Iterator[str]:
    """The paragraphs of a docstring that read as English, each on one line, without markup.

    Left out are doctests, code, lists, tables, formulas and the sections that describe parameters, results and
    exceptions; and any paragraph that isn't made of whole sentences, or that has code or names of files in it.
    """
    in_list = False  # inside a section of LISTS
    margin = 0  # the indentation of running text: 0, or that of a note
    note = None  # the indentation of a note's title that has just been read
    for lines in _blocks(docstring):
        if len(lines) > 1 and UNDERLINE.fullmatch(lines[1][1]):
            in_list, margin = bool(LISTS.fullmatch(lines[0][1])), 0
            lines = lines[2:]
        elif opening := NOTE.match(lines[0][1]):
            note = lines[0][0]
            indent = lines[1][0] if len(lines) > 1 else note + 1
            lines = [(indent, opening[1])] * bool(opening[1]) + lines[1:]
        if in_list or not lines:
            continue
        indent = lines[0][0]
        if note is not None and indent > note:
            margin = indent
        elif indent < margin:
            margin = 0
        note = None
        if indent == margin:
            running = [text for _, text in takewhile(lambda x: x[0] == indent and not MARK.match(x[1]), lines)]
            if len(running) < len(lines) and running and running[-1].endswith(":"):
                running.pop()  # the title of what follows, say "Args:"
            text = _plain(" ".join(running))
            if _reads_well(text):
                yield text


def _blocks(docstring: str) -> Iterator[list[tuple[int, str]]]:
    """The parts between blank lines, each a list of (indentation, line)."""
    block = []
    for line in [*docstring.splitlines(), ""]:
        if line.strip():
            block.append((len(line) - len(line.lstrip()), line.strip()))
        elif block:
            yield block
            block = []


def _plain(text: str) -> str:
    """Without the markup of reStructuredText. Code keeps its last name: `numpy.linalg.norm()` becomes norm."""
    text = re.sub(r":math:`([^`]*)`", lambda m: m[1] if re.fullmatch(r"[\w .,+-]+", m[1]) else "$", text)
    text = re.sub(r"(?::[\w:]+:)?(`+)([^`]+)\1_{0,2}", lambda m: _last_name(m[2]), text)
    text = re.sub(r"(?<![\w*])(\*\*?)([^\s*](?:[^*]*[^\s*])?)\1(?![\w*])", r"\2", text)  # *this* and **this**
    text = re.sub(r"(?<!\bsee)(?<!\bin)(?<!\bof)(?<!\bby)(?<!\band) \[\w+\]_(?=[.,;)])", "", text)  # a citation [1]_
    return " ".join(text.split())


def _last_name(code: str) -> str:
    code = code.split("<")[0] if "<" in code.strip("<") else code  # `title <target>`
    code = code.strip().removesuffix("()")
    return code.rsplit(".", 1)[-1] if re.fullmatch(r"[~!.]*[\w.]+", code) else code


def _reads_well(text: str) -> bool:
    """Whole sentences of English, in plain characters, with nothing in them that looks like code."""
    if not SENTENCES.fullmatch(text) or DEBRIS.search(ABBREVIATION.sub("", text)) or text.isupper():
        return False
    tokens = [re.sub(r"[^\w]", "", token) for token in text.split()]
    return sum(token.isalpha() for token in tokens) >= 0.8 * len(tokens)


SENTENCES = re.compile(r"""["'(]?[A-Z][A-Za-z0-9\s.,;:!?'"()/%-]*[.!?]["')]*""")
ABBREVIATION = re.compile(r"\b(?:[A-Za-z]\.)+[A-Za-z]\b")  # e.g. and i.e. aren't a.name
DEBRIS = re.compile(
    r"\w\.[A-Za-z]"  # a.name
    r"|\w\((?!e?s\))"  # a call(x), but not a plural(s)
    r"|\)\(|:[\w:]"
    r"|/\w*/"  # a path
    r"|%[(\w]"  # a placeholder
    r"|--"
    r"|\s[.,;:!?](?!\.)"  # a .suffix, or something that has gone missing
    r"|(?<!\.)\.\.(?!\.)"
    r"|^(?:TODO|FIXME|XXX|Copyright)"
)
