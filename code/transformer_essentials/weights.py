"""Weights that this repository's own training command made, each beside a record of its making.

``weights/NAME.safetensors`` holds the tensors (in half precision, to stay small), and
``weights/NAME.json`` the command, the machine, the seconds, the curve and the checksum.
"""

import hashlib
import json
import platform
import time
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

FOLDER = Path(__file__).parent / "weights"


def save(name: str, model: nn.Module, record: dict, folder: Path = FOLDER) -> dict:
    """Write the model's parameters and the record; return the record with its checksum."""
    learned = {name for name, _ in model.named_parameters()}
    data = save_tensors({
        key: (value.half() if key in learned else value).contiguous()
        for key, value in tensors(model).items()
    })  # fmt: skip
    record = {**record, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, content in (
        (".safetensors", data),
        (".json", (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()),
    ):
        write_whole(folder / f"{name}{suffix}", content)
    return record


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name; what goes by two names, such as a tied table, by the first."""
    state, names = model.state_dict(), {}  # the first name of each piece of memory
    for name, value in state.items():
        names.setdefault((value.data_ptr(), value.shape), name)
    return {name: state[name] for name in names.values()}


def write_whole(path: Path, content: bytes) -> None:
    """Write the file in one step, so that what stops it on the way leaves the old one."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def record(name: str, folder: Path = FOLDER) -> dict:
    """The record of how these weights were made."""
    path = folder / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"no weights are called {name!r}; there are: {known}")
    return json.loads(path.read_text(encoding="utf-8"))


def load(name: str, model: nn.Module, folder: Path = FOLDER) -> dict:
    """Fill the model with these weights, strictly; return their record.

    A file whose checksum differs from its record, or that is another model's, is refused before
    anything is loaded.
    """
    made = record(name, folder)
    path = folder / f"{name}.safetensors"
    if not path.exists():
        raise FileNotFoundError(
            f"{path.name} is not here, only its record; {made['command']!r} makes it"
        )
    data = path.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != made["sha256"]:
        raise ValueError(f"{path.name} is damaged: sha256 {found}, its record says {made['sha256']}")
    kept = load_tensors(data)
    there, here = ({k: tuple(v.shape) for k, v in x.items()} for x in (kept, tensors(model)))
    if wrong := [k for k in here | there if here.get(k) != there.get(k)]:
        raise ValueError(
            f"{path.name} is another model's: {wrong[0]} is {there.get(wrong[0], 'missing')} there, "
            f"{here.get(wrong[0], 'missing')} here"
        )
    with torch.no_grad():
        for key, value in tensors(model).items():
            value.copy_(kept[key])
    model.eval()
    return made


def making(command: str, started: float, model: nn.Module, **settings) -> dict:
    """What a record says first: how, where and how long this model was made, and its size.

    ``started``: the process's time when it began, in seconds.
    """
    return {
        "command": command,
        "machine": machine(),
        "cpu_seconds": round(time.process_time() - started, 1),
        **settings,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def machine() -> str:
    """What this runs on, in words."""
    names = [line for line in cpu_lines() if line.startswith("model name")]
    cpu = names[0].split(":")[1].strip() if names else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{cpu}{gpu}, torch {torch.__version__}, Python {platform.python_version()}"


def cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
