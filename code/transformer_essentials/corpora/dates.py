"""The same date, written out in two languages: a translation task with real data and known alignments.

    Tuesday, March 5, 2024   ->   mardi 5 mars 2024   |   2024年3月5日星期二   |   2024-03-05

How each language writes a date (order, names, punctuation) is in the Unicode Consortium's Common Locale Data
Repository (CLDR, Unicode License), which the package Babel (BSD licence) carries. Tokens are characters.

Three things to know about Babel's dates: they all follow the Gregorian calendar, also where CLDR has another
one by custom (Thai, Persian); numbers are in the digits 0 to 9, also where CLDR has others (Arabic, Marathi);
and some locales add more than the date, such as the era in Thai.
"""

import datetime
import random
import zlib
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import DateTimeFormat, get_date_format, tokenize_pattern

from transformer_essentials.corpora.pair import Pair

STYLES = ("full", "long")
SPLITS = ("train", "valid", "test")
FIRST_YEAR, LAST_YEAR = 1900, 2099
# the letters of CLDR's date patterns (Unicode Technical Standard 35, part 4, "Date Field Symbol Table")
FIELDS = {"E": "weekday", "c": "weekday", "d": "day", "M": "month", "L": "month", "y": "year"}


def pairs(
    n: int,
    source: str = "en",
    target: str = "fr",
    seed: int = 0,
    split: str = "train",
    style: str = "full",
) -> list[Pair]:
    """``n`` different dates between 1900 and 2099, each written in the locales ``source`` and ``target``.

    A locale is a CLDR identifier ("en", "fr", "zh", "pt_BR", "zh_Hant"), or "iso" for the form 2024-03-05 of
    ISO 8601. The style "full" has the day of the week and "long" hasn't (ISO never has it). The splits "train"
    (80 % of all dates), "valid" and "test" (10 % each) have no date in common, whatever the seed and locales.

    The alignment links the characters of a field (day of the week, day, month, year) to those of the same field:
    digit by digit where both languages write it in digits, each character to each otherwise. What stands between
    the fields, and a field that the other language leaves out, has no links.

    Raises ValueError for an unknown locale, split or style, or more dates than the split has.
    """
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}: give one of {STYLES}")
    days = _days(split)
    if not 0 < n <= len(days):
        raise ValueError(f"n={n}: the split {split!r} has {len(days)} different dates, so n must be 1 to {len(days)}")
    chance = random.Random(seed)
    chosen = sorted(days, key=lambda day: chance.random())[:n]  # random() is the same in every Python version
    written = [(write(day, source, style), write(day, target, style)) for day in chosen]
    return [Pair(tuple(s), tuple(t), align(s, s_spans, t, t_spans)) for (s, s_spans), (t, t_spans) in written]


def write(date: datetime.date, locale: str, style: str = "full") -> tuple[str, dict[str, range]]:
    """The date as ``locale`` writes it, and the positions of each field's characters.

    >>> write(datetime.date(2024, 3, 5), "en", "long")
    ('March 5, 2024', {'month': range(0, 5), 'day': range(6, 7), 'year': range(9, 13)})
    """
    parsed, pattern = _pattern(locale, style)
    values = DateTimeFormat(date, parsed)
    text, spans = "", {}
    for kind, token in pattern:
        if kind == "chars":  # stands as it is
            text += token
        else:  # a letter and its count, say ("M", 4)
            letter, count = token
            value = values[letter * count]
            if letter in FIELDS:
                spans[FIELDS[letter]] = range(len(text), len(text) + len(value))
            text += value
    return text, spans


def align(
    source: str, source_spans: dict[str, range], target: str, target_spans: dict[str, range]
) -> frozenset[tuple[int, int]]:
    """The gold links (source index, target index) between two ways of writing a date: see :func:`pairs`.

    Digits are matched from the right. A zero in front, as in 05 for 5, is linked to the digit that it stands
    before if it is in the target, and has no link if it is in the source.
    """
    links = set()
    for field in source_spans.keys() & target_spans.keys():
        s, t = source_spans[field], target_spans[field]
        if source[s.start : s.stop].isdecimal() and target[t.start : t.stop].isdecimal():
            links.update((max(s.stop - k, s.start), t.stop - k) for k in range(1, len(t) + 1))
        else:
            links.update((j, i) for j in s for i in t)
    return frozenset(links)


@lru_cache
def _pattern(locale: str, style: str) -> tuple[Locale, list]:
    """The locale, and its pattern as a list of ("chars", text) and ("field", (letter, count))."""
    if locale == "iso":
        return Locale("en"), tokenize_pattern("y-MM-dd")
    try:
        parsed = Locale.parse(locale)
    except (UnknownLocaleError, ValueError, TypeError):
        raise ValueError(
            f"unknown locale {locale!r}: give an identifier of CLDR, such as 'fr', 'pt_BR' or 'zh_Hant', or 'iso'"
        ) from None
    return parsed, tokenize_pattern(get_date_format(style, parsed).pattern)


@lru_cache
def _days(split: str) -> tuple[datetime.date, ...]:
    """The dates of a split. Which one a date is in depends on the date alone."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: give one of {SPLITS}")
    first = datetime.date(FIRST_YEAR, 1, 1)
    count = (datetime.date(LAST_YEAR + 1, 1, 1) - first).days
    days = (first + datetime.timedelta(days=k) for k in range(count))
    return tuple(day for day in days if _split(day) == split)


def _split(day: datetime.date) -> str:
    return {0: "test", 1: "valid"}.get(zlib.crc32(day.isoformat().encode()) % 10, "train")
