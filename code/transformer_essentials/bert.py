"""BERT (Devlin et al., 2019): a Transformer encoder that learns by filling in masked words.

``Encoder`` and ``Embeddings`` serve BERT's descendants too. Shape letters: B batch, T tokens,
H heads, D width, V vocabulary, L labels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .attention import check_mask
from .checkpoints import ACTIVATION_NAMES, field, fixed, tied
from .heads import MaskedLM, Pooler, SequenceClassifier, SpanReader, TokenClassifier, initialise
from .layers import Block


@dataclass(frozen=True)
class BERTConfig:
    """Sizes of a BERT; by default the base model's with the vocabulary of lower-case English."""

    vocabulary: int = 30522
    width: int = 768
    n_layers: int = 12
    n_heads: int = 12
    ff_width: int = 3072
    max_length: int = 512
    activation: str = "gelu"
    dropout: float = 0.1
    pad: int = 0  # the id that fills short texts up


PRESETS = {  # section 3 of the paper; the small ones from Turc et al. (2019)
    "base": BERTConfig(),
    "large": BERTConfig(width=1024, n_layers=24, n_heads=16, ff_width=4096),
    "base-cased": BERTConfig(vocabulary=28996),
    "base-multilingual-cased": BERTConfig(vocabulary=119547),
    "tiny": BERTConfig(width=128, n_layers=2, n_heads=2, ff_width=512),
    "small": BERTConfig(width=512, n_layers=4, n_heads=8, ff_width=2048),
    "medium": BERTConfig(width=512, n_layers=8, n_heads=8, ff_width=2048),
}


class Embeddings(nn.Module):
    """Token, position and segment vectors added up, then normalised: (B,T) -> (B,T,width).

    The row of ``pad`` learns nothing from its own places. No segments: no such table.
    """

    def __init__(self, vocabulary, width, n_positions, n_segments=2, *, pad, eps, dropout):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=pad)
        self.positions = nn.Embedding(n_positions, width)
        self.segments = nn.Embedding(n_segments, width) if n_segments else None
        self.norm = nn.LayerNorm(width, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, segments: Tensor | None = None, positions: Tensor | None = None):
        """ids (B,T); segments (B,T), by default all 0; positions (B,T), by default 0 to T-1."""
        T, limit = ids.shape[1], self.positions.num_embeddings
        if T > limit:
            raise ValueError(f"{T} tokens, but the model has {limit} positions")
        if segments is not None and self.segments is None:
            raise ValueError("segments were given, but this model has none")
        x = self.tokens(ids)
        x = x + (self.positions.weight[:T] if positions is None else self.positions(positions))
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        return self.dropout(self.norm(x))


class Encoder(nn.Module):
    """Embeddings, then blocks. A model sets ``config``, ``embeddings`` and ``blocks`` itself."""

    def embed(self, ids: Tensor, segments: Tensor | None) -> Tensor:
        return self.embeddings(ids, segments)  # (B,T,D)

    def layers(self):
        return self.blocks

    def forward(self, ids, mask=None, segments=None, return_attention=False):
        """ids (B,T) -> hidden states (B,T,D); on request also attention, (B,H,T,T) a layer.

        ``mask`` (B,T), bool, is True at the tokens that all may attend to; by default at all
        that aren't padding. ``segments`` (B,T) numbers the sentence that a token belongs to.
        """
        mask = ids != self.config.pad if mask is None else check_mask(mask, *ids.shape)
        x, attention = self.embed(ids, segments), []
        for block in self.layers():
            x, weights, _ = block(x, mask=mask[:, None], return_weights=return_attention)
            attention.append(weights)
        return (x, tuple(attention)) if return_attention else x


def blocks(config, n: int, eps: float) -> nn.ModuleList:
    """n blocks as BERT has them: norm after each sub-layer, dropout also on attention."""
    c = config
    return nn.ModuleList(
        Block(
            c.width, c.n_heads, c.ff_width, activation=c.activation, norm="post", eps=eps,
            dropout=c.dropout, attention_dropout=c.dropout,
        )
        for _ in range(n)
    )  # fmt: skip


class BERT(Encoder):
    """The encoder. ``pooler(hidden)`` makes one vector of a text; not every head needs it."""

    def __init__(self, config: BERTConfig = BERTConfig(), *, pooler: bool = True):
        super().__init__()
        self.config = c = config
        self.embeddings = Embeddings(
            c.vocabulary, c.width, c.max_length, pad=c.pad, eps=1e-12, dropout=c.dropout
        )
        self.blocks = blocks(c, c.n_layers, eps=1e-12)
        self.pooler = Pooler(c.width) if pooler else None
        initialise(self)


