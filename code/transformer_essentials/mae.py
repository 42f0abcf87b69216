"""The masked autoencoder (He et al., 2022): an image repaired from a quarter of its patches.

BERT's task on pictures, with three differences: far more is hidden, the encoder never sees the
hidden patches, not even as mask tokens, and a second, smaller stack paints them. Shape letters:
B batch, C channels, N patches of an image, K visible patches, P numbers in a patch (its pixels
times C), H heads, D width of the encoder, E width of the decoder, L labels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import heads
from .bert import within
from .checkpoints import field, fixed
from .layers import Block
from .positions import grid_sinusoids

EPS = 1e-12  # of every norm, as in Hugging Face's checkpoints; the first code had 1e-6


@dataclass(frozen=True)
class MAEConfig:
    """Sizes of a masked autoencoder; by default the base model's, for images of 224 × 224."""

    image_size: int = 224  # pixels a side
    patch_size: int = 16
    channels: int = 3
    width: int = 768
    n_layers: int = 12
    n_heads: int = 12
    ff_width: int = 3072
    decoder_width: int = 512
    decoder_layers: int = 8
    decoder_heads: int = 16
    decoder_ff_width: int = 2048

    @property
    def side(self) -> int:
        """Patches in a row, and in a column."""
        if self.image_size % self.patch_size:
            sizes = f"{self.image_size} pixels don't divide into patches of {self.patch_size}"
            raise ValueError(f"{sizes}; choose a multiple")
        return self.image_size // self.patch_size


PRESETS = {  # ViT-B, L and H, with the decoder of section 4.1: 8 blocks, 512 wide
    "base": MAEConfig(),
    "large": MAEConfig(width=1024, n_layers=24, n_heads=16, ff_width=4096),
    "huge": MAEConfig(patch_size=14, width=1280, n_layers=32, n_heads=16, ff_width=5120),
}


# ---------------------------------------------------------------- patches


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into patches, read row by row: (B,C,height,width) -> (B,N,P).

    A patch lists its pixels row by row, the channels of each together.
    """
    p = patch_size
    if images.shape[2] % p or images.shape[3] % p:
        size = f"{images.shape[2]} × {images.shape[3]} pixels"
        raise ValueError(f"images of {size} don't divide into patches of {p} × {p}")
    grid = images.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # (B,C,rows,p,columns,p)
    return grid.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor, patch_size: int, channels: int) -> Tensor:
    """Put the patches of square images together again: (B,N,P) -> (B,C,height,width)."""
    p, side = patch_size, round(patches.shape[1] ** 0.5)
    grid = patches.unflatten(2, (p, p, channels)).unflatten(1, (side, side))
    return grid.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


def random_masking(noise: Tensor, ratio: float = 0.75) -> tuple[Tensor, Tensor]:
    """Hide a share of the patches, those with the most noise (section 3, "Masking").

    noise (B,N) -> visible (B,K), the numbers of the patches that stay, in order of their noise;
    rank (B,N), how many patches have less noise than this one: K or more if it is hidden.
    """
    n_visible = int(noise.shape[1] * (1 - ratio))
    if not n_visible:
        raise ValueError(f"hiding {ratio:.0%} of {noise.shape[1]} patches leaves none to see")
    order = noise.argsort(1)
    return order[:, :n_visible], order.argsort(1)


def pick(x: Tensor, places: Tensor) -> Tensor:
    """The vectors at these places: (B,N,D), (B,K) -> (B,K,D)."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[2]))


