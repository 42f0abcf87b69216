"""DistilBERT (Sanh et al., 2019): half of BERT's layers, taught by BERT itself.

What differs from BERT: six layers, no segments, no pooler. How the teacher teaches is in
``objectives.py``. Shape letters as in bert.py.
"""

from dataclasses import dataclass

import torch

from .bert import Embeddings, Encoder, blocks
from .checkpoints import ACTIVATION_NAMES, field, tied
from .heads import MaskedLM, Pooler, SequenceClassifier, SpanReader, TokenClassifier, initialise


@dataclass(frozen=True)
class DistilBERTConfig:
    """Sizes of a DistilBERT; by default those of the published one for lower-case English."""

    vocabulary: int = 30522
    width: int = 768
    n_layers: int = 6
    n_heads: int = 12
    ff_width: int = 3072
    max_length: int = 512
    activation: str = "gelu"
    dropout: float = 0.1
    pad: int = 0


PRESETS = {
    "base": DistilBERTConfig(),
    "base-cased": DistilBERTConfig(vocabulary=28996),
    "base-multilingual-cased": DistilBERTConfig(vocabulary=119547),
}


class DistilBERT(Encoder):
    """The encoder."""

    def __init__(self, config: DistilBERTConfig = DistilBERTConfig()):
        super().__init__()
        self.config = c = config
        self.embeddings = Embeddings(
            c.vocabulary, c.width, c.max_length, 0, pad=c.pad, eps=1e-12, dropout=c.dropout
        )
        self.blocks = blocks(c, c.n_layers, eps=1e-12)
        initialise(self)


class DistilBERTForMaskedLM(MaskedLM):
    """Logits (B,T,V) of the word at each token."""

    def __init__(self, config: DistilBERTConfig = DistilBERTConfig()):
        super().__init__(DistilBERT(config), config.activation)


class DistilBERTForSequenceClassification(SequenceClassifier):
    """Logits (B,L) of the labels of a text, through a dense layer and ReLU."""

    def __init__(self, config: DistilBERTConfig = DistilBERTConfig(), n_labels: int = 2):
        super().__init__(DistilBERT(config), n_labels, Pooler(config.width, torch.relu))


class DistilBERTForTokenClassification(TokenClassifier):
    """Logits (B,T,L) of the labels of each token."""

    def __init__(self, config: DistilBERTConfig = DistilBERTConfig(), n_labels: int = 2):
        super().__init__(DistilBERT(config), n_labels)


class DistilBERTForQuestionAnswering(SpanReader):
    """Logits of where the answer starts, (B,T), and ends, (B,T)."""

    def __init__(self, config: DistilBERTConfig = DistilBERTConfig()):
        super().__init__(DistilBERT(config))


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("distilbert.", "encoder.")
HF_MODELS = {
    "DistilBertModel": DistilBERT,
    "DistilBertForMaskedLM": DistilBERTForMaskedLM,
    "DistilBertForSequenceClassification": DistilBERTForSequenceClassification,
    "DistilBertForTokenClassification": DistilBERTForTokenClassification,
    "DistilBertForQuestionAnswering": DistilBERTForQuestionAnswering,
}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "dim": "width",
    "n_layers": "n_layers",
    "n_heads": "n_heads",
    "hidden_dim": "ff_width",
    "max_position_embeddings": "max_length",
    "activation": field("activation", names=ACTIVATION_NAMES),
    "dropout": "dropout",
    "attention_dropout": "dropout",
    "pad_token_id": field("pad", required=False),
}
HF_NAMES = {
    "distilbert.embeddings.word_embeddings.weight": "encoder.embeddings.tokens.weight",
    "distilbert.embeddings.position_embeddings.weight": "encoder.embeddings.positions.weight",
    "distilbert.embeddings.LayerNorm.*": "encoder.embeddings.norm.*",
    "distilbert.embeddings.position_ids": None,  # 0, 1, 2, …
    "distilbert.transformer.layer.{}.attention.q_lin.*": "encoder.blocks.{}.attention.q.*",
    "distilbert.transformer.layer.{}.attention.k_lin.*": "encoder.blocks.{}.attention.k.*",
    "distilbert.transformer.layer.{}.attention.v_lin.*": "encoder.blocks.{}.attention.v.*",
    "distilbert.transformer.layer.{}.attention.out_lin.*": "encoder.blocks.{}.attention.o.*",
    "distilbert.transformer.layer.{}.sa_layer_norm.*": "encoder.blocks.{}.attention_norm.*",
    "distilbert.transformer.layer.{}.ffn.lin1.*": "encoder.blocks.{}.ff.up.*",
    "distilbert.transformer.layer.{}.ffn.lin2.*": "encoder.blocks.{}.ff.down.*",
    "distilbert.transformer.layer.{}.output_layer_norm.*": "encoder.blocks.{}.ff_norm.*",
    "vocab_transform.*": "head.dense.*",
    "vocab_layer_norm.*": "head.norm.*",
    "vocab_projector.bias": "head.output.bias",
    "vocab_projector.weight": tied("encoder.embeddings.tokens.weight"),
    "pre_classifier.*": "pooler.dense.*",
    "classifier.*": "classifier.*",
    "qa_outputs.*": "span.*",
}
