"""GPT-2 (Radford et al., 2019) and GPT-3 (Brown et al., 2020): GPT made larger.

What differs from GPT: norms come before the sub-layers and at the end, and the layers that write
to the residual stream start smaller. GPT-3 is the same, but that every other layer sees only the
tokens near by. Shape letters as in gpt.py.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checkpoints import ACTIVATION_NAMES, field, fixed
from .gpt import HF_NAMES as GPT_HF_NAMES
from .gpt import CausalLM, Decoder, LastTokenClassifier
from .heads import initialise
from .layers import Block


@dataclass(frozen=True)
class GPT2Config:
    """Sizes of a GPT-2; by default those of the smallest that was published."""

    vocabulary: int = 50257
    width: int = 768
    n_layers: int = 12
    n_heads: int = 12
    max_length: int = 1024
    activation: str = "gelu_tanh"
    dropout: float = 0.1
    pad: int | None = None
    end: int | None = 50256  # which also comes before a text


PRESETS = {  # table 2 of the paper
    "small": GPT2Config(),
    "medium": GPT2Config(width=1024, n_layers=24, n_heads=16),
    "large": GPT2Config(width=1280, n_layers=36, n_heads=20),
    "xl": GPT2Config(width=1600, n_layers=48, n_heads=25),
}


class GPT2(Decoder):
    """The decoder."""

    def __init__(self, config: GPT2Config = GPT2Config(), *, head_width: int | None = None):
        super().__init__()
        self.config = c = config
        self.tokens = nn.Embedding(c.vocabulary, c.width)
        self.positions = nn.Embedding(c.max_length, c.width)
        self.dropout = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(
            Block(
                c.width, c.n_heads, 4 * c.width, activation=c.activation, norm="pre", eps=1e-5,
                head_width=head_width, dropout=c.dropout, attention_dropout=c.dropout,
            )
            for _ in range(c.n_layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(c.width, eps=1e-5)
        initialise(self)
        with torch.no_grad():  # 1/√N for N residual layers (section 2.3)
            for block in self.blocks:
                block.attention.o.weight.mul_((2 * c.n_layers) ** -0.5)
                block.ff.down.weight.mul_((2 * c.n_layers) ** -0.5)


class GPT2ForCausalLM(CausalLM):
    """Logits (B,T,V) of the token after each."""

    def __init__(self, config: GPT2Config = GPT2Config()):
        super().__init__(GPT2(config))


class GPT2ForSequenceClassification(LastTokenClassifier):
    """Logits (B,L) of the labels of a text."""

    def __init__(self, config: GPT2Config = GPT2Config(), n_labels: int = 2):
        super().__init__(GPT2(config), n_labels)


# ---------------------------------------------------------------- GPT-3


@dataclass(frozen=True)
class GPT3Config(GPT2Config):
    """Sizes of a GPT-3; by default those of the smallest in the paper.

    ``window``: how many tokens, itself among them, each sees in every other layer. The paper
    doesn't say how many they were.
    """

    max_length: int = 2048
    head_width: int = 64
    window: int = 256


GPT3_PRESETS = {  # table 2.1 of the paper
    "small": GPT3Config(),
    "medium": GPT3Config(width=1024, n_layers=24, n_heads=16),
    "large": GPT3Config(width=1536, n_layers=24, n_heads=16, head_width=96),
    # the table has 24 heads of 128, which would make 1.5 billion parameters of its 1.3
    "xl": GPT3Config(width=2048, n_layers=24, n_heads=16, head_width=128),
    "2.7b": GPT3Config(width=2560, n_layers=32, n_heads=32, head_width=80),
    "6.7b": GPT3Config(width=4096, n_layers=32, n_heads=32, head_width=128),
    # 40 heads of 128 are 5120 wide together: the model and its heads differ
    "13b": GPT3Config(width=5140, n_layers=40, n_heads=40, head_width=128),
    "175b": GPT3Config(width=12288, n_layers=96, n_heads=96, head_width=128),
}


class GPT3(GPT2):
    """Layers take turns: one sees all tokens before, the next only those near by (section 2.1).

    "Locally banded" attention as in Child et al. (2019). Which of the two comes first is not
    said. No weights were published, and Hugging Face has no class for it.
    """

    def __init__(self, config: GPT3Config = GPT3Config()):
        super().__init__(config, head_width=config.head_width)

    def sight(self, layer, mask, T, S):
        if layer % 2 == 0:
            return mask
        near = torch.ones(1, T, S, dtype=torch.bool, device=self.tokens.weight.device)
        near = near.triu(S - T - self.config.window + 1)  # (1,T,S)
        return near if mask is None else mask & near


class GPT3ForCausalLM(CausalLM):
    """Logits (B,T,V) of the token after each."""

    def __init__(self, config: GPT3Config = GPT3Config()):
        super().__init__(GPT3(config))


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("transformer.", "decoder.")
HF_MODELS = {
    "GPT2Model": GPT2,
    "GPT2LMHeadModel": GPT2ForCausalLM,
    "GPT2ForSequenceClassification": GPT2ForSequenceClassification,
}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "n_embd": "width",
    "n_layer": "n_layers",
    "n_head": "n_heads",
    "n_positions": "max_length",
    "activation_function": field("activation", names=ACTIVATION_NAMES),
    "resid_pdrop": "dropout",
    "embd_pdrop": "dropout",
    "attn_pdrop": "dropout",
    "pad_token_id": field("pad", required=False),
    "eos_token_id": field("end", required=False),
    "layer_norm_epsilon": fixed(1e-5),
    "n_inner": fixed(None),
    "add_cross_attention": fixed(False),
    "scale_attn_weights": fixed(True),
    "scale_attn_by_inverse_layer_idx": fixed(False),
    "reorder_and_upcast_attn": fixed(False),
    "tie_word_embeddings": fixed(True),
}
HF_NAMES = {
    name.replace("tokens_embed", "wte").replace("positions_embed", "wpe"): ours
    for name, ours in GPT_HF_NAMES.items()
} | {
    "transformer.h.{}.attn.masked_bias": None,  # what hidden scores are set to
    "transformer.ln_f.*": "decoder.norm.*",
}
