"""Weights from Hugging Face's checkpoints and back, strictly: every tensor accounted for.

Beside each model stand four tables, which this file reads in both directions:

- ``HF_MODELS``: their class, as ``config.json`` calls it, and ours;
- ``HF_CONFIG``: a key of ``config.json`` and our field, or ``field(…)``, or ``fixed(value)``;
- ``HF_NAMES``: a tensor's name in the checkpoint and in our model. ``{}`` stands for a number and
  ``*``, at the end, for ``weight`` or ``bias``. In place of our name: ``tied(name)``,
  ``optional(name)``, ``fused(names)``, ``conv1d(names)``, or None for what is left out on purpose.
  Where names depend on the configuration, a function of it that gives the table;
- ``HF_PREFIX``: how names of the bare model start, theirs and ours, inside a model with a head.
"""

import inspect
import json
import sys
from dataclasses import asdict
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

MODEL_TYPES = {  # config.json's model_type -> our file
    "bert": "bert",
    "roberta": "roberta",
    "albert": "albert",
    "distilbert": "distilbert",
    "electra": "electra",
    "openai-gpt": "gpt",
    "gpt2": "gpt2",
    "ctrl": "ctrl",
    "transfo-xl": "transformer_xl",
    "bart": "bart",
    "mbart": "mbart",
    "marian": "marian",
    "t5": "t5",
    "vit_mae": "mae",
    "vit": "mae",  # which is what MAE's encoder is, once a classifier sits on it
}
ACTIVATION_NAMES = {  # theirs -> ours; of two for the same, the first is written
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "swish",
    "swish": "swish",
}


class CheckpointError(ValueError):
    """A checkpoint that isn't what it should be; nothing of it was loaded."""


# ---------------------------------------------------------------- what the tables are written in


class tied(str):
    """Another name for a tensor that has one: may be missing, must be equal, is never written."""


class optional(str):
    """A tensor that may be missing: ours stays as it was made, then."""


class Fused(NamedTuple):
    """Several tensors of ours, in equal parts, in one of theirs."""

    names: tuple[str, ...]
    transposed: bool = False


def fused(*names: str) -> Fused:
    """Ours one below the other: outputs of several layers, as if of one."""
    return Fused(names)


def conv1d(*names: str) -> Fused:
    """The same with inputs as rows, outputs as columns: how GPT and GPT-2 keep their weights."""
    return Fused(names, transposed=True)


class field(NamedTuple):
    """Our field; its values may have other names there, the key may be allowed to be missing."""

    name: str
    required: bool = True
    names: dict | None = None


class fixed(NamedTuple):
    """What the key must be, if it is there: our model does it this way and no other."""

    value: Any


def _match(name: str, table: dict) -> tuple | None:
    """The key of the table that fits a name, its numbers, and what ``*`` stands for."""
    parts = name.split(".")
    choices = [(part, "{}") if part.isdigit() else (part,) for part in parts]
    choices[-1] += ("*",)
    for choice in product(*choices):
        if (key := ".".join(choice)) in table:
            return key, [p for p, c in zip(parts, choice) if c == "{}"], parts[-1]
    return None


def _fill(template: str, numbers: list[str], end: str) -> str:
    return template.format(*numbers).replace("*", end)


def _parts(entry) -> Fused:
    return entry if isinstance(entry, Fused) else Fused((entry,))


def _targets(own: dict[str, Tensor], table: dict):
    """For each tensor of ours, once: (their name, which part of theirs, transposed), and ours."""
    inverse = {
        ours: (theirs, i, _parts(entry).transposed)
        for theirs, entry in table.items()
        if entry is not None and not isinstance(entry, tied)
        for i, ours in enumerate(_parts(entry).names)
    }
    found = {}
    for name, tensor in own.items():
        if id(tensor) not in found and (match := _match(name, inverse)):
            theirs, i, transposed = inverse[match[0]]
            found[id(tensor)] = (_fill(theirs, *match[1:]), i, transposed), tensor
    if unknown := [name for name, tensor in own.items() if id(tensor) not in found]:
        raise CheckpointError(f"HF_NAMES says nothing of our {unknown[0]}")
    return found.values()


def _family(model: type):
    """The file that a model, or the model that it is made from, comes from."""
    for parent in model.__mro__:
        if hasattr(sys.modules.get(parent.__module__), "HF_NAMES"):
            return sys.modules[parent.__module__]
    raise CheckpointError(f"{model.__name__} has no table HF_NAMES beside it")


