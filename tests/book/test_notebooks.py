"""Every chapter is executed, small, labelled, and in the table of contents."""

import json
import re

import nbformat
import pytest
import yaml
from execute import MEMORY_MB, ROOT, chapters, seconds_allowed

POINTS = {  # what each part must cover
    "background": [f"B{i}" for i in range(1, 9)],
    "architectures": [f"A{i}" for i in range(1, 9)],
    "attention": [f"T{i}" for i in range(1, 7)],
    "seq2seq": [f"S{i}" for i in range(1, 8)],
}
TAGS = {
    "setup", "exercise", "check", "hide-input", "hide-output", "hide-cell",
    "nbval-ignore-output", "raises-exception", "remove-cell", "remove-input",
}  # fmt: skip
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = chapters()


def name(path):
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(params=CHAPTERS, ids=name)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def test_there_are_chapters():
    assert CHAPTERS


def test_the_table_of_contents_names_every_chapter():
    named = [page["file"] for part in TOC["parts"] for page in part["chapters"]]
    assert sorted(n for n in named if n.startswith("chapters/")) == [
        name(p).removesuffix(".ipynb") for p in CHAPTERS
    ]


@pytest.mark.parametrize("part", sorted({path.parent.name for path in CHAPTERS}))
def test_every_point_of_a_part_is_covered(part):
    covered = {
        point
        for path in CHAPTERS
        for point in nbformat.read(path, as_version=4).metadata["transformer_essentials"]["covers"]
    }
    assert set(POINTS[part]) <= covered, f"no chapter covers {sorted(set(POINTS[part]) - covered)}"


def test_metadata(path, notebook):
    ours = notebook.metadata["transformer_essentials"]
    known = {point for points in POINTS.values() for point in points}
    assert ours["covers"] and set(ours["covers"]) <= known
    again = f"run: make execute CHAPTERS={name(path)}"
    assert ours["minutes"] is not None and ours["memory_mb"] is not None, f"not measured; {again}"
    assert 0 < ours["minutes"] <= seconds_allowed(path) / 60, again
    assert 0 < ours["memory_mb"] <= MEMORY_MB, again


def test_format(path, notebook):
    text = path.read_text(encoding="utf-8")
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert "version" not in notebook.metadata["language_info"], "stored by hand: use make execute"
    assert '"iopub.' not in text, "times of cells are stored: use make execute"
    assert path.stat().st_size < 1_000_000
    nbformat.validate(json.loads(text))


def test_every_cell_was_executed_in_order_without_error(code, path):
    counts = [cell.execution_count for cell in code if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), f"run: make execute CHAPTERS={name(path)}"
    assert not [
        cell.source for cell in code if any(out.output_type == "error" for out in cell.outputs)
    ]


def test_cells_are_short(code):
    for cell in code:
        lines = cell.source.splitlines()
        assert len(lines) <= 25, f"{len(lines)} lines:\n{cell.source}"
        assert all(len(line) <= 88 for line in lines), f"over 88 columns:\n{cell.source}"


def test_tags_are_known(notebook):
    for cell in notebook.cells:
        assert tags(cell) <= TAGS, f"{tags(cell) - TAGS} in:\n{cell.source}"


def test_every_figure_has_a_text_for_those_who_cannot_see_it(notebook):
    for cell in notebook.cells:
        images = [
            kind
            for out in cell.get("outputs", [])
            for kind in out.get("data", {})
            if kind.startswith("image/")
        ]
        if images:
            shown = cell.metadata.get("mystnb", {})
            alt = shown.get("image", {}).get("alt", "")
            assert len(alt) >= 15, f"no or too short mystnb.image.alt in:\n{cell.source}"
        if cell.cell_type == "markdown":
            for alt in re.findall(r"!\[(.*?)\]\(", cell.source):
                assert len(alt) >= 15, f"no or too short alternative text in:\n{cell.source}"


def test_exercises_and_quiz_are_there(path, notebook, code):
    headings = re.findall(
        r"^### Exercise (\d+) · .+\(.+\)", "\n\n".join(c.source for c in notebook.cells), re.M
    )
    assert headings == [str(i) for i in range(1, len(headings) + 1)]
    assert 3 <= len(headings) <= 6
    assert [
        cell
        for cell in code
        if cell.source.strip() == f'quiz("{path.stem}")' and "nbval-ignore-output" in tags(cell)
    ]
