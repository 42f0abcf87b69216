"""From a trained model to text, batched: greedy search, sampling, beam search.

Translators and language models are asked for the same:

    memory = model.encode(source)        # what it may look at: sources, or prompts, (B,S)
    given = model.first(memory)          # ids that each text starts from, (B,P), P at least 1
    state = model.start(memory)          # where it stands after all of them but the last
    logits, state, weights = model.step(ids, state, memory)     # one id further, ids (B,)
    model.stop, model.pad                # ids that end a text; the id fed after the end

A translator starts from a begin mark; it may leave out ``first``, ``stop`` and ``pad``, which are
BOS, (EOS,) and PAD then (see ``seq2seq.py``). A language model starts from its prompts, padded on
the left (see ``gpt.py``): ``encode`` takes a ``mask`` as well, True at the prompts' own ids.
Shape letters: B batch, S source length, P given ids, T target length, N beam, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .packing import packed
from .tokenizers import BOS, EOS, PAD, Vocabulary


@dataclass
class Hypothesis:
    """What was written: ids without the end mark, log-probability, and where the model looked."""

    ids: list[int]
    score: float  # log P(ids, end | source), in nats
    attention: Tensor | None  # (T,S), a row for each id


def select(state, rows: Tensor):
    """The rows of a state's batch, in this order: tensors, caches, tuples and lists of them.

    None, where there is nothing, stays.
    """
    if state is None:
        return None
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(select(part, rows) for part in state))
    if isinstance(state, (tuple, list)):
        return type(state)(select(part, rows) for part in state)
    return state[rows] if isinstance(state, Tensor) else state.select(rows)


def begin(model, source: Tensor, mask: Tensor | None) -> tuple:
    """Memory, state and given ids (B,P) of a model that has read its sources or prompts."""
    memory = model.encode(source) if mask is None else model.encode(source, mask)
    first = getattr(model, "first", lambda memory: torch.full_like(source[:, :1], BOS))
    return memory, model.start(memory), first(memory)


def stops(model, stop: tuple[int, ...] | None) -> tuple[int, ...]:
    """The ids that end a text: those asked for, or the model's own."""
    return tuple(getattr(model, "stop", (EOS,)) if stop is None else stop)


@torch.inference_mode()
@packed()
def extend(model, source, choose, max_length, *, mask=None, stop=None) -> list[Hypothesis]:
    """Write until an id of ``stop`` or ``max_length`` ids: ``choose(logits, seen)`` says which.

    logits (B,V), seen (B,·): the ids given and chosen so far; -> ids (B,).
    """
    memory, state, seen = begin(model, source, mask)
    stop, pad = stops(model, stop), getattr(model, "pad", PAD)
    marks = torch.tensor(stop, dtype=seen.dtype, device=seen.device)
    P, ids = seen.shape[1], seen[:, -1]
    scores = torch.zeros(len(source), device=source.device)
    done = scores.bool()
    looks = []
    for _ in range(max_length):
        logits, state, weights = model.step(ids, state, memory)
        ids = choose(logits, seen)
        scores -= F.cross_entropy(logits, ids, reduction="none").masked_fill(done, 0.0)
        ids = ids.masked_fill(done, pad)
        done |= torch.isin(ids, marks)
        seen = torch.cat([seen, ids[:, None]], 1)
        looks.append(weights)
        if done.all():
            break
    looks = None if looks[0] is None else torch.stack(looks, 1)  # (B,T,S)
    results = []
    for b, row in enumerate(seen[:, P:].tolist()):
        ids = row[: next((t for t, word in enumerate(row) if word in stop), len(row))]
        look = None if looks is None else looks[b, : len(ids)]
        results.append(Hypothesis(ids, float(scores[b]), look))
    return results


def greedy(model, source: Tensor, max_length: int = 100, *, mask=None, stop=None):
    """The most probable word at each step, until the end mark or ``max_length`` words.

    source (B,S), ``mask`` (B,S) of left-padded prompts -> a Hypothesis for each. ``stop``: ids
    that end a text, in place of the model's.
    """

    def best(logits: Tensor, seen: Tensor) -> Tensor:
        return logits.max(-1).indices  # argmax, which takes twice the time on a processor

    return extend(model, source, best, max_length, mask=mask, stop=stop)


# ---------------------------------------------------------------- sampling


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """The k largest of each row, and what equals the k-th; the others become −∞ (…,V)."""
    least = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """The nucleus: the fewest most probable words whose probabilities add up to p or more.

    The others become −∞ (Holtzman et al., 2020, section 3.1): (…,V) -> (…,V).
    """
    ordered, order = logits.sort(-1, descending=True)
    probabilities = ordered.softmax(-1)
    enough = probabilities.cumsum(-1) - probabilities >= p  # what comes before has p already
    return logits.masked_fill(enough.scatter(-1, order, enough), -torch.inf)


