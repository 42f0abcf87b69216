"""What pretraining asks: texts spoilt in the ways of the papers, and what the model must answer.

Only ``electra_loss`` calls models. What works on whole batches takes tensors of ids, (B,T). What
changes a text's length takes a list and returns lists; its tokens may be ids or, to look at,
words. Whatever is drawn comes from ``rng``, a ``torch.Generator``, by default PyTorch's own.
The losses that go with masked words and pairs of sentences are in ``heads.py``, the masked
autoencoder's are in ``mae.py``. Shape letters: B batch, T tokens, N chosen tokens, V vocabulary,
D width.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .electra import replaced_token_loss
from .heads import IGNORE

# ---------------------------------------------------------------- the next token


def next_token(ids: Tensor, pad: int | None = None) -> tuple[Tensor, Tensor]:
    """Each token is asked for its successor: ids (B,T) -> inputs, labels, (B,T-1) both.

    Padding is asked of nobody. The loss is ``heads.token_loss``.
    """
    labels = ids[:, 1:]
    return ids[:, :-1], labels if pad is None else labels.masked_fill(labels == pad, IGNORE)


# ---------------------------------------------------------------- masked tokens


def choose(allowed: Tensor, rate: float = 0.15, rng: Generator | None = None) -> Tensor:
    """Tokens to ask for, bool (B,T): in each row this share of those allowed, at least one.

    ``allowed`` (B,T), bool, leaves out padding and special tokens (Devlin et al., 2019, section
    3.1; that the number is fixed and only the places are drawn is the published code's way).
    """
    wanted = (rate * allowed.sum(1, keepdim=True).double()).round().clamp(min=1)
    noise = torch.rand(allowed.shape, generator=rng).to(allowed.device)
    rank = noise.masked_fill(~allowed, 2.0).argsort(1).argsort(1)
    return (rank < wanted) & allowed


def choose_spans(
    allowed: Tensor, rate: float = 0.15, longest: int = 3, rng: Generator | None = None
) -> Tensor:
    """As many tokens, but in spans: n tokens with probability ∝ 1/n (Lan et al., 2020, 4.1).

    Spans start at random and never overlap; one is cut short where it meets another, a token
    that isn't allowed, or the row's share.
    """
    chosen, weights = torch.zeros_like(allowed), 1 / torch.arange(1.0, longest + 1)
    for row, free in zip(chosen, allowed.tolist()):
        left = max(1, round(rate * sum(free)))
        for start in torch.randperm(len(free), generator=rng).tolist():
            length = 1 + int(torch.multinomial(weights, 1, generator=rng))
            for i in range(start, min(start + length, len(free))):
                if not (left and free[i]):
                    break
                row[i], free[i], left = True, False, left - 1
            if not left:
                break
    return chosen


def mask_tokens(
    ids: Tensor,
    chosen: Tensor,
    mask: int,
    vocabulary: int,
    shares: tuple[float, float] = (0.8, 0.1),
    rng: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide the chosen tokens: ids (B,T), bool (B,T) -> inputs (B,T), labels (B,T).

    With the ``shares`` of BERT (Devlin et al., 2019, section 3.1) 80% of them become ``mask``,
    10% any token of the vocabulary, and the others stay. Labels are the original tokens where
    chosen, elsewhere IGNORE. Dynamic masking (Liu et al., 2019, section 4.1) draws anew each time
    a text is seen; see also ``static_masking``.
    """
    draw = torch.rand(ids.shape, generator=rng).to(ids.device)
    others = torch.randint(vocabulary, ids.shape, generator=rng).to(ids.device)
    masked, replaced = shares
    inputs = torch.where(chosen & (draw < masked + replaced), others, ids)
    inputs = inputs.masked_fill(chosen & (draw < masked), mask)
    return inputs, ids.masked_fill(~chosen, IGNORE)


def static_masking(
    ids: Tensor, allowed: Tensor, mask: int, vocabulary: int, copies: int = 10, rate: float = 0.15,
    rng: Generator | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Masks drawn once, before training: inputs, labels, (copies,B,T) both, to be used in turn.

    BERT's data held every text ten times, differently masked (Liu et al., 2019, section 4.1).
    """
    ids, allowed = ids.repeat(copies, 1), allowed.repeat(copies, 1)
    found = mask_tokens(ids, choose(allowed, rate, rng), mask, vocabulary, rng=rng)
    return tuple(x.unflatten(0, (copies, -1)) for x in found)


# ---------------------------------------------------------------- two sentences


def next_sentence(documents: Sequence[Sequence], rng: Generator | None = None) -> list[tuple]:
    """Does the second sentence follow the first? One (first, second, label) per two neighbours.

    Label 0: it does. Label 1, for half of the pairs: it is a random sentence of another document
    (Devlin et al., 2019, section 3.1). A document is a list of sentences.
    """
    if len(documents) < 2:
        raise ValueError("sentences that don't follow come from another document: give two")
    pairs = []
    for i, document in enumerate(documents):
        for first, second in zip(document, document[1:]):
            if label := _integer(2, rng):
                other = _integer(len(documents) - 1, rng)
                other = documents[other + (other >= i)]  # any but this
                second = other[_integer(len(other), rng)]
            pairs.append((first, second, label))
    return pairs


def sentence_order(document: Sequence, rng: Generator | None = None) -> list[tuple]:
    """Which of two neighbours came first? One (first, second, label) per two sentences.

    Label 0: as in the text. Label 1, for half of the pairs: swapped (Lan et al., 2020, 3.1).
    """
    neighbours = zip(document, document[1:])
    return [(b, a, 1) if _integer(2, rng) else (a, b, 0) for a, b in neighbours]


def pack(first: list, second: list, start, separator) -> tuple[list, list[int]]:
    """Both sentences as BERT reads them, and the segment, 0 or 1, that each token belongs to."""
    tokens = [start, *first, separator, *second, separator]
    return tokens, [0] * (len(first) + 2) + [1] * (len(second) + 1)


# ---------------------------------------------------------------- replaced tokens


def replace_tokens(ids, chosen, logits, rng: Generator | None = None) -> tuple[Tensor, Tensor]:
    """Put a generator's words in: ids, chosen (B,T), logits (N,V) -> corrupted, replaced (B,T).

    They are drawn from its softmax. ``replaced`` is 1 where the word is another than before; where
    the generator happens to be right the token counts as original (Clark et al., 2020, section 2).
    """
    words = torch.multinomial(logits.detach().softmax(-1).cpu(), 1, generator=rng).squeeze(1)
    corrupted = ids.masked_scatter(chosen, words.to(ids.device))
    return corrupted, (corrupted != ids).long()


def electra_loss(
    generator, discriminator, ids, allowed, mask: int, rate=0.15, weight=50.0, rng=None
) -> Tensor:
    """Masked words for the generator, plus ``weight`` times replaced tokens for the other.

    ids, allowed (B,T); every chosen token is masked. The weight is that of the published code.
    Nothing flows from the discriminator back to the generator: drawing words has no gradient.
    """
    chosen, real = choose(allowed, rate, rng), ids != discriminator.config.pad
    words = generator(ids.masked_fill(chosen, mask), real, positions=chosen)  # (N,V)
    corrupted, replaced = replace_tokens(ids, chosen, words, rng)
    judged = replaced_token_loss(discriminator(corrupted, real), replaced, real)
    return F.cross_entropy(words, ids[chosen]) + weight * judged


# ---------------------------------------------------------------- spans behind sentinels


def span_mask(
    length: int, rate: float = 0.15, mean: float = 3.0, rng: Generator | None = None
) -> list[bool]:
    """Which tokens of a text T5 drops, in spans of ``mean`` tokens on average.

    How many tokens and spans there are is fixed by the length; only their bounds are drawn: kept
    and dropped stretches alternate, none is empty, the first is kept and the last dropped
    (Raffel et al., 2020, section 3.3.4, and the published code).
    """
    if length < 2:
        raise ValueError(f"{length} token can't be both kept and dropped: give two or more")
    if mean < 1:
        raise ValueError(f"no span is empty: their mean length is 1 or more, not {mean}")
    n_dropped = min(max(_share(range(length), rate), 1), length - 1)
    n_spans = max(round(min(n_dropped, length - n_dropped) / mean), 1)
    kept = _cut(length - n_dropped, n_spans, rng)
    dropped = _cut(n_dropped, n_spans, rng)
    return [is_in for k, d in zip(kept, dropped) for is_in in [False] * k + [True] * d]


def drop_spans(tokens: Sequence, dropped: Sequence[bool], sentinels: Sequence) -> tuple[list, list]:
    """A sentinel in place of each dropped span -> source, target (Raffel et al., 2020, figure 2).

    The target is each sentinel followed by what it stands for, and, where the text goes on after
    the last span, one more sentinel (the paper's section 3.1.4 has it always). Neither has an end
    mark yet.
    """
    source, target, after = [], [], iter(sentinels)
    before = False  # was the token before dropped?
    for token, is_in in zip(tokens, dropped, strict=True):
        if is_in and not before:
            if (sentinel := next(after, None)) is None:
                raise ValueError(f"more spans than the {len(sentinels)} sentinels")
            source.append(sentinel)
            target.append(sentinel)
        (target if is_in else source).append(token)
        before = is_in
    return source, target if before else [*target, *list(after)[:1]]


def span_corruption(
    tokens: Sequence, sentinels: Sequence, rate=0.15, mean=3.0, rng: Generator | None = None
) -> tuple[list, list]:
    """T5's task: 15% of a text in spans of 3 on average -> source, target.

    T5's sentinels are the last ids of its vocabulary, backwards: ``range(32099, 31999, -1)``.
    """
    return drop_spans(tokens, span_mask(len(tokens), rate, mean, rng), sentinels)


# ---------------------------------------------------------------- BART's noise (its section 2.2)


def token_masking(tokens: Sequence, mask, rate: float, rng: Generator | None = None) -> list:
    """Random tokens become ``mask``."""
    hidden = _places(len(tokens), _share(tokens, rate), rng)
    return [mask if i in hidden else token for i, token in enumerate(tokens)]


def token_deletion(tokens: Sequence, rate: float, rng: Generator | None = None) -> list:
    """Random tokens go without a trace; the model must find out where."""
    gone = _places(len(tokens), _share(tokens, rate), rng)
    return [token for i, token in enumerate(tokens) if i not in gone]


def text_infilling(
    tokens: Sequence, mask, rate: float = 0.3, mean: float = 3.0, rng: Generator | None = None
) -> list:
    """Spans of Poisson(``mean``) tokens become one ``mask`` each; a span of none inserts one.

    Spans are drawn until they hold this share of the tokens, the last cut to fit. Here they never
    overlap, so that the share is exact; in the published code a span may run into the next.
    """
    if mean <= 0:
        raise ValueError(f"spans of {mean} tokens on average never hold a share of the text")
    lengths, left = [], _share(tokens, rate)
    n = len(tokens) - left  # tokens that stay
    while left:
        lengths.append(min(left, int(torch.poisson(torch.tensor(float(mean)), generator=rng))))
        left -= lengths[-1]
    n += len(lengths)  # and spans, in any order
    spans, result, i = _places(n, len(lengths), rng), [], 0
    for place in range(n):
        result.append(mask if place in spans else tokens[i])
        i += lengths.pop() if place in spans else 1
    return result


def sentence_permutation(sentences: Sequence, rng: Generator | None = None) -> list:
    """The sentences in a random order."""
    return [sentences[i] for i in torch.randperm(len(sentences), generator=rng).tolist()]


def document_rotation(tokens: Sequence, rng: Generator | None = None) -> list:
    """The text starts at a random token, and what was before comes after its end."""
    start = _integer(len(tokens), rng)
    return [*tokens[start:], *tokens[:start]]


def bart_noise(
    sentences: Sequence[Sequence], mask, rate=0.3, mean=3.0, rng: Generator | None = None
) -> tuple[list, list]:
    """What BART was trained with: all sentences permuted, 30% infilled -> source, target.

    A sentence is a list of tokens (Lewis et al., 2020, section 5.1).
    """
    shuffled = [token for sentence in sentence_permutation(sentences, rng) for token in sentence]
    return text_infilling(shuffled, mask, rate, mean, rng), [t for s in sentences for t in s]


def multilingual_denoising(
    sentences: Sequence[Sequence], language, mask, end, rate=0.35, mean=3.5,
    rng: Generator | None = None,
) -> tuple[list, list]:  # fmt: skip
    """mBART's: the same at 35% and Poisson(3.5), ``end`` after each sentence -> source, target.

    Both close with the language's token, which the decoder gets as its first (Liu et al., 2020,
    section 2.2).
    """
    between = [[*sentence, end] for sentence in sentences]
    source, target = bart_noise(between, mask, rate, mean, rng)
    return [*source, language], [*target, language]


# ---------------------------------------------------------------- distillation


def soft_target_loss(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """How far the student's distribution is from the teacher's, both softened: logits (N,V).

    The Kullback–Leibler divergence at this temperature, its mean over tokens, times the square of
    the temperature, by which softening shrinks gradients (Hinton et al., 2015, section 2).
    """
    logs = (student / temperature).log_softmax(-1), (teacher / temperature).log_softmax(-1)
    return F.kl_div(*logs, reduction="batchmean", log_target=True) * temperature**2


def distillation_loss(
    student: tuple[Tensor, Tensor],
    teacher: tuple[Tensor, Tensor],
    labels: Tensor,
    real: Tensor,
    temperature: float = 2.0,
    weights: tuple[float, float, float] = (5.0, 2.0, 1.0),
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """DistilBERT's three terms (Sanh et al., 2019, section 2) -> their weighted sum, the terms.

    ``student`` and ``teacher``: logits (B,T,V) and the last layer's hidden states (B,T,D).
    Soft targets and 1 − cosine of the hidden states count at all ``real`` tokens (B,T), masked
    words where there are ``labels``. Weights and temperature are those of the published code.
    """
    (logits, hidden), (their_logits, their_hidden) = student, teacher
    terms = (
        soft_target_loss(logits[real], their_logits[real].detach(), temperature),
        F.cross_entropy(logits[labels != IGNORE], labels[labels != IGNORE]),
        (1 - F.cosine_similarity(hidden[real], their_hidden[real].detach(), dim=-1)).mean(),
    )
    return sum(weight * term for weight, term in zip(weights, terms)), terms


# ---------------------------------------------------------------- chance


def _integer(n: int, rng: Generator | None) -> int:
    """One of 0 to n-1."""
    return int(torch.randint(n, (), generator=rng))


def _share(tokens: Sequence, rate: float) -> int:
    if not 0 <= rate <= 1:
        raise ValueError(f"a share of the tokens is between 0 and 1, not {rate}")
    return round(rate * len(tokens))


def _places(n: int, k: int, rng: Generator | None) -> set[int]:
    """k of the numbers 0 to n-1."""
    return set(torch.randperm(n, generator=rng)[:k].tolist())


def _cut(n: int, parts: int, rng: Generator | None) -> list[int]:
    """Lengths of so many parts that n things fall into, none empty, all ways equally likely."""
    cuts = sorted(1 + place for place in _places(n - 1, parts - 1, rng))
    return [stop - start for start, stop in zip([0, *cuts], [*cuts, n])]
