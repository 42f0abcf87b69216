"""Recurrent translators against the papers' equations, one sentence, one step, one word at a time."""

import pytest
import torch
from helpers import gradients, randn, randomise, same, seeded  # noqa: F401
from torch import nn

from transformer_essentials.generation import select
from transformer_essentials.seq2seq import (
    BahdanauDecoder,
    DeepOutput,
    Encoder,
    LocalWindow,
    Memory,
    Recurrent,
    Seq2Seq,
)

SCORES = ["dot", "general", "concat"]
VARIANTS = {"plain": dict(attention=None), "bahdanau": dict(attention="bahdanau")}
for score in SCORES:
    for feeding in (True, False):
        for window in (None, 2):
            name = f"luong {score}{' feeding' * feeding}{' local' * bool(window)}"
            VARIANTS[name] = dict(
                attention="luong", score=score, input_feeding=feeding, window=window
            )
every_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
both_cells = pytest.mark.parametrize("cell", ["gru", "lstm"])

SOURCE = torch.tensor([[4, 5, 6, 7, 2], [5, 2, 0, 0, 0], [7, 4, 2, 0, 0]])
LENGTHS = [5, 2, 3]
TARGET = torch.tensor([[1, 4, 5, 4], [1, 5, 3, 0], [1, 6, 4, 5]])


def tiny(cell, options, width=6):
    return randomise(Seq2Seq(8, 7, embed=5, width=width, cell=cell, **options))


# ---------------------------------------------------------------- the equations


def gru(x, h, W, U, b, c):
    """A GRU as PyTorch has it: reset, update, candidate; the reset gate acts after U h + c."""
    xr, xz, xn = (W @ x + b).chunk(3)
    hr, hz, hn = (U @ h + c).chunk(3)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    return (1 - z) * torch.tanh(xn + r * hn) + z * h


def lstm(x, h, cell, W, U, b, c):
    """An LSTM: input, forget, candidate, output."""
    i, f, g, o = (W @ x + b + U @ h + c).chunk(4)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def advance(x, state, weights):
    return lstm(x, *state, *weights) if len(state) == 2 else (gru(x, *state, *weights),)


def zero_state(width, cell):
    return tuple(torch.zeros(width, dtype=torch.float64) for _ in range(2 if cell == "lstm" else 1))


def encode(encoder, cell, words):
    """h_j = [forward; backward] of each word, and the two final states, joined."""
    width, (ahead, back) = encoder.rnn.hidden_size, encoder.rnn.all_weights
    vectors = [encoder.embedding.weight[w] for w in words]
    forward, backward = [], []
    for states, weights, order in ((forward, ahead, vectors), (backward, back, vectors[::-1])):
        state = zero_state(width, cell)
        for x in order:
            state = advance(x, state, weights)
            states.append(state[0])
    h = [torch.cat(pair) for pair in zip(forward, backward[::-1])]
    return h, torch.cat([forward[-1], backward[-1]])


def weigh(scores):
    exps = [e.exp() for e in scores]
    return [e / sum(exps) for e in exps]


def decode(model, cell, options, h, last, words):
    """Logits and weights, a row for each target word."""
    d, attention = model.decoder, options["attention"]
    S, weights = len(h), d.recurrent.rnn.all_weights[0]
    s0 = torch.tanh(d.bridge.weight @ last + d.bridge.bias)
    state = (s0, torch.zeros_like(s0)) if cell == "lstm" else (s0,)
    h_tilde = torch.zeros_like(s0)
    logits, rows = [], []
    for w in words:
        y = d.embedding.weight[w]
        if attention == "luong":
            state = advance(torch.cat([y, h_tilde]) if options["input_feeding"] else y, state, weights)
            a = luong_weights(d, options, state[0], h)
            c = sum(a[j] * h[j] for j in range(S))
            h_tilde = torch.tanh(d.combine.weight @ torch.cat([c, state[0]]))
            t = h_tilde
        else:
            if attention == "bahdanau":  # s_{i-1} asks
                W, U, v = d.score.W.weight, d.score.U.weight, d.score.v.weight[0]
                a = weigh([v @ torch.tanh(W @ state[0] + U @ h[j]) for j in range(S)])
                c = sum(a[j] * h[j] for j in range(S))
            else:
                a, c = None, last
            state = advance(torch.cat([y, c]), state, weights)
            deep = d.readout.linear
            both = deep.weight @ torch.cat([state[0], c, y]) + deep.bias
            D = len(both) // 2  # the paper pairs neighbours; which two meet is only a numbering
            t = torch.stack([torch.maximum(both[k], both[k + D]) for k in range(D)])
        logits.append(d.output.weight @ t + d.output.bias)
        rows.append(a)
    return torch.stack(logits), None if a is None else torch.stack([torch.stack(r) for r in rows])


