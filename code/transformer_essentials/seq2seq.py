"""Recurrent encoder–decoders: one vector between them, Bahdanau's attention, Luong's.

Every translator of the book, this file's and ``transformer.py``'s, is used in the same way:

    logits = model(source, target_in)                  # teacher forcing, all positions at once
    memory = model.encode(source)                      # what the decoder may look at
    state = model.start(memory)                        # the decoder before its first word
    logits, state, weights = model.step(ids, state, memory)     # one word further

Shape letters: B batch, T target length, S source length, D width of a state, E width of an
embedding, V vocabulary.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention import AdditiveScore, GeneralScore, dot_score, softmax_align
from .tokenizers import PAD


class Memory(NamedTuple):
    """What the encoder hands over."""

    states: Tensor  # h_1 … h_S, (B,S,D): the values
    keys: Tensor  # the states as the score function wants them, projected once, (B,S,·)
    mask: Tensor  # True at real words, (B,1,S)
    last: Tensor  # one vector for the whole sentence, (B,D)


class Recurrent(nn.Module):
    """A layer of GRU or LSTM that runs over a sequence, or one step at a time.

    Its state is a tuple of (B,D): (h,) of a GRU, (h, cell) of an LSTM.
    """

    def __init__(self, cell: str, input_width: int, width: int):
        super().__init__()
        self.rnn = LAYERS[cell](input_width, width, batch_first=True)
        self.has_cell = cell == "lstm"

    def begin(self, h: Tensor) -> tuple[Tensor, ...]:
        """The state that starts from h (B,D); an LSTM's cell starts from zeros."""
        return (h, torch.zeros_like(h)) if self.has_cell else (h,)

    def step(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The state after one input x (B,·)."""
        weights = self.rnn.all_weights[0]
        if self.has_cell:
            return torch.lstm_cell(x, state, *weights)
        return (torch.gru_cell(x, state[0], *weights),)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> Tensor:
        """The states h after each of the inputs x (B,T,·): (B,T,D)."""
        first = tuple(s[None] for s in state)
        return self.rnn(x, first if self.has_cell else first[0])[0]


LAYERS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Encoder(nn.Module):
    """Reads the sentence both ways: h_j = [forward state; backward state] (Bahdanau, 3.2)."""

    def __init__(self, vocabulary: int, embed: int, width: int, cell: str = "gru"):
        super().__init__()
        if cell not in LAYERS:
            raise ValueError(f"cell {cell!r} is none of {', '.join(LAYERS)}")
        if width % 2:
            raise ValueError(f"two directions share the width: {width} is odd")
        self.embedding = nn.Embedding(vocabulary, embed, padding_idx=PAD)
        self.rnn = LAYERS[cell](embed, width // 2, bidirectional=True, batch_first=True)

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """source (B,S), padded on the right -> states (B,S,D), mask (B,1,S), last (B,D).

        ``last`` joins the forward state at the last word and the backward state at the first.
        """
        mask = source != PAD
        lengths = mask.sum(1)
        if (lengths == 0).any():
            raise ValueError(f"sentence {int(lengths.argmin())} of the batch has no words")
        if (late := (mask[:, 1:] > mask[:, :-1]).any(1)).any():
            row = int(late.int().argmax())
            raise ValueError(f"sentence {row} of the batch has padding before a word")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(source), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, last = self.rnn(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(
            states, batch_first=True, total_length=source.shape[1]
        )
        last = last[0] if isinstance(last, tuple) else last  # an LSTM's h, without its cell
        return states, mask[:, None], torch.cat([last[0], last[1]], -1)


class Decoder(nn.Module):
    """What the three decoders share: words in, states onward, words out.

    A decoder says in ``advance`` how one word changes its state, and in ``readout`` what a
    distribution over the next word is made from.
    """

    def __init__(self, vocabulary: int, embed: int, width: int, cell: str, input_width: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embed, padding_idx=PAD)
        self.bridge = nn.Linear(width, width)
        self.recurrent = Recurrent(cell, input_width, width)
        self.output = nn.Linear(width, vocabulary)

    def keys(self, states: Tensor) -> Tensor:
        return states

    def start(self, memory: Memory):
        """s_0 = tanh(W last)."""
        return self.recurrent.begin(torch.tanh(self.bridge(memory.last)))

    def step(self, ids: Tensor, state, memory: Memory):
        """ids (B,) -> logits (B,V), the new state, weights (B,S) or None."""
        word = self.embedding(ids)  # (B,E)
        h, context, state, weights = self.advance(word, state, memory)
        return self.output(self.readout(h, context, word)), state, weights

    def forward(self, target_in: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """target_in (B,T) -> logits (B,T,V), weights (B,T,S) or None."""
        words, state, steps = self.embedding(target_in), self.start(memory), []
        for word in words.unbind(1):
            h, context, state, weights = self.advance(word, state, memory)
            steps.append((h, context, weights))
        h, context, weights = (torch.stack(each, 1) for each in zip(*steps))
        return self.output(self.readout(h, context, words)), weights  # all words read out at once


class DeepOutput(nn.Module):
    """t = maxout of state, context and previous word (Bahdanau et al., 2015, A.2.2).

    The state is s_i, as in their equation 4; the appendix has s_{i-1} in its place. Which two
    units compete is a matter of naming: here k and k + D, in the paper neighbours.
    """

    def __init__(self, width: int, embed: int):
        super().__init__()
        self.linear = nn.Linear(2 * width + embed, 2 * width)

    def forward(self, h: Tensor, context: Tensor, word: Tensor) -> Tensor:
        both = self.linear(torch.cat([h, context, word], -1))  # (…,2D)
        return torch.maximum(*both.chunk(2, -1))  # (…,D)


class PlainDecoder(Decoder):
    """The whole sentence in one vector, fed at every step (Cho et al., 2014)."""

    def __init__(self, vocabulary: int, embed: int, width: int, cell: str = "gru"):
        super().__init__(vocabulary, embed, width, cell, embed + width)
        self.readout = DeepOutput(width, embed)

    def advance(self, word: Tensor, state, memory: Memory):
        state = self.recurrent.step(torch.cat([word, memory.last], -1), state)
        return state[0], memory.last, state, None

    def forward(self, target_in: Tensor, memory: Memory) -> tuple[Tensor, None]:
        """The same in one call: no step needs what the one before has looked at."""
        words = self.embedding(target_in)  # (B,T,E)
        context = memory.last[:, None].expand(-1, words.shape[1], -1)
        h = self.recurrent(torch.cat([words, context], -1), self.start(memory))
        return self.output(self.readout(h, context, words)), None


class BahdanauDecoder(Decoder):
    """Looks, then updates: s_{i-1} asks, c_i enters s_i (Bahdanau et al., 2015, section 3.1).

    Two details are PyTorch's or ours: the GRU resets after the matrix product, not before, and
    s_0 comes from both directions' last states, not from the backward one alone.
    """

    def __init__(self, vocabulary: int, embed: int, width: int, cell: str = "gru"):
        super().__init__(vocabulary, embed, width, cell, embed + width)
        self.score = AdditiveScore(width, width, width)
        self.readout = DeepOutput(width, embed)

    def keys(self, states: Tensor) -> Tensor:
        return self.score.project(states)

    def advance(self, word: Tensor, state, memory: Memory):
        scores = self.score.compare(state[0][:, None], memory.keys)  # (B,1,S)
        weights = softmax_align(scores, memory.mask)
        context = (weights @ memory.states)[:, 0]  # (B,D)
        state = self.recurrent.step(torch.cat([word, context], -1), state)
        return state[0], context, state, weights[:, 0]


class DotScore(nn.Module):
    """The dot product, with the interface of the scores that have weights."""

    project = staticmethod(lambda keys: keys)
    compare = staticmethod(dot_score)


SCORES = {
    "dot": lambda width: DotScore(),
    "general": lambda width: GeneralScore(width, width),
    "concat": lambda width: AdditiveScore(width, width, width),
}


class LocalWindow(nn.Module):
    """Looks near a predicted place only: local-p attention (Luong et al., 2015, eqs. 9, 10)."""

    def __init__(self, width: int, window: int):
        super().__init__()
        self.W, self.v = nn.Linear(width, width, bias=False), nn.Linear(width, 1, bias=False)
        self.window = window

    def forward(self, h: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        """h (B,T,D), scores (B,T,S) -> weights (B,T,S), zero beyond the window."""
        length = mask.sum(-1, keepdim=True)  # (B,1,1)
        centre = length * torch.sigmoid(self.v(torch.tanh(self.W(h))))  # p_t, (B,T,1)
        distance = torch.arange(scores.shape[-1], device=h.device) - centre  # (B,T,S)
        weights = softmax_align(scores, mask & (distance.abs() <= self.window))
        return weights * torch.exp(-2 * (distance / self.window).square())  # σ = window / 2


class LuongDecoder(Decoder):
    """Updates, then looks: h_t asks, c_t enters the output (Luong et al., 2015, section 3).

    With ``input_feeding`` the attentional state h̃_t goes into the next step as well (3.3);
    with ``window`` the attention is local-p, ``window`` words to each side.
    """

    def __init__(
        self, vocabulary, embed, width, cell="gru", *, score="general", input_feeding=True, window=None
    ):
        super().__init__(vocabulary, embed, width, cell, embed + width * input_feeding)
        if score not in SCORES:
            raise ValueError(f"score {score!r} is none of {', '.join(SCORES)}")
        if window is not None and window < 1:
            raise ValueError(f"window must be at least 1 word, not {window}")
        self.score = SCORES[score](width)
        self.local = LocalWindow(width, window) if window else None
        self.combine = nn.Linear(2 * width, width, bias=False)
        self.input_feeding = input_feeding

    def keys(self, states: Tensor) -> Tensor:
        return self.score.project(states)

    def start(self, memory: Memory):
        state = super().start(memory)
        return state, torch.zeros_like(state[0])  # nothing was attended to yet

    def look(self, h: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """h (B,T,D) -> context (B,T,D), weights (B,T,S)."""
        scores = self.score.compare(h, memory.keys)
        if self.local is None:
            weights = softmax_align(scores, memory.mask)
        else:
            weights = self.local(h, scores, memory.mask)
        return weights @ memory.states, weights

    def readout(self, h: Tensor, context: Tensor, word: Tensor) -> Tensor:
        """h̃ = tanh(W [c; h]) (eq. 5)."""
        return torch.tanh(self.combine(torch.cat([context, h], -1)))

    def advance(self, word: Tensor, state, memory: Memory):
        state, attended = state
        x = torch.cat([word, attended], -1) if self.input_feeding else word
        state = self.recurrent.step(x, state)
        context, weights = self.look(state[0][:, None], memory)
        if self.input_feeding:
            attended = self.readout(state[0], context[:, 0], word)
        return state[0], context[:, 0], (state, attended), weights[:, 0]

    def forward(self, target_in: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        if self.input_feeding:
            return super().forward(target_in, memory)
        words = self.embedding(target_in)  # without feeding, all steps in one call
        h = self.recurrent(words, self.start(memory)[0])
        context, weights = self.look(h, memory)
        return self.output(self.readout(h, context, words)), weights


DECODERS = {None: PlainDecoder, "bahdanau": BahdanauDecoder, "luong": LuongDecoder}


class Seq2Seq(nn.Module):
    """A recurrent translator; ``attention`` is None, "bahdanau" or "luong".

    ``options`` go to the decoder: Luong's takes ``score`` ("dot", "general", "concat"),
    ``input_feeding`` and ``window``. ids 0 are padding, on the right.
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        *,
        attention: str | None = "bahdanau",
        embed: int = 128,
        width: int = 128,
        cell: str = "gru",
        **options,
    ):
        super().__init__()
        if attention not in DECODERS:
            raise ValueError(f'attention must be None, "bahdanau" or "luong", not {attention!r}')
        self.encoder = Encoder(source_vocabulary, embed, width, cell)
        self.decoder = DECODERS[attention](target_vocabulary, embed, width, cell, **options)

    def encode(self, source: Tensor) -> Memory:
        """source (B,S) -> what the decoder may look at."""
        states, mask, last = self.encoder(source)
        return Memory(states, self.decoder.keys(states), mask, last)

    def start(self, memory: Memory):
        """The decoder's state before its first word."""
        return self.decoder.start(memory)

    def step(self, ids: Tensor, state, memory: Memory):
        """The words ids (B,) -> logits of the next (B,V), the state, weights (B,S) or None."""
        return self.decoder.step(ids, state, memory)

    def forward(self, source: Tensor, target_in: Tensor, return_attention: bool = False):
        """source (B,S), target_in (B,T) -> logits (B,T,V); on request weights (B,T,S) too."""
        logits, weights = self.decoder(target_in, self.encode(source))
        return (logits, weights) if return_attention else logits
