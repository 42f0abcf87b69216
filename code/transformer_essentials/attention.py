"""Attention: scores, an alignment, a weighted average; and the same with many heads.

The general model has four steps (Brauwers & Frasincar, 2023, section 2):

1. two inputs: a query, and features that give keys and values;
2. a score function compares the query with every key;
3. an alignment function turns scores into weights;
4. the weights average the values: the context.

Score functions take ``(query, keys)`` and alignment functions take ``(scores, mask)``, so any
of them can be put into :func:`attend`. Masks are bool, and True means *may attend*.

Shape letters: B batch, T queries, S keys and values, H heads, D width of the model,
K width of a key or of one head, V width of a value.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .packing import product

# ---------------------------------------------------------------- masks


def causal_mask(T: int, S: int | None = None, device=None) -> Tensor:
    """Which of S positions each of the last T may see: itself and those before, (T,S) bool.

    With S > T the queries are the last T of S positions, as when earlier keys are cached.
    """
    S = T if S is None else S
    if S < T:
        raise ValueError(f"causal_mask: {T} queries need at least {T} keys, but S={S}")
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)


def padding_mask(lengths: Tensor, S: int | None = None) -> Tensor:
    """True where a key is a real token: lengths (B,) -> (B,1,S), S by default the longest."""
    S = int(lengths.max()) if S is None else S
    return (torch.arange(S, device=lengths.device) < lengths[:, None])[:, None]  # (B,1,S)


def check_mask(mask: Tensor, B: int, S: int) -> Tensor:
    """The mask, if it is bool and (B,S), a place for each token; otherwise a ValueError."""
    if mask.dtype != torch.bool or mask.shape != (B, S):
        raise ValueError(
            f"the mask must be bool and have a place for each token, {(B, S)}; "
            f"it is {mask.dtype} and {tuple(mask.shape)}"
        )
    return mask


# ---------------------------------------------------------------- step 2: scores


def dot_score(query: Tensor, keys: Tensor) -> Tensor:
    """e = q·k (Luong et al., 2015, section 3.1, "dot"): (…,T,K), (…,S,K) -> (…,T,S)."""
    _check_widths(query, keys)
    return query @ keys.transpose(-2, -1)


def _check_widths(query: Tensor, keys: Tensor):
    if query.shape[-1] != keys.shape[-1]:
        raise ValueError(
            f"a dot product needs queries and keys of one width; queries have "
            f"{query.shape[-1]}, keys {keys.shape[-1]}"
        )


def scaled_dot_score(query: Tensor, keys: Tensor) -> Tensor:
    """e = q·k / √K (Vaswani et al., 2017, eq. 1): (…,T,K), (…,S,K) -> (…,T,S)."""
    return dot_score(query, keys) / math.sqrt(query.shape[-1])


class GeneralScore(nn.Module):
    """e = qᵀ W k (Luong et al., 2015, section 3.1, "general"); query and key widths may differ."""

    def __init__(self, query_width: int, key_width: int):
        super().__init__()
        self.W = nn.Linear(key_width, query_width, bias=False)

    def project(self, keys: Tensor) -> Tensor:
        """W k for every key, done once for all queries: (…,S,key_width) -> (…,S,query_width)."""
        return self.W(keys)

    def compare(self, query: Tensor, projected: Tensor) -> Tensor:
        return dot_score(query, projected)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.compare(query, self.project(keys))  # (…,T,S)


class AdditiveScore(nn.Module):
    """e = vᵀ tanh(W q + U k) (Bahdanau et al., 2015, appendix A.1.2).

    Luong et al. (2015, section 3.1) call it "concat": W and U are the two halves of one matrix.
    """

    def __init__(self, query_width: int, key_width: int, hidden_width: int):
        super().__init__()
        self.W = nn.Linear(query_width, hidden_width, bias=False)
        self.U = nn.Linear(key_width, hidden_width, bias=False)
        self.v = nn.Linear(hidden_width, 1, bias=False)

    def project(self, keys: Tensor) -> Tensor:
        """U k for every key, done once for all queries: (…,S,key_width) -> (…,S,hidden)."""
        return self.U(keys)

    def compare(self, query: Tensor, projected: Tensor) -> Tensor:
        mixed = self.W(query).unsqueeze(-2) + projected.unsqueeze(-3)  # (…,T,S,hidden)
        return self.v(torch.tanh(mixed)).squeeze(-1)  # (…,T,S)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.compare(query, self.project(keys))  # (…,T,S)


# ---------------------------------------------------------------- step 3: alignment


def softmax_align(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Weights that add up to one over the keys; hidden keys get exactly zero.

    A query from which every key is hidden gets all zeros, and no NaN reaches the gradient.
    """
    if mask is None:
        return scores.softmax(-1)
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1).masked_fill(~mask, 0.0)


