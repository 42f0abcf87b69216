"""Greedy and beam search against loops, brute force, and the scores of teacher forcing."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from helpers import randomise, same, seeded  # noqa: F401

from transformer_essentials.generation import beam_search, greedy, pad, select, translate
from transformer_essentials.seq2seq import Seq2Seq
from transformer_essentials.tokenizers import BOS, EOS, Vocabulary
from transformer_essentials.transformer import Transformer

V = 5  # of which one ends a translation
SOURCE = torch.tensor([[4, 5, 6, 7, 2], [5, 2, 0, 0, 0], [7, 4, 2, 0, 0], [6, 6, 6, 2, 0]])
MODELS = {
    "plain": lambda v: Seq2Seq(8, v, embed=4, width=6, attention=None),
    "bahdanau": lambda v: Seq2Seq(8, v, embed=4, width=6),
    "luong": lambda v: Seq2Seq(8, v, embed=4, width=6, attention="luong", cell="lstm", window=2),
    "transformer": lambda v: Transformer(8, v, width=8, n_heads=2, n_layers=2, ff_width=8),
}


@pytest.fixture(params=MODELS)
def model(request):
    """Weights large enough that the words' probabilities differ clearly."""
    return randomise(MODELS[request.param](V), std=0.8)


@torch.no_grad()
def forced(model, source, ids):
    """Log-probability of each next word, (T,V), and weights (T,S) or None, by teacher forcing."""
    target_in = torch.tensor([[BOS, *ids]])
    logits, weights = model(source[None], target_in, return_attention=True)
    if isinstance(weights, list):  # the Transformer's: the last layer, averaged over its heads
        weights = weights[-1].mean(1)
    return logits[0].log_softmax(-1), None if weights is None else weights[0]


def check(model, source, hypothesis, max_length, tolerance=1e-5):
    """Score and attention are those of these very words."""
    log_p, weights = forced(model, source, hypothesis.ids)
    ended = len(hypothesis.ids) < max_length
    words = hypothesis.ids + [EOS] * ended
    expected = sum(log_p[i, word].item() for i, word in enumerate(words))
    assert hypothesis.score == pytest.approx(expected, abs=tolerance)
    assert EOS not in hypothesis.ids
    if weights is None:
        assert hypothesis.attention is None
    else:  # a row for each word, none for the end
        same(hypothesis.attention, weights[: len(hypothesis.ids)])


def agree(one, other):
    assert one.ids == other.ids
    assert one.score == pytest.approx(other.score, abs=1e-5)
    if one.attention is None:
        assert other.attention is None
    else:  # a batch has columns of padding
        S = min(one.attention.shape[1], other.attention.shape[1])
        same(one.attention[:, :S], other.attention[:, :S])
        assert (one.attention[:, S:] == 0).all() and (other.attention[:, S:] == 0).all()


# ---------------------------------------------------------------- greedy


def test_greedy_by_hand(model):
    """The whole prefix read again for every word, each sentence alone."""
    found = greedy(model, SOURCE, 6)
    for source, hypothesis in zip(SOURCE, found):
        ids = []
        while len(ids) < 6:
            word = forced(model, source[source != 0], ids)[0][-1].argmax().item()
            if word == EOS:
                break
            ids.append(word)
        assert hypothesis.ids == ids
        check(model, source, hypothesis, 6)
    assert len(found) == 4


class Chain:
    """A model of a table: the next word's probabilities depend on the word before alone."""

    def __init__(self, table):
        words = range(V)
        rows = [[table.get(w, {EOS: 1.0}).get(new, 0.0) for new in words] for w in words]
        self.logits = torch.tensor(rows).log()

    def encode(self, source):
        return source

    def start(self, memory):
        return torch.zeros(len(memory))

    def step(self, ids, state, memory):
        return self.logits[ids], state, None


# 3 looks better at first (0.6), but then 3 or 4 or the end are alike; 4 ends surely
FORK = Chain({BOS: {3: 0.6, 4: 0.4}, 3: {3: 0.3, 4: 0.3, EOS: 0.4}, 4: {EOS: 1.0}})


def test_greedy_is_not_the_best():
    (hypothesis,) = greedy(FORK, torch.tensor([[4]]))
    assert hypothesis.ids == [3]
    assert hypothesis.score == pytest.approx(math.log(0.6 * 0.4))
    (hypothesis,) = beam_search(FORK, torch.tensor([[4]]), 2, length_penalty=0.0)
    assert hypothesis.ids == [4]
    assert hypothesis.score == pytest.approx(math.log(0.4))
    assert hypothesis.attention is None


def test_length_penalty_by_hand():
    """[4] and its end have P = 0.5 · 0.8, [3, 3, 3] has 0.5 · 0.78²; lengths 2 and 3 divide."""
    chain = Chain({BOS: {3: 0.5, 4: 0.5}, 4: {EOS: 0.8, 0: 0.2}, 3: {3: 0.78, 0: 0.22}})
    short, long = math.log(0.5 * 0.8), math.log(0.5 * 0.78**2)
    # equal where short / (7/6)^α = long / (8/6)^α
    alpha = math.log(long / short) / math.log(8 / 7)
    for side, ids, score in ((-0.1, [4], short), (0.1, [3, 3, 3], long)):
        (hypothesis,) = beam_search(chain, torch.tensor([[4]]), 4, 3, length_penalty=alpha + side)
        assert hypothesis.ids == ids
        assert hypothesis.score == pytest.approx(score)


