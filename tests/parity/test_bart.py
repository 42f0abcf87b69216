"""BART equals Hugging Face's: logits, weights, losses, steps, generation; published sizes."""

from dataclasses import replace

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import count, same_gradients
from parity.translators import (
    agree, close, draw, goes_there_and_back, pair, steps_agree, write_the_same, writers,
)  # fmt: skip

from transformer_essentials import bart
from transformer_essentials.bart import BART, PRESETS, BARTConfig, shift_tokens_right
from transformer_essentials.checkpoints import CheckpointError, load_hf, to_hf
from transformer_essentials.generation import beam_search, greedy
from transformer_essentials.heads import IGNORE, span_loss

NAME = "BartForConditionalGeneration"
SIZES = {
    "three-heads": dict(
        vocab_size=29, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=3, encoder_ffn_dim=10, decoder_ffn_dim=10,
        max_position_embeddings=9,
    ),
    "relu": dict(
        vocab_size=17, d_model=5, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1,
        decoder_attention_heads=1, encoder_ffn_dim=7, decoder_ffn_dim=7,
        max_position_embeddings=7, activation_function="relu",
    ),
    "padding-4": dict(
        vocab_size=23, d_model=8, encoder_layers=3, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=33, decoder_ffn_dim=33,
        max_position_embeddings=30, activation_function="gelu_new", pad_token_id=4,
        eos_token_id=6, decoder_start_token_id=6,
    ),
}  # fmt: skip
TINY = BARTConfig(11, 6, 2, 1, 2, 8, max_length=5, dropout=0.0)
SOURCE = torch.tensor([[5, 6, 7, 2], [8, 2, 1, 1]])
TARGET = torch.tensor([[2, 4, 5], [2, 9, 1]])


@pytest.mark.parametrize("size", SIZES)
def test_agrees(size):
    agree(NAME, **SIZES[size])


@pytest.mark.parametrize("size", SIZES)
def test_steps_agree(size):
    steps_agree(NAME, **SIZES[size])


def test_writes_the_same():
    write_the_same(*writers(NAME, **SIZES["padding-4"]))


def test_writes_the_same_after_a_forced_token():
    """As bart-large-cnn, which begins every summary with its begin mark."""
    torch.manual_seed(1)
    theirs, ours = writers(NAME, **SIZES["padding-4"], forced_bos_token_id=9)
    assert ours.given == (6, 9)
    write_the_same(theirs, ours)


def test_there_and_back(tmp_path):
    goes_there_and_back(NAME, tmp_path, **SIZES["padding-4"], forced_bos_token_id=9)


def test_base_model_without_the_bias():
    """As the published base and large models: names without the prefix, no bias of the output."""
    from transformers import BartModel

    theirs, ours = pair(NAME, **SIZES["three-heads"])
    tensors = BartModel(theirs.config).double().state_dict()
    assert "shared.weight" in tensors and ours.final_logits_bias.abs().sum() > 1
    fresh = BART(ours.config).double().eval()
    load_hf(fresh, {name: theirs.model.state_dict()[name] for name in tensors})
    source, target, mask, _ = draw(theirs.config)
    expected = theirs(source, mask.long(), decoder_input_ids=target).logits
    close(fresh(source, target), (expected - theirs.final_logits_bias).detach())
    assert bart.HF_MODELS["BartModel"] is BART
    del tensors["encoder.layers.0.fc1.bias"]
    with pytest.raises(CheckpointError, match="BART: model.encoder.layers.0.fc1.bias is missing$"):
        load_hf(fresh, tensors)


# ---------------------------------------------------------------- heads


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["BartForSequenceClassification", "BartForQuestionAnswering"])
def test_head_agrees(name, size):
    theirs, ours = pair(name, **SIZES[size])
    c = theirs.config
    ids, _, mask, _ = draw(c)
    ids[ids == c.eos_token_id] = 0
    for row, places in enumerate(([2, 6], [1, 4], [3, 6], [1, 5])):  # two end marks each
        ids[row, places] = c.eos_token_id
    labels = {"labels": torch.tensor([0, 2, 1, 2])}
    if name == "BartForQuestionAnswering":
        labels = {"start_positions": torch.tensor([0, 2, 4, 5]),
                  "end_positions": torch.tensor([3, 2, 6, 12])}  # fmt: skip
    given = {"input_ids": ids, "attention_mask": mask.long(), "use_cache": False}
    expected = theirs(**given, **labels, output_attentions=True)
    tensors = [expected[key] for key in ("logits", "start_logits", "end_logits") if key in expected]

    found = ours(ids, mask)
    for one, other in zip(found if isinstance(found, tuple) else (found,), tensors, strict=True):
        close(one, other)
    same(ours(ids), found)
    again, attention = ours(ids, mask, return_attention=True)
    same(again, found)
    for one, other in zip(attention.cross, expected.cross_attentions, strict=True):
        close(one, other)
    if name == "BartForQuestionAnswering":
        our = span_loss(found, *labels.values())
    else:
        our = torch.nn.functional.cross_entropy(found, labels["labels"])
    close(our, expected.loss)
    expected.loss.backward()
    our.backward()
    same_gradients(theirs, ours)


