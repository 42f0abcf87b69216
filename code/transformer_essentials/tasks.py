"""What each model is asked in pretraining, from a text to a loss; and which model is asked what.

A task cuts texts into rows, makes batches of rows (spoilt as the paper says, each time anew), and
is called with a batch. The spoiling itself is in ``objectives.py``; ``MODELS``, at the end, gives
each model its task. Shape letters: B batch, T tokens.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from . import objectives
from .albert import ALBERTForPreTraining
from .bart import BART
from .bert import BERTForPreTraining
from .ctrl import CTRLForCausalLM
from .distilbert import DistilBERTForMaskedLM
from .electra import ELECTRAForMaskedLM, ELECTRAForPreTraining, share_embeddings
from .gpt import GPTForCausalLM
from .gpt2 import GPT2ForCausalLM
from .heads import IGNORE, masked_lm_loss, pretraining_loss, token_loss
from .mae import MAEForPreTraining, normalise, patchify, reconstruction_loss
from .marian import Marian
from .mbart import MBART
from .roberta import RoBERTaForMaskedLM
from .t5 import T5
from .transformer_xl import TransformerXLForCausalLM


class Text(NamedTuple):
    """Ids of the sentences of a text, or of a source and its target; the tokens that name them."""

    parts: list[list[int]]
    names: tuple[int, ...] = ()


class Task(nn.Module):
    """A model and what it is asked: called with a batch, it gives the loss.

    ``tokens`` has the id of each mark (``pad``, ``end``, …); ``length`` is how many tokens a row
    may have.
    """

    named = False  # do texts begin or end with what their file is called?

    def __init__(self, model: nn.Module, tokens: SimpleNamespace | None, length: int):
        super().__init__()
        self.model, self.tokens, self.length = model, tokens, length

    def rows(self, texts: Sequence) -> list:
        """What the texts are cut into: one row is one example."""
        return list(texts)

    def batch(self, rows: list, rng: Generator) -> tuple[Tensor, ...]:
        """Rows -> what ``forward`` takes."""
        raise NotImplementedError


class MaskedWords(Task):
    """RoBERTa's: some words are masked, differently each time."""

    choose = staticmethod(objectives.choose)

    def rows(self, texts):
        return [sum(row, []) for text in texts for row in fit(text.parts, self.length - 2)]

    def batch(self, rows, rng):
        t = self.tokens
        return self.hide(padded([[t.start, *row, t.end] for row in rows], t.pad), rng)

    def words(self, ids: Tensor) -> Tensor:
        """Where no mark stands, (B,T)."""
        return ~torch.isin(ids, torch.tensor(self.tokens.marks, device=ids.device))

    def hide(self, ids, rng):
        chosen, t = self.choose(self.words(ids), rng=rng), self.tokens
        return objectives.mask_tokens(ids, chosen, t.mask, t.size, rng=rng)

    def forward(self, inputs, labels):
        return masked_lm_loss(self.model, inputs, labels)


class NextSentence(MaskedWords):
    """BERT's: also, does the second half of a text follow the first?"""

    pairs = staticmethod(objectives.next_sentence)

    def rows(self, texts):
        return [row for text in texts for row in fit(text.parts, self.length - 3)]

    def batch(self, rows, rng):
        t, firsts = self.tokens, []
        pairs = self.pairs([halves(row, rng) for row in rows], rng)
        for first, second, _ in pairs:
            room = self.length - 3 - len(first)
            firsts.append(objectives.pack(first, second[:room], t.start, t.end))
        ids, segments = zip(*firsts)
        labels = torch.tensor([label for *_, label in pairs])
        return *self.hide(padded(ids, t.pad), rng), labels, padded(segments, 0)

    def forward(self, inputs, labels, pairs, segments):
        return pretraining_loss(self.model, inputs, labels, pairs, segments=segments)


class SentenceOrder(NextSentence):
    """ALBERT's: masked spans, and were the halves swapped?"""

    choose = staticmethod(objectives.choose_spans)

    def pairs(self, documents, rng):
        return [pair for two in documents for pair in objectives.sentence_order(two, rng)]


class ReplacedTokens(MaskedWords):
    """ELECTRA's: a generator fills masked words in, the model finds them out."""

    def __init__(self, model, tokens, length, generator: ELECTRAForMaskedLM):
        super().__init__(model, tokens, length)
        self.generator = generator
        share_embeddings(generator, model)

    def hide(self, ids, rng):
        return (ids,)

    def forward(self, ids):
        words = self.words(ids)
        return objectives.electra_loss(self.generator, self.model, ids, words, self.tokens.mask)


