"""A controlled English–French grammar: sentence pairs with gold word alignments.

    every child did not see the black cat .
    chaque enfant n' a pas vu le chat noir .

Why a grammar: it writes as many pairs as are wanted, of any length, in correct and simple
French, and it knows which word translates which. It holds what makes translation more than
a look-up word by word: gender and number agree across the sentence, adjectives change
sides, negation wraps the verb, object pronouns move in front of it, prepositions and
articles run together.

How it is made: ``lexicon.py`` has the words, and who does what with what; ``words.py``
reads it; ``phrases.py`` puts words together in both languages at once and keeps the links;
this file says what goes into a sentence. Every method of ``Writer`` that is given a number
``n`` returns a phrase of exactly ``n`` English words: it takes what it needs and shares out
the rest. What is possible is worked out by plain functions that remember their answers
(``senses_for``, ``slots_for``, ``ways_for``, ``shares``); ``Writer`` only picks.

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
from functools import cache

from transformer_essentials.corpora.pair import Pair
from transformer_essentials.corpora.phrases import (
    NOTHING, Clause, Phrase, Word, arrange, as_pair, elides, english, french, unit,
)  # fmt: skip
from transformer_essentials.corpora.words import (
    ANIMALS, BE, DETERMINERS, EXIST, FEEL, FREQUENCIES, HAVE, IDIOMS, MANNERS, NAMES, NEGATIONS,
    NOUNS, NUMBERS, OPINIONS, OTHERS, OWNED, PEOPLE, POSSESSIVES, PRONOUNS, SOMEBODY, SOMETHING,
    TIMES, USES, WHOLES, Adjective, Choice, Noun, Sense, Verb,
)  # fmt: skip

SPLITS = ("train", "valid", "test", "combinations")

# ------------------------------------------------------------------------- what is possible

# The determiners that a noun phrase takes in each role, the frequent ones several times, and
# how often it is plural. "own": a possessive; "bare": none in English. For the roles see
# ``Writer.noun_phrase``; "joint": beside *and*; "head": before a relative clause and the like.
SINGULAR = {
    "subject": "the the the the a a a this own own own every",
    "joint": "the the the the a a a this own own own",
    "head": "the the the a a this",
    "object": "the the the a a a this own own",
    "generic": "the this own own",
    "place": "the the the the a this own",
    "site": "the",
    "whom": "the the the a this own own",
}
PLURAL = {
    "subject": "the the the this some several many number own own",
    "joint": "the the the this number own own",
    "head": "the the the some several many this number",
    "object": "the the bare bare bare some this number several many own own",
    "generic": "bare bare bare bare the this own",
    "whom": "the this own own",
}
MASS = {
    "subject": "the the own this",
    "joint": "the",
    "head": "the the this",
    "object": "bare bare some some the this own",
    "generic": "bare bare bare the this own",
    "whom": "the",
}
SINGULAR, PLURAL, MASS = (
    {role: keys.split() for role, keys in table.items()} for table in (SINGULAR, PLURAL, MASS)
)
PLURALS = {"subject": 0.35, "joint": 0.3, "head": 0.25, "object": 0.4, "generic": 0.7, "whom": 0.2}

TIME_SIZES = {tense: sorted({size for _, _, size in times}) for tense, times in TIMES.items()}
COORDINATORS = [("but", "mais"), ("and", "et"), ("so", "donc")]
SUBORDINATORS = {
    "present": [
        ("because", "parce que", ()),
        ("when", "quand", ()),
        ("if", "si", ()),
        ("while", "pendant que", ("lasting", "event")),
    ],
    "past": [
        ("because", "parce que", ()),
        ("when", "quand", ("abrupt", "affirmative", "no time")),
    ],
}
ASKED = [noun for noun in PEOPLE + ANIMALS if "kin" not in noun.tags]  # which …?

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
LEAST = {kind: 1 + sizes[0] for kind, sizes in MAIN.items()}  # words from the verb on
LEAST |= {"object to": 5, "to object": 4, "place": 3}


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


@cache
def senses_for(subject: Noun, person: int, moved: Noun | None, past: bool, limits: tuple) -> Choice:
    """The senses of verbs that can be used for a subject, and an object that was said already."""

    def possible(sense: Sense) -> bool:
        verb, flags = sense.verb, sense.verb.flags
        be = verb.en[0] == "are"
        if past and not verb.imperfect and not flags.isdisjoint(("now", "state")):
            return False
        if not past and "then" in flags:
            return False
        if moved and (verb is HAVE or sense.subjects.isdisjoint(subject.tags)):
            return False
        if person < 3 and not past and "all" not in flags:
            return False
        if person == 2 and (past and "être" in flags or be and sense.kind != "where"):
            return False  # is *you* one or many, he or she? The French would have to say
        refused = {
            "event": be or "state" in flags,
            "dated": "state" in flags,
            "abrupt": "abrupt" not in flags,
            "lasting": "abrupt" in flags,
            "no place": sense.kind == "place" or not flags.isdisjoint(("abrupt", "nowhere")),
            "definite": be and sense.kind != "mood",
        }
        return not any(refused.get(limit) for limit in limits)

    if moved is None:
        return Choice([sense for sense in USES[subject].subject if possible(sense)])
    uses = USES[moved].object
    return Choice(list(filter(possible, uses.seen)), list(filter(possible, uses.held)))


@cache
def manners_for(verb: Verb, together: bool, negation: str) -> list:
    """The adverbs of manner that go with a verb, *together* among them or not."""
    return [
        (en, fr)
        for en, fr in MANNERS.get(verb.en[0], ())
        if (together or en != "together") and not (negation and en == "badly")
    ]


@cache
def slots_for(
    sense: Sense,
    kind: str,
    plural: bool,
    moved: bool,
    pronoun: bool,
    negation: str,
    frequency: bool,
    limits: tuple,
    times: tuple,
) -> tuple:
    """The numbers of words that each slot of a clause can have, in the order of ``SLOTS``.

    ``kind`` and ``plural``: of the subject; ``moved``: the object was said already;
    ``pronoun``: *it* or *them* can be the object; ``times``: sizes of what can say when.
    """  # fmt: skip
    flags, alive = sense.verb.flags, kind in ("person", "animal")
    main, recipient, manner, company, place, time = MAIN[sense.kind], *[(0,)] * 5
    if sense.kind == "object to":
        recipient = (2, 3, 4)
        main += (1,) if pronoun else ()
    elif sense.kind == "to object":
        recipient = (1,) if moved else (1, 2, 3)
    elif sense.kind == "place" and not sense.place[0]:
        main = (2, 3, 4, 5)
    elif sense.kind == "quality" and kind != "person":
        main = (1, 2, 5, 6)  # *as old as paul*, but *as old as the house*
    if moved:
        main = (0,)
    if manners_for(sense.verb, plural, negation) and not frequency:
        manner = (0, 1)
    if kind == "person" and "social" in flags:
        company = (0, 2, 3)
    if alive and "state" not in flags and sense.kind not in ("quality", "mood", "where"):
        if sense.kind in ("alone", "object", "to") and "no place" not in limits:
            place = (0, 3, 4, 5, 6) if flags.isdisjoint(("abrupt", "nowhere")) else (0,)
        if negation in ("", "not") and not frequency and "no time" not in limits:
            time = (0, *times)
    return main, recipient, manner, company, place, time


@cache
def places_for(noun: Noun, n: int, person: str) -> list:
    """Where a noun can be, said in at most n words; a person "inside" or "beside" the place."""
    places = [place for place in USES[noun].places if len(place[0].split()) + 2 <= n]
    if person and noun.kind == "person":
        places = [p for p in places if p[0] == "at" or (p[0] == "in") == (person == "inside")]
    return places


@cache
def graded(choice: Choice) -> Choice:
    """The adjectives of a choice that go with *very* and *as*."""
    return Choice([a for a in choice.seen if a.gradable], [a for a in choice.held if a.gradable])


@cache
def comparable(noun: Noun, adjective: Adjective) -> list[Noun]:
    """Other nouns of the same kind that can have this adjective."""
    alike = [other for other in NOUNS if other.kind == noun.kind and other is not noun]
    return [other for other in alike if adjective in USES[other].quality.seen]


@cache
def ways_for(noun: Noun, n: int, role: str, negated: bool, relative: bool) -> list[str]:
    """The ways to make a noun phrase of n words; ``relative``: may it have a relative clause?"""
    person = noun.kind == "person"
    full = role in ("subject", "object", "generic")
    ways = ["short"] * (10 - 2 * n) if n < 5 else []
    if n > 2 and noun.tags & OWNED and role != "site":
        ways += ["owned"]
    if relative and n > 3 and (n > 4 or noun.kind in ("person", "animal")):
        ways += ["relative"] * (1 if n == 4 else 4)
    if n > 4 and full and USES[noun].places:
        ways += ["located"] * 2
    if n > 4 and full and noun.tags & {"part", "picture", "story"}:
        ways += ["of"] * 4
    if full and not negated and (n > 4 or n == 3 and person):
        ways += ["both"]
    return ways


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
            self.tense = "past" if self.past else "present"
            self.dated = False  # has it been said when?
            self.mentions = {"he": [], "she": [], "it": [], "they": []}  # noun phrases, by pronoun
            self.earlier = []  # those of earlier clauses
            self.used = set()  # nouns, adjectives and verbs: none is said twice
            self.coordinators = COORDINATORS
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
        held = 5 * len(choice.held) if self.held_out else 0  # 5: rare as they are, show them
        if held and self.chance(held / (held + len(choice.seen))):
            self.held += 1
            return self.pick(choice.held)
        return self.pick(choice.seen)

    def fresh(self, choice):
        """``choose`` what the sentence doesn't have yet."""
        held = self.held
        for _ in range(6):
            self.held = held
            thing = self.choose(choice)
            if thing not in self.used:
                self.used.add(thing)
                return thing
        raise DeadEnd

    # --- sentences

    def statement(self, n: int) -> Phrase:
        """A statement of n words: one clause, or as many as it takes."""
        if n < 8 or n < 15 and self.chance((15 - n) / 8):
            return self.there_is(n) if 5 < n < 10 and self.chance(0.06) else self.clause(n)
        if n > 22 or n > 11 and self.chance(0.35):
            return self.coordinated(n)
        part = max(3, n // 3)
        match self.pick(["time", "opinion", "fronted", "followed", "followed"]):
            case "time" if not self.dated and n < 17:
                opening = self.time(self.pick(TIME_SIZES[self.tense])) + unit(",", ",")
                return opening + self.clause(n - len(opening.en), limits=("dated",))
            case "opinion" if not self.past and not self.reported:
                return self.opinion(n)
            case "fronted" if not self.past:
                first = self.between(part, n - 2 - part)
                when = unit(*self.pick([("when", "quand"), ("if", "si")]))
                return when + self.clause(first) + unit(",", ",") + self.clause(n - 2 - first)
        en, fr, limits = self.pick(SUBORDINATORS[self.tense])
        first = self.between(part, n - 1 - part)
        return self.clause(first) + unit(en, fr) + self.clause(n - 1 - first, limits=limits)

    def coordinated(self, n: int) -> Phrase:
        """Two statements joined by *, and* or *, but* or *, so*, never twice the same in a row."""
        coordinator = self.pick(self.coordinators)
        left = [c for c in self.coordinators if c is not coordinator]
        self.coordinators = left or [c for c in COORDINATORS if c is not coordinator]
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
        there = unit("there", "il", plural=what.plural)
        clause = Clause(there, EXIST, self.past, pronoun=french("y", there.en))
        clause.complement = what + self.location(n - 2 - size, noun)
        return clause.phrase()

    def question(self, n: int) -> Phrase:
        """A question of n words, without its mark."""
        match self.pick(["whether", "who", "which", "adverb", "what", "whom", "object"]):
            case "who":
                return self.predicate(n - 1, unit("who", "qui", noun=SOMEBODY))
            case "which":
                noun, size = self.pick(ASKED), min(n - 1, self.between(2, 3))
                subject = self.simple(size, noun, "subject", key="which")
                return self.predicate(n - size, subject)
            case "adverb" if n > 3:
                adverbs = [("where", "où", "no place"), ("when", "quand", "no time")]
                en, fr, limit = self.pick([*adverbs, ("why", "pourquoi", "event")])
                limits = ("event", limit) if en == "why" else ("event", limit, "affirmative")
                return unit(en, fr) + self.clause(n - 1, None, True, limits)
            case "what" if n > 3:
                what = unit("what", "que", noun=SOMETHING)
                return what + self.clause(n - 1, what, True, ("affirmative",))
            case "whom" if n > 3:
                whom = unit("who", "qui", noun=SOMEBODY)
                return whom + self.clause(n - 1, whom, True, ("affirmative",))
            case "object" if n > 4:
                key, size = self.pick([("which", 2), ("how many", 3)])
                noun = self.pick([x for x in OTHERS if x.en[1]])
                asked = self.simple(size, noun, "object", key=key, plural=key == "how many")
                return asked + self.clause(n - size, asked, True, ("affirmative",))
        return self.clause(n, question=True)

    # --- clauses

    def clause(self, n: int, moved: Phrase | None = None, question=False, limits=()) -> Phrase:
        """A subject and its predicate in n words; for the rest see ``predicate``."""
        self.earlier = [phrase for phrases in self.mentions.values() for phrase in phrases]
        size = self.pick((1, 1, 1, 2, 2, 2, 3) if n < 7 else (1, 1, 2, 2, 2, 3, 3, 4, 5, 6))
        size = max(1, min(size, n - (2 if question else 1) - (n > 4), 2 if moved else 6))
        anybody = not moved and limits in ((), ("dated",))
        subject = self.subject(size, n - size, people=not anybody)
        plain = not (moved or question or limits)
        rest = n - size
        third = subject.noun.kind == "person" and (subject.person == 3 or not self.past)
        if plain and third and rest > 4 and self.chance(0.15):
            first = self.between(1, rest - 3)
            self.depth += 1  # a relative clause would swallow what follows it
            done = self.predicate(first, subject, limits=("event", "affirmative"))
            self.depth -= 1
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
        for pronoun, phrases in self.mentions.items():
            if pronoun in ("he", "she") or len(phrases) == 1:
                known += [phrase for phrase in phrases if phrase in self.earlier]
        if people or not 1 < room < 5:
            kinds = ("person",) if people else ("person", "animal")
            known = [phrase for phrase in known if phrase.noun.kind in kinds]
        if known and self.chance(0.65):
            phrase = self.pick(known)
            fr = ("il", "elle", "ils", "elles")[phrase.form]
            return unit(pronoun_for(phrase), fr).like(phrase)
        if not people and not self.past and room < 4 and self.chance(0.15):
            return self.noun_phrase(1, ANIMALS, "subject")
        if self.chance(0.4):
            return self.noun_phrase(1, PEOPLE, "subject")
        en, fr, features = self.pick(PRONOUNS[:3] if self.earlier else PRONOUNS)
        return unit(en, fr, noun=SOMEBODY, **features)

    def predicate(self, n: int, subject: Phrase, moved=None, question=False, limits=()) -> Phrase:
        """A subject and what is said of it, in n words beside the subject's own.

        ``moved``: the object, if it has been said already (*the book that …*, *which book*).
        ``limits``: "event", not a state; "dated", not *likes* or *has*; "abrupt", over in a
        moment; "lasting", not so; "affirmative"; "no place" and "no time", none is said here;
        "definite", not *is new* or *is in …*, since the subject isn't.
        """
        noun, object_ = subject.noun, moved and moved.noun
        first = subject.en[0].text if subject.en else ""
        if first in ("every", "all", "some"):
            limits = (*limits, "affirmative")  # *every man does not* means two things
        if first in ("a", "some"):
            limits = (*limits, "definite")  # rather *there is a …*
        senses = senses_for(noun, subject.person, object_, self.past, limits)
        times = () if self.dated or self.depth else tuple(TIME_SIZES[self.tense])
        held = self.held
        for _ in range(20):
            self.held = held
            sense = self.choose(senses)
            verb = sense.verb
            if verb in self.used or n < LEAST[sense.kind] - 2 * bool(moved):
                continue
            negation, frequency = self.modifiers(sense, question, limits)
            left = n - 1 - len(verb.particle) - len(negation.split()) - bool(frequency)
            if verb.en[0] != "are" and (question or negation == "not"):
                left -= 1  # do, does or did
            pronoun = sense.kind == "object to" and self.referent(sense, subject) is not None
            modifiers = negation, bool(frequency)
            slots = slots_for(
                sense, noun.kind, subject.plural, bool(moved), pronoun, *modifiers, limits, times
            )
            ways = shares(left, slots) if left >= 0 else ()
            if ways:
                if verb not in (BE, HAVE):
                    self.used.add(verb)
                clause = Clause(subject, verb, self.past, question, moved)
                if negation:
                    clause.negation = unit(negation, NEGATIONS[negation])
                if frequency:
                    clause.frequency = unit(*frequency)
                draw = self.random()
                sizes = ways[int(len(ways) * draw * draw)]  # rather few slots
                self.complete(clause, sense, negation, moved, *sizes)
                return clause.phrase()
        raise DeadEnd

    def modifiers(self, sense: Sense, question: bool, limits) -> tuple:
        """Perhaps a negation, perhaps an adverb of frequency."""
        negation, frequency = "", None
        if "affirmative" not in limits and self.chance(0.18):
            negation = "not" if question else self.pick(("not", "not", "not", "never", "no longer"))
            if self.past and negation == "no longer":
                negation = "never"
            if sense.kind == "quality" or "state" in sense.verb.flags and negation == "never":
                negation = "not"
        steady = "state" in sense.verb.flags or sense.kind in ("where", "quality")
        if not (steady or self.dated or "abrupt" in limits) and self.chance(0.1):
            en, fr = self.pick(FREQUENCIES)
            if not negation or negation == "not" and en in ("often", "always"):
                frequency = en, fr
        return negation, frequency

    def complete(
        self, clause, sense, negation, moved, size, recipient, manner, company, place, time
    ) -> None:
        """Fills the slots of a clause, given the number of words of each."""
        subject, more = clause.subject, any((manner, company, place, time))
        if manner and size > 3:
            raise DeadEnd
        self.depth += more  # a relative clause would swallow what follows it
        match sense.kind:
            case "object" if not moved:
                self.direct_object(clause, sense, size, bool(negation), alone=not more)
            case "object to" | "to object":
                self.giving(clause, sense, size, recipient, bool(negation))
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
                idiom = unit(*self.pick(IDIOMS[:-1] if size == 2 else IDIOMS))  # not *very right*
                clause.complement = unit("very", "très") + idiom if size == 2 else idiom
            case "quality" | "mood":
                clause.complement = self.quality(size, subject, sense.kind)
        self.depth -= more
        if manner:
            together = subject.plural and not company
            clause.manner = unit(*self.pick(manners_for(sense.verb, together, negation)))
        if company:
            clause.adjuncts += unit("with", "avec") + self.noun_phrase(company - 1, PEOPLE, "whom")
        if place:
            clause.adjuncts += self.location(place, subject.noun, "inside")
        if time:
            clause.adjuncts += self.time(time)

    def quality(self, n: int, subject: Phrase, kind: str) -> Phrase:
        """What somebody or something is, in n words: *old*, *very old*, *as old as paul*."""
        choice = getattr(USES[subject.noun], kind)
        adjective = self.fresh(choice if n == 1 else graded(choice))
        phrase = unit(adjective.en, adjective.fr[subject.form])
        if n < 3:
            return phrase if n == 1 else unit("very", "très") + phrase
        other = self.noun_phrase(n - 3, comparable(subject.noun, adjective), "whom")
        return unit("as", "aussi") + phrase + unit("as", "que") + other

    def time(self, n: int) -> Phrase:
        """When: n words. A sentence says it once."""
        self.dated = True
        return unit(*self.pick([(en, fr) for en, fr, size in TIMES[self.tense] if size == n]))

    def location(self, n: int, noun: Noun, person: str = "") -> Phrase:
        """Where something is, in n words; a person may have to be "inside" or "beside" it."""
        en, fr, nouns = self.pick(places_for(noun, n, person))
        role = "site" if en == "at" else "place"
        return unit(en, fr) + self.noun_phrase(n - len(en.split()), nouns, role)

    # --- objects and pronouns

    def direct_object(self, clause, sense, size: int, negated: bool, alone: bool) -> None:
        """Gives a clause its object: a noun phrase, a pronoun, *nothing* or *nobody*."""
        flags = clause.verb.flags
        people = sense.objects.seen[0].kind == "person"
        if size == 1 and self.chance(0.6):
            phrase = self.referent(sense, clause.subject)
            if phrase and clause.verb is not HAVE:
                return self.refer(clause, phrase)
            if people and self.chance(0.8):
                return self.person_object(clause)
            if alone and not (negated or clause.question or clause.frequency.en):
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

    def giving(self, clause, sense, size: int, recipient: int, negated: bool) -> None:
        """*gives it to paul*, *gives paul a book*, *gives him a book*, *gives it to him* …"""
        what = NOTHING
        if size == 1:
            self.refer(clause, self.referent(sense, clause.subject))
            what = clause.complement
        elif size:
            what = self.noun_phrase(size, sense.objects, "object", negated)
        if sense.kind == "object to" and recipient == 2 and self.chance(0.3):
            to = english(Word("to"))
            clause.complement = what + to + self.recipient(clause, to.en)
        elif sense.kind == "object to":
            whom = self.noun_phrase(recipient - 1, sense.recipients, "whom")
            clause.complement = what + unit("to", "à") + whom
        elif recipient == 1 and (not size or self.chance(0.7)):
            apart = not what.en or what.en[0].text in DETERMINERS  # else *gives her books* is two
            clause.complement = self.recipient(clause, [], her=apart) + what
        else:
            whom = self.noun_phrase(recipient, sense.recipients, "whom")
            governing = next(word for word in whom.en if word.text in whom.noun.en)
            clause.complement = arrange([whom, what], [what, french("à", [governing]), whom])

    def only(self, pronoun: str) -> Phrase | None:
        """The one thing mentioned that a pronoun can mean, if it is from an earlier clause."""
        found = self.mentions[pronoun]
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
        if not self.mentions["they"]:
            options.append(("them", "les", {"plural": True}))
        if clause.subject.person != 1:
            options += [("me", "me", {}), ("us", "nous", {"plural": True})]
        if clause.subject.person != 2 and not self.past:
            options.append(("you", "vous", {"plural": True}))
        en, fr, features = self.pick(options)
        clause.object = unit(en, fr, **features)
        clause.complement = english(*clause.object.en)
        clause.pronoun = Phrase([], clause.object.fr)

    def recipient(self, clause: Clause, to: list[Word], her: bool = True) -> Phrase:
        """Makes *him*, *her*, *me* … the one to whom something is given or said."""
        options = [("him", "lui"), ("her", "lui")] if her else [("him", "lui")]
        if not clause.pronoun.fr:  # *le lui* is simple, *me le* would turn around
            options = [*options * 2, ("them", "leur")]
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
        held = self.held
        noun = self.fresh(nouns)
        way = self.pick(ways_for(noun, n, role, negated, not self.depth))
        if noun.kind == "person" and (n == 1 or n == 3 and way == "both"):
            self.held = held  # it will be a name instead
        match way:
            case "short":
                phrase = self.short(n, noun, role, negated)
            case "owned":
                phrase = self.owned(n, noun, role)
            case "both":
                first = self.between(2, n - 3) if n > 3 else 1
                role = "joint" if role == "subject" else role
                one = self.short(first, noun, role)
                more = [x for x in getattr(nouns, "seen", nouns) if x.kind == noun.kind]
                other = self.short(n - 1 - first, self.fresh(more), role)
                phrase = (one + unit("and", "et") + other).like(other)
                phrase.gender, phrase.plural = max(one.gender, other.gender), True  # "m" > "f"
                self.mention(phrase)
            case tail:
                alive = noun.kind in ("person", "animal")
                size = self.between(2, min(3, n - (2 if tail == "relative" and alive else 3)))
                key = "the" if tail == "of" or role in ("site", "generic") else None
                plural = False if role == "place" else None
                head = self.simple(size, noun, "head", negated, key, plural)
                if tail == "relative":
                    rest = self.relative(n - size, head)
                elif tail == "located":
                    rest = self.location(n - size, noun, "beside")
                else:
                    whole = WHOLES if noun.kind == "part" else PEOPLE
                    rest = unit("of", "de") + self.noun_phrase(n - size - 1, whole, "place")
                phrase = (head + rest).like(head)
        return phrase

    def relative(self, n: int, head: Phrase) -> Phrase:
        """A relative clause of n words on a noun phrase: *who*, *whom*, *that*, *where*."""
        noun = head.noun
        person = noun.kind == "person"
        ways = ["subject"] * 2 if noun.kind in ("person", "animal") else []
        if n > 2 and USES[noun].object.seen:
            ways += ["object"] * 2
        if n > 2 and noun.tags & {"room", "site"}:
            ways += ["where"]
        self.depth += 1
        match self.pick(ways):
            case "subject":
                pronoun = unit("who" if person else "that", "qui").like(head)
                phrase = self.predicate(n - 1, pronoun)
            case "object":
                pronoun = unit("whom" if person else "that", "que")
                phrase = pronoun + self.clause(n - 1, head, limits=("affirmative",))
            case "where":
                phrase = unit("where", "où") + self.clause(n - 1, limits=("event", "no place"))
        self.depth -= 1
        return phrase

    def short(self, n: int, noun: Noun, role: str, negated: bool = False) -> Phrase:
        """A name, in place of a person in one word; else see ``simple``."""
        if n > 1 or noun.kind != "person":
            return self.simple(n, noun, role, negated)
        return self.mention(self.core(self.fresh(NAMES), False))

    def mention(self, phrase: Phrase, negated: bool = False) -> Phrase:
        """Keeps a noun phrase in mind: a pronoun may mean it later.

        *She has no book*: not this one, nor is it clear any more what *it* would mean.
        """
        self.mentions[pronoun_for(phrase)] += [phrase, phrase] if negated else [phrase]
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
        key = "bare" if n == 1 else self.pick(NUMBERS)[0] if key == "number" else key
        extra = n - 1 - (key != "bare") - (key == "how many")
        number = NOTHING
        definite = core.plural and not negated and key in ("the", *POSSESSIVES)
        if extra and definite and self.chance(0.3):
            extra -= 1
            if key == "the" and self.chance(0.5):
                key = "all"
            else:
                number = unit(*self.pick(NUMBERS))
        first, before, after = self.adjectives(extra, core)
        determiner = self.article(key, core, role, negated, bool(before))
        en = [determiner, number, *first, core]
        phrase = arrange(en, [determiner, number, *before, core, *after]).like(core)
        return self.mention(phrase, negated)

    def determiner(self, core: Phrase, role: str, negated: bool) -> str:
        """The key of a determiner that goes with the noun in its role."""
        tags = core.noun.tags
        if "unique" in tags:
            return "the"
        if "kin" in tags:
            return self.pick(POSSESSIVES)
        table = MASS if "mass" in tags else PLURAL if core.plural else SINGULAR
        key = self.pick(table[role])
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
            phrase = self.adjective(self.fresh(choice), core)
            return ([phrase], [phrase], []) if choice is before else ([phrase], [], [phrase])
        if n == 2 and before.seen and after.seen and self.chance(0.6):
            one, other = self.fresh(before), self.fresh(after)
            both = [self.adjective(one, core), self.adjective(other, core)]
            late = one.en in ("old", "young", "new") and other.gradable  # a tired old man
            return both[::-1] if late else both, both[:1], both[1:]
        if n > 2:
            raise DeadEnd
        choice = before if self.chance(share) else after
        phrase = unit("very", "très") + self.adjective(self.fresh(graded(choice)), core)
        return ([phrase], [phrase], []) if choice is before else ([phrase], [], [phrase])

    def adjective(self, adjective, core: Phrase) -> Phrase:
        """An adjective next to its noun, in agreement."""
        liaison = adjective.before and core.form == 0 and elides(core.fr[0][0])
        return unit(adjective.en, adjective.liaison if liaison else adjective.fr[core.form])

    def owned(self, n: int, noun: Noun, role: str) -> Phrase:
        """*paul 's new car*, *la nouvelle voiture de paul*: n words."""
        size = self.between(0, 1) if 3 < n < 6 else max(0, n - 5)
        core = self.core(noun, noun.en[1] is not None and self.chance(PLURALS.get(role, 0)))
        first, before, after = self.adjectives(size, core)
        owner = self.short(n - 2 - size, self.fresh(PEOPLE), "place")
        article, of = french(DETERMINERS["the"][2 + core.form], core.en), unit("'s", "de")
        phrase = arrange([owner, of, *first, core], [article, *before, core, *after, of, owner])
        return self.mention(phrase.like(core))


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
