"""A controlled English–French grammar: sentence pairs with gold word alignments.

    every child did not see the black cat .
    chaque enfant n' a pas vu le chat noir .

Why a grammar: it writes as many pairs as are wanted, of any length, in correct and simple
French, and it knows which word translates which. It holds what makes translation more than
a look-up word by word: gender and number agree across the sentence, adjectives change
sides, negation wraps the verb, object pronouns move in front of it, prepositions and
articles run together.

How it is made: ``lexicon.py`` has the words, and who does what with what; ``phrases.py``
puts words together in both languages at once and keeps the links; this file says what goes
into a sentence. Every method of ``Writer`` that is given a number ``n`` returns a phrase of
exactly ``n`` English words: it takes what it needs and shares out the rest.

**Alignment.** Every French token has a link; an English word may have none. Words that are
translated together are all linked to each other (``because``: *parce que*). In particular:

- ``not`` is linked to *ne* and to *pas*, ``never`` to *ne* and *jamais*, ``nothing`` to *ne*
  and *rien*, ``nobody`` to *ne* and *personne*; of ``no longer``, ``no`` to *ne* and
  ``longer`` to *plus*.
- ``do`` and ``does`` have no link in a negation: the French verb has its own ending. In a
  question, the verb in front (``does``, ``did``, ``is``) is linked to *est-ce que*.
- In the passé composé, ``saw`` is linked to *a* and to *vu*; of ``did see``, ``did`` is
  linked to *a* and ``see`` to *vu*.
- A French article that English does without is linked to its noun: ``milk`` to *du* and
  *lait*; in ``paul 's car``, *la voiture de paul*, ``car`` to *la* and ``'s`` to *de*.
- A contraction keeps the links of both its parts: *du* is linked to ``of`` and ``the``.
- A preposition that English does without is linked to what asks for it: in ``gives paul a
  book`` *à* is linked to ``paul``, in ``obeys the king`` to ``obeys``; and in ``talks to
  him`` *lui* is linked to ``to`` and ``him``.

**French.** ``you`` is *vous*; the speaker is masculine, and so are ``they`` who were not
named; the English past is the passé composé, but the imperfect of *be* and *have*. ``it``
refers to the only word earlier in the sentence that it can mean, and takes its gender. All
is in lower case; *l'*, *n'*, *qu'* are tokens.

Written for this book; same licence as its code (MIT).
"""

import random
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache

from transformer_essentials.corpora import lexicon
from transformer_essentials.corpora.lexicon import BE, EXIST, FEEL, HAVE, Noun, Verb, rows
from transformer_essentials.corpora.pair import Pair
from transformer_essentials.corpora.phrases import (
    NOTHING, Clause, Phrase, Word, arrange, as_pair, elides, english, french, unit,
)  # fmt: skip

SPLITS = ("train", "valid", "test", "combinations")

# ------------------------------------------------------------------ the lexicon, connected


def held_out(*words: str) -> bool:
    """One combination of words in ten is kept for the split of that name."""
    return zlib.crc32(" ".join(words).encode()) % 10 == 0


@dataclass
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
NOUNS = [lexicon.read_noun(*row) for row in rows(lexicon.NOUNS)]
ADJECTIVES = [lexicon.read_adjective(*row) for row in rows(lexicon.ADJECTIVES)]
NAMES = [Noun((x, None), (x, None), gender, "person", PERSON) for x, gender in rows(lexicon.NAMES)]
SOMEBODY = Noun((None, None), (None, None), "m", "person", PERSON)  # meant by a pronoun


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
        senses += senses_of(lexicon.read_verb(en, fr, flags), text)
    senses += senses_of(HAVE, f"person: {lexicon.BELONGINGS}") * 4
    living, anything = frozenset(["person", "animal"]), frozenset(n.kind for n in NOUNS)
    senses += [Sense(BE, "quality", anything)] * 5 + [Sense(BE, "where", anything)] * 3
    return senses + [Sense(BE, "mood", living)] * 5


def uses_of(noun: Noun, senses: list[Sense]) -> Uses:
    """All that concerns a noun, collected from the lexicon."""
    uses = Uses()
    tags = noun.tags - PERSON if "kin" in noun.tags else noun.tags  # *my sad uncle* sounds odd
    for adjective in ADJECTIVES:
        combination = (adjective.en, noun.en[0]) if noun in NOUNS else ()
        if adjective.fits & noun.tags:
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
        if noun in sense.objects.seen:
            uses.object.seen.append(sense)
        elif noun in sense.objects.held:
            uses.object.held.append(sense)
    return uses


SENSES = all_senses()
USES = {noun: uses_of(noun, SENSES) for noun in [*NOUNS, *NAMES, SOMEBODY]}
OPINIONS = [lexicon.read_verb(en, fr, "all state") for en, fr in rows(lexicon.OPINIONS)]
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
OWNED = frozenset(lexicon.BELONGINGS.split()) | {"kin"}