class Distillation(MaskedWords):
    """DistilBERT's: masked words, and what a teacher thinks of all of them."""

    def __init__(self, model, tokens, length, teacher: nn.Module):
        super().__init__(model, tokens, length)
        self.teacher = (teacher,)  # in a tuple it is no part of what is trained and saved

    def forward(self, inputs, labels):
        [teacher], student = self.teacher, self.model
        with torch.no_grad():
            known = teacher.encoder(inputs)
            theirs = teacher.head(known), known
        hidden = student.encoder(inputs)
        ours = student.head(hidden), hidden
        return objectives.distillation_loss(ours, theirs, labels, inputs != self.tokens.pad)[0]


class NextToken(Task):
    """GPT's: texts one after the other, an end mark after each, cut into rows of one length."""

    segments = 1

    def rows(self, texts):
        streams, step = {}, self.segments * self.length
        for text in texts:
            streams.setdefault(text.names, []).extend([*sum(text.parts, []), self.tokens.end])
        rows = [
            [*names, *stream[i : i + step + 1 - len(names)]]  # the last is only asked for
            for names, stream in streams.items()
            for i in range(0, len(stream), step)
        ]
        return [row for row in rows if len(row) > 1]

    def batch(self, rows, rng):
        return objectives.next_token(padded(rows, self.tokens.pad), self.tokens.pad)

    def forward(self, inputs, labels):
        return self.model.loss(inputs, labels)


class ControlCode(NextToken):
    """CTRL's: the first token of each row says which file it is from."""

    named = True


class Segments(NextToken):
    """Transformer-XL's: four segments a row, each with the memory of those before it."""

    segments = 4

    def forward(self, inputs, labels):
        memory, total = None, 0.0
        for ids, answers in zip(inputs.split(self.length, 1), labels.split(self.length, 1)):
            hidden, memory, _ = self.model.decoder.segment(ids, memory)
            real = answers != IGNORE
            total = total - self.model.softmax.log_prob(hidden[real], answers[real]).sum()
        return total / (labels != IGNORE).sum()


def in_order(streams: Tensor, length: int) -> tuple[Callable, Iterator[tuple]]:
    """Loss and batches of a Transformer-XL that reads streams (B,n) side by side, in segments.

    Each segment has the memory of those before it, also from update to update (Dai et al., 2019,
    section 3.2); at the end it begins again, without any. So each batch must be used once, in this
    order: by one process, and from the beginning. n counts the tokens of a stream.
    """
    memory = None

    def loss(model: TransformerXLForCausalLM, batch: tuple) -> Tensor:
        nonlocal memory
        ids, asked, begins = batch
        log_p, memory, _ = model.segment(ids, None if begins else memory)
        return token_loss(log_p, asked)

    def segments():
        if streams.shape[1] <= length:
            raise ValueError(
                f"streams of {streams.shape[1]} tokens are too short for a segment of {length}, "
                "which is asked for the token behind it, too"
            )
        while True:
            for i in range(0, streams.shape[1] - length, length):
                yield streams[:, i : i + length], streams[:, i + 1 : i + length + 1], i == 0

    return loss, segments()


class Translation(Task):
    """A source, and the target to write: pairs of a file. What is too long is left out."""

    def rows(self, texts):
        rows = [
            [self.framed(ids, *text.names[i : i + 1]) for i, ids in enumerate(text.parts)]
            for text in texts
        ]
        return [row for row in rows if max(map(len, row)) <= self.length]

    def framed(self, ids: list[int], *name: int) -> list[int]:
        """With the marks that the model's texts have; ``name`` is mBART's token of the language."""
        start = [self.tokens.start] if hasattr(self.tokens, "start") else []
        return [*start, *ids, self.tokens.end, *name]

    def spoilt(self, row, rng: Generator) -> tuple[list[int], list[int]]:
        """A row -> source, target."""
        return row

    def batch(self, rows, rng):
        sources, targets = zip(*(self.spoilt(row, rng) for row in rows))
        labels, model = padded(targets, IGNORE), self.model
        target_in = family(model).shift_tokens_right(labels, model.config)
        return padded(sources, self.tokens.pad), target_in, labels

    def forward(self, source, target_in, labels):
        return self.model.loss(source, target_in, labels)


class Infilling(Translation):
    """BART's: sentences in another order, spans of them masked."""

    def rows(self, texts):
        return [row for text in texts for row in fit(text.parts, self.length - 2)]

    def spoilt(self, row, rng):
        source, target = objectives.bart_noise(row, self.tokens.mask, rng=rng)
        return self.framed(source[: self.length - 2]), self.framed(target)


