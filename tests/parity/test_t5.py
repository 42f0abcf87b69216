"""T5, the original and version 1.1, equals Hugging Face's; published sizes."""

from unittest import mock

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity import translators
from parity.reference import count
from parity.translators import (
    agree, close, draw, goes_there_and_back, pair, steps_agree, write_the_same, writers,
)  # fmt: skip

from transformer_essentials.checkpoints import CheckpointError, load_hf, to_hf
from transformer_essentials.heads import IGNORE
from transformer_essentials.t5 import PRESETS, T5, T5Config, shift_tokens_right

NAME = "T5ForConditionalGeneration"
GATED = {"feed_forward_proj": "gated-gelu"}
SIZES = {
    "three-heads": dict(
        vocab_size=29, d_model=11, d_kv=5, d_ff=10, num_layers=2, num_decoder_layers=3, num_heads=3
    ),
    "one-layer": dict(vocab_size=17, d_model=5, d_kv=7, d_ff=7, num_layers=1, num_heads=1),
    "v1.1": dict(
        vocab_size=23, d_model=8, d_kv=3, d_ff=33, num_layers=3, num_decoder_layers=1, num_heads=4,
        tie_word_embeddings=False, **GATED,
    ),
    "gated-tied": dict(
        vocab_size=17, d_model=6, d_kv=4, d_ff=9, num_layers=2, num_heads=2, **GATED
    ),
    "untied": dict(
        vocab_size=17, d_model=6, d_kv=4, d_ff=9, num_layers=1, num_heads=2,
        tie_word_embeddings=False, pad_token_id=4, eos_token_id=6, decoder_start_token_id=4,
    ),
}  # fmt: skip
SIZES = {size: {"decoder_start_token_id": 0} | sizes for size, sizes in SIZES.items()}
TINY = T5Config(11, 6, 4, 1, 1, 2, 8, dropout=0.0)
SOURCE, TARGET = torch.tensor([[5, 6, 7, 1], [8, 1, 0, 0]]), torch.tensor([[0, 4, 5], [0, 9, 0]])


@pytest.mark.parametrize("size", SIZES)
def test_agrees(size):
    agree(NAME, **SIZES[size])


@pytest.mark.parametrize("size", ["three-heads", "v1.1"])
def test_agrees_far_away(size):
    """Distances of the buckets that hold many, and of the last, which holds all from 128 on."""
    agree(NAME, S=150, T=140, **SIZES[size])


def test_agrees_with_the_reference_as_it_is():
    """It computes norms and softmax in float32."""
    theirs, ours = pair(NAME, **SIZES["v1.1"])
    source, target, mask, _ = draw(theirs.config)
    expected = theirs(source, mask.long(), decoder_input_ids=target).logits
    close(ours(source, target), expected, 1e-5)
    with mock.patch.object(translators, "double", mock.MagicMock()):
        agree(NAME, tolerance=1e-5, **SIZES["v1.1"])


@pytest.mark.parametrize("size", SIZES)
def test_steps_agree(size):
    steps_agree(NAME, T=20 if size == "v1.1" else 5, **SIZES[size])


@pytest.mark.parametrize("size, seed", [("untied", 15), ("v1.1", 0), ("gated-tied", 21)])
def test_writes_the_same(size, seed):
    torch.manual_seed(seed)
    write_the_same(*writers(NAME, **SIZES[size]))


@pytest.mark.parametrize("size", ["three-heads", "v1.1", "gated-tied", "untied"])
def test_there_and_back(tmp_path, size):
    goes_there_and_back(NAME, tmp_path, **SIZES[size])


def test_names_of_the_versions():
    """What the other version calls a layer is not known."""
    tensors = {gated: to_hf(T5(T5Config(11, 6, 4, 1, 1, 2, 8, gated=gated))) for gated in (0, 1)}
    layer = "encoder.block.0.layer.1.DenseReluDense."
    names = [{n.removeprefix(layer) for n in tensors[g] if n.startswith(layer)} for g in (0, 1)]
    assert names == [{"wi.weight", "wo.weight"}, {"wi_0.weight", "wi_1.weight", "wo.weight"}]
    with pytest.raises(CheckpointError, match=r"wi_0.weight is not known; .*wi_1.weight is not"):
        load_hf(T5(TINY), tensors[1])


def test_table_that_the_first_checkpoints_have():
    """A bias for distances between target and source, which their code doesn't use."""
    theirs, ours = pair(NAME, **SIZES["one-layer"])
    unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    load_hf(ours, theirs.state_dict() | {unused: torch.randn(32, 1)})
    assert unused not in to_hf(ours)


def test_shift_by_hand():
    labels = torch.tensor([[4, 5, 1], [6, 1, IGNORE]])
    assert shift_tokens_right(labels, TINY).equal(torch.tensor([[0, 4, 5], [0, 6, 1]]))


