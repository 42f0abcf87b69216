"""More examples in the prompt: codes that the model never saw, told by examples, right and shuffled.

Each document has a code of its own: every one of four animals is given a letter. It shows animals,
each with its letter, nine in a row, such as *cat K dog B cat K …* Some codes are kept from training.
Asked is for the letter of an animal after 0, 1, 2, 4, 8 examples of such a code.

- "two layers" and "one layer" are as wide and trained alike;
- "letters shuffled": the two layers again, but each example has the letter of a random animal;
- "the best possible": right if the animal was shown; if not, one of the letters that are left.
"""

from math import comb

import torch

from transformer_essentials.gpt2 import GPT2Config, GPT2ForCausalLM
from transformer_essentials.heads import token_loss
from transformer_essentials.objectives import next_token
from transformer_essentials.training import train

SEEDS = (0, 1, 2)
ANIMALS = ("cat", "dog", "horse", "bird")
LETTERS = "ABCDEFGHKLMN"
TOKENS = (*ANIMALS, *LETTERS)
EXAMPLES = (0, 1, 2, 4, 8)  # before the one that is asked for


def held_out(codes):
    """Which codes (B,4) no training document has: one in five."""
    return (codes * torch.tensor([1, 2, 3, 4])).sum(1) % 5 == 0


def draw_codes(n: int, held: bool, rng: torch.Generator):
    """(n,4): a letter for each animal, no two alike."""
    codes = torch.rand(8 * n + 80, len(LETTERS), generator=rng).argsort(1)[:, : len(ANIMALS)]
    return codes[held_out(codes) == held][:n]


def documents(n: int, held: bool, rng: torch.Generator, shuffled=False, length=max(EXAMPLES) + 1):
    """(n, 2·length) ids: animal, letter, animal, letter, …"""
    codes = draw_codes(n, held, rng)
    animals = torch.randint(len(ANIMALS), (n, length), generator=rng)
    whose = animals.clone()
    if shuffled:  # but what is asked for at the end of each prompt counts as before
        whose = torch.randint(len(ANIMALS), (n, length), generator=rng)
    letters = len(ANIMALS) + codes.gather(1, whose)
    right = len(ANIMALS) + codes.gather(1, animals)
    return torch.stack([animals, letters], 2).flatten(1), right


def new_model(seed: int, n_layers: int) -> GPT2ForCausalLM:
    torch.manual_seed(seed)
    model = GPT2ForCausalLM(GPT2Config(len(TOKENS), 64, n_layers, 4, 64, dropout=0.0, end=None))
    with torch.no_grad():  # 0.02 suits a width of 768 and more
        for parameter in model.parameters():
            parameter.mul_(3 if parameter.dim() > 1 else 1)
    return model


def next_word_loss(model, ids):
    inputs, labels = next_token(ids)
    return token_loss(model(inputs), labels)


def learn(seed: int, n_layers: int, updates: int = 600) -> GPT2ForCausalLM:
    """A model after so many batches of documents with codes of training."""
    rng = torch.Generator().manual_seed(seed)
    batches = iter(lambda: documents(64, False, rng)[0], None)
    model = new_model(seed, n_layers)
    train(model, next_word_loss, batches, updates=updates, lr=3e-3, warmup=min(updates, 30),
          progress=False)  # fmt: skip
    return model


@torch.inference_mode()
def accuracy(model, shuffled: bool = False, n: int = 2000) -> dict[str, float]:
    """The share of right letters after so many examples, for codes never trained on."""
    ids, right = documents(n, True, torch.Generator().manual_seed(99), shuffled)
    said = model(ids)[:, ::2].argmax(-1)  # after each animal
    hits = (said == right).double().mean(0)
    return {str(k): float(hits[k]) for k in EXAMPLES}


def best_possible() -> dict[str, float]:
    """A reader who forgets nothing and knows that no two animals share a letter."""
    n, letters, found = len(ANIMALS), len(LETTERS), {}
    for k in EXAMPLES:
        found[str(k)] = 0.0
        for seen in range(n + 1):  # how many different animals were shown
            ways = sum((-1) ** i * comb(seen, i) * (seen - i) ** k for i in range(seen + 1))
            chance = comb(n, seen) * ways / n**k
            found[str(k)] += chance * (seen / n + (1 - seen / n) / (letters - seen))
    return found


def run(seed: int, updates: int = 600) -> dict[str, dict[str, float]]:
    deep, flat = learn(seed, 2, updates), learn(seed, 1, updates)
    return {
        "two layers": accuracy(deep),
        "one layer": accuracy(flat),
        "letters shuffled": accuracy(deep, shuffled=True),
        "the best possible": best_possible(),
    }
