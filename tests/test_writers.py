"""Models that write, on English: what each is asked, how it is judged, and the weights kept."""

import math

import pytest
import torch
from helpers import randomise, seeded  # noqa: F401

from transformer_essentials import weights, writer, writers
from transformer_essentials.corpora import docstrings, labelled
from transformer_essentials.corpora.docstrings import Paragraph
from transformer_essentials.heads import IGNORE, even
from transformer_essentials.tasks import Text, in_order
from transformer_essentials.transformer_xl import TransformerXLConfig, TransformerXLForCausalLM
from transformer_essentials.writers import CODES, END, MASK, PAD, ROOM, SEGMENT, SENTINELS

TEXTS = [
    "Return the number of elements. The array stays as it is. See the notes for more.",
    "This class draws a line in the axes, whose color is that of the cycle.",
    "The tensor is moved to the device, and its gradient, too. Nothing else happens here.",
]
PARAGRAPHS = [
    Paragraph(text, library, f"{library}.py:{line}")
    for line in range(12) for text, library in zip(TEXTS, CODES)
]  # fmt: skip


@pytest.fixture(scope="module")
def everything():
    return docstrings.paragraphs()


def ids_of(text: str) -> list[int]:
    return writers.tokenizer().encode(text).ids


def test_sentences_make_up_their_paragraph():
    assert writers.sentences(TEXTS[0]) == [
        "Return the number of elements.", " The array stays as it is.", " See the notes for more.",
    ]  # fmt: skip
    assert writers.sentences("See e.g. this. And that!") == ["See e.g. this.", " And that!"]
    [text] = writers.read(PARAGRAPHS[:1])
    assert sum(text.parts, []) == ids_of(TEXTS[0]) and len(text.parts) == 3 and text.names == ()


def test_codes_are_the_libraries_behind_all_other_ids():
    assert CODES == {"numpy": 1026, "torch": 1027, "matplotlib": 1028}
    assert [text.names for text in writers.read(PARAGRAPHS[:3], coded=True)] == [
        (1026,), (1027,), (1028,),
    ]  # fmt: skip


def test_split():
    """Every twentieth, as the writer has it; for a memory whole runs of twenty."""
    found = list(range(1000))
    assert writers.split("gpt", found) == writers.split("ctrl", found) == writer.split(found)
    learned, held = writers.split("transformer-xl", found)
    assert held == [*range(20), *range(400, 420), *range(800, 820)]
    assert sorted(learned + held) == found and learned == sorted(learned)


def test_bart_has_not_read_what_it_will_summarize(everything):
    """Of the docstrings whose first lines are asked for, none is learned from."""
    learned, held = writers.split("bart", everything)
    assert {docstrings.split_of(p.where) for p in learned} == {"train"}
    assert {docstrings.split_of(p.where) for p in held} == {"test"}
    read, asked = {p.text for p in learned}, labelled.summaries(248, split="test")
    assert sum(pair.summary in read for pair in asked) <= 1  # the same line stands elsewhere, too


def test_packed_sentences_are_parted_by_a_space():
    text = writers.whole(writers.packed(PARAGRAPHS[:2])[0])
    assert writers.tokenizer().decode(text) == " " + " ".join(TEXTS[:2])


def test_even_keeps_the_variance():
    layer = even(torch.nn.Linear(400, 300))
    x = torch.randn(200, 400, generator=torch.Generator().manual_seed(0))
    assert (layer(x) - layer.bias).var().item() == pytest.approx(1, abs=0.05)


# ---------------------------------------------------------------- what is asked


def test_gpt_is_asked_what_comes_next():
    lesson = writers.gpt(PARAGRAPHS, 4)
    rows = next(lesson.batches)
    assert rows.shape == (4, 129)
    whole = writer.ids_of(writers.tokenizer(), [p.text for p in PARAGRAPHS]).tolist()
    text = " ".join(map(str, whole))
    assert all(" ".join(map(str, row)) in text for row in rows.tolist())


def test_ctrl_reads_a_code_and_is_never_asked_for_it():
    lesson = writers.ctrl(PARAGRAPHS, 3)
    inputs, labels = next(lesson.batches)
    codes = set(CODES.values())
    assert set(inputs[:, 0].tolist()) <= codes and not codes & set(inputs[:, 1:].flatten().tolist())
    assert not codes & set(labels.flatten().tolist())
    first = {code: set(ids_of(text)) | {END} for text, code in zip(TEXTS, codes)}
    for row, asked in zip(inputs, labels):  # all of it is text of this library
        assert set(asked[asked != IGNORE].tolist()) <= first[int(row[0])]


def test_transformer_xl_reads_its_streams_in_order():
    lesson = writers.transformer_xl(PARAGRAPHS, 2)
    ids = writers.streams(PARAGRAPHS, 2)
    (a, asked, begins), (b, _, goes_on) = next(lesson.batches), next(lesson.batches)
    assert torch.equal(a, ids[:, :SEGMENT]) and torch.equal(b, ids[:, SEGMENT : 2 * SEGMENT])
    assert torch.equal(asked, ids[:, 1 : SEGMENT + 1]) and begins and not goes_on
    assert writers.transformer_xl_alone(PARAGRAPHS, 2).model.config.memory == 0


