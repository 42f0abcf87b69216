"""BART (Lewis et al., 2020): an encoder that reads a spoilt text, a decoder that writes it anew.

What differs from the Transformer of 2017: GELU and weights from N(0, 0.02) (section 2.1) and, in
the published code, learned positions, a norm after the embeddings, and token vectors without the
factor √D. One token table serves source, target and output, as it did then. Shape letters as in
encoder_decoder.py, and L labels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checkpoints import ACTIVATION_NAMES, field, fixed, optional, tied
from .encoder_decoder import EncoderDecoder, Stack, shift_right
from .heads import Output, Pooler, initialise
from .layers import Block

OFFSET = 2  # rows of the position tables that no position uses, as in the published checkpoints


@dataclass(frozen=True)
class BARTConfig:
    """Sizes of a BART; by default the base model's."""

    vocabulary: int = 50265
    width: int = 768
    n_layers: int = 6  # of the encoder
    n_decoder_layers: int = 6
    n_heads: int = 12
    ff_width: int = 3072
    max_length: int = 1024
    activation: str = "gelu"
    dropout: float = 0.1
    pad: int = 1
    eos: int = 2  # ends a text, and is what the decoder reads first
    forced: int | None = None  # the id that every text has to begin with, if there is such a one


PRESETS = {  # layers and widths: sections 2.1, 4 and 5.1 of the paper; the rest as published
    "base": BARTConfig(),
    "large": BARTConfig(width=1024, n_layers=12, n_decoder_layers=12, n_heads=16, ff_width=4096),
}


def blocks(config, n: int, *, cross: bool, norm: str = "post") -> list[Block]:
    c = config
    return [
        Block(
            c.width, c.n_heads, c.ff_width, activation=c.activation, norm=norm, cross=cross,
            dropout=c.dropout,
        )
        for _ in range(n)
    ]  # fmt: skip


class BARTStack(Stack):
    """Tokens plus learned positions, a norm, blocks; where these begin with norms, one at the end.

    ``scale`` multiplies the token vectors.
    """

    def __init__(self, config, n_layers, *, cross, norm="post", scale=1.0):
        c, last = config, nn.LayerNorm if norm == "pre" else nn.Identity
        super().__init__(blocks(c, n_layers, cross=cross, norm=norm), last(c.width), c.dropout)
        self.scale = scale
        self.positions = nn.Embedding(c.max_length + OFFSET, c.width)
        self.embedding_norm = nn.LayerNorm(c.width)

    def embed(self, x, start):
        x = x * self.scale + places(self.positions.weight[OFFSET:], start, x.shape[1])
        return self.dropout(self.embedding_norm(x)), None


def places(table: Tensor, start: int, T: int) -> Tensor:
    """Rows of the table for the positions from ``start`` on, (T,D)."""
    if start + T > len(table):
        raise ValueError(f"{start + T} tokens, but the model has {len(table)} positions")
    return table[start : start + T]


class BART(EncoderDecoder):
    """Logits (B,T,V) of the text to write; base of mBART and Marian."""

    def __init__(self, config: BARTConfig = BARTConfig()):
        super().__init__(config)
        self.register_buffer("final_logits_bias", torch.zeros(1, config.vocabulary))
        self.given = (self.begin,) if config.forced is None else (self.begin, config.forced)
        initialise(self)

    @property
    def begin(self) -> int:
        """What the decoder reads first."""
        return self.config.eos

    def stack(self, n_layers: int, cross: bool) -> Stack:
        return BARTStack(self.config, n_layers, cross=cross)

    @property
    def output(self) -> Output:
        return Output(self.tokens.weight, self.final_logits_bias[0])


def shift_tokens_right(labels: Tensor, config: BARTConfig) -> Tensor:
    """What the decoder reads to write the labels (B,T): they themselves, after the end mark."""
    return shift_right(labels, config.eos, config.pad)


class Reader(EncoderDecoder):
    """The same text goes into both stacks; the decoder's states are its tokens' (section 3)."""

    stack = BART.stack

    def __init__(self, config: BARTConfig):
        super().__init__(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids, mask=None, return_attention=False):
        """ids and mask (B,T) -> answer [, Attention]."""
        x, attention = self.hidden(
            ids, shift_tokens_right(ids, self.config), mask, return_attention=return_attention
        )
        answer = self.answer(x, ids)
        return (answer, attention) if return_attention else answer


