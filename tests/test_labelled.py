"""Labelled texts: what they say, that the answers are right, that the splits share nothing."""

import hashlib
from collections import Counter

import pytest

from transformer_essentials.corpora import labelled
from transformer_essentials.corpora.labelled import DOUBLES, KINDS, TAGS, held_out, names
from transformer_essentials.corpora.sentences import BAD, GOOD, Writer

MADE = (labelled.entities, labelled.questions, labelled.reports, labelled.sentiment)


def entities_in(words, tags):
    """(kind, name) of each run of B and I tags."""
    found = []
    for word, tag in zip(words, tags, strict=True):
        if tag.startswith("B-"):
            found.append([tag[2:], word])
        elif tag.startswith("I-"):
            assert found and found[-1][0] == tag[2:]
            found[-1][1] += " " + word
    return [tuple(x) for x in found]


def checksum(things):
    return hashlib.sha256("\n".join(map(str, things)).encode()).hexdigest()[:16]


# ---------------------------------------------------------------- all that are made


@pytest.mark.parametrize("make", MADE)
def test_the_same_seed_gives_the_same_and_another_gives_others(make):
    made = make(60, seed=3)
    assert len(made) == 60 and made == make(60, seed=3) and made[:20] == make(20, seed=3)
    assert made != make(60, seed=4) and made != make(60, seed=3, split="test")
    assert len({str(x[0]) for x in made}) == 60


@pytest.mark.parametrize("make", MADE)
def test_splits_share_no_text_whatever_the_seeds(make):
    train = {str(x[0]) for seed in range(3) for x in make(400, seed)}
    test = {str(x[0]) for seed in range(3) for x in make(200, seed, "test")}
    assert not train & test and len(train) > 800 and len(test) > 400


@pytest.mark.parametrize("make", [*MADE, labelled.summaries])
def test_errors(make):
    with pytest.raises(ValueError, match="unknown split 'valid'"):
        make(1, split="valid")
    with pytest.raises(ValueError, match="n=0"):
        make(0)


def test_more_than_the_templates_give_is_an_error(monkeypatch):
    monkeypatch.setattr(labelled, "TOPICS", ["film"])
    monkeypatch.setattr(labelled, "OPENERS", [""])
    with pytest.raises(ValueError, match="give only about .* different texts in the split 'test'"):
        labelled.sentiment(500, split="test")


def test_checksums():
    assert [checksum(make(200, seed=1)) for make in MADE] == SUMS


SUMS = ["a85075b6af05dece", "0e7c8654ffebe049", "35048d506435a13e", "7ce63d7a155ba1d8"]


# ---------------------------------------------------------------- names


def test_names_are_those_of_cldr():
    assert {"france", "new zealand", "jordan", "south africa"} <= set(names("PLACE"))
    assert not {"european union", "unknown region"} & set(names("PLACE"))
    assert {"welsh", "dutch", "nauru"} <= set(names("LANGUAGE"))
    assert {"swiss francs", "euros", "mexican pesos"} <= set(names("CURRENCY"))
    assert len(names("MONTH")) == 12 and len(names("WEEKDAY")) == 7
    sizes = {kind: len(names(kind)) for kind in ("PERSON", "PLACE", "LANGUAGE", "CURRENCY")}
    assert sizes == {"PERSON": 40, "PLACE": 225, "LANGUAGE": 179, "CURRENCY": 200}
    every = [name for kind in sizes for name in names(kind)]
    assert all(name == name.lower() and len(name.split()) <= 3 for name in every)
    assert 0.12 < sum(map(held_out, every)) / len(every) < 0.22


def test_doubles_are_two_things_and_are_in_both_splits():
    for name in DOUBLES:
        kinds = [kind for kind in ("PERSON", "PLACE", "LANGUAGE", "MONTH") if name in names(kind)]
        assert len(kinds) == 2 and not held_out(name)
    found = Counter(x for s in labelled.entities(2000) for x in entities_in(*s))
    assert min(found["PERSON", "jordan"], found["PLACE", "jordan"], found["PLACE", "nauru"]) > 20
    assert min(found["PERSON", "may"], found["DATE", "may"], found["LANGUAGE", "nauru"]) > 10


def test_held_out_names_are_in_test_alone():
    def judged(split):
        found = [x for s in labelled.entities(1000, split=split) for x in entities_in(*s)]
        for kind, name in found:
            if kind == "PERSON":
                yield held_out(name.split()[0])
            elif kind in ("PLACE", "LANGUAGE"):
                yield held_out(name)
            elif kind == "MONEY":
                yield held_out(name.split(" ", 1)[1])

    assert not any(judged("train"))
    test = list(judged("test"))
    assert 0.08 < sum(test) / len(test) < 0.22


# ---------------------------------------------------------------- entities


def test_entities_by_hand():
    writer = Writer(0, "train")
    template = "PERSON paid MONEY for THING on DAY"
    values = {
        "PERSON": "may carter", "MONEY": "20 swiss francs", "THING": "maps", "DAY": "march 5 , 2024",
    }  # fmt: skip
    words, tags = writer.fill(template, values)
    assert " ".join(words) == "may carter paid 20 swiss francs for maps on march 5 , 2024"
    assert " ".join(tags) == (
        "B-PERSON I-PERSON O B-MONEY I-MONEY I-MONEY O O O B-DATE I-DATE I-DATE I-DATE"
    )
    assert writer.fill("NUMBER THING came")[1] == ["O", "O", "O"]