def test_memory_goes_on_from_update_to_update_and_ends_with_the_text():
    c = TransformerXLConfig(9, (), 1, 8, 2, 2, 4, 16, memory=8, clamp=0, same_length=False, dropout=0.0)
    model = randomise(TransformerXLForCausalLM(c)).eval()
    ids = torch.randint(9, (2, 13), generator=torch.Generator().manual_seed(0))
    loss, batches = in_order(ids, 4)
    found = [loss(model, next(batches)).item() for _ in range(4)]  # the fourth begins again
    log_p, memory, _ = model.segment(ids[:, :4])
    second, _, _ = model.segment(ids[:, 4:8], memory)
    assert found[0] == pytest.approx(-log_p.gather(2, ids[:, 1:5, None]).mean().item())
    assert found[1] == pytest.approx(-second.gather(2, ids[:, 5:9, None]).mean().item())
    assert found[3] == found[0] and found[2] not in found[:2]
    with pytest.raises(ValueError, match="streams of 4 tokens are too short for a segment of 4"):
        next(in_order(ids[:, :4], 4)[1])


def test_bart_mends_whole_texts():
    lesson = writers.bart(PARAGRAPHS, 8)
    source, target_in, labels = next(lesson.batches)
    wholes = {tuple(ids_of(text)[: ROOM - 2]) for text in TEXTS}
    for row, before, asked in zip(source, target_in, labels):
        asked = asked[asked != IGNORE].tolist()
        assert tuple(asked[:-1]) in wholes and asked[-1] == END
        assert before[: len(asked)].tolist() == [END, *asked[:-1]]
        assert MASK in row and set(row.tolist()) <= {*asked, MASK, PAD}
    table = lesson.model.encoder.positions.weight
    assert table[1, 0].item() == pytest.approx(0.1 * math.sin(1), abs=1e-6)


def test_t5_writes_what_was_dropped():
    """Rows are stretches of the paragraphs, one behind the other, and nearly full."""
    source, _, labels = next(writers.t5(PARAGRAPHS, 8).batches)
    whole, lengths = " ".join(map(str, writers.whole(writers.packed(PARAGRAPHS)[0]))), []
    for row, asked in zip(source.tolist(), labels):
        asked = asked[asked != IGNORE].tolist()
        pieces, mended = {}, []
        for token in asked[:-1]:
            if token in SENTINELS:
                last = pieces[token] = []
            else:
                last.append(token)
        for token in row[: row.index(END)]:
            mended += pieces.get(token, [token])
        assert " ".join(map(str, mended)) in whole and asked[0] == SENTINELS[0]
        lengths.append(len(mended))
    assert 50 < max(lengths) <= ROOM - 1


# ---------------------------------------------------------------- how they are judged


def test_each_token_has_its_loss():
    logits = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [1.0, 0.0, 0.0]]]).log()
    found = writers.each(logits, torch.tensor([[0, 1, IGNORE]]))
    assert found.tolist() == [[pytest.approx(math.log(2)), pytest.approx(-math.log(0.8)), 0.0]]


def test_told_by_bayes():
    """A text twice as probable after the first code is of the second, if that is three times as frequent."""
    found = torch.tensor([[2.0, 1.0], [2.0, 0.5]]).log()
    assert writers.told(found, torch.tensor([0.25, 0.75])).tolist() == [1, 0]


class Coded(torch.nn.Module):
    """Gives 1/2 to the code's own token (10, 11, 12), the rest to all others alike."""

    def forward(self, ids):
        logits = torch.full((*ids.shape, 20), 0.5 / 19)
        for row, code in zip(logits, ids[:, 0].tolist()):
            row[:, 10 + code - CODES["numpy"]] = 0.5
        return logits.log()


def test_probability_of_a_text_after_each_code():
    texts = [Text([[11, 11], [11]]), Text([[10, 12]])]
    half, rest = math.log(0.5), math.log(0.5 / 19)
    assert writers.after_codes(Coded(), texts).tolist() == [
        pytest.approx([3 * rest, 3 * half, 3 * rest]), pytest.approx([half + rest, 2 * rest, half + rest]),
    ]  # fmt: skip


def test_ctrl_is_judged_by_texts_that_name_no_library(monkeypatch):
    own = {"numpy": 10, "torch": 11, "matplotlib": 12}
    held = [Paragraph("x", name, "") for name in ("numpy", "torch", "torch", "matplotlib")]
    held.append(Paragraph("of numpy", "torch", ""))
    monkeypatch.setattr(writers, "read", lambda ps, coded=False: [Text([[own[p.library]]]) for p in ps])
    assert writers.judge_ctrl(Coded(), held) == {
        "loss": pytest.approx(math.log(2), abs=1e-3), "loss_others": pytest.approx(math.log(38), abs=1e-3),
        "told": 1.0, "most": 0.5,
    }  # fmt: skip