class BARTForSequenceClassification(Reader):
    """Logits (B,L) of the labels of a text, from the decoder's state at the last end mark.

    It comes last, so that it has seen the whole text (section 3.1).
    """

    def __init__(self, config: BARTConfig = BARTConfig(), n_labels: int = 2):
        super().__init__(config)
        self.n_labels = n_labels
        self.pooler = Pooler(config.width, torch.tanh, config.dropout)
        self.output = nn.Linear(config.width, n_labels)
        initialise(self)

    def answer(self, hidden: Tensor, ids: Tensor) -> Tensor:
        ends = ids == self.config.eos
        if not ends.any(1).all():
            raise ValueError(f"each text needs an end mark, the id {self.config.eos}")
        last = ids.shape[1] - 1 - ends.flip(1).int().argmax(1)  # (B,)
        x = hidden[torch.arange(len(ids)), last]  # (B,D)
        return self.output(self.dropout(self.pooler(x[:, None])))


class BARTForQuestionAnswering(Reader):
    """Logits of where the answer starts, (B,T), and ends, (B,T) (section 3.2)."""

    def __init__(self, config: BARTConfig = BARTConfig()):
        super().__init__(config)
        self.span = nn.Linear(config.width, 2)
        initialise(self)

    def answer(self, hidden: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.span(hidden).unbind(-1)


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("model.", "")
HF_MODELS = {
    "BartModel": BART,  # of the published base and large models: the same without the bias
    "BartForConditionalGeneration": BART,
    "BartForSequenceClassification": BARTForSequenceClassification,
    "BartForQuestionAnswering": BARTForQuestionAnswering,
}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "d_model": "width",
    "encoder_layers": "n_layers",
    "decoder_layers": "n_decoder_layers",
    "encoder_attention_heads": "n_heads",
    "decoder_attention_heads": "n_heads",
    "encoder_ffn_dim": "ff_width",
    "decoder_ffn_dim": "ff_width",
    "max_position_embeddings": "max_length",
    "activation_function": field("activation", names=ACTIVATION_NAMES),
    "dropout": "dropout",
    "pad_token_id": "pad",
    "eos_token_id": "eos",
    "decoder_start_token_id": field("eos", required=False),
    "forced_bos_token_id": field("forced", required=False),
    "scale_embedding": fixed(False),
    "tie_word_embeddings": fixed(True),
}


def attention_names(theirs: str, ours: str) -> dict:
    """Projections of an attention, and the norm that belongs to it."""
    parts = {"q_proj": "q", "k_proj": "k", "v_proj": "v", "out_proj": "o"}
    names = {f"{theirs}.{t}.*": f"{ours}.{o}.*" for t, o in parts.items()}
    return names | {f"{theirs}_layer_norm.*": f"{ours}_norm.*"}


def stack_names(side: str) -> dict:
    layer, block = f"model.{side}.layers.{{}}.", f"{side}.blocks.{{}}."
    names = {
        f"model.{side}.embed_tokens.weight": tied("tokens.weight"),
        f"model.{side}.embed_positions.weight": f"{side}.positions.weight",
        f"model.{side}.layernorm_embedding.*": f"{side}.embedding_norm.*",
        **attention_names(layer + "self_attn", block + "attention"),
        layer + "fc1.*": block + "ff.up.*",
        layer + "fc2.*": block + "ff.down.*",
        layer + "final_layer_norm.*": block + "ff_norm.*",
    }
    if side == "decoder":
        names |= attention_names(layer + "encoder_attn", block + "cross")
    return names


HF_NAMES = {
    "model.shared.weight": "tokens.weight",
    **stack_names("encoder"),
    **stack_names("decoder"),
    "lm_head.weight": tied("tokens.weight"),
    "final_logits_bias": optional("final_logits_bias"),  # zeros, where it is missing
    "classification_head.dense.*": "pooler.dense.*",
    "classification_head.out_proj.*": "output.*",
    "qa_outputs.*": "span.*",
}
