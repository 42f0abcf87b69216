"""GPT (Radford et al., 2018): a Transformer that reads from left to right and says what comes next.

``Decoder``, ``CausalLM`` and ``LastTokenClassifier`` serve its descendants too. How to go on with
a prompt: ``generation.py``. Shape letters: B batch, T tokens, S those and the cached ones before
them, H heads, D width, V vocabulary, L labels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention import KeyValueCache, check_mask
from .checkpoints import ACTIVATION_NAMES, conv1d, field, fixed, fused, tied
from .heads import Output, initialise, output_loss
from .layers import Block
from .packing import product


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a GPT; by default those of the one that was published."""

    vocabulary: int = 40478
    width: int = 768
    n_layers: int = 12
    n_heads: int = 12
    max_length: int = 512
    activation: str = "gelu_tanh"
    dropout: float = 0.1
    pad: int | None = None  # the id that fills texts up, if there is one
    end: int | None = None  # the id that ends a text, if there is one


PRESETS = {"base": GPTConfig()}  # section 4.1 of the paper


class Decoder(nn.Module):
    """Embeddings, then blocks in which each token sees itself and those before it.

    A model sets ``config``, ``tokens``, ``blocks``, ``norm`` and what ``embed`` needs itself.
    """

    def embed(self, ids: Tensor, positions: Tensor) -> Tensor:
        """ids (B,T), positions (T) or (B,T) -> (B,T,D)."""
        return self.dropout(self.tokens(ids) + self.positions(positions))

    def sight(self, layer: int, mask: Tensor | None, T: int, S: int) -> Tensor | None:
        """What this layer sees, beside what is causal: the mask (B,1,S), or less, (·,T,S)."""
        return mask

    def forward(self, ids, mask=None, return_attention=False, caches=None):
        """ids (B,T) -> hidden states (B,T,D); on request also attention, (B,H,T,S) a layer.

        ``mask`` (B,S), bool, is True at real tokens: only they are seen, and only they are counted
        as positions, so that a text means the same with padding on either side. By default all
        are real but the configuration's ``pad``. ``caches``, one a layer, hold S − T tokens that
        came before and take in these.
        """
        past = caches[0].length if caches else 0
        T, S, limit = ids.shape[1], past + ids.shape[1], self.config.max_length
        if S > limit:
            raise ValueError(f"{S} tokens, but the model has {limit} positions")
        mask = self.real(ids) if mask is None and not past else mask
        positions = torch.arange(past, S, device=ids.device)
        if mask is not None:
            check_mask(mask, len(ids), S)
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, past:]  # (B,T)
            mask = mask[:, None]  # (B,1,S)
        x, attention = self.embed(ids, positions), []
        for i, block in enumerate(self.blocks):
            x, weights, _ = block(
                x, mask=self.sight(i, mask, T, S), causal=True,
                cache=caches and (caches[i], None), return_weights=return_attention,
            )  # fmt: skip
            attention.append(weights)
        x = self.norm(x)
        return (x, tuple(attention)) if return_attention else x

    def real(self, ids: Tensor) -> Tensor | None:
        """The mask by default; None if all tokens are real."""
        return None if self.config.pad is None else ids != self.config.pad


class GPT(Decoder):
    """The decoder. Norms come after each sub-layer; there is none at the end."""

    def __init__(self, config: GPTConfig = GPTConfig()):
        super().__init__()
        self.config = c = config
        self.tokens = nn.Embedding(c.vocabulary, c.width)
        self.positions = nn.Embedding(c.max_length, c.width)
        self.dropout = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(
            Block(
                c.width, c.n_heads, 4 * c.width, activation=c.activation, norm="post", eps=1e-5,
                dropout=c.dropout, attention_dropout=c.dropout,
            )
            for _ in range(c.n_layers)
        )  # fmt: skip
        self.norm = nn.Identity()
        initialise(self)


# ---------------------------------------------------------------- heads


class Prompt(NamedTuple):
    """What a language model goes on with."""

    ids: Tensor  # (B,S), with each row's last id in place of padding
    padding: Tensor | None  # how many places of padding come before it, (B,); None: nowhere any