def test_entities():
    made = labelled.entities(1000)
    assert {tag for _, tags in made for tag in tags} == set(TAGS)
    found = [x for s in made for x in entities_in(*s)]
    assert set(Counter(kind for kind, _ in found)) == set(KINDS)
    for kind, name in found:
        if kind in ("PLACE", "LANGUAGE"):
            assert name in names(kind)
        elif kind == "MONEY":
            number, currency = name.split(" ", 1)
            assert number.isdecimal() and currency in names("CURRENCY")
        elif kind == "DATE":
            assert set(name.split()) & {*names("MONTH"), *names("WEEKDAY")}
    first = Counter(
        tags[0] for words, tags in made if words[0] == "jordan"
    )
    assert first["B-PERSON"] > 5 and first["B-PLACE"] > 5  # what comes after must tell


def test_nobody_calls_himself():
    for words, tags in labelled.entities(500):
        clause = " ".join(words).split(" because ")[0].split(" and ")[0].split(" but ")[0]
        found = entities_in(*zip(*list(zip(words, tags, strict=True))[: len(clause.split())]))
        assert len(set(found)) == len(found)


# ---------------------------------------------------------------- questions, reports, sentiment


def test_the_answer_is_in_the_sentence_that_says_it():
    kinds = Counter()
    for passage, question, start, end in labelled.questions(400):
        answer = passage[start : end + 1]
        assert 1 <= len(answer) <= 7 and "." not in answer
        ends = [-1, *(i for i, word in enumerate(passage) if word == ".")]
        said = next(passage[a + 1 : b] for a, b in zip(ends, ends[1:]) if a < start <= b)
        text, asked = " ".join(passage), " ".join(question)
        assert text.count(f" {' '.join(answer)} ") + text.startswith(" ".join(answer)) >= 1
        kinds[asked.split()[0]] += 1
        if asked.startswith("where"):
            person = asked.removeprefix("where does ").removesuffix(" live ?")
            assert " ".join(said) == f"{person} lives in {' '.join(answer)}"
        elif asked.startswith("who "):
            assert said[: len(answer)] == answer
        elif asked.startswith("how much"):
            person = asked.removeprefix("how much did ").removesuffix(" pay ?")
            assert " ".join(said).startswith(f"{person} paid {' '.join(answer)} for ")
        elif asked.endswith("call ?") and asked.startswith("when"):
            assert " ".join(said).endswith(f" on {' '.join(answer)}")
    assert set(kinds) == {"where", "who", "how", "when", "what", "which", "whom"}


def test_a_question_has_one_answer():
    for passage, question, _, _ in labelled.questions(300):
        if question[:2] == ["where", "does"]:
            person = " ".join(question[2:-2])
            sentences = " ".join(passage).split(" . ")
            assert sum(s.startswith(f"{person} lives in ") for s in sentences) == 1


def test_reports_tell_of_one_person():
    for text, summary in labelled.reports(200):
        sentences = text.removesuffix(" .").split(" . ")
        assert len(sentences) == 5
        person = max(sentences, key=lambda s: summary.startswith(s.split()[0]) * len(s)).split()[0]
        about = [s for s in sentences if s.split()[0] == person]
        assert len(about) == 3 and summary.startswith(person)
        assert len(summary.split()) < len(text.split())
        for sentence in about:
            if " paid " in sentence:
                assert "bought " + sentence.split()[-1] in summary and "paid" not in summary
            if " lives in " in sentence:
                assert sentence.split(" lives ")[1] in summary


def test_sentiment_by_hand_and_balanced():
    made = labelled.sentiment(600)
    turned = {"not", "never", "nobody"}
    for words, label in made:
        last = words[words.index("but") + 1 :] if "but" in words else words
        good = any(word in GOOD for word in last)
        assert good != any(word in BAD for word in last)
        assert label == ("positive" if good != bool(turned & set(last)) else "negative")
    assert 250 < sum(label == "positive" for _, label in made) < 350
    assert (["the", "music", "was", "never", "excellent", "."], "negative") in made


# ---------------------------------------------------------------- summaries: real


def test_summaries_with_the_pinned_versions():
    train, test = labelled.summaries(SIZES[0]), labelled.summaries(SIZES[1], split="test")
    assert checksum(sorted(train + test)) == SUMMARIES, "numpy 2.4.6, torch 2.13.0, matplotlib 3.11.2"
    known = labelled.Summary(
        "The Freedman-Diaconis rule uses interquartile range (IQR) to estimate binwidth.",
        "The Freedman-Diaconis histogram bin estimator.",
    )
    assert any(s.summary == known.summary and s.text.startswith(known.text) for s in train + test)
    for i in (0, 1):
        assert not {s[i] for s in train} & {s[i] for s in test}
        assert len({s[i] for s in train + test}) == sum(SIZES)
    assert all(len(s.summary.split()) <= 20 <= len(s.text.split()) for s in train + test)
    assert labelled.summaries(30, seed=2) == labelled.summaries(40, seed=2)[:30] != train[:30]
    with pytest.raises(ValueError, match=f"has {SIZES[0]} summaries"):
        labelled.summaries(SIZES[0] + 1)


SIZES, SUMMARIES = (861, 248), "7791eb96eff4c674"
