"""The Transformer of Vaswani et al. (2017): encoder, decoder, and the attention between.

Used like the recurrent translators of ``seq2seq.py``. Shape letters: B batch, T target length,
S source length, H heads, D width, V vocabulary.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention import KeyValueCache, causal_mask
from .layers import Block
from .positions import sinusoids
from .tokenizers import PAD


class Memory(NamedTuple):
    """What the encoder hands over."""

    states: Tensor  # (B,S,D)
    mask: Tensor | None  # True at real words, (B,1,S); None if all are
    caches: list[KeyValueCache]  # their keys and values in each layer, from the first step on


class Transformer(nn.Module):
    """``norm="post"`` is the paper's; ``norm="pre"`` normalises before each sub-layer and ends
    each stack with a norm. The base size of the paper is the default.

    The token table of the target is the output matrix too (section 3.4). The paper shares it
    with the source as well, having one vocabulary for both languages; here there are two.
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        *,
        width: int = 512,
        n_heads: int = 8,
        n_layers: int = 6,
        ff_width: int = 2048,
        dropout: float = 0.1,
        norm: str = "post",
        max_length: int = 512,
    ):
        super().__init__()
        self.source_embedding = nn.Embedding(source_vocabulary, width)
        self.target_embedding = nn.Embedding(target_vocabulary, width)
        for table in (self.source_embedding, self.target_embedding):
            nn.init.normal_(table.weight, std=width**-0.5)  # × √D at the input: variance 1
        self.register_buffer("positions", sinusoids(max_length, width), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(
            Block(width, n_heads, ff_width, norm=norm, dropout=dropout) for _ in range(n_layers)
        )
        self.decoder = nn.ModuleList(
            Block(width, n_heads, ff_width, norm=norm, dropout=dropout, cross=True)
            for _ in range(n_layers)
        )
        final = nn.LayerNorm if norm == "pre" else nn.Identity
        self.encoder_norm, self.decoder_norm = final(width), final(width)

    def embed(self, ids: Tensor, table: nn.Embedding, start: int = 0) -> Tensor:
        """Token vectors × √D plus positions: (B,T) -> (B,T,D)."""
        stop, limit = start + ids.shape[1], len(self.positions)
        if stop > limit:
            raise ValueError(f"{stop} positions, but the model was made for max_length={limit}")
        x = table(ids) * math.sqrt(table.embedding_dim) + self.positions[start:stop]
        return self.dropout(x)

    def encode(self, source: Tensor) -> Memory:
        """source (B,S), 0 = padding -> what the decoder may look at."""
        mask = (source != PAD)[:, None]  # (B,1,S)
        x = self.embed(source, self.source_embedding)
        for block in self.encoder:
            x, _, _ = block(x, mask=mask)
        return Memory(self.encoder_norm(x), mask, [KeyValueCache() for _ in self.decoder])

    def decode(self, x: Tensor, memory: Memory, mask=None, caches=None, return_weights=False):
        """x (B,T,D) -> logits (B,T,V), cross weights a layer, (B,H,T,S) each or None."""
        cross = []
        for i, block in enumerate(self.decoder):
            x, _, weights = block(
                x, memory.states, mask=mask, memory_mask=memory.mask,
                cache=caches and caches[i], return_weights=return_weights,
            )  # fmt: skip
            cross.append(weights)
        return self.decoder_norm(x) @ self.target_embedding.weight.T, cross

    def start(self, memory: Memory) -> list[KeyValueCache]:
        """The decoder's state before its first word: nothing seen yet."""
        return [KeyValueCache() for _ in self.decoder]

    def step(self, ids: Tensor, state: list[KeyValueCache], memory: Memory):
        """The words ids (B,) -> logits of the next (B,V), the state, weights (B,S).

        The weights are the last layer's, averaged over its heads.
        """
        x = self.embed(ids[:, None], self.target_embedding, start=state[0].length)
        caches = list(zip(state, memory.caches))
        logits, cross = self.decode(x, memory, caches=caches, return_weights=True)
        return logits[:, 0], state, cross[-1].mean(1)[:, 0]

    def forward(self, source: Tensor, target_in: Tensor, return_attention: bool = False):
        """source (B,S), target_in (B,T) -> logits (B,T,V).

        On request also the cross-attention weights: one tensor (B,H,T,S) a layer.
        """
        memory = self.encode(source)
        x = self.embed(target_in, self.target_embedding)
        mask = causal_mask(x.shape[1], device=x.device)[None]  # (1,T,T)
        logits, cross = self.decode(x, memory, mask, return_weights=return_attention)
        return (logits, cross) if return_attention else logits
