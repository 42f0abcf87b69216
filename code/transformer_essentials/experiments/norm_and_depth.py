"""Norms in the stream or in the branches, at three depths, with and without warm-up.

A stack of encoder layers reads eight random words out of sixteen and has to give them back in
reverse order. Each condition is trained at both of RATES, and the better run counts. Three hundred
updates bring a shallow stack close to zero; who guesses has a loss of ln 16 = 2.77 nats.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Block
from ..positions import sinusoids
from ..training import train

SEEDS = (0, 1, 2)
WORDS, LENGTH, WIDTH, HEADS = 16, 8, 32, 4
DEPTHS = (2, 6, 12)
RATES = (1.5e-3, 4e-3)
WARMUP = 100
KINDS = {  # the norm, and the updates of warm-up
    "post-norm, no warm-up": ("post", 0),
    "post-norm, warm-up": ("post", WARMUP),
    "pre-norm, no warm-up": ("pre", 0),
}


class Reverser(nn.Module):
    """Encoder layers between a table of words and a linear layer."""

    def __init__(self, norm: str, depth: int):
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)
        self.register_buffer("places", sinusoids(LENGTH, WIDTH))
        self.layers = nn.ModuleList(
            Block(WIDTH, HEADS, 4 * WIDTH, norm=norm) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(WIDTH) if norm == "pre" else nn.Identity()
        self.output = nn.Linear(WIDTH, WORDS)

    def forward(self, words: Tensor) -> Tensor:
        """words (B,T) -> logits (B,T,V)."""
        x = self.table(words) + self.places
        for layer in self.layers:
            x, _, _ = layer(x)
        return self.output(self.norm(x))


def reversal_loss(model: nn.Module, words: Tensor) -> Tensor:
    return F.cross_entropy(model(words).flatten(0, 1), words.flip(1).flatten())


def sentences(seed: int, batch_size: int = 16):
    """Random words without end, (B,T)."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randint(WORDS, (batch_size, LENGTH), generator=rng)


def fit(norm: str, depth: int, warmup: int, lr: float, seed: int, updates: int) -> list[float]:
    """The losses of one run."""
    torch.manual_seed(seed)
    history = train(
        Reverser(norm, depth), reversal_loss, sentences(seed), updates=updates, lr=lr,
        warmup=min(warmup, updates // 3), progress=False,
    )  # fmt: skip
    return history.losses


def run(seed: int, updates: int = 300) -> dict[str, dict[str, float]]:
    """The mean loss of the last 20 updates, for each kind at each depth."""
    found = {}
    for kind, (norm, warmup) in KINDS.items():
        for depth in DEPTHS:
            ends = {}
            for lr in RATES:
                last = fit(norm, depth, warmup, lr, seed, updates)[-20:]
                ends[lr] = sum(last) / len(last)
            best = min(ends, key=ends.get)
            found[f"{kind}, {depth} layers"] = {"loss": round(ends[best], 4), "rate": best}
    return found
