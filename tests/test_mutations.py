"""The tests test the tests: each bug planted in the library must make a named test fail.

A mutation replaces a piece of one module's source while the named test runs, and the test must
fail: a mutation that it lets pass is a bug that it would let pass. A piece that the source
doesn't hold exactly once is an error too, so that the list follows the code.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

import pytest
import transformer_essentials

LIBRARY = Path(transformer_essentials.__file__).parent
TESTS = Path(__file__).parent
PACKAGE = "transformer_essentials"

# (what is wrong, module, right, wrong, a test that must notice)
MUTATIONS = [
    # ---- attention
    ("no √d", "attention",
     "dot_score(query, keys) / math.sqrt(query.shape[-1])", "dot_score(query, keys)",
     "test_attention.py::test_running_example"),
    ("√ of the number of keys", "attention",
     "math.sqrt(query.shape[-1])", "math.sqrt(keys.shape[-2])",
     "test_attention.py::test_scores_against_einsum"),
    ("general score transposed", "attention",
     "return self.W(keys)", "return keys @ self.W.weight",
     "test_seq2seq.py::test_against_the_equations"),
    ("additive score without tanh", "attention",
     "self.v(torch.tanh(mixed))", "self.v(mixed)",
     "test_attention.py::test_additive_is_concat"),
    ("W and U swapped", "attention",
     "self.W(query).unsqueeze(-2)", "self.U(query).unsqueeze(-2)",
     "test_attention.py::test_scores_by_hand"),
    ("softmax over the queries", "attention",
     "return scores.softmax(-1).masked_fill", "return scores.softmax(-2).masked_fill",
     "test_attention.py::test_hidden_keys_might_not_be_there"),
    ("unmasked softmax over the queries", "attention",
     "return scores.softmax(-1)\n", "return scores.softmax(-2)\n",
     "test_attention.py::test_running_example"),
    ("mask after the softmax", "attention",
     "scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)\n", "pass\n",
     "test_attention.py::test_hidden_keys_might_not_be_there"),
    ("hidden rows uniform", "attention",
     "softmax(-1).masked_fill(~mask, 0.0)", "softmax(-1)",
     "test_attention.py::test_fully_hidden_row_is_zero_and_has_no_nan"),
    ("hidden rows have a NaN gradient", "attention",
     "scores.masked_fill(~mask, torch.finfo(scores.dtype).min)",
     "scores + torch.where(mask, 0.0, -torch.inf)",
     "test_attention.py::test_fully_hidden_row_is_zero_and_has_no_nan"),
    ("mask the wrong way round", "attention",
     "scores.masked_fill(~mask, torch.finfo", "scores.masked_fill(mask, torch.finfo",
     "test_attention.py::test_softmax_align_by_hand"),
    ("hard alignment ignores the mask", "attention",
     "scores.masked_fill(~mask, -torch.inf).argmax", "scores.argmax",
     "test_attention.py::test_hard_align"),
    ("causal mask off by one", "attention",
     ".tril(S - T)", ".tril(S - T - 1)",
     "test_attention.py::test_causal_mask"),
    ("causal mask of the first queries", "attention",
     ".tril(S - T)", ".tril()",
     "test_attention.py::test_causal_mask"),
    ("padding mask off by one", "attention",
     "< lengths[:, None]", "<= lengths[:, None]",
     "test_attention.py::test_padding_mask"),
    ("fused path ignores the mask", "attention",
     "F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)",
     "F.scaled_dot_product_attention(query, keys, values)",
     "test_attention.py::test_attend_by_loops"),
    ("attend ignores the mask", "attention",
     "align(score(query, keys), mask)", "align(score(query, keys), None)",
     "test_attention.py::test_attend_by_loops"),
    ("fused path for any alignment", "attention",
     "score is scaled_dot_score and align is softmax_align", "score is scaled_dot_score",
     "test_attention.py::test_attend_takes_any_score_and_alignment"),
    ("keys and values swapped in the model", "attention",
     "keys, values = self.to_keys(features), self.to_values(features)",
     "values, keys = self.to_keys(features), self.to_values(features)",
     "test_attention.py::test_general_attention_step_by_step"),
    # ---- many heads
    ("q and k swapped", "attention",
     "self.split(self.q(x))", "self.split(self.k(x))",
     "test_attention.py::test_against_torch"),
    ("keys as values", "attention",
     "self.split(self.v(source))", "self.split(self.k(source))",
     "test_attention.py::test_against_torch"),
    ("output without bias", "attention",
     "return self.o(context.transpose(1, 2).flatten(2)), weights",
     "return context.transpose(1, 2).flatten(2) @ self.o.weight.T, weights",
     "test_attention.py::test_against_torch"),
    ("no output projection", "attention",
     "return self.o(context.transpose(1, 2).flatten(2)), weights",
     "return context.transpose(1, 2).flatten(2), weights",
     "test_attention.py::test_against_torch"),
    ("heads and places mixed", "attention",
     "context.transpose(1, 2).flatten(2)", "context.reshape(len(x), x.shape[1], -1)",
     "test_attention.py::test_against_torch"),
    ("heads interleaved", "attention",
     "x.unflatten(-1, (self.n_heads, self.head_width)).transpose(1, 2)",
     "x.unflatten(-1, (self.head_width, self.n_heads)).permute(0, 3, 1, 2)",
     "test_attention.py::test_against_torch"),
    ("scaled by the whole width", "attention",
     "self.scale = self.head_width**-0.5", "self.scale = width**-0.5",
     "test_attention.py::test_against_torch"),
    ("scale lost in the fused kernel", "attention",
     "dropout_p=p, scale=self.scale", "dropout_p=p",
     "test_attention.py::test_heads_by_loops"),
    ("score bias scaled too", "attention",
     "scores if score_bias is None else scores + score_bias",
     "scores if score_bias is None else scores + score_bias * self.scale",
     "test_attention.py::test_heads_by_loops"),
    ("mask lost beside a score bias", "attention",
     "mask = score_bias if mask is None else score_bias.masked_fill(~mask, -torch.inf)",
     "mask = score_bias",
     "test_attention.py::test_heads_by_loops"),
    ("mask of sentences taken for heads", "attention",
     "mask = mask.unsqueeze(1)", "mask = mask.unsqueeze(0)",
     "test_attention.py::test_heads_by_loops"),
    ("dropout when not training", "attention",
     "self.dropout if self.training else 0.0", "self.dropout",
     "test_attention.py::test_dropout_only_in_training"),
    ("causal or a mask, not both", "attention",
     "mask = sees if mask is None else mask & sees", "mask = sees if mask is None else mask",
     "test_attention.py::test_causal"),
    ("causal flag lost in the kernel", "attention",
     "is_causal=causal and plain", "is_causal=False",
     "test_attention.py::test_causal"),
    ("kernel's flag for the last queries of many", "attention",
     "plain = T == S and mask", "plain = mask",
     "test_attention.py::test_causal"),
    ("queries stand at the first places", "attention",
     "causal_mask(T, S, x.device)", "causal_mask(S, S, x.device)[:T]",
     "test_attention.py::test_causal"),
    # ---- cache
    ("cache in the wrong order", "attention",
     "return self.keys[:, :, : self.length], self.values",
     "return self.keys[:, :, : self.length].flip(2), self.values",
     "test_attention.py::test_cache_keeps_order_and_grows"),
    ("cache forgets when it grows", "attention",
     "if self.length:\n", "if False:\n",
     "test_attention.py::test_cache_keeps_order_and_grows"),
    ("selected rows not selected", "attention",
     "self.keys[rows], self.values[rows]", "self.keys[rows], self.values",
     "test_attention.py::test_cache_select"),
    ("selected cache starts over", "attention",
     "chosen.length = self.length", "chosen.length = 0",
     "test_attention.py::test_cache_select"),
    # ---- positions
    ("cosine first", "positions",
     "torch.stack([angles.sin(), angles.cos()], -1)", "torch.stack([angles.cos(), angles.sin()], -1)",
     "test_positions.py::test_sinusoids_by_hand"),
    ("positions from 1", "positions",
     "torch.arange(length)[:, None] * rates", "(torch.arange(length)[:, None] + 1) * rates",
     "test_positions.py::test_sinusoids_by_hand"),
    ("query − key", "positions",
     "torch.arange(S) - torch.arange(S - T, S)[:, None]",
     "torch.arange(S - T, S)[:, None] - torch.arange(S)",
     "test_positions.py::test_both_ways_buckets_by_hand"),
    ("shift the wrong way", "positions",
     "[scores.new_zeros(*batch, T, 1), scores]", "[scores, scores.new_zeros(*batch, T, 1)]",
     "test_positions.py::test_relative_shift_by_hand"),
    # ---- layers
    ("centred RMS norm", "layers",
     "x.square().mean(-1, keepdim=True)", "x.var(-1, keepdim=True)",
     "test_layers.py::test_rms_norm_by_hand"),
    ("the wrong GELU", "layers",
     '"gelu": F.gelu,', '"gelu": partial(F.gelu, approximate="tanh"),',
     "test_layers.py::test_activations"),
    ("gate and hidden layer swapped", "layers",
     "self.activation(self.gate(x)) * self.up(x)", "self.activation(self.up(x)) * self.gate(x)",
     "test_layers.py::test_feed_forward"),
    ("post and pre norm swapped", "layers",
     'self.pre = norm == "pre"', 'self.pre = norm == "post"',
     "test_layers.py::test_block_against_torch"),
    ("norms swapped", "layers",
     "self.close(residual, self.ff(h), self.ff_norm)",
     "self.close(residual, self.ff(h), self.attention_norm)",
     "test_layers.py::test_block_against_torch"),
    ("no residual", "layers",
     "x = residual + self.dropout(h)", "x = self.dropout(h)",
     "test_layers.py::test_block_against_torch"),
    ("cross-attention without the memory's mask", "layers",
     "h, memory, mask=memory_mask, cache", "h, memory, cache",
     "test_layers.py::test_block_against_torch"),
    ("epsilon not passed on", "layers",
     "self.ff_norm = norm_layer(width, eps=eps)", "self.ff_norm = norm_layer(width)",
     "test_layers.py::test_block_against_torch"),
    # ---- recurrent translators
    ("s_i asks instead of s_{i-1}", "seq2seq",
     "        scores = self.score.compare(state[0][:, None], memory.keys)  # (B,1,S)\n",
     "        old, state = state, self.recurrent.step(torch.cat([word, memory.last], -1), state)\n"
     "        scores = self.score.compare(state[0][:, None], memory.keys)\n        state = old\n",
     "test_seq2seq.py::test_against_the_equations"),
    ("padding attended to", "seq2seq",
     "        weights = softmax_align(scores, memory.mask)\n        context",
     "        weights = softmax_align(scores)\n        context",
     "test_seq2seq.py::test_padding_never_changes_logits"),
    ("padding read by the encoder", "seq2seq",
     "self.embedding(source), lengths.cpu()",
     "self.embedding(source), torch.full_like(lengths, source.shape[1]).cpu()",
     "test_seq2seq.py::test_encoder_ignores_padding"),
    ("the cell handed over instead of h", "seq2seq",
     "last[0] if isinstance(last, tuple)", "last[1] if isinstance(last, tuple)",
     "test_seq2seq.py::test_encoder_ignores_padding"),
    ("σ is the window", "seq2seq",
     "torch.exp(-2 * (distance", "torch.exp(-0.5 * (distance",
     "test_seq2seq.py::test_local_window_by_hand"),
    ("window as long as the padded row", "seq2seq",
     "length = mask.sum(-1, keepdim=True)", "length = mask.shape[-1]",
     "test_seq2seq.py::test_local_window_by_hand"),
    ("no window, the bell alone", "seq2seq",
     "mask & (distance.abs() <= self.window)", "mask",
     "test_seq2seq.py::test_local_window_by_hand"),
    ("h before c in Luong's readout", "seq2seq",
     "self.combine(torch.cat([context, h], -1))", "self.combine(torch.cat([h, context], -1))",
     "test_seq2seq.py::test_against_the_equations"),
    ("the state fed instead of h̃", "seq2seq",
     "attended = self.readout(state[0], context[:, 0], word)", "attended = state[0]",
     "test_seq2seq.py::test_against_the_equations"),
    ("h̃ not handed on", "seq2seq",
     "return state[0], context[:, 0], (state, attended), weights[:, 0]",
     "return state[0], context[:, 0], (state, 0 * attended), weights[:, 0]",
     "test_seq2seq.py::test_against_the_equations"),
    ("no tanh at the start", "seq2seq",
     "torch.tanh(self.bridge(memory.last))", "self.bridge(memory.last)",
     "test_seq2seq.py::test_against_the_equations"),
    # ---- the Transformer
    ("embeddings not scaled", "transformer",
     "table(ids) * math.sqrt(table.embedding_dim)", "table(ids)",
     "test_transformer.py::test_against_torch"),
    ("no causal mask", "transformer",
     "self.decode(x, memory, mask, return_weights", "self.decode(x, memory, return_weights",
     "test_transformer.py::test_later_words_cannot_be_seen"),
    ("final norms swapped", "transformer",
     "self.decoder_norm(x) @", "self.encoder_norm(x) @",
     "test_transformer.py::test_against_torch"),
    ("every step at place 0", "transformer",
     "start=state[0].length", "start=0",
     "test_transformer.py::test_steps_equal_forward"),
    ("padding of the source read", "transformer",
     "block(x, mask=mask)", "block(x)",
     "test_transformer.py::test_padding_never_changes_logits"),
    # ---- generation
    ("length penalty ignored", "generation",
     "return score / ((5 + length) / 6) ** length_penalty", "return score",
     "test_generation.py::test_length_penalty_by_hand"),
    ("length off by one", "generation",
     "(5 + length)", "(4 + length)",
     "test_generation.py::test_length_penalty_by_hand"),
    ("state not reordered", "generation",
     "        state = select(state, rows)\n", "",
     "test_generation.py::test_beam_against_brute_force"),
    ("attention not reordered", "generation",
     "looks = None if looks is None else looks[rows]\n", "pass\n",
     "test_generation.py::test_attention_belongs_to_the_hypothesis"),
    ("attention of the end kept", "generation",
     "looks[row, : words.shape[1]]", "looks[row]",
     "test_generation.py::test_attention_belongs_to_the_hypothesis"),
    ("words of a neighbour's beams", "generation",
     "rows, new = first + where // V", "rows, new = where // V",
     "test_generation.py::test_batched_equals_one_by_one"),
    ("nothing selected as something", "generation",
     "    if state is None:\n        return None\n", "",
     "test_generation.py::test_select"),
    ("all beams alike at first", "generation",
     "scores = torch.full((B, beam), -torch.inf, device=device)",
     "scores = torch.zeros((B, beam), device=device)",
     "test_generation.py::test_greedy_is_not_the_best"),
    ("greedy counts beyond the end", "generation",
     "scores += best.masked_fill(done, 0.0)", "scores += best",
     "test_generation.py::test_greedy_by_hand"),
    ("translations in order of length", "generation",
     "for i, hypothesis in zip(rows, found):", "for i, hypothesis in enumerate(found, first):",
     "test_generation.py::test_translate_keeps_order"),
    # ---- training, metrics, weights
    ("no clipping", "training",
     "clip_grad_norm_(model.parameters(), clip)", "clip_grad_norm_(model.parameters(), 1e9)",
     "test_training.py::test_train_is_adam"),
    ("gradients pile up", "training",
     "        optimizer.zero_grad()\n", "",
     "test_training.py::test_train_is_adam"),
    ("warm-up from zero", "training",
     "return (update + 1) / warmup", "return update / warmup",
     "test_training.py::test_warmup_by_hand"),
    ("padding learned", "training",
     "batch.target_out.flatten(), ignore_index=PAD", "batch.target_out.flatten()",
     "test_training.py::test_translation_loss_by_loops"),
    ("the last batch dropped", "training",
     "range(0, len(rows), batch_size)", "range(0, len(rows) - batch_size + 1, batch_size)",
     "test_training.py::test_an_epoch_has_every_pair_once"),
    ("alignment turned around", "metrics",
     "{(int(row.argmax()), i) for", "{(i, int(row.argmax())) for",
     "test_metrics.py::test_hard_alignment"),
    ("possible links without the sure ones", "metrics",
     "len(a & (s | set(p)))", "len(a & set(p))",
     "test_metrics.py::test_alignment_error_rate_by_hand"),
    ("references as translations", "metrics",
     "corpus_bleu(joined[0], [joined[1]]", "corpus_bleu(joined[1], [joined[0]]",
     "test_metrics.py::test_bleu_punishes_brevity"),
    ("checksum not looked at", "weights",
     '!= made["sha256"]', '== ""',
     "test_weights.py::test_damaged_file_is_refused"),
]  # fmt: skip


class Patched(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module of the library from another source than its file's."""

    def __init__(self, module: str, source: str):
        super().__init__(f"{PACKAGE}.{module}", str(LIBRARY / f"{module}.py"))
        self.source, self.used = source, False

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def get_code(self, name):
        self.used = True
        return compile(self.source, self.path, "exec")