def penalise(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the ids seen (B,·) less probable: logits (B,V) -> (B,V).

    Their logits are divided by the penalty (Keskar et al., 2019, section 4.1). A logit below zero
    would gain by that; it is multiplied instead, as in Hugging Face's code.
    """
    scores = logits.gather(1, seen)
    return logits.scatter(1, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def sample(
    model,
    source: Tensor,
    *,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    generator: torch.Generator | None = None,
    max_length: int = 100,
    stop: tuple[int, ...] | None = None,
) -> list[Hypothesis]:
    """Words drawn from the model's distribution; a ``generator`` with a seed makes it repeatable.

    In this order: ``repetition_penalty`` on the ids given or written so far, logits divided by
    ``temperature``, ``top_k``, ``top_p``. A temperature of 0 takes the most probable word. The
    scores are log-probabilities of the model as it is, without any of these.
    """
    if temperature < 0 or repetition_penalty <= 0:
        raise ValueError(
            "temperature must be at least 0 and repetition_penalty more than 0; "
            f"they are {temperature} and {repetition_penalty}"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be more than 0 and at most 1, not {top_p}")

    def choose(logits: Tensor, seen: Tensor) -> Tensor:
        if repetition_penalty != 1:
            logits = penalise(logits, seen, repetition_penalty)
        if temperature == 0:
            return logits.argmax(-1)
        logits = logits / temperature
        if top_k is not None:
            logits = keep_top_k(logits, top_k)
        if top_p is not None and top_p < 1:
            logits = keep_top_p(logits, top_p)
        return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]

    return extend(model, source, choose, max_length, mask=mask, stop=stop)


# ---------------------------------------------------------------- beam search


@torch.inference_mode()
@packed()
def beam_search(
    model,
    source: Tensor,
    beam: int = 5,
    max_length: int = 100,
    length_penalty: float = 0.6,
    *,
    mask: Tensor | None = None,
    stop: tuple[int, ...] | None = None,
) -> list[Hypothesis]:
    """The best translation of each sentence among the ``beam`` kept at each step.

    Translations are ranked by log-probability / ((5 + T) / 6)^length_penalty, T counting the
    end mark (Wu et al., 2016, eq. 14, without the coverage term). A sentence is done when
    ``beam`` translations have ended, or when no open one can rank above the best that has;
    at ``max_length`` words the open ones are ranked as they stand. Prompts are gone on with in
    the same way; ``mask`` and ``stop`` as for ``greedy``.
    """
    B, device, stop = len(source), source.device, stops(model, stop)
    first = beam * torch.arange(B, device=device)[:, None]  # where each sentence's beams begin
    copies = torch.arange(B, device=device).repeat_interleave(beam)
    memory, state, ids = select(begin(model, source, mask), copies)
    ids, marks = ids[:, -1], torch.tensor(stop, dtype=ids.dtype, device=device)
    words, looks = ids.new_zeros(B * beam, 0), None  # (BN,t), (BN,t,S)
    scores = torch.full((B, beam), -torch.inf, device=device)
    scores[:, 0] = 0.0  # at first all beams are alike: keep one
    best: list[tuple[float, Hypothesis] | None] = [None] * B
    ended = [0] * B
    running = set(range(B))

    def rank(score: float, length: int) -> float:
        return score / ((5 + length) / 6) ** length_penalty

    def keep(b: int, row: int, score: float, length: int):
        if best[b] is None or rank(score, length) > best[b][0]:
            look = None if looks is None else looks[row, : words.shape[1]].clone()
            best[b] = rank(score, length), Hypothesis(words[row].tolist(), score, look)

    for t in range(1, max_length + 1):
        logits, state, weights = model.step(ids, state, memory)
        V = logits.shape[-1]
        total = scores[:, :, None] + logits.log_softmax(-1).view(B, beam, V)
        # of each beam's candidates as many end it as there are end marks; N others go on
        totals, where = total.flatten(1).topk(min((1 + len(stop)) * beam, beam * V))  # (B,·)
        rows, new = first + where // V, where % V
        over = torch.isin(new, marks)
        if weights is not None:
            weights = weights[:, None]  # (BN,1,S)
            looks = weights if looks is None else torch.cat([looks, weights], 1)
        for b, (ends, values) in enumerate(zip(over.tolist(), totals.tolist())):
            for n in range(beam):
                if b in running and ends[n] and values[n] > -torch.inf:
                    ended[b] += 1
                    row = int(rows[b, n])
                    keep(b, row, values[n], t)
        scores, going = totals.masked_fill(over, -torch.inf).topk(beam)  # (B,N)
        rows = rows.gather(1, going).flatten()
        ids = new.gather(1, going).flatten()
        words = torch.cat([words[rows], ids[:, None]], 1)
        looks = None if looks is None else looks[rows]
        state = select(state, rows)
        for b, top in enumerate(scores[:, 0].tolist()):
            hopeless = best[b] is not None and rank(top, max_length) <= best[b][0]
            if ended[b] >= beam or hopeless:
                running.discard(b)
        if not running:
            break
    for b in running:
        for n in range(beam):
            if scores[b, n] > -torch.inf:
                keep(b, b * beam + n, float(scores[b, n]), max_length)
    return [hypothesis for _, hypothesis in best]


def translate(
    model,
    sentences,
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    *,
    beam: int = 1,
    batch_size: int = 64,
    max_length: int = 100,
) -> list[tuple[list[str], Tensor | None]]:
    """Token sequences -> (tokens, attention (T,S) or None) of each, in the order given.

    Sentences of like length go through the model together; a beam of 1 is greedy search.
    """
    model.eval()
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    results: list = [None] * len(sentences)
    for first in range(0, len(order), batch_size):
        rows = order[first : first + batch_size]
        source = pad([source_vocabulary.encode(sentences[i]) + [EOS] for i in rows])
        found = (
            greedy(model, source, max_length)
            if beam == 1
            else beam_search(model, source, beam, max_length)
        )
        for i, hypothesis in zip(rows, found):
            look = hypothesis.attention
            look = look if look is None else look[:, : len(sentences[i]) + 1]
            results[i] = target_vocabulary.decode(hypothesis.ids), look
    return results


def pad(rows: list[list[int]]) -> Tensor:
    """Lists of ids -> (B, longest), padded on the right."""
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
