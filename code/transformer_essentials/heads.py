"""What sits on an encoder: masked words, a label for a text or for each token, an answer's span.

BERT and its descendants share these heads; the few that differ are in the models' own files. A
model with a head is called like its encoder and gives the head's answer instead of hidden states.
Shape letters: B batch, T tokens, D width, V vocabulary, L labels, N chosen tokens.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import MaskedLMHead

IGNORE = -100  # the label of a token that a loss leaves out


def initialise(module: nn.Module) -> nn.Module:
    """Weights from N(0, 0.02), biases zero (Devlin et al., 2019, published code); the same module.

    The published code also cuts the normal distribution off at two standard deviations.
    """
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.02)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
    return module


def even(module: nn.Module) -> nn.Module:
    """Whatever has two dimensions from N(0, 1 / columns); the same module.

    What goes into a matrix with variance 1 comes out so. ``initialise``'s 0.02 is near that where
    models are wide; narrow ones hardly start with it.
    """
    for matrix in module.parameters():
        if matrix.dim() == 2:
            nn.init.normal_(matrix, std=matrix.shape[1] ** -0.5)
    return module


class Output(NamedTuple):
    """The layer that turns hidden states into logits: (…,D) -> (…,V)."""

    weight: Tensor  # (V,D), often the token table
    bias: Tensor | None = None  # (V)


class Pooler(nn.Module):
    """A text as one vector: a dense layer and an activation on its first token."""

    def __init__(self, width: int, activation=torch.tanh, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = initialise(nn.Linear(width, width))
        self.activation = activation

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden (B,T,D) -> (B,D)."""
        return self.activation(self.dense(self.dropout(hidden[:, 0])))


class EncoderWithHead(nn.Module):
    """An encoder and a head, which says in ``answer`` what it makes of the hidden states."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.config, self.encoder = encoder.config, encoder
        self.dropout = nn.Dropout(encoder.config.dropout)

    def forward(self, ids, mask=None, segments=None, return_attention=False, **asked):
        """As the encoder; what else is ``asked`` goes to the head. -> answer [, attention]."""
        found = self.encoder(ids, mask, segments, return_attention)
        if return_attention:
            hidden, attention = found
            return self.answer(hidden, **asked), attention
        return self.answer(found, **asked)


class MaskedLM(EncoderWithHead):
    """Which word was here? Logits over the vocabulary, through the encoder's token table."""

    def __init__(self, encoder, activation: str = "gelu", eps: float = 1e-12):
        super().__init__(encoder)
        tokens = encoder.embeddings.tokens
        self.head = MaskedLMHead(encoder.config.width, tokens, activation, eps)
        initialise(self.head.dense)
        nn.init.zeros_(self.head.output.bias)

    def answer(self, hidden: Tensor, positions: Tensor | None = None) -> Tensor:
        """(B,T,V), or (N,V) at the ``positions`` that a bool (B,T) chooses.

        In training one token in seven has a label: logits for the others would be most of the
        work of the step.
        """
        return self.head(hidden if positions is None else hidden[positions])


class SequenceClassifier(EncoderWithHead):
    """A label for the text, from the vector that a pooler makes of it: logits (B,L).

    The encoder's pooler, if the model has no other.
    """

    def __init__(self, encoder, n_labels: int, pooler: Pooler | None = None):
        super().__init__(encoder)
        self.n_labels, self.pooler = n_labels, pooler
        self.classifier = initialise(nn.Linear(encoder.config.width, n_labels))

    def answer(self, hidden: Tensor) -> Tensor:
        pooler = self.pooler or self.encoder.pooler
        return self.classifier(self.dropout(pooler(hidden)))


class DenseClassifier(EncoderWithHead):
    """The same through a dense layer that belongs to the head, dropout before and after it."""

    def __init__(self, encoder, n_labels: int, activation):
        super().__init__(encoder)
        c, self.n_labels = encoder.config, n_labels
        self.pooler = Pooler(c.width, activation, c.dropout)
        self.output = initialise(nn.Linear(c.width, n_labels))

    def answer(self, hidden: Tensor) -> Tensor:
        return self.output(self.dropout(self.pooler(hidden)))


class TokenClassifier(EncoderWithHead):
    """A label for each token: logits (B,T,L)."""

    def __init__(self, encoder, n_labels: int):
        super().__init__(encoder)
        self.n_labels = n_labels
        self.classifier = initialise(nn.Linear(encoder.config.width, n_labels))

    def answer(self, hidden: Tensor) -> Tensor:
        return self.classifier(self.dropout(hidden))


class SpanReader(EncoderWithHead):
    """Where in the text the answer starts and where it ends: two logits a token, (B,T) each.

    Every vector of weights is compared with every token (Devlin et al., 2019, section 4.2).
    """

    def __init__(self, encoder):
        super().__init__(encoder)
        self.span = initialise(nn.Linear(encoder.config.width, 2))

    def answer(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self.span(hidden).unbind(-1)


# ---------------------------------------------------------------- losses


def masked_lm_loss(model, ids, labels, mask=None, segments=None) -> Tensor:
    """Cross-entropy of the words at the tokens that have a label; the others say IGNORE.

    ids and labels (B,T). Logits are computed at those tokens alone.
    """
    chosen = labels != IGNORE
    return F.cross_entropy(model(ids, mask, segments, positions=chosen), labels[chosen])


def pretraining_loss(model, ids, labels, pairs, mask=None, segments=None) -> Tensor:
    """Masked words plus the question about two sentences, equally weighted.

    labels (B,T) as for ``masked_lm_loss``; pairs (B,): 0 if the second sentence follows the first
    (BERT) or comes after it (ALBERT), 1 if it is another sentence or if the two are swapped.
    """
    chosen = labels != IGNORE
    words, relation = model(ids, mask, segments, positions=chosen)
    return F.cross_entropy(words, labels[chosen]) + F.cross_entropy(relation, pairs)


def token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (B,T,L) and labels (B,T), over the tokens not labelled IGNORE."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)


def output_loss(hidden: Tensor, output: Output | nn.Linear, labels: Tensor) -> Tensor:
    """``token_loss`` of the logits of hidden states (B,T,D), never all in memory; labels (B,T).

    On a processor the logits of 512 tokens at a time are made and used up, for the gradient too,
    while they are near at hand. That is PyTorch 2.13's; an older one makes them all at once, and
    so does this on other devices and with autocast.
    """
    in_parts = hidden.is_cpu and not torch.is_autocast_enabled("cpu")
    if not in_parts or not hasattr(nn, "LinearCrossEntropyOptions"):
        return token_loss(F.linear(hidden, output.weight, output.bias), labels)
    chunks = nn.LinearCrossEntropyOptions(batch_chunk_size=512)
    return F.linear_cross_entropy(
        hidden.flatten(0, 1), output.weight, labels.flatten(),
        linear_bias=output.bias, ignore_index=IGNORE, options=chunks,
    )  # fmt: skip


def span_loss(logits: tuple[Tensor, Tensor], starts: Tensor, ends: Tensor) -> Tensor:
    """Mean of two cross-entropies, of where answers start and end: logits (B,T), positions (B,).

    A position of T or more is an answer that was cut off with its text, and is left out.
    """
    T = logits[0].shape[1]
    losses = [
        F.cross_entropy(scores, where.clamp(max=T), ignore_index=T)
        for scores, where in zip(logits, (starts, ends))
    ]
    return sum(losses) / 2