def forget() -> dict:
    """Take the library and its tests out of the loaded modules; return what was loaded."""
    before, tests = dict(sys.modules), {test.stem for test in TESTS.glob("*.py")}
    for name in before:
        if name.split(".")[0] == PACKAGE or name.split(".")[-1] in tests:
            del sys.modules[name]
    return before


@pytest.fixture
def patched():
    """Calling it swaps the library's source; afterwards all modules are as they were."""
    before, path, finders = forget(), list(sys.path), list(sys.meta_path)

    def swap(module: str, source: str) -> Patched:
        finder = Patched(module, source)
        sys.meta_path.insert(0, finder)
        sys.path.insert(0, str(TESTS))
        return finder

    yield swap
    forget()
    sys.modules.update(before)
    sys.path[:], sys.meta_path[:] = path, finders


QUICK = (  # the named test alone, without plugins, as quickly as pytest goes
    "-qx --tb=no --import-mode=importlib --assert=plain --disable-plugin-autoload "
    "-p no:cacheprovider -p no:unraisableexception -p no:threadexception -p no:faulthandler"
).split()


@pytest.mark.parametrize("what, module, right, wrong, test", MUTATIONS, ids=[m[0] for m in MUTATIONS])
def test_planted_bug_is_noticed(what, module, right, wrong, test, patched):
    source = (LIBRARY / f"{module}.py").read_text("utf-8")
    assert source.count(right) == 1, f"{module}.py has this {source.count(right)} times: {right}"
    finder = patched(module, source.replace(right, wrong))
    result = pytest.main([*QUICK, "-c", os.devnull, str(TESTS / test)])
    assert finder.used
    assert result == pytest.ExitCode.TESTS_FAILED, f"{test} does not notice: {what}"
