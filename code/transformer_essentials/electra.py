"""ELECTRA (Clark et al., 2020): which tokens are a small generator's, which the author's?

What differs from BERT: two models. The generator fills masked words in, as BERT does; the
discriminator looks at the result and judges each token. Where tokens have narrower vectors than
the model, one matrix widens them. Shape letters as in bert.py.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from .bert import ENCODER_NAMES, Embeddings, Encoder, blocks, within
from .bert import HF_CONFIG as BERT_HF_CONFIG
from .checkpoints import tied
from .heads import (
    DenseClassifier, EncoderWithHead, MaskedLM, SpanReader, TokenClassifier, initialise,
)  # fmt: skip
from .layers import ACTIVATIONS


@dataclass(frozen=True)
class ELECTRAConfig:
    """Sizes of an ELECTRA; by default the base discriminator's."""

    vocabulary: int = 30522
    embedding_width: int = 768
    width: int = 768
    n_layers: int = 12
    n_heads: int = 12
    ff_width: int = 3072
    max_length: int = 512
    activation: str = "gelu"
    dropout: float = 0.1
    pad: int = 0


PRESETS = {  # table 6 of the paper; the generators as published, the small one like "small"
    "small": ELECTRAConfig(embedding_width=128, width=256, n_heads=4, ff_width=1024),
    "base": ELECTRAConfig(),
    "large": ELECTRAConfig(
        embedding_width=1024, width=1024, n_layers=24, n_heads=16, ff_width=4096
    ),
    "base-generator": ELECTRAConfig(width=256, n_heads=4, ff_width=1024),
    "large-generator": ELECTRAConfig(
        embedding_width=1024, width=256, n_layers=24, n_heads=4, ff_width=1024
    ),
}


class ELECTRA(Encoder):
    """The encoder of both models. It has no pooler."""

    def __init__(self, config: ELECTRAConfig = ELECTRAConfig()):
        super().__init__()
        self.config = c = config
        self.embeddings = Embeddings(
            c.vocabulary, c.embedding_width, c.max_length, pad=c.pad, eps=1e-12, dropout=c.dropout
        )
        self.widen = None
        if c.embedding_width != c.width:
            self.widen = nn.Linear(c.embedding_width, c.width)
        self.blocks = blocks(c, c.n_layers, eps=1e-12)
        initialise(self)

    def embed(self, ids, segments):
        x = self.embeddings(ids, segments)  # (B,T,E)
        return x if self.widen is None else self.widen(x)  # (B,T,D)


class ELECTRAForMaskedLM(MaskedLM):
    """The generator: logits (B,T,V) of the word at each token."""

    def __init__(self, config: ELECTRAConfig = PRESETS["base-generator"]):
        super().__init__(ELECTRA(config), "gelu")


class ELECTRAForPreTraining(EncoderWithHead):
    """The discriminator: one logit a token, (B,T), high where it was replaced."""

    def __init__(self, config: ELECTRAConfig = ELECTRAConfig()):
        super().__init__(ELECTRA(config))
        self.dense = initialise(nn.Linear(config.width, config.width))
        self.activation = ACTIVATIONS[config.activation]
        self.judge = initialise(nn.Linear(config.width, 1))

    def answer(self, hidden: Tensor) -> Tensor:
        return self.judge(self.activation(self.dense(hidden))).squeeze(-1)


def share_embeddings(generator: ELECTRAForMaskedLM, discriminator: ELECTRAForPreTraining) -> None:
    """Give the generator the discriminator's embeddings, to learn them together (section 3.2)."""
    ours, theirs = generator.config.embedding_width, discriminator.config.embedding_width
    if ours != theirs:
        raise ValueError(f"embeddings {ours} and {theirs} wide can't be shared")
    generator.encoder.embeddings = discriminator.encoder.embeddings
    generator.head.output.weight = discriminator.encoder.embeddings.tokens.weight


def replaced_token_loss(logits: Tensor, replaced: Tensor, real: Tensor) -> Tensor:
    """Binary cross-entropy over the real tokens: logits, replaced (0 or 1), real (bool), (B,T)."""
    return F.binary_cross_entropy_with_logits(logits[real], replaced[real].to(logits.dtype))


class ELECTRAForSequenceClassification(DenseClassifier):
    """Logits (B,L) of the labels of a text."""

    def __init__(self, config: ELECTRAConfig = ELECTRAConfig(), n_labels: int = 2):
        super().__init__(ELECTRA(config), n_labels, F.gelu)


class ELECTRAForTokenClassification(TokenClassifier):
    """Logits (B,T,L) of the labels of each token."""

    def __init__(self, config: ELECTRAConfig = ELECTRAConfig(), n_labels: int = 2):
        super().__init__(ELECTRA(config), n_labels)


class ELECTRAForQuestionAnswering(SpanReader):
    """Logits of where the answer starts, (B,T), and ends, (B,T)."""

    def __init__(self, config: ELECTRAConfig = ELECTRAConfig()):
        super().__init__(ELECTRA(config))


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("electra.", "encoder.")
HF_MODELS = {
    "ElectraModel": ELECTRA,
    "ElectraForMaskedLM": ELECTRAForMaskedLM,
    "ElectraForPreTraining": ELECTRAForPreTraining,
    "ElectraForSequenceClassification": ELECTRAForSequenceClassification,
    "ElectraForTokenClassification": ELECTRAForTokenClassification,
    "ElectraForQuestionAnswering": ELECTRAForQuestionAnswering,
}
HF_CONFIG = BERT_HF_CONFIG | {"embedding_size": "embedding_width"}
HF_NAMES = within(HF_PREFIX, ENCODER_NAMES) | {
    "electra.embeddings_project.*": "encoder.widen.*",
    "generator_predictions.dense.*": "head.dense.*",
    "generator_predictions.LayerNorm.*": "head.norm.*",
    "generator_lm_head.bias": "head.output.bias",
    "generator_lm_head.weight": tied("encoder.embeddings.tokens.weight"),
    "discriminator_predictions.dense.*": "dense.*",
    "discriminator_predictions.dense_prediction.*": "judge.*",
    "classifier.dense.*": "pooler.dense.*",
    "classifier.out_proj.*": "output.*",
    "classifier.*": "classifier.*",  # of the token classifier
    "qa_outputs.*": "span.*",
}
