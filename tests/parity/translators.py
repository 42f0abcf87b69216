"""Encoder–decoder models beside Hugging Face's: forward, loss, gradients, steps, generation."""

import sys
from unittest import mock

import torch
from helpers import same
from parity import reference

from transformer_essentials.checkpoints import load_hf
from transformer_essentials.generation import beam_search, greedy, select
from transformer_essentials.heads import token_loss

TOLERANCE = reference.TOLERANCE
FINISHED = 1e-9  # what is added up in another order, over all layers


def pair(name: str, **sizes):
    """As for the encoders; Marian's positions are fixed, so they get no noise.

    No text is made to end where it is too long: that is a matter of Hugging Face's ``generate``.
    """
    sizes = {"forced_eos_token_id": None} | sizes
    theirs, ours = reference.pair(name, **sizes)
    for part in theirs.modules():
        if type(part).__name__ == "MarianSinusoidalPositionalEmbedding":
            part._init_weight()
    return theirs, ours


def family(ours):
    """The file that the model comes from."""
    return sys.modules[type(ours).__module__]


def ids(config, *shape):
    """Any tokens but padding."""
    found = torch.randint(config.vocab_size - 1, shape)
    return torch.where(found >= config.pad_token_id, found + 1, found)


def draw(config, S=7, T=5):
    """Source (4,S) and target (4,T), masks: no padding, at the right, at the left, at both ends."""
    source, target, pad = ids(config, 4, S), ids(config, 4, T), config.pad_token_id
    source[1, -2:] = source[2, :3] = source[3, :1] = source[3, -1:] = pad
    target[1, -1:] = target[2, :2] = pad
    target_mask = target != pad
    target[0, 1] = pad  # in the midst of a target it is as good a token as others
    return source, target, source != pad, target_mask


def double():
    """The reference in float64 throughout: T5's turns to float32 for norms and for softmax."""
    to = torch.Tensor.to

    def keep(x, *args, **options):
        return x if args == (torch.float32,) and x.is_floating_point() else to(x, *args, **options)

    return mock.patch.multiple(torch.Tensor, float=torch.Tensor.double, to=keep)


def close(found, expected, tolerance=TOLERANCE):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def agree(name: str, S=7, T=5, tolerance=TOLERANCE, **sizes):
    """Logits, attention weights, loss and gradients are the same as theirs."""
    theirs, ours = pair(name, **sizes)
    source, target, mask, target_mask = draw(theirs.config, S, T)
    given = dict(input_ids=source, attention_mask=mask.long(), use_cache=False)
    given |= dict(output_attentions=True)
    with double():
        expected = theirs(**given, decoder_input_ids=target)
        hidden = theirs(
            **given, decoder_input_ids=target, decoder_attention_mask=target_mask.long()
        )
    close(ours(source, target, mask), expected.logits, tolerance)
    close(ours(source, target), expected.logits, tolerance)  # all but padding is seen by default
    logits, attention = ours(source, target, mask, return_attention=True)
    close(logits, expected.logits, tolerance)  # computed in the other way
    their = (expected.encoder_attentions, expected.decoder_attentions, expected.cross_attentions)
    for found, weights in zip(attention, their, strict=True):
        for one, other in zip(found, weights, strict=True):
            close(one, other, tolerance)
    # what is padding in the target is hidden on request; what it says itself is anything
    logits, attention = ours(source, target, mask, target_mask, return_attention=True)
    close(logits[target_mask], hidden.logits[target_mask], tolerance)
    close(ours(source, target, mask, target_mask)[target_mask], logits[target_mask], tolerance)
    for one, other in zip(attention.decoder, hidden.decoder_attentions, strict=True):
        close(one.transpose(1, 2)[target_mask], other.transpose(1, 2)[target_mask], tolerance)

    own = torch.rand(source.shape) < 0.6  # any token can be hidden
    own[:, 3] = True
    labels = torch.where(torch.rand(target.shape) < 0.3, -100, target)
    labels[:, 0] = target[:, 0]
    given |= dict(attention_mask=own.long(), labels=labels)
    with double():
        loss = theirs(**given).loss
        loss.backward()
    shift = family(ours).shift_tokens_right
    our = token_loss(ours(source, shift(labels, ours.config), own), labels)
    close(our, loss, tolerance)
    our.backward()
    reference.same_gradients(theirs, ours, tolerance)


