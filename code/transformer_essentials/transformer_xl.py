"""Transformer-XL (Dai et al., 2019): a text read in segments, each with a memory of those before.

What differs from GPT: every layer also looks at its inputs of the segments before, without
learning through them; positions are relative, a part of each attention's score; rare words have
narrower vectors, and the softmax finds their group first. Used segment by segment:

    log_p, memory, _ = model.segment(ids)               # the first
    log_p, memory, _ = model.segment(more_ids, memory)  # the next

Shape letters: B batch, T tokens, M places of memory, S = M + T, H heads, D width, K width of a
head, V vocabulary.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import causal_mask, check_mask, softmax_align
from .checkpoints import field, fixed, fused, tied
from .gpt import CausalLM, Decoder, Prompt
from .heads import initialise
from .layers import FeedForward
from .positions import relative_shift


@dataclass(frozen=True)
class TransformerXLConfig:
    """Sizes of a Transformer-XL; by default those of the large one for WikiText-103."""

    vocabulary: int = 267735
    cutoffs: tuple[int, ...] = (20000, 40000, 200000)  # ids from which words are rarer
    divide: int = 4  # vectors of each group are narrower by this; 1: all are as wide
    width: int = 1024
    n_layers: int = 18
    n_heads: int = 16
    head_width: int = 64
    ff_width: int = 4096
    memory: int = 1600  # places that each layer remembers
    clamp: int = 1000  # distances beyond count as this; 0: no limit
    same_length: bool = True  # each token sees as many places: ``memory``, with its own
    dropout: float = 0.1
    pad: int | None = None
    end: int | None = 0

    def __post_init__(self):
        object.__setattr__(self, "cutoffs", tuple(self.cutoffs))
        if self.same_length and not self.memory:
            raise ValueError("with same_length a token sees `memory` places: memory can't be 0")


STANDARD = dict(width=410, n_layers=16, n_heads=10, head_width=41, ff_width=2100, divide=1)
PRESETS = {  # for WikiText-103 (table 1): the published weights, and run_wt103_base.sh
    "large": TransformerXLConfig(),
    "standard": TransformerXLConfig(**STANDARD, memory=640, clamp=400),
}


# ---------------------------------------------------------------- words, frequent and rare


class AdaptiveEmbedding(nn.Module):
    """Narrower vectors for rarer words, widened by a matrix a group (Baevski & Auli, 2019).

    With ``divide`` 1 there is one table, and no matrix.
    """

    def __init__(self, vocabulary: int, width: int, cutoffs: tuple[int, ...], divide: int):
        super().__init__()
        self.ends = (0, *cutoffs, vocabulary) if divide > 1 else (0, vocabulary)
        widths = [width // divide**i for i in range(len(self.ends) - 1)]
        if min(widths) < 1:
            raise ValueError(f"width {width} can't be divided by {divide} {len(cutoffs)} times")
        self.tables = nn.ModuleList(
            nn.Embedding(end - start, w) for (start, end), w in zip(pairwise(self.ends), widths)
        )
        matrices = (nn.Parameter(0.01 * torch.randn(width, w)) for w in widths)
        self.projections = nn.ParameterList(matrices if divide > 1 else ())
        self.width = width

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B,T) -> (B,T,D), multiplied by √D."""
        if not self.projections:
            return self.tables[0](ids) * math.sqrt(self.width)
        x = self.projections[0].new_zeros(*ids.shape, self.width)
        for i, (start, end) in enumerate(pairwise(self.ends)):
            group = (ids >= start) & (ids < end)
            x[group] = self.tables[i](ids[group] - start) @ self.projections[i].T
        return x * math.sqrt(self.width)