# Exact counts: of small, large and 3b a table in a README.md of eth-cscs/pytorch-training (T5 on
# XSum); of base and 11b what those report who load them with transformers; of version 1.1 the table
# of Wikipedia's article "T5 (language model)", base and xl also in `params` of
# keras_hub/src/models/t5/t5_presets.py of KerasHub. The paper says 60M, 220M, 770M, 3B and 11B
# (section 3.7).
@pytest.mark.parametrize("size, expected", [
    ("small", 60_506_624), ("base", 222_903_552), ("large", 737_668_096), ("3b", 2_851_598_336),
    ("11b", 11_307_321_344), ("v1.1-small", 76_961_152), ("v1.1-base", 247_577_856),
    ("v1.1-large", 783_150_080), ("v1.1-xl", 2_849_757_184), ("v1.1-xxl", 11_135_332_352),
])  # fmt: skip
def test_published_size(size, expected):
    assert count(lambda: T5(PRESETS[size])) == expected


def test_tied_output_is_scaled():
    """× D^-½ where the output matrix is the token table; as it is where it has its own."""
    hidden = torch.randn(2, 6).double()
    tied, untied = randomise(T5(TINY)), randomise(T5(T5Config(11, 6, 4, 1, 1, 2, 8, tied=False)))
    assert tied.output.weight is tied.tokens.weight
    same(tied.logits(hidden), hidden @ tied.tokens.weight.T / 6**0.5)
    assert untied.output.weight is not untied.tokens.weight
    same(untied.logits(hidden), hidden @ untied.output.weight.T)


@torch.no_grad()
def test_biases_of_one_token_more():
    """They are those of the last row of all, however long the text is."""
    decoder = randomise(T5(TINY)).decoder
    for start in (0, 6, 1023, 1024, 1100):
        x = torch.randn(1, 1, 6).double()
        _, bias = decoder.embed(x, start)
        _, whole = decoder.embed(torch.cat([torch.zeros(1, start, 6).double(), x], 1), 0)
        assert bias.equal(whole[:, :, -1:])


def test_one_table_of_distances_a_stack():
    """It serves all layers; no text is too long."""
    model = randomise(T5(T5Config(11, 6, 4, 3, 3, 2, 8, dropout=0.0)))
    tables = [n for n, p in model.named_parameters() if "distances" in n]
    assert tables == ["encoder.distances.weight", "decoder.distances.weight"]
    long = torch.randint(1, 11, (1, 600))
    assert model(long, long[:, :550]).shape == (1, 550, 11)


def test_as_many_layers():
    """The decoder is as deep as the encoder, where nothing else is said."""
    model = T5(T5Config(11, 6, 4, 3, n_heads=2, ff_width=8))
    assert len(model.encoder.blocks) == len(model.decoder.blocks) == 3
    assert len(T5(T5Config(11, 6, 4, 3, 2, n_heads=2, ff_width=8)).decoder.blocks) == 2


def test_attention_is_as_bertviz_takes_it():
    _, attention = randomise(T5(TINY))(SOURCE, TARGET, return_attention=True)
    shapes = [[tuple(layer.shape) for layer in part] for part in attention]
    assert shapes == [[(2, 2, 4, 4)], [(2, 2, 3, 3)], [(2, 2, 3, 4)]]
    for part in attention:
        same(part[0].sum(-1), torch.ones(part[0].shape[:-1]).double())


def test_initialisation():
    """Queries are narrower by √K, in place of scores divided by it."""
    c = T5Config(500, 64, 16, 2, 1, 3, 100, gated=True, tied=False)
    stds = {
        "tokens": 1, "output": 1, "distances": 64**-0.5, "q": (64 * 16) ** -0.5, "k": 64**-0.5,
        "v": 64**-0.5, "o": (3 * 16) ** -0.5, "up": 64**-0.5, "gate": 64**-0.5, "down": 100**-0.5,
    }  # fmt: skip
    met = set()
    for name, parameter in T5(c).named_parameters():
        assert name.endswith(".weight"), name  # no biases
        if parameter.dim() == 1:
            assert (parameter == 1).all(), name
        else:
            kind = name.split(".")[-2]
            met.add(kind)
            far = 4 * stds[kind] / parameter.numel() ** 0.5
            assert abs(parameter.std().item() - stds[kind]) < far, name
    assert met == stds.keys()


def test_initialisation_agrees():
    """The same spread of each tensor as theirs has."""
    from transformers import T5Config as TheirConfig
    from transformers import T5ForConditionalGeneration

    sizes = dict(vocab_size=300, d_model=64, d_kv=16, d_ff=100, num_layers=1, num_heads=6)
    theirs = T5ForConditionalGeneration(TheirConfig(**sizes))
    ours = to_hf(T5(T5Config(300, 64, 16, 1, 1, 6, 100)))
    for name, tensor in theirs.state_dict().items():
        if name in ours and tensor.dim() > 1:
            ratio = (ours[name].std() / tensor.std()).item()
            assert ratio == pytest.approx(1, abs=8 / tensor.numel() ** 0.5), name


def test_dropout_everywhere():
    """At both ends of a stack, in and after each layer, on attention weights (section 2.1)."""
    model = T5(T5Config(11, 6, 4, 1, 1, 2, 8, dropout=0.25))
    dropouts = {n: m.p for n, m in model.named_modules() if isinstance(m, torch.nn.Dropout)}
    sides = ("encoder", "decoder")
    assert dropouts == {
        f"{side}.{place}": 0.25
        for side in sides
        for place in ("dropout", "norm.1", "blocks.0.dropout", "blocks.0.ff.dropout")
    }
    assert [model.get_submodule(side).blocks[0].attention.dropout for side in sides] == [0.25] * 2
    assert model.decoder.blocks[0].cross.dropout == 0.25
