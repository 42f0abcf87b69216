"""Stories are what they say they are: correct answers, true summaries, splits apart."""

import hashlib

import pytest

from transformer_essentials.corpora.stories import NAMES, QUALITIES, stories, vocabulary

TOLD = stories(600)
SHE = {name: pronoun for pronoun, names in NAMES.items() for name in names}
ADJECTIVES = {word for words in QUALITIES.values() for word in words}


def who_does_what(story):
    """[(who, verb, [quality], thing), …], read from the text alone."""
    names = [s[0] for s in story.sentences if s[0] in SHE]
    facts = []
    for called, verb, *rest in story.sentences:
        [who] = [called] if called in SHE else [name for name in names if SHE[name] == called]
        *quality, thing, end = rest
        assert end == "." and set(quality) <= ADJECTIVES and len(quality) < 2
        facts.append((who, verb, quality, thing))
    return facts


def test_first_story_and_checksum():
    story = TOLD[0]
    assert len(story.sentences) == 3 and story.words[-1] == "."
    text = "\n".join(" ".join(s.words + s.summary) for s in stories(200, seed=3))
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "4ca02d24ed79"


@pytest.mark.parametrize("story", TOLD[:200], ids=str)
def test_summary_and_answers_are_true(story):
    facts = who_does_what(story)
    twice = next(who for who, *_ in facts if sum(who == other for other, *_ in facts) == 2)
    done = {(verb, thing) for who, verb, _, thing in facts if who == twice}
    name, verb, thing, et, verb2, thing2, _ = story.summary
    assert name == twice and et == "and" and {(verb, thing), (verb2, thing2)} == done
    asked = {" ".join(q): " ".join(a) for q, a in story.questions}
    assert len(asked) == 6
    for who, verb, quality, thing in facts:
        assert asked[f"who {verb} {thing} ?"] == f"{who} ."
        base = verb.removesuffix("s")
        assert asked[f"what does {who} {base} ?"] == " ".join([*quality, thing, "."])


def test_name_comes_before_its_pronoun():
    for story in TOLD:
        first = [s[0] for s in story.sentences]
        [pronoun] = [word for word in first if word in NAMES]
        assert any(SHE[word] == pronoun for word in first[: first.index(pronoun)])


def test_splits_are_apart_and_seeds_differ():
    train, test = ({s.words for s in stories(2000, seed, split)} for seed, split in
                   [(1, "train"), (2, "test")])
    assert not train & test and len(train) > 1900
    assert stories(5, 1) == stories(9, 1)[:5] != stories(5, 2)
    with pytest.raises(ValueError, match="split is 'valid'; it must be one of train, test"):
        stories(1, split="valid")


def test_vocabulary_is_every_word():
    words = {w for s in TOLD for q, a in s.questions for w in s.words + s.summary + q + a}
    assert words == set(vocabulary()) and vocabulary() == sorted(words) and len(words) == 55