class CausalLM(nn.Module):
    """What comes next? Logits over the vocabulary, through the decoder's token table.

    Called like its decoder; and asked for ``encode``, ``first``, ``start`` and ``step`` by the
    functions of ``generation.py``.
    """

    def __init__(self, decoder: Decoder, bias: bool = False):
        super().__init__()
        self.config, self.decoder = decoder.config, decoder
        self.bias = nn.Parameter(torch.zeros(decoder.config.vocabulary)) if bias else None
        end, pad = self.config.end, self.config.pad
        self.stop = () if end is None else (end,)
        self.pad = next((i for i in (pad, end) if i is not None), 0)

    @property
    def output(self) -> Output:
        return Output(self.decoder.tokens.weight, self.bias)

    def logits(self, hidden: Tensor) -> Tensor:
        return product(hidden, self.output)

    def loss(self, ids: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """``token_loss`` of the logits and the labels (B,T), without making all logits at once."""
        return output_loss(self.decoder(ids, mask), self.output, labels)

    def forward(self, ids, mask=None, return_attention=False):
        """ids (B,T) -> logits (B,T,V) of the next token; on request (B,H,T,T) a layer as well."""
        if return_attention:
            hidden, attention = self.decoder(ids, mask, True)
            return self.logits(hidden), attention
        return self.logits(self.decoder(ids, mask))

    def encode(self, ids: Tensor, mask: Tensor | None = None) -> Prompt:
        """Prompts (B,S), the shorter ones padded on the left; ``mask`` (B,S) as for the decoder."""
        mask = self.decoder.real(ids) if mask is None else mask
        mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        check_mask(mask, *ids.shape)
        if ids.shape[1] == 0:
            raise ValueError("a prompt needs at least one token")
        if (wrong := (mask[:, :-1] & ~mask[:, 1:]).any(1) | ~mask[:, -1]).any():
            row = int(wrong.int().argmax())
            raise ValueError(f"prompts must be padded on the left alone; prompt {row} isn't")
        padding = (~mask).sum(1)
        return Prompt(ids.where(mask, ids[:, -1:]), padding if padding.any() else None)

    def first(self, memory: Prompt) -> Tensor:
        return memory.ids

    def start(self, memory: Prompt) -> list[KeyValueCache]:
        """Keys and values of the prompt but its last token."""
        caches = [KeyValueCache() for _ in self.decoder.blocks]
        if memory.ids.shape[1] > 1:
            self.read(memory.ids[:, :-1], caches, memory)
        return caches

    def step(self, ids: Tensor, state: list[KeyValueCache], memory: Prompt):
        """The tokens ids (B,) -> logits of the next (B,V), the state, no weights."""
        return self.logits(self.read(ids[:, None], state, memory)[:, 0]), state, None

    def read(self, ids: Tensor, caches: list[KeyValueCache], memory: Prompt) -> Tensor:
        """Hidden states (B,T,D) of the ids (B,T) that come after what is cached."""
        S = caches[0].length + ids.shape[1]
        mask = None
        if memory.padding is not None:
            mask = torch.arange(S, device=ids.device) >= memory.padding[:, None]  # (B,S)
        return self.decoder(ids, mask, caches=caches)


class LastTokenClassifier(nn.Module):
    """A label for the text, from its last real token, which has seen the others: logits (B,L)."""

    def __init__(self, decoder: Decoder, n_labels: int):
        super().__init__()
        self.config, self.decoder, self.n_labels = decoder.config, decoder, n_labels
        self.classifier = initialise(nn.Linear(decoder.config.width, n_labels, bias=False))

    def forward(self, ids, mask=None, return_attention=False):
        """As the decoder. -> logits (B,L) [, attention]."""
        mask = self.decoder.real(ids) if mask is None else mask
        last = torch.full_like(ids[:, 0], ids.shape[1] - 1)
        if mask is not None:
            check_mask(mask, *ids.shape)
            last = (torch.arange(ids.shape[1], device=ids.device) * mask).argmax(1)  # (B,)
        found = self.decoder(ids, mask, return_attention)
        hidden, *attention = found if return_attention else (found,)
        logits = self.classifier(hidden[torch.arange(len(ids), device=ids.device), last])
        return (logits, *attention) if return_attention else logits


class GPTForCausalLM(CausalLM):
    """Logits (B,T,V) of the token after each."""

    def __init__(self, config: GPTConfig = GPTConfig()):
        super().__init__(GPT(config))


class GPTForSequenceClassification(LastTokenClassifier):
    """Logits (B,L) of the labels of a text."""

    def __init__(self, config: GPTConfig = GPTConfig(), n_labels: int = 2):
        super().__init__(GPT(config), n_labels)


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("transformer.", "decoder.")
HF_MODELS = {
    "OpenAIGPTModel": GPT,
    "OpenAIGPTLMHeadModel": GPTForCausalLM,
    "OpenAIGPTForSequenceClassification": GPTForSequenceClassification,
}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "n_embd": "width",
    "n_layer": "n_layers",
    "n_head": "n_heads",
    "n_positions": "max_length",
    # their "gelu" is the tanh form, whatever it is elsewhere
    "afn": field("activation", names=ACTIVATION_NAMES | {"gelu": "gelu_tanh"}),
    "resid_pdrop": "dropout",
    "embd_pdrop": "dropout",
    "attn_pdrop": "dropout",
    "pad_token_id": field("pad", required=False),
    "eos_token_id": field("end", required=False),
    "layer_norm_epsilon": fixed(1e-5),
    "tie_word_embeddings": fixed(True),
}
HF_NAMES = {
    "transformer.tokens_embed.weight": "decoder.tokens.weight",
    "transformer.positions_embed.weight": "decoder.positions.weight",
    "transformer.position_ids": None,  # 0, 1, 2, …
    "transformer.h.{}.attn.c_attn.weight": conv1d(
        "decoder.blocks.{}.attention.q.weight",
        "decoder.blocks.{}.attention.k.weight",
        "decoder.blocks.{}.attention.v.weight",
    ),
    "transformer.h.{}.attn.c_attn.bias": fused(
        "decoder.blocks.{}.attention.q.bias",
        "decoder.blocks.{}.attention.k.bias",
        "decoder.blocks.{}.attention.v.bias",
    ),
    "transformer.h.{}.attn.c_proj.weight": conv1d("decoder.blocks.{}.attention.o.weight"),
    "transformer.h.{}.attn.c_proj.bias": "decoder.blocks.{}.attention.o.bias",
    "transformer.h.{}.attn.bias": None,  # the causal mask
    "transformer.h.{}.ln_1.*": "decoder.blocks.{}.attention_norm.*",
    "transformer.h.{}.mlp.c_fc.weight": conv1d("decoder.blocks.{}.ff.up.weight"),
    "transformer.h.{}.mlp.c_fc.bias": "decoder.blocks.{}.ff.up.bias",
    "transformer.h.{}.mlp.c_proj.weight": conv1d("decoder.blocks.{}.ff.down.weight"),
    "transformer.h.{}.mlp.c_proj.bias": "decoder.blocks.{}.ff.down.bias",
    "transformer.h.{}.ln_2.*": "decoder.blocks.{}.ff_norm.*",
    "lm_head.weight": tied("decoder.tokens.weight"),
    "score.weight": "classifier.weight",
}
