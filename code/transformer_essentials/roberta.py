"""RoBERTa (Liu et al., 2019): BERT trained longer, on more text, without next sentences.

What differs from BERT: a larger vocabulary of byte pairs, masks drawn anew each time a text is
seen, one segment in place of two, and positions counted over real tokens, from pad + 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .bert import ENCODER_NAMES, Embeddings, Encoder, blocks, within
from .bert import HF_CONFIG as BERT_HF_CONFIG
from .checkpoints import fixed, tied
from .heads import DenseClassifier, MaskedLM, SpanReader, TokenClassifier, initialise

EPS = 1e-5  # of every norm


@dataclass(frozen=True)
class RoBERTaConfig:
    """Sizes of a RoBERTa; by default the base model's."""

    vocabulary: int = 50265
    width: int = 768
    n_layers: int = 12
    n_heads: int = 12
    ff_width: int = 3072
    n_positions: int = 514  # rows of the table; a text may have n_positions - pad - 1 tokens
    activation: str = "gelu"
    dropout: float = 0.1
    pad: int = 1


PRESETS = {  # table 9 of the paper
    "base": RoBERTaConfig(),
    "large": RoBERTaConfig(width=1024, n_layers=24, n_heads=16, ff_width=4096),
}


def position_ids(ids: Tensor, pad: int) -> Tensor:
    """pad + 1, pad + 2, … at the real tokens, pad at the padding: (B,T) -> (B,T)."""
    real = (ids != pad).long()
    return real.cumsum(1) * real + pad


class RoBERTa(Encoder):
    """The encoder; it has no pooler, as nothing in its training would teach it."""

    def __init__(self, config: RoBERTaConfig = RoBERTaConfig()):
        super().__init__()
        self.config = c = config
        self.embeddings = Embeddings(
            c.vocabulary, c.width, c.n_positions, 1, pad=c.pad, eps=EPS, dropout=c.dropout
        )
        self.embeddings.positions.padding_idx = c.pad  # padding's row learns nothing
        self.blocks = blocks(c, c.n_layers, eps=EPS)
        initialise(self)

    def embed(self, ids, segments):
        c = self.config
        if ids.shape[1] > c.n_positions - c.pad - 1:
            room = c.n_positions - c.pad - 1
            raise ValueError(f"{ids.shape[1]} tokens, but the model has room for {room}")
        return self.embeddings(ids, segments, position_ids(ids, c.pad))


class RoBERTaForMaskedLM(MaskedLM):
    """Logits (B,T,V) of the word at each token."""

    def __init__(self, config: RoBERTaConfig = RoBERTaConfig()):
        super().__init__(RoBERTa(config), "gelu", EPS)


class RoBERTaForSequenceClassification(DenseClassifier):
    """Logits (B,L) of the labels of a text."""

    def __init__(self, config: RoBERTaConfig = RoBERTaConfig(), n_labels: int = 2):
        super().__init__(RoBERTa(config), n_labels, torch.tanh)


class RoBERTaForTokenClassification(TokenClassifier):
    """Logits (B,T,L) of the labels of each token."""

    def __init__(self, config: RoBERTaConfig = RoBERTaConfig(), n_labels: int = 2):
        super().__init__(RoBERTa(config), n_labels)


class RoBERTaForQuestionAnswering(SpanReader):
    """Logits of where the answer starts, (B,T), and ends, (B,T)."""

    def __init__(self, config: RoBERTaConfig = RoBERTaConfig()):
        super().__init__(RoBERTa(config))


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("roberta.", "encoder.")
HF_MODELS = {
    "RobertaModel": RoBERTa,
    "RobertaForMaskedLM": RoBERTaForMaskedLM,
    "RobertaForSequenceClassification": RoBERTaForSequenceClassification,
    "RobertaForTokenClassification": RoBERTaForTokenClassification,
    "RobertaForQuestionAnswering": RoBERTaForQuestionAnswering,
}
HF_CONFIG = BERT_HF_CONFIG | {
    "max_position_embeddings": "n_positions",
    "pad_token_id": "pad",
    "type_vocab_size": fixed(1),
    "layer_norm_eps": fixed(EPS),
}
HF_NAMES = within(HF_PREFIX, ENCODER_NAMES) | {
    "roberta.pooler.dense.*": None,  # Hugging Face's class has one, untrained
    "lm_head.dense.*": "head.dense.*",
    "lm_head.layer_norm.*": "head.norm.*",
    "lm_head.bias": "head.output.bias",
    "lm_head.decoder.bias": tied("head.output.bias"),
    "lm_head.decoder.weight": tied("encoder.embeddings.tokens.weight"),
    "classifier.dense.*": "pooler.dense.*",
    "classifier.out_proj.*": "output.*",
    "classifier.*": "classifier.*",  # of the token classifier
    "qa_outputs.*": "span.*",
}
