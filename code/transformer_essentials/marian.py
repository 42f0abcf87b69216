"""Marian (Junczys-Dowmunt et al., 2018): translators, one for a pair of languages.

As the OPUS-MT project published them (Tiedemann & Thottingal, 2020). What differs from BART: fixed
positions, all sines before all cosines; token vectors × √D and no norm after them; an output bias
that was learned; and a decoder that starts with padding, which is never written.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import bart
from .bart import BART, BARTConfig, blocks, places
from .checkpoints import field, fixed
from .encoder_decoder import Stack, shift_right
from .positions import sinusoids


@dataclass(frozen=True)
class MarianConfig(BARTConfig):
    """Sizes of a Marian; by default those of OPUS-MT from English into German."""

    vocabulary: int = 58101
    width: int = 512
    n_heads: int = 8
    ff_width: int = 2048
    max_length: int = 512
    activation: str = "swish"
    pad: int = 58100  # what the decoder reads first, too
    eos: int = 0


PRESETS = {"opus-mt-en-de": MarianConfig()}


class MarianStack(Stack):
    """Tokens × √D plus sinusoids, blocks."""

    def __init__(self, config, n_layers, *, cross):
        c = config
        super().__init__(blocks(c, n_layers, cross=cross), nn.Identity(), c.dropout)
        self.scale = math.sqrt(c.width)
        table = sinusoids(c.max_length, c.width, interleaved=False)
        self.register_buffer("positions", table, persistent=False)

    def embed(self, x, start):
        return self.dropout(x * self.scale + places(self.positions, start, x.shape[1])), None


class Marian(BART):
    """Logits (B,T,V) of the translation."""

    def __init__(self, config: MarianConfig = MarianConfig()):
        super().__init__(config)

    @property
    def begin(self):
        return self.config.pad

    def stack(self, n_layers, cross):
        return MarianStack(self.config, n_layers, cross=cross)

    def step(self, ids, state, memory, return_attention=False):
        """As BART's; but padding gets −∞, for the published models have no logit for it."""
        logits, state, weights = super().step(ids, state, memory, return_attention)
        logits[:, self.pad] = -torch.inf
        return logits, state, weights


def shift_tokens_right(labels: Tensor, config: MarianConfig) -> Tensor:
    """What the decoder reads to write the labels (B,T): they themselves, after padding."""
    return shift_right(labels, config.pad, config.pad)


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = bart.HF_PREFIX
HF_MODELS = {"MarianMTModel": Marian}
HF_CONFIG = bart.HF_CONFIG | {
    "decoder_vocab_size": field("vocabulary", required=False),
    "decoder_start_token_id": field("pad", required=False),
    "scale_embedding": fixed(True),
    "share_encoder_decoder_embeddings": fixed(True),
}
HF_NAMES = bart.HF_NAMES | {
    "model.encoder.embed_positions.weight": None,  # the sinusoids
    "model.decoder.embed_positions.weight": None,
}