def _table(model: nn.Module, family) -> dict:
    """The model's HF_NAMES."""
    return family.HF_NAMES(model.config) if callable(family.HF_NAMES) else family.HF_NAMES


def _own(model: nn.Module, family) -> dict[str, Tensor]:
    """The model's tensors by name, a tied one under each of its names; the prefix always there."""
    own = model.state_dict(keep_vars=True)
    return {family.HF_PREFIX[1] * _is_bare(own, family) + name: own[name] for name in own}


def _is_bare(own: dict, family) -> bool:
    return not any(name.startswith(family.HF_PREFIX[1]) for name in own)


# ---------------------------------------------------------------- state dicts


def load_hf(model: nn.Module, state_dict: dict[str, Tensor], source="the state dict") -> None:
    """Fill the model with a Hugging Face state dict; ``source`` is what an error calls it.

    A tensor that is missing, unknown, of another shape, or different from the one it is tied to:
    CheckpointError, and the model is as it was. Names of norms may end in gamma and beta, as in
    checkpoints that come from TensorFlow.
    """
    family, kind = _family(type(model)), type(model).__name__
    table, own = _table(model, family), _own(model, family)
    met, problems = {}, []  # id of our tensor -> their name, value
    for name, tensor in state_dict.items():
        modern = name.replace("LayerNorm.gamma", "LayerNorm.weight")
        modern = modern.replace("LayerNorm.beta", "LayerNorm.bias")
        match = _match(modern, table) or _match(family.HF_PREFIX[0] + modern, table)
        if match is None or not isinstance(tensor, Tensor):
            problems.append(f"{name} is not known" if match is None else f"{name} is no tensor")
            continue
        key, *rest = match
        if table[key] is None:
            continue
        names, transposed = _parts(table[key])
        whole = tensor.T if transposed else tensor
        values = whole.chunk(len(names)) if len(names) > 1 else [whole]
        for ours, value in zip(names, values):
            target = own.get(_fill(ours, *rest))
            before, known = met.setdefault(id(target), (name, value))
            if target is None:
                problems.append(f"{name} has no place in it")
            elif value.shape != target.shape:
                problems.append(f"{name} is {tuple(value.shape)}, not {tuple(target.shape)}")
            elif value.is_floating_point() != target.is_floating_point():
                problems.append(f"{name} is {value.dtype}, not {target.dtype}")
            elif value is not known and not torch.equal(value, known):
                problems.append(f"{name} differs from {before}, to which it is tied")

    problems += [
        f"{name} is missing"
        for (name, *_), t in _targets(own, table)
        if id(t) not in met and not isinstance(table.get(name), optional)
    ]
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(f"{source} doesn't fit {kind}: {'; '.join(problems[:3])}{more}")
    with torch.no_grad():
        for target in own.values():
            if id(target) in met:
                target.copy_(met[id(target)][1])


