"""The masked autoencoder equals Hugging Face's; masking and patches; published sizes."""

from unittest import mock

import pytest
import torch
import transformers
from helpers import randomise, same, seeded  # noqa: F401
from parity.reference import TOLERANCE, count, noisy, pair, same_gradients
from torch import nn
from transformers.models.vit_mae.modeling_vit_mae import get_2d_sincos_pos_embed

from transformer_essentials import mae
from transformer_essentials.checkpoints import (
    CheckpointError, from_pretrained, load_hf, save_hf, to_hf,
)  # fmt: skip
from transformer_essentials.mae import (
    MAE, PRESETS, MAEConfig, MAEForImageClassification, MAEForPreTraining, normalise, patchify,
    random_masking, reconstruction_loss, unpatchify,
)  # fmt: skip

SIZES = {
    "nine-patches": dict(
        image_size=12, patch_size=4, num_channels=3, hidden_size=12, num_hidden_layers=2,
        num_attention_heads=3, intermediate_size=10, decoder_hidden_size=8,
        decoder_num_hidden_layers=3, decoder_num_attention_heads=2, decoder_intermediate_size=7,
    ),
    "wide-decoder": dict(
        image_size=10, patch_size=2, num_channels=1, hidden_size=4, num_hidden_layers=1,
        num_attention_heads=1, intermediate_size=33, decoder_hidden_size=20,
        decoder_num_hidden_layers=1, decoder_num_attention_heads=5, decoder_intermediate_size=6,
        mask_ratio=0.5, norm_pix_loss=True,
    ),
    "one-visible": dict(
        image_size=6, patch_size=3, num_channels=2, hidden_size=8, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=16, decoder_hidden_size=12,
        decoder_num_hidden_layers=2, decoder_num_attention_heads=1, decoder_intermediate_size=5,
        norm_pix_loss=True,
    ),
}  # fmt: skip
TINY = MAEConfig(8, 2, 1, 8, 1, 2, 12, 4, 1, 1, 6)


@pytest.fixture(autouse=True)
def softmax_in_float64():
    """Theirs, where it hands weights out, takes the softmax in float32 and turns it back."""
    softmax = nn.functional.softmax
    with mock.patch.object(nn.functional, "softmax", lambda x, dim, dtype=None: softmax(x, dim)):
        yield


def images_for(config, n=3):
    """Images and noise."""
    N = (config.image_size // config.patch_size) ** 2
    shape = (n, config.num_channels, config.image_size, config.image_size)
    return torch.randn(shape, dtype=torch.float64), torch.rand(n, N, dtype=torch.float64)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def all_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        close(one, other)


@pytest.mark.parametrize("size", SIZES)
def test_pretraining_agrees(size):
    theirs, ours = pair("ViTMAEForPreTraining", **SIZES[size])
    c = theirs.config
    images, noise = images_for(c)
    painting = []  # theirs hands out the encoder's attention alone
    for layer in theirs.decoder.decoder_layers:
        layer.attention.attention.register_forward_hook(lambda m, i, out: painting.append(out[1]))
    expected = theirs(images, noise=noise, output_attentions=True)

    prediction, masked = ours(images, noise, c.mask_ratio)
    close(prediction, expected.logits)
    assert masked.dtype == torch.bool and masked.equal(expected.mask.bool())
    again, _, attention = ours(images, noise, c.mask_ratio, return_attention=True)
    same(again, prediction)
    all_close(attention[0], expected.attentions)
    all_close(attention[1], painting)

    targets = patchify(images, c.patch_size)
    targets = normalise(targets) if c.norm_pix_loss else targets
    loss = reconstruction_loss(prediction, targets, masked)
    close(loss, expected.loss)
    loss.backward()
    expected.loss.backward()
    same_gradients(theirs, ours)


@pytest.mark.parametrize("size", SIZES)
def test_encoder_agrees(size):
    theirs, ours = pair("ViTMAEModel", **SIZES[size])
    images, noise = images_for(theirs.config)
    expected = theirs(images, noise=noise, output_attentions=True)
    visible, rank = random_masking(noise, theirs.config.mask_ratio)
    assert rank.equal(expected.ids_restore)
    found, attention = ours(images, visible, return_attention=True)
    close(found, expected.last_hidden_state)
    same(ours(images, visible), found)
    all_close(attention, expected.attentions)
    found.square().sum().backward()
    expected.last_hidden_state.square().sum().backward()
    same_gradients(theirs, ours)


@pytest.mark.parametrize("size", SIZES)
def test_classifier_agrees(size):
    """With a Vision Transformer's, which is what sees all patches of an image."""
    own = ("decoder_", "mask_", "norm_")  # of the masked autoencoder
    sizes = {key: value for key, value in SIZES[size].items() if not key.startswith(own)}
    theirs, ours = pair("ViTForImageClassification", **sizes)
    images, _ = images_for(theirs.config)
    labels = torch.tensor([2, 0, 1])
    expected = theirs(images, labels=labels, output_attentions=True)
    logits, attention = ours(images, return_attention=True)
    close(logits, expected.logits)
    same(ours(images), logits)
    all_close(attention, expected.attentions)
    loss = nn.functional.cross_entropy(logits, labels)
    close(loss, expected.loss)
    loss.backward()
    expected.loss.backward()
    same_gradients(theirs, ours)


# ---------------------------------------------------------------- patches and masks


def test_patches_by_hand():
    image = torch.arange(16).view(1, 1, 4, 4)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert patchify(image, 2).tolist() == [expected]
    two = torch.stack([image[0, 0], 100 + image[0, 0]])[None]  # channels of a pixel side by side
    assert patchify(two, 2)[0, 1].tolist() == [2, 102, 3, 103, 6, 106, 7, 107]
    assert patchify(torch.zeros(2, 3, 4, 6), 2).shape == (2, 6, 12)


@pytest.mark.parametrize("size", SIZES)
def test_patches_as_theirs_and_back(size):
    theirs = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**SIZES[size]))
    c = theirs.config
    images, _ = images_for(c)
    patches = patchify(images, c.patch_size)
    assert patches.equal(theirs.patchify(images))
    assert unpatchify(patches, c.patch_size, c.num_channels).equal(images)


