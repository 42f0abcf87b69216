"""The parity tests of the decoders are tested: each bug planted makes a named test fail.

As in ``tests/test_mutations.py``, whose machinery this uses.
"""

import os

import pytest
from parity.test_parity_mutations import Failures, planted  # noqa: F401
from test_mutations import LIBRARY, QUICK, TESTS, patched  # noqa: F401

GPT = "test_gpt.py::test_agrees[OpenAIGPTLMHeadModel-three-heads]"
GPT2 = "test_gpt2.py::test_agrees[GPT2LMHeadModel-three-heads]"
CTRL = "test_ctrl.py::test_agrees[CTRLLMHeadModel-three-heads]"
XL = "test_transformer_xl.py::test_agrees"
WRITES = "test_generation_parity.py::"
# (what is wrong, module, right, wrong, a test that must notice)
MUTATIONS = [
    # ---- GPT and what the decoders share
    ("GELU with the error function", "gpt",
     'ACTIVATION_NAMES | {"gelu": "gelu_tanh"}', "ACTIVATION_NAMES", GPT),
    ("norm before the sub-layers", "gpt", 'norm="post"', 'norm="pre"', GPT),
    ("a norm at the end", "gpt",
     "self.norm = nn.Identity()", "self.norm = nn.LayerNorm(c.width, elementwise_affine=False)",
     GPT),
    ("another eps", "gpt", "eps=1e-5,", "eps=1e-12,", GPT),
    ("queries and keys swapped", "gpt",
     '''        "decoder.blocks.{}.attention.q.weight",
        "decoder.blocks.{}.attention.k.weight",''',
     '''        "decoder.blocks.{}.attention.k.weight",
        "decoder.blocks.{}.attention.q.weight",''', GPT),
    ("biases in another order", "gpt",
     '''        "decoder.blocks.{}.attention.k.bias",
        "decoder.blocks.{}.attention.v.bias",''',
     '''        "decoder.blocks.{}.attention.v.bias",
        "decoder.blocks.{}.attention.k.bias",''', GPT),
    ("square weights not transposed", "gpt",
     'conv1d("decoder.blocks.{}.attention.o.weight")', '"decoder.blocks.{}.attention.o.weight"',
     GPT),
    ("norms swapped", "gpt",
     '''ln_1.*": "decoder.blocks.{}.attention_norm.*",
    "transformer.h.{}.mlp.c_fc.weight": conv1d("decoder.blocks.{}.ff.up.weight"),
    "transformer.h.{}.mlp.c_fc.bias": "decoder.blocks.{}.ff.up.bias",
    "transformer.h.{}.mlp.c_proj.weight": conv1d("decoder.blocks.{}.ff.down.weight"),
    "transformer.h.{}.mlp.c_proj.bias": "decoder.blocks.{}.ff.down.bias",
    "transformer.h.{}.ln_2.*": "decoder.blocks.{}.ff_norm.*"''',
     '''ln_1.*": "decoder.blocks.{}.ff_norm.*",
    "transformer.h.{}.mlp.c_fc.weight": conv1d("decoder.blocks.{}.ff.up.weight"),
    "transformer.h.{}.mlp.c_fc.bias": "decoder.blocks.{}.ff.up.bias",
    "transformer.h.{}.mlp.c_proj.weight": conv1d("decoder.blocks.{}.ff.down.weight"),
    "transformer.h.{}.mlp.c_proj.bias": "decoder.blocks.{}.ff.down.bias",
    "transformer.h.{}.ln_2.*": "decoder.blocks.{}.attention_norm.*"''', GPT),
    ("positions off by one", "gpt", "(mask.cumsum(1) - 1)", "mask.cumsum(1)", GPT),
    ("positions count padding", "gpt",
     "positions = (mask.cumsum(1) - 1).clamp(min=0)[:, past:]", "pass", GPT),
    ("mask ignored", "gpt", "mask = mask[:, None]", "mask = None", GPT),
    ("what comes after is seen", "gpt",
     "causal=True", "causal=False", GPT),
    ("padding is real", "gpt",
     "None if self.config.pad is None else ids != self.config.pad", "None", GPT),
    ("the first token pooled", "gpt",
     "* mask).argmax(1)", "* mask).argmin(1)",
     "test_gpt.py::test_agrees[OpenAIGPTForSequenceClassification-three-heads]"),
    ("the last place pooled, padding or not", "gpt",
     "if mask is not None:\n            check_mask(mask, tuple(ids.shape))\n            last",
     "if False:\n            last",
     "test_gpt.py::test_agrees[OpenAIGPTForSequenceClassification-three-heads]"),
    ("attention of the layers in reverse", "gpt",
     "            attention.append(weights)", "            attention.insert(0, weights)", GPT),
    # ---- GPT-2, GPT-3, CTRL
    ("another eps at the end", "gpt2",
     "self.norm = nn.LayerNorm(c.width, eps=1e-5)", "self.norm = nn.LayerNorm(c.width, eps=1e-3)",
     GPT2),
    ("GPT-2 normalises after", "gpt2", 'norm="pre"', 'norm="post"', GPT2),
    ("masks of old checkpoints unknown", "gpt2",
     '''"transformer.h.{}.attn.masked_bias": None''', '''"transformer.h.{}.attn.masked": None''',
     "test_gpt2.py::test_masks_in_old_checkpoints"),
    ("residual layers start too large", "gpt2",
     "block.ff.down.weight.mul_((2 * c.n_layers) ** -0.5)", "pass",
     "test_gpt2.py::test_initialisation"),
    ("bands off by one", "gpt2",
     "near.triu(S - T - self.config.window + 1)", "near.triu(S - T - self.config.window)",
     "test_gpt2.py::test_bands"),
    ("bands in the other layers", "gpt2", "layer % 2 == 0", "layer % 2 == 1",
     "test_gpt2.py::test_bands"),
    ("bands forget what is cached", "gpt2", "near.triu(S - T - ", "near.triu(-",
     "test_gpt2.py::test_cache_and_padding[3]"),
    ("sines and cosines alternate", "ctrl", "interleaved=False", "interleaved=True", CTRL),
    ("token vectors not multiplied", "ctrl", " * math.sqrt(self.config.width)", "", CTRL),
    ("positions multiplied as well", "ctrl",
     "self.tokens(ids) * math.sqrt(self.config.width) + self.positions[positions]",
     "(self.tokens(ids) + self.positions[positions]) * math.sqrt(self.config.width)", CTRL),
    ("no bias of the output", "gpt", "self.decoder.tokens.weight, self.bias)",
     "self.decoder.tokens.weight)", CTRL),
    ("CTRL with GPT-2's eps", "ctrl",
     "self.norm = nn.LayerNorm(c.width, eps=1e-6)", "self.norm = nn.LayerNorm(c.width, eps=1e-3)",
     CTRL),
    # ---- Transformer-XL
    ("u and v swapped", "transformer_xl",
     '''r_w_bias": "decoder.blocks.{}.attention.content_bias",
    LAYER + "dec_attn.r_r_bias": "decoder.blocks.{}.attention.distance_bias"''',
     '''r_w_bias": "decoder.blocks.{}.attention.distance_bias",
    LAYER + "dec_attn.r_r_bias": "decoder.blocks.{}.attention.content_bias"''',
     f"{XL}[same-length]"),
    ("one bias for both", "transformer_xl",
     "queries + self.distance_bias[:, None]", "queries + self.content_bias[:, None]",
     f"{XL}[same-length]"),
    ("not shifted", "transformer_xl", "relative_shift(distance)", "distance", f"{XL}[same-length]"),
    ("distances not scaled", "transformer_xl",
     "(content + relative_shift(distance)) * self.heads[1] ** -0.5",
     "content * self.heads[1] ** -0.5 + relative_shift(distance)", f"{XL}[same-length]"),
    ("distances from the other end", "transformer_xl",
     "torch.arange(S - 1, -1, -1, device", "torch.arange(0, S, 1, device", f"{XL}[same-length]"),
    ("distances not clamped", "transformer_xl", "if self.config.clamp > 0 else", "if False else",
     f"{XL}[long-memory]"),
    ("clamped off by one", "transformer_xl",
     "far.clamp(max=self.config.clamp)", "far.clamp(max=self.config.clamp - 1)",
     f"{XL}[same-length]"),
    ("same length off by one", "transformer_xl",
     ".triu(S - T - c.memory + 1)", ".triu(S - T - c.memory)", f"{XL}[same-length]"),
    ("all lengths the same", "transformer_xl", "if c.same_length:", "if c.memory:",
     f"{XL}[all-seen]"),
    ("outputs remembered, not inputs", "transformer_xl",
     '''            new_memory.append(source[:, max(0, S - c.memory) :].detach())
            x, weights = block(x, source, distances, sees)
''',
     '''            x, weights = block(x, source, distances, sees)
            source = torch.cat([before, x], 1)
            new_memory.append(source[:, max(0, S - c.memory) :].detach())
''', f"{XL}[same-length]"),
    ("the segment alone remembered", "transformer_xl",
     "source[:, max(0, S - c.memory) :]", "x[:, -c.memory :]", f"{XL}[long-memory]"),
    ("memory learned through", "transformer_xl", " :].detach())", " :])",
     "test_transformer_xl.py::test_gradients_agree[same-length]"),
    ("no memory at first", "transformer_xl",
     "self.rates.new_zeros(B, c.memory, c.width)", "self.rates.new_zeros(B, 0, c.width)",
     f"{XL}[all-seen]"),
    ("words not multiplied", "transformer_xl", "return x * math.sqrt(self.width)", "return x",
     f"{XL}[same-length]"),
    ("every matrix shared", "transformer_xl",
     "(self.shared[i] if i else self.projection)", "self.shared[i]", f"{XL}[same-length]"),
    ("groups in reverse", "transformer_xl",
     "for i, group in enumerate(groups, 1)\n", "for i, group in enumerate(groups[::-1], 1)\n",
     f"{XL}[same-length]"),
    ("padding keeps its vectors", "transformer_xl",
     "x if mask is None else x.masked_fill(~mask[..., None], 0.0)", "x",
     "test_transformer_xl.py::test_padding_changes_nothing[{}]"),
    ("padding adds memory", "transformer_xl",
     "        if mask is not None:  # a text sees as much memory as if it stood alone\n",
     "        if False:\n",
     "test_transformer_xl.py::test_padding_changes_nothing[{'same_length': False}]"),
    # ---- generation
    ("penalty multiplies all", "generation",
     "torch.where(scores < 0, scores * penalty, scores / penalty)", "scores / penalty",
     f"{WRITES}test_penalty[1.3]"),
    ("the word that reaches p dropped", "generation",
     "probabilities.cumsum(-1) - probabilities >= p", "probabilities.cumsum(-1) >= p",
     f"{WRITES}test_top_p[0.8]"),
    ("one too many of the k", "generation", "logits.topk(min(k, ", "logits.topk(min(k + 1, ",
     f"{WRITES}test_top_k[7]"),
    ("the prompt not penalised", "generation",
     "ids = choose(logits, seen)", "ids = choose(logits, seen[:, P:])",
     f"{WRITES}test_greedy_with_repetition_penalty[GPT2LMHeadModel]"),
    ("the last token of a prompt read twice", "gpt",
     "self.read(memory.ids[:, :-1], caches, memory)", "self.read(memory.ids, caches, memory)",
     "test_gpt.py::test_cache"),
    ("padding seen beside a prompt without", "gpt",
     "if memory.padding.any():", "if memory.padding.all():",
     "test_gpt.py::test_cache"),
    ("padding of prompts forgotten", "gpt",
     ">= memory.padding[:, None]", ">= 0 * memory.padding[:, None]",
     "test_gpt.py::test_cache"),
    ("only one end", "generation", "(1 + len(stop)) * beam", "2 * beam",
     "../test_sampling.py::test_more_ends_than_beams"),
    ("temperature multiplies", "generation", "logits = logits / temperature",
     "logits = logits * temperature", f"{WRITES}test_sampling[{{'temperature': 0.7}}]"),
]  # fmt: skip


@pytest.mark.parametrize(
    "what, module, right, wrong, test", MUTATIONS, ids=[m[0] for m in MUTATIONS]
)
def test_planted_bug_is_noticed(what, module, right, wrong, test, planted):  # noqa: F811
    source = (LIBRARY / f"{module}.py").read_text("utf-8")
    assert source.count(right) == 1, f"{module}.py has this {source.count(right)} times: {right}"
    finder = planted(module, source.replace(right, wrong))
    failures = Failures()
    pytest.main([*QUICK, "-c", os.devnull, str(TESTS / "parity" / test)], plugins=[failures])
    assert finder.used
    assert failures.when == ["call"], f"{test} does not notice: {what}"