def to_hf(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors under Hugging Face's names, a tied one under one of them."""
    family = _family(type(model))
    own, parts = _own(model, family), {}
    for (name, i, transposed), tensor in _targets(own, _table(model, family)):
        parts.setdefault((name, transposed), {})[i] = tensor.detach()
    bare, result = _is_bare(model.state_dict(), family), {}
    for (name, transposed), pieces in parts.items():
        whole = torch.cat([pieces[i] for i in sorted(pieces)])
        name = name.removeprefix(family.HF_PREFIX[0]) if bare else name
        result[name] = whole.T.contiguous() if transposed else whole
    return result


# ---------------------------------------------------------------- config.json


def config_from_hf(family, given: dict, source="the configuration"):
    """Our configuration from config.json's; keys that HF_CONFIG doesn't have are passed over."""
    values = {}
    for key, entry in family.HF_CONFIG.items():
        value = given.get(key)
        if isinstance(entry, fixed):
            if key in given and value != entry.value:
                problem = f"is {value!r}; this model knows only {entry.value!r}"
                raise CheckpointError(f"{source}: {key} {problem}")
            continue
        name, required, names = field(entry) if isinstance(entry, str) else entry
        if value is None:
            if required:
                raise CheckpointError(f"{source}: {key} is missing")
            continue
        if names is not None and value not in names:
            raise CheckpointError(f"{source}: {key} is {value!r}, none of {', '.join(names)}")
        value = value if names is None else names[value]
        if values.setdefault(name, value) != value:
            problem = f"is {value!r}, but our one {name} is {values[name]!r} already"
            raise CheckpointError(f"{source}: {key} {problem}")
    return _config_class(family)(**values)


def config_to_hf(model: nn.Module) -> dict:
    """What ``config.json`` says of a model of ours, or of one derived from it."""
    family, ours = _family(type(model)), asdict(model.config)
    file = family.__name__.rpartition(".")[2]
    known = {made: name for name, made in family.HF_MODELS.items()}
    named = next((known[parent] for parent in type(model).__mro__ if parent in known), None)
    if named is None or type(model.config) is not _config_class(family):
        kinds = f"{type(model).__name__} and its {type(model.config).__name__}"
        raise CheckpointError(f"Hugging Face has no class for {kinds}")
    result = {
        "model_type": next(kind for kind, name in MODEL_TYPES.items() if name == file),
        "architectures": [named],
    }
    for key, entry in family.HF_CONFIG.items():
        if isinstance(entry, fixed):
            result[key] = entry.value
            continue
        name, _, names = field(entry) if isinstance(entry, str) else entry
        theirs = {ours: t for t, ours in reversed(names.items())} if names else {}
        result[key] = theirs.get(ours[name], ours[name])
    if hasattr(model, "n_labels"):
        result["id2label"] = {str(i): f"LABEL_{i}" for i in range(model.n_labels)}
        result["label2id"] = {label: int(i) for i, label in result["id2label"].items()}
    return result


def _config_class(family) -> type:
    return type(next(iter(family.PRESETS.values())))


# ---------------------------------------------------------------- folders


def from_pretrained(folder: str | Path, model: type | None = None) -> nn.Module:
    """The model in a folder as Hugging Face writes it: config.json and model.safetensors.

    In place of the latter pytorch_model.bin, of which only tensors are read, never code.
    ``model`` is the class to make of it, by default the one that config.json names: BERT as first
    published needs ``BERTForPreTraining``, because its config.json names less than the file holds.
    Ready for use: not in training mode. CheckpointError says what is wrong in which file.
    """
    path = Path(folder) / "config.json"
    given = _json(path)
    if (later := path.with_name("generation_config.json")).exists():  # keys moved there since
        given = _json(later) | {key: value for key, value in given.items() if value is not None}
    if (kind := given.get("model_type")) not in MODEL_TYPES:
        raise CheckpointError(f"{path}: model_type {kind!r} is none of {', '.join(MODEL_TYPES)}")
    family = import_module(f".{MODEL_TYPES[kind]}", __package__)
    named = (given.get("architectures") or ["nothing"])[0]
    if model is None and named not in family.HF_MODELS:
        known = ", ".join(family.HF_MODELS)
        raise CheckpointError(f"{path} names {named}, none of {known}; say which model to make")
    model = model or family.HF_MODELS[named]
    if model not in family.HF_MODELS.values():
        raise CheckpointError(f"{path} describes a model of type {kind}, not a {model.__name__}")

    config, asked = config_from_hf(family, given, path), {}
    if "n_labels" in inspect.signature(model).parameters:
        asked["n_labels"] = len(given.get("id2label") or range(given.get("num_labels", 2)))
    path, tensors = _read(Path(folder))
    made = model(config, **asked)
    load_hf(made, tensors, path)
    return made.eval()


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def _read(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    readers = {
        "model.safetensors": load_file,
        "pytorch_model.bin": partial(torch.load, map_location="cpu", weights_only=True),
    }
    for name, read in readers.items():
        if not (path := folder / name).exists():
            continue
        try:
            tensors = read(path)
        except (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError) as error:
            why = "it is damaged, cut short, or holds more than tensors"
            raise CheckpointError(f"{path} can't be read, {why}: {error}") from error
        if not isinstance(tensors, dict):
            raise CheckpointError(f"{path} holds no state dict, but a {type(tensors).__name__}")
        return path, tensors
    raise FileNotFoundError(f"{folder} holds neither {' nor '.join(readers)}")


def save_hf(model: nn.Module, folder: str | Path) -> None:
    """Write config.json and model.safetensors; Hugging Face's class loads the folder as its own."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = config_to_hf(model)
    save_file(to_hf(model), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
