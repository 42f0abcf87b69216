"""Scores, alignments, masks and many heads, against hand computations and PyTorch's own."""

import math

import pytest
import torch
import torch.nn.functional as F
from helpers import copy_attention, gradients, randn, randomise, same, same_gradients, seeded  # noqa: F401
from torch import nn

from transformer_essentials.attention import (
    AdditiveScore,
    GeneralAttention,
    GeneralScore,
    KeyValueCache,
    MultiHeadAttention,
    attend,
    causal_mask,
    dot_score,
    hard_align,
    padding_mask,
    scaled_dot_score,
    softmax_align,
)

# the black cat sleeps; columns: thing, quality, action, pointer
FEATURES = torch.tensor(
    [[0, 0, 0, 2], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0]], dtype=torch.float64
)
QUERY = torch.tensor([[2, 1, 0, 0]], dtype=torch.float64)  # the word that will be "chat"


def some_mask(*shape):
    """A random mask; query 1 of every sentence may see nothing."""
    mask = torch.rand(*shape) < 0.6
    mask[..., 0, 0] = True
    mask[..., 1, :] = False
    return mask


# ---------------------------------------------------------------- the book's example


def test_running_example():
    same(dot_score(QUERY, FEATURES), torch.tensor([[0.0, 2, 4, 0]]).double())
    same(scaled_dot_score(QUERY, FEATURES), torch.tensor([[0.0, 1, 2, 0]]).double())
    context, weights = attend(QUERY, FEATURES, FEATURES)
    total = 1 + math.e + math.e**2 + 1
    assert total == pytest.approx(12.107, abs=5e-4)
    exact = [1 / total, math.e / total, math.e**2 / total, 1 / total]
    assert weights[0].tolist() == pytest.approx(exact, abs=1e-15)
    assert weights[0].tolist() == pytest.approx([0.083, 0.225, 0.610, 0.083], abs=5e-4)
    assert context[0].tolist() == pytest.approx([1.221, 0.449, 0.165, 0.165], abs=5e-4)
    assert context[0].tolist() == pytest.approx([2 * exact[i] for i in (2, 1, 3, 0)], abs=1e-15)


# ---------------------------------------------------------------- scores


def test_scores_by_hand():
    q, k = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 1.0], [0.0, -1.0]])
    assert dot_score(q, k).tolist() == [[5.0, -2.0]]
    assert scaled_dot_score(q, k)[0].tolist() == pytest.approx([5 / 2**0.5, -2 / 2**0.5])

    general = GeneralScore(2, 3)
    general.W.weight.data = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    # W k = (1·3 + 2·1, 1·1 − 1·4) = (5, −3); q·(W k) = 1·5 + 2·(−3)
    assert general(q, torch.tensor([[3.0, 1.0, 4.0]])).tolist() == [[-1.0]]

    additive = AdditiveScore(2, 2, 2)
    additive.W.weight.data = torch.tensor([[1.0, 0.0], [0.0, 0.5]])
    additive.U.weight.data = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    additive.v.weight.data = torch.tensor([[2.0, -1.0]])
    # first key: W q + U k = (1 + 1, 1 − 3); second: (1 − 1, 1 − 0)
    expected = [2 * math.tanh(2) - math.tanh(-2), 2 * math.tanh(0) - math.tanh(1)]
    assert additive(q, k)[0].tolist() == pytest.approx(expected)


def test_scores_against_einsum():
    q, k = randn(2, 3, 4, 5), randn(2, 3, 6, 5)  # any dimensions in front
    products = torch.einsum("bhtk,bhsk->bhts", q, k)
    same(dot_score(q, k), products)
    same(scaled_dot_score(q, k), products / 5**0.5)

    wide = randn(2, 3, 6, 7)
    general = randomise(GeneralScore(5, 7))
    expected = torch.einsum("bhtq,qk,bhsk->bhts", q, general.W.weight, wide)
    same(general(q, wide), expected)
    same(general.compare(q, general.project(wide)), expected)

    additive = randomise(AdditiveScore(5, 7, 4))
    hidden = torch.einsum("hq,bntq->bnth", additive.W.weight, q)[..., :, None, :]
    hidden = hidden + torch.einsum("hk,bnsk->bnsh", additive.U.weight, wide)[..., None, :, :]
    expected = torch.einsum("h,bntsh->bnts", additive.v.weight[0], hidden.tanh())
    same(additive(q, wide), expected)
    same(additive.compare(q, additive.project(wide)), expected)


