"""T5 (Raffel et al., 2020): every task of language as text to text.

What differs from the Transformer of 2017: norms before the sub-layers, without centring and
without biases; no positions but a number for each head and each distance, which is added to
scores, the same in all layers of a stack (section 2.1). And in the published code: no biases
anywhere; scores that aren't divided by √K, which the initialisation makes up for. Version 1.1 has
gated GELU layers and an output matrix of its own. Shape letters as in encoder_decoder.py; K width
of a head, F hidden.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from .checkpoints import field, fixed, tied
from .encoder_decoder import EncoderDecoder, Stack, shift_right
from .layers import Block, RMSNorm
from .positions import relative_buckets

N_BUCKETS, MAX_DISTANCE = 32, 128  # of distances, in each stack


@dataclass(frozen=True)
class T5Config:
    """Sizes of a T5; by default the base model's."""

    vocabulary: int = 32128
    width: int = 768
    head_width: int = 64
    n_layers: int = 12  # of the encoder
    n_decoder_layers: int | None = None  # by default as many
    n_heads: int = 12
    ff_width: int = 3072
    gated: bool = False  # hidden layers: a GELU times a gate in place of ReLU
    tied: bool = True  # output matrix: the token table, scaled
    dropout: float = 0.1
    pad: int = 0  # what the decoder reads first, too
    eos: int = 1


PRESETS = {  # section 3.7 of the paper; version 1.1 as published
    "base": T5Config(),
    "small": T5Config(width=512, n_layers=6, n_heads=8, ff_width=2048),
    "large": T5Config(width=1024, n_layers=24, n_heads=16, ff_width=4096),
    "3b": T5Config(width=1024, n_layers=24, n_heads=32, head_width=128, ff_width=16384),
    "11b": T5Config(width=1024, n_layers=24, n_heads=128, head_width=128, ff_width=65536),
}
PRESETS |= {
    f"v1.1-{name}": T5Config(
        width=width, n_layers=n, n_heads=n_heads, ff_width=ff_width, gated=True, tied=False
    )
    for name, width, n, n_heads, ff_width in (
        ("small", 512, 8, 6, 1024),
        ("base", 768, 12, 12, 2048),
        ("large", 1024, 24, 16, 2816),
        ("xl", 2048, 24, 32, 5120),
        ("xxl", 4096, 24, 64, 10240),
    )
}


class T5Stack(Stack):
    """Tokens as they are, blocks, a norm. ``distances`` has a row for each bucket of distances."""

    def __init__(self, config, n_layers, *, cross):
        c = config
        blocks = [
            Block(
                c.width, c.n_heads, c.ff_width, head_width=c.head_width, cross=cross,
                activation="gelu_tanh" if c.gated else "relu", gated=c.gated,
                norm="pre", norm_layer=RMSNorm, eps=1e-6, scale=1.0, bias=False,
                dropout=c.dropout, attention_dropout=c.dropout, ff_dropout=c.dropout,
            )
            for _ in range(n_layers)
        ]  # fmt: skip
        norm = nn.Sequential(RMSNorm(c.width, eps=1e-6), nn.Dropout(c.dropout))
        super().__init__(blocks, norm, c.dropout)
        self.distances = nn.Embedding(N_BUCKETS, c.n_heads)
        self.both_ways = not cross  # an encoder also looks ahead
        self.register_buffer("last", self.buckets(1, 1024), persistent=False)  # for writing

    def buckets(self, T: int, S: int) -> Tensor:
        return relative_buckets(
            T, S, both_ways=self.both_ways, n_buckets=N_BUCKETS, max_distance=MAX_DISTANCE
        )

    def embed(self, x, start):
        T, S = x.shape[1], start + x.shape[1]
        known = T == 1 and S <= self.last.shape[1]  # the last row, whatever comes before it
        buckets = self.last[:, -S:] if known else self.buckets(T, S).to(x.device)
        bias = self.distances(buckets)  # (T,S,H)
        return self.dropout(x), bias.permute(2, 0, 1)[None]  # (1,H,T,S)


