"""Weights with a record: there and back, and nothing loaded that is not as it was saved."""

import hashlib
import json

import pytest
import torch
from helpers import randomise, seeded  # noqa: F401
from safetensors.torch import load_file

from transformer_essentials import weights
from transformer_essentials.seq2seq import Seq2Seq
from transformer_essentials.t5 import T5, T5Config


def tiny(width=4):
    return randomise(Seq2Seq(6, 5, embed=3, width=width)).float()


def parameters(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_round_trip(tmp_path):
    """Parameters come back to half precision, the record as it was, with size and checksum."""
    folder = tmp_path / "made"  # made if it isn't there
    saved, other = tiny(), tiny().train()
    made = weights.save("tiny", saved, {"command": "train", "seconds": 1.5, "note": "dés"}, folder)
    data = (folder / "tiny.safetensors").read_bytes()
    assert made == {
        "command": "train", "seconds": 1.5, "note": "dés",
        "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip
    assert weights.load("tiny", other, folder) == made == weights.record("tiny", folder)
    assert not other.training
    for name, value in parameters(other).items():
        assert value.dtype == torch.float32
        assert value.equal(saved.state_dict()[name].half().float())
    assert sorted(p.name for p in folder.iterdir()) == ["tiny.json", "tiny.safetensors"]


def test_saving_leaves_the_model_alone(tmp_path):
    model = tiny()
    before = parameters(model)
    weights.save("tiny", model, {}, tmp_path)
    assert all(value.equal(before[name]) for name, value in parameters(model).items())


def test_what_is_tied_is_kept_once(tmp_path):
    """A T5's table is its output matrix: one tensor in the file, both names filled from it."""
    config = T5Config(11, 8, 4, 1, 1, 2, 16)
    saved, other = T5(config), T5(config)
    weights.save("tied", saved, {}, tmp_path)
    kept = load_file(tmp_path / "tied.safetensors")
    assert "tokens.weight" in kept and "output.weight" not in kept
    assert sum(t.numel() for t in kept.values()) == sum(p.numel() for p in saved.parameters())
    weights.load("tied", other, tmp_path)
    assert other.output.weight.data_ptr() == other.tokens.weight.data_ptr()
    for name, value in parameters(saved).items():
        assert value.half().float().equal(parameters(other)[name])


def test_buffers_are_kept_as_they_are(tmp_path):
    """Half precision is for what was learned: 70000 would be infinite in it."""
    saved, other = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    saved.num_batches_tracked.fill_(70_000)
    saved.running_mean.copy_(torch.tensor([0.1, 1 / 3]))
    weights.save("norm", saved, {}, tmp_path)
    weights.load("norm", other, tmp_path)
    assert other.num_batches_tracked == 70_000
    assert other.running_mean.equal(saved.running_mean)


@pytest.mark.parametrize("damage", ["a bit", "cut short", "another record"])
def test_damaged_file_is_refused(tmp_path, damage):
    weights.save("tiny", tiny(), {}, tmp_path)
    path, model = tmp_path / "tiny.safetensors", tiny()
    data = bytearray(path.read_bytes())
    if damage == "a bit":
        data[-1] ^= 1
    elif damage == "cut short":
        del data[-4:]
    else:
        record = json.loads((tmp_path / "tiny.json").read_text("utf-8"))
        (tmp_path / "tiny.json").write_text(json.dumps({**record, "sha256": "0" * 64}), "utf-8")
    path.write_bytes(data)
    before = parameters(model)
    with pytest.raises(ValueError, match="tiny.safetensors is damaged: sha256 "):
        weights.load("tiny", model, tmp_path)
    assert all(value.equal(before[name]) for name, value in parameters(model).items())


def test_unknown_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights are called 'tinny'; there are: none"):
        weights.load("tinny", tiny(), tmp_path)
    weights.save("tiny", tiny(), {}, tmp_path)
    weights.save("small", tiny(), {}, tmp_path)
    with pytest.raises(FileNotFoundError, match="called 'tinny'; there are: small, tiny"):
        weights.load("tinny", tiny(), tmp_path)


def test_another_model_is_refused(tmp_path):
    weights.save("tiny", tiny(), {}, tmp_path)
    other = Seq2Seq(6, 5, embed=3, width=4, attention="luong")
    for model, fault in ((tiny(width=6), r"\(.*\) there, \(.*\) here"), (other, "missing")):
        before = parameters(model)
        with pytest.raises(ValueError, match=f"tiny.safetensors is another model's: .* is .*{fault}"):
            weights.load("tiny", model, tmp_path)
        assert all(before[name].equal(value) for name, value in parameters(model).items())


def test_every_weight_shipped_has_its_record():
    for path in weights.FOLDER.glob("*.safetensors"):
        made = weights.record(path.stem)
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == made["sha256"]
        assert len(data) == made["bytes"] <= 4_000_000
