"""Does the loss fall with memory, where what matters is far back? Stories with a hero.

A story names its hero, and comes back to him after sentences about the weather, one or many: then
the name can only be known by who has seen it. Transformer-XLs of the same size, on the same
stories with the same updates and segments of SEGMENT words; what differs is how many places each
layer remembers. The stream of stories goes on from update to update, and so does the memory.
Measured on new stories, in nats: the loss a word, and at the names that the story had given before.
"""

import random

import torch

from transformer_essentials.heads import even
from transformer_essentials.tasks import in_order
from transformer_essentials.tokenizers import Vocabulary
from transformer_essentials.training import train
from transformer_essentials.transformer_xl import TransformerXLConfig, TransformerXLForCausalLM

SEEDS = (0, 1, 2)
MEMORIES = (0, 8, 16, 32)
SEGMENT = 8
HEROES = "paul thomas louis antoine marie claire julie emma".split()
WEATHER = "cold warm wet dry".split()
DEEDS = "left called slept".split()


def story(rng: random.Random) -> list[str]:
    """``once HERO called . it was cold . it was wet . then HERO left . …``"""
    hero, pick = rng.choice(HEROES), rng.choice
    words = ["once", hero, pick(DEEDS), "."]
    for _ in range(4):
        for _ in range(rng.randrange(7)):  # how many sentences lie between
            words += ["it", "was", pick(WEATHER), "."]
        words += ["then", hero, pick(DEEDS), "."]
    return words


def stream(n_words: int, seed: int) -> list[str]:
    rng, words = random.Random(seed), []
    while len(words) < n_words:
        words += story(rng)
    return words[:n_words]


VOCABULARY = Vocabulary.from_texts([HEROES, WEATHER, DEEDS, "once then it was .".split()])


def streams(n: int, n_words: int, seed: int) -> torch.Tensor:
    """n streams side by side, as ids: (n, n_words)."""
    return torch.tensor(
        [VOCABULARY.encode(stream(n_words, 1000 * seed + i)) for i in range(n)]
    )


def reader(memory: int, seed: int, updates=450, progress=False, ids=None):
    """A Transformer-XL of two layers that has read 64 streams, a segment an update."""
    torch.manual_seed(seed)
    model = TransformerXLForCausalLM(TransformerXLConfig(
        len(VOCABULARY), cutoffs=(), divide=1, width=48, n_layers=2, n_heads=2, head_width=24,
        ff_width=96, memory=memory, clamp=0, same_length=False, dropout=0.0, end=None,
    ))  # fmt: skip
    even(model)  # the library's start, 0.02, is made for wide models
    ids = streams(64, SEGMENT * updates + 1, seed) if ids is None else ids
    loss, segments = in_order(ids, SEGMENT)
    train(model, loss, segments, updates=updates, lr=4e-3, warmup=20, progress=progress)
    return model.eval()


@torch.inference_mode()
def losses(model, ids: torch.Tensor) -> torch.Tensor:
    """(n,T+1) -> the loss of each word but the first, (n,T); memory goes on through all of it."""
    state, found = None, []
    for part, answers in zip(ids[:, :-1].split(SEGMENT, 1), ids[:, 1:].split(SEGMENT, 1)):
        log_p, state, _ = model.segment(part, state)
        found.append(-log_p.gather(2, answers[..., None])[..., 0])
    return torch.cat(found, 1)


def run(seed: int, updates: int = 450) -> dict[str, dict[str, float]]:
    ids, test = streams(64, SEGMENT * updates + 1, seed), streams(16, 401, seed + 500)
    known = test[:, 80:-1] == VOCABULARY["then"]  # after it comes a name that was there before
    measured = {}
    for memory in MEMORIES:
        found = losses(reader(memory, seed, updates, ids=ids), test)[:, 80:]
        measured[f"{memory} places"] = {
            "word": float(found.mean()), "name": float(found[known].mean()),
        }  # fmt: skip
    return measured