class Denoising(Translation):
    """mBART's: the same, an end mark after each sentence, the file's name being the language."""

    named = True

    def rows(self, texts):
        room = self.length - 1
        return [(row, *text.names) for text in texts for row in fit(text.parts, room, marks=1)]

    def spoilt(self, row, rng):
        (sentences, language), t = row, self.tokens
        noise = objectives.multilingual_denoising
        source, target = noise(sentences, language, t.mask, t.end, rng=rng)
        return [*source[:-1][: self.length - 1], language], target


class SpanCorruption(Translation):
    """T5's: spans dropped, a sentinel in the place of each."""

    def rows(self, texts):
        return [sum(row, []) for text in texts for row in fit(text.parts, self.length - 1)]

    def spoilt(self, row, rng):
        source, target = objectives.span_corruption(row, self.tokens.sentinels, rng=rng)
        return self.framed(source), self.framed(target)


class Patches(Task):
    """MAE's: three patches of four are hidden. A text is an image here, (C,height,width)."""

    def batch(self, rows, rng):
        return (torch.stack(rows),)

    def forward(self, images):
        prediction, masked = self.model(images)
        patches = normalise(patchify(images, self.model.config.patch_size))
        return reconstruction_loss(prediction, patches, masked)


def fit(sentences: list[list[int]], room: int, marks: int = 0) -> list[list[list[int]]]:
    """Neighbouring sentences together in rows of at most ``room`` tokens; longer ones are cut.

    Each sentence takes ``marks`` tokens more. A row of one token is left out.
    """
    rows, used = [], room
    for sentence in sentences:
        for i in range(0, len(sentence), room - marks):
            piece = sentence[i : i + room - marks]
            if used + len(piece) + marks > room:
                rows.append([])
                used = 0
            rows[-1].append(piece)
            used += len(piece) + marks
    return [row for row in rows if sum(map(len, row)) > 1]


def halves(row: list[list[int]], rng: Generator) -> list[list[int]]:
    """Cut in two between sentences, or, if there is one alone, anywhere within it."""
    if one := len(row) == 1:
        row = [[token] for token in row[0]]
    cut = 1 + int(torch.randint(len(row) - 1, (), generator=rng))
    return [sum(row[:cut], []), sum(row[cut:], [])]


def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """(B,T), filled up on the right."""
    return pad_sequence([torch.tensor(row) for row in rows], True, value)


def family(model: nn.Module | type):
    """The file that a model comes from."""
    return sys.modules[getattr(model, "__module__")]


# ---------------------------------------------------------------- models


class Recipe(NamedTuple):
    model: type
    task: type[Task]
    tokenizer: str = "none"
    marks: dict[str, str] = {}  # what a mark is for, and how it is written; ids in this order


BERT_MARKS = dict(pad="[PAD]", unk="[UNK]", start="[CLS]", end="[SEP]", mask="[MASK]")
BART_MARKS = dict(start="<s>", pad="<pad>", end="</s>", unk="<unk>", mask="<mask>")
MBART_MARKS = dict(pad="<pad>", end="</s>", unk="<unk>", mask="<mask>")
T5_MARKS = dict(pad="<pad>", end="</s>", unk="<unk>")
GPT_MARKS = dict(pad="<pad>", end="<end>", unk="<unk>")
MODELS = {
    "bert": Recipe(BERTForPreTraining, NextSentence, "wordpiece", BERT_MARKS),
    "roberta": Recipe(RoBERTaForMaskedLM, MaskedWords, "bytes", BART_MARKS),
    "albert": Recipe(ALBERTForPreTraining, SentenceOrder, "sentencepiece", BERT_MARKS),
    "distilbert": Recipe(DistilBERTForMaskedLM, MaskedWords, "wordpiece", BERT_MARKS),
    "electra": Recipe(ELECTRAForPreTraining, ReplacedTokens, "wordpiece", BERT_MARKS),
    "gpt": Recipe(GPTForCausalLM, NextToken, "bytes", GPT_MARKS),
    "gpt2": Recipe(GPT2ForCausalLM, NextToken, "bytes", GPT_MARKS),
    "ctrl": Recipe(CTRLForCausalLM, ControlCode, "bytes", GPT_MARKS),
    "transformer-xl": Recipe(TransformerXLForCausalLM, Segments, "words", GPT_MARKS),
    "bart": Recipe(BART, Infilling, "bytes", BART_MARKS),
    "mbart": Recipe(MBART, Denoising, "sentencepiece", MBART_MARKS),
    "marian": Recipe(Marian, Translation, "sentencepiece", T5_MARKS),
    "t5": Recipe(T5, SpanCorruption, "sentencepiece", T5_MARKS),
    "mae": Recipe(MAEForPreTraining, Patches),
}
