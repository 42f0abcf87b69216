"""The training command: what it writes, and that a chapter can load it."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from transformer_essentials import train, weights
from transformer_essentials.corpora import Pair
from transformer_essentials.generation import translate
from transformer_essentials.tokenizers import Vocabulary

SMALL = ["--embed", "8", "--width", "8", "--batch-size", "4", "--warmup", "1"]


@pytest.fixture
def tsv(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("the cat sleeps\tle chat dort\na dog runs\tun chien court\n" * 4, encoding="utf-8")
    return path


def run(name, tsv, *more):
    return train.main([name, "--tsv", str(tsv), "--folder", str(tsv.parent), *SMALL, *more])


def test_weights_and_record_are_written_and_load(tsv):
    record = run("mine", tsv, "--updates", "40", "--lr", "0.03")
    model, source, target, loaded = train.load_translator("mine", tsv.parent)
    assert loaded == json.loads((tsv.parent / "mine.json").read_text(encoding="utf-8")) == record
    assert loaded["command"].startswith("python -m transformer_essentials.train mine --tsv")
    assert loaded["updates"] == 40 and loaded["pairs"] == 8 and loaded["seconds"] > 0
    assert loaded["parameters"] == sum(p.numel() for p in model.parameters())
    assert len(loaded["curve"]["loss"]) == len(loaded["curve"]["update"]) == 40
    assert set(source.tokens[4:]) == {"the", "cat", "sleeps", "a", "dog", "runs"}
    assert set(target.tokens[4:]) == {"le", "chat", "dort", "un", "chien", "court"}
    [(words, look)] = translate(model, [["a", "dog", "runs"]], source, target)
    assert words == ["un", "chien", "court"] and look.shape == (3, 4)


def test_the_same_seed_gives_the_same_weights(tsv):
    first = run("one", tsv, "--updates", "3", "--seed", "5")
    assert run("two", tsv, "--updates", "3", "--seed", "5")["sha256"] == first["sha256"]
    assert run("three", tsv, "--updates", "3", "--seed", "6")["sha256"] != first["sha256"]


def test_under_torchrun(tsv):
    """Two processes make the update that one makes of two batches, and write once."""
    run("one", tsv, "--updates", "3", "--accumulate", "2")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    argv = ["two", "--tsv", str(tsv), "--folder", str(tsv.parent), *SMALL, "--updates", "3"]
    found = subprocess.run(
        [*torchrun, "-m", "transformer_essentials.train", *argv],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.count("two: 0.0 MB") == 1
    one, two = (load_file(tsv.parent / f"{name}.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:  # kept in half precision
        torch.testing.assert_close(two[name], one[name], rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(
    "options, config",
    [
        (["--attention", "none", "--cell", "lstm"], {"attention": None, "cell": "lstm"}),
        (["--attention", "luong"], {"score": "general", "input_feeding": True, "window": None}),
        (
            ["--attention", "luong", "--score", "dot", "--no-input-feeding", "--window", "2"],
            {"score": "dot", "input_feeding": False, "window": 2},
        ),
    ],
)
def test_every_translator_can_be_trained_and_loaded(tsv, options, config):
    record = run("any", tsv, "--updates", "2", *options)
    assert config.items() <= record["model"].items()
    model, *_ = train.load_translator("any", tsv.parent)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_a_try_keeps_the_record_alone_and_once(tsv):
    for rate in ("0.01", "0.02", "0.02"):
        run("some", tsv, "--updates", "2", "--lr", rate, "--try")
    tries = json.loads((tsv.parent / "tries.json").read_text())
    assert [each["command"].split("--lr ")[1] for each in tries] == ["0.01 --try", "0.02 --try"]
    assert not (tsv.parent / "some.safetensors").exists()


def test_reverse_reads_the_source_backwards():
    class Echo:  # stands for translate: gives the source back
        def __call__(self, model, sentences, source, target, **_):
            return [(list(sentence), None) for sentence in sentences]

    pairs = {"4–9": [Pair(("a", "b", "c", "d"), ("d", "c", "b", "a"))]}
    words = Vocabulary("abcd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "translate", Echo())
        assert train.bleu_by_length(None, words, words, pairs, reverse=True)["4–9"] == pytest.approx(100)
        assert train.bleu_by_length(None, words, words, pairs)["4–9"] < 50


def test_test_sentences_have_the_lengths_they_are_said_to_have():
    tests = train.test_sentences(5)
    assert list(tests) == [f"{low}–{high}" for low, high in train.LENGTHS]
    for (low, high), pairs in zip(train.LENGTHS, tests.values(), strict=True):
        assert len(pairs) == 5 and all(low <= len(pair.source) <= high for pair in pairs)


TRANSLATORS = [
    path for path in sorted(weights.FOLDER.glob("*.safetensors"))
    if "source_words" in weights.record(path.stem)
]  # fmt: skip


@pytest.mark.parametrize("path", TRANSLATORS, ids=lambda p: p.stem)
def test_every_shipped_translator_loads_and_is_small(path):
    assert path.stat().st_size <= 4_000_000
    model, source, target, record = train.load_translator(path.stem)
    assert record["bytes"] == path.stat().st_size and record["command"].split()[3] == path.stem
    assert record["parameters"] == sum(p.numel() for p in model.parameters())


def test_all_shipped_weights_are_small_together():
    assert sum(path.stat().st_size for path in weights.FOLDER.glob("*")) <= 30_000_000