def luong_weights(d, options, h_t, h):
    """a_t of section 3: one of the three scores, global or local-p."""
    if options["score"] == "dot":
        scores = [h_t @ h_s for h_s in h]
    elif options["score"] == "general":
        scores = [h_t @ (d.score.W.weight @ h_s) for h_s in h]
    else:
        W = torch.cat([d.score.W.weight, d.score.U.weight], 1)
        scores = [d.score.v.weight[0] @ torch.tanh(W @ torch.cat([h_t, h_s])) for h_s in h]
    if options["window"] is None:
        return weigh(scores)
    D, S = options["window"], len(h)
    p = S * torch.sigmoid(d.local.v.weight[0] @ torch.tanh(d.local.W.weight @ h_t))
    near = [s for s in range(S) if p - D <= s <= p + D]
    aligned = dict(zip(near, weigh([scores[s] for s in near])))
    sigma = D / 2
    return [
        aligned[s] * torch.exp(-((s - p) ** 2) / (2 * sigma**2)) if s in near else 0.0 * p
        for s in range(S)
    ]


@both_cells
@every_variant
def test_against_the_equations(options, cell):
    """A padded batch: logits, weights and all gradients as written out for each sentence alone."""
    model = tiny(cell, options)
    logits, weights = model(SOURCE, TARGET, return_attention=True)
    assert model(SOURCE, TARGET).equal(logits)
    expected = []
    for b, S in enumerate(LENGTHS):
        h, last = encode(model.encoder, cell, SOURCE[b, :S].tolist())
        rows, looked = decode(model, cell, options, h, last, TARGET[b].tolist())
        expected.append(rows)
        if looked is None:
            assert weights is None
        else:
            same(weights[b, :, :S], looked)
            assert (weights[b, :, S:] == 0).all()
    same(logits, torch.stack(expected))
    parameters = [
        p for n, p in model.named_parameters() if "embedding" not in n  # row 0 never learns
    ]
    found = gradients(logits, parameters)
    for f, e in zip(found, gradients(torch.stack(expected), parameters)):
        same(f, e, 1e-10)
    assert all((f != 0).any() for f in found)


# ---------------------------------------------------------------- the parts