@torch.no_grad()
def steps_agree(name: str, S=7, T=5, **sizes):
    """With caches, a token at a time, also when rows of the batch change places."""
    _, ours = pair(name, **sizes)
    source, target, mask, _ = draw(_.config, S, T)
    whole, attention = ours(source, target, mask, return_attention=True)
    memory = ours.encode(source, mask)
    state, order = ours.start(memory), torch.arange(4)
    words = torch.arange(whole.shape[-1]) != (ours.pad if name == "MarianMTModel" else -1)
    for t in range(T):
        logits, state, weights = ours.step(target[order, t], state, memory, return_attention=True)
        same(logits[:, words], whole[order, t][:, words], FINISHED)
        same(weights, attention.cross[-1].mean(1)[order, t], FINISHED)
        rows = torch.tensor([2, 0, 3, 3])
        order, state, memory = order[rows], select(state, rows), select(memory, rows)


def sources(config, eos: int):
    """Four sources of different lengths, each with its end mark, padded on the right."""
    source = ids(config, 4, 9)
    for row, n in enumerate((9, 3, 6, 1)):
        source[row, n - 1], source[row, n:] = eos, config.pad_token_id
    return source


def cut(rows, P: int, eos: int) -> list[list[int]]:
    """Their output without what was given, the end mark and what follows it."""
    rows = [row[P:] for row in rows.tolist()]
    return [row[: row.index(eos)] if eos in row else row for row in rows]


def writers(name: str, **sizes):
    """A pair that writes something: more noise, and no word that is much likelier than others."""
    theirs, ours = pair(name, **sizes)
    c = theirs.config
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.dim() > 1 and parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
        load_hf(ours, theirs.state_dict())
        if hasattr(theirs, "final_logits_bias"):
            theirs.final_logits_bias -= ours(ids(c, 99, 7), ids(c, 99, 5)).mean((0, 1))
    load_hf(ours, theirs.state_dict())
    return theirs, ours


def write_the_same(theirs, ours, *, length=12, beam=4, varied=True, **options):
    """Greedy and beam search give the same ids as ``generate``; -> those of greedy, of beam search.

    Sources of different lengths, padded on the right and on the left.
    """
    source, P, eos = sources(theirs.config, ours.config.eos), len(ours.given), ours.config.eos
    lengths = (source != ours.pad).sum(1).tolist()
    left = torch.stack([row.roll(9 - n) for row, n in zip(source, lengths)])
    found = []
    for source in (left, source):
        mask = source != ours.pad
        given = dict(attention_mask=mask.long(), max_new_tokens=length + P - 1, **options)
        with double():
            best = theirs.generate(source, do_sample=False, num_beams=1, **given)
            beams = theirs.generate(
                source, do_sample=False, num_beams=beam, length_penalty=0.0, early_stopping=True,
                **given,
            )  # fmt: skip
        assert (best[:, :P] == torch.tensor(ours.given)).all()
        found = [
            [h.ids for h in greedy(ours, source, length)],
            [h.ids for h in beam_search(ours, source, beam, length, length_penalty=0.0)],
        ]
        assert found == [cut(best, P, eos), cut(beams, P, eos)]
        assert [h.ids for h in greedy(ours, source, length, mask=mask)] == found[0]
    texts, beams = found
    if varied:  # some of them end, some don't, and it matters how they are searched
        assert texts != beams and len(set(map(tuple, texts))) > 2
        assert min(map(len, texts + beams)) < length == max(map(len, texts + beams))
    return texts, beams


def goes_there_and_back(name: str, folder, tolerance=TOLERANCE, **sizes):
    """Saved by theirs it loads into ours, in both formats, and the other way round."""
    import transformers
    from safetensors.torch import load_file

    from transformer_essentials.checkpoints import from_pretrained, save_hf

    kind = getattr(transformers, name)
    theirs, ours = pair(name, **sizes)
    source, target, mask, _ = draw(theirs.config)
    theirs.float().save_pretrained(folder / "theirs")
    with double():
        expected = theirs.double()(source, mask.long(), decoder_input_ids=target).logits.detach()
    for suffix in ("safetensors", "bin"):
        found = from_pretrained(folder / "theirs")
        assert type(found) is type(ours) and found.config == ours.config and not found.training
        close(found.double()(source, target, mask), expected, tolerance)
        torch.save(theirs.float().state_dict(), folder / "theirs" / "pytorch_model.bin")
        (folder / "theirs" / "model.safetensors").unlink(missing_ok=True)

    with torch.no_grad():
        for tensor in ours.state_dict().values():
            tensor.add_(0.3 * torch.randn_like(tensor))
    save_hf(ours, folder / "ours")
    theirs, info = kind.from_pretrained(
        folder / "ours", dtype=torch.float64, output_loading_info=True
    )
    assert not any(info.values()), info
    with double():
        expected = theirs.eval()(source, mask.long(), decoder_input_ids=target).logits
    close(ours(source, target, mask), expected, tolerance)
    assert "lm_head.weight" not in load_file(folder / "ours" / "model.safetensors") or (
        not theirs.config.tie_word_embeddings
    )
