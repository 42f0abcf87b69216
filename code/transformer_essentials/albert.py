"""ALBERT (Lan et al., 2020): BERT with one block for all layers and narrow token vectors.

What differs from BERT: the layers share their parameters; tokens have vectors of width E, which
one matrix widens to D; and the model learns whether two pieces of text are in order, not whether
one follows the other. Shape letters as in bert.py.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from .bert import Embeddings, Encoder, blocks
from .checkpoints import ACTIVATION_NAMES, field, fixed, tied
from .heads import MaskedLM, Pooler, SequenceClassifier, SpanReader, TokenClassifier, initialise


@dataclass(frozen=True)
class ALBERTConfig:
    """Sizes of an ALBERT; by default the base model's. The second version has no dropout."""

    vocabulary: int = 30000
    embedding_width: int = 128
    width: int = 768
    n_layers: int = 12
    n_groups: int = 1  # neighbouring layers share a block; this many blocks there are
    n_heads: int = 12
    ff_width: int = 3072
    max_length: int = 512
    activation: str = "gelu_tanh"
    dropout: float = 0.0
    pad: ClassVar[int] = 0


PRESETS = {  # table 1 of the paper
    "base": ALBERTConfig(),
    "large": ALBERTConfig(width=1024, n_layers=24, n_heads=16, ff_width=4096),
    "xlarge": ALBERTConfig(width=2048, n_layers=24, n_heads=16, ff_width=8192),
    "xxlarge": ALBERTConfig(width=4096, n_layers=12, n_heads=64, ff_width=16384),
}


class ALBERT(Encoder):
    """The encoder. ``pooler(hidden)`` makes one vector of a text; not every head needs it."""

    def __init__(self, config: ALBERTConfig = ALBERTConfig(), *, pooler: bool = True):
        super().__init__()
        self.config = c = config
        self.embeddings = Embeddings(
            c.vocabulary, c.embedding_width, c.max_length, pad=c.pad, eps=1e-12, dropout=c.dropout
        )
        self.widen = nn.Linear(c.embedding_width, c.width)
        self.groups = blocks(c, c.n_groups, eps=1e-12)
        self.pooler = Pooler(c.width) if pooler else None
        initialise(self)

    def embed(self, ids, segments):
        return self.widen(self.embeddings(ids, segments))  # (B,T,E) -> (B,T,D)

    def layers(self):
        c = self.config
        return [self.groups[i * c.n_groups // c.n_layers] for i in range(c.n_layers)]


class ALBERTForMaskedLM(MaskedLM):
    """Logits (B,T,V) of the word at each token."""

    def __init__(self, config: ALBERTConfig = ALBERTConfig()):
        super().__init__(ALBERT(config, pooler=False), config.activation)


class ALBERTForPreTraining(MaskedLM):
    """Both tasks of the paper: logits (B,T,V) of words, (B,2) of "in order" and "swapped"."""

    def __init__(self, config: ALBERTConfig = ALBERTConfig()):
        super().__init__(ALBERT(config), config.activation)
        self.sentence_order = initialise(nn.Linear(config.width, 2))

    def answer(self, hidden, positions=None):
        order = self.sentence_order(self.dropout(self.encoder.pooler(hidden)))
        return super().answer(hidden, positions), order


class ALBERTForSequenceClassification(SequenceClassifier):
    """Logits (B,L) of the labels of a text."""

    def __init__(self, config: ALBERTConfig = ALBERTConfig(), n_labels: int = 2):
        super().__init__(ALBERT(config), n_labels)


class ALBERTForTokenClassification(TokenClassifier):
    """Logits (B,T,L) of the labels of each token."""

    def __init__(self, config: ALBERTConfig = ALBERTConfig(), n_labels: int = 2):
        super().__init__(ALBERT(config, pooler=False), n_labels)


class ALBERTForQuestionAnswering(SpanReader):
    """Logits of where the answer starts, (B,T), and ends, (B,T)."""

    def __init__(self, config: ALBERTConfig = ALBERTConfig()):
        super().__init__(ALBERT(config, pooler=False))


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("albert.", "encoder.")
HF_MODELS = {
    "AlbertModel": ALBERT,
    "AlbertForMaskedLM": ALBERTForMaskedLM,
    "AlbertForPreTraining": ALBERTForPreTraining,
    "AlbertForSequenceClassification": ALBERTForSequenceClassification,
    "AlbertForTokenClassification": ALBERTForTokenClassification,
    "AlbertForQuestionAnswering": ALBERTForQuestionAnswering,
}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "embedding_size": "embedding_width",
    "hidden_size": "width",
    "num_hidden_layers": "n_layers",
    "num_hidden_groups": "n_groups",
    "num_attention_heads": "n_heads",
    "intermediate_size": "ff_width",
    "max_position_embeddings": "max_length",
    "hidden_act": field("activation", names=ACTIVATION_NAMES),
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "dropout",
    "inner_group_num": fixed(1),
    "pad_token_id": fixed(0),
    "type_vocab_size": fixed(2),
    "layer_norm_eps": fixed(1e-12),
    "position_embedding_type": fixed("absolute"),
}
LAYER = "albert.encoder.albert_layer_groups.{}.albert_layers.0."
HF_NAMES = {
    "albert.embeddings.word_embeddings.weight": "encoder.embeddings.tokens.weight",
    "albert.embeddings.position_embeddings.weight": "encoder.embeddings.positions.weight",
    "albert.embeddings.token_type_embeddings.weight": "encoder.embeddings.segments.weight",
    "albert.embeddings.LayerNorm.*": "encoder.embeddings.norm.*",
    "albert.embeddings.position_ids": None,  # 0, 1, 2, …
    "albert.encoder.embedding_hidden_mapping_in.*": "encoder.widen.*",
    LAYER + "attention.query.*": "encoder.groups.{}.attention.q.*",
    LAYER + "attention.key.*": "encoder.groups.{}.attention.k.*",
    LAYER + "attention.value.*": "encoder.groups.{}.attention.v.*",
    LAYER + "attention.dense.*": "encoder.groups.{}.attention.o.*",
    LAYER + "attention.LayerNorm.*": "encoder.groups.{}.attention_norm.*",
    LAYER + "ffn.*": "encoder.groups.{}.ff.up.*",
    LAYER + "ffn_output.*": "encoder.groups.{}.ff.down.*",
    LAYER + "full_layer_layer_norm.*": "encoder.groups.{}.ff_norm.*",
    "albert.pooler.*": "encoder.pooler.dense.*",
    "predictions.dense.*": "head.dense.*",
    "predictions.LayerNorm.*": "head.norm.*",
    "predictions.bias": "head.output.bias",
    "predictions.decoder.bias": tied("head.output.bias"),
    "predictions.decoder.weight": tied("encoder.embeddings.tokens.weight"),
    "sop_classifier.classifier.*": "sentence_order.*",
    "classifier.*": "classifier.*",
    "qa_outputs.*": "span.*",
}
