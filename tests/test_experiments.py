"""Each experiment runs, and its results are those of its source as it stands."""

import pytest
import torch

from transformer_essentials import experiments

NAMES = experiments.names()


@pytest.mark.parametrize("name", NAMES)
def test_record_is_of_the_source(name):
    made, module = experiments.record(name), experiments.load(name)
    assert made["source"] == experiments.checksum(name), f"run it again: {made['command']}"
    assert list(made["runs"]) == [str(seed) for seed in module.SEEDS] and len(module.SEEDS) >= 3
    shapes = {
        tuple((condition, tuple(values)) for condition, values in run.items())
        for run in made["runs"].values()
    }
    assert len(shapes) == 1, "every seed has the same conditions and measures"


@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name):
    """Two updates of everything: the same conditions and measures as in the record."""
    torch.set_num_threads(1)
    found = experiments.load(name).run(0, updates=2)
    recorded = experiments.record(name)["runs"]["0"]
    assert {k: list(v) for k, v in found.items()} == {k: list(v) for k, v in recorded.items()}
    assert all(isinstance(x, float | int) for values in found.values() for x in values.values())


def test_unknown_names():
    with pytest.raises(ValueError, match="no experiment is called 'nothing'; there are: "):
        experiments.load("nothing")
    with pytest.raises(FileNotFoundError, match="no results of 'nothing'; there are: "):
        experiments.record("nothing")


def test_every_result_has_an_experiment():
    assert sorted(path.stem for path in experiments.RESULTS.glob("*.json")) == NAMES