def test_additive_is_concat():
    """vᵀ tanh(W [q; k]) of Luong, with the two halves of W side by side."""
    score, q, k = randomise(AdditiveScore(3, 4, 5)), randn(2, 3), randn(6, 4)
    W = torch.cat([score.W.weight, score.U.weight], 1)
    for t in range(2):
        for s in range(6):
            hidden = torch.tanh(W @ torch.cat([q[t], k[s]]))
            same(score(q, k)[t, s], score.v.weight[0] @ hidden)


@pytest.mark.parametrize("score", [dot_score, scaled_dot_score])
def test_score_widths_must_agree(score):
    with pytest.raises(ValueError, match="queries have 3, keys 4"):
        score(randn(2, 3), randn(5, 4))


# ---------------------------------------------------------------- alignment


def test_softmax_align_by_hand():
    scores = torch.tensor([[0.0, math.log(3.0), 0.0, 100.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True, False]])
    assert softmax_align(scores, mask)[0].tolist() == pytest.approx([0.2, 0.6, 0.2, 0.0])
    assert softmax_align(scores, mask)[0, 3] == 0.0
    same(softmax_align(scores[:, :3]), softmax_align(scores, mask)[:, :3])


def test_hidden_keys_might_not_be_there():
    scores, mask = 50 * randn(2, 3, 6), some_mask(2, 3, 6)
    weights = softmax_align(scores, mask)
    for b in range(2):
        for t in range(3):
            seen = mask[b, t]
            assert (weights[b, t, ~seen] == 0).all()
            same(weights[b, t, seen], scores[b, t, seen].softmax(0))
    same(weights.sum(-1), mask.any(-1).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_fully_hidden_row_is_zero_and_has_no_nan(dtype):
    scores = randn(2, 3, 4).to(dtype).requires_grad_()
    mask = some_mask(2, 3, 4)
    weights = softmax_align(scores, mask)
    assert (weights[:, 1] == 0).all() and weights.isfinite().all()
    (gradient,) = gradients(weights, [scores])
    assert gradient.isfinite().all() and (gradient[~mask] == 0).all()
    assert (gradient[:, 0] != 0).any()


def test_hard_align():
    scores = torch.tensor([[1.0, 3.0, 3.0, 2.0], [4.0, 1.0, 2.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
    assert hard_align(scores).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    mask = torch.tensor([[True, False, False, True], [True] * 4, [False] * 4])
    assert hard_align(scores, mask).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    negative = torch.tensor([[-5.0, -7.0]])  # the hidden key's score is below, not 0
    assert hard_align(negative, torch.tensor([[False, True]])).tolist() == [[0, 1]]


# ---------------------------------------------------------------- masks


def test_causal_mask():
    assert causal_mask(3).tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert causal_mask(2, 4).tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert causal_mask(1, 3).tolist() == [[1, 1, 1]]
    assert causal_mask(3).dtype == torch.bool
    with pytest.raises(ValueError, match="4 queries need at least 4 keys, but S=2"):
        causal_mask(4, 2)


def test_padding_mask():
    assert padding_mask(torch.tensor([2, 0, 3])).tolist() == [[[1, 1, 0]], [[0, 0, 0]], [[1, 1, 1]]]
    assert padding_mask(torch.tensor([1]), 4).tolist() == [[[1, 0, 0, 0]]]
    assert padding_mask(torch.tensor([1])).dtype == torch.bool


# ---------------------------------------------------------------- attend


def attend_by_loops(query, keys, values, mask):
    """Equation by equation, a query at a time, with plain sums."""
    contexts = []
    for t, q in enumerate(query):
        seen = [s for s in range(len(keys)) if mask is None or mask[t, s]]
        exps = [torch.exp(q @ keys[s] / len(q) ** 0.5) for s in seen]
        parts = [e / sum(exps) * values[s] for e, s in zip(exps, seen)]
        contexts.append(sum(parts, torch.zeros_like(values[0])))
    return torch.stack(contexts)


@pytest.mark.parametrize("return_weights", [True, False])
@pytest.mark.parametrize("masked", [False, True])
def test_attend_by_loops(return_weights, masked):
    query, keys, values = randn(4, 3), randn(5, 3), randn(5, 2)
    mask = some_mask(4, 5) if masked else None
    context, weights = attend(query, keys, values, mask, return_weights=return_weights)
    same(context, attend_by_loops(query, keys, values, mask))
    assert (weights is not None) == return_weights


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", [(4, 6), (1, 6), (2, 1, 6), (2, 4, 6), None])
def test_attend_with_and_without_weights(shape, dtype):
    """Both paths agree in values and gradients, with every shape of mask."""
    if shape is None:
        mask = None
    elif shape[-2] == 1:
        mask = torch.rand(shape) < 0.6
        mask[..., 0] = False
        mask[0] = False  # a sentence, or all, with nothing to see
    else:
        mask = some_mask(*shape)
    inputs = [randn(2, n, 3).to(dtype).requires_grad_() for n in (4, 6, 6)]
    slow, weights = attend(*inputs, mask)
    fast, nothing = attend(*inputs, mask, return_weights=False)
    assert nothing is None and weights.shape == (2, 4, 6)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    same(fast, slow, tolerance)
    if mask is not None:
        hidden = ~mask.expand(2, 4, 6).any(-1)
        assert hidden.any() and (fast[hidden] == 0).all() and (slow[hidden] == 0).all()
    for f, s in zip(gradients(fast, inputs), gradients(slow, inputs)):
        assert f.isfinite().all() and s.isfinite().all()
        same(f, s, tolerance)


def test_fused_kernel_with_long_hidden_stretches():
    """Longer than the kernel's blocks, and whole blocks of keys hidden."""
    inputs = [randn(1, 2, n, 8, grad=True) for n in (3, 1500, 1500)]
    mask = torch.zeros(3, 1500, dtype=torch.bool)
    mask[0, 1200:1210], mask[2] = True, True
    slow, fast = (attend(*inputs, mask, return_weights=w)[0] for w in (True, False))
    same(fast, slow)
    for f, s in zip(gradients(fast, inputs), gradients(slow, inputs)):
        same(f, s)


def test_attend_takes_any_score_and_alignment():
    query, keys, values, mask = randn(2, 4, 3), randn(2, 6, 5), randn(2, 6, 7), some_mask(2, 4, 6)
    score = randomise(AdditiveScore(3, 5, 4))
    context, weights = attend(query, keys, values, mask, score=score, align=hard_align)
    same(weights, hard_align(score(query, keys), mask))
    same(context, torch.einsum("bts,bsv->btv", weights, values))
    again, nothing = attend(
        query, keys, values, mask, score=score, align=hard_align, return_weights=False
    )
    assert nothing is None
    same(again, context)
    # hard alignment with the score that the fused kernel has must not go there
    context, _ = attend(keys, keys, values, align=hard_align, return_weights=False)
    picked = (keys @ keys.transpose(1, 2)).argmax(-1)
    same(context, torch.stack([values[b, picked[b]] for b in range(2)]))


def test_order_of_keys_does_not_matter():
    query, keys, values, mask = randn(4, 3), randn(6, 3), randn(6, 2), some_mask(4, 6)
    p = torch.randperm(6)
    context, weights = attend(query, keys, values, mask)
    shuffled, shuffled_weights = attend(query, keys[p], values[p], mask[:, p])
    same(shuffled, context)
    same(shuffled_weights, weights[:, p])


@pytest.mark.parametrize("return_weights", [True, False])
def test_attend_errors(return_weights):
    with pytest.raises(ValueError, match="5 keys, 4 values"):
        attend(randn(2, 3), randn(5, 3), randn(4, 3), return_weights=return_weights)
    with pytest.raises(ValueError, match="queries have 2, keys 3"):
        attend(randn(2, 2), randn(5, 3), randn(5, 3), return_weights=return_weights)


@pytest.mark.parametrize("score", [scaled_dot_score, GeneralScore(3, 3), AdditiveScore(3, 3, 4)])
def test_general_attention_step_by_step(score):
    model = randomise(GeneralAttention(5, 3, 3, score=score))
    query, features, mask = randn(2, 4, 3), randn(2, 6, 5), some_mask(2, 4, 6)
    context, weights = model(query, features, mask)
    for b in range(2):
        keys = [model.to_keys.weight @ f for f in features[b]]
        values = [model.to_values.weight @ f for f in features[b]]
        for t in range(4):
            exps = [
                mask[b, t, s] * torch.exp(model.score(query[b, t : t + 1], keys[s][None])[0, 0])
                for s in range(6)
            ]
            total = sum(exps)
            expected = [e / total if total > 0 else total for e in exps]
            same(weights[b, t], torch.stack(expected))
            same(context[b, t], sum(w * v for w, v in zip(expected, values)))


# ---------------------------------------------------------------- many heads


def heads_by_loops(m, x, source, mask=None, bias=None):
    """MultiHead(Q, K, V) a sentence, a head and a query at a time: output and weights."""
    S, H, K = source.shape[1], m.n_heads, m.head_width
    outputs, weights = [], []
    for b in range(len(x)):
        Q, keys, values = m.q(x[b]), m.k(source[b]), m.v(source[b])
        contexts = []
        for h in range(H):
            part = slice(h * K, (h + 1) * K)
            for t in range(x.shape[1]):
                scores = torch.stack([Q[t, part] @ keys[s, part] * m.scale for s in range(S)])
                scores = scores if bias is None else scores + bias[b, h, t]
                seen = torch.ones(S).bool() if mask is None else mask[b, h, t]
                exps = torch.where(seen, scores, -torch.inf).exp()
                weights.append(exps / exps.sum() if seen.any() else torch.zeros_like(scores))
                contexts.append(weights[-1] @ values[:, part])
        outputs.append(m.o(torch.stack(contexts).unflatten(0, (H, -1)).transpose(0, 1).flatten(1)))
    return torch.stack(outputs), torch.stack(weights).view(len(x), H, -1, S)


MASKS = {
    "none": None,
    "padding": padding_mask(torch.tensor([5, 2, 3])),
    "causal": causal_mask(5),
    "both": padding_mask(torch.tensor([5, 2, 3])) & causal_mask(5),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("kind", ["self", "cross", "cross of another width"])
def test_against_torch(kind, mask):
    """Outputs, the weights of each head, gradients of all inputs and parameters."""
    source_width = 6 if "width" in kind else 8
    ours = randomise(MultiHeadAttention(8, 2, source_width=source_width))
    theirs = nn.MultiheadAttention(
        8, 2, batch_first=True, kdim=source_width, vdim=source_width
    ).double()
    pairs = copy_attention(ours, theirs)
    assert len(pairs) == len(list(ours.parameters())) == 8
    x, source = randn(3, 5, 8, grad=True), randn(3, 5, source_width, grad=True)
    used = [x] if kind == "self" else [x, source]
    hidden = None if mask is None else ~mask.expand(3, 5, 5).repeat_interleave(2, 0)
    expected, their_weights = theirs(
        x, used[-1], used[-1], attn_mask=hidden, average_attn_weights=False
    )
    inputs = [(i, i) for i in used]
    for return_weights in (True, False):
        y, weights = ours(*used, mask=mask, return_weights=return_weights)
        same(y, expected)
        same_gradients(
            y, theirs(x, used[-1], used[-1], attn_mask=hidden)[0], pairs, theirs, inputs
        )
        if return_weights:
            same(weights, their_weights)
        else:
            assert weights is None


@pytest.mark.parametrize("return_weights", [True, False])
def test_against_scaled_dot_product_attention(return_weights):
    m, x, mask = randomise(MultiHeadAttention(8, 4)), randn(2, 5, 8), some_mask(2, 5, 5)
    q, k, v = (part(x).view(2, 5, 4, 2).transpose(1, 2) for part in (m.q, m.k, m.v))
    context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])
    y, _ = m(x, mask=mask, return_weights=return_weights)
    same(y, m.o(context.transpose(1, 2).reshape(2, 5, 8)))


@pytest.mark.parametrize("return_weights", [True, False])
@pytest.mark.parametrize("dims", [2, 3, 4])
@pytest.mark.parametrize("scale", [None, 1.0])
def test_heads_by_loops(scale, dims, return_weights):
    """Heads of a width of their own, another source, any mask, a bias on the scores."""
    m = randomise(MultiHeadAttention(6, 2, head_width=5, source_width=4, scale=scale))
    assert m.scale == (5**-0.5 if scale is None else 1.0)
    x, source, score_bias = randn(2, 3, 6), randn(2, 4, 4), randn(1, 2, 3, 4)
    mask = some_mask(*[(3, 4), (2, 3, 4), (2, 2, 3, 4)][dims - 2])
    full = (mask[:, None] if dims == 3 else mask).expand(2, 2, 3, 4)
    for bias in (None, score_bias, score_bias[0]):
        y, weights = m(x, source, mask=mask, score_bias=bias, return_weights=return_weights)
        wide = None if bias is None else score_bias.expand(2, 2, 3, 4)
        expected, expected_weights = heads_by_loops(m, x, source, full, wide)
        same(y, expected)
        if return_weights:
            same(weights, expected_weights)


@pytest.mark.parametrize("return_weights", [True, False])
def test_score_bias_has_a_gradient(return_weights):
    m, x, mask = randomise(MultiHeadAttention(4, 2)), randn(2, 3, 4), some_mask(2, 3, 3)
    bias = randn(2, 3, 3, grad=True)
    wide = bias.expand(2, 2, 3, 3)
    expected, _ = heads_by_loops(m, x, x, mask[:, None].expand(2, 2, 3, 3), wide)
    y, _ = m(x, mask=mask, score_bias=bias, return_weights=return_weights)
    same(gradients(y, [bias])[0], gradients(expected, [bias])[0])
    y, _ = m(x, score_bias=bias, return_weights=return_weights)
    same(y, heads_by_loops(m, x, x, bias=wide)[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("return_weights", [True, False])
@pytest.mark.parametrize("biased", [False, True])
def test_query_that_sees_nothing(biased, return_weights, dtype):
    """It gets the output bias alone, and every gradient stays a number."""
    m = randomise(MultiHeadAttention(8, 2)).to(dtype)
    x = randn(2, 4, 8).to(dtype).requires_grad_()
    score_bias = randn(2, 4, 4).to(dtype) if biased else None
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[0, 2] = mask[1] = False
    y, weights = m(x, mask=mask, score_bias=score_bias, return_weights=return_weights)
    for row in (y[0, 2], *y[1]):
        same(row, m.o.bias)
    if return_weights:
        assert (weights[0, :, 2] == 0).all() and (weights[1] == 0).all()
    for gradient in gradients(y, [x, *m.parameters()]):
        assert gradient.isfinite().all()


def test_without_bias():
    m = randomise(MultiHeadAttention(8, 2, bias=False))
    assert {n for n, _ in m.named_parameters()} == {f"{part}.weight" for part in "qkvo"}
    x = randn(2, 3, 8)
    same(m(x)[0], heads_by_loops(m, x, x)[0])


@pytest.mark.parametrize("return_weights", [True, False])
def test_dropout_only_in_training(return_weights):
    m, x = randomise(MultiHeadAttention(8, 2, dropout=1.0)), randn(2, 3, 8)
    same(m(x, return_weights=return_weights)[0], heads_by_loops(m, x, x)[0])
    m.train()  # everything is dropped: the output bias remains
    y, weights = m(x, return_weights=return_weights)
    same(y, m.o.bias.expand(2, 3, 8))
    if return_weights:  # what is returned is what the model looked at, before dropout
        same(weights, heads_by_loops(m, x, x)[1])


def test_permutation_equivariance():
    """Words in another order: the same new words in that order, unless a mask tells them apart."""
    m, x, p = randomise(MultiHeadAttention(8, 2)), randn(2, 5, 8), torch.tensor([3, 0, 4, 1, 2])
    same(m(x[:, p])[0], m(x)[0][:, p])
    masked = m(x[:, p], mask=causal_mask(5))[0]
    assert (masked - m(x, mask=causal_mask(5))[0][:, p]).abs().max() > 0.1


def test_width_must_divide():
    with pytest.raises(ValueError, match="width 10 does not divide into 4 heads"):
        MultiHeadAttention(10, 4)
    assert MultiHeadAttention(10, 4, head_width=3).q.out_features == 12


# ---------------------------------------------------------------- cache


@pytest.mark.parametrize("return_weights", [True, False])
@pytest.mark.parametrize("steps", [[1] * 6, [3, 1, 2], [1] * 70])
@torch.no_grad()
def test_cached_steps_equal_the_whole(steps, return_weights):
    m, T = randomise(MultiHeadAttention(8, 2)), sum(steps)
    x = randn(2, T, 8)
    whole, whole_weights = m(x, mask=causal_mask(T), return_weights=True)
    cache, done = KeyValueCache(), 0
    for n in steps:
        now = slice(done, done + n)
        done += n
        y, weights = m(
            x[:, now], mask=causal_mask(n, done), cache=cache, return_weights=return_weights
        )
        same(y, whole[:, now])
        if return_weights:
            same(weights, whole_weights[:, :, now, :done])
    assert cache.length == T


@pytest.mark.parametrize("return_weights", [True, False])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_causal(padded, biased, return_weights):
    """The flag is the mask: beside any other, and after keys that are cached."""
    m, x = randomise(MultiHeadAttention(8, 2)), randn(2, 6, 8)
    mask = padding_mask(torch.tensor([6, 4])) if padded else None
    bias = randn(2, 6, 6) if biased else None
    sees = causal_mask(6) if mask is None else mask & causal_mask(6)
    expected, expected_weights = m(x, mask=sees, score_bias=bias, return_weights=True)
    options = dict(causal=True, return_weights=return_weights)
    for steps in ([6], [3, 1, 2], [1] * 6):
        cache, done = KeyValueCache(), 0
        for n in steps:
            now = slice(done, done + n)
            done += n
            y, weights = m(
                x[:, now], mask=mask if mask is None else mask[..., :done], cache=cache,
                score_bias=bias if bias is None else bias[:, now, :done], **options,
            )  # fmt: skip
            same(y, expected[:, now])
            if return_weights:
                same(weights, expected_weights[:, :, now, :done])
    y, weights = m(x, mask=mask, score_bias=bias, **options)
    same(y, expected)
    assert weights is None or weights.equal(expected_weights)


@torch.no_grad()
def test_cache_projects_a_source_once():
    m, x, source = randomise(MultiHeadAttention(8, 2, source_width=6)), randn(2, 5, 8), randn(2, 3, 6)
    whole, cache = m(x, source)[0], KeyValueCache()
    for t in range(5):
        same(m(x[:, t : t + 1], source, cache=cache)[0], whole[:, t : t + 1])
        source = torch.full_like(source, torch.nan)  # nobody looks at it again
    assert cache.length == 3


def test_cache_keeps_order_and_grows():
    cache, both, done = KeyValueCache(), randn(2, 2, 3, 100, 4), 0
    keys, values = both.unbind(1)
    for n in (1, 30, 2, 40, 27):  # past the first room, and past twice as much
        k, v = cache.append(both[..., done : done + n, :])
        done += n
        assert k.equal(keys[:, :, :done]) and v.equal(values[:, :, :done])
    k, v = cache.read()
    assert k.equal(keys) and v.equal(values) and cache.length == 100


def test_cache_select():
    both, more, cache = randn(3, 2, 2, 4, 5), randn(4, 2, 1, 5), KeyValueCache()
    keys, values = both.unbind(1)
    assert cache.select(torch.tensor([0, 0])).length == 0
    cache.append(both)
    rows = torch.tensor([2, 0, 0, 1])
    chosen = cache.select(rows)
    assert chosen.length == 4
    assert chosen.read()[0].equal(keys[rows]) and chosen.read()[1].equal(values[rows])
    chosen.append(torch.stack([more, -more], 1))  # the first cache knows nothing of it
    assert chosen.read()[0].equal(torch.cat([keys[rows], more], 2))
    assert chosen.read()[1].equal(torch.cat([values[rows], -more], 2))
    cache.append(both[:, :, :, :1])
    assert chosen.read()[0][:, :, 4:].equal(more)
