"""The words of the grammar, read from the tables of ``lexicon.py``: their forms, and their uses.

First the forms: what the tables don't spell out follows the regular rules of each language.
Then the uses: which adjectives fit a noun, which verbs it can be the subject or object of,
where it can be. One combination in ten is held out, to ask a model later for what it has
never seen together.
"""

import zlib
from dataclasses import dataclass, field

from transformer_essentials.corpora import lexicon

# ------------------------------------------------------------------------------------- forms


def rows(table: str) -> list[list[str]]:
    """The table's lines, each split at the bars; an indented line goes on with the one before."""
    lines = table.strip().replace("\n  ", " ").splitlines()
    return [[" ".join(cell.split()) for cell in line.split("|")] for line in lines]


@dataclass(eq=False)
class Noun:
    """A noun in both languages: ``en`` and ``fr`` are (singular, plural or None)."""

    en: tuple
    fr: tuple
    gender: str
    kind: str  # its semantic class
    tags: frozenset  # the kind, what else can be done with it, and its English singular


@dataclass(eq=False)
class Adjective:
    """``fr``: m, f, m plural, f plural; ``liaison``: the masculine before a vowel."""

    en: str
    fr: tuple
    liaison: str
    before: bool
    gradable: bool
    said: bool  # with *is*
    passing: bool  # a state that comes and goes
    fits: frozenset


@dataclass(eq=False)
class Verb:
    """A verb's forms.

    ``en``: with a plural, with *i*, with *he*; in the past with singular and plural.
    ``fr`` and, where there is one, ``imperfect``: with je, il, nous, vous, ils.
    """

    en: tuple
    fr: tuple
    participle: tuple = ()  # m, f, m plural, f plural
    imperfect: tuple = ()
    particle: tuple = ()  # English words after it: look *for*
    flags: frozenset = frozenset()


def english_plural(word):
    """Regular plural, and the third person of a verb."""
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "sh", "ch", "go")) else "s")


def english_past(word):
    """Regular simple past."""
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ied"
    return word + ("d" if word.endswith("e") else "ed")


def french_plural(word):
    """Regular plural; also of adjectives and participles."""
    return word if word.endswith(("s", "x")) else word + "s"


def agreement(masculine, feminine=None, *plurals):
    """The four forms of an adjective or participle: m, f, m plural, f plural."""
    feminine = feminine or (masculine if masculine.endswith("e") else masculine + "e")
    return (masculine, feminine, *(plurals or map(french_plural, (masculine, feminine))))


def er_verb(infinitive):
    """The forms of a regular verb in -er: je, il, nous, vous, ils, participle."""
    stem = infinitive[:-2]
    soft = stem + ("e" if stem.endswith("g") else "")
    return f"{stem}e {stem}e {soft}ons {stem}ez {stem}ent {stem}é".split()


def read_noun(english, french, tags):
    """A line of ``NOUNS``."""
    singular, _, plural = english.partition("/")
    french, gender = french.split()
    fr_singular, _, fr_plural = french.partition("/")
    if plural == "-":
        plural = fr_plural = None
    else:
        plural = plural or english_plural(singular)
        fr_plural = fr_plural or french_plural(fr_singular)
    kind, *tags = tags.split()
    tags = frozenset((kind, *tags, singular))
    return Noun((singular, plural), (fr_singular, fr_plural), gender, kind, tags)


def read_adjective(english, french, fits):
    """A line of ``ADJECTIVES``."""
    forms, _, liaison = french.lstrip("<").partition("+")
    forms = agreement(*forms.split("/"))
    return Adjective(
        english.strip("~!-"),
        forms,
        liaison or forms[0],
        before=french.startswith("<"),
        gradable=not english.startswith("~"),
        said=not english.startswith("-"),
        passing=english.endswith("!"),
        fits=frozenset(fits.split()),
    )


def read_verb(english, french, flags=""):
    """A line of ``VERBS`` or ``OPINIONS``, but for its senses."""
    word, _, particle = english.partition(" ")
    base, _, past = word.partition("/")
    past = past or english_past(base)
    forms = french.split() if " " in french else er_verb(french)
    return Verb(
        (base, base, english_plural(base), past, past),
        tuple(forms[:5]),
        agreement(forms[5]),
        particle=tuple(particle.split()),
        flags=frozenset(flags.split()),
    )


