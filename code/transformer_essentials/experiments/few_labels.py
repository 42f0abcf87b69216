"""10, 100 and 1000 labels: a small GPT trained from scratch, frozen, or fine-tuned, on two tasks.

The text for pretraining and the tasks come from the book's grammar: short English sentences. The
labels are computed from how a sentence was made. "when": is it now, or in the past? "who": is what
it names first a person, an animal or a thing? Shape letters: B batch, T tokens, D width, L labels.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..corpora import grammar
from ..corpora.words import NOUNS
from ..generation import pad
from ..gpt import GPT, GPTConfig, GPTForCausalLM
from ..heads import token_loss
from ..objectives import next_token
from ..tokenizers import BOS, EOS, PAD, Vocabulary
from ..training import train

SEEDS = (0, 1, 2)
TASKS = {"when": ("now", "past"), "who": ("person", "animal", "thing")}
SIZES = (10, 100, 1000)
QUESTIONS = {  # asked in words: what is put behind the sentence, and the words for the answers
    "when": ((), ("every", "yesterday")),
    "who": (("and", "the"), ("man", "cat", "house")),
}
RATES = {"from scratch": 1e-2, "fine-tuning": 3e-3}  # the better of the two, with seed 9
UPDATES = {10: 60, 100: 60, 1000: 150}  # on so many labels
NOUN = {form: noun for noun in NOUNS for form in noun.en if form}


def sentences(seed: int, split: str = "train"):
    """Sentences of 4 to 6 words without end, each with its labels; "test" has none of "train"."""
    writer = grammar.Writer(seed)
    while True:
        words = writer.sentence(writer.between(4, 6)).source
        if (grammar.split_of(words) == "train") == (split == "train"):
            kinds = [NOUN[word].kind for word in words if word in NOUN]
            who = {"person": 0, "animal": 1}.get(kinds[0], 2) if kinds else None
            yield words, {"when": int(writer.past), "who": who}


def labelled(task: str, n: int, seed: int, split: str = "train") -> list[tuple[tuple, int]]:
    """n (words, label), as many of each label as of the others, or one more."""
    L = len(TASKS[task])
    found = [[] for _ in range(L)]
    for words, labels in sentences(seed, split):
        if (label := labels[task]) is not None and len(found[label]) <= n // L:
            found[label].append((words, label))
        if all(len(rows) > n // L for rows in found):
            return [row for rows in zip(*found) for row in rows][:n]


def raw_text(n: int = 10_000) -> list[tuple]:
    """What the model is pretrained on: n sentences, no labels."""
    stream = sentences(1000)
    return [next(stream)[0] for _ in range(n)]


def encode(vocabulary: Vocabulary, texts) -> Tensor:
    """Begin mark, words, end mark; padded on the right, (B,T)."""
    return pad([[BOS, *vocabulary.encode(words), EOS] for words in texts])


def new_gpt(vocabulary: Vocabulary) -> GPTForCausalLM:
    return GPTForCausalLM(
        GPTConfig(len(vocabulary), 64, 2, 4, max_length=8, dropout=0.0, pad=PAD, end=EOS)
    )


def draws(n: int, size: int, seed: int):
    """Batches of row numbers without end."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randint(n, (min(n, size),), generator=rng)


