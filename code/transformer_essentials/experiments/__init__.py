"""Experiments that need longer than a chapter has: run by command, their results kept.

    python -m transformer_essentials.experiments                   which there are
    python -m transformer_essentials.experiments NAME [NAME ...]   run them again

Each is a file of this folder with a function ``run(seed, updates=…)``, which trains its conditions
and gives back ``{condition: {measure: value}}``. The command runs it for each of the file's SEEDS
and writes ``results/NAME.json``: command, machine, seconds, the values, and a checksum of the
experiment's source, so that a test sees when the one was changed and the other wasn't.
"""

import hashlib
import importlib
import json
import re
import time
from pathlib import Path

import torch

from ..weights import machine, write_whole

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"


def names() -> list[str]:
    """Every experiment."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def checksum(name: str) -> str:
    """Of the experiment's source, without its opening docstring and lines of comment."""
    source = (FOLDER / f"{name}.py").read_text("utf-8")
    source = re.sub(r'\A""".*?"""\n', "", source, flags=re.DOTALL)
    kept = [line for line in source.splitlines() if line.strip() and line.strip()[0] != "#"]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:16]


def load(name: str):
    """The module of an experiment."""
    if name not in names():
        raise ValueError(f"no experiment is called {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")


def record(name: str) -> dict:
    """What running it left behind."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in RESULTS.glob("*.json"))) or "none"
        raise FileNotFoundError(f"no results of {name!r}; there are: {known}")
    return json.loads(path.read_text("utf-8"))


def measured(name: str, measure: str) -> dict[str, list[float]]:
    """{condition: [a value for each seed]} of one measure."""
    runs = record(name)["runs"].values()
    first = next(iter(runs))
    return {condition: [run[condition][measure] for run in runs] for condition in first}


def perform(name: str) -> dict:
    """Run an experiment for each of its seeds; write and give back the record."""
    module, started, runs = load(name), time.process_time(), {}
    torch.set_num_threads(1)
    for seed in module.SEEDS:
        runs[str(seed)] = module.run(seed)
        for condition, values in runs[str(seed)].items():
            print(f"seed {seed}, {condition}: {values}", flush=True)
    made = {
        "command": f"python -m transformer_essentials.experiments {name}",
        "machine": machine(),
        "cpu_seconds": round(time.process_time() - started, 1),
        "source": checksum(name),
        "runs": runs,
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    write_whole(RESULTS / f"{name}.json", text.encode())
    return made
