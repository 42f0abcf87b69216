"""The decoders' tables: every name there and back, in any order of tensors and of the table."""

import pytest
import torch
from helpers import randomise, seeded  # noqa: F401

from transformer_essentials import ctrl, gpt, gpt2, transformer_xl
from transformer_essentials.checkpoints import CheckpointError, config_from_hf, load_hf, to_hf

SMALL = {
    gpt: gpt.GPTConfig(7, 4, 3, 2, 9),
    gpt2: gpt2.GPT2Config(7, 4, 3, 2, 9),
    ctrl: ctrl.CTRLConfig(7, 4, 3, 2, 3, 9),
    transformer_xl: transformer_xl.TransformerXLConfig(7, (2, 4), 2, 4, 3, 2, 3, 3, 5),
}
MODELS = [(family, name) for family in SMALL for name in family.HF_MODELS]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("family, name", MODELS, ids=[name for _, name in MODELS])
def test_round_trip(family, name, turned, monkeypatch):
    model, other = (randomise(family.HF_MODELS[name](SMALL[family])) for _ in range(2))
    tensors = to_hf(model)
    if turned:
        monkeypatch.setattr(family, "HF_NAMES", dict(reversed(family.HF_NAMES.items())))
        assert tensors.keys() == to_hf(model).keys()
        tensors = dict(reversed(tensors.items()))
    load_hf(other, tensors)
    for (one_name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        assert one.equal(two), one_name


def test_tied_matrices_must_be_equal():
    """Of Transformer-XL's output matrices the first is its own, the others are the embedding's."""
    model = randomise(transformer_xl.TransformerXLForCausalLM(SMALL[transformer_xl]))
    tensors = to_hf(model)
    assert "crit.out_projs.0" in tensors and "crit.out_projs.1" not in tensors
    assert not tensors["crit.out_projs.0"].equal(tensors["transformer.word_emb.emb_projs.0"])
    copy = tensors["transformer.word_emb.emb_projs.1"].clone()
    load_hf(model, tensors | {"crit.out_projs.1": copy})
    with pytest.raises(CheckpointError, match="out_projs.1 differs from .*emb_projs.1, to which"):
        load_hf(model, tensors | {"crit.out_projs.1": copy + 1})
    with pytest.raises(CheckpointError, match="crit.out_projs.0 is missing"):
        load_hf(model, {n: t for n, t in tensors.items() if n != "crit.out_projs.0"})


@pytest.mark.parametrize("family, keys, problem", [
    (gpt, {"afn": "mish"}, "afn is 'mish', none of relu"),
    (gpt2, {"n_inner": 5}, "n_inner is 5; this model knows only None"),
    (gpt2, {"scale_attn_by_inverse_layer_idx": True}, "is True; this model knows only False"),
    (ctrl, {"layer_norm_epsilon": 1e-5}, "is 1e-05; this model knows only 1e-06"),
    (ctrl, {"embd_pdrop": 0.2}, "embd_pdrop is 0.2, but our one dropout is 0.1 already"),
    (transformer_xl, {"d_embed": 5}, "d_embed is 5, but our one width is 1024 already"),
    (transformer_xl, {"pre_lnorm": True}, "pre_lnorm is True; this model knows only False"),
    (transformer_xl, {"untie_r": False}, "untie_r is False; this model knows only True"),
])  # fmt: skip
def test_configuration_that_is_not_ours(family, keys, problem):
    import transformers

    kinds = {gpt: "OpenAIGPT", gpt2: "GPT2", ctrl: "CTRL", transformer_xl: "TransfoXL"}
    given = getattr(transformers, kinds[family] + "Config")().to_dict()
    base = next(iter(family.PRESETS.values()))
    assert config_from_hf(family, given) == base  # their defaults are ours
    with pytest.raises(CheckpointError, match=problem):
        config_from_hf(family, given | keys)


def test_cut_tensors_of_the_published_files():
    """Masks that GPT-2's file holds are passed over; a bias that is no mask is not."""
    model = randomise(gpt2.GPT2(SMALL[gpt2]))
    tensors = to_hf(model)
    load_hf(model, tensors | {"h.0.attn.bias": torch.ones(1, 1, 9, 9)})
    del tensors["h.0.attn.c_attn.bias"]
    with pytest.raises(CheckpointError, match="h.0.attn.c_attn.bias is missing"):
        load_hf(model, tensors)
