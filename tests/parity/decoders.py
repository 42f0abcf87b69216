"""As reference.py, for models that read from left to right."""

from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from helpers import randomise, same
from parity.reference import pair, same_gradients

from transformer_essentials import checkpoints
from transformer_essentials.generation import greedy

PAD = 3


def draw(config, T=7):
    """ids (4,T) and mask: no padding, at the right, at the left, at both ends."""
    ids = torch.randint(config.vocab_size - 1, (4, T))
    ids = torch.where(ids >= PAD, ids + 1, ids)  # any token but padding
    ids[1, -2:] = ids[2, :3] = ids[3, :1] = ids[3, -1:] = PAD
    return ids, ids != PAD


def given(ids, mask):
    """As Hugging Face's class takes them: positions count real tokens, as in its generation."""
    positions = (mask.long().cumsum(1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask.long(), "position_ids": positions}


def theirs_say(theirs, given: dict):
    """Their output, with a loss that isn't turned into float32.

    Transformer-XL calls ``type_as(dtype=…)``, which PyTorch doesn't have.
    """
    type_as = torch.Tensor.type_as

    def patched(tensor, other=None, dtype=None):
        return type_as(tensor, other) if dtype is None else tensor.to(dtype)

    with (
        mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
        mock.patch.object(torch.Tensor, "type_as", patched),
    ):
        return theirs(**given, output_attentions=True)


def close(found, expected, tolerance):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def agree(name: str, tolerance: float = 1e-10, **sizes):
    """Answers at real tokens, attention weights, loss and its gradients are the same as theirs."""
    theirs, ours = pair(name, pad_token_id=PAD, **sizes)
    ids, mask = draw(theirs.config)
    found, weights = ours(ids, mask, return_attention=True)
    again = ours(ids)  # the mask by default; and weights not spelled out
    same(again if again.dim() == 2 else again[mask], found if again.dim() == 2 else found[mask])
    if name.endswith("ForSequenceClassification"):
        labels = torch.randint(3, (len(ids),))
        expected = theirs_say(theirs, given(ids, mask) | {"labels": labels})
        loss, our = expected.loss, F.cross_entropy(found, labels)
        close(found, expected.logits, tolerance)
    elif name.endswith("LMHeadModel"):
        labels = torch.where(mask & (mask.cumsum(1) > 1), ids, -100)  # what a real token precedes
        expected = theirs_say(theirs, given(ids, mask) | {"labels": labels})
        our = F.cross_entropy(found[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        loss = expected.loss
        close(found[mask], expected.logits[mask], tolerance)
    else:
        expected = theirs_say(theirs, given(ids, mask))
        loss, our = (x[mask].square().sum() for x in (expected[0], found))
        close(found[mask], expected[0][mask], tolerance)
    for one, other in zip(weights, expected.attentions, strict=True):
        one, other = (w.transpose(1, 2)[mask] for w in (one, other))  # what real tokens look at
        close(one, other, tolerance)
    close(our, loss, tolerance * max(1.0, loss.item()))
    loss.backward()
    our.backward()
    same_gradients(theirs, ours, tolerance)


def there_and_back(name, folder, **sizes):
    """Their folder read by us, ours read by them: nothing missing, the same answers."""
    import transformers

    theirs, ours = pair(name, pad_token_id=PAD, **sizes)
    ids, mask = draw(theirs.config)
    theirs.float().save_pretrained(folder / "theirs")  # files hold what a model mostly is: float32
    read = checkpoints.from_pretrained(folder / "theirs")
    assert type(read) is type(ours) and read.config == ours.config and not read.training
    checkpoints.save_hf(randomise(ours), folder / "ours")
    again, info = getattr(transformers, name).from_pretrained(
        folder / "ours", dtype=torch.float64, output_loading_info=True
    )
    assert not any(info.values()), info
    for one, other in ((read.double(), theirs.double()), (ours, again.eval())):
        assert other.config.pad_token_id == PAD
        found, expected = one(ids, mask), other(**given(ids, mask))[0]
        seen = mask if found.dim() == 3 else slice(None)
        close(found[seen], expected[seen], 1e-6 if "CTRL" in name else 1e-10)


def prompts(config, T=6):
    """Prompts of 1, 3 and T tokens, padded on the left, and the ids that come after them (3,3)."""
    ids, more = torch.randint(config.vocabulary, (3, T)), torch.randint(config.vocabulary, (3, 3))
    mask = torch.arange(T) >= torch.tensor([[T - 1], [T - 3], [0]])
    return ids, mask, more


def cached_equals_whole(model):
    """Logits of each step, with keys and values kept, are those of the whole text read at once."""
    ids, mask, more = prompts(model.config)
    whole = torch.cat([mask, torch.ones_like(more, dtype=torch.bool)], 1)
    expected = model(torch.cat([ids, more], 1), whole)[:, ids.shape[1] - 1 :]
    with torch.no_grad():
        memory = model.encode(ids, mask)
        state, fed = model.start(memory), model.first(memory)
        assert fed[mask].equal(ids[mask])
        for t, new in enumerate([fed[:, -1], *more.unbind(1)]):
            logits, state, weights = model.step(new, state, memory)
            same(logits, expected[:, t])
            assert weights is None


def padding_changes_nothing(model):
    """A text means the same with padding on the left, on the right, and without."""
    ids, mask, _ = prompts(model.config)
    left = model(ids, mask)
    right, there = torch.zeros_like(ids), mask.flip(1)
    right[there] = ids[mask]
    same(model(right, there)[there], left[mask])
    for row, real, whole in zip(ids, mask, left):
        same(model(row[None, real])[0], whole[real])


def bad_input(model):
    """What a model of 9 positions is told."""
    ids = torch.zeros(2, 10, dtype=torch.long)
    with pytest.raises(ValueError, match="10 tokens, but the model has 9 positions"):
        model(ids)
    with pytest.raises(ValueError, match=r"bool and have .*, \(2, 5\); it is torch.int64 and \(2, 5\)"):
        model(ids[:, :5], ids[:, :5])
    with pytest.raises(ValueError, match=r"bool and have .*, \(2, 5\); it is torch.bool and \(2, 4\)"):
        model.encode(ids[:, :5], ids[:, :4] == 0)
    wrong = torch.ones(2, 5, dtype=torch.bool)
    wrong[1, 2] = False
    with pytest.raises(ValueError, match="padded on the left alone; prompt 1 isn't"):
        model.encode(ids[:, :5], wrong)
    with pytest.raises(ValueError, match="padded on the left alone; prompt 0 isn't"):
        model.encode(ids[:, :5], wrong.logical_not())
    with pytest.raises(ValueError, match="at least one token"):
        model.encode(ids[:, :0])
    with pytest.raises(ValueError, match="10 tokens, but the model has 9 positions"):
        greedy(model, ids[:, :6], 5, stop=())
    assert len(greedy(model, ids[:, :6], 4, stop=())[0].ids) == 4  # the last is not fed
