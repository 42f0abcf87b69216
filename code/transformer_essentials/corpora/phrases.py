"""Phrases of two languages at once: English words, French tokens, and the links between them.

A ``Phrase`` holds the English words and the French tokens of one meaning, each language in
its own order. An English ``Word`` is an object with an identity; a French token is
``(text, sources)``, where ``sources`` are the words that it translates. So phrases are put
together by plain concatenation, in any order on either side (``arrange``), and nothing is
counted until the sentence is whole: only then does each word get its index, and the links
are read off the French tokens. Elision and contraction (*l'ami*, *du*) come last as well,
in one pass (``spell``). ``Clause`` orders what is around a verb, once for each language.

    >>> black, cat = unit("black", "noir"), unit("cat", "chat")
    >>> pair = as_pair(arrange([black, cat], [cat, black]))
    >>> pair.source, pair.target, sorted(pair.alignment)
    (('black', 'cat'), ('chat', 'noir'), [(0, 1), (1, 0)])
"""

from dataclasses import dataclass, field
from functools import cache

from transformer_essentials.corpora.lexicon import ASPIRATED
from transformer_essentials.corpora.pair import Pair
from transformer_essentials.corpora.words import BE, DO, HAVE, Noun, Verb


class Word:
    """An English word; ``place`` is its index, known once the sentence is whole."""

    __slots__ = ("place", "text")

    def __init__(self, text: str):
        self.text = text


@dataclass(slots=True, eq=False)
class Phrase:
    """English words, French tokens ``(text, sources)``, and what other words agree with."""

    en: list = field(default_factory=list)
    fr: list = field(default_factory=list)
    gender: str = "m"
    plural: bool = False
    person: int = 3
    noun: Noun | None = None  # what it is about

    def __add__(self, other: "Phrase") -> "Phrase":
        return Phrase(self.en + other.en, self.fr + other.fr)

    def like(self, head: "Phrase") -> "Phrase":
        """This phrase, with the gender, number, person and noun of another."""
        self.gender, self.plural = head.gender, head.plural
        self.person, self.noun = head.person, head.noun
        return self

    @property
    def form(self) -> int:
        """Which of four forms agrees with it: m, f, m plural, f plural."""
        return (self.gender == "f") + 2 * self.plural


NOTHING = Phrase()


def arrange(en: list[Phrase], fr: list[Phrase]) -> Phrase:
    """One phrase: the English of some phrases and the French of some, in these orders."""
    return Phrase([word for p in en for word in p.en], [token for p in fr for token in p.fr])


@cache
def _read(en: str, fr: str):
    words, tokens = en.split(), []
    for token in fr.split():
        text, _, source = token.partition("=")
        tokens.append((text, words.index(source) if source else None))
    return words, tokens


def unit(en: str, fr: str, **features) -> Phrase:
    """A phrase from two strings: all words are linked to all, or as ``french=english`` says.

    >>> [(text, sources[0].text) for text, sources in unit("how many", "combien=how de=many").fr]
    [('combien', 'how'), ('de', 'many')]
    """
    texts, tokens = _read(en, fr)
    words = [Word(text) for text in texts]
    tokens = [(text, words if at is None else [words[at]]) for text, at in tokens]
    return Phrase(words, tokens, **features)


def english(*words: Word) -> Phrase:
    """Words that have no French token of their own in this place."""
    return Phrase(list(words))


def french(text: str, sources: list[Word]) -> Phrase:
    """French tokens that have no English word in this place, and the words they come from."""
    return Phrase([], [(token, sources) for token in text.split()])


# --------------------------------------------------------------------------- a whole sentence

