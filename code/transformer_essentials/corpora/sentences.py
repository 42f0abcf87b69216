"""Made sentences with names in them: the templates, the names, and who fills them in. See ``labelled.py``.

Names of countries, languages, currencies, months and days are those of the Unicode Consortium's CLDR (Unicode
License), in Babel (BSD licence). The templates and the names of people were written for this book.
"""

import datetime
import random
import re
import zlib
from functools import cache

from babel import Locale
from babel.numbers import get_currency_name

from transformer_essentials.corpora import dates

FIRST = """paul thomas louis antoine marie claire julie emma anna boris carla david elena felix hugo irene jana karl
laura marta nina oscar petra rosa simon tara ulla victor wanda yara zoe""".split()
LAST = "archer baker carter dyer fisher garner hunter mason miller palmer potter ryder sawyer tanner turner".split()
DOUBLES = "april chad georgia india israel jordan june kenya may nauru".split()
THINGS = "maps books apples shoes tickets lamps boats chairs clocks bicycles carpets candles spoons coats".split()
WHEN = ("", "", "on DAY", "in MONTH")

# A word in capitals stands for a name (or for NUMBER, THING, WHEN); the tags follow from it.
ENTITIES = """
PERSON called PERSON WHEN / PERSON lives in PLACE / PERSON may leave PLACE WHEN / PERSON speaks LANGUAGE with PERSON /
PERSON paid MONEY for THING / PERSON left PLACE WHEN / PERSON sold NUMBER THING to PERSON / PERSON is a doctor /
PERSON and PERSON march in PLACE WHEN / on DAY PERSON called PERSON / in MONTH PERSON left PLACE /
PLACE sells THING to PLACE / PLACE was cold WHEN / PLACE paid MONEY for THING / PLACE is far from PLACE /
MONTH was cold in PLACE / MONTH is far away / DAY is when PERSON called / LANGUAGE is spoken in PLACE /
LANGUAGE is far from LANGUAGE / MONEY is what PERSON paid WHEN / NUMBER THING came from PLACE WHEN
""".replace("\n", " ").split(" / ")  # fmt: skip

# What a passage may say of a person, the same in short, and what can be asked about it, with the answer's place.
FACTS = [
    ("lives in PLACE", "lives in PLACE", [
        ("where does PERSON live ?", "PLACE"), ("who lives in PLACE ?", "PERSON")]),
    ("speaks LANGUAGE at home", "speaks LANGUAGE", [
        ("which language does PERSON speak ?", "LANGUAGE"), ("who speaks LANGUAGE ?", "PERSON")]),
    ("called OTHER on DAY", "called OTHER", [
        ("when did PERSON call ?", "DAY"), ("whom did PERSON call ?", "OTHER"), ("who called OTHER ?", "PERSON")]),
    ("paid MONEY for THING", "bought THING", [
        ("how much did PERSON pay ?", "MONEY"), ("what did PERSON buy ?", "THING"), ("who bought THING ?", "PERSON")]),
    ("left COUNTRY in MONTH", "left COUNTRY", [
        ("when did PERSON leave ?", "MONTH"), ("which country did PERSON leave ?", "COUNTRY"),
        ("who left COUNTRY ?", "PERSON")]),
]  # fmt: skip

GOOD = "good great fine lovely excellent pleasant superb delightful clever charming".split()
BAD = "bad awful poor dull terrible boring dreadful ugly stupid unpleasant".split()
OPINIONS = [("the TOPIC was ADJECTIVE", 1), ("the TOPIC was very ADJECTIVE", 1), ("the TOPIC was not ADJECTIVE", -1),
            ("the TOPIC was never ADJECTIVE", -1), ("nobody found the TOPIC ADJECTIVE", -1),
            ("everybody found the TOPIC ADJECTIVE", 1)]  # fmt: skip
OPENERS = ["", "people said that it was ADJECTIVE , but", "it did not look ADJECTIVE , but", "it looked ADJECTIVE , but"]
TOPICS = "film book soup hotel play music garden speech dinner journey game story".split()


# ---------------------------------------------------------------- names


def held_out(name: str) -> bool:
    """Whether a name (of a person: the first) is kept for the split "test": one in five, but none of DOUBLES."""
    return zlib.crc32(name.encode()) % 5 == 0 and name not in DOUBLES


