"""What makes a chapter answer back: `check` an exercise's answer, show a `quiz`."""

import dis
import json
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

from IPython.display import HTML, display
from jupyterquiz.dynamic.loader import load_questions_script
from jupyterquiz.dynamic.renderer import build_script, build_styles, render_div

QUIZZES = Path(__file__).parent / "quizzes"
COLORS = {  # good on light and dark pages: text lies on these, never on the page itself
    "--jq-multiple-choice-bg": "#14447a",
    "--jq-many-choice-bg": "#14447a",
    "--jq-numeric-bg": "#14447a",
    "--jq-string-bg": "#14447a",
    "--jq-mc-button-bg": "#f3f6f9",
    "--jq-mc-button-border": "#5b6672",
    "--jq-numeric-input-bg": "#1c2733",
    "--jq-numeric-input-label": "inherit",
    "--jq-correct-color": "#1b6b34",
    "--jq-incorrect-color": "#a32020",
    "--jq-text-color": "#ffffff",
    "--jq-link-color": "#c5e3f7",
}
IDLE = ("RESUME", "NOP", "RETURN_VALUE")  # steps of every compiled function
STYLE = """
.QuizWaiting:not(:last-child) { display: none; }
.Quiz { line-height: 1.4; font-size: 1rem; }
.Quiz code, .Quiz .QuizCode code { color: inherit; background: none; }
.Quiz .Answer { grid-template-columns: 1fr; grid-gap: 0.4rem; margin: 0.4rem 0; }
.Quiz .MCButton { text-align: left; justify-content: flex-start; font-size: 1rem; }
.Quiz .MCButton { position: relative; }
.Quiz .MCButton input { position: absolute; opacity: 0; }
.Quiz .MCButton:focus-within { outline: 3px solid #2a77bb; outline-offset: 2px; }
.Quiz .Input-text:focus { outline: 3px solid #2a77bb; outline-offset: 2px; }
.Quiz .InpLabel { font-size: 1rem; }
.Quiz .Feedback { font-size: 1rem; text-align: left; border-radius: 0.4rem; }
.Quiz .Feedback.correct, .Quiz .Feedback.incorrect { padding: 0.5rem 0.8rem; background: #ffffff; }
.Quiz .correctButton, .Quiz .incorrectButton { color: #ffffff; }
"""


def check(label: str, answer, right: Callable, hint: str = "") -> None:
    """Say whether `answer` is right: a notebook's check cell.

    label: the exercise's number. answer: what the reader put in place of `...`.
    right: called with the answer; true where it is right.

    Prints a line if the answer is right or is still `...` (a tuple that holds `...`, or a function
    whose body is only `...`, counts as that). Raises AssertionError, with the hint, if it is wrong
    or `right` fails on it.
    """
    if _unanswered(answer):
        print(f"Exercise {label}: not answered yet.")
        return
    try:
        verdict = bool(right(answer))
    except Exception as error:
        raised = f"Checking the answer raised {type(error).__name__}: {error}."
        raise AssertionError(f"Exercise {label}: not yet. {raised} {hint}".rstrip()) from error
    if not verdict:
        raise AssertionError(f"Exercise {label}: not yet. {hint}".rstrip())
    print(f"Exercise {label}: right.")


def _unanswered(answer) -> bool:
    if isinstance(answer, (tuple, list)):
        return any(item is ... for item in answer)
    if isinstance(answer, FunctionType):
        steps = [s for s in dis.get_instructions(answer) if s.opname not in IDLE]
        return all(
            s.opname in ("LOAD_CONST", "RETURN_CONST") and s.argval in (None, ...) for s in steps
        )
    return answer is ...


def questions(slug: str) -> list[dict]:
    """The questions of the chapter `slug`, from quizzes/<slug>.json.

    FileNotFoundError names the quizzes that there are.
    """
    path = QUIZZES / f"{slug}.json"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in QUIZZES.glob("*.json"))) or "none"
        raise FileNotFoundError(f"There is no quiz {slug!r}. There are: {known}.")
    return json.loads(path.read_text(encoding="utf-8"))


def quiz(slug: str) -> None:
    """Show the quiz of the chapter `slug` with jupyterquiz.

    It works offline, reads well on light and dark pages, by keyboard and by screen reader, and its
    output is the same each time.
    """
    name = "quiz_" + slug.replace("-", "_")
    script = build_script(load_questions_script(questions(slug), name)[0], True, "", name, True)
    for old, new in (
        # Not reached, for MathJax is hidden below; taken out so that no page names an outside host.
        ("https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-svg.js", ""),
        ('inp.type = "text";', "$& inp.setAttribute('aria-label', 'Type the answer here');"),
        ("this.fbDiv.className = 'Feedback';", "$& this.fbDiv.setAttribute('role', 'status');"),
        (
            "this.aDiv.className = 'Answer';",
            "$& this.aDiv.setAttribute('role', 'group');"
            " this.aDiv.setAttribute('aria-labelledby', this.qDiv.id);",
        ),
    ):
        if old not in script:
            raise RuntimeError(f"jupyterquiz lacks {old!r}: install the version that is pinned.")
        script = script.replace(old, new.replace("$&", old))
    div = render_div(name, False, True, False, 1_000_000, 720, 10, "left")  # answers shuffled
    styles = build_styles(name, COLORS).replace("</style>", STYLE + "</style>")
    waiting = '<p class="QuizWaiting">Run this cell to answer the questions.</p>'
    # jupyterquiz looks for MathJax and fetches it if it is half loaded; our questions need none.
    run = "(function (MathJax) {\n" + script.replace("</", "<\\/") + "\n})(undefined);"
    display(HTML(f"{div}{waiting}</div>\n{styles}\n<script>\n{run}\n</script>"))