ELISIONS = {"le": "l'", "la": "l'", "de": "d'", "ne": "n'", "que": "qu'", "je": "j'", "me": "m'"}
ELISIONS |= {"ma": "mon", "sa": "son", "ce": "cet"}  # not elided, but for the same reason
CONTRACTIONS = {
    ("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux",
}  # fmt: skip


@cache
def elides(word: str) -> bool:
    """Does this word make the one before it lose its vowel? (*ami*, *homme*; not *hibou*)"""
    return word[0] in "aâeéèêiîoôœuyh" and word not in ASPIRATED


def spell(tokens: list) -> list:
    """French tokens as they are written: elided and contracted, from right to left."""
    written = [tokens[-1]]
    for text, sources in reversed(tokens[:-1]):
        following, others = written[-1]
        if text in ELISIONS and elides(following):
            text = ELISIONS[text]
        elif text == "si" and following in ("il", "ils"):
            text = "s'"
        elif (text, following) in CONTRACTIONS:
            text, sources = CONTRACTIONS[text, following], [*sources, *others]
            written.pop()
        written.append((text, sources))
    return written[::-1]


def as_pair(phrase: Phrase) -> Pair:
    """A whole sentence: spelled, and its words counted."""
    for i, word in enumerate(phrase.en):
        word.place = i
        if word.text == "a" and phrase.en[i + 1].text[0] in "aeiou":
            word.text = "an"
    written = spell(phrase.fr)
    return Pair(
        tuple([word.text for word in phrase.en]),
        tuple([text for text, _ in written]),
        frozenset([(word.place, j) for j, (_, sources) in enumerate(written) for word in sources]),
    )


# --------------------------------------------------------------------------------- a clause


FRENCH_PERSONS = {(1, False): 0, (3, False): 1, (1, True): 2, (2, True): 3, (3, True): 4}


@dataclass
class Clause:
    """What a clause is made of. ``phrase`` puts it in order, once for each language."""

    subject: Phrase
    verb: Verb
    past: bool
    question: bool = False
    object: Phrase | None = None  # a direct object that comes before the participle
    negation: Phrase = NOTHING  # its French: *ne*, and *pas* or nothing
    frequency: Phrase = NOTHING  # *often*
    pronoun: Phrase = NOTHING  # an object pronoun: only its French, which is before the verb
    complement: Phrase = NOTHING
    manner: Phrase = NOTHING  # *slowly*
    adjuncts: Phrase = NOTHING  # with whom, where, when

    def __post_init__(self):
        self.head = Word("")
        self.particle = [Word(text) for text in self.verb.particle]
        self.sources = [self.head, *self.particle]  # of the French verb

    def phrase(self) -> Phrase:
        """The clause, in order."""
        return arrange(self.english_order(), self.french_order())

    def english_form(self, verb: Verb) -> str:
        """The form of an English verb that agrees with the subject."""
        if self.past:
            return verb.en[4 if self.subject.plural else 3]
        return verb.en[0 if self.subject.plural else 1 if self.subject.person == 1 else 2]

    def french_form(self, verb: Verb, imperfect: bool = False) -> str:
        """The form of a French verb that agrees with the subject."""
        forms = verb.imperfect if imperfect else verb.fr
        return forms[FRENCH_PERSONS[self.subject.person, self.subject.plural]]

    def english_order(self) -> list[Phrase]:
        """*does he not see it*: a question or *not* needs a form of do, unless the verb is be."""
        front, head = NOTHING, english(self.head)
        self.head.text = self.english_form(self.verb)
        if self.verb.en[0] == "are":
            front, head = head, NOTHING
        elif self.question or [word.text for word in self.negation.en] == ["not"]:
            front = english(Word(self.english_form(DO)))
            self.head.text = self.verb.en[0]
        self.front = front.en
        opening = [front, self.subject] if self.question else [self.subject, front]
        order = [*opening, self.negation, self.frequency, head, english(*self.particle)]
        return [*order, self.complement, self.manner, self.adjuncts]

    def french_order(self) -> list[Phrase]:
        """*est-ce qu'il ne le voit pas*: ne and pas are around the verb, or the auxiliary."""
        verb, participle = self.verb, NOTHING
        if verb.imperfect or not self.past:
            finite = french(self.french_form(verb, imperfect=self.past), self.sources)
        else:
            auxiliary, leader = (BE, self.subject) if "être" in verb.flags else (HAVE, self.object)
            finite = french(self.french_form(auxiliary), self.front or self.sources)
            form = verb.participle[leader.form if leader else 0]
            participle = french(form, self.sources)
        asking = french("est-ce que", self.front) if self.question else NOTHING
        ne, pas = Phrase([], self.negation.fr[:1]), Phrase([], self.negation.fr[1:])
        opening = [asking, self.subject, ne, self.pronoun, finite, pas, self.frequency]
        manner = self.manner.fr[0][0] if self.manner.fr else ""
        if manner in ("bien", "mal"):
            rest = [self.manner, participle, self.complement]
        elif manner in ("ici", "dehors", "ensemble"):
            rest = [participle, self.complement, self.manner]
        else:
            rest = [participle, self.manner, self.complement]
        return [*opening, *rest, self.adjuncts]
