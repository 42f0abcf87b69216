"""Run chapters afresh, each in a kernel of its own, and store what they print and what they cost.

    python book/execute.py [NOTEBOOK ...]     (all chapters by default; `make execute` calls this)

A notebook that runs is written back with its outputs and, in its metadata, the minutes that it took
and the peak memory of its kernel. What differs from run to run without meaning (times of cells, the
Python version) is left out. The exit status is 1 if a chapter failed or went over its budget.
"""

import math
import sys
import time
from pathlib import Path

import claims
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).parents[1]
SECONDS = 60
MORE_SECONDS = {"chapters/seq2seq/translator.ipynb": 150}
MEMORY_MB = 1200
PEAK = "import resource; resource.getrusage(resource.RUSAGE_SELF).ru_maxrss"  # KiB; macOS: bytes
CPU = "import time; round(time.process_time(), 1)"


def chapters() -> list[Path]:
    """All notebooks of the book, in the order of their paths."""
    return sorted((ROOT / "chapters").glob("*/*.ipynb"))


def seconds_allowed(path: Path) -> int:
    """The budget of the notebook at `path`, in seconds on two cores."""
    more = {ROOT / name: seconds for name, seconds in MORE_SECONDS.items()}
    return more.get(path.resolve(), SECONDS)


def execute(path: Path) -> tuple[float, float, float]:
    """Run the notebook and write it back.

    Returns its seconds by the clock, the seconds of all processors together (which tell a heavy
    chapter from a busy machine), and the peak of its kernel's memory in MB.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        record_timing=False,
        coalesce_streams=True,  # a progress bar leaves its last state only
        resources={"metadata": {"path": str(path.parent)}},
    )
    started = time.monotonic()
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        seconds = time.monotonic() - started
        peak, processor_seconds = (ask(client, code) for code in (PEAK, CPU))
        info = client.wait_for_reply(client.kc.kernel_info())["content"]["language_info"]
    memory = peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)

    info.pop("version")
    notebook.metadata["language_info"] = info
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    ours = notebook.metadata.setdefault("transformer_essentials", {})
    ours["minutes"] = math.ceil(seconds / 6) / 10
    ours["memory_mb"] = math.ceil(memory / 10) * 10
    nbformat.write(notebook, path)
    return seconds, processor_seconds, memory


def ask(client: NotebookClient, code: str) -> float:
    """The number that the kernel answers to `code`, which leaves no trace in the notebook."""
    cells = client.nb.cells
    cells.append(nbformat.v4.new_code_cell(code))
    client.execute_cell(cells[-1], len(cells) - 1, store_history=False)
    return float(cells.pop().outputs[0]["data"]["text/plain"])


def main(names: list[str]) -> int:
    paths = [Path(name) for name in names] or chapters()
    if missing := [str(path) for path in paths if not path.is_file()]:
        print(f"No such notebook: {', '.join(missing)}.")
        print("Name notebooks as in chapters/attention/self-attention.ipynb.")
        return 1
    faults = []
    for path in paths:
        print(f"{path}: running …", flush=True)
        try:
            seconds, processor_seconds, memory = execute(path)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(error)
            faults.append(f"{path} failed and was left as it was. Mend the cell shown above.")
            continue
        allowed = seconds_allowed(path)
        print(
            f"{path}: {seconds:.0f} s of {allowed} s (processors: {processor_seconds:.0f} s), "
            f"{memory:.0f} MB of {MEMORY_MB} MB",
            flush=True,
        )
        if seconds > allowed or memory > MEMORY_MB:
            faults.append(f"{path} went over its budget: make it smaller, or try an idle machine.")
    for fault in faults:
        print(fault, file=sys.stderr)
    claims.update()
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