def pretrain(ids: Tensor, vocabulary: Vocabulary, seed: int, updates: int, progress=False):
    """The next word, 32 sentences an update."""
    torch.manual_seed(seed)
    model = new_gpt(vocabulary)

    def loss(model, rows):
        inputs, labels = next_token(ids[rows], PAD)
        return token_loss(model(inputs), labels)

    rows = draws(len(ids), 32, seed)
    train(model, loss, rows, updates=updates, lr=5e-3, warmup=updates // 10, progress=progress)
    return model


def mean(hidden: Tensor, ids: Tensor) -> Tensor:
    """hidden (B,T,D) -> a vector for each text, (B,D): padding doesn't count."""
    real = (ids != PAD)[..., None]
    return (hidden * real).sum(1) / real.sum(1)


class Classifier(nn.Module):
    """A decoder, the mean of its states, and a new linear layer: logits (B,L)."""

    def __init__(self, decoder: GPT, n_labels: int):
        super().__init__()
        self.decoder, self.out = decoder, nn.Linear(decoder.config.width, n_labels)
        nn.init.normal_(self.out.weight, std=0.02)
        nn.init.zeros_(self.out.bias)

    def forward(self, ids):
        return self.out(mean(self.decoder(ids), ids))


@torch.no_grad()
def features(decoder: GPT, ids: Tensor) -> Tensor:
    """The mean of the word vectors and of each layer's states, side by side: (B,3D)."""
    x = decoder.eval().embed(ids, torch.arange(ids.shape[1]))
    means = [mean(x, ids)]
    for block in decoder.blocks:
        x, *_ = block(x, mask=(ids != PAD)[:, None], causal=True)
        means.append(mean(x, ids))
    return torch.cat(means, 1)


def fit(model: nn.Module, inputs: Tensor, labels: Tensor, lr: float, updates: int, seed: int = 0):
    """Train on labels, 32 an update; the model again."""

    def loss(model, rows):
        return F.cross_entropy(model(inputs[rows]), labels[rows])

    rows = draws(len(labels), 32, seed)
    train(model, loss, rows, updates=updates, lr=lr, warmup=updates // 10, progress=False)
    return model


@torch.no_grad()
def share_right(model: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    return (model(inputs).argmax(-1) == labels).float().mean().item()


def probe(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, n_labels: int, updates: int):
    """One linear layer on frozen features, each scaled to mean 0 and variance 1."""
    middle, spread = x.mean(0), x.std(0) + 1e-6
    layer = nn.Linear(x.shape[1], n_labels)
    nn.init.zeros_(layer.weight)
    fit(layer, (x - middle) / spread, y, 1e-2, 2 * updates)
    return share_right(layer, (x_test - middle) / spread, y_test)


@torch.no_grad()
def asked(model: GPTForCausalLM, vocabulary: Vocabulary, ids: Tensor, task: str) -> Tensor:
    """The answer (B,) whose word the language model finds likeliest after the sentence (B,T).

    No label is used (after Radford et al., 2018, section 5).
    """
    behind, words = QUESTIONS[task]
    rows = [[i for i in row if i not in (PAD, EOS)][:-1] for row in ids.tolist()]  # no full stop
    given = pad([row + vocabulary.encode(behind) for row in rows])
    last = (given != PAD).sum(1) - 1
    logits = model(given)[torch.arange(len(given)), last]  # (B,V)
    return logits[:, vocabulary.encode(words)].argmax(-1)


def run(seed: int, updates: int = 1200) -> dict:
    text = raw_text(min(10_000, 100 * updates))
    vocabulary = Vocabulary.from_texts(text)
    pretrained = pretrain(encode(vocabulary, text), vocabulary, seed, updates)
    found = {}
    for task, names in TASKS.items():
        test, y_test = zip(*labelled(task, 500, 2000, "test"))
        test, y_test = encode(vocabulary, test), torch.tensor(y_test)
        in_words = (asked(pretrained, vocabulary, test, task) == y_test).float().mean().item()
        for n in SIZES:
            few = min(updates, UPDATES[n])
            rows, y = zip(*labelled(task, n, 10 * seed + n))
            ids, y = encode(vocabulary, rows), torch.tensor(y)
            for name, start in [("from scratch", new_gpt(vocabulary)), ("fine-tuning", pretrained)]:
                model = Classifier(copy.deepcopy(start.decoder), len(names))
                fit(model, ids, y, RATES[name], few, seed)
                found.setdefault(name, {})[f"{task}, {n}"] = share_right(model, test, y_test)
            for name, model in [("untrained features", new_gpt(vocabulary)), ("features", pretrained)]:
                x, x_test = features(model.decoder, ids), features(model.decoder, test)
                right = probe(x, y, x_test, y_test, len(names), few)
                found.setdefault(name, {})[f"{task}, {n}"] = right
            found.setdefault("asked in words", {})[f"{task}, {n}"] = in_words  # whatever n
    return found
