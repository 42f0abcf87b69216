"""Greedy search, beam search and sampling write, token for token, what Hugging Face's write."""

import pytest
import torch
from helpers import seeded  # noqa: F401
from parity.decoders import PAD, close
from parity.reference import pair

from transformer_essentials.generation import (
    beam_search, greedy, keep_top_k, keep_top_p, penalise, sample,
)  # fmt: skip

END = 7  # the models' own
SIZES = dict(vocab_size=13, n_embd=12, n_layer=2, n_head=3, n_positions=24, eos_token_id=END)
MODELS = {
    "OpenAIGPTLMHeadModel": SIZES,
    "GPT2LMHeadModel": SIZES,
    "CTRLLMHeadModel": SIZES | {"dff": 10},
}
LENGTHS = torch.tensor([8, 3, 1, 6])


def prompts(with_pad=False):
    """Ids (4,8) and mask: four prompts, padded on the left; ``with_pad``, PAD is a word as well."""
    mask = torch.arange(8) >= 8 - LENGTHS[:, None]
    ids = torch.randint(4, 13, mask.shape).masked_fill(~mask, PAD)
    ids[ids == END] = PAD + 1
    if with_pad:
        ids[:, -1] = PAD
    return ids, mask


def theirs_write(theirs, ids, mask, end=END, **options):
    """Lists of new ids without the end mark, and all that their function returns.

    Their GPT and CTRL count padding as positions: for these, each prompt alone.
    """
    options = dict(max_new_tokens=12, do_sample=False, pad_token_id=PAD) | options
    options |= dict(return_dict_in_generate=True, output_scores=True, eos_token_id=end)

    def write(ids, mask):
        found = theirs.generate(input_ids=ids, attention_mask=mask.long(), **options)
        rows = found.sequences[:, ids.shape[1] :].tolist()
        return [row[: row.index(end)] if end in row else row[:12] for row in rows], found

    if type(theirs).__name__ == "GPT2LMHeadModel":
        return write(ids, mask)
    rows = [write(row[None, real], real[None, real]) for row, real in zip(ids, mask)]
    return [words[0] for words, _ in rows], None


def both(name, seed):
    torch.manual_seed(seed)
    return pair(name, **MODELS[name])


def an_end(ours, ids, mask):
    """An id that ends some of the texts: what the first would go on with in fourth place."""
    return greedy(ours, ids, 4, mask=mask, stop=())[0].ids[3]


@pytest.mark.parametrize("name", MODELS)
def test_greedy(name):
    ended = 0
    for seed in range(3):
        theirs, ours = both(name, seed)
        assert ours.stop == (END,)
        ids, mask = prompts()
        for end in (END, an_end(ours, ids, mask)):
            expected, _ = theirs_write(theirs, ids, mask, end)
            found = [h.ids for h in greedy(ours, ids, 12, mask=mask, stop=(end,))]
            assert found == expected
            ended += sum(len(row) < 12 for row in found)
    assert 2 < ended < 22  # some end, some don't


@pytest.mark.parametrize("name", MODELS)
def test_greedy_with_repetition_penalty(name):
    """What stands in the prompt counts; theirs counts padding too, so here PAD is in each."""
    changed = 0
    for seed in range(2):
        theirs, ours = both(name, seed)
        ids, mask = prompts(with_pad=True)
        expected, _ = theirs_write(theirs, ids, mask, repetition_penalty=1.4)
        options = dict(mask=mask, temperature=0, max_length=12)
        found = [h.ids for h in sample(ours, ids, repetition_penalty=1.4, **options)]
        assert found == expected
        changed += found != [h.ids for h in sample(ours, ids, **options)]
    assert changed


@pytest.mark.parametrize("beam", [2, 4])
@pytest.mark.parametrize("name", MODELS)
def test_beam(name, beam):
    """Where both rank alike and stop alike.

    Theirs ranks by the sum of log-probabilities / length^penalty, ours by Wu et al.'s formula:
    with a penalty of 0 both by the sum. Theirs with ``early_stopping`` stops as ours does, when
    as many texts have ended as there are beams; ours also when no other could rank above.
    """
    ended = 0
    for seed in range(3):
        theirs, ours = both(name, seed)
        ids, mask = prompts()
        end = an_end(ours, ids, mask) if seed else END
        expected, output = theirs_write(
            theirs, ids, mask, end, num_beams=beam, length_penalty=0.0, early_stopping=True
        )
        found = beam_search(ours, ids, beam, 12, length_penalty=0.0, mask=mask, stop=(end,))
        assert [h.ids for h in found] == expected
        if output is not None:
            scores = torch.tensor([h.score for h in found])
            close(scores, output.sequences_scores.to(scores), 1e-4)  # theirs in float32
        ended += sum(len(h.ids) < 12 for h in found)
    assert 0 < ended


def test_several_ends():
    theirs, ours = both("GPT2LMHeadModel", 0)
    ids, mask = prompts()
    for stop in ((END, 5), (END, 9, 11)):
        options = dict(max_new_tokens=12, pad_token_id=PAD, eos_token_id=list(stop))
        for beams in (1, 3):
            options |= dict(do_sample=False, num_beams=beams)
            options |= dict(length_penalty=0.0, early_stopping=True) if beams > 1 else {}
            rows = theirs.generate(ids, attention_mask=mask.long(), **options)[:, 8:].tolist()
            ends = [next((t for t, w in enumerate(row) if w in stop), 12) for row in rows]
            expected = [row[:end] for row, end in zip(rows, ends)]
            if beams == 1:
                found = greedy(ours, ids, 12, mask=mask, stop=stop)
            else:
                found = beam_search(ours, ids, beams, 12, 0.0, mask=mask, stop=stop)
            assert [h.ids for h in found] == expected


@pytest.mark.parametrize("options", [
    dict(), dict(temperature=0.7), dict(top_k=3), dict(top_p=0.6),
    dict(temperature=1.3, top_k=6, top_p=0.8, repetition_penalty=1.2),
], ids=str)  # fmt: skip
def test_sampling(options):
    """The same random numbers, drawn from the same distribution, are the same words."""
    theirs, ours = (model.float() for model in both("GPT2LMHeadModel", 1))
    ids, mask = prompts(with_pad=True)
    torch.manual_seed(5)
    expected, _ = theirs_write(theirs, ids, mask, do_sample=True, **{"top_k": 0} | options)
    found = sample(
        ours, ids, mask=mask, max_length=12, generator=torch.Generator().manual_seed(5), **options
    )
    assert [h.ids for h in found] == expected


# ---------------------------------------------------------------- filters


@pytest.mark.parametrize("k", [1, 2, 7, 49, 50, 80])
def test_top_k(k):
    from transformers import TopKLogitsWarper

    logits = 3 * torch.randn(64, 50).double()
    close(keep_top_k(logits, k), TopKLogitsWarper(k)(None, logits), 0.0)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.8, 0.95, 0.999])
def test_top_p(p):
    from transformers import TopPLogitsWarper

    logits = 3 * torch.randn(64, 50).double()
    close(keep_top_p(logits, p), TopPLogitsWarper(p)(None, logits), 0.0)


@pytest.mark.parametrize("penalty", [0.7, 1.0, 1.3, 2.5])
def test_penalty(penalty):
    from transformers import RepetitionPenaltyLogitsProcessor

    logits, seen = torch.randn(64, 50).double(), torch.randint(50, (64, 20))
    expected = RepetitionPenaltyLogitsProcessor(penalty)(seen, logits)
    close(penalise(logits, seen, penalty), expected, 0.0)