def test_masking_by_hand():
    noise = torch.tensor([[0.9, 0.1, 0.5, 0.3, 0.2, 0.8, 0.7, 0.4]])
    visible, rank = random_masking(noise)
    assert visible.tolist() == [[1, 4]]
    assert rank.tolist() == [[7, 0, 4, 2, 1, 6, 5, 3]]
    assert random_masking(noise, 0.5)[0].tolist() == [[1, 4, 3, 7]]


def test_three_patches_of_four_are_hidden_each_equally_often():
    model, n = MAEForPreTraining(TINY).eval(), 400
    with torch.no_grad():
        _, masked = model(torch.zeros(n, 1, 8, 8))
    assert (masked.sum(1) == 12).all()  # of 16, in every image
    spread = (n * 0.75 * 0.25) ** 0.5
    assert ((masked.sum(0) - 0.75 * n).abs() < 4.5 * spread).all()
    assert len({tuple(row) for row in masked.tolist()}) > 0.7 * n  # of 1820 there are


def test_hidden_pixels_reach_neither_encoder_nor_decoder():
    model = randomise(MAEForPreTraining(TINY))
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    prediction, masked = model(images, torch.rand(2, 16))
    (gradient,) = torch.autograd.grad(prediction.square().sum(), images)
    seen = patchify(gradient, 2).abs().sum(-1) > 0
    assert seen.equal(~masked)


def test_loss_by_hand():
    patches = torch.tensor([[[1.0, 2.0], [3.0, 5.0], [0.0, 0.0]]])
    prediction = torch.tensor([[[1.0, 4.0], [0.0, 0.0], [7.0, 7.0]]])
    masked = torch.tensor([[True, True, False]])
    assert reconstruction_loss(prediction, patches, masked).item() == (0 + 4 + 9 + 25) / 4
    same(normalise(patches.double())[0, 1], torch.tensor([-1.0, 1.0]).double() / (2 + 1e-6) ** 0.5)


@pytest.mark.parametrize("side, width", [(3, 8), (14, 768), (16, 1280)])
def test_positions_are_theirs(side, width):
    table = torch.from_numpy(get_2d_sincos_pos_embed(width, side, add_cls_token=True))
    torch.testing.assert_close(mae.positions(side, width)[0].double(), table, rtol=0, atol=5e-6)


def test_positions_are_no_parameters():
    model = MAEForPreTraining(TINY)
    assert {n for n, _ in model.named_buffers()} == {"encoder.positions", "decoder_positions"}
    same(model.encoder.positions, mae.positions(4, 8))
    same(model.decoder_positions, mae.positions(4, 4))


def test_initialisation():
    model = MAEForPreTraining(MAEConfig(32, 8, 3, 64, 1, 4, 96, 32, 1, 2, 64))
    for name, part in model.named_modules():
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            out, into = part.weight.flatten(1).shape
            limit = (6 / (out + into)) ** 0.5
            assert 0.95 * limit < part.weight.abs().max() <= limit, name
            assert (part.bias == 0).all(), name
    for token in (model.encoder.class_token, model.mask_token):
        assert 0.012 < token.std() < 0.03


# ---------------------------------------------------------------- sizes

