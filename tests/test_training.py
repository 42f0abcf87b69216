"""The loop against Adam written out, the rate's course, and batches that leave nothing out."""

import itertools
import math
import random

import pytest
import torch
import torch.nn.functional as F
from helpers import randn, randomise, same, seeded  # noqa: F401
from torch import nn

from transformer_essentials.corpora import Pair
from transformer_essentials.generation import greedy
from transformer_essentials.seq2seq import Seq2Seq
from transformer_essentials.tokenizers import BOS, EOS, Vocabulary
from transformer_essentials.training import (
    Batch,
    History,
    batches,
    make_batch,
    train,
    translation_loss,
    warmup_linear,
)

LETTERS = Vocabulary("abcdef")


def copies(n, longest=4, seed=0):
    """Pairs to be copied, of random letters."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdef", k=rng.randint(1, longest))) for _ in range(n)]
    return [Pair(tuple(word), tuple(word)) for word in words]


# ---------------------------------------------------------------- the rate


def test_warmup_by_hand():
    share = warmup_linear(10, 4)
    assert [share(u) for u in range(10)] == pytest.approx(
        [1 / 4, 2 / 4, 3 / 4, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    )
    assert share(10) == 0
    assert [warmup_linear(4, 0)(u) for u in range(4)] == [1, 0.75, 0.5, 0.25]
    assert [warmup_linear(2, 2)(u) for u in range(3)] == [0.5, 1, 0]


# ---------------------------------------------------------------- the loop


def adam(parameter, gradient_of, updates, lr, warmup, clip, decay):
    """Adam with decoupled weight decay, clipping and the schedule, written out."""
    x, m, v = parameter.clone(), 0.0, 0.0
    norms = []
    for t in range(updates):
        g = gradient_of(x, t)
        norms.append(g.norm().item())
        g = g * min(1.0, clip / norms[-1])
        rate = lr * (min(1.0, (t + 1) / warmup) if t < warmup else (updates - t) / (updates - warmup))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = (m / (1 - 0.9 ** (t + 1))) / ((v / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8)
        x = x - rate * decay * x - rate * step
    return x, norms


@pytest.mark.parametrize("warmup, clip, decay", [(0, 1e9, 0.0), (3, 1.0, 0.0), (2, 0.5, 0.1)])
def test_train_is_adam(warmup, clip, decay):
    """Gradients of very different lengths, so that clipping shows."""
    model = nn.Linear(3, 1, bias=False).double()
    start, inputs = model.weight.detach().clone(), randn(8, 3) * torch.logspace(-2, 1, 8)[:, None]
    history = train(
        model, lambda model, x: model(x).square().sum(), iter(inputs),
        updates=8, lr=0.1, warmup=warmup, clip=clip, weight_decay=decay, progress=False,
    )  # fmt: skip

    def gradient(weight, t):
        return 2 * (inputs[t] @ weight[0]) * inputs[t][None]

    expected, norms = adam(start, gradient, 8, 0.1, warmup, clip, decay)
    same(model.weight.detach(), expected, 1e-5)
    assert history.gradient_norms == pytest.approx(norms, rel=1e-5)
    assert history.losses[0] == pytest.approx((inputs[0] @ start[0]).square().item())
    assert len(history.losses) == 8 and history.seconds > 0
    assert not model.training


def translator(seed=0):
    torch.manual_seed(seed)
    return Seq2Seq(len(LETTERS), len(LETTERS), embed=16, width=32)


def test_same_seed_same_run():
    def run(seed, data_seed):
        stream = batches(copies(100), LETTERS, LETTERS, batch_size=16, seed=data_seed)
        model = translator(seed)
        history = train(model, translation_loss, stream, updates=4, lr=1e-3, progress=False)
        return history.losses, torch.cat([p.flatten() for p in model.parameters()])

    losses, parameters = run(0, 0)
    again, same_parameters = run(0, 0)
    assert losses == again and parameters.equal(same_parameters)
    assert run(1, 0)[0] != losses and run(0, 1)[0] != losses


def test_copying_is_learned_to_zero_errors():
    """All words of up to four different letters; one in eight was never trained on."""
    words = [w for n in range(1, 5) for w in itertools.permutations("abcdef", n)]
    random.Random(0).shuffle(words)
    pairs = [Pair(word, word) for word in words]
    unseen, seen = pairs[:66], pairs[66:]
    model = Seq2Seq(len(LETTERS), len(LETTERS), embed=32, width=64)
    stream = batches(seen, LETTERS, LETTERS, batch_size=32)
    history = train(
        model, translation_loss, stream, updates=120, lr=1e-2, warmup=20, progress=False
    )
    found = greedy(model, make_batch(unseen, LETTERS, LETTERS).source, 6)
    copied = [tuple(LETTERS.decode(hypothesis.ids)) for hypothesis in found]
    assert copied == [pair.target for pair in unseen]
    smooth = history.smooth()
    assert smooth[0] > 1.5 and smooth[-1] < 0.05


def test_loss_that_is_not_a_number():
    """The update is named, and the parameters are as they were before it."""
    model, kept = nn.Linear(2, 1), []

    def loss(model, x):
        kept.append(model.weight.detach().clone())
        return model(x).sum()

    inputs = [torch.ones(2), torch.ones(2), torch.tensor([1.0, math.nan])]
    with pytest.raises(FloatingPointError, match="the loss is nan at update 2; lower lr=0.5"):
        train(model, loss, iter(inputs), updates=5, lr=0.5, progress=False)
    assert model.weight.equal(kept[2]) and not kept[1].equal(kept[2])
    with pytest.raises(FloatingPointError, match="inf at update 0"):
        train(model, lambda m, x: m(x).sum() * math.inf, [torch.ones(2)], updates=1, lr=0.1)


def test_batches_that_run_out():
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="the batches ran out after 3 of 5 updates"):
        train(model, lambda m, x: m(x).sum(), [torch.ones(2)] * 3, updates=5, lr=0.1, progress=False)


def test_no_batch_is_taken_beyond_the_last_update():
    stream = iter([torch.ones(2)] * 5)
    train(nn.Linear(2, 1), lambda m, x: m(x).sum(), stream, updates=3, lr=0.1, progress=False)
    assert len(list(stream)) == 2


def test_smooth():
    history = History(losses=[4.0, 2.0, 0.0, 1.0])
    assert history.smooth(2) == [4.0, 3.0, 1.0, 0.5]
    assert history.smooth(3) == [4.0, 3.0, 2.0, 1.0]


# ---------------------------------------------------------------- batches


def test_make_batch_by_hand():
    pairs = [Pair(("a", "b", "x"), ("c",)), Pair(("d",), ("e", "f"))]
    source, target_in, target_out = make_batch(pairs, LETTERS, LETTERS)
    a, b, c, d, e, f = range(4, 10)
    assert source.tolist() == [[a, b, 3, EOS], [d, EOS, 0, 0]]  # x is unknown
    assert target_in.tolist() == [[BOS, c, 0], [BOS, e, f]]
    assert target_out.tolist() == [[c, EOS, 0], [e, f, EOS]]


def words_of(batch):
    return ["".join(LETTERS.decode(row)) for row in batch.source]


@pytest.mark.parametrize("n, size", [(100, 16), (70, 1), (5, 8), (700, 4)])
def test_an_epoch_has_every_pair_once(n, size):
    pairs = copies(n, longest=20)
    assert len(pairs) > 32 * size or n != 700  # the last case needs more than one pool
    stream = batches(pairs, LETTERS, LETTERS, batch_size=size)
    seen = []
    for _ in range(2):
        epoch = []
        while len(epoch) < n:
            batch = next(stream)
            assert len(batch.source) <= size
            epoch += words_of(batch)
        assert sorted(epoch) == sorted("".join(pair.source) for pair in pairs)
        seen.append(epoch)
    assert n < size or seen[0] != seen[1]  # another order each time


def test_batches_stay_with_their_targets():
    pairs = [Pair(pair.source, pair.source[::-1]) for pair in copies(50)]
    stream = batches(pairs, LETTERS, LETTERS, batch_size=8)
    for batch in itertools.islice(stream, 7):
        for source, target_in, target_out in zip(*batch):
            source, target = LETTERS.decode(source), LETTERS.decode(target_out)
            assert target == source[::-1] == LETTERS.decode(target_in)
            n = len(source)
            assert target_in[0] == BOS and target_out[n] == EOS
            assert (target_out[n + 1 :] == 0).all() and (target_in[n + 1 :] == 0).all()


def test_batches_save_padding():
    """Sentences of like length travel together; in a random order most places would be empty."""
    rng = random.Random(0)
    pairs = [Pair(("a",) * rng.randint(1, 40), ("a",)) for _ in range(320)]
    stream = batches(pairs, LETTERS, LETTERS, batch_size=16)
    together = [batch.source for batch in itertools.islice(stream, 20)]
    empty = sum((ids == 0).sum().item() for ids in together) / sum(ids.numel() for ids in together)
    assert empty < 0.1
    lengths = [ids.shape[1] for ids in together]
    assert lengths != sorted(lengths)  # but short and long batches come mixed


def test_batches_by_seed():
    def words(seed):
        stream = batches(copies(60), LETTERS, LETTERS, batch_size=8, seed=seed)
        return [words_of(batch) for batch in itertools.islice(stream, 12)]

    assert words(3) == words(3) != words(4)
    with pytest.raises(ValueError, match="no pairs"):
        next(batches([], LETTERS, LETTERS))


def test_translation_loss_by_loops():
    """The mean over real words of −log p; padding says nothing."""
    model = randomise(translator())
    batch = make_batch(copies(5), LETTERS, LETTERS)
    log_p, terms = F.log_softmax(model(batch.source, batch.target_in), -1), []
    for b, row in enumerate(batch.target_out.tolist()):
        terms += [-log_p[b, t, word] for t, word in enumerate(row) if word != 0]
    assert len(terms) < batch.target_out.numel()
    same(translation_loss(model, batch), torch.stack(terms).mean())
    wider = Batch(*(F.pad(part, (0, 3)) for part in batch))
    same(translation_loss(model, wider), torch.stack(terms).mean())
