"""What stands around attention: norms, feed-forward layers, the block, the masked-LM head.

Shape letters: B batch, T positions, S positions of the memory, H heads, D width.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import KeyValueCache, MultiHeadAttention
from .packing import gelu_tanh, product

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,  # with the error function (Hendrycks & Gimpel, 2016)
    "gelu_tanh": gelu_tanh,
    "swish": F.silu,
}


class RMSNorm(nn.Module):
    """Divide by the root mean square, scale; no centring, no bias (Zhang & Sennrich, 2019)."""

    def __init__(self, width: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


class FeedForward(nn.Module):
    """Two layers applied to each position alone (Vaswani et al., 2017, section 3.3).

    Gated, the hidden layer is multiplied by a second projection (Shazeer, 2020).
    """

    def __init__(self, width, hidden, activation="relu", *, gated=False, bias=True, dropout=0.0):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation {activation!r} is none of {', '.join(ACTIVATIONS)}")
        self.activation = ACTIVATIONS[activation]
        self.up = nn.Linear(width, hidden, bias=bias)
        self.gate = nn.Linear(width, hidden, bias=bias) if gated else None
        self.down = nn.Linear(hidden, width, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        if self.gate is None:
            hidden = self.activation(self.up(x))
        else:
            hidden = self.activation(self.gate(x)) * self.up(x)
        return self.down(self.dropout(hidden))

    def step(self, x: Tensor, residual: Tensor) -> Tensor:
        """The residual + ``forward`` for one more token, x (B,D); see ``Block.step``."""
        if self.gate is None:
            hidden = product(x, self.up, activation=self.activation)
        else:
            gate, hidden = product(x, self.gate, self.up).chunk(2, -1)
            hidden = self.activation(gate) * hidden
        return product(hidden, self.down, residual=residual)


class Block(nn.Module):
    """Self-attention, cross-attention if asked for, feed-forward; each with residual and norm.

    ``norm="post"`` normalises the sum, x = norm(x + f(x)), as in the paper of 2017;
    ``norm="pre"`` normalises the branch, x = x + f(norm(x)), and leaves the stack to add a
    final norm. ``norm_layer`` takes (width, eps=…).
    """

    def __init__(
        self,
        width: int,
        n_heads: int,
        ff_width: int,
        *,
        activation: str = "relu",
        norm: str = "post",
        norm_layer=nn.LayerNorm,
        eps: float = 1e-5,
        cross: bool = False,
        gated: bool = False,
        head_width: int | None = None,
        scale: float | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        ff_dropout: float = 0.0,
    ):
        super().__init__()
        if norm not in ("pre", "post"):
            raise ValueError(f'norm must be "pre" or "post", not {norm!r}')
        self.pre = norm == "pre"
        attention = partial(
            MultiHeadAttention, width, n_heads, head_width=head_width, scale=scale, bias=bias,
            dropout=attention_dropout,
        )  # fmt: skip
        self.attention, self.attention_norm = attention(), norm_layer(width, eps=eps)
        if cross:
            self.cross, self.cross_norm = attention(), norm_layer(width, eps=eps)
        self.ff = FeedForward(
            width, ff_width, activation, gated=gated, bias=bias, dropout=ff_dropout
        )
        self.ff_norm = norm_layer(width, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        causal: bool = False,
        score_bias: Tensor | None = None,
        cache: tuple[KeyValueCache, KeyValueCache] | None = None,
        return_weights: bool = False,
    ):
        """x (B,T,D), memory (B,S,D) -> x (B,T,D), self weights, cross weights (or None).

        ``mask``, ``causal`` and ``score_bias`` are those of self-attention.
        """
        own_cache, cross_cache = cache or (None, None)
        if own_cache is not None and x.shape[1] == 1 and not (self.training or return_weights):
            x = self.step(x[:, 0], memory, mask, memory_mask, score_bias, own_cache, cross_cache)
            return x[:, None], None, None
        cross_weights = None

        residual, h = self.open(x, self.attention_norm)
        h, weights = self.attention(
            h, mask=mask, causal=causal, score_bias=score_bias, cache=own_cache,
            return_weights=return_weights,
        )  # fmt: skip
        x = self.close(residual, h, self.attention_norm)
        if memory is not None:
            residual, h = self.open(x, self.cross_norm)
            h, cross_weights = self.cross(
                h, memory, mask=memory_mask, cache=cross_cache, return_weights=return_weights
            )
            x = self.close(residual, h, self.cross_norm)
        residual, h = self.open(x, self.ff_norm)
        x = self.close(residual, self.ff(h), self.ff_norm)
        return x, weights, cross_weights

    def step(self, x, memory, mask, memory_mask, score_bias, own_cache, cross_cache) -> Tensor:
        """``forward`` for the next token alone, when text is generated: x (B,D) -> (B,D).

        With so small products a good part of the time goes into calling modules. So this makes as
        few calls as it can: the same arithmetic, but for use outside training only, and without
        the hooks of its parts. Masks, memory and bias as in ``forward``.
        """
        norm = self.attention_norm.forward
        x = self.attention.step(norm(x) if self.pre else x, None, mask, score_bias, own_cache, x)
        x = x if self.pre else norm(x)
        if memory is not None:
            norm = self.cross_norm.forward
            h = norm(x) if self.pre else x
            x = self.cross.step(h, memory, memory_mask, None, cross_cache, x)
            x = x if self.pre else norm(x)
        norm = self.ff_norm.forward
        x = self.ff.step(norm(x) if self.pre else x, x)
        return x if self.pre else norm(x)

    def open(self, x: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor]:
        """What flows past a sub-layer, and what goes into it."""
        return x, norm(x) if self.pre else x

    def close(self, residual: Tensor, h: Tensor, norm: nn.Module) -> Tensor:
        x = residual + self.dropout(h)
        return x if self.pre else norm(x)


class MaskedLMHead(nn.Module):
    """From hidden states to logits over the vocabulary: dense, activation, norm, output.

    The output matrix is the token table ``embedding`` with a bias of its own (Devlin et al.,
    2019, as in the published code).
    """

    def __init__(self, width: int, embedding: nn.Embedding, activation="gelu", eps=1e-12):
        super().__init__()
        self.dense = nn.Linear(width, embedding.embedding_dim)
        self.activation = ACTIVATIONS[activation]
        self.norm = nn.LayerNorm(embedding.embedding_dim, eps=eps)
        self.output = nn.Linear(embedding.embedding_dim, embedding.num_embeddings)
        self.output.weight = embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.norm(self.activation(self.dense(x))))  # (…,vocabulary)
