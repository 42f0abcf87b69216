"""What BART, mBART, Marian and T5 share: two stacks of blocks, and one table of tokens for all.

Each model's file says what its stacks are made of and how hidden states become logits. Used like
``Transformer``. Shape letters: B batch, S source length, T target length, P ids to start from,
H heads, D width, V vocabulary.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention import KeyValueCache, check_mask
from .heads import IGNORE, output_loss
from .packing import product
from .transformer import Memory


class Attention(NamedTuple):
    """Who looked where: a tensor for each layer, as bertviz takes them."""

    encoder: tuple[Tensor, ...]  # (B,H,S,S)
    decoder: tuple[Tensor, ...]  # (B,H,T,T)
    cross: tuple[Tensor, ...]  # (B,H,T,S)


class Stack(nn.Module):
    """Encoder or decoder: what tokens become before the blocks, the blocks, a norm after them."""

    def __init__(self, blocks, norm: nn.Module, dropout: float):
        super().__init__()
        self.blocks, self.norm = nn.ModuleList(blocks), norm
        self.dropout = nn.Dropout(dropout)

    def embed(self, x: Tensor, start: int) -> tuple[Tensor, Tensor | None]:
        """Token vectors (B,T,D) of places ``start`` and after -> blocks' input, bias of scores."""
        raise NotImplementedError

    def forward(self, x, mask=None, memory=None, state=None, return_attention=False):
        """Token vectors x (B,T,D) -> hidden states (B,T,D), self and cross weights of each layer.

        ``state`` holds a decoder's earlier keys and values, a cache a layer; x comes after them.
        """
        x, score_bias = self.embed(x, state[0].length if state else 0)
        own, cross = [], []
        for i, block in enumerate(self.blocks):
            x, weights, cross_weights = block(
                x, memory and memory.states, mask=mask, memory_mask=memory and memory.mask,
                causal=memory is not None, score_bias=score_bias,
                cache=state and (state[i], memory.caches[i]), return_weights=return_attention,
            )  # fmt: skip
            own.append(weights)
            cross.append(cross_weights)
        return self.norm(x), tuple(own), tuple(cross)


class EncoderDecoder(nn.Module):
    """Both stacks. A model gives ``stack(n_layers, cross)``, ``given`` and its ``output`` layer.

    ``given`` are the ids that every text starts from, at least one. For generation (see
    ``generation.py``): ``encode``, ``first``, ``start``, ``step``, ``stop``, ``pad``.
    """

    given: tuple[int, ...]

    def __init__(self, config):
        super().__init__()
        self.config = c = config
        self.tokens = nn.Embedding(c.vocabulary, c.width, padding_idx=c.pad)
        self.encoder = self.stack(c.n_layers, cross=False)
        self.decoder = self.stack(c.n_decoder_layers, cross=True)
        self.pad, self.stop = c.pad, (c.eos,)

    def encode(self, source: Tensor, mask: Tensor | None = None) -> Memory:
        """source (B,S) -> what the decoder may look at.

        ``mask`` (B,S), bool, is True at the tokens that all may attend to; by default at all
        that aren't padding.
        """
        return self.read(source, mask)[0]

    def read(self, source, mask=None, return_attention=False) -> tuple[Memory, tuple]:
        """The same, and the weights (B,H,S,S) of each layer, or None in their places."""
        mask = source != self.pad if mask is None else check_mask(mask, *source.shape)
        mask = None if mask.all() else mask[:, None]  # (B,1,S), if there is something to hide
        x, weights, _ = self.encoder(self.tokens(source), mask, return_attention=return_attention)
        return Memory(x, mask, [KeyValueCache() for _ in self.decoder.blocks]), weights

    def decode(self, target_in, memory: Memory, target_mask=None, return_attention=False):
        """target_in (B,T) -> hidden states (B,T,D), self and cross weights of each layer.

        ``target_mask`` (B,T) as ``mask`` of the source; by default no token is hidden but the
        later ones.
        """
        if target_mask is not None:
            check_mask(target_mask, *target_in.shape)
        mask = None if target_mask is None else target_mask[:, None]  # (B,1,T)
        x = self.tokens(target_in)
        return self.decoder(x, mask, memory, return_attention=return_attention)

    def hidden(self, source, target_in, mask=None, target_mask=None, return_attention=False):
        """The decoder's hidden states (B,T,D), and the Attention, or None in its place."""
        memory, weights = self.read(source, mask, return_attention)
        x, *others = self.decode(target_in, memory, target_mask, return_attention)
        return x, Attention(weights, *others) if return_attention else None

    def forward(self, source, target_in, mask=None, target_mask=None, return_attention=False):
        """source (B,S), target_in (B,T) -> logits (B,T,V) [, Attention].

        Masks (B,S) and (B,T), bool, are True at the tokens that may be attended to: by default all
        of the source that isn't padding, all of the target.
        """
        x, attention = self.hidden(source, target_in, mask, target_mask, return_attention)
        return (self.logits(x), attention) if return_attention else self.logits(x)

    def scaled(self, hidden: Tensor) -> Tensor:
        """Hidden states as the output layer takes them."""
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        return product(self.scaled(hidden), self.output)

    def loss(self, source, target_in, labels, mask=None, target_mask=None) -> Tensor:
        """``token_loss`` of the logits and the labels (B,T), without making all logits at once."""
        x, _ = self.hidden(source, target_in, mask, target_mask)
        return output_loss(self.scaled(x), self.output, labels)

    def first(self, memory: Memory) -> Tensor:
        """The ids that each text starts from, (B,P)."""
        states = memory.states
        return torch.tensor([self.given], device=states.device).expand(len(states), -1)

    def start(self, memory: Memory) -> list[KeyValueCache]:
        """The decoder's state after all of these ids but the last."""
        state = [KeyValueCache() for _ in self.decoder.blocks]
        for ids in self.first(memory)[:, :-1].unbind(1):
            self.step(ids, state, memory)
        return state

    def step(self, ids, state: list[KeyValueCache], memory: Memory, return_attention=False):
        """The ids (B,) -> logits of the next (B,V), the state, on request weights (B,S), or None.

        The weights are those of the last layer's cross-attention, averaged over its heads.
        """
        x = self.tokens(ids[:, None])
        x, _, cross = self.decoder(x, None, memory, state, return_attention)
        weights = cross[-1].mean(1)[:, 0] if return_attention else None
        return self.logits(x[:, 0]), state, weights


def shift_right(labels: Tensor, start: int, pad: int) -> Tensor:
    """What the decoder reads to write the labels: (B,T) -> (B,T), each after the one before it.

    What a loss ignores is padding here.
    """
    labels = labels.masked_fill(labels == IGNORE, pad)
    return torch.cat([torch.full_like(labels[:, :1], start), labels[:, :-1]], 1)