def hard_align(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """All the weight on the highest score (the first of equals); no gradient passes it."""
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    best = scores.masked_fill(~mask, -torch.inf).argmax(-1, keepdim=True)
    return torch.zeros_like(scores).scatter(-1, best, 1.0).masked_fill(~mask, 0.0)


# ---------------------------------------------------------------- steps 2 to 4


def attend(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None = None,
    *,
    score=scaled_dot_score,
    align=softmax_align,
    return_weights: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Score, align, average: (…,T,K), (…,S,K), (…,S,V) -> context (…,T,V), weights (…,T,S).

    ``mask`` is bool and broadcasts to (…,T,S). Without ``return_weights`` the usual case runs
    in PyTorch's fused kernel, which never stores the weights; None is returned in their place.
    """
    if keys.shape[-2] != values.shape[-2]:
        raise ValueError(
            f"every key needs its value: {keys.shape[-2]} keys, {values.shape[-2]} values"
        )
    if not return_weights and score is scaled_dot_score and align is softmax_align:
        _check_widths(query, keys)
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask), None
    weights = align(score(query, keys), mask)  # (…,T,S)
    return weights @ values, weights if return_weights else None


class GeneralAttention(nn.Module):
    """The general attention model, its four steps in one module.

    ``score`` and ``align`` are any of the functions above, or one of yours.
    """

    def __init__(
        self, feature_width, key_width, value_width, *, score=scaled_dot_score, align=softmax_align
    ):
        super().__init__()
        self.to_keys = nn.Linear(feature_width, key_width, bias=False)
        self.to_values = nn.Linear(feature_width, value_width, bias=False)
        self.score, self.align = score, align

    def forward(self, query: Tensor, features: Tensor, mask: Tensor | None = None):
        """query (…,T,Q), features (…,S,F) -> context (…,T,V), weights (…,T,S)."""
        keys, values = self.to_keys(features), self.to_values(features)  # 1: inputs
        scores = self.score(query, keys)  # 2: scores, (…,T,S)
        weights = self.align(scores, mask)  # 3: weights, (…,T,S)
        return weights @ values, weights  # 4: context, (…,T,V)


# ---------------------------------------------------------------- many heads


class KeyValueCache:
    """Keys and values of the positions seen so far, (B,H,S,K) each, in memory that doubles.

    Self-attention appends to it at each step; cross-attention fills it once. It is written in
    place, so it is for generation, not for training.
    """

    def __init__(self):
        self.length = 0
        self.memory = None  # (B,2,H,room,K): keys, values

    def append(self, new: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values (B,2,H,T,K) more; return all so far."""
        end = self.length + new.shape[3]
        if self.memory is None or end > self.memory.shape[3]:
            self._grow(new, end)
        self.memory.narrow(3, self.length, new.shape[3]).copy_(new)
        self.length = end
        return self.read()

    def read(self) -> tuple[Tensor, Tensor]:
        return self.memory.narrow(3, 0, self.length).unbind(1)

    def select(self, rows: Tensor) -> "KeyValueCache":
        """The cache of these rows of the batch, in this order (repeats allowed)."""
        chosen = KeyValueCache()
        if self.memory is not None:
            chosen.length, chosen.memory = self.length, self.memory[rows]
        return chosen

    def _grow(self, like: Tensor, needed: int):
        B, _, H, _, K = like.shape
        old, self.memory = self.memory, like.new_empty(B, 2, H, max(32, 2 * self.length, needed), K)
        if self.length:
            self.memory[:, :, :, : self.length] = old[:, :, :, : self.length]


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each on its own projections (Vaswani et al., 2017, 3.2.2).

    Self-attention without ``source``, cross-attention with it. ``head_width`` is by default
    width / n_heads, ``scale`` by default 1/√head_width.
    """

    def __init__(
        self,
        width: int,
        n_heads: int,
        *,
        head_width: int | None = None,
        source_width: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        scale: float | None = None,
    ):
        super().__init__()
        if head_width is None and width % n_heads:
            raise ValueError(f"width {width} does not divide into {n_heads} heads; give head_width")
        self.n_heads = n_heads
        self.head_width = width // n_heads if head_width is None else head_width
        self.scale = self.head_width**-0.5 if scale is None else scale
        self.dropout = dropout
        inner, source_width = n_heads * self.head_width, source_width or width
        self.q = nn.Linear(width, inner, bias=bias)
        self.k = nn.Linear(source_width, inner, bias=bias)
        self.v = nn.Linear(source_width, inner, bias=bias)
        self.o = nn.Linear(inner, width, bias=bias)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, self.head_width)).transpose(1, 2)  # (B,H,T,K)

    def keys_values(self, x: Tensor, source: Tensor | None, cache: KeyValueCache | None):
        if source is not None and cache is not None and cache.length:
            return cache.read()  # the source was projected at the first step
        source = x if source is None else source
        keys, values = self.split(self.k(source)), self.split(self.v(source))  # (B,H,S,K)
        return (keys, values) if cache is None else cache.append(torch.stack([keys, values], 1))

    def step(self, x, source, mask, score_bias, cache: KeyValueCache, residual: Tensor) -> Tensor:
        """The residual + ``forward`` for one more token, x (B,D); see ``Block.step``.

        The source is (B,S,·), the mask has three or four dimensions, as in ``forward``.
        """
        B, one = len(x), (self.n_heads, 1, self.head_width)
        if source is None:
            queries, new = product(x, self.q, self.k, self.v).view(B, 3, *one).split((1, 2), 1)
            queries, (keys, values) = queries[:, 0], cache.append(new)  # (B,H,1,K), (B,H,S,K)
        else:
            queries = product(x, self.q).view(B, *one)  # (B,H,1,K)
            keys, values = self.keys_values(x, source, cache)
        if mask is not None and mask.dim() == 3:
            mask = mask[:, None]  # (B,1,1,S)
        context = self.fused(queries, keys, values, mask, score_bias)
        return product(context.view(B, -1), self.o, residual=residual)

    def fused(self, queries, keys, values, mask=None, score_bias=None, p=0.0, causal=False):
        """Context (B,H,T,K), from PyTorch's kernel, which never stores the weights."""
        if score_bias is not None:
            mask = score_bias if mask is None else score_bias.masked_fill(~mask, -torch.inf)
        return F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=p, scale=self.scale, is_causal=causal
        )

    def forward(
        self,
        x: Tensor,
        source: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        score_bias: Tensor | None = None,
        cache: KeyValueCache | None = None,
        return_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """x (B,T,D), source (B,S,·) -> (B,T,D), weights (B,H,T,S) or None.

        ``mask`` is bool and broadcasts to (B,T,S), or to (B,H,T,S) if it has four dimensions;
        ``causal`` hides what comes after each query as well, the queries being the last T of S
        positions; ``score_bias`` is added to the scores. A query that may attend to nothing gets
        the output bias alone.
        """
        queries = self.split(self.q(x))  # (B,H,T,K)
        keys, values = self.keys_values(x, source, cache)  # (B,H,S,K)
        if mask is not None and mask.dim() == 3:
            mask = mask.unsqueeze(1)  # one mask for all heads
        T, S = queries.shape[2], keys.shape[2]
        plain = T == S and mask is None and score_bias is None and not return_weights
        if causal and not plain and T > 1:  # a single query is the last and sees all
            sees = causal_mask(T, S, x.device)
            mask = sees if mask is None else mask & sees
        p = self.dropout if self.training else 0.0
        if return_weights:
            scores = queries @ keys.transpose(-2, -1) * self.scale  # (B,H,T,S)
            scores = scores if score_bias is None else scores + score_bias
            weights = softmax_align(scores, mask)
            context = F.dropout(weights, p) @ values  # (B,H,T,K)
        else:
            causal = causal and plain  # the kernel needs no mask for this
            context = self.fused(queries, keys, values, mask, score_bias, p, causal)
            weights = None
        return self.o(context.transpose(1, 2).flatten(2)), weights  # (B,T,D)