def test_head_goes_there_and_back(tmp_path):
    from transformers import BartForSequenceClassification

    from transformer_essentials.checkpoints import from_pretrained, save_hf

    theirs, ours = pair("BartForSequenceClassification", **SIZES["three-heads"])
    save_hf(ours, tmp_path)
    ids = torch.tensor([[5, 6, 2, 7, 2]])
    loaded, info = BartForSequenceClassification.from_pretrained(
        tmp_path, dtype=torch.float64, output_loading_info=True
    )
    assert not any(info.values()) and loaded.config.num_labels == 3
    close(loaded.eval()(ids).logits, ours(ids))
    assert to_hf(from_pretrained(tmp_path)).keys() == to_hf(ours).keys()


# ---------------------------------------------------------------- sizes, details, errors


# Exact counts: `params` in keras_hub/src/models/bart/bart_presets.py of KerasHub are 139,417,344
# and 406,287,360; its position tables lack the two rows that the published checkpoints have and
# don't use, 4 × width in all. The README of TurnkeyML (onnx/turnkeyml) has 139,420,416.
@pytest.mark.parametrize("size, expected", [
    ("base", 139_417_344 + 4 * 768), ("large", 406_287_360 + 4 * 1024),
])  # fmt: skip
def test_published_size(size, expected):
    assert count(lambda: BART(PRESETS[size])) == expected


def test_shift_by_hand():
    labels = torch.tensor([[4, 5, 2, IGNORE], [6, IGNORE, 7, 2]])
    expected = torch.tensor([[2, 4, 5, 2], [2, 6, 1, 7]])
    assert shift_tokens_right(labels, TINY).equal(expected)
    assert labels[0, 3] == IGNORE  # not written into


def test_attention_is_as_bertviz_takes_it():
    """Tuples of (B,H,queries,keys), a tensor a layer, rows that add up to one."""
    model = randomise(BART(TINY))
    _, attention = model(SOURCE, TARGET, return_attention=True)
    shapes = [[tuple(layer.shape) for layer in part] for part in attention]
    assert shapes == [[(2, 2, 4, 4)] * 2, [(2, 2, 3, 3)], [(2, 2, 3, 4)]]
    for part in attention:
        assert isinstance(part, tuple)
        for layer in part:
            same(layer.sum(-1), torch.ones(layer.shape[:-1]).double())
    assert attention.encoder[0] is attention[0][0]
    assert (attention.decoder[0][0, 0, 0, 1:] == 0).all()


def test_nothing_to_hide():
    """A batch without padding has no mask, and means the same as with a column of padding."""
    model, source = randomise(BART(TINY)), torch.tensor([[5, 6, 7, 2], [8, 9, 4, 2]])
    padded = torch.cat([source, torch.ones_like(source[:, :1])], 1)
    assert model.encode(source).mask is None
    assert model.encode(padded).mask[:, 0].equal(padded != 1)
    same(model(padded, TARGET), model(source, TARGET))
    for write in (greedy, beam_search):
        found, expected = write(model, source, max_length=4), write(model, padded, max_length=4)
        assert [h.ids for h in found] == [h.ids for h in expected]


def test_bias_of_the_output():
    """A buffer: it is saved, and not learned."""
    model = randomise(BART(TINY))
    before = model(SOURCE, TARGET)
    model.final_logits_bias[0, 3] = 7.0
    same(model(SOURCE, TARGET) - before, 7.0 * torch.eye(11)[3].double().expand(2, 3, 11))
    assert "final_logits_bias" in to_hf(model) and "final_logits_bias" not in dict(
        model.named_parameters()
    )


def test_initialisation():
    model = BART(BARTConfig(500, 64, 2, 2, 4, 100, max_length=50))
    for name, parameter in model.named_parameters():
        if "norm.weight" in name:
            assert (parameter == 1).all(), name
        elif parameter.dim() == 1:
            assert (parameter == 0).all(), name
        else:
            close = 4 * 0.02 / parameter.numel() ** 0.5
            assert abs(parameter.std().item() - 0.02) < close, name


def test_dropout_everywhere():
    model = bart.BARTForSequenceClassification(replace(TINY, dropout=0.25), 3)
    for name, part in model.named_modules():
        if isinstance(part, torch.nn.Dropout):
            assert part.p == (0.0 if name.endswith("ff.dropout") else 0.25), name
    model.train()
    assert (model(SOURCE) - model(SOURCE)).abs().max() > 1e-5


@torch.no_grad()
def test_bad_input():
    model, six = BART(TINY).eval(), torch.full((2, 6), 5)
    for source, target in ((six, TARGET), (SOURCE, six)):
        with pytest.raises(ValueError, match="6 tokens, but the model has 5 positions"):
            model(source, target)
    memory = model.encode(SOURCE)
    state = model.start(memory)
    for t in range(5):
        model.step(six[:, t], state, memory)
    with pytest.raises(ValueError, match="6 tokens, but the model has 5 positions"):
        model.step(six[:, 5], state, memory)
    with pytest.raises(ValueError, match=r"have a place for each token, \(2, 4\); it is torch.int64"):
        model(SOURCE, TARGET, SOURCE)
    with pytest.raises(ValueError, match=r"for each token, \(2, 3\); it is torch.bool and \(2, 4\)"):
        model(SOURCE, TARGET, target_mask=SOURCE != 1)
    with pytest.raises(ValueError, match="each text needs an end mark, the id 2"):
        bart.BARTForSequenceClassification(TINY)(torch.tensor([[5, 2], [5, 6]]))
