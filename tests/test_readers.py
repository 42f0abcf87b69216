"""BERT's kin on English: what each is asked, how it is judged, and the weights that come with the book."""

import pytest
import torch
from torch import Generator

from transformer_essentials import reader, readers, weights
from transformer_essentials.heads import IGNORE
from transformer_essentials.reader import MASK

T = reader.SIZES["max_length"]


@pytest.fixture(scope="module")
def text():
    """Learned and held back, as ids."""
    return [reader.ids_of(reader.tokenizer(), paragraphs) for paragraphs in reader.texts()]


def ids_of(n: int) -> torch.Tensor:
    """n stretches of pieces, an end mark here and there."""
    return torch.randint(0, 40, (n * T,), generator=Generator().manual_seed(3))


def test_roberta_counts_its_tokens_from_two():
    ids = ids_of(50)
    rows = {tuple(row) for row in reader.stretches(ids).tolist()}
    inputs, labels = next(readers.roberta(ids, 64, Generator().manual_seed(0)).batches)
    asked = labels != IGNORE
    assert not (inputs == 1).any()  # its padding
    assert (inputs == MASK + 2).any() and inputs.max() == MASK + 2
    whole = inputs.where(~asked, labels) - 2
    assert {tuple(row) for row in whole.tolist()} <= rows
    assert set(asked.sum(1).tolist()) <= {4, 5}  # 15% of up to 32


@pytest.mark.parametrize("name, masks", [("roberta", 100), ("roberta-static", 10)])
def test_masks_drawn_anew_or_once(name, masks):
    """One stretch, a hundred times: as many masks as it is read, or ten."""
    lesson = readers.KIN[name][0](ids_of(1), 100, Generator().manual_seed(0))
    _, labels = next(lesson.batches)
    found = {tuple(row) for row in (labels != IGNORE).tolist()}
    assert len(found) == masks if name == "roberta-static" else len(found) > 0.9 * masks


def test_albert_shares_its_block_and_halves_its_table():
    model = readers.albert(ids_of(1), 1, Generator()).model
    assert len(model.encoder.groups) == 1 and len(model.encoder.layers()) == 3
    assert model.encoder.embeddings.tokens.weight.shape == (MASK + 2, 64)
    # what goes in with variance 1 comes out so
    x = torch.randn(4000, 64, generator=Generator().manual_seed(0))
    assert model.encoder.widen(x).var().item() == pytest.approx(1, abs=0.1)


def test_albert_sees_end_marks():
    """They are 0 in the text, which is its padding."""
    ids = torch.tensor([0, 5, 6, 7] * 8)
    inputs, _ = next(readers.albert(ids, 64, Generator().manual_seed(0)).batches)
    assert (inputs != 0).all() and (inputs == 1).any()


def test_student_begins_with_two_layers_of_the_reader():
    student, (teacher, _, _) = readers.distilbert(ids_of(1), 1, Generator()).model, reader.load()
    assert len(student.encoder.blocks) == 2
    for ours, theirs in zip(student.encoder.blocks, teacher.encoder.blocks):
        for a, b in zip(ours.parameters(), theirs.parameters()):
            assert torch.equal(a, b)


def test_discriminator_begins_with_the_reader_or_without():
    teacher, _, _ = reader.load()
    same = [
        torch.equal(make(ids_of(1), 1, Generator()).model.encoder.blocks[0].ff.up.weight,
                    teacher.encoder.blocks[0].ff.up.weight)
        for make in (readers.electra, readers.electra_from_nothing)
    ]  # fmt: skip
    assert same == [True, False]


def test_forged_by_frequency():
    """Where one piece in four of the text learned is a 7, so is one in four of those put in."""
    learned = torch.tensor([7, 8, 8, 8] * 5000)
    lesson = readers.electra(learned, 2000, Generator().manual_seed(0))
    seen = {}

    class Judge(torch.nn.Module):
        def forward(self, ids):
            seen["ids"] = ids
            return torch.zeros(ids.shape)

    rows = torch.full((2000, T), 9)
    lesson.loss(Judge(), rows)
    put_in = seen["ids"][seen["ids"] != 9]
    assert len(put_in) == pytest.approx(2000 * 5, abs=10)  # 15% of 32 are 5
    assert (put_in == 7).double().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("sign, told, found, false_alarms", [(1, 1, 1, 0), (-1, 0, 0, 1)])
def test_told(sign, told, found, false_alarms):
    """A judge that knows the forger's only piece, and one that says the opposite."""

    class Judge(torch.nn.Module):
        def forward(self, ids):
            return sign * torch.where(ids == 99, 1.0, -1.0)

    def forger(rows, chosen):
        return torch.full((int(chosen.sum()), MASK), -100.0).index_fill(1, torch.tensor([99]), 100.0)

    ids = torch.arange(1, 1 + 20 * T).remainder(40) + 1
    share = 5 / 32
    assert readers.told(Judge(), ids, forger) == {
        "replaced": pytest.approx(share, abs=1e-3),
        "told": told,
        "found": found,
        "false_alarms": false_alarms,
    }


@pytest.mark.parametrize("name", sorted(set(readers.KIN) - set(readers.RECORDS_ALONE)))
def test_shipped(name, text):
    """Paragraphs that none has seen, judged again: as the record says."""
    learned, held = text
    model, made = readers.load(name)
    assert made["command"] == f"python -m transformer_essentials.readers {name}"
    assert made["parameters"] == sum(p.numel() for p in model.parameters())
    assert made["tokens"] == len(learned)
    found = readers.KIN[name][0](learned, 1, Generator()).judge(model, held)
    by_reader = found.pop("by_reader", {})
    assert by_reader == pytest.approx(made.get("by_reader", {}), abs=0.005)
    assert found == pytest.approx({key: made[key] for key in found}, abs=0.005)


@pytest.mark.parametrize("name", readers.RECORDS_ALONE)
def test_record_alone(name, text):
    """It says how the weights are made, and belongs to this text; asking for them says so, too."""
    made = weights.record(f"reader-{name}")
    assert made["tokens"] == len(text[0]) and made["updates"] == readers.KIN[name][1]
    command = f"python -m transformer_essentials.readers {name}"
    assert made["command"] == command
    with pytest.raises(FileNotFoundError, match=f"only its record; '{command}' makes it"):
        readers.load(name)


@pytest.mark.parametrize("name", readers.KIN)
def test_command(name, tmp_path, monkeypatch):
    """Two updates on a little text: weights and record are written, and load."""
    save, texts = weights.save, (["This is one of a few sentences to learn from."] * 30, ["And this."] * 30)
    monkeypatch.setattr(weights, "save", lambda *args: save(*args, folder=tmp_path))
    monkeypatch.setattr(readers, "texts", lambda: texts)
    record = readers.main(name, updates=2, batch_size=4)
    assert record["updates"] == 2 and len(record["curve"]["loss"]) == 2
    model = readers.KIN[name][0](torch.arange(1, 40), 1, Generator()).model
    assert weights.load(f"reader-{name}", model, tmp_path) == record
