"""bertviz shows the attention that our models return, as it is; an optional package.

It wants one tensor a layer, (1, heads, tokens, tokens), in a list or tuple: docstring of
``bertviz.head_view``, version 1.4.1. What it draws from is in its page, as JSON; the tests read
that, so a layer, head, row or column in the wrong place would show.
"""

import json
import re

import pytest
import torch

from transformer_essentials.bert import BERT, BERTConfig
from transformer_essentials.mae import MAEConfig, MAEForPreTraining

bertviz = pytest.importorskip("bertviz", reason='it needs: pip install "bertviz==1.4.1"')

TOKENS = ["[CLS]", "the", "cat", "[SEP]", "it", "sleeps", "[SEP]"]


def shown(page) -> list[dict]:
    """What a page of bertviz draws: names, tokens on the left and right, attention."""
    found = set(re.findall(r'"attention": (\[\{.*?\}\]), "default_filter"', page.data))
    assert len(found) == 1  # bertviz's script repeats it in a comment
    return json.loads(found.pop())


@pytest.fixture
def attention():
    torch.manual_seed(0)
    model = BERT(BERTConfig(vocabulary=20, width=12, n_layers=2, n_heads=3, ff_width=8)).eval()
    ids = torch.tensor([[2, 5, 6, 3, 7, 8, 3]])
    with torch.no_grad():
        hidden, attention = model(ids, return_attention=True)
    assert hidden.shape == (1, 7, 12)
    return attention


@pytest.mark.parametrize("view", ["head_view", "model_view"])
def test_bert(view, attention):
    page = getattr(bertviz, view)(attention, TOKENS, html_action="return")
    (part,) = shown(page)
    assert part["left_text"] == part["right_text"] == TOKENS
    found = torch.tensor(part["attn"])  # layers, heads, from, to
    torch.testing.assert_close(found, torch.cat(attention), rtol=0, atol=1e-6)


@pytest.mark.parametrize("view", ["head_view", "model_view"])
def test_bert_with_two_sentences(view, attention):
    page = getattr(bertviz, view)(attention, TOKENS, sentence_b_start=4, html_action="return")
    parts = {part["name"]: part for part in shown(page)}
    across = parts["Sentence A -> Sentence B"]
    assert across["left_text"] == TOKENS[:4] and across["right_text"] == TOKENS[4:]
    expected = torch.cat(attention)[:, :, :4, 4:]
    torch.testing.assert_close(torch.tensor(across["attn"]), expected, rtol=0, atol=1e-6)


def test_masked_autoencoder():
    """Both stacks, with patches as tokens."""
    model = MAEForPreTraining(MAEConfig(6, 2, 1, 8, 1, 2, 8, 8, 3, 4, 8)).eval()
    noise = torch.rand(1, 9)
    with torch.no_grad():
        _, masked, (seeing, painting) = model(torch.randn(1, 1, 6, 6), noise, return_attention=True)
    names = [str(i) for i in noise[0].argsort().tolist()]
    everything = [str(i) for i in range(9)]
    for weights, patches in (seeing, names[:2]), (painting, everything):
        tokens = ["class", *patches]
        (part,) = shown(bertviz.head_view(weights, tokens, html_action="return"))
        assert part["left_text"] == tokens
        drawn = torch.tensor(part["attn"])
        torch.testing.assert_close(drawn, torch.cat(weights), rtol=0, atol=1e-6)
    assert {i for i, name in enumerate(masked[0]) if not name} == {int(n) for n in names[:2]}