def normalise(patches: Tensor) -> Tensor:
    """Each patch with mean 0 and variance 1, which makes better targets (section 3)."""
    variance, mean = torch.var_mean(patches, -1, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()


def reconstruction_loss(prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
    """Mean square error over the hidden patches alone: (B,N,P), (B,N,P), (B,N) bool."""
    return (prediction - patches)[masked].square().mean()


# ---------------------------------------------------------------- models


def stack(width: int, n_heads: int, ff_width: int, n_layers: int) -> nn.ModuleList:
    """Blocks as a Vision Transformer has them: norm before each sub-layer, no dropout."""
    return nn.ModuleList(
        Block(width, n_heads, ff_width, activation="gelu", norm="pre", eps=EPS)
        for _ in range(n_layers)
    )


def through(blocks: nn.ModuleList, x: Tensor, return_attention: bool):
    """x (B,T,D) -> x after all the blocks, attention (B,H,T,T) a layer, or None a layer."""
    attention = []
    for block in blocks:
        x, weights, _ = block(x, return_weights=return_attention)
        attention.append(weights)
    return x, tuple(attention)


def positions(side: int, width: int) -> Tensor:
    """Sinusoids of the grid, zeros for the class token in front: (1,1+N,width)."""
    return torch.cat([torch.zeros(1, width), grid_sinusoids(side, side, width)])[None]


def initialise(module: nn.Module) -> nn.Module:
    """Xavier-uniform weights, zero biases (appendix A.1); the same module.

    The convolution that embeds patches counts as the one matrix it is.
    """
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(part.weight.data.flatten(1))
            nn.init.zeros_(part.bias)
    return module


class MAE(nn.Module):
    """The encoder: a Vision Transformer (Dosovitskiy et al., 2021) with fixed positions."""

    def __init__(self, config: MAEConfig = MAEConfig()):
        super().__init__()
        self.config = c = config
        self.register_buffer("positions", positions(c.side, c.width))
        self.patches = nn.Conv2d(c.channels, c.width, c.patch_size, stride=c.patch_size)
        self.class_token = nn.Parameter(torch.empty(1, 1, c.width).normal_(std=0.02))
        self.blocks = stack(c.width, c.n_heads, c.ff_width, c.n_layers)
        self.norm = nn.LayerNorm(c.width, eps=EPS)
        initialise(self)

    def forward(self, images: Tensor, visible: Tensor | None = None, return_attention=False):
        """images (B,C,image_size,image_size) -> hidden states (B,1+N,D), class token first.

        ``visible`` (B,K) are the numbers of the patches to look at, by default all; there are
        then 1+K hidden states. On request also attention, (B,H,1+N,1+N) a layer.
        """
        c = self.config
        if images.shape[1:] != (c.channels, c.image_size, c.image_size):
            needed = f"(B, {c.channels}, {c.image_size}, {c.image_size})"
            raise ValueError(f"images are {tuple(images.shape)}, but the model needs {needed}")
        x = self.patches(images).flatten(2).transpose(1, 2) + self.positions[:, 1:]  # (B,N,D)
        if visible is not None:
            x = pick(x, visible)  # (B,K,D)
        first = (self.class_token + self.positions[:, :1]).expand(len(x), -1, -1)
        x, attention = through(self.blocks, torch.cat([first, x], 1), return_attention)
        x = self.norm(x)
        return (x, attention) if return_attention else x


class MAEForPreTraining(nn.Module):
    """The encoder on what is visible, and the decoder that repairs the rest."""

    def __init__(self, config: MAEConfig = MAEConfig()):
        super().__init__()
        self.config = c = config
        self.encoder = MAE(c)
        self.narrow = nn.Linear(c.width, c.decoder_width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, c.decoder_width).normal_(std=0.02))
        self.register_buffer("decoder_positions", positions(c.side, c.decoder_width))
        self.decoder = stack(c.decoder_width, c.decoder_heads, c.decoder_ff_width, c.decoder_layers)
        self.decoder_norm = nn.LayerNorm(c.decoder_width, eps=EPS)
        self.pixels = nn.Linear(c.decoder_width, c.patch_size**2 * c.channels)
        initialise(self)

    def forward(self, images, noise=None, ratio=0.75, return_attention=False):
        """images (B,C,image_size,image_size) -> prediction (B,N,P), masked (B,N) bool.

        ``noise`` (B,N) decides which patches are hidden, ``ratio`` how many; by default it is
        drawn anew. On request also two tuples of attention weights, one tensor a layer: the
        encoder's (B,H,1+K,1+K), the class token and visible patches in the order of their noise;
        the decoder's (B,H,1+N,1+N), the class token and all patches in the image's order.
        """
        B, N = len(images), self.config.side**2
        noise = torch.rand(B, N, device=images.device) if noise is None else noise
        if noise.shape != (B, N):
            raise ValueError(f"noise is {tuple(noise.shape)}; {B} images have {(B, N)} patches")
        visible, rank = random_masking(noise, ratio)
        K = visible.shape[1]
        found = self.encoder(images, visible, return_attention)
        x, seeing = found if return_attention else (found, None)  # x (B,1+K,D)

        x = self.narrow(x)  # (B,1+K,E)
        x, first = torch.cat([x[:, 1:], self.mask_token.expand(B, N - K, -1)], 1), x[:, :1]
        x = torch.cat([first, pick(x, rank)], 1)  # (B,1+N,E), each patch in its place
        x, painting = through(self.decoder, x + self.decoder_positions, return_attention)
        prediction = self.pixels(self.decoder_norm(x[:, 1:]))  # (B,N,P)
        answer = prediction, rank >= K
        return (*answer, (seeing, painting)) if return_attention else answer


class MAEForImageClassification(nn.Module):
    """Logits (B,L) of the labels of an image, from the class token (appendix A.1).

    The paper found the mean over the patches to work as well; the published code takes that, and
    puts the last norm behind it, when it trains all weights.
    """

    def __init__(self, config: MAEConfig = MAEConfig(), n_labels: int = 2):
        super().__init__()
        self.config, self.n_labels = config, n_labels
        self.encoder = MAE(config)
        self.classifier = heads.initialise(nn.Linear(config.width, n_labels))

    def forward(self, images: Tensor, return_attention: bool = False):
        """images (B,C,image_size,image_size) -> logits (B,L) [, attention as the encoder's]."""
        found = self.encoder(images, return_attention=return_attention)
        hidden, *attention = found if return_attention else (found,)
        logits = self.classifier(hidden[:, 0])
        return (logits, *attention) if return_attention else logits


# ---------------------------------------------------------------- as Hugging Face has it

HF_PREFIX = ("vit.", "encoder.")
HF_MODELS = {
    "ViTMAEModel": MAE,
    "ViTMAEForPreTraining": MAEForPreTraining,
    "ViTForImageClassification": MAEForImageClassification,
}
HF_CONFIG = {
    "image_size": "image_size",
    "patch_size": "patch_size",
    "num_channels": "channels",
    "hidden_size": "width",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "ff_width",
    "decoder_hidden_size": field("decoder_width", required=False),  # a plain ViT has none
    "decoder_num_hidden_layers": field("decoder_layers", required=False),
    "decoder_num_attention_heads": field("decoder_heads", required=False),
    "decoder_intermediate_size": field("decoder_ff_width", required=False),
    "hidden_act": fixed("gelu"),
    "hidden_dropout_prob": fixed(0.0),
    "attention_probs_dropout_prob": fixed(0.0),
    "layer_norm_eps": fixed(EPS),
    "qkv_bias": fixed(True),
}
LAYER = {
    "attention.attention.query.*": "attention.q.*",
    "attention.attention.key.*": "attention.k.*",
    "attention.attention.value.*": "attention.v.*",
    "attention.output.dense.*": "attention.o.*",
    "layernorm_before.*": "attention_norm.*",
    "intermediate.dense.*": "ff.up.*",
    "output.dense.*": "ff.down.*",
    "layernorm_after.*": "ff_norm.*",
}
HF_NAMES = within(("vit.encoder.layer.{}.", "encoder.blocks.{}."), LAYER) | {
    "vit.embeddings.cls_token": "encoder.class_token",
    "vit.embeddings.position_embeddings": "encoder.positions",
    "vit.embeddings.patch_embeddings.projection.*": "encoder.patches.*",
    "vit.layernorm.*": "encoder.norm.*",
    "decoder.decoder_embed.*": "narrow.*",
    "decoder.mask_token": "mask_token",
    "decoder.decoder_pos_embed": "decoder_positions",
    **within(("decoder.decoder_layers.{}.", "decoder.{}."), LAYER),
    "decoder.decoder_norm.*": "decoder_norm.*",
    "decoder.decoder_pred.*": "pixels.*",
    "classifier.*": "classifier.*",
}