# "is hungry" has the English of be and the French of have
BE = Verb(
    ("are", "am", "is", "was", "were"),
    ("suis", "est", "sommes", "êtes", "sont"),
    imperfect=("étais", "était", "étions", "étiez", "étaient"),
    flags=frozenset(["all"]),
)
HAVE = Verb(
    ("have", "have", "has", "had", "had"),
    ("ai", "a", "avons", "avez", "ont"),
    imperfect=("avais", "avait", "avions", "aviez", "avaient"),
    flags=frozenset(["all", "state"]),
)
FEEL = Verb(BE.en, HAVE.fr, imperfect=HAVE.imperfect, flags=BE.flags)
EXIST = Verb(BE.en, ("a",) * 5, imperfect=("avait",) * 5, flags=BE.flags)  # there is: il y a
DO = Verb(("do", "do", "does", "did", "did"), ())

# ---------------------------------------------------------------------------- what words can do


def held_out(*words: str) -> bool:
    """One combination of words in ten is kept for the split of that name."""
    return zlib.crc32(" ".join(words).encode()) % 10 == 0


@dataclass(eq=False)
class Choice:
    """Things to choose among: those of every split, and those of held-out combinations."""

    seen: list = field(default_factory=list)
    held: list = field(default_factory=list)

    def add(self, thing, *combination: str) -> None:
        (self.held if combination and held_out(*combination) else self.seen).append(thing)


@dataclass(eq=False)
class Sense:
    """One way to use a verb: who does it, what kind of thing follows, and which things.

    ``kind``: "alone"; "object"; "object to" (gives it to him), "to object" (gives him it),
    "to" (talks to him); "place" (goes to the market); and of *be* "quality", "mood" (a state
    that comes and goes) and "where".
    """

    verb: Verb
    kind: str
    subjects: frozenset
    objects: Choice = field(default_factory=Choice)
    recipients: list = field(default_factory=list)
    place: tuple = ()  # English preposition, French one, nouns


@dataclass
class Uses:
    """What the grammar knows of a noun."""

    before: Choice = field(default_factory=Choice)  # adjectives before it in French
    after: Choice = field(default_factory=Choice)  # and after it
    quality: Choice = field(default_factory=Choice)  # what it can be said to be
    mood: Choice = field(default_factory=Choice)  # and be for a while
    subject: list = field(default_factory=list)  # senses that it can be the subject of
    object: Choice = field(default_factory=Choice)  # and the object of
    places: list = field(default_factory=list)  # where it can be


PERSON = frozenset(["person"])
NOUNS = [read_noun(*row) for row in rows(lexicon.NOUNS)]
ADJECTIVES = [read_adjective(*row) for row in rows(lexicon.ADJECTIVES)]
NAMES = [Noun((x, None), (x, None), gender, "person", PERSON) for x, gender in rows(lexicon.NAMES)]
SOMEBODY = Noun((None, None), (None, None), "m", "person", PERSON)  # meant by *he* or *who*
SOMETHING = Noun((None, None), (None, None), "m", "thing", frozenset())  # meant by *what*


def nouns_of(text: str) -> list[Noun]:
    """The nouns that a list of tags and English words names, each once."""
    found = [[noun for noun in NOUNS if tag in noun.tags] for tag in text.split()]
    assert all(found), f"no noun for a tag among: {text}"
    return list(dict.fromkeys(noun for nouns in found for noun in nouns))


def senses_of(verb: Verb, text: str) -> list[Sense]:
    """The senses of a verb, as they are written in ``lexicon.VERBS``."""
    senses = []
    for part in text.split(";"):
        who, _, what = part.partition(":")
        subjects, what = frozenset(who.split()), what.strip()
        if not what:
            senses.append(Sense(verb, "alone", subjects))
        elif what.startswith(">"):
            en, fr, places = what[1:].split(maxsplit=2)
            place = (en.strip("_"), fr, nouns_of(places))
            senses.append(Sense(verb, "place", subjects, place=place))
        else:
            what, _, whom = what.partition("&")
            objects, recipients = Choice(), nouns_of(whom)
            for noun in nouns_of(what):
                objects.add(noun, verb.en[0], noun.en[0])
            kinds = ["object"] if not whom else ["object to", "to object"] if what else ["to"]
            senses += [Sense(verb, kind, subjects, objects, recipients) for kind in kinds]
    return senses


def all_senses() -> list[Sense]:
    """The senses of all verbs; those of *be* and *have* several times, to be used more."""
    senses = []
    for en, fr, flags, text in rows(lexicon.VERBS):
        senses += senses_of(read_verb(en, fr, flags), text)
    senses += senses_of(HAVE, f"person: {lexicon.BELONGINGS}") * 4
    living, anything = frozenset(["person", "animal"]), frozenset(n.kind for n in NOUNS)
    senses += [Sense(BE, "quality", anything)] * 5 + [Sense(BE, "where", anything)] * 3
    senses += [Sense(BE, "mood", living)] * 5
    return [sense for sense in senses if sense.objects.seen or not sense.objects.held]