@both_cells
def test_recurrent_against_torch_cells(cell):
    """Recurrent is nn.GRU or nn.LSTM; its step is nn.GRUCell or nn.LSTMCell, and the formula."""
    layer = randomise(Recurrent(cell, 3, 4))
    theirs = {"gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell](3, 4).double()
    theirs.load_state_dict({n.removesuffix("_l0"): v for n, v in layer.rnn.state_dict().items()})
    x, start = randn(2, 5, 3), layer.begin(randn(2, 4))
    assert len(start) == (2 if cell == "lstm" else 1)
    if cell == "lstm":
        assert (start[1] == 0).all()
        start = start[0], randn(2, 4)
    state, by_cell, by_hand = start, start, [tuple(s[b] for s in start) for b in range(2)]
    states = layer(x, start)
    for t in range(5):
        state = layer.step(x[:, t], state)
        by_cell = theirs(x[:, t], by_cell if cell == "lstm" else by_cell[0])
        by_cell = by_cell if cell == "lstm" else (by_cell,)
        weights = layer.rnn.all_weights[0]
        by_hand = [advance(x[b, t], by_hand[b], weights) for b in range(2)]
        same(states[:, t], state[0])
        for n, part in enumerate(state):
            same(part, by_cell[n])
            same(part, torch.stack([by_hand[b][n] for b in range(2)]))


@both_cells
def test_encoder_ignores_padding(cell):
    encoder = randomise(Encoder(8, 5, 6, cell))
    states, mask, last = encoder(SOURCE)
    assert mask.tolist() == [[[w != 0 for w in row]] for row in SOURCE.tolist()]
    for b, S in enumerate(LENGTHS):
        alone, alone_mask, alone_last = encoder(SOURCE[b : b + 1, :S])
        same(states[b, :S], alone[0])
        same(last[b], alone_last[0])
        assert (states[b, S:] == 0).all() and alone_mask.all()
        # forward state at the last word, backward state at the first
        same(last[b], torch.cat([states[b, S - 1, :3], states[b, 0, 3:]]))


@both_cells
@every_variant
def test_padding_never_changes_logits(options, cell):
    model = tiny(cell, options)
    wider = torch.cat([SOURCE, torch.zeros(3, 4, dtype=torch.long)], 1)
    logits, weights = model(SOURCE, TARGET, return_attention=True)
    padded, padded_weights = model(wider, TARGET, return_attention=True)
    same(padded, logits)
    if weights is not None:
        same(padded_weights[..., :5], weights)
        assert (padded_weights[..., 5:] == 0).all()


@both_cells
@every_variant
@torch.no_grad()
def test_steps_equal_forward(options, cell):
    """Fed with the same words, a step at a time; and rows of the batch may change places."""
    model = tiny(cell, options)
    whole, whole_weights = model(SOURCE, TARGET, return_attention=True)
    memory = model.encode(SOURCE)
    state, order = model.start(memory), torch.arange(3)
    for t in range(4):
        logits, state, weights = model.step(TARGET[order, t], state, memory)
        same(logits, whole[order, t])
        if whole_weights is None:
            assert weights is None
        else:
            same(weights, whole_weights[order, t])
        rows = torch.tensor([2, 0, 0])
        order, state, memory = order[rows], select(state, rows), select(memory, rows)


def test_maxout_by_hand():
    """Of the four sums the first meets the third, the second the fourth."""
    out = DeepOutput(2, 1)
    out.linear.weight.data = torch.eye(4, 5)
    out.linear.bias.data = torch.tensor([0.0, 0, 0, 10])
    # state (1, 4), context (−3, −9), word 7: sums 1, 4, −3, 1
    h, context, word = (torch.tensor(v) for v in ([[1.0, 4]], [[-3.0, -9]], [[7.0]]))
    assert out(h, context, word).tolist() == [[1, 4]]
    out.linear.bias.data[2] = 6.0
    assert out(h, context, word).tolist() == [[3, 4]]


def test_bahdanau_context_by_hand():
    """Two source words, scores 0 and tanh(1), and the mean that they weigh."""
    d = BahdanauDecoder(5, 1, 2).double()
    for layer, rows in ((d.score.W, [[1.0, 0], [0, 0]]), (d.score.U, [[0, 0], [0, 1.0]])):
        layer.weight.data = torch.tensor(rows).double()
    d.score.v.weight.data = torch.tensor([[0.0, 1.0]]).double()
    h = torch.tensor([[[4.0, 0.0], [0.0, 1.0]]]).double()
    memory = Memory(h, d.keys(h), torch.ones(1, 1, 2).bool(), h[:, 0])
    s = torch.tensor([[5.0, 7.0]]).double()
    _, context, _, weights = d.advance(torch.zeros(1, 1).double(), (s,), memory)
    a = 1 / (1 + torch.tensor(1.0).double().tanh().exp())
    same(weights, torch.stack([a, 1 - a])[None])
    same(context, torch.stack([4 * a, 1 - a])[None])


def test_local_window_by_hand():
    """p = S/2 where v is zero; a window of 2 shows |s − p| ≤ 2; σ = 1."""
    local = LocalWindow(3, 2).double()
    local.v.weight.data.zero_()
    scores, mask = torch.zeros(1, 1, 8).double(), torch.ones(1, 1, 8).bool()
    mask[..., 6:] = False  # six real words: p = 3
    expected = torch.tensor([0, 2, 1, 0, 1, 2, 0, 0]).double()  # distances
    expected = torch.exp(-expected.square() / 2) / 5
    expected[[0, 6, 7]] = 0
    same(local(randn(1, 1, 3), scores, mask), expected[None, None])


def test_keys_are_projected_once():
    model, calls = tiny("gru", dict(attention="bahdanau")), []
    model.decoder.score.U.register_forward_hook(lambda *_: calls.append(1))
    model(SOURCE, TARGET)
    assert len(calls) == 1


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    "cell, options",
    [
        ("gru", dict(attention=None)),
        ("gru", dict(attention="bahdanau")),
        ("lstm", dict(attention="luong", score="concat")),
        ("lstm", dict(attention="luong", score="general", window=2, input_feeding=False)),
    ],
)
def test_gradcheck(cell, options):
    """Autograd's gradient of the logits is that of finite differences, for every parameter."""
    model = randomise(Seq2Seq(5, 4, embed=2, width=2, cell=cell, **options))
    source, target = torch.tensor([[3, 4, 2], [4, 2, 0]]), torch.tensor([[1, 3], [1, 2]])
    names, values = zip(*model.named_parameters())

    def logits(*values):
        return torch.func.functional_call(model, dict(zip(names, values)), (source, target))

    values = [value.detach().clone().requires_grad_() for value in values]
    assert torch.autograd.gradcheck(logits, values)
    assert all((gradient != 0).any() for gradient in gradients(logits(*values), values))


# ---------------------------------------------------------------- errors


def test_errors_name_what_was_given():
    with pytest.raises(ValueError, match="not 'vaswani'"):
        Seq2Seq(8, 7, attention="vaswani")
    with pytest.raises(ValueError, match="cell 'rnn' is none of gru, lstm"):
        Seq2Seq(8, 7, cell="rnn")
    with pytest.raises(ValueError, match="score 'cosine' is none of dot, general, concat"):
        Seq2Seq(8, 7, attention="luong", score="cosine")
    with pytest.raises(ValueError, match="width: 5 is odd"):
        Seq2Seq(8, 7, width=5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'window'"):
        Seq2Seq(8, 7, attention="bahdanau", window=2)
    with pytest.raises(ValueError, match="sentence 1 of the batch has no words"):
        Seq2Seq(8, 7, embed=4, width=4).encode(torch.tensor([[4, 5], [0, 0], [4, 0]]))
    with pytest.raises(ValueError, match="sentence 1 of the batch has padding before a word"):
        Seq2Seq(8, 7, embed=4, width=4).encode(torch.tensor([[4, 5], [0, 4], [4, 0]]))
    for window in (0, -1):
        with pytest.raises(ValueError, match=f"window must be at least 1 word, not {window}"):
            Seq2Seq(8, 7, attention="luong", window=window)
