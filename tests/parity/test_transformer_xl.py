"""Transformer-XL equals Hugging Face's over three segments; its memory, padding and softmax."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers import randomise, same, seeded  # noqa: F401
from parity.decoders import close, theirs_say
from parity.reference import count, pair, same_gradients

from transformer_essentials import checkpoints, transformer_xl
from transformer_essentials.generation import greedy
from transformer_essentials.transformer_xl import (
    PRESETS, TransformerXL, TransformerXLConfig, TransformerXLForCausalLM,
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore:The output of TransfoXL:DeprecationWarning")
BASE = dict(
    vocab_size=23, cutoffs=[5, 12], div_val=2, d_model=12, d_embed=12, n_layer=2, n_head=3,
    d_head=5, d_inner=7, mem_len=5, clamp_len=4, same_length=True,
)  # fmt: skip
SIZES = {
    "same-length": BASE,
    "all-seen": BASE | dict(same_length=False, clamp_len=-1, n_layer=1, d_head=4),
    "long-memory": BASE | dict(mem_len=11, clamp_len=7, n_layer=3),
    "long-memory-all-seen": BASE | dict(mem_len=11, same_length=False, div_val=3, n_head=1),
    "one-table": BASE | dict(div_val=1),
    "one-group": BASE | dict(cutoffs=[], same_length=False),
    "plain-softmax": BASE | dict(cutoffs=[], div_val=1),
    "no-memory": BASE | dict(mem_len=0, same_length=False),
}
TINY = TransformerXLConfig(
    vocabulary=23, cutoffs=(5, 12), divide=2, width=12, n_layers=2, n_heads=3, head_width=5,
    ff_width=7, memory=5, clamp=4, dropout=0.0, end=None,
)  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_agrees(size):
    """Log-probabilities, attention and memory of three segments of unequal length."""
    theirs, ours = pair("TransfoXLLMHeadModel", **SIZES[size])
    their_memory = memory = None
    for T in (6, 3, 8):
        ids = torch.randint(23, (2, T))
        with torch.no_grad():
            expected = theirs_say(theirs, {"input_ids": ids, "mems": their_memory})
            found, memory, attention = ours.segment(ids, memory, return_attention=True)
        close(found, expected.logits, 1e-10)
        same(found.exp().sum(-1), torch.ones(2, T).double())
        for one, other in zip(attention, expected.attentions, strict=True):
            close(one, other, 1e-10)
        their_memory = expected.mems
        if SIZES[size]["mem_len"]:
            for one, other in zip(memory, their_memory, strict=True):
                close(one, other.transpose(0, 1), 1e-10)
        else:
            assert their_memory is None and all(m.shape == (2, 0, 12) for m in memory)


@pytest.mark.parametrize("size", SIZES)
def test_gradients_agree(size):
    """Of the loss in a second segment: the first is remembered, but not learned from."""
    theirs, ours = pair("TransfoXLLMHeadModel", **SIZES[size])
    first, ids = torch.randint(23, (2, 4)), torch.randint(23, (2, 7))
    before = theirs_say(theirs, {"input_ids": first}).mems
    loss = theirs_say(theirs, {"input_ids": ids, "mems": before, "labels": ids}).loss
    _, memory, _ = ours.segment(first)
    assert not any(m.requires_grad for m in memory)
    log_p, _, _ = ours.segment(ids, memory)
    our = F.nll_loss(log_p[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    close(our, loss, 1e-10)
    hidden, _, _ = ours.decoder.segment(ids, memory)
    each = ours.softmax.log_prob(hidden[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    same(-each.mean(), our)
    loss.backward()
    (-each.mean()).backward()
    same_gradients(theirs, ours)


@pytest.mark.parametrize("size", ["same-length", "one-table"])
@pytest.mark.parametrize("name", transformer_xl.HF_MODELS)
def test_there_and_back(name, size, tmp_path):
    import transformers

    theirs, ours = pair(name, **SIZES[size])
    ids = torch.randint(23, (2, 6))
    theirs.float().save_pretrained(tmp_path / "theirs")
    read = checkpoints.from_pretrained(tmp_path / "theirs")
    assert type(read) is type(ours) and read.config == ours.config and not read.training
    checkpoints.save_hf(randomise(ours).float(), tmp_path / "ours")
    again, info = getattr(transformers, name).from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not any(info.values()), info
    for one, other in ((read.double(), theirs.double()), (ours.double(), again.double().eval())):
        close(one(ids), theirs_say(other, {"input_ids": ids})[0], 1e-10)


def test_published_sizes():
    """Table 1 of the paper: 151M for the standard model, 257M for the large one.

    The large one's configuration (transfo-xl-wt103, Hugging Face's defaults) makes 285M, there as
    here.
    """
    import transformers

    standard = count(lambda: TransformerXLForCausalLM(PRESETS["standard"]))
    assert 150_500_000 < standard < 151_500_000
    large = count(lambda: TransformerXLForCausalLM(PRESETS["large"]))
    theirs = count(lambda: transformers.TransfoXLLMHeadModel(transformers.TransfoXLConfig()))
    assert large == theirs == 285_205_322
    config = transformers.TransfoXLConfig().to_dict()
    assert checkpoints.config_from_hf(transformer_xl, config) == PRESETS["large"]


# ---------------------------------------------------------------- memory


def test_memory_by_hand():
    """The last five inputs of each layer, across segments."""
    model = randomise(TransformerXL(TINY))
    ids = torch.randint(23, (2, 9))
    _, first, _ = model.segment(ids[:, :3])
    words = model.tokens(ids)
    same(first[0], torch.cat([torch.zeros(2, 2, 12).double(), words[:, :3]], 1))
    _, second, _ = model.segment(ids[:, 3:], first)
    same(second[0], words[:, 4:])
    assert [m.shape for m in second] == [(2, 5, 12)] * 2


def test_segments_change_nothing():
    """Where every token sees as much, a text is the same however it is cut."""
    model = randomise(TransformerXLForCausalLM(TINY))
    ids = torch.randint(23, (2, 12))
    whole, memory = model(ids), None
    for cut in ids.split([1, 4, 5, 2], 1):
        log_p, memory, _ = model.segment(cut, memory)
        start, whole = whole[:, : cut.shape[1]], whole[:, cut.shape[1] :]
        same(log_p, start)


@pytest.mark.parametrize("change", [
    {}, dict(same_length=False), dict(memory=0, same_length=False), dict(memory=20),
], ids=str)  # fmt: skip
def test_padding_changes_nothing(change):
    """A prompt padded on the left is gone on with as if it stood alone."""
    model = randomise(TransformerXLForCausalLM(replace(TINY, **change)))
    ids, mask = torch.randint(23, (3, 6)), torch.arange(6) >= torch.tensor([[5], [2], [0]])
    padded, memory, _ = model.segment(ids, None, mask)
    same(model(ids, mask), padded)
    for b, (row, real) in enumerate(zip(ids, mask)):
        alone, own, _ = model.segment(row[None, real])
        same(padded[b, real], alone[0])
        for one, other in zip(memory, own):
            same(one[b, -other.shape[1] :] if other.shape[1] else one[b, :0], other[0])
    more = torch.randint(23, (3, 2))
    state, fed = model.start(prompt := model.encode(ids, mask)), model.first(prompt)
    steps = []
    for new in (fed[:, -1], *more.unbind(1)):
        logits, state, _ = model.step(new, state, prompt)
        steps.append(logits)
    for b, (row, real) in enumerate(zip(ids, mask)):
        prompt = model.encode(row[None, real])
        state = model.start(prompt)
        for new, expected in zip((row[-1:], *more[b, :, None]), steps):
            logits, state, _ = model.step(new, state, prompt)
            same(logits[0], expected[b])


def test_step_equals_whole():
    """Word by word with the memory, or the whole text at once: the same."""
    model = randomise(TransformerXLForCausalLM(TINY))
    ids = torch.randint(23, (2, 12))
    expected = model(ids)[:, 2:]
    memory = model.encode(ids[:, :3])
    state = model.start(memory)
    for t in range(2, 12):
        logits, state, weights = model.step(ids[:, t], state, memory)
        same(logits, expected[:, t - 2])
        assert weights is None


def test_matrices_of_rarer_words_begin_small():
    """Also where the embedding is made by itself, whatever was in memory before."""
    spoil = [torch.full((64, 32), torch.nan) for _ in range(50)]
    del spoil
    embedding = transformer_xl.AdaptiveEmbedding(900, 64, (300, 600), 2)
    for matrix in embedding.projections:
        assert matrix.std().item() == pytest.approx(0.01, rel=0.1)
        assert abs(matrix.mean().item()) < 0.001


def test_no_limit_of_length():
    model = randomise(TransformerXLForCausalLM(TINY))
    (found,) = greedy(model, torch.tensor([[4, 5]]), 60)
    assert len(found.ids) == 60


def test_greedy_as_theirs():
    """Hugging Face's class has no generation of its own any more: here its loop is spelled out."""
    theirs, ours = pair("TransfoXLLMHeadModel", **BASE | dict(eos_token_id=None))
    ids = torch.randint(23, (3, 4))
    found = greedy(ours, ids, 12)
    with torch.no_grad():
        out, words = theirs_say(theirs, {"input_ids": ids}), []
        for _ in range(12):
            words.append(out.logits[:, -1].argmax(-1))
            out = theirs_say(theirs, {"input_ids": words[-1][:, None], "mems": out.mems})
    assert [h.ids for h in found] == torch.stack(words, 1).tolist()


def test_bad_input():
    model = TransformerXLForCausalLM(TINY)
    ids, mask = torch.ones(2, 4, dtype=torch.long), torch.ones(2, 4, dtype=torch.bool)
    _, memory, _ = model.segment(ids)
    mask[1, 2] = False
    for before in (None, memory):
        with pytest.raises(ValueError, match="padding must come first: on the left, in a first"):
            model.segment(ids, before, mask)
    with pytest.raises(ValueError, match="the mask must be bool"):
        model.segment(ids, None, mask.long())
    with pytest.raises(ValueError, match="memory can't be 0"):
        replace(TINY, memory=0)
    with pytest.raises(ValueError, match="width 12 can't be divided by 4 2 times"):
        TransformerXL(replace(TINY, divide=4))
    with pytest.raises(ValueError, match="width 13 is odd"):
        TransformerXL(replace(TINY, width=13))