class AdaptiveSoftmax(nn.Module):
    """Log-probabilities: first of the frequent words and of each rarer group, then within it.

    (Grave et al., 2017.) Tables are the embedding's, and its matrices are too, but the first.
    """

    def __init__(self, embedding: AdaptiveEmbedding, cutoffs: tuple[int, ...]):
        super().__init__()
        self.ends = (0, *cutoffs, embedding.ends[-1])
        self.tables, self.shared = embedding.tables, embedding.projections
        self.biases = nn.ParameterList(torch.zeros(t.num_embeddings) for t in self.tables)
        self.projection = None
        if self.shared:
            self.projection = nn.Parameter(0.01 * torch.randn_like(self.shared[0]))
        self.groups = None  # logits of the rarer groups
        if cutoffs:
            self.groups = nn.Linear(embedding.width, len(cutoffs))

    def logits(self, hidden: Tensor, i: int) -> Tensor:
        """Of group i; after those of the first come those of the other groups themselves."""
        one = len(self.tables) == 1
        table, rows = (0, slice(*self.ends[i : i + 2])) if one else (i, slice(None))
        weight, bias = self.tables[table].weight[rows], self.biases[table][rows]
        if self.shared:
            hidden = hidden @ (self.shared[i] if i else self.projection)
        logits = F.linear(hidden, weight, bias)
        if i == 0 and self.groups is not None:
            return torch.cat([logits, self.groups(hidden)], -1)
        return logits

    def forward(self, hidden: Tensor) -> Tensor:
        """(…,D) -> log-probabilities (…,V)."""
        head = self.logits(hidden, 0).log_softmax(-1)
        frequent, *groups = head.split([self.ends[1]] + [1] * (len(self.ends) - 2), -1)
        rare = [
            group + self.logits(hidden, i).log_softmax(-1) for i, group in enumerate(groups, 1)
        ]
        return torch.cat([frequent, *rare], -1)

    def log_prob(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Log-probability of one word each: (N,D), (N) -> (N). Each group's words alone cost it."""
        head = self.logits(hidden, 0).log_softmax(-1)
        place = ids.clone()  # of a word, or of its group, in the head
        for i, start in enumerate(self.ends[1:-1]):
            place[(ids >= start) & (ids < self.ends[i + 2])] = self.ends[1] + i
        result = head.gather(1, place[:, None])[:, 0]
        for i, (start, end) in enumerate(pairwise(self.ends)):
            if i and (group := ((ids >= start) & (ids < end)).nonzero()[:, 0]).numel():
                within = self.logits(hidden[group], i).log_softmax(-1)
                found = within.gather(1, ids[group, None] - start)[:, 0]
                result = result.index_add(0, group, found)
        return result


# ---------------------------------------------------------------- the model


class RelativeAttention(nn.Module):
    """Attention whose scores depend on what a key is and on how far away it is (section 3.3)."""

    def __init__(self, width: int, n_heads: int, head_width: int):
        super().__init__()
        inner = n_heads * head_width
        self.heads = n_heads, head_width
        self.q = nn.Linear(width, inner, bias=False)
        self.k = nn.Linear(width, inner, bias=False)
        self.v = nn.Linear(width, inner, bias=False)
        self.r = nn.Linear(width, inner, bias=False)  # keys of the distances
        self.o = nn.Linear(inner, width, bias=False)
        self.content_bias = nn.Parameter(0.02 * torch.randn(n_heads, head_width))  # u
        self.distance_bias = nn.Parameter(0.02 * torch.randn(n_heads, head_width))  # v

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, self.heads).transpose(-3, -2)  # (…,H,·,K)

    def forward(self, x: Tensor, source: Tensor, distances: Tensor, mask: Tensor):
        """x (B,T,D), source (B,S,D), distances S−1 … 0 (S,D) -> (B,T,D), weights (B,H,T,S).

        x is the end of the source; ``mask`` is bool and broadcasts to (B,H,T,S).
        """
        queries, keys, values = map(self.split, (self.q(x), self.k(source), self.v(source)))
        content = (queries + self.content_bias[:, None]) @ keys.mT  # (B,H,T,S)
        distance = (queries + self.distance_bias[:, None]) @ self.split(self.r(distances)).mT
        scores = (content + relative_shift(distance)) * self.heads[1] ** -0.5
        weights = softmax_align(scores, mask)
        return self.o((weights @ values).transpose(1, 2).flatten(2)), weights


