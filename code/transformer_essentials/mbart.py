"""mBART (Liu et al., 2020): one BART for many languages, each with a token of its own.

What differs from BART: norms before the sub-layers and one after each stack, token vectors × √D,
and tokens for the languages: a source ends with that of its language, and the decoder starts with
that of the language to write in (section 2.2). In mBART-50 (Tang et al., 2020) the token of the
language comes first in sources and in targets, and the decoder starts with the end mark again.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from . import bart
from .bart import BART, BARTConfig, BARTStack
from .checkpoints import field, fixed
from .encoder_decoder import IGNORE


@dataclass(frozen=True)
class MBARTConfig(BARTConfig):
    """Sizes of an mBART; by default those of the one that was published, which writes English.

    To write in another language give the model other ids to start from: ``model.given =
    (language,)``, or, for mBART-50, ``(eos, language)``.
    """

    vocabulary: int = 250027
    width: int = 1024
    n_layers: int = 12
    n_decoder_layers: int = 12
    n_heads: int = 16
    ff_width: int = 4096
    begin: int = 250004  # what the decoder reads first: the language that it writes


PRESETS = {
    "large-cc25": MBARTConfig(),  # section 2.2 of the paper
    "large-50": MBARTConfig(vocabulary=250054, begin=2, forced=250004),
}


class MBART(BART):
    """Logits (B,T,V) of the text to write."""

    def __init__(self, config: MBARTConfig = MBARTConfig()):
        super().__init__(config)

    @property
    def begin(self):
        return self.config.begin

    def stack(self, n_layers, cross):
        scale = math.sqrt(self.config.width)
        return BARTStack(self.config, n_layers, cross=cross, norm="pre", scale=scale)


def shift_tokens_right(labels: Tensor, config: MBARTConfig) -> Tensor:
    """What the decoder reads to write the labels (B,T), padded on the right: they themselves.

    The last that isn't padding, the token of the language or, in mBART-50, the end mark, is put
    before the first.
    """
    ids = labels.masked_fill(labels == IGNORE, config.pad)
    last = (ids != config.pad).sum(1, keepdim=True) - 1  # (B,1)
    shifted = ids.roll(1, 1)
    shifted[:, :1] = ids.gather(1, last)
    return shifted


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = bart.HF_PREFIX
HF_MODELS = {"MBartForConditionalGeneration": MBART}
HF_CONFIG = bart.HF_CONFIG | {
    "decoder_start_token_id": field("begin", required=False),
    "scale_embedding": fixed(True),
}
HF_NAMES = bart.HF_NAMES | {
    "model.encoder.layer_norm.*": "encoder.norm.*",
    "model.decoder.layer_norm.*": "decoder.norm.*",
}
