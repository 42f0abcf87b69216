"""The loop against Adam written out, the rate's course, and batches that leave nothing out."""

import itertools
import math
import random
import subprocess
import sys
from pathlib import Path

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
    Run,
    batches,
    make_batch,
    processes,
    to_device,
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


# ---------------------------------------------------------------- parts, saves, several processes


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def network(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(dropout), nn.Linear(5, 2)).double()


def squares(model, batch):
    return model(batch).square().mean()


def rows(n):
    return list(torch.randn(n, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))


OPTIONS = dict(lr=0.01, warmup=2, clip=0.05, progress=False)


def test_parts_of_a_batch_add_up():
    """Two halves of a batch make the update of the whole; the loss is their mean."""
    one, other = network(), network()
    whole = [torch.cat(pair) for pair in zip(rows(12)[::2], rows(12)[1::2])]
    expected = train(one, squares, whole, updates=6, **OPTIONS)
    found = train(other, squares, rows(12), updates=6, accumulate=2, **OPTIONS)
    same(parameters(other), parameters(one))
    assert found.losses == pytest.approx(expected.losses, rel=1e-12)
    with pytest.raises(ValueError, match="ran out after 2 of 6"):
        train(network(), squares, rows(5), updates=6, accumulate=2, **OPTIONS)


@pytest.mark.parametrize("killed_at", range(1, 9))
def test_resumes_bit_for_bit(tmp_path, killed_at):
    """Killed at any update, with dropout on: the same losses and weights as without a break."""
    path = tmp_path / "deep" / "run.pt"
    options = dict(updates=8, save_every=3, **OPTIONS)
    undisturbed = network(dropout=0.5)
    torch.manual_seed(3)
    expected = train(undisturbed, squares, rows(8), **options)

    def until_killed():
        yield from rows(8)[: killed_at - 1]
        raise KeyboardInterrupt

    model = network(dropout=0.5)
    torch.manual_seed(3)
    with pytest.raises(KeyboardInterrupt):
        train(model, squares, until_killed(), checkpoint=path, **options)
    assert path.exists() == (killed_at > 3)
    again = network(dropout=0.5)
    torch.manual_seed(3 if killed_at <= 3 else 99)  # the seed of the second start says nothing
    found = train(again, squares, rows(8), checkpoint=path, **options)
    assert found.losses == expected.losses
    assert found.gradient_norms == expected.gradient_norms
    assert parameters(again).equal(parameters(undisturbed))

    rest = iter(rows(8))
    finished = train(network(), squares, rest, checkpoint=path, **options)
    assert finished.losses == expected.losses  # nothing was left to do


def test_a_save_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    train(network(), squares, rows(4), updates=4, checkpoint=path, **OPTIONS)
    before = path.read_bytes()

    def half(state, file):
        file.write(before[: len(before) // 2])
        raise OSError("no space left on device")

    path.write_bytes(before)
    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="no space"):
        train(network(), squares, rows(4), updates=4, checkpoint=tmp_path / "other.pt", **OPTIONS)
    assert not (tmp_path / "other.pt").exists()
    run = Run({}, [network()], History())
    with pytest.raises(OSError):
        run.save(path)
    assert path.read_bytes() == before


def test_a_checkpoint_that_does_not_fit(tmp_path):
    path = tmp_path / "run.pt"
    train(network(), squares, rows(4), updates=4, checkpoint=path, **OPTIONS)
    with pytest.raises(ValueError, match="run.pt was saved with lr=0.01, this run has 0.02"):
        train(network(), squares, rows(4), updates=4, checkpoint=path, **OPTIONS | {"lr": 0.02})
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not a file of torch"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="run.pt is no checkpoint of a run"):
            train(network(), squares, rows(4), updates=4, checkpoint=path, **OPTIONS)


def test_lower_precision_on_request():
    seen, model = [], network().float()

    def loss(model, batch):
        out = model(batch.float())
        seen.append(out.dtype)
        return out.float().square().mean()

    start = parameters(model)
    train(model, loss, rows(2), updates=2, autocast=torch.bfloat16, **OPTIONS)
    assert seen == [torch.bfloat16] * 2
    assert parameters(model).dtype == torch.float32 and not parameters(model).equal(start)
    exact = network().float()
    train(exact, loss, rows(2), updates=2, **OPTIONS)
    assert seen[2:] == [torch.float32] * 2
    torch.testing.assert_close(parameters(model), parameters(exact), atol=2e-2, rtol=0)


def test_batches_go_to_the_device():
    batch = Batch(*torch.zeros(3, 1))
    moved = to_device([batch, {"kept": 1}, torch.ones(1)], torch.device("meta"))
    assert isinstance(moved[0], Batch) and moved[0].target_out.is_meta
    assert moved[1] == {"kept": 1} and moved[2].is_meta


def by_two_processes(folder):
    """What each of the two processes of the next test does."""
    with processes() as device:
        assert device.type == "cpu" and torch.distributed.get_world_size() == 2
        model = network()
        if torch.distributed.get_rank() == 1:
            randomise(model)  # only the first one's weights count
        options = dict(updates=3, accumulate=2, checkpoint=folder / "run.pt", save_every=2)
        try:  # the batches run out after the second update, when a save was made
            train(model, squares, rows(12)[:8], **options, **OPTIONS)
        except ValueError as error:
            assert "ran out after 2 of 3" in str(error)
        torch.distributed.barrier()
        history = train(model, squares, rows(12), **options, **OPTIONS)
        torch.save((parameters(model), history.losses), folder / f"{torch.distributed.get_rank()}.pt")


def test_two_processes_are_one_with_the_doubled_batch(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    found = subprocess.run(
        [*command, __file__, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr[-2000:]
    one = network()
    whole = [torch.cat(rows(12)[n : n + 4]) for n in range(0, 12, 4)]
    expected = train(one, squares, whole, updates=3, **OPTIONS)
    for rank in (0, 1):
        weights, losses = torch.load(tmp_path / f"{rank}.pt")
        same(weights, parameters(one))
        assert losses == pytest.approx(expected.losses, rel=1e-12)


if __name__ == "__main__":
    by_two_processes(Path(sys.argv[1]))