def uses_of(noun: Noun, senses: list[Sense]) -> Uses:
    """All that concerns a noun, collected from the lexicon."""
    uses = Uses()
    tags = noun.tags - PERSON if "kin" in noun.tags else noun.tags  # *my sad uncle* sounds odd
    for adjective in ADJECTIVES:
        combination = (adjective.en, noun.en[0]) if noun in NOUNS else ()
        if adjective.said and adjective.fits & noun.tags:
            uses.quality.add(adjective, *combination)
            if adjective.passing:
                uses.mood.add(adjective, *combination)
        if adjective.fits & tags:
            (uses.before if adjective.before else uses.after).add(adjective, *combination)
    for en, fr, where, who in rows(lexicon.PLACES):
        if not noun.tags.isdisjoint(who.split()):
            uses.places.append((en, fr, nouns_of(where)))
    for sense in senses:
        if sense.subjects & noun.tags and (sense.kind != "where" or uses.places):
            uses.subject.append(sense)
        what = noun is SOMETHING and "nothing" in sense.verb.flags
        whom = noun is SOMEBODY and any(x.kind == "person" for x in sense.objects.seen[:1])
        if noun in sense.objects.seen or sense.kind == "object" and (what or whom):
            uses.object.seen.append(sense)
        elif noun in sense.objects.held:
            uses.object.held.append(sense)
    return uses


_senses = all_senses()
USES = {noun: uses_of(noun, _senses) for noun in [*NOUNS, *NAMES, SOMEBODY, SOMETHING]}
OPINIONS = [read_verb(en, fr, "all state") for en, fr in rows(lexicon.OPINIONS)]
IDIOMS, FREQUENCIES = rows(lexicon.IDIOMS), rows(lexicon.FREQUENCIES)
TIMES = {
    tense: [(en, fr, len(en.split())) for t, en, fr in rows(lexicon.TIMES) if t == tense]
    for tense in ("present", "past")
}
MANNERS: dict[str, list] = {}  # English verb -> adverbs, in both languages
for _en, _fr, _verbs in rows(lexicon.MANNERS):
    for _verb in _verbs.split():
        MANNERS.setdefault(_verb, []).append((_en, _fr))

PEOPLE, ANIMALS = nouns_of("person"), nouns_of("animal")
OTHERS = [noun for noun in NOUNS if noun.kind not in ("person", "animal")]
WHOLES = nouns_of("house castle church school station museum")  # they have doors and walls
OWNED = frozenset(lexicon.BELONGINGS.split()) | {"kin", "friend"}

# --------------------------------------------------------------------------------- small words

# determiners: English singular and plural; French m, f, m plural, f plural
DETERMINERS = {
    "the": ("the", "the", "le", "la", "les", "les"),
    "a": ("a", None, "un", "une", None, None),
    "this": ("this", "these", "ce", "cette", "ces", "ces"),
    "my": ("my", "my", "mon", "ma", "mes", "mes"),
    "his": ("his", "his", "son", "sa", "ses", "ses"),
    "her": ("her", "her", "son", "sa", "ses", "ses"),
    "our": ("our", "our", "notre", "notre", "nos", "nos"),
    "your": ("your", "your", "votre", "votre", "vos", "vos"),
    "their": ("their", "their", "leur", "leur", "leurs", "leurs"),
    "every": ("every", None, "chaque", "chaque", None, None),
    "several": (None, "several", None, None, "plusieurs", "plusieurs"),
    "many": (None, "many", None, None, "beaucoup de", "beaucoup de"),
    "all": (None, "all the", None, None, "tous=all les=the", "toutes=all les=the"),
    "which": ("which", "which", "quel", "quelle", "quels", "quelles"),
    "how many": (None, "how many", None, None, *["combien=how de=many"] * 2),
}
NUMBERS = [("two", "deux"), ("three", "trois"), ("four", "quatre"), ("five", "cinq")]
NUMBERS += [("six", "six")]
DETERMINERS |= {en: (None, en, None, None, fr, fr) for en, fr in NUMBERS}
POSSESSIVES = ("my", "his", "her", "our", "your", "their")

# subject pronouns
PRONOUNS = [
    ("i", "je", {"person": 1}),
    ("we", "nous", {"person": 1, "plural": True}),
    ("you", "vous", {"person": 2, "plural": True}),
    ("he", "il", {}),
    ("she", "elle", {"gender": "f"}),
    ("they", "ils", {"plural": True}),
]
NEGATIONS = {"not": "ne pas", "never": "ne jamais", "no longer": "ne=no plus=longer"}
