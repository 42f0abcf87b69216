"""CTRL (Keskar et al., 2019): a large language model whose first token says what kind of text.

What differs from GPT: norms come before the sub-layers and at the end, positions are fixed
sinusoids, token vectors are multiplied by √D, and the output has a bias. The first token of a
text is a control code: "Wikipedia", "Horror", … Shape letters as in gpt.py.
"""

import math
from dataclasses import dataclass

from torch import nn

from .checkpoints import field, fixed, tied
from .gpt import CausalLM, Decoder
from .heads import initialise
from .layers import Block
from .positions import sinusoids


@dataclass(frozen=True)
class CTRLConfig:
    """Sizes of a CTRL; by default those of the one that was published."""

    vocabulary: int = 246534
    width: int = 1280
    n_layers: int = 48
    n_heads: int = 16
    ff_width: int = 8192
    max_length: int = 256
    dropout: float = 0.1
    pad: int | None = None
    end: int | None = None


PRESETS = {"base": CTRLConfig()}  # section 3.2 of the paper


class CTRL(Decoder):
    """The decoder."""

    def __init__(self, config: CTRLConfig = CTRLConfig()):
        super().__init__()
        self.config = c = config
        self.tokens = nn.Embedding(c.vocabulary, c.width)
        table = sinusoids(c.max_length, c.width, interleaved=False)
        self.register_buffer("positions", table, persistent=False)
        self.dropout = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(
            Block(
                c.width, c.n_heads, c.ff_width, activation="relu", norm="pre", eps=1e-6,
                dropout=c.dropout,
            )
            for _ in range(c.n_layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(c.width, eps=1e-6)
        initialise(self)

    def embed(self, ids, positions):
        x = self.tokens(ids) * math.sqrt(self.config.width) + self.positions[positions]
        return self.dropout(x)  # (B,T,D)


class CTRLForCausalLM(CausalLM):
    """Logits (B,T,V) of the token after each."""

    def __init__(self, config: CTRLConfig = CTRLConfig()):
        super().__init__(CTRL(config), bias=True)


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("transformer.", "decoder.")
HF_MODELS = {"CTRLModel": CTRL, "CTRLLMHeadModel": CTRLForCausalLM}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "n_embd": "width",
    "n_layer": "n_layers",
    "n_head": "n_heads",
    "dff": "ff_width",
    "n_positions": "max_length",
    "resid_pdrop": "dropout",
    "embd_pdrop": "dropout",
    "pad_token_id": field("pad", required=False),
    "eos_token_id": field("end", required=False),
    "layer_norm_epsilon": fixed(1e-6),
    "tie_word_embeddings": fixed(True),
}
HF_NAMES = {
    "transformer.w.weight": "decoder.tokens.weight",
    "transformer.h.{}.multi_head_attention.Wq.*": "decoder.blocks.{}.attention.q.*",
    "transformer.h.{}.multi_head_attention.Wk.*": "decoder.blocks.{}.attention.k.*",
    "transformer.h.{}.multi_head_attention.Wv.*": "decoder.blocks.{}.attention.v.*",
    "transformer.h.{}.multi_head_attention.dense.*": "decoder.blocks.{}.attention.o.*",
    "transformer.h.{}.layernorm1.*": "decoder.blocks.{}.attention_norm.*",
    "transformer.h.{}.ffn.0.*": "decoder.blocks.{}.ff.up.*",
    "transformer.h.{}.ffn.2.*": "decoder.blocks.{}.ff.down.*",
    "transformer.h.{}.layernorm2.*": "decoder.blocks.{}.ff_norm.*",
    "transformer.layernorm.*": "decoder.norm.*",
    "lm_head.weight": tied("decoder.tokens.weight"),
    "lm_head.bias": "bias",
}
