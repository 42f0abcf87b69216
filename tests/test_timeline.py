"""The timeline agrees with the bibliography, and its sizes with the models that we build."""

import re
from pathlib import Path

import pytest
import torch

from transformer_essentials import bart, bert, gpt, gpt2, t5
from transformer_essentials.timeline import DECODER, ENCODER, ENCODER_DECODER, MODELS
from transformer_essentials.transformer import Transformer

BIBLIOGRAPHY = (Path(__file__).parents[1] / "book/references.bib").read_text(encoding="utf-8")
BUILD = {
    "Transformer": lambda: Transformer(1, 37000, width=1024, n_heads=16, ff_width=4096),
    "GPT": gpt.GPTForCausalLM,
    "BERT": lambda: bert.BERTForPreTraining(bert.PRESETS["large"]),
    "GPT-2": lambda: gpt2.GPT2ForCausalLM(gpt2.PRESETS["xl"]),
    "T5": lambda: t5.T5(t5.PRESETS["11b"]),
    "BART": lambda: bart.BART(bart.PRESETS["large"]),
    "GPT-3": lambda: gpt2.GPT3ForCausalLM(gpt2.GPT3_PRESETS["175b"]),
}


def entry(cite):
    found = re.search(rf"@\w+{{{cite},\n(.*?)\n}}", BIBLIOGRAPHY, re.DOTALL)
    assert found, f"{cite} is not in the bibliography"
    return dict(re.findall(r"^\s*(\w+)\s*=\s*{(.*?)},?$", found[1], re.M))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_dates_agree_with_the_bibliography(model):
    fields = entry(model.cite)
    assert int(fields["year"]) == model.printed
    if "eprint" in fields:  # arXiv numbers begin with year and month of the first version
        assert fields["eprint"][:4] == f"{model.year % 100:02}{model.month:02}"
    else:
        # openai.com/index/language-unsupervised, 11 June 2018; better-language-models, 14 February
        # 2019: the reports have no arXiv number
        assert (model.name, model.year, model.month) in [("GPT", 2018, 6), ("GPT-2", 2019, 2)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_stated_sizes_are_those_of_our_models(model):
    with torch.device("meta"):
        built = BUILD[model.name]()
    ours = sum(parameter.numel() for parameter in built.parameters())
    assert abs(ours / model.parameters - 1) < 0.03


def test_families_and_order():
    assert {m.name: m.family for m in MODELS} == {
        "Transformer": ENCODER_DECODER, "GPT": DECODER, "BERT": ENCODER, "GPT-2": DECODER,
        "T5": ENCODER_DECODER, "BART": ENCODER_DECODER, "GPT-3": DECODER,
    }  # fmt: skip
    assert [m.date for m in MODELS] == sorted(m.date for m in MODELS)


def test_where_the_notes_have_another_year_than_the_first_public_version():
    assert [m.name for m in MODELS if m.notes not in (None, m.year)] == ["BERT"]