# ------------------------------------------------------------------------- the small words

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
NUMBERS = {"two": "deux", "three": "trois", "four": "quatre", "five": "cinq", "six": "six"}
DETERMINERS |= {en: (None, en, None, None, fr, fr) for en, fr in NUMBERS.items()}
POSSESSIVES = ("my", "his", "her", "our", "your", "their")
# what each role of a noun phrase takes, and how often it is plural; "own": a possessive
SINGULAR = {
    "subject": "the the the the a a a this own own own every",
    "object": "the the the a a a this own own",
    "generic": "the this own own",
    "place": "the the the the a this own",
    "site": "the",
    "whom": "the the the a this own own",
}
PLURAL = {
    "subject": "the the the this some several many number own own",
    "object": "the the bare bare bare some this number several many own own",
    "generic": "bare bare bare bare the this own",
    "whom": "the this own own",
}
MASS = {"subject": "the the own this", "object": "bare bare some some the this own"}
MASS |= {"generic": "bare bare bare the this own", "whom": "the"}
PLURALS = {"subject": 0.35, "object": 0.4, "generic": 0.7, "whom": 0.2}

# subject pronouns
PRONOUNS = [
    ("i", "je", {"person": 1}),
    ("we", "nous", {"person": 1, "plural": True}),
    ("you", "vous", {"person": 2, "plural": True}),
    ("he", "il", {}),
    ("she", "elle", {"gender": "f"}),
    ("they", "ils", {"plural": True}),
]
NEGATIONS = [("not", "ne pas")] * 4 + [("never", "ne jamais"), ("no longer", "ne=no plus=longer")]

# what can follow a verb, and for each kind of sense how many words the first of these has
SLOTS = ("main", "recipient", "manner", "company", "place", "time")
MAIN = {
    "alone": (0,),
    "object": (1, 2, 3, 4, 5, 6, 7),
    "object to": (2, 3, 4),
    "to object": (2, 3, 4),
    "to": (1, 2, 3, 4, 5),
    "place": (3, 4, 5, 6),
    "quality": (1, 2, 4, 5, 6),
    "mood": (1, 2),
    "where": (3, 4, 5, 6),
}


@cache
def shares(n: int, slots: tuple) -> list[tuple]:
    """All ways to share n words among slots, each slot given as the sizes that it can take.

    Those that fill fewer slots come first.

    >>> shares(3, ((1, 2, 3), (0, 1)))
    [(3, 0), (2, 1)]
    """
    if not slots:
        return [()] if n == 0 else []
    ways = [(k, *rest) for k in slots[0] if k <= n for rest in shares(n - k, slots[1:])]
    return sorted(ways, key=lambda sizes: sum(size > 0 for size in sizes))


def pronoun_for(phrase: Phrase) -> str:
    """The English subject pronoun that can stand for a noun phrase."""
    if phrase.plural:
        return "they"
    if phrase.noun.kind == "person":
        return "she" if phrase.gender == "f" else "he"
    return "it"


# ------------------------------------------------------------------------------ the writer


class DeadEnd(Exception):
    """There is no good way to go on with this sentence: it is begun anew."""


