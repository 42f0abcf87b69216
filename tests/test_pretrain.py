"""The training command for all models: it learns, what it writes loads, it goes on where it was."""

import json
import random
import runpy
import sys

import pytest
import torch
from helpers import randomise, seeded  # noqa: F401
from PIL import Image
from tokenizers import Tokenizer

from transformer_essentials import pretrain, tasks, train, training, weights
from transformer_essentials.checkpoints import from_pretrained
from transformer_essentials.corpora.parallel import CorpusError
from transformer_essentials.electra import ELECTRAForMaskedLM, share_embeddings
from transformer_essentials.generation import translate
from transformer_essentials.heads import IGNORE
from transformer_essentials.tokenizers import KINDS, train_tokenizer

SMALL = "--width 16 --layers 2 --heads 2 --length 32 --vocabulary 300 --batch-size 8 --warmup 2"
WORDS = [
    ["The cat", "A dog", "My sister", "Nobody"],
    ["sees", "likes", "finds"],
    ["the ball.", "a mouse.", "her friend.", "the red house."],
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Forty texts in each of two files, and as many pairs."""
    folder, rng = tmp_path_factory.mktemp("corpus"), random.Random(0)

    def text():
        return " ".join(rng.choice(words) for _ in range(rng.randint(1, 3)) for words in WORDS)

    for name in ("en", "fr"):
        (folder / f"{name}.txt").write_text("\n".join(text() for _ in range(40)), "utf-8")
    pairs = "\n".join(f"{source}\t{source.upper()}" for source in (text() for _ in range(40)))
    (folder / "en-fr.tsv").write_text(pairs, "utf-8")
    return folder


def command(files, model, folder, *more, updates=10):
    data = ["--text", str(files / "en.txt"), str(files / "fr.txt")]
    data = {"mae": [], "marian": ["--tsv", str(files / "en-fr.tsv")]}.get(model, data)
    if "--tsv" in more or "--text" in more:
        data = []
    options = f"{SMALL} --lr 0.01 --updates {updates}".split()
    argv = ["it", "--model", model, "--folder", str(folder), *options, *data, *map(str, more)]
    return train.main(argv)


@pytest.fixture
def made(monkeypatch):
    """What the last run prepared: its task, texts, tokenizer."""
    kept, prepare = [], pretrain.prepare

    def keep(args):
        kept[:] = prepare(args)
        return tuple(kept)

    monkeypatch.setattr(pretrain, "prepare", keep)
    return kept


# ---------------------------------------------------------------- every model


@pytest.mark.parametrize("model", tasks.MODELS)
def test_every_model_learns_and_loads_again(files, tmp_path, made, model):
    record = command(files, model, tmp_path)
    assert record["held_out"]["after"] < 0.9 * record["held_out"]["before"]
    assert record["curve"]["update"] == list(range(1, 11))
    assert record["curve"]["loss"][-1] < record["curve"]["loss"][0]
    assert record == weights.record("record", tmp_path / "it")
    assert f"it --model {model} " in record["command"] and record["updates"] == 10

    task, texts, tokenizer = made
    batch = task.batch(task.rows(texts)[:8], torch.Generator().manual_seed(1))
    task.zero_grad()
    torch.manual_seed(2)
    loss = task(*batch)
    loss.backward()
    unreached = [n for n, p in task.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached
    task.model = from_pretrained(tmp_path / "it")  # the same class, and the same answers
    assert type(task.model) is tasks.MODELS[model].model
    assert record["parameters"] == sum(p.numel() for p in task.model.parameters())
    if model == "electra":
        task.generator = from_pretrained(tmp_path / "it" / "generator", ELECTRAForMaskedLM)
        share_embeddings(task.generator, task.model)
    torch.manual_seed(2)
    assert task(*batch).equal(loss)
    if tokenizer:
        again = Tokenizer.from_file(str(tmp_path / "it" / "tokenizer.json"))
        assert again.get_vocab() == tokenizer.get_vocab()
        assert again.get_vocab_size() == task.model.config.vocabulary <= 300


@pytest.mark.parametrize("model", ["bert", "electra", "transformer-xl", "t5"])
def test_resumes_bit_for_bit(files, tmp_path, monkeypatch, model):
    """Killed after its first save, or never: the same weights."""
    command(files, model, tmp_path / "whole", updates=5)
    save = training.Run.save

    def killed(run, path):
        save(run, path)
        raise KeyboardInterrupt

    options = "--checkpoint", tmp_path / "run.pt", "--save-every", "3"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.Run, "save", killed)
        command(files, model, tmp_path / "parts", *options, updates=5)
    assert not (tmp_path / "parts").exists()
    command(files, model, tmp_path / "parts", *options, updates=5)
    whole, parts = (tmp_path / name / "it" for name in ("whole", "parts"))
    for file in ("model.safetensors", "tokenizer.json"):
        assert (whole / file).read_bytes() == (parts / file).read_bytes()
    first, second = (weights.record("record", folder) for folder in (whole, parts))
    assert first["held_out"] == second["held_out"] and first["curve"] == second["curve"]


def test_seed_precision_and_accumulation(files, tmp_path):
    def made(*more):
        record = command(files, "gpt2", tmp_path, "--accumulate", "2", *more, updates=3)
        return record["curve"]["loss"], (tmp_path / "it" / "model.safetensors").read_bytes()

    lower, lower_weights = made("--precision", "bfloat16")
    losses, exact = made()
    assert made() == (losses, exact)
    assert lower_weights != exact and lower == pytest.approx(losses, rel=0.02)
    assert made("--seed", "1")[0] != losses


# ---------------------------------------------------------------- more than one run


@pytest.mark.parametrize("model", ["bart", "mbart", "t5"])
def test_pretrained_on_texts_then_on_pairs(files, tmp_path, made, model):
    command(files, model, tmp_path / "first")
    start, tsv = tmp_path / "first" / "it", files / "en-fr.tsv"
    alone = command(files, model, tmp_path / "alone", "--tsv", tsv)
    record = command(files, model, tmp_path / "then", "--tsv", tsv, "--start", start)
    assert record["held_out"]["after"] < record["held_out"]["before"] < alone["held_out"]["before"]
    task, texts, tokenizer = made
    source, target_in, labels = task.batch(task.rows(texts)[:2], None)
    end = task.tokens.end
    if model == "mbart":
        en, fr = map(tokenizer.token_to_id, ("<en>", "<fr>"))
        assert from_pretrained(tmp_path / "then" / "it").config.begin == fr
        assert (target_in[:, 0] == fr).all() and (source == en).sum() == (labels == fr).sum() == 2
    else:
        assert (source == end).sum() == (labels == end).sum() == 2


def test_a_teacher(files, tmp_path, made):
    command(files, "bert", tmp_path / "teacher", updates=12)
    teacher = tmp_path / "teacher" / "it"
    record = command(files, "distilbert", tmp_path, "--teacher", teacher, "--layers", "1")
    assert record["held_out"]["after"] < record["held_out"]["before"]
    task, *_ = made
    assert isinstance(task, tasks.Distillation) and len(task.model.encoder.blocks) == 1
    assert not any("teacher" in name for name in task.state_dict())
    assert json.loads((teacher / "tokenizer.json").read_text()) == json.loads(
        (tmp_path / "it" / "tokenizer.json").read_text()
    )
    one = from_pretrained(teacher)
    student = pretrain.student_of(one, 2)
    for ours, theirs in zip(student.encoder.blocks, one.encoder.blocks, strict=True):
        assert all(a.equal(b) for a, b in zip(ours.parameters(), theirs.parameters()))
    assert student.head.output.weight is student.encoder.embeddings.tokens.weight
    assert student.head.output.weight.equal(one.head.output.weight)


def test_images(tmp_path, made):
    for i in range(6):
        Image.new("RGB", (20, 30), (40 * i, 0, 255)).save(tmp_path / f"{i}.png")
    paths = sorted(tmp_path.glob("*.png"))
    command(tmp_path, "mae", tmp_path, "--images", *paths, "--batch-size", "2", updates=2)
    task, images, _ = made
    assert images[2].shape == (3, 32, 32)
    assert images[2][:, 5, 5].tolist() == pytest.approx([80 / 255, 0, 1])
    assert task.model.config.patch_size == 4


def test_the_transformer_of_2017(files, tmp_path):
    more = "--tsv", files / "en-fr.tsv", "--embed", "8"
    record = command(files, "transformer", tmp_path, *more)
    model, source, target, loaded = train.load_translator("it", tmp_path)
    assert loaded == record and len(model.encoder) == 2
    assert record["parameters"] == sum(p.numel() for p in model.parameters())
    [(words, look)] = translate(model, [["the", "cat"]], source, target)
    assert look is not None and set(words) <= set(target.tokens)


# ---------------------------------------------------------------- rows and batches by hand


def tokens(**more):
    marks = dict(pad=0, unk=1, start=2, end=3, mask=4)
    return tasks.SimpleNamespace(**marks, marks=list(marks.values()), size=50, **more)


def test_fit():
    sentences = [[10, 11], [12], [13, 14, 15, 16, 17, 18, 19], [20]]
    assert tasks.fit(sentences, 4) == [[[10, 11], [12]], [[13, 14, 15, 16]], [[17, 18, 19], [20]]]
    assert tasks.fit(sentences, 4, marks=1) == [
        [[10, 11]], [[13, 14, 15]], [[16, 17, 18]], [[19], [20]],
    ]  # fmt: skip


def test_texts_one_after_the_other():
    texts = [tasks.Text([[10, 11], [12]], (40,)), tasks.Text([[13]], (40,)), tasks.Text([[14]], (41,))]
    plain = [tasks.Text(text.parts) for text in texts]
    rows = tasks.NextToken(None, tokens(), 3).rows(plain)
    assert rows == [[10, 11, 12, 3], [3, 13, 3, 14], [14, 3]]  # each token is asked for once
    inputs, labels = tasks.NextToken(None, tokens(), 3).batch(rows[1:], None)
    assert inputs.tolist() == [[3, 13, 3], [14, 3, 0]]
    assert labels.tolist() == [[13, 3, 14], [3, IGNORE, IGNORE]]
    coded = tasks.ControlCode(None, tokens(), 3).rows(texts)
    assert coded == [[40, 10, 11, 12], [40, 3, 13, 3], [41, 14, 3]]
    long = tasks.Text([list(range(5, 30))])
    assert tasks.Segments(None, tokens(), 3).rows([long])[0] == list(range(5, 18))


def test_two_halves():
    """As long as the row allows, whatever follows; labels say what was done."""
    texts = [tasks.Text([[10, 11, 12], [13, 14]]), tasks.Text([[20, 21, 22, 23]])]
    for kind, apart in ((tasks.NextSentence, True), (tasks.SentenceOrder, False)):
        task, rng, seen = kind(None, tokens(), 9), torch.Generator().manual_seed(0), set()
        rows = task.rows(texts)
        assert rows == [[[10, 11, 12], [13, 14]], [[20, 21, 22, 23]]]
        for _ in range(20):
            inputs, labels, pairs, segments = task.batch(rows, rng)
            ids = inputs.where(labels == IGNORE, labels)
            for row, pair, segment in zip(ids.tolist(), pairs.tolist(), segments.tolist()):
                row = row[: len(row) - row[::-1].index(3)]
                cut = row.index(3)
                first, second = row[1:cut], row[cut + 1 : -1]
                assert len(row) <= 9 and segment[: len(row)] == [0] * (cut + 1) + [1] * len(second + [3])
                before = first[-1] + 1 == second[0]
                behind = second[-1] + 1 == first[0]
                other = first[0] // 10 != second[0] // 10
                assert (before, other if apart else behind) == (pair == 0, pair == 1)
                seen.add((row[1] // 10, pair))
            assert (labels != IGNORE).sum() == 2  # one word in each text
        assert len(seen) >= 4


def test_segments_remember():
    """The loss over a row is that of its segments with memory: not the loss without."""
    torch.manual_seed(0)
    args = train.arguments(f"it --model transformer-xl {SMALL}".split())
    model = randomise(pretrain.start(args, dict(size=50, pad=0, end=3)))
    task = tasks.Segments(model, tokens(), 4)
    ids = torch.randint(5, 50, (2, 17))
    log_p = [model.segment(ids[:, i : i + 4], None)[0] for i in range(0, 16, 4)]
    memory, expected = None, []
    for i in range(0, 16, 4):
        found, memory, _ = model.segment(ids[:, i : i + 4], memory)
        expected.append(found)
    answers = ids[:, 1:, None]
    loss = task(ids[:, :-1], ids[:, 1:])
    assert loss.item() == pytest.approx(-torch.cat(expected, 1).gather(2, answers).mean().item(), 1e-5)
    assert abs(loss + torch.cat(log_p, 1).gather(2, answers).mean()) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizers(kind):
    texts = ["low low lower <pad>", "newer low new", "a b"]
    made = [train_tokenizer(kind, texts, 300, ["<pad>", "<unk>"], "<unk>") for _ in range(2)]
    assert made[0].to_str() == made[1].to_str()
    tokenizer = made[0]
    assert [tokenizer.token_to_id(token) for token in ("<pad>", "<unk>")] == [0, 1]
    tokenizer.encode_special_tokens = True
    found = tokenizer.encode("low newer <pad>", add_special_tokens=False)
    assert found.tokens[:4] == {
        "bytes": ["low", "Ġnew", "er", "Ġ<"],
        "sentencepiece": ["▁low", "▁newer", "▁<pad>"],
        "wordpiece": ["low", "newer", "<", "pad"],
        "words": ["low", "newer", "<", "pad"],
        "characters": ["l", "o", "w", " "],
    }[kind]
    assert 0 not in found.ids and 1 not in found.ids
    assert tokenizer.decode(found.ids).replace(" ", "") == "lownewer<pad>"
    unseen = tokenizer.encode("ж", add_special_tokens=False).ids
    assert (1 in unseen) == (kind != "bytes")


def test_paragraphs_or_lines(tmp_path):
    path = tmp_path / "some.txt"
    path.write_text("One. Two!\nThree\n\n \nFour? 五。六\n", "utf-8")
    assert pretrain.read_texts([path]) == [
        (("some",), ["One.", " Two!", " Three"]), (("some",), ["Four?", " 五。", "六"]),
    ]  # fmt: skip
    path.write_text("One. Two!\nThree\n", "utf-8")
    assert [parts for _, parts in pretrain.read_texts([path])] == [["One.", " Two!"], ["Three"]]


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    "model, more, message",
    [
        ("bert", "--text {empty}", "empty.txt, line 1: needs at least one sentence: the file is empty"),
        ("bert", "--text {latin}", "latin.txt, line 2: needs text in UTF-8: byte 0xe9 at place 4"),
        ("bert", "--text {en} --batch-size 100", "40 texts, 2 of them held out, make .* rows .* of 100"),
        ("gpt2", "--text {one}", "1 texts, .* too few for a batch of 8"),
        ("t5", "--width 15", "--width 15 does not divide into --heads 2: choose a multiple"),
        ("bert", "--preset tall", "bert has no preset 'tall', but base, large, .*tiny"),
        ("bert", "--tsv {pairs}", "--tsv holds pairs, for marian, bart, mbart and t5"),
        ("mbart", "--tsv {one}", "one.txt, line 1: needs a tab"),
        ("mbart", "--tsv {tabs}", "tabs.txt: mBART takes the languages from the file's name"),
        ("gpt", "--text {en} --start {folder}", "holds no tokenizer.json"),
        ("t5", "--vocabulary 100", "--vocabulary 100 is too small: t5 needs 104"),
        ("gpt", "--length 4", "--length 4 leaves no room"),
        ("gpt", "--teacher {folder}", "distilbert alone has a --teacher, not gpt"),
        ("mae", "--preset base", "too small for a preset: give --images"),
        ("mae", "--images {en}", "en.txt can't be read as an image"),
        ("transformer", "--text {en}", "a transformer takes no --text"),
    ],
)
def test_errors(files, tmp_path, model, more, message):
    contents = dict(empty=b"\n", latin=b"one\ncaf\xe9", one=b"One sentence.\n", tabs=b"a\tb\n")
    paths = {"en": files / "en.txt", "pairs": files / "en-fr.tsv", "folder": tmp_path}
    for name, content in contents.items():
        paths[name] = tmp_path / f"{name}.txt"
        paths[name].write_bytes(content)
    with pytest.raises((CorpusError, ValueError, FileNotFoundError), match=message):
        command(files, model, tmp_path, *more.format(**paths).split())
    assert not (tmp_path / "it").exists()


def test_text_is_needed(monkeypatch):
    """As the command says it: one line, no traceback."""
    monkeypatch.setattr(sys, "argv", ["train", "it", "--model", "gpt"])
    monkeypatch.delitem(sys.modules, "transformer_essentials.train")
    with pytest.raises(SystemExit, match="^ValueError: gpt learns from text: give --text FILE"):
        runpy.run_module("transformer_essentials.train", run_name="__main__")


def test_help_names_everything(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for word in (*tasks.MODELS, "translator", "transformer", *KINDS, "torchrun", "record.json"):
        assert word in text
    assert "--seed SEED of weights, batches and masks (default: 0)" in text
    assert "(default: None)" not in text and "(default: False)" not in text