# ---------------------------------------------------------------- beam search


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
def test_beam_against_brute_force(model, penalty):
    """A beam that holds everything finds the best of all 341 translations of up to 4 words."""
    words, max_length = [w for w in range(V) if w != EOS], 4
    found = beam_search(model, SOURCE, 400, max_length, length_penalty=penalty)
    for padded, hypothesis in zip(SOURCE, found):
        source = padded[padded != 0]
        every = torch.tensor(list(itertools.product(words, repeat=max_length)))
        target_in = torch.cat([torch.full((len(every), 1), BOS), every[:, :-1]], 1)
        with torch.no_grad():
            log_p = model(source.expand(len(every), -1), target_in).log_softmax(-1)
        going = log_p.gather(2, every[..., None])[..., 0].cumsum(1)  # log P of the first t words
        best = (-math.inf, None, None)
        for n, ids in enumerate(every.tolist()):
            before = 0.0
            for t in range(1, max_length + 1):
                candidates = [(ids[: t - 1], before + log_p[n, t - 1, EOS].item())]
                if t == max_length:
                    candidates.append((ids, going[n, t - 1].item()))
                for candidate, score in candidates:
                    rank = score / ((5 + t) / 6) ** penalty
                    best = max(best, (rank, candidate, score), key=lambda entry: entry[0])
                before = going[n, t - 1].item()
        _, ids, score = best
        assert hypothesis.ids == ids
        assert hypothesis.score == pytest.approx(score, abs=1e-9)
        check(model, padded, hypothesis, max_length)


@pytest.mark.parametrize("max_length", [1, 3, 8])
def test_beam_of_one_is_greedy(model, max_length):
    for one, other in zip(beam_search(model, SOURCE, 1, max_length), greedy(model, SOURCE, max_length)):
        agree(one, other)


@pytest.mark.parametrize("beam", [1, 2, 4])
def test_batched_equals_one_by_one(model, beam):
    """Sentences that end early don't disturb the others, nor does padding."""
    found = beam_search(model, SOURCE, beam, 8)
    for source, hypothesis in zip(SOURCE, found):
        (alone,) = beam_search(model, source[None, source != 0], beam, 8)
        agree(hypothesis, alone)
        check(model, source, hypothesis, 8)


def test_attention_belongs_to_the_hypothesis():
    """Many random models, where beams change places; sentences that end and that don't."""
    ended = total = 0
    for seed in range(5):
        torch.manual_seed(seed)
        for name in ("bahdanau", "luong", "transformer"):
            model = randomise(MODELS[name](V), std=0.8)
            for beam in (2, 3):
                for source, hypothesis in zip(SOURCE, beam_search(model, SOURCE, beam, 6)):
                    check(model, source, hypothesis, 6)
                    assert hypothesis.attention.shape == (len(hypothesis.ids), 5)
                    ended += len(hypothesis.ids) < 6
                    total += 1
    assert 0.1 * total < ended < 0.9 * total  # both happen


def test_no_beam_ranks_above_everything(model):
    """A narrow beam may miss the best translation, and finds none above it."""

    def rank(h):
        return h.score / ((5 + min(len(h.ids) + 1, 4)) / 6) ** 0.6

    everything = beam_search(model, SOURCE, 400, 4)
    for beam in (1, 2, 5):
        for narrow, best in zip(beam_search(model, SOURCE, beam, 4), everything):
            assert rank(narrow) <= rank(best) + 1e-9


# ---------------------------------------------------------------- the rest


def test_select():
    rows, x = torch.tensor([1, 1, 0]), torch.arange(4.0).view(2, 2)
    (a, (b, [c])) = state = select((x, (x + 1, [x + 2])), rows)
    assert isinstance(state, tuple) and isinstance(state[1][1], list)
    for part, start in ((a, 0), (b, 1), (c, 2)):
        assert part.tolist() == [[start + 2, start + 3]] * 2 + [[start, start + 1]]
    anything = SimpleNamespace(select=lambda rows: rows + 1)
    assert select([anything, None], rows)[0].tolist() == [2, 2, 1]
    assert select((x, None), rows)[1] is None


def test_pad():
    assert pad([[4, 5], [6], []]).tolist() == [[4, 5], [6, 0], [0, 0]]


@pytest.mark.parametrize("beam", [1, 3])
def test_translate_keeps_order(model, beam):
    """Sorted by length inside, batched, and given back as they came."""
    source_words, target_words = Vocabulary("abcd"), Vocabulary("x")
    sentences = [list(s) for s in ("abca", "d", "bb", "cad", "", "dcba", "ab")]
    options = dict(beam=beam, batch_size=3, max_length=5)
    model.train()  # translating switches dropout off
    found = translate(model, sentences, source_words, target_words, **options)
    assert not model.training and len(found) == len(sentences)
    for sentence, (tokens, attention) in zip(sentences, found):
        ids = torch.tensor([source_words.encode(sentence) + [EOS]])
        (alone,) = greedy(model, ids, 5) if beam == 1 else beam_search(model, ids, beam, 5)
        assert tokens == target_words.decode(alone.ids)
        if alone.attention is None:
            assert attention is None
        else:
            assert attention.shape == (len(alone.ids), len(sentence) + 1)
            same(attention, alone.attention)
    assert translate(model, [], source_words, target_words) == []