# Exact counts: `num_params` of ViT_B_16, ViT_L_16 and ViT_H_14 with 1000 labels, in
# torchvision/models/vision_transformer.py, where the 1 + N positions are parameters.
@pytest.mark.parametrize("size, expected", [
    ("base", 86_567_656), ("large", 304_326_632), ("huge", 632_045_800),
])  # fmt: skip
def test_published_size(size, expected):
    c = PRESETS[size]
    positions = (1 + c.side**2) * c.width
    assert count(lambda: MAEForImageClassification(c, 1000)) == expected - positions


@pytest.mark.parametrize("size", PRESETS)
def test_size_with_decoder(size):
    """As many as in Hugging Face's, which counts the fixed positions as parameters."""
    c = PRESETS[size]
    config = transformers.ViTMAEConfig(
        patch_size=c.patch_size, hidden_size=c.width, num_hidden_layers=c.n_layers,
        num_attention_heads=c.n_heads, intermediate_size=c.ff_width,
    )  # fmt: skip
    with mock.patch.object(transformers.ViTMAEForPreTraining, "init_weights"), mock.patch.object(
        transformers.models.vit_mae.modeling_vit_mae.ViTMAEDecoder, "initialize_weights"
    ):  # values would be copied from numpy, which nothing on "meta" can take
        expected = count(lambda: transformers.ViTMAEForPreTraining(config))
    positions = (1 + c.side**2) * (c.width + c.decoder_width)
    assert count(lambda: MAEForPreTraining(c)) == expected - positions


# ---------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("name", mae.HF_MODELS)
def test_from_hugging_face(name, tmp_path):
    theirs, _ = pair(name, **SIZES["nine-patches"])
    theirs.save_pretrained(tmp_path)
    ours = from_pretrained(tmp_path)
    assert type(ours) is mae.HF_MODELS[name] and not ours.training
    check_same(theirs.float().double(), ours.double())


@pytest.mark.parametrize("name", mae.HF_MODELS)
def test_to_hugging_face(name, tmp_path):
    _, ours = pair(name, **SIZES["nine-patches"])
    save_hf(noisy(ours), tmp_path)
    theirs, info = getattr(transformers, name).from_pretrained(
        tmp_path, dtype=torch.float64, output_loading_info=True, attn_implementation="eager"
    )
    assert not any(info.values()), info
    check_same(theirs.eval(), ours)
    assert from_pretrained(tmp_path).config == ours.config


def check_same(theirs, ours):
    images, noise = images_for(theirs.config)
    if isinstance(ours, MAEForImageClassification):
        assert theirs.config.num_labels == ours.n_labels == 3
        close(ours(images), theirs(images).logits)
    elif isinstance(ours, MAE):
        expected = theirs(images, noise=noise).last_hidden_state
        close(ours(images, random_masking(noise)[0]), expected)
    else:
        close(ours(images, noise)[0], theirs(images, noise=noise).logits)


def test_the_encoder_of_a_pretrained_model_takes_a_classifier():
    model, other = randomise(MAEForPreTraining(TINY)), MAEForImageClassification(TINY, 3)
    load_hf(other.encoder, to_hf(model.encoder))
    for (name, one), two in zip(model.encoder.named_parameters(), other.encoder.parameters()):
        assert two.equal(one.float()), name


def test_every_tensor_goes_there_and_back():
    for made in mae.HF_MODELS.values():
        model, other = randomise(made(TINY)), made(TINY).double()
        load_hf(other, dict(sorted(to_hf(model).items(), reverse=True)))
        for name, tensor in model.state_dict().items():
            assert other.state_dict()[name].equal(tensor), name


def test_bad_input():
    model = MAEForPreTraining(TINY)
    with pytest.raises(ValueError, match=r"images are \(2, 1, 8, 6\), .* needs \(B, 1, 8, 8\)"):
        model(torch.zeros(2, 1, 8, 6))
    with pytest.raises(ValueError, match=r"noise is \(1, 16\); 2 images have \(2, 16\) patches"):
        model(torch.zeros(2, 1, 8, 8), torch.rand(1, 16))
    with pytest.raises(ValueError, match="hiding 95% of 16 patches leaves none to see"):
        model(torch.zeros(2, 1, 8, 8), ratio=0.95)
    with pytest.raises(ValueError, match="9 pixels don't divide into patches of 2"):
        MAE(MAEConfig(image_size=9, patch_size=2))
    with pytest.raises(ValueError, match="images of 4 × 5 pixels don't divide into patches of 2"):
        patchify(torch.zeros(1, 1, 4, 5), 2)
    with pytest.raises(CheckpointError, match="has no place in it"):
        load_hf(MAE(TINY), to_hf(MAEForPreTraining(TINY)))
