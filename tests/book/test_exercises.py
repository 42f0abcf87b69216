"""The solutions of all exercises pass their checks, and the known wrong answers don't."""

import subprocess
import sys

import nbformat
import pytest
from execute import ROOT, chapters

RUN = ROOT / "tests" / "book" / "run_exercises.py"


def run(path):
    return subprocess.run([sys.executable, RUN, path], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_exercises(path):
    result = run(path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "solution, wrong, setup, said",
    [
        ("x = 2 * two", ["x = 2", "x = 3"], True, ""),
        ("x = 5", ["x = 2", "x = 3"], True, "the solution does not pass"),
        ("x = 4", ["x = 4", "x = 3"], True, "a wrong answer is not refused"),
        ("x = 4", ["x = 3"], True, "fewer than two wrong answers"),
        ("x = 4", ["x = y", "x = 3"], True, "the answer itself fails"),
        ("x = 4", ["x = 2", "x = 3"], False, "the solution does not pass"),
    ],
)
def test_the_test_itself(tmp_path, solution, wrong, setup, said):
    """Faults in an exercise are found: here, in one made up for it."""
    new = nbformat.v4
    cells = [
        new.new_code_cell("from transformer_essentials.exercises import check"),
        new.new_code_cell("two = 2", metadata={"tags": ["setup"] if setup else []}),
        new.new_markdown_cell("### Exercise 1 · Double it (1 minute)"),
        new.new_code_cell(
            "x = ...", metadata={"tags": ["exercise"], "transformer_essentials": {"wrong": wrong}}
        ),
        new.new_code_cell('check("1", x, lambda x: x == 2 * two)', metadata={"tags": ["check"]}),
        new.new_markdown_cell(
            f'<details class="solution">\n\n```python\n{solution}\n```\n\n</details>'
        ),
    ]
    path = tmp_path / "chapter.ipynb"
    nbformat.write(new.new_notebook(cells=cells), path)
    result = run(path)
    assert result.returncode == bool(said), result.stdout + result.stderr
    assert said in result.stdout
