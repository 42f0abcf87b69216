"""Answer a notebook's exercises as a reader would, rightly and wrongly, and print what is amiss.

    python tests/book/run_exercises.py NOTEBOOK

Runs the first code cell and those tagged `setup`; then, for each exercise, its check cells: with
the answer cell as it stands (`...`), with each of the wrong answers in the answer cell's metadata,
and with the solution's code.
"""

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

SOLUTION = re.compile(
    r'<details class="solution">.*?^```python\n(.*?)^```', re.DOTALL | re.MULTILINE
)


@dataclass
class Exercise:
    title: str
    answer: str
    wrong: list[str]
    checks: list[str] = field(default_factory=list)
    solution: str | None = None


def read(notebook) -> tuple[list[str], list[Exercise]]:
    """The cells that the exercises need, and the exercises."""
    needed, exercises, title = [], [], ""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            title = (re.findall(r"^### (Exercise .*)", cell.source, re.M) or [title])[-1]
            if (
                exercises
                and exercises[-1].solution is None
                and (found := SOLUTION.search(cell.source))
            ):
                exercises[-1].solution = found[1]
        elif "exercise" in tags:
            wrong = cell.metadata.get("transformer_essentials", {}).get("wrong", [])
            exercises.append(Exercise(title, cell.source, wrong))
        elif "check" in tags:
            exercises[-1].checks.append(cell.source)
        elif cell.cell_type == "code" and ("setup" in tags or not needed):
            needed.append(cell.source)
    return needed, exercises


def main(path: Path) -> list[str]:
    needed, exercises = read(nbformat.read(path, as_version=4))
    os.chdir(path.parent)
    shell = InteractiveShell.instance()
    faults = []

    def run(source):
        with capture_output() as captured:
            result = shell.run_cell(source)
        return result.error_before_exec or result.error_in_exec, captured.stdout

    def answer(exercise, source):
        """What the check cells make of this answer: the first error, and all that they print."""
        error, printed = run(source)
        if error:
            faults.append(f"{exercise.title}: the answer itself fails with {error!r}:\n{source}")
            return None, ""
        for check in exercise.checks:
            error, more = run(check)
            printed += more
            if error:
                return error, printed
        return None, printed

    for source in needed:
        if error := run(source)[0]:
            return [
                f"a cell tagged `setup` fails with {error!r}: is what it needs tagged?\n{source}"
            ]
    for exercise in exercises:
        title = exercise.title
        if not exercise.checks:
            faults.append(f"{title}: no cell tagged `check` follows the answer cell")
        if exercise.solution is None:
            faults.append(f"{title}: no solution, with a fence of Python, follows the answer cell")
            continue
        if len(exercise.wrong) < 2:
            faults.append(f"{title}: the answer cell's metadata names fewer than two wrong answers")
        error, printed = answer(exercise, exercise.answer)
        if error or "not answered yet." not in printed:
            faults.append(f"{title}: left open, it counts as answered: {error or printed!r}")
        for wrong in exercise.wrong:
            error, printed = answer(exercise, wrong)
            if not (isinstance(error, AssertionError) and "not yet." in str(error)):
                said = f"a wrong answer is not refused, but gives {error or printed!r}"
                faults.append(f"{title}: {said}:\n{wrong}")
        error, printed = answer(exercise, exercise.solution)
        if error or "right." not in printed:
            faults.append(f"{title}: the solution does not pass: {error or printed!r}")
    return faults


if __name__ == "__main__":
    found = main(Path(sys.argv[1]).resolve())
    print("\n".join(found))
    sys.exit(bool(found))
