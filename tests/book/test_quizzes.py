"""Every quiz can be answered, answers back, and needs nothing that a notebook lacks."""

import re

import pytest
from execute import chapters
from transformer_essentials.exercises import QUIZZES, questions

SLUGS = [path.stem for path in chapters()]


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def test_every_chapter_has_a_quiz_and_every_quiz_a_chapter():
    assert sorted(path.stem for path in QUIZZES.glob("*.json")) == sorted(SLUGS)


@pytest.mark.parametrize("slug", SLUGS)
def test_quiz(slug):
    asked = questions(slug)
    assert 4 <= len(asked) <= 6
    assert len({question["question"] for question in asked}) == len(asked)
    for question in asked:
        answers = question["answers"]
        assert all(answer.get("feedback") for answer in answers), f"feedback is missing: {question}"
        right = [answer for answer in answers if answer.get("correct")]
        match question["type"]:
            case "multiple_choice" | "many_choice":
                assert len(right) == 1 if question["type"] == "multiple_choice" else len(right) >= 2
                assert len(answers) >= 3
                texts_of_answers = {a.get("answer", "") + a.get("code", "") for a in answers}
                assert len(texts_of_answers) == len(answers)
            case "numeric":
                assert right and any(answer.get("type") == "default" for answer in answers)
            case other:
                pytest.fail(f"{other!r} is neither multiple_choice, many_choice nor numeric")
    for text in texts(asked):
        assert "$" not in text, f"notebooks show no TeX in a quiz; write Unicode or <sub>: {text}"
        assert not re.search(r"https?://", text), f"a quiz works offline: {text}"
