"""How much of a picture should a masked autoencoder hide? 25, 50, 75 or 90% of the digits' patches.

Pretrained without labels, each with the same updates; then judged with 100 labels, by a linear
probe on what the frozen encoder makes of a digit, and by training all of it.
"""

from functools import cache

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ..mae import (
    MAE, MAEConfig, MAEForImageClassification, MAEForPreTraining, patchify, reconstruction_loss,
)  # fmt: skip
from ..training import train

SEEDS = (0, 1, 2)
RATIOS = (0.25, 0.5, 0.75, 0.9)  # of 16 patches 4, 8, 12 and 15 are hidden
LABELS = 100
CONFIG = MAEConfig(
    image_size=8, patch_size=2, channels=1, width=48, n_layers=2, n_heads=4, ff_width=96,
    decoder_width=32, decoder_layers=1, decoder_heads=4, decoder_ff_width=64,
)  # fmt: skip


@cache
def digits(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images (B,1,8,8), of mean 0 and variance 1 in all, and labels: 1297 to learn, 500 to test."""
    data = load_digits()
    images = torch.tensor(data.images[:, None], dtype=torch.float)
    images = (images - images.mean()) / images.std()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    images, labels = images[order], torch.tensor(data.target)[order]
    return images[:1297], labels[:1297], images[1297:], labels[1297:]


def pretrain(images: Tensor, ratio: float, seed: int, updates: int, progress: bool = False):
    """A masked autoencoder trained on these images."""
    torch.manual_seed(seed)
    model = MAEForPreTraining(CONFIG)
    batches = iter(lambda: images[torch.randint(len(images), (64,))], None)

    def loss(model, batch):
        prediction, hidden = model(batch, ratio=ratio)
        return reconstruction_loss(prediction, patchify(batch, CONFIG.patch_size), hidden)

    train(model, loss, batches, updates=updates, lr=4e-3, warmup=updates // 10, progress=progress)
    return model.eval()


@torch.inference_mode()
def features(encoder: MAE, images: Tensor) -> Tensor:
    """The mean of the patches' vectors, (B,D)."""
    return encoder(images)[:, 1:].mean(1)


def probe(found: Tensor, labels: Tensor, test: Tensor, test_labels: Tensor) -> float:
    """Accuracy of a linear classifier on features (B,D), each brought to mean 0 and variance 1."""
    mean, spread = found.mean(0), found.std(0) + 1e-6
    found, test = ((x - mean) / spread for x in (found, test))
    return LogisticRegression(C=0.1, max_iter=1000).fit(found, labels).score(test, test_labels)


def tune(encoder: MAE, images, labels, test, test_labels, seed: int, updates: int) -> float:
    """Accuracy after training the encoder and a classifier on it."""
    torch.manual_seed(seed)
    model = MAEForImageClassification(CONFIG, n_labels=10)
    model.encoder.load_state_dict(encoder.state_dict())

    def batches():
        while True:
            some = torch.randint(len(images), (32,))
            yield images[some], labels[some]

    train(model, lambda m, batch: F.cross_entropy(m(batch[0]), batch[1]), batches(),
          updates=updates, lr=3e-3, warmup=updates // 10, progress=False)  # fmt: skip
    with torch.inference_mode():
        return (model.eval()(test).argmax(-1) == test_labels).float().mean().item()


def run(seed: int, updates: int = 800) -> dict:
    images, labels, test, answers = digits(seed)
    torch.manual_seed(seed)
    encoders = {"no pretraining": MAE(CONFIG).eval()}
    encoders |= {f"{r:.0%} hidden": pretrain(images, r, seed, updates).encoder for r in RATIOS}
    few, known = images[:LABELS], labels[:LABELS]
    return {
        name: {
            "probe": probe(features(e, few), known, features(e, test), answers),
            "tuned": tune(e, few, known, test, answers, seed, max(2, updates // 8)),
        }
        for name, e in encoders.items()
    }