def test_memory_cut_short():
    """All places are what the model remembers; none is to read each segment by itself."""
    model = randomise(writers.transformer_xl(PARAGRAPHS, 2).model).float().eval()
    ids = writers.streams(PARAGRAPHS, 3)[:, : 3 * SEGMENT + 1]
    whole, alone = (writers.with_memory(model, ids, n) for n in (writers.MEMORY, 0))
    state = None
    with torch.inference_mode():
        for i in range(0, 3 * SEGMENT, SEGMENT):
            log_p, state, _ = model.segment(ids[:, i : i + SEGMENT], state)
            expected = -log_p.gather(2, ids[:, i + 1 : i + SEGMENT + 1, None])[..., 0]
            torch.testing.assert_close(whole[:, i : i + SEGMENT], expected)
    empty = tuple(torch.zeros(3, 0, writers.WIDTH) for _ in range(writers.N_LAYERS))
    with torch.inference_mode():
        log_p, _, _ = model.segment(ids[:, SEGMENT : 2 * SEGMENT], empty)
    expected = -log_p.gather(2, ids[:, SEGMENT + 1 : 2 * SEGMENT + 1, None])[..., 0]
    torch.testing.assert_close(alone[:, SEGMENT : 2 * SEGMENT], expected)
    assert (whole - alone)[:, SEGMENT:].abs().max() > 1e-3


class Mender(torch.nn.Module):
    """A BART that is sure of the tokens it can see in its source, and of 7 otherwise."""

    config = writers.bart(PARAGRAPHS, 1).model.config

    def forward(self, source, target_in):
        after = torch.cat([target_in[:, 1:], torch.full_like(target_in[:, :1], END)], 1)
        seen = torch.stack([torch.isin(row, there) for row, there in zip(after, source)])
        return 50.0 * torch.nn.functional.one_hot(torch.where(seen, after, 7), PAD + 1).float()


def test_hidden_and_kept_are_counted_apart():
    """Every token of the text differs, so what is seen is right, and what is hidden is wrong."""
    held = [Paragraph("Return the number.", "numpy", "")] * 40
    assert len(set(ids_of(held[0].text))) == len(ids_of(held[0].text))
    found = writers.judge_bart(Mender(), held)
    assert found == {"loss": pytest.approx(50, abs=1e-2), "right": 0.0, "kept": 1.0}


def test_spans_are_judged_without_their_sentinels(monkeypatch):
    class Sure(torch.nn.Module):
        """Says 7, which is a piece and no sentinel."""

        config = writers.t5(PARAGRAPHS, 1).model.config

        def forward(self, source, target_in):
            return 50.0 * torch.nn.functional.one_hot(torch.full_like(target_in, 7), 1030).float()

    class T5(Sure):
        __module__ = "transformer_essentials.t5"

    # 15% of 20 tokens are one span of three, and the last span ends the text: 7, 7, 8
    monkeypatch.setattr(writers, "packed", lambda paragraphs: [Text([[7, 7, 7, 8] * 5])] * 70)
    assert writers.judge_t5(T5(), []) == {
        "loss": pytest.approx(50 / 3, abs=1e-3), "right": pytest.approx(2 / 3, abs=1e-3),
    }  # fmt: skip


# ---------------------------------------------------------------- what is kept


@pytest.mark.parametrize("name", sorted(set(writers.KIN) - set(writers.RECORDS_ALONE)))
def test_shipped(name, everything):
    """Paragraphs that it has never seen, judged again: as the record says."""
    model, made = writers.load(name)
    learned, held = writers.split(name, everything)
    assert made["command"] == f"python -m transformer_essentials.writers {name}"
    assert (made["updates"], made["batch_size"], made["lr"]) == writers.KIN[name][1:]
    assert made["parameters"] == sum(p.numel() for p in model.parameters())
    assert made["tokens"] == len(writers.marked(learned))
    found = writers.KIN[name][0](PARAGRAPHS, 1).judge(model, held)
    for key, value in found.items():
        assert value == pytest.approx(made[key], abs=0.005), key


@pytest.mark.parametrize("name", writers.RECORDS_ALONE)
def test_record_alone(name, everything):
    command = f"python -m transformer_essentials.writers {name}"
    made = weights.record(f"writer-{name}")
    assert made["command"] == command
    assert (made["updates"], made["batch_size"], made["lr"]) == writers.KIN[name][1:]
    learned, _ = writers.split(name, everything)
    assert made["tokens"] == len(writers.marked(learned))
    with pytest.raises(FileNotFoundError, match=f"only its record; '{command}' makes it"):
        writers.load(name)


@pytest.mark.parametrize("name", writers.KIN)
def test_command(name, tmp_path, monkeypatch):
    """Two updates on a little text: weights and record are written, and load."""
    save = weights.save
    monkeypatch.setattr(weights, "save", lambda *args: save(*args, folder=tmp_path))
    monkeypatch.setattr(docstrings, "paragraphs", lambda: PARAGRAPHS * 20)
    record = writers.main(name, updates=2, batch_size=4)
    assert record["updates"] == 2 and len(record["curve"]["loss"]) == 2
    model = writers.KIN[name][0](PARAGRAPHS, 1).model
    assert weights.load(f"writer-{name}", model, tmp_path) == record