class RelativeBlock(nn.Module):
    """Relative attention and feed-forward, each followed by a norm of the sum."""

    def __init__(self, c: TransformerXLConfig):
        super().__init__()
        self.attention = RelativeAttention(c.width, c.n_heads, c.head_width)
        self.attention_norm = nn.LayerNorm(c.width, eps=1e-5)
        self.ff = FeedForward(c.width, c.ff_width, "relu", dropout=c.dropout)
        self.ff_norm = nn.LayerNorm(c.width, eps=1e-5)
        self.dropout = nn.Dropout(c.dropout)

    def forward(self, x: Tensor, source: Tensor, distances: Tensor, mask: Tensor):
        h, weights = self.attention(x, source, distances, mask)
        x = self.attention_norm(x + self.dropout(h))
        return self.ff_norm(x + self.dropout(self.ff(x))), weights


class TransformerXL(Decoder):
    """The decoder, with no limit to the length of a text: ``segment`` takes it piece by piece."""

    def __init__(self, config: TransformerXLConfig = TransformerXLConfig()):
        super().__init__()
        self.config = c = config
        if c.width % 2:
            raise ValueError(f"sinusoids come in pairs of sine and cosine: width {c.width} is odd")
        self.tokens = AdaptiveEmbedding(c.vocabulary, c.width, c.cutoffs, c.divide)
        rates = 10000 ** (-torch.arange(0.0, c.width, 2.0) / c.width)
        self.register_buffer("rates", rates)  # of sinusoids, (D/2)
        self.dropout = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(RelativeBlock(c) for _ in range(c.n_layers))
        initialise(self)

    def distances(self, S: int) -> Tensor:
        """Vectors of the distances S−1, …, 1, 0: (S,D), all sines before all cosines."""
        far = torch.arange(S - 1, -1, -1, device=self.rates.device)
        far = far.clamp(max=self.config.clamp) if self.config.clamp > 0 else far
        angles = far[:, None] * self.rates  # (S,D/2)
        return torch.cat([angles.sin(), angles.cos()], -1)

    def segment(self, ids, memory=None, mask=None, return_attention=False):
        """ids (B,T) -> hidden states (B,T,D), the new memory, attention or None.

        The memory is what each layer was given at the last places, (B,M,D) a layer, and at first
        zeros, which are looked at, as in Hugging Face's code; the first published code began
        with none. ``mask`` (B,T), in a first segment only, is True at real tokens; padding, on the
        left, is no more than memory that is still zero. Attention: (B,H,T,S) a layer.
        """
        c, (B, T) = self.config, ids.shape
        if mask is not None:
            check_mask(mask, B, T)
            if memory is not None or (mask[:, :-1] & ~mask[:, 1:]).any():
                raise ValueError("padding must come first: on the left, in a first segment")
        if memory is None:
            memory = (self.rates.new_zeros(B, c.memory, c.width),) * c.n_layers
        S = memory[0].shape[1] + T
        sees = causal_mask(T, S, ids.device)[None, None]  # (1,1,T,S)
        if c.same_length:
            sees = sees & torch.ones_like(sees).triu(S - T - c.memory + 1)
        if mask is not None:  # a text sees as much memory as if it stood alone
            places = torch.arange(S, device=ids.device)
            sees = sees & (places >= (~mask).sum(1)[:, None])[:, None, None]  # (B,1,T,S)
        distances = self.dropout(self.distances(S))
        x, new_memory, attention = self.dropout(self.tokens(ids)), [], []
        for block, before in zip(self.blocks, memory, strict=True):
            x = x if mask is None else x.masked_fill(~mask[..., None], 0.0)
            source = torch.cat([before, x], 1)  # (B,S,D)
            new_memory.append(source[:, max(0, S - c.memory) :].detach())
            x, weights = block(x, source, distances, sees)
            attention.append(weights)
        return self.dropout(x), tuple(new_memory), tuple(attention) if return_attention else None

    def forward(self, ids, mask=None, return_attention=False):
        """A first segment: ids (B,T) -> hidden states (B,T,D) [, attention]."""
        mask = self.real(ids) if mask is None else mask
        x, _, attention = self.segment(ids, None, mask, return_attention)
        return (x, attention) if return_attention else x


