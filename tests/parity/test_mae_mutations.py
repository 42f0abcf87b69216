"""The masked autoencoder's tests are tested: each planted bug makes a named test fail.

As in ``test_parity_mutations.py``, whose machinery this uses.
"""

import os

import pytest
from parity.test_parity_mutations import Failures, planted  # noqa: F401
from test_mutations import LIBRARY, QUICK, TESTS, patched  # noqa: F401

PRETRAINING = "test_pretraining_agrees[nine-patches]"
ENCODER = "test_encoder_agrees[nine-patches]"
CLASSIFIER = "test_classifier_agrees[nine-patches]"
# (what is wrong, module, right, wrong, a test of test_mae.py that must notice)
MUTATIONS = [
    # ---- blocks
    ("norm after the sub-layers", "mae", 'norm="pre"', 'norm="post"', ENCODER),
    ("the tanh GELU", "mae", 'activation="gelu"', 'activation="gelu_tanh"', ENCODER),
    ("another eps in the blocks", "mae", 'norm="pre", eps=EPS', 'norm="pre", eps=1e-6', ENCODER),
    ("another eps at the end", "mae",
     "self.norm = nn.LayerNorm(c.width, eps=EPS)", "self.norm = nn.LayerNorm(c.width, eps=1e-6)",
     ENCODER),
    ("another eps at the decoder's end", "mae",
     "nn.LayerNorm(c.decoder_width, eps=EPS)", "nn.LayerNorm(c.decoder_width)", PRETRAINING),
    ("no norm at the end", "mae", "        x = self.norm(x)\n", "", ENCODER),
    ("no norm at the decoder's end", "mae",
     "self.pixels(self.decoder_norm(x[:, 1:]))", "self.pixels(x[:, 1:])", PRETRAINING),
    ("queries and keys swapped", "mae",
     '''query.*": "attention.q.*",
    "attention.attention.key.*"''',
     '''key.*": "attention.q.*",
    "attention.attention.query.*"''', ENCODER),
    ("norms swapped", "mae",
     '''layernorm_before.*": "attention_norm.*",
    "intermediate.dense.*": "ff.up.*",
    "output.dense.*": "ff.down.*",
    "layernorm_after.*"''',
     '''layernorm_after.*": "attention_norm.*",
    "intermediate.dense.*": "ff.up.*",
    "output.dense.*": "ff.down.*",
    "layernorm_before.*"''', ENCODER),
    # ---- positions
    ("rows and columns swapped", "positions",
     "torch.cat([across, down], -1)", "torch.cat([down, across], -1)",
     "test_positions_are_theirs[3-8]"),
    ("sines and cosines alternate", "positions",
     "sinusoids(columns, width // 2, interleaved=False)", "sinusoids(columns, width // 2)",
     "test_positions_are_theirs[3-8]"),
    ("the class token has a place in the grid", "mae",
     "torch.cat([torch.zeros(1, width), grid_sinusoids(side, side, width)])[None]",
     "grid_sinusoids(1, side * side + 1, width)[None]", "test_positions_are_theirs[3-8]"),
    ("positions off by one", "mae",
     "self.positions[:, 1:]  # (B,N,D)", "self.positions[:, :-1]  # (B,N,D)", ENCODER),
    ("no position for the class token", "mae",
     "(self.class_token + self.positions[:, :1])", "self.class_token", ENCODER),
    ("positions added once more in their hidden order", "mae",
     "x = pick(x, visible)  # (B,K,D)",
     "x = pick(x, visible) + self.positions[:, 1 : 1 + visible.shape[1]]", ENCODER),
    ("no positions in the decoder", "mae",
     "x + self.decoder_positions", "x + 0 * self.decoder_positions", PRETRAINING),
    ("positions are learned", "mae",
     'self.register_buffer("positions", positions(c.side, c.width))',
     "self.positions = nn.Parameter(positions(c.side, c.width))",
     "test_positions_are_no_parameters"),
    # ---- masking
    ("the other patches are visible", "mae",
     "order = noise.argsort(1)", "order = noise.argsort(1, descending=True)", ENCODER),
    ("one patch more", "mae",
     "int(noise.shape[1] * (1 - ratio))", "1 + int(noise.shape[1] * (1 - ratio))", ENCODER),
    ("patches stay shuffled", "mae", "pick(x, rank)]", "x]", PRETRAINING),
    ("patches put back by the wrong permutation", "mae",
     "order[:, :n_visible], order.argsort(1)", "order[:, :n_visible], order", PRETRAINING),
    ("the encoder sees all", "mae",
     "        if visible is not None:\n            x = pick(x, visible)  # (B,K,D)\n", "", ENCODER),
    ("the decoder is not told what is hidden", "mae",
     "self.mask_token.expand(B, N - K, -1)", "0 * self.mask_token.expand(B, N - K, -1)",
     PRETRAINING),
    ("the mask the wrong way round", "mae", "rank >= K", "rank < K", PRETRAINING),
    ("one visible patch called hidden", "mae", "rank >= K", "rank >= K - 1", PRETRAINING),
    ("always three quarters", "mae",
     "random_masking(noise, ratio)\n", "random_masking(noise)\n",
     "test_pretraining_agrees[wide-decoder]"),
    ("the same mask for all images", "mae",
     "torch.rand(B, N, device=images.device) if",
     "torch.rand(1, N, device=images.device).expand(B, N) if",
     "test_three_patches_of_four_are_hidden_each_equally_often"),
    # ---- pixels and loss
    ("the class token's prediction kept", "mae",
     "self.decoder_norm(x[:, 1:])", "self.decoder_norm(x[:, :-1])", PRETRAINING),
    ("channels apart", "mae",
     "permute(0, 2, 4, 3, 5, 1)", "permute(0, 2, 4, 1, 3, 5)", PRETRAINING),
    ("patches transposed", "mae",
     "permute(0, 2, 4, 3, 5, 1)", "permute(0, 2, 4, 5, 3, 1)", PRETRAINING),
    ("patches read column by column", "mae",
     "permute(0, 2, 4, 3, 5, 1)", "permute(0, 4, 2, 3, 5, 1)", PRETRAINING),
    ("patches put back transposed", "mae",
     "permute(0, 5, 1, 3, 2, 4)", "permute(0, 5, 2, 4, 1, 3)",
     "test_patches_as_theirs_and_back[nine-patches]"),
    ("loss over all patches", "mae", "[masked].square()", ".square()", PRETRAINING),
    ("loss over visible patches", "mae", "[masked].square()", "[~masked].square()", PRETRAINING),
    ("targets divided by the variance", "mae",
     "(variance + 1e-6).sqrt()", "(variance + 1e-6)", "test_pretraining_agrees[one-visible]"),
    ("the variance of a population", "mae",
     "torch.var_mean(patches, -1, keepdim=True)",
     "torch.var_mean(patches, -1, keepdim=True, correction=0)",
     "test_pretraining_agrees[one-visible]"),
    ("nothing added to the variance", "mae",
     "(variance + 1e-6)", "variance", "test_pretraining_agrees[one-visible]"),
    # ---- classifier, checkpoints
    ("the mean over patches", "mae", "hidden[:, 0]", "hidden[:, 1:].mean(1)", CLASSIFIER),
    ("attention of the decoder handed out as the encoder's", "mae",
     "(seeing, painting)", "(painting, seeing)", PRETRAINING),
    ("positions of the checkpoint left out", "mae",
     '"vit.embeddings.position_embeddings": "encoder.positions"',
     '"vit.embeddings.position_embeddings": None', ENCODER),
    ("convolution's weights as they start in PyTorch", "mae",
     "isinstance(part, (nn.Linear, nn.Conv2d))", "isinstance(part, nn.Linear)",
     "test_initialisation"),
]  # fmt: skip


@pytest.mark.parametrize(
    "what, module, right, wrong, test", MUTATIONS, ids=[m[0] for m in MUTATIONS]
)
def test_planted_bug_is_noticed(what, module, right, wrong, test, planted):  # noqa: F811
    source = (LIBRARY / f"{module}.py").read_text("utf-8")
    assert source.count(right) == 1, f"{module}.py has this {source.count(right)} times: {right}"
    finder = planted(module, source.replace(right, wrong))
    failures, named = Failures(), str(TESTS / "parity" / f"test_mae.py::{test}")
    pytest.main([*QUICK, "-c", os.devnull, named], plugins=[failures])
    assert finder.used
    assert failures.when == ["call"], f"{test} does not notice: {what}"
