"""Our models beside Hugging Face's: the same weights, the same inputs, the same numbers.

In float64, with noise N(0, 0.3) on every parameter and buffer of theirs, which are then loaded
into ours. With weights as they are initialised (biases 0, norms 1) a swapped norm, a forgotten
bias or the wrong activation would pass.
"""

import copy
import os
from importlib import import_module
from unittest import mock

import torch
from helpers import same

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here is fetched

from transformer_essentials import checkpoints, heads  # noqa: E402

TOLERANCE = 1e-10


def noisy(model, std=0.3):
    """The model in float64, not training, N(0, std) added to all that it computes with.

    But not to the causal masks that GPT and GPT-2 keep among their buffers.
    """
    model.double().eval()
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if tensor.is_floating_point() and not name.endswith((".attn.bias", ".masked_bias")):
                tensor.add_(std * torch.randn_like(tensor))
    return model


def pair(name: str, **sizes):
    """Hugging Face's model of this class and these sizes, and ours with its weights."""
    import transformers

    kind = getattr(transformers, name)
    sizes.setdefault("num_labels", 3 if "Classification" in name else 2)
    config = kind.config_class(attn_implementation="eager", **sizes)
    theirs = noisy(kind(config))
    family = import_module(f"transformer_essentials.{checkpoints.MODEL_TYPES[config.model_type]}")
    made = family.HF_MODELS[name]
    labels = {"n_labels": 3} if "Classification" in name else {}
    ours = made(checkpoints.config_from_hf(family, config.to_dict()), **labels).double().eval()
    checkpoints.load_hf(ours, theirs.state_dict())
    return theirs, ours


def draw(config, T=7):
    """ids (4,T), mask and segments: no padding, at the right, at the left, at both ends."""
    pad = config.pad_token_id
    ids = torch.randint(config.vocab_size - 1, (4, T))
    ids = torch.where(ids >= pad, ids + 1, ids)  # any token but padding
    ids[1, -2:] = ids[2, :3] = ids[3, :1] = ids[3, -1:] = pad
    segments = None
    if getattr(config, "type_vocab_size", 1) > 1:
        segments = torch.randint(config.type_vocab_size, ids.shape)
    return ids, ids != pad, segments


def labels_for(name: str, config, ids, mask):
    """Labels as Hugging Face's class takes them."""
    B, T = ids.shape
    if name == "ElectraForPreTraining":
        return {"labels": torch.randint(2, (B, T))}
    if name.endswith(("ForMaskedLM", "ForPreTraining")):
        chosen = mask & (torch.rand(B, T) < 0.5)
        chosen[0, 0] = True
        labels = {"labels": torch.where(chosen, torch.randint(config.vocab_size, (B, T)), -100)}
        second = {"Bert": "next_sentence_label", "Albert": "sentence_order_label"}
        if name.endswith("ForPreTraining"):
            labels[second[name.removesuffix("ForPreTraining")]] = torch.randint(2, (B,))
        return labels
    if name.endswith("ForSequenceClassification"):
        return {"labels": torch.randint(3, (B,))}
    if name.endswith("ForTokenClassification"):
        return {"labels": torch.where(mask, torch.randint(3, (B, T)), -100)}
    if name.endswith("ForQuestionAnswering"):
        # the last answer ends beyond the text that was cut off
        return {"start_positions": torch.tensor([0, 2, 4, 5]),
                "end_positions": torch.tensor([3, 2, T - 1, T + 5])}  # fmt: skip
    return {}


def our_loss(name, model, ids, mask, segments, labels):
    """The same loss as one of ours has it; for a bare model the sum of squares."""
    first, *others = labels.values() or [None]
    if name == "ElectraForPreTraining":
        from transformer_essentials import electra

        return electra.replaced_token_loss(model(ids, mask, segments), first, mask)
    if name.endswith("ForMaskedLM"):
        return heads.masked_lm_loss(model, ids, first, mask, segments)
    if name.endswith("ForPreTraining"):
        return heads.pretraining_loss(model, ids, first, *others, mask, segments)
    answer = model(ids, mask, segments)
    if name.endswith("ForSequenceClassification"):
        return torch.nn.functional.cross_entropy(answer, first)
    if name.endswith("ForTokenClassification"):
        return heads.token_loss(answer, first)
    if name.endswith("ForQuestionAnswering"):
        return heads.span_loss(answer, first, *others)
    return answer.square().sum()


def answers(theirs, given: dict):
    """What theirs says: tensors in order, attention weights, loss.

    ELECTRA's discriminator turns its labels into float32, and its loss with them: not here.
    """
    with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
        found = theirs(**given, output_attentions=True)
    apart = ("loss", "attentions", "pooler_output")
    tensors = [value for key, value in found.items() if key not in apart]
    loss = found.get("loss")
    return tensors, found.attentions, tensors[0].square().sum() if loss is None else loss


def agree(name: str, **sizes):
    """Answers, attention weights, loss and its gradients are the same as theirs."""
    theirs, ours = pair(name, **sizes)
    ids, mask, segments = draw(theirs.config)
    given = {"input_ids": ids, "attention_mask": mask.long()}
    given |= {} if segments is None else {"token_type_ids": segments}
    labels = labels_for(name, theirs.config, ids, mask)
    expected, attention, loss = answers(theirs, given | labels)

    found = ours(ids, mask, segments)
    for one, other in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE)
    same(ours(ids, segments=segments), found)  # the mask by default: all that isn't padding
    again, weights = ours(ids, mask, segments, return_attention=True)
    same(again, found)  # computed in the other way, with the weights spelled out
    for one, other in zip(weights, attention, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE)

    our = our_loss(name, ours, ids, mask, segments, labels)
    torch.testing.assert_close(our, loss, rtol=0, atol=TOLERANCE * max(1.0, loss.item()))
    loss.backward()
    our.backward()
    same_gradients(theirs, ours)


def same_gradients(theirs, ours, tolerance=TOLERANCE):
    """Gradients of ours are those of theirs, carried over by the same table as the weights."""
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in theirs.named_parameters()
    }
    buffers, kept = dict(theirs.named_buffers()), theirs.state_dict()
    gradients |= {name: buffers[name] for name in buffers if name in kept}  # to fill every place
    expected = copy.deepcopy(ours)
    checkpoints.load_hf(expected, gradients)
    for (name, one), other in zip(ours.named_parameters(), expected.parameters(), strict=True):
        found = torch.zeros_like(one) if one.grad is None else one.grad
        scale = max(1.0, other.abs().max().item())
        difference = (found - other).abs().max().item()
        assert difference < tolerance * scale, f"gradient of {name} differs by {difference}"


def count(build) -> int:
    """How many parameters the model has that ``build()`` makes; none of them is stored."""
    with torch.device("meta"):
        return sum(p.numel() for p in build().parameters())