@cache
def names(kind: str) -> tuple[str, ...]:
    """All of a kind, in small letters: "PERSON" (first names), "PLACE", "LANGUAGE", "CURRENCY", "MONTH" or "WEEKDAY"."""
    english = Locale("en")
    no_country = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}
    found = {
        "PERSON": lambda: [*FIRST, *(name for name in DOUBLES if name != "nauru")],
        "PLACE": lambda: [v for k, v in english.territories.items() if k.isalpha() and k not in no_country],
        "LANGUAGE": lambda: [v for k, v in english.languages.items() if len(k) == 2],
        "CURRENCY": lambda: [get_currency_name(code, 2, "en") for code in english.currencies if code[0] != "X"],
        "MONTH": lambda: list(english.months["format"]["wide"].values()),
        "WEEKDAY": lambda: list(english.days["format"]["wide"].values()),
    }[kind]()
    fit = {name.lower() for name in found if re.fullmatch(r"[A-Za-z]+( [A-Za-z]+){0,2}", name)}
    return tuple(sorted(fit))


@cache
def _usable(kind: str, split: str) -> tuple[list[str], list[str]]:
    """The names that a split may use, and which of them are DOUBLES."""
    all_of_it = split == "test" or kind in ("MONTH", "WEEKDAY")
    fit = [name for name in names(kind) if all_of_it or not held_out(name)]
    return fit, [name for name in fit if name in DOUBLES]


# ---------------------------------------------------------------- filling in

TAG_OF = {"PERSON": "PERSON", "OTHER": "PERSON", "PLACE": "PLACE", "COUNTRY": "PLACE", "LANGUAGE": "LANGUAGE",
          "DAY": "DATE", "MONTH": "DATE", "MONEY": "MONEY", "NUMBER": "", "THING": ""}  # fmt: skip


class Writer:
    """Fills templates in, by chance: the same for the same seed and split, on every machine."""

    def __init__(self, seed: int, split: str):
        self.random = random.Random(zlib.crc32(f"{split} {seed}".encode())).random  # the same in every Python version
        self.split = split

    def pick(self, things):
        return things[int(len(things) * self.random())]

    def name(self, kind: str) -> str:
        fit, doubles = _usable(kind, self.split)
        return self.pick(doubles if doubles and self.random() < 0.3 else fit)

    def value(self, slot: str) -> str:
        """What a slot of a template becomes."""
        if slot in ("PERSON", "OTHER"):
            return self.name("PERSON") + self.pick(("", "", " " + self.pick(LAST)))
        if slot in ("PLACE", "COUNTRY", "LANGUAGE"):
            return self.name("LANGUAGE" if slot == "LANGUAGE" else "PLACE")
        if slot in ("NUMBER", "MONEY"):
            return f"{2 + int(98 * self.random())}" + (slot == "MONEY") * f" {self.name('CURRENCY')}"
        if slot == "MONTH":
            return self.name("MONTH") + self.pick(("", f" {2000 + int(30 * self.random())}"))
        if slot == "DAY" and self.random() < 0.5:
            day = datetime.date(2000, 1, 1) + datetime.timedelta(int(30 * 365 * self.random()))
            return " ".join(re.findall(r"\w+|,", dates.write(day, "en", self.pick(dates.STYLES))[0].lower()))
        return self.name("WEEKDAY") if slot == "DAY" else self.pick(THINGS)

    def fill(self, template: str, values: dict[str, str] | None = None) -> tuple[list[str], list[str]]:
        """The words of a template, and their tags. No value of a slot comes twice."""
        words, tags, used = [], [], set()
        for word in template.split():
            kind = TAG_OF.get(word)
            value = (values or {}).get(word) or (self.value(word) if word in TAG_OF else word)
            while kind and value in used:
                value = self.value(word)
            used.add(value)
            new = value.split()
            words += new
            tags += [f"{'I' if k else 'B'}-{kind}" if kind else "O" for k in range(len(new))]
        return words, tags

    def facts(self, counts: list[int]) -> list[tuple[int, dict[str, str], tuple]]:
        """(who, what its slots are, fact) in any order: so many facts a person. No word of a name comes twice."""
        while True:
            found, used = [], []
            for who, count in enumerate(counts):
                person = self.value("PERSON")
                used += person.split()
                for fact in sorted(FACTS, key=lambda fact: self.random())[:count]:
                    values = {slot: self.value(slot) for slot in fact[0].split() if slot in TAG_OF}
                    used += [word for value in values.values() for word in value.split() if word.isalpha()]
                    found.append((who, {"PERSON": person, **values}, fact))
            if len(set(used)) == len(used):
                return sorted(found, key=lambda fact: self.random())