class TransformerXLForCausalLM(CausalLM):
    """Log-probabilities (B,T,V) of the token after each: logits that are normalised already."""

    def __init__(self, config: TransformerXLConfig = TransformerXLConfig()):
        super().__init__(TransformerXL(config))
        self.softmax = AdaptiveSoftmax(self.decoder.tokens, config.cutoffs)
        if self.softmax.groups is not None:
            initialise(self.softmax.groups)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.softmax(hidden)

    def segment(self, ids, memory=None, mask=None, return_attention=False):
        """As the decoder's, with log-probabilities in place of hidden states."""
        hidden, *rest = self.decoder.segment(ids, memory, mask, return_attention)
        return self.logits(hidden), *rest

    def start(self, memory: Prompt) -> tuple[Tensor, ...]:
        """What each layer remembers of the prompt but its last token."""
        ids, mask = memory.ids[:, :-1], None
        if memory.padding is not None:
            mask = torch.arange(ids.shape[1], device=ids.device) >= memory.padding[:, None]  # (B,S-1)
        return self.decoder.segment(ids, None, mask)[1]

    def step(self, ids: Tensor, state: tuple[Tensor, ...], memory: Prompt):
        hidden, state, _ = self.decoder.segment(ids[:, None], state)
        return self.logits(hidden)[:, 0], state, None


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("transformer.", "decoder.")
HF_MODELS = {"TransfoXLModel": TransformerXL, "TransfoXLLMHeadModel": TransformerXLForCausalLM}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "cutoffs": "cutoffs",
    "div_val": "divide",
    "d_model": "width",
    "d_embed": "width",
    "n_layer": "n_layers",
    "n_head": "n_heads",
    "d_head": "head_width",
    "d_inner": "ff_width",
    "mem_len": "memory",
    "clamp_len": "clamp",
    "same_length": "same_length",
    "dropout": "dropout",
    "pad_token_id": field("pad", required=False),
    "eos_token_id": field("end", required=False),
    "dropatt": fixed(0.0),
    "layer_norm_epsilon": fixed(1e-5),
    "pre_lnorm": fixed(False),
    "attn_type": fixed(0),
    "untie_r": fixed(True),
    "sample_softmax": fixed(-1),
    "tie_word_embeddings": fixed(True),
}
LAYER = "transformer.layers.{}."
HF_NAMES = {
    "transformer.word_emb.emb_layers.{}.weight": "decoder.tokens.tables.{}.weight",
    "transformer.word_emb.emb_projs.{}": "decoder.tokens.projections.{}",
    "transformer.pos_emb.inv_freq": "decoder.rates",
    LAYER + "dec_attn.qkv_net.weight": fused(
        "decoder.blocks.{}.attention.q.weight",
        "decoder.blocks.{}.attention.k.weight",
        "decoder.blocks.{}.attention.v.weight",
    ),
    LAYER + "dec_attn.r_net.weight": "decoder.blocks.{}.attention.r.weight",
    LAYER + "dec_attn.o_net.weight": "decoder.blocks.{}.attention.o.weight",
    LAYER + "dec_attn.r_w_bias": "decoder.blocks.{}.attention.content_bias",
    LAYER + "dec_attn.r_r_bias": "decoder.blocks.{}.attention.distance_bias",
    LAYER + "dec_attn.layer_norm.*": "decoder.blocks.{}.attention_norm.*",
    LAYER + "pos_ff.CoreNet.0.*": "decoder.blocks.{}.ff.up.*",
    LAYER + "pos_ff.CoreNet.3.*": "decoder.blocks.{}.ff.down.*",
    LAYER + "pos_ff.layer_norm.*": "decoder.blocks.{}.ff_norm.*",
    "crit.out_layers.{}.weight": tied("decoder.tokens.tables.{}.weight"),
    "crit.out_layers.{}.bias": "softmax.biases.{}",
    "crit.out_projs.0": "softmax.projection",
    "crit.out_projs.{}": tied("decoder.tokens.projections.{}"),
    "crit.cluster_weight": "softmax.groups.weight",
    "crit.cluster_bias": "softmax.groups.bias",
}