class BERTForMaskedLM(MaskedLM):
    """Logits (B,T,V) of the word at each token."""

    def __init__(self, config: BERTConfig = BERTConfig()):
        super().__init__(BERT(config, pooler=False), config.activation)


class BERTForPreTraining(MaskedLM):
    """Both tasks of the paper: logits (B,T,V) of words, (B,2) of "follows" and "doesn't follow"."""

    def __init__(self, config: BERTConfig = BERTConfig()):
        super().__init__(BERT(config), config.activation)
        self.next_sentence = initialise(nn.Linear(config.width, 2))

    def answer(self, hidden, positions=None):
        return super().answer(hidden, positions), self.next_sentence(self.encoder.pooler(hidden))


class BERTForSequenceClassification(SequenceClassifier):
    """Logits (B,L) of the labels of a text."""

    def __init__(self, config: BERTConfig = BERTConfig(), n_labels: int = 2):
        super().__init__(BERT(config), n_labels)


class BERTForTokenClassification(TokenClassifier):
    """Logits (B,T,L) of the labels of each token."""

    def __init__(self, config: BERTConfig = BERTConfig(), n_labels: int = 2):
        super().__init__(BERT(config, pooler=False), n_labels)


class BERTForQuestionAnswering(SpanReader):
    """Logits of where the answer starts, (B,T), and ends, (B,T)."""

    def __init__(self, config: BERTConfig = BERTConfig()):
        super().__init__(BERT(config, pooler=False))


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("bert.", "encoder.")  # of the encoder's names within a model with a head
HF_MODELS = {
    "BertModel": BERT,
    "BertForMaskedLM": BERTForMaskedLM,
    "BertForPreTraining": BERTForPreTraining,
    "BertForSequenceClassification": BERTForSequenceClassification,
    "BertForTokenClassification": BERTForTokenClassification,
    "BertForQuestionAnswering": BERTForQuestionAnswering,
}
HF_CONFIG = {
    "vocab_size": "vocabulary",
    "hidden_size": "width",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "ff_width",
    "max_position_embeddings": "max_length",
    "hidden_act": field("activation", names=ACTIVATION_NAMES),
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "dropout",
    "pad_token_id": field("pad", required=False),
    "type_vocab_size": fixed(2),
    "layer_norm_eps": fixed(1e-12),
    "position_embedding_type": fixed("absolute"),
    "is_decoder": fixed(False),
}
ENCODER_NAMES = {  # those of RoBERTa and ELECTRA as well, but for the prefix
    "embeddings.word_embeddings.weight": "embeddings.tokens.weight",
    "embeddings.position_embeddings.weight": "embeddings.positions.weight",
    "embeddings.token_type_embeddings.weight": "embeddings.segments.weight",
    "embeddings.LayerNorm.*": "embeddings.norm.*",
    "embeddings.position_ids": None,  # 0, 1, 2, …
    "encoder.layer.{}.attention.self.query.*": "blocks.{}.attention.q.*",
    "encoder.layer.{}.attention.self.key.*": "blocks.{}.attention.k.*",
    "encoder.layer.{}.attention.self.value.*": "blocks.{}.attention.v.*",
    "encoder.layer.{}.attention.output.dense.*": "blocks.{}.attention.o.*",
    "encoder.layer.{}.attention.output.LayerNorm.*": "blocks.{}.attention_norm.*",
    "encoder.layer.{}.intermediate.dense.*": "blocks.{}.ff.up.*",
    "encoder.layer.{}.output.dense.*": "blocks.{}.ff.down.*",
    "encoder.layer.{}.output.LayerNorm.*": "blocks.{}.ff_norm.*",
}


def within(prefix: tuple[str, str], names: dict) -> dict:
    """The table with the prefixes put before their names and before ours."""
    theirs, ours = prefix
    return {theirs + t: o and ours + o for t, o in names.items()}


HF_NAMES = within(HF_PREFIX, ENCODER_NAMES) | {
    "bert.pooler.dense.*": "encoder.pooler.dense.*",
    "cls.predictions.transform.dense.*": "head.dense.*",
    "cls.predictions.transform.LayerNorm.*": "head.norm.*",
    "cls.predictions.bias": "head.output.bias",
    "cls.predictions.decoder.bias": tied("head.output.bias"),
    "cls.predictions.decoder.weight": tied("encoder.embeddings.tokens.weight"),
    "cls.seq_relationship.*": "next_sentence.*",
    "classifier.*": "classifier.*",
    "qa_outputs.*": "span.*",
}
