"""From a trained translator to sentences: greedy and beam search, batched.

Both need only ``encode``, ``start`` and ``step`` (see ``seq2seq.py``). Shape letters: B batch,
S source length, T target length, N beam, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .tokenizers import BOS, EOS, PAD, Vocabulary


@dataclass
class Hypothesis:
    """A translation: ids without the end mark, log-probability, and where it looked."""

    ids: list[int]
    score: float  # log P(ids, end | source), in nats
    attention: Tensor | None  # (T,S), a row for each id


def select(state, rows: Tensor):
    """The rows of a state's batch, in this order: tensors, caches, tuples and lists of them."""
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(select(part, rows) for part in state))
    if isinstance(state, (tuple, list)):
        return type(state)(select(part, rows) for part in state)
    return state[rows] if isinstance(state, Tensor) else state.select(rows)


@torch.inference_mode()
def greedy(model, source: Tensor, max_length: int = 100) -> list[Hypothesis]:
    """The most probable word at each step, until the end mark or ``max_length`` words."""
    memory = model.encode(source)
    state, ids = model.start(memory), torch.full_like(source[:, 0], BOS)
    scores = torch.zeros(len(source), device=source.device)
    done = scores.bool()
    words, looks = [], []
    for _ in range(max_length):
        logits, state, weights = model.step(ids, state, memory)
        best, ids = logits.log_softmax(-1).max(-1)
        scores += best.masked_fill(done, 0.0)
        ids = ids.masked_fill(done, PAD)
        done |= ids == EOS
        words.append(ids)
        looks.append(weights)
        if done.all():
            break
    looks = None if looks[0] is None else torch.stack(looks, 1)  # (B,T,S)
    results = []
    for b, row in enumerate(torch.stack(words, 1).tolist()):
        ids = row[: row.index(EOS)] if EOS in row else row
        look = None if looks is None else looks[b, : len(ids)]
        results.append(Hypothesis(ids, float(scores[b]), look))
    return results


@torch.inference_mode()
def beam_search(
    model, source: Tensor, beam: int = 5, max_length: int = 100, length_penalty: float = 0.6
) -> list[Hypothesis]:
    """The best translation of each sentence among the ``beam`` kept at each step.

    Translations are ranked by log-probability / ((5 + T) / 6)^length_penalty, T counting the
    end mark (Wu et al., 2016, eq. 14, without the coverage term). A sentence is done when
    ``beam`` translations have ended, or when no open one can rank above the best that has;
    at ``max_length`` words the open ones are ranked as they stand.
    """
    B, device = len(source), source.device
    first = beam * torch.arange(B, device=device)[:, None]  # where each sentence's beams begin
    memory = select(model.encode(source), torch.arange(B, device=device).repeat_interleave(beam))
    state, ids = model.start(memory), torch.full((B * beam,), BOS, device=device)
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
        # among 2N candidates at most N are end marks, so N of them go on
        totals, where = total.flatten(1).topk(min(2 * beam, beam * V))  # (B,2N)
        rows, new = first + where // V, where % V
        if weights is not None:
            weights = weights[:, None]  # (BN,1,S)
            looks = weights if looks is None else torch.cat([looks, weights], 1)
        for b, (ends, values) in enumerate(zip((new == EOS).tolist(), totals.tolist())):
            for n in range(beam):
                if b in running and ends[n] and values[n] > -torch.inf:
                    ended[b] += 1
                    row = int(rows[b, n])
                    keep(b, row, values[n], t)
        scores, going = totals.masked_fill(new == EOS, -torch.inf).topk(beam)  # (B,N)
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
