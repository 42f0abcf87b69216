"""Tasks by prompting: text that happens to show them, the same text shuffled, training for them.

Small GPT-2s read documents of two sentences each, English or French, about animals. In some of the
documents (SHARE) a sentence is followed by its translation, or by a question and its answer. Then
the models are given such beginnings of sentences that no document had, and go on.

- "shown in passing": as said; nobody tells the model which documents are tasks;
- "shown wrongly": the same, but translation and answer are those of another sentence;
- "trained for it": nothing but the tasks, with the loss of the answers alone.
"""

import random
import zlib

import torch

from transformer_essentials.generation import greedy, pad
from transformer_essentials.gpt2 import GPT2Config, GPT2ForCausalLM
from transformer_essentials.heads import IGNORE, token_loss
from transformer_essentials.objectives import next_token
from transformer_essentials.tokenizers import BOS, EOS, PAD, Vocabulary
from transformer_essentials.training import train

SEEDS = (0, 1, 2)
SHARE = 0.3  # of the documents, the two tasks together
NOUNS = {"cat": "le chat", "dog": "le chien", "horse": "le cheval", "bird": "le merle",
         "cow": "la vache", "hen": "la poule", "mouse": "la souris", "goat": "la chèvre"}  # fmt: skip
ADJECTIVES = {"black": "noir noire", "white": "blanc blanche", "green": "vert verte",
              "grey": "gris grise", "brown": "brun brune", "blue": "bleu bleue"}  # fmt: skip
VERBS = {"sleeps": "dort", "eats": "mange", "runs": "court",
         "sings": "chante", "falls": "tombe", "waits": "attend"}  # fmt: skip


def pair(adjective: str, noun: str, verb: str) -> tuple[list[str], list[str]]:
    """the black cat sleeps, le chat noir dort."""
    article, name = NOUNS[noun].split()
    agreed = ADJECTIVES[adjective].split()[article == "la"]
    return ["the", adjective, noun, verb], [article, name, agreed, VERBS[verb]]


PAIRS = [pair(a, n, v) for a in ADJECTIVES for n in NOUNS for v in VERBS]
HELD = [p for p in PAIRS if zlib.crc32(" ".join(p[0]).encode()) % 5 == 0]
LEARNED = [p for p in PAIRS if p not in HELD]

# Each task: of a sentence and of the one that answers for it -> prompt, answer.
TASKS = {
    "into French": lambda p, q: (p[0] + ["in", "french", ":"], q[1]),
    "who does it": lambda p, q: ([*p[0], ".", "who", p[0][3], "?"], q[0][:3]),
}
VOCABULARY = Vocabulary.from_texts(
    [sum(task(p, p), []) + ["and", "et"] for p in PAIRS for task in TASKS.values()]
)


def document(chance: random.Random, share: float, shuffled: bool) -> tuple[list[str], list[str]]:
    """Words that come first, and those that are a task's answer (or nothing)."""
    p, q = chance.choice(LEARNED), chance.choice(LEARNED)
    if chance.random() < share:
        task = chance.choice(list(TASKS.values()))
        return task(p, q if shuffled else p)
    side = chance.randrange(2)
    return p[side] + [chance.choice([".", ("and", "et")[side]])] + q[side], []


def ids_of(words: list[str]) -> list[int]:
    return [BOS, *VOCABULARY.encode(words)]


def batches(seed: int, share: float, shuffled: bool, only_answers: bool):
    """Inputs and labels (B,T), without end."""
    chance = random.Random(seed)
    while True:
        found = [document(chance, share, shuffled) for _ in range(64)]
        inputs, labels = next_token(pad([ids_of(a + b + ["."]) + [EOS] for a, b in found]), PAD)
        if only_answers:
            for row, (prompt, _) in zip(labels, found):
                row[: len(prompt)] = IGNORE
        yield inputs, labels


@torch.inference_mode()
def right(model, task) -> float:
    """The share of sentences never read whose answer is right, word for word, greedily."""
    asked = [task(p, p) for p in HELD]
    prompts = torch.tensor([ids_of(prompt) for prompt, _ in asked])
    written = greedy(model, prompts, max_length=8, stop=(EOS, VOCABULARY["."]))
    return sum(VOCABULARY.decode(h.ids) == a for h, (_, a) in zip(written, asked)) / len(asked)


def new_model(seed: int) -> GPT2ForCausalLM:
    torch.manual_seed(seed)
    config = GPT2Config(len(VOCABULARY), 64, 2, 2, 32, dropout=0.0, pad=PAD, end=EOS)
    model = GPT2ForCausalLM(config)
    with torch.no_grad():  # 0.02 suits a width of 768 and more
        for parameter in model.parameters():
            parameter.mul_(3 if parameter.dim() > 1 else 1)
    return model


def learn(seed: int, share: float, shuffled=False, only_answers=False, updates=450):
    """A model after so many batches of such documents."""
    model, data = new_model(seed), batches(seed, share, shuffled, only_answers)
    train(
        model, lambda model, batch: token_loss(model(batch[0]), batch[1]), data,
        updates=updates, lr=5e-3, warmup=min(updates, 30), progress=False,
    )  # fmt: skip
    return model


def run(seed: int, updates: int = 450) -> dict[str, dict[str, float]]:
    models = {
        "shown in passing": learn(seed, SHARE, updates=updates),
        "shown wrongly": learn(seed, SHARE, shuffled=True, updates=updates),
        "trained for it": learn(seed, 1.0, only_answers=True, updates=updates),
    }
    return {
        condition: {name: right(model, task) for name, task in TASKS.items()}
        for condition, model in models.items()
    }