class Writer:
    """Writes sentences. What it keeps in mind: the tense, and what has been mentioned."""

    def __init__(self, seed: int, held_out: bool = False):
        self.random = random.Random(seed).random  # the one method that will never change
        self.held_out = held_out  # may it use held-out combinations?

    def sentence(self, n: int) -> Pair:
        """A whole sentence of n tokens, the mark at its end included."""
        while True:
            self.past = self.chance(0.45)
            self.times = list(TIMES["past" if self.past else "present"])
            self.mentions, self.earlier = [], []  # noun phrases; those of earlier clauses
            self.coordinators = [("but", "mais"), ("and", "et"), ("so", "donc")]
            self.depth = 0  # above 0: no relative clause here
            self.reported = False  # has somebody said that …?
            self.held = 0  # held-out combinations used
            try:
                if n < 15 and self.chance(0.2):
                    return as_pair(self.question(n - 1) + unit("?", "?"))
                return as_pair(self.statement(n - 1) + unit(".", "."))
            except DeadEnd:
                continue

    # --- choices

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def between(self, low: int, high: int) -> int:
        if high < low:
            raise DeadEnd
        return low + int(self.random() * (high - low + 1))

    def pick(self, things):
        if not things:
            raise DeadEnd
        return things[int(self.random() * len(things))]

    def choose(self, choice):
        """One of a list or of a ``Choice``, counting what is held out."""
        if isinstance(choice, list):
            return self.pick(choice)
        if self.held_out and choice.held and self.chance(0.5):
            self.held += 1
            return self.pick(choice.held)
        return self.pick(choice.seen)

    def fresh(self, nouns) -> Noun:
        """One of the nouns, if possible one that the sentence doesn't have yet."""
        held = self.held
        for _ in range(4):
            self.held = held
            noun = self.choose(nouns)
            if all(noun is not phrase.noun for phrase in self.mentions):
                break
        return noun

    # --- sentences

    def statement(self, n: int) -> Phrase:
        """A statement of n words: one clause, or as many as it takes."""
        if n < 8 or n < 15 and self.chance((15 - n) / 8):
            return self.there_is(n) if 5 < n < 10 and self.chance(0.06) else self.clause(n)
        if n > 22 or n > 11 and self.chance(0.35):
            return self.coordinated(n)
        part = max(3, n // 3)
        match self.pick(["time", "opinion", "fronted", "followed", "followed"]):
            case "time" if self.times and n < 17:
                opening = self.time(self.between(1, 3)) + unit(",", ",")
                return opening + self.clause(n - len(opening.en))
            case "opinion" if not self.past and not self.reported:
                return self.opinion(n)
            case "fronted" if not self.past:
                first = self.between(part, n - 2 - part)
                when = unit(*self.pick([("when", "quand"), ("if", "si")]))
                return when + self.clause(first) + unit(",", ",") + self.clause(n - 2 - first)
        options = [("because", "parce que", ()), ("when", "quand", ("abrupt", "no time"))]
        if not self.past:
            options = [("because", "parce que", ()), ("when", "quand", ()), ("if", "si", ())]
            options += [("while", "pendant que", ("lasting", "event"))]
        en, fr, limits = self.pick(options)
        first = self.between(part, n - 1 - part)
        return self.clause(first) + unit(en, fr) + self.clause(n - 1 - first, limits=limits)

    def coordinated(self, n: int) -> Phrase:
        """Two statements joined by *, and* or *, but* or *, so*, each once in a sentence."""
        coordinator = self.pick(self.coordinators)
        self.coordinators = [c for c in self.coordinators if c is not coordinator]
        first = self.between(max(4, n // 2 - 3), min(n - 6, n // 2 + 3))
        opening = self.statement(first) + unit(",", ",") + unit(*coordinator)
        return opening + self.statement(n - 2 - first)

    def opinion(self, n: int) -> Phrase:
        """*paul thinks that …*: n words."""
        size = self.between(1, 2)
        clause = Clause(self.subject(size, people=True), self.pick(OPINIONS), self.past)
        self.reported = True
        clause.complement = unit("that", "que") + self.statement(n - size - 2)
        return clause.phrase()

    def there_is(self, n: int) -> Phrase:
        """*there is a cat in the garden*, *il y a un chat dans le jardin*: n words."""
        noun = self.pick([x for x in NOUNS if USES[x].places and "kin" not in x.tags])
        key, plural = self.pick([("a", False), ("a", False), ("number", True), ("many", True)])
        if "mass" in noun.tags:
            key, plural = "some", False
        size = self.between(2, n - 5)
        what = self.simple(size, noun, "object", False, key, plural)
        there, y = unit("there", "il"), NOTHING
        there.plural = what.plural
        y = french("y", there.en)
        clause = Clause(there, EXIST, self.past, pronoun=y)
        clause.complement = what + self.location(n - 2 - size, noun)
        return clause.phrase()

    def question(self, n: int) -> Phrase:
        """A question of n words, without its mark."""
        match self.pick(["whether", "who", "which", "adverb", "what", "whom", "object"]):
            case "who":
                return self.predicate(n - 1, unit("who", "qui", noun=SOMEBODY))
            case "which":
                noun, size = self.pick(PEOPLE + ANIMALS), min(n - 1, self.between(2, 3))
                subject = self.simple(size, noun, "subject", key="which")
                return self.predicate(n - size, subject)
            case "adverb" if n > 3:
                adverbs = [("where", "où", "no place"), ("when", "quand", "no time")]
                en, fr, limit = self.pick([*adverbs, ("why", "pourquoi", "event")])
                limits = ("event", limit) if en == "why" else ("event", limit, "affirmative")
                return unit(en, fr) + self.clause(n - 1, None, True, limits)
            case "what" if n > 3:
                eaten = Phrase(noun=self.pick(OTHERS))
                return unit("what", "que") + self.clause(n - 1, eaten, True, ("nothing", "affirmative"))
            case "whom" if n > 3:
                seen = Phrase(noun=self.pick(PEOPLE))
                return unit("who", "qui") + self.clause(n - 1, seen, True, ("affirmative",))
            case "object" if n > 4:
                key, size = self.pick([("which", 2), ("how many", 3)])
                noun = self.pick([x for x in OTHERS if x.en[1]])
                asked = self.simple(size, noun, "object", key=key, plural=key == "how many")
                return asked + self.clause(n - size, asked, True, ("affirmative",))
        return self.clause(n, question=True)

    # --- clauses

    def clause(self, n: int, moved: Phrase | None = None, question=False, limits=()) -> Phrase:
        """A subject and its predicate in n words; for the rest see ``predicate``."""
        self.earlier = list(self.mentions)
        size = self.pick((1, 1, 1, 2, 2, 2, 3) if n < 7 else (1, 1, 2, 2, 2, 3, 3, 4, 5, 6))
        size = max(1, min(size, n - (2 if question else 1) - (n > 4), 2 if moved else 6))
        plain = not (moved or question or limits)
        subject = self.subject(size, n - size, people=not plain)
        rest = n - size
        if plain and rest > 4 and subject.noun.kind == "person" and self.chance(0.15):
            first = self.between(1, rest - 3)
            done = self.predicate(first, subject, limits=("event", "affirmative"))
            again = Phrase().like(subject)
            more = self.predicate(rest - 1 - first, again, limits=("event", "affirmative"))
            return done + unit("and", "et") + more
        return self.predicate(rest, subject, moved, question, limits)

    def subject(self, n: int, room: int = 9, people: bool = False) -> Phrase:
        """A subject of n words, for a predicate of ``room`` words."""
        if n > 1:
            nouns = PEOPLE
            if not people and self.chance(0.35):
                nouns = OTHERS if 1 < room < 6 and self.chance(0.5) else ANIMALS
            return self.noun_phrase(n, nouns, "subject")
        known = []
        for phrase in self.earlier:
            pronoun, kind = pronoun_for(phrase), phrase.noun.kind
            if pronoun in ("he", "she") or self.only(pronoun) is phrase:
                if kind == "person" or not people and (kind == "animal" or 1 < room < 5):
                    known.append(phrase)
        if known and self.chance(0.65):
            phrase = self.pick(known)
            fr = ("il", "elle", "ils", "elles")[phrase.form]
            return unit(pronoun_for(phrase), fr).like(phrase)
        if not people and not self.past and self.chance(0.06):
            return self.noun_phrase(1, ANIMALS, "subject")
        if self.chance(0.4):
            return self.noun_phrase(1, PEOPLE, "subject")
        en, fr, features = self.pick(PRONOUNS)
        if en == "they" and any(phrase.plural for phrase in self.mentions):
            raise DeadEnd
        return unit(en, fr, noun=SOMEBODY, **features)

    def predicate(self, n: int, subject: Phrase, moved=None, question=False, limits=()) -> Phrase:
        """A subject and what is said of it, in n words beside the subject's own.

        ``moved``: the object, if it has been said already (*the book that …*, *which book*).
        ``limits``: "event", not a state; "abrupt", over in a moment; "lasting", not so;
        "nothing", a verb that one can ask *what?* of; "affirmative"; "no place"; "no time".
        """
        uses, held = USES[(moved or subject).noun], self.held
        for _ in range(40):
            self.held = held
            sense = self.choose(uses.object) if moved else self.pick(uses.subject)
            if not self.possible(sense, subject, moved, limits):
                continue
            clause = Clause(subject, sense.verb, self.past, question, moved)
            if "affirmative" not in limits:
                self.modify(clause, sense)
            modifiers = clause.negation.en + clause.frequency.en
            left = n - 1 - len(clause.particle) - len(modifiers)
            if sense.verb.en[0] != "are" and (question or modifiers and modifiers[0].text == "not"):
                left -= 1  # do, does or did
            ways = shares(left, self.slots(clause, sense, moved, limits)) if left >= 0 else None
            if ways:
                sizes = dict(zip(SLOTS, ways[int(len(ways) * self.random() ** 2)], strict=True))
                self.complete(clause, sense, sizes, moved)
                return clause.phrase()
        raise DeadEnd

    def possible(self, sense: Sense, subject: Phrase, moved, limits) -> bool:
        """Can this sense of a verb be used here?"""
        verb, flags = sense.verb, sense.verb.flags
        if self.past and not verb.imperfect and ("now" in flags or "state" in flags):
            return False
        if moved and sense.subjects.isdisjoint(subject.noun.tags):
            return False
        if subject.person < 3 and not self.past and "all" not in flags:
            return False
        if subject.person == 2 and ("être" in flags and self.past or verb.en[0] == "are"):
            if sense.kind != "where":
                return False  # one or many, he or she? The French would have to say
        refused = {
            "event": "state" in flags or verb.en[0] == "are",
            "abrupt": "abrupt" not in flags,
            "lasting": "abrupt" in flags,
            "nothing": "nothing" not in flags,
            "no place": sense.kind in ("place", "where"),
        }
        return not any(refused.get(limit) for limit in limits)

    def modify(self, clause: Clause, sense: Sense) -> None:
        """Perhaps a negation, perhaps an adverb of frequency."""
        negation = None
        if self.chance(0.18):
            negation, fr = self.pick(NEGATIONS)
            if negation != "not" and (clause.question or self.past and negation == "no longer"):
                negation, fr = NEGATIONS[0]
            clause.negation = unit(negation, fr)
        steady = "state" in sense.verb.flags or sense.kind in ("where", "quality")
        if not steady and self.chance(0.1):
            en, fr = self.pick(FREQUENCIES)
            if not negation or negation == "not" and en in ("often", "always"):
                clause.frequency = unit(en, fr)

    def slots(self, clause: Clause, sense: Sense, moved, limits) -> tuple:
        """The numbers of words that each slot of a clause can have: see ``SLOTS``."""
        kind, flags, subject = sense.kind, clause.verb.flags, clause.subject
        main, recipient, manner, company, place, time = MAIN[kind], *[(0,)] * 5
        if kind == "object to":
            recipient = (2, 3, 4)
            main += (1,) if self.referent(sense, subject) else ()
        elif kind == "to object":
            recipient = (1,) if moved else (1, 2, 3)
        elif kind == "place" and not sense.place[0]:
            main = (2, 3, 4, 5)
        elif kind == "quality" and subject.noun.kind != "person":
            main = (1, 2, 5, 6)
        if moved:
            main = (0,)
        if self.manners(clause):
            manner = (0, 1)
        if subject.noun.kind == "person" and "social" in flags:
            company = (0, 2, 3)
        event = kind in ("alone", "object", "object to", "to object", "to", "place")
        if event and subject.noun.kind in ("person", "animal") and "state" not in flags:
            calm = not {"abrupt", "nowhere"} & flags and kind in ("alone", "object", "to")
            if calm and "no place" not in limits:
                place = (0, 3, 4, 5, 6)
            negation = [word.text for word in clause.negation.en]
            if negation in ([], ["not"]) and not clause.frequency.en and "no time" not in limits and not self.depth:
                time = (0, *{size for _, _, size in self.times})
        return main, recipient, manner, company, place, time

    def manners(self, clause: Clause) -> list:
        """The adverbs of manner that a clause can have."""
        if clause.frequency.en:
            return []
        return [
            (en, fr)
            for en, fr in MANNERS.get(clause.verb.en[0], ())
            if (en != "together" or clause.subject.plural) and (en != "badly" or not clause.negation.en)
        ]

    def complete(self, clause: Clause, sense: Sense, sizes: dict, moved) -> None:
        """Fills the slots of a clause."""
        subject, size = clause.subject, sizes["main"]
        if sizes["manner"] and size > 3:
            raise DeadEnd
        more = any(sizes[slot] for slot in ("manner", "company", "place", "time"))
        self.depth += more  # a relative clause would swallow what follows it
        match sense.kind:
            case "object" if not moved:
                self.direct_object(clause, sense, sizes)
            case "object to" | "to object":
                self.giving(clause, sense, size, sizes["recipient"])
            case "to":
                clause.sources = [clause.head]
                if size == 1 and self.chance(0.6):
                    clause.complement = self.recipient(clause, clause.particle)
                else:
                    to = french("à", clause.particle or clause.sources)
                    clause.complement = to + self.noun_phrase(size, sense.recipients, "whom")
            case "place":
                en, fr, nouns = sense.place
                to = unit(en, fr) if en else french(fr, [clause.head])
                role = "place" if fr == "dans" else "site"
                clause.complement = to + self.noun_phrase(size - len(to.en), nouns, role)
            case "where":
                clause.complement = self.location(size, subject.noun)
            case "mood" if subject.noun.kind == "person" and self.chance(0.3):
                clause.verb = FEEL
                idiom = unit(*self.pick(IDIOMS))
                clause.complement = unit("very", "très") + idiom if size == 2 else idiom
            case "quality" | "mood":
                clause.complement = self.quality(size, subject, sense.kind)
        self.depth -= more
        if sizes["manner"]:
            clause.manner = unit(*self.pick(self.manners(clause)))
        if sizes["company"]:
            whom = self.noun_phrase(sizes["company"] - 1, PEOPLE, "whom")
            clause.adjuncts += unit("with", "avec") + whom
        if sizes["place"]:
            clause.adjuncts += self.location(sizes["place"], subject.noun, "inside")
        if sizes["time"]:
            clause.adjuncts += self.time(sizes["time"])

    def quality(self, n: int, subject: Phrase, kind: str) -> Phrase:
        """What somebody or something is, in n words: *old*, *very old*, *as old as paul*."""
        adjective = self.choose(getattr(USES[subject.noun], kind))
        if n > 1 and not adjective.gradable:
            raise DeadEnd
        phrase = unit(adjective.en, adjective.fr[subject.form])
        if n < 3:
            return phrase if n == 1 else unit("very", "très") + phrase
        alike = [x for x in NOUNS if x.kind == subject.noun.kind and x is not subject.noun]
        alike = [x for x in alike if adjective in USES[x].quality.seen]
        other = self.noun_phrase(n - 3, alike, "whom")
        return unit("as", "aussi") + phrase + unit("as", "que") + other

    def time(self, n: int) -> Phrase:
        """When: n words. A sentence says it once."""
        en, fr, _ = self.pick([time for time in self.times if time[2] == n])
        self.times = []
        return unit(en, fr)

    def location(self, n: int, noun: Noun, person: str = "") -> Phrase:
        """Where something is, in n words; a person may have to be "inside" or "beside" it."""
        places = [place for place in USES[noun].places if len(place[0].split()) + 2 <= n]
        if person and noun.kind == "person":
            inside = person == "inside"
            places = [p for p in places if p[0] == "at" or (p[0] == "in") == inside]
        en, fr, nouns = self.pick(places)
        role = "site" if en == "at" else "place"
        return unit(en, fr) + self.noun_phrase(n - len(en.split()), nouns, role)

    # --- objects and pronouns

    def direct_object(self, clause: Clause, sense: Sense, sizes: dict) -> None:
        """Gives a clause its object: a noun phrase, a pronoun, *nothing* or *nobody*."""
        size, flags, negated = sizes["main"], clause.verb.flags, bool(clause.negation.fr)
        people = sense.objects.seen[0].kind == "person"
        if size == 1 and self.chance(0.6):
            phrase = self.referent(sense, clause.subject)
            if phrase:
                return self.refer(clause, phrase)
            if people and self.chance(0.8):
                return self.person_object(clause)
            if not (negated or clause.question or clause.frequency.en or sum(sizes.values()) > 1):
                if people:
                    clause.complement = unit("nobody", "personne")
                    clause.negation = french("ne", clause.complement.en)
                    return None
                if "nothing" in flags:
                    clause.complement = english(Word("nothing"))
                    clause.negation = french("ne rien", clause.complement.en)
                    return None
        role = "generic" if "generic" in flags else "object"
        clause.complement = self.noun_phrase(size, sense.objects, role, negated)
        return None

    def giving(self, clause: Clause, sense: Sense, size: int, recipient: int) -> None:
        """*gives the book to paul*, *gives paul the book*, *gives him the book*, *gives it to him*."""
        what = NOTHING
        if size == 1:
            self.refer(clause, self.referent(sense, clause.subject))
            what = clause.complement
        elif size:
            what = self.noun_phrase(size, sense.objects, "object", bool(clause.negation.fr))
        if sense.kind == "object to" and recipient == 2 and self.chance(0.3):
            to = english(Word("to"))
            clause.complement = what + to + self.recipient(clause, to.en)
        elif sense.kind == "object to":
            whom = self.noun_phrase(recipient - 1, sense.recipients, "whom")
            clause.complement = what + unit("to", "à") + whom
        elif recipient == 1 and (not size or self.chance(0.7)):
            clause.complement = self.recipient(clause, []) + what
        else:
            whom = self.noun_phrase(recipient, sense.recipients, "whom")
            governing = next(word for word in whom.en if word.text in whom.noun.en)
            clause.complement = arrange([whom, what], [what, french("à", [governing]), whom])

    def only(self, pronoun: str) -> Phrase | None:
        """The one thing mentioned that a pronoun can mean, if it is from an earlier clause."""
        found = [phrase for phrase in self.mentions if pronoun_for(phrase) == pronoun]
        return found[0] if len(found) == 1 and found[0] in self.earlier else None

    def referent(self, sense: Sense, subject: Phrase) -> Phrase | None:
        """What *it* or *them* can only mean as the object of a verb, or None."""
        for pronoun in ("it", "they"):
            phrase = self.only(pronoun)
            if phrase and phrase.noun in sense.objects.seen and phrase.noun is not subject.noun:
                return phrase
        return None

    def refer(self, clause: Clause, phrase: Phrase) -> None:
        """Makes *it* or *them* the object of a clause."""
        pronoun = unit("them" if phrase.plural else "it", ("le", "la", "les", "les")[phrase.form])
        clause.object = phrase
        clause.complement, clause.pronoun = english(*pronoun.en), Phrase([], pronoun.fr)

    def person_object(self, clause: Clause) -> None:
        """Makes *him*, *her*, *me* … the direct object of a clause."""
        options = [("him", "le", {}), ("her", "la", {"gender": "f"})] * 2
        if not any(phrase.plural for phrase in self.mentions):
            options.append(("them", "les", {"plural": True}))
        if clause.subject.person != 1:
            options += [("me", "me", {}), ("us", "nous", {"plural": True})]
        if clause.subject.person != 2 and not self.past:
            options.append(("you", "vous", {"plural": True}))
        en, fr, features = self.pick(options)
        clause.object = unit(en, fr, **features)
        clause.complement = english(*clause.object.en)
        clause.pronoun = Phrase([], clause.object.fr)

    def recipient(self, clause: Clause, to: list[Word]) -> Phrase:
        """Makes *him*, *her*, *me* … the one to whom something is given or said."""
        if clause.pronoun.fr:  # le lui, but me le: the third person alone keeps it simple
            options = [("him", "lui"), ("her", "lui")]
        else:
            options = [("him", "lui"), ("her", "lui"), ("them", "leur")] * 2
            options += [("me", "me"), ("us", "nous")] if clause.subject.person != 1 else []
            options += [("you", "vous")] if clause.subject.person != 2 else []
        en, fr = self.pick(options)
        whom = english(Word(en))
        clause.pronoun += french(fr, [*to, *whom.en])
        return whom

    # --- noun phrases

    def noun_phrase(self, n: int, nouns, role: str, negated: bool = False) -> Phrase:
        """A noun phrase of n words about one of ``nouns``.

        ``role``: "subject"; "object"; "generic", what is liked; "whom", after *to* and
        *with*; "place", after *in* and the like; "site", after *at*, *to*, *from*.
        ``negated``: it is the object of a negated verb, where *un* becomes *de*.
        """
        noun = self.fresh(nouns)
        person = noun.kind == "person"
        full = role in ("subject", "object", "generic")
        ways = ["simple"] * (8 - 2 * n) if n < 5 else []
        if n == 1 and person:
            ways = ["name"]
        if n > 2 and noun.tags & OWNED and role != "site":
            ways += ["owned"]
        if n > 3 and not self.depth:
            ways += ["relative"] * (1 if n == 4 else 4)
        if n > 4 and full and USES[noun].places:
            ways += ["located"] * 2
        if n > 4 and full and noun.tags & {"part", "picture", "story"}:
            ways += ["of"] * 4
        if full and not negated and (n > 4 or n == 3 and person):
            ways += ["both"]
        match self.pick(ways):
            case "name":
                noun = self.fresh(NAMES)
                phrase = unit(noun.en[0], noun.fr[0], gender=noun.gender, noun=noun)
            case "simple":
                phrase = self.simple(n, noun, role, negated)
            case "owned":
                phrase = self.owned(n, noun)
            case "both":
                first = self.between(2, n - 3) if n > 3 else 1
                one = self.noun_phrase(first, nouns, role)
                other = self.noun_phrase(n - 1 - first, nouns, role)
                phrase = (one + unit("and", "et") + other).like(one)
                phrase.gender, phrase.plural = max(one.gender, other.gender), True  # "m" > "f"
            case "relative":
                size = self.between(2, min(3, n - (2 if noun.kind in ("person", "animal") else 3)))
                head = self.simple(size, noun, role, negated)
                phrase = (head + self.relative(n - size, head)).like(head)
            case "located":
                size = self.between(2, min(3, n - 3))
                head = self.simple(size, noun, role, negated)
                phrase = (head + self.location(n - size, noun, "beside")).like(head)
            case "of":
                size = self.between(2, min(3, n - 3))
                head = self.simple(size, noun, role, negated, "the")
                whole = WHOLES if noun.kind == "part" else PEOPLE
                rest = self.noun_phrase(n - size - 1, whole, "place")
                phrase = (head + unit("of", "de") + rest).like(head)
        self.mentions.append(phrase)
        return phrase

    def relative(self, n: int, head: Phrase) -> Phrase:
        """A relative clause of n words on a noun phrase: *who*, *whom*, *that*, *where*."""
        noun = head.noun
        person = noun.kind == "person"
        alive = noun.kind in ("person", "animal")
        ways = ["subject"] * (2 if alive else n < 5 and len(head.en) < 3)
        if n > 2 and USES[noun].object.seen:
            ways += ["object"] * 2
        if n > 2 and noun.tags & {"room", "site"}:
            ways += ["where"]
        self.depth += 1
        match self.pick(ways):
            case "subject":
                pronoun = unit("who" if person else "that", "qui").like(head)
                limits = ("event",) if len(head.en) > 2 else ()  # not *the sad man who is sad*
                phrase = self.predicate(n - 1, pronoun, limits=limits)
            case "object":
                pronoun = unit("whom" if person else "that", "que")
                phrase = pronoun + self.clause(n - 1, head)
            case "where":
                phrase = unit("where", "où") + self.clause(n - 1, limits=("event", "no place"))
        self.depth -= 1
        return phrase

    def core(self, noun: Noun, plural: bool) -> Phrase:
        """The noun alone."""
        word = Word(noun.en[plural])
        return Phrase([word], [(noun.fr[plural], [word])], noun.gender, plural, noun=noun)

    def simple(self, n: int, noun: Noun, role: str, negated=False, key=None, plural=None):
        """Determiner (``key``), number, adjectives and noun: one to four words (n)."""
        if plural is None:
            plural = n == 1 or self.chance(PLURALS.get(role, 0))
        core = self.core(noun, plural and noun.en[1] is not None)
        if n == 1 and not core.plural and "mass" not in noun.tags:
            raise DeadEnd
        key = self.determiner(core, role, negated) if key is None else key
        key = "bare" if n == 1 else self.pick(list(NUMBERS)) if key == "number" else key
        extra = n - 1 - (key != "bare") - (key == "how many")
        number = NOTHING
        if extra and core.plural and not negated and key in ("the", *POSSESSIVES):
            if self.chance(0.3):
                extra -= 1
                if key == "the" and self.chance(0.5):
                    key = "all"
                else:
                    number = unit(*self.pick(list(NUMBERS.items())))
        first, before, after = self.adjectives(extra, core)
        determiner = self.article(key, core, role, negated, bool(before))
        en = [determiner, number, *first, core]
        return arrange(en, [determiner, number, *before, core, *after]).like(core)

    def determiner(self, core: Phrase, role: str, negated: bool) -> str:
        """The key of a determiner that goes with the noun in its role."""
        tags = core.noun.tags
        if "unique" in tags:
            return "the"
        if "kin" in tags:
            return self.pick(POSSESSIVES)
        table = MASS if "mass" in tags else PLURAL if core.plural else SINGULAR
        key = self.pick(table[role].split())
        if key == "own":
            return "the" if "wild" in tags else self.pick(POSSESSIVES)
        uncounted = negated and key in ("some", "several", "many", "number")
        if uncounted or key == "every" and core.noun.kind not in ("person", "animal"):
            return "the"
        return key

    def article(self, key: str, core: Phrase, role: str, negated: bool, before: bool) -> Phrase:
        """The determiner itself; French has one also where English has none (``bare``)."""
        definite = DETERMINERS["the"][2 + core.form]
        partitive = "de" if negated or core.plural and before else f"de {definite}"
        if key == "bare":
            return french(definite if role in ("generic", "subject") else partitive, core.en)
        if key == "some":
            return unit("some", partitive)
        if key == "a" and negated:
            return unit("a", "de")
        row = DETERMINERS[key]
        return unit(row[core.plural], row[2 + core.form])

    def adjectives(self, n: int, core: Phrase) -> tuple[list, list, list]:
        """n words of adjectives: in English, before the noun in French, and after it."""
        if n == 0:
            return [], [], []
        before, after = USES[core.noun].before, USES[core.noun].after
        share = len(before.seen) / max(1, len(before.seen) + len(after.seen))
        if n == 1:
            choice = before if self.chance(share) else after
            phrase = self.adjective(self.choose(choice), core)
            return ([phrase], [phrase], []) if choice is before else ([phrase], [], [phrase])
        if n == 2 and before.seen and after.seen and self.chance(0.6):
            one, other = self.choose(before), self.choose(after)
            both = [self.adjective(one, core), self.adjective(other, core)]
            late = one.en in ("old", "young", "new") and other.gradable  # a tired old man
            return both[::-1] if late else both, both[:1], both[1:]
        choice = before if self.chance(share) else after
        adjective = self.choose(choice)
        if n > 2 or not adjective.gradable:
            raise DeadEnd
        phrase = unit("very", "très") + self.adjective(adjective, core)
        return ([phrase], [phrase], []) if choice is before else ([phrase], [], [phrase])

    def adjective(self, adjective, core: Phrase) -> Phrase:
        """An adjective next to its noun, in agreement."""
        liaison = adjective.before and core.form == 0 and elides(core.fr[0][0])
        return unit(adjective.en, adjective.liaison if liaison else adjective.fr[core.form])

    def owned(self, n: int, noun: Noun) -> Phrase:
        """*paul 's new car*, *la nouvelle voiture de paul*: n words."""
        size = self.between(0, 1) if 3 < n < 6 else max(0, n - 5)
        core = self.core(noun, noun.en[1] is not None and self.chance(0.3))
        first, before, after = self.adjectives(size, core)
        owner = self.fresh(NAMES if n - 2 - size == 1 else PEOPLE)
        if n - 2 - size == 1:
            owner = self.core(owner, False)
        else:
            owner = self.simple(n - 2 - size, owner, "place")
        self.mentions.append(owner)
        article, of = french(DETERMINERS["the"][2 + core.form], core.en), unit("'s", "de")
        return arrange(
            [owner, of, *first, core], [article, *before, core, *after, of, owner]
        ).like(core)


# ------------------------------------------------------------------------------ the corpus


def lengths(min_words: int, max_words: int, mean_words: float | None) -> list[float]:
    """The cumulative distribution of sentence lengths, from min_words to max_words.

    Geometric, cut off at both ends, with the ratio that gives the mean (found by
    bisection); uniform where the mean is None.
    """
    counts = range(min_words, max_words + 1)
    low, high = (0.0, 2.0) if mean_words is not None else (1.0, 1.0)
    for _ in range(50):
        ratio = (low + high) / 2
        weights = [1.0]
        for _ in counts[1:]:
            weights.append(weights[-1] * ratio)
        total = sum(weights)
        mean = sum(k * weight for k, weight in zip(counts, weights, strict=True)) / total
        if mean_words is not None:
            low, high = (ratio, high) if mean < mean_words else (low, ratio)
    cumulative = [weights[0] / total]
    for weight in weights[1:]:
        cumulative.append(cumulative[-1] + weight / total)
    return cumulative


def split_of(source: tuple[str, ...]) -> str:
    """The split that a sentence belongs to, by its words: valid and test an eighth each."""
    return {0: "test", 1: "valid"}.get(zlib.crc32(" ".join(source).encode()) % 8, "train")


def pairs(
    n: int,
    seed: int = 0,
    split: str = "train",
    min_words: int = 4,
    max_words: int = 50,
    mean_words: float | None = 15,
) -> list[Pair]:
    """n sentence pairs, the same on every machine for the same arguments.

    The length of the English sentence, its final mark included, is between ``min_words`` and
    ``max_words``. Lengths fall off geometrically, so that their mean is ``mean_words``; they
    are uniform where that is None.

    ``split``: "train", "valid" and "test" have no sentence in common, whatever the seeds.
    They leave out one in ten of the combinations of an adjective with a noun, and of a verb
    with its object; every sentence of "combinations" has at least one of those.

    Raises ValueError for an unknown split or an impossible length.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    if not 4 <= min_words <= max_words:
        raise ValueError(f"got words from {min_words} to {max_words}; need 4 <= min <= max")
    if mean_words is not None and not min_words < mean_words < max_words:
        raise ValueError(f"mean_words is {mean_words}; need {min_words} < mean < {max_words}")
    writer = Writer(zlib.crc32(f"{split} {seed}".encode()), held_out=split == "combinations")
    cumulative = lengths(min_words, max_words, mean_words)
    written = []
    while len(written) < n:
        length = min(min_words + bisect_right(cumulative, writer.random()), max_words)
        while True:
            pair = writer.sentence(length)
            if writer.held if split == "combinations" else split_of(pair.source) == split:
                break
        written.append(pair)
    return written