class T5(EncoderDecoder):
    """Logits (B,T,V) of the text to write."""

    def __init__(self, config: T5Config = T5Config()):
        super().__init__(config)
        c = config
        self.tokens.padding_idx = None  # padding is learned, for the decoder starts with it
        self.output = nn.Linear(c.width, c.vocabulary, bias=False)
        if c.tied:
            self.output.weight = self.tokens.weight
        self.given = (c.pad,)
        self.initialise()

    def initialise(self):
        """Weights as in the published code (Mesh TensorFlow): queries also make up for √K."""
        c = self.config
        stds = {
            "tokens": 1.0, "output": 1.0, "distances": c.width**-0.5,
            "q": (c.width * c.head_width) ** -0.5, "k": c.width**-0.5, "v": c.width**-0.5,
            "o": (c.n_heads * c.head_width) ** -0.5,
            "up": c.width**-0.5, "gate": c.width**-0.5, "down": c.ff_width**-0.5,
        }  # fmt: skip
        for name, part in self.named_modules():
            if (last := name.rpartition(".")[2]) in stds:
                nn.init.normal_(part.weight, std=stds[last])

    def stack(self, n_layers, cross):
        n_layers = self.config.n_layers if n_layers is None else n_layers
        return T5Stack(self.config, n_layers, cross=cross)

    def scaled(self, hidden: Tensor) -> Tensor:
        return hidden * self.config.width**-0.5 if self.config.tied else hidden


def shift_tokens_right(labels: Tensor, config: T5Config) -> Tensor:
    """What the decoder reads to write the labels (B,T): they themselves, after padding."""
    return shift_right(labels, config.pad, config.pad)


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("", "")
HF_MODELS = {"T5ForConditionalGeneration": T5}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "d_model": "width",
    "d_kv": "head_width",
    "num_layers": "n_layers",
    "num_decoder_layers": field("n_decoder_layers", required=False),
    "num_heads": "n_heads",
    "d_ff": "ff_width",
    "feed_forward_proj": field("gated", names={"relu": False, "gated-gelu": True}),
    "tie_word_embeddings": field("tied", required=False),
    "dropout_rate": "dropout",
    "pad_token_id": "pad",
    "eos_token_id": "eos",
    "decoder_start_token_id": field("pad", required=False),
    "relative_attention_num_buckets": fixed(N_BUCKETS),
    "relative_attention_max_distance": fixed(MAX_DISTANCE),
    "layer_norm_epsilon": fixed(1e-6),
}


def stack_names(side: str, gated: bool) -> dict:
    block, ours = f"{side}.block.{{}}.layer.", f"{side}.blocks.{{}}."
    parts = [("SelfAttention", "attention"), ("EncDecAttention", "cross")]
    parts = parts[:1] if side == "encoder" else parts
    names = {
        f"{side}.embed_tokens.weight": tied("tokens.weight"),
        f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.*": f"{side}.distances.*",
        f"{side}.final_layer_norm.*": f"{side}.norm.0.*",
    }
    for i, (theirs, our) in enumerate(parts):
        names |= {f"{block}{i}.{theirs}.{p}.*": f"{ours}{our}.{p}.*" for p in "qkvo"}
        names[f"{block}{i}.layer_norm.*"] = f"{ours}{our}_norm.*"
    last = f"{block}{len(parts)}."
    hidden = {"wi_0": "gate", "wi_1": "up"} if gated else {"wi": "up"}
    for theirs, our in (hidden | {"wo": "down"}).items():
        names[f"{last}DenseReluDense.{theirs}.*"] = f"{ours}ff.{our}.*"
    return names | {f"{last}layer_norm.*": f"{ours}ff_norm.*"}


def HF_NAMES(config: T5Config) -> dict:
    """The two versions call their hidden layers differently."""
    return {
        "shared.weight": "tokens.weight",
        **stack_names("encoder", config.gated),
        **stack_names("decoder", config.gated),
        # in the first checkpoints, and never used:
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.*": None,
        "lm_head.weight": tied("tokens.weight") if config.tied else "output.weight",
    }
