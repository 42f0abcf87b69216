"""`check` and `quiz`."""

import json

import pytest
from transformer_essentials import exercises
from transformer_essentials.exercises import check, quiz


def blank(query, keys):
    """What the reader is to write."""
    ...


def returns_dots():
    return ...


@pytest.mark.parametrize("answer", [..., (1, ...), [..., ...], blank, returns_dots])
def test_an_open_exercise_is_no_mistake(answer, capsys):
    check("2", answer, lambda answer: 1 / 0)
    assert capsys.readouterr().out == "Exercise 2: not answered yet.\n"


@pytest.mark.parametrize("answer", [4, 4.0, (4, 5), lambda: 4, lambda x: x, lambda: print()])
def test_a_right_answer(answer, capsys):
    check("2", answer, lambda given: given is answer)
    assert capsys.readouterr().out == "Exercise 2: right.\n"


@pytest.mark.parametrize("answer", [5, 0, None, False, [], (), lambda: 0])
def test_a_wrong_answer_gets_the_hint(answer, capsys):
    with pytest.raises(AssertionError, match=r"^Exercise 2: not yet\. Divide by √d\.$"):
        check("2", answer, lambda given: given == 4, "Divide by √d.")
    assert capsys.readouterr().out == ""


def test_an_answer_that_cannot_be_checked_is_wrong_and_says_why():
    with pytest.raises(
        AssertionError, match=r"^Exercise 2: not yet\. .* TypeError: .* Give a number\.$"
    ) as raised:
        check("2", "four", lambda given: given - 4 == 0, "Give a number.")
    assert isinstance(raised.value.__cause__, TypeError)


@pytest.fixture
def quizzes(tmp_path, monkeypatch):
    asked = [
        {
            "question": "Is <code>a</code> & b </script> shown?",
            "type": "multiple_choice",
            "answers": [{"answer": "yes", "correct": True, "feedback": "Right."}],
        }
    ]
    (tmp_path / "two-words.json").write_text(json.dumps(asked))
    monkeypatch.setattr(exercises, "QUIZZES", tmp_path)
    return tmp_path


@pytest.fixture
def shown(quizzes, monkeypatch):
    def shown(slug):
        outputs = []
        monkeypatch.setattr(exercises, "display", outputs.append)
        quiz(slug)
        [output] = outputs
        return output.data

    return shown


def test_a_quiz_holds_everything_that_it_needs(shown):
    html = shown("two-words")
    assert '<div id="quiz_two_words"' in html
    assert "var questionsquiz_two_words=[{" in html and "function show_questions" in html
    assert "http://" not in html and "https://" not in html
    assert html.count("</script>") == 1, "a question's text ends the script"
    assert "</p></div>\n<style>" in html, "the quiz closes its own box"


def test_a_quiz_is_the_same_each_time(shown):
    assert shown("two-words") == shown("two-words")


def test_an_unknown_quiz(quizzes):
    with pytest.raises(FileNotFoundError, match="no quiz 'three'. There are: two-words."):
        quiz("three")
