"""`make execute` stores outputs and costs, and nothing that changes from run to run."""

import execute
import pytest
from nbformat import read, v4, write


@pytest.fixture
def notebook(tmp_path):
    def make(*sources):
        path = tmp_path / "chapter.ipynb"
        cells = [
            v4.new_code_cell(source, metadata={"execution": {"iopub.status.idle": "now"}})
            for source in sources
        ]
        write(v4.new_notebook(cells=[v4.new_markdown_cell("# Title"), *cells]), path)
        return path

    return make


def test_outputs_and_costs(notebook):
    path = notebook(
        "x = bytearray(200_000_000)",
        "for i in range(3):\n    print(f'\\r{i} done', end='')",
        "len(x)",
    )
    assert execute.main([str(path)]) == 0
    stored = read(path, as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert code[1].outputs[0].text == "2 done"
    assert code[2].outputs[0].data["text/plain"] == "200000000"
    assert 0 < stored.metadata.transformer_essentials.minutes <= 1
    assert 200 < stored.metadata.transformer_essentials.memory_mb < 500
    assert "iopub" not in path.read_text() and "version" not in stored.metadata.language_info


def test_a_second_run_changes_nothing_but_the_costs(notebook):
    path = notebook("1 + 1")
    texts = []
    for _ in range(2):
        execute.main([str(path)])
        stored = read(path, as_version=4)
        del stored.metadata["transformer_essentials"]
        texts.append(stored)
    assert texts[0] == texts[1]


def test_a_notebook_that_fails_is_left_as_it_was(notebook, capsys):
    path = notebook("1 / 0")
    before = path.read_bytes()
    assert execute.main([str(path)]) == 1
    assert path.read_bytes() == before
    said = capsys.readouterr()
    assert "ZeroDivisionError" in said.out and "Mend the cell" in said.err


def test_a_notebook_over_its_budget_fails(notebook, monkeypatch, capsys):
    monkeypatch.setattr(execute, "MEMORY_MB", 20)
    assert execute.main([str(notebook("1 + 1"))]) == 1
    assert "over its budget" in capsys.readouterr().err


def test_a_wrong_name(capsys):
    assert execute.main(["chapters/attention/none.ipynb"]) == 1
    assert "No such notebook: chapters/attention/none.ipynb" in capsys.readouterr().out


def test_budgets():
    assert execute.seconds_allowed(execute.ROOT / "chapters/seq2seq/translator.ipynb") == 150
    assert execute.seconds_allowed(execute.ROOT / "chapters/seq2seq/bottleneck.ipynb") == 60
