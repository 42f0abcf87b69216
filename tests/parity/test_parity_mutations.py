"""The parity tests are tested: each bug planted in a model makes a named test fail.

As in ``tests/test_mutations.py``, whose machinery this uses.
"""

import os
import sys

import pytest
from test_mutations import LIBRARY, QUICK, TESTS, patched  # noqa: F401

BERT_AGREES = "test_bert.py::test_agrees"
# (what is wrong, module, right, wrong, a test that must notice)
MUTATIONS = [
    # ---- the block, as an encoder uses it
    ("no √d", "attention",
     "self.head_width**-0.5 if scale is None", "1.0 if scale is None",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("attention's norm after the feed-forward layer, and the other way round", "layers",
     "self.ff_norm = norm_layer(width, eps=eps)",
     "self.ff_norm = self.attention_norm",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("a tanh GELU for all", "layers",
     '"gelu": F.gelu,', '"gelu": partial(F.gelu, approximate="tanh"),',
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("masked-LM head: norm before the activation", "layers",
     "self.norm(self.activation(self.dense(x)))", "self.activation(self.norm(self.dense(x)))",
     f"{BERT_AGREES}[BertForMaskedLM-three-heads]"),
    ("masked-LM head: another eps", "layers",
     "nn.LayerNorm(embedding.embedding_dim, eps=eps)", "nn.LayerNorm(embedding.embedding_dim)",
     f"{BERT_AGREES}[BertForMaskedLM-three-heads]"),
    # ---- BERT
    ("norm before the sub-layers", "bert",
     'norm="post"', 'norm="pre"',
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("another eps in the blocks", "bert",
     "self.blocks = blocks(c, c.n_layers, eps=1e-12)", "self.blocks = blocks(c, c.n_layers, eps=1e-5)",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("another eps after the embeddings", "bert",
     "pad=c.pad, eps=1e-12", "pad=c.pad, eps=1e-5",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("embeddings not normalised", "bert",
     "self.dropout(self.norm(x))", "self.dropout(x)",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("positions off by one", "bert",
     "self.positions.weight[:T]", "self.positions.weight[1 : T + 1]",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("segments ignored", "bert",
     "if segments is None else self.segments(segments)", "",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("mask ignored", "bert",
     "mask=mask[:, None]", "mask=None",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("mask hides queries", "bert",
     "mask=mask[:, None]", "mask=mask[:, :, None]",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("one's own mask ignored", "bert",
     "mask = ids != self.config.pad if mask is None else mask", "mask = ids != self.config.pad",
     "test_bert.py::test_any_token_can_be_hidden"),
    ("padding attended to", "bert",
     "ids != self.config.pad if mask is None", "ids == ids if mask is None",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("padding is always 0", "bert",
     "ids != self.config.pad if", "ids != 0 if",
     f"{BERT_AGREES}[BertModel-padding-4]"),
    ("padding learned", "bert",
     "width, padding_idx=pad)", "width)",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("queries and keys swapped", "bert",
     '''attention.self.query.*": "blocks.{}.attention.q.*",
    "encoder.layer.{}.attention.self.key.*"''',
     '''attention.self.key.*": "blocks.{}.attention.q.*",
    "encoder.layer.{}.attention.self.query.*"''',
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("norms swapped", "bert",
     '''output.LayerNorm.*": "blocks.{}.attention_norm.*",
    "encoder.layer.{}.intermediate.dense.*": "blocks.{}.ff.up.*",
    "encoder.layer.{}.output.dense.*": "blocks.{}.ff.down.*",
    "encoder.layer.{}.output.LayerNorm.*": "blocks.{}.ff_norm.*",''',
     '''output.LayerNorm.*": "blocks.{}.ff_norm.*",
    "encoder.layer.{}.intermediate.dense.*": "blocks.{}.ff.up.*",
    "encoder.layer.{}.output.dense.*": "blocks.{}.ff.down.*",
    "encoder.layer.{}.output.LayerNorm.*": "blocks.{}.attention_norm.*",''',
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("layers in reverse", "bert",
     "return self.blocks", "return reversed(self.blocks)",
     f"{BERT_AGREES}[BertModel-three-heads]"),
    ("masked-LM head has an activation of its own", "bert",
     "super().__init__(BERT(config, pooler=False), config.activation)",
     "super().__init__(BERT(config, pooler=False))",
     f"{BERT_AGREES}[BertForMaskedLM-relu]"),
    ("next sentence without the pooler", "bert",
     "self.next_sentence(self.encoder.pooler(hidden))", "self.next_sentence(hidden[:, 0])",
     f"{BERT_AGREES}[BertForPreTraining-three-heads]"),
    ("no dropout on attention", "bert",
     "attention_dropout=c.dropout", "attention_dropout=0.0",
     "test_bert.py::test_dropout_everywhere"),
    # ---- heads
    ("pooler without tanh", "heads",
     "activation=torch.tanh", "activation=torch.relu",
     "test_bert.py::test_pooled_vector"),
    ("pooler takes the last token", "heads",
     "hidden[:, 0]", "hidden[:, -1]",
     "test_bert.py::test_pooled_vector"),
    ("classifier without the pooler", "heads",
     "self.classifier(self.dropout(pooler(hidden)))", "self.classifier(self.dropout(hidden[:, 0]))",
     f"{BERT_AGREES}[BertForSequenceClassification-three-heads]"),
    ("all logits, asked for or not", "heads",
     "hidden if positions is None else hidden[positions]", "hidden",
     "test_bert.py::test_masked_lm_logits_on_request"),
    ("start and end swapped", "heads",
     "self.span(hidden).unbind(-1)", "self.span(hidden).flip(-1).unbind(-1)",
     f"{BERT_AGREES}[BertForQuestionAnswering-three-heads]"),
    ("an answer cut off ends at the last token", "heads",
     "where.clamp(max=T)", "where.clamp(max=T - 1)",
     f"{BERT_AGREES}[BertForQuestionAnswering-three-heads]"),
    ("losses of start and end added up", "heads",
     "sum(losses) / 2", "sum(losses)",
     f"{BERT_AGREES}[BertForQuestionAnswering-three-heads]"),
    ("the second task forgotten", "heads",
     " + F.cross_entropy(relation, pairs)", "",
     f"{BERT_AGREES}[BertForPreTraining-three-heads]"),
    ("every token has a label", "heads",
     "labels.flatten(), ignore_index=IGNORE", "labels.flatten().clamp(min=0)",
     f"{BERT_AGREES}[BertForTokenClassification-three-heads]"),
    ("weights too large at first", "heads",
     "nn.init.normal_(part.weight, std=0.02)", "nn.init.normal_(part.weight, std=0.03)",
     "test_bert.py::test_initialisation"),
    ("biases of Linear left", "heads",
     "nn.init.zeros_(part.bias)", "pass",
     "test_bert.py::test_initialisation"),
    # ---- RoBERTa
    ("positions as BERT's", "roberta",
     "segments, position_ids(ids, c.pad))", "segments)",
     "test_roberta.py::test_agrees[RobertaModel-three-heads]"),
    ("positions from 0", "roberta",
     "real.cumsum(1) * real + pad", "(real.cumsum(1) - 1) * real",
     "test_roberta.py::test_agrees[RobertaModel-three-heads]"),
    ("positions count padding", "roberta",
     "real.cumsum(1) * real + pad", "torch.ones_like(ids).cumsum(1) * real + pad",
     "test_roberta.py::test_agrees[RobertaModel-three-heads]"),
    ("padding has positions", "roberta",
     "real.cumsum(1) * real + pad", "real.cumsum(1) + pad",
     "test_roberta.py::test_agrees[RobertaModel-three-heads]"),
    ("padding's position learned", "roberta",
     "self.embeddings.positions.padding_idx = c.pad", "pass",
     "test_roberta.py::test_agrees[RobertaModel-three-heads]"),
    ("BERT's eps", "roberta",
     "pad=c.pad, eps=EPS", "pad=c.pad, eps=1e-12",
     "test_roberta.py::test_agrees[RobertaModel-three-heads]"),
    ("BERT's eps in the head", "roberta",
     '"gelu", EPS)', '"gelu")',
     "test_roberta.py::test_agrees[RobertaForMaskedLM-three-heads]"),
    ("the head's activation is the model's", "roberta",
     '"gelu", EPS)', "config.activation, EPS)",
     "test_roberta.py::test_agrees[RobertaForMaskedLM-relu]"),
    ("classifier with ReLU", "roberta",
     "n_labels, torch.tanh", "n_labels, torch.relu",
     "test_roberta.py::test_agrees[RobertaForSequenceClassification-three-heads]"),
    # ---- ALBERT
    ("groups take turns", "albert",
     "i * c.n_groups // c.n_layers", "i % c.n_groups",
     "test_albert.py::test_agrees[AlbertModel-two-groups]"),
    ("each block used once", "albert",
     "for i in range(c.n_layers)]", "for i in range(c.n_groups)]",
     "test_albert.py::test_layers_are_as_deep_as_they_say"),
    ("GELU with the error function", "checkpoints",
     '"gelu_new": "gelu_tanh"', '"gelu_new": "gelu"',
     "test_albert.py::test_agrees[AlbertModel-three-heads]"),
    ("norms swapped in ALBERT", "albert",
     '''"encoder.groups.{}.attention_norm.*",
    LAYER + "ffn.*": "encoder.groups.{}.ff.up.*",
    LAYER + "ffn_output.*": "encoder.groups.{}.ff.down.*",
    LAYER + "full_layer_layer_norm.*": "encoder.groups.{}.ff_norm.*"''',
     '''"encoder.groups.{}.ff_norm.*",
    LAYER + "ffn.*": "encoder.groups.{}.ff.up.*",
    LAYER + "ffn_output.*": "encoder.groups.{}.ff.down.*",
    LAYER + "full_layer_layer_norm.*": "encoder.groups.{}.attention_norm.*"''',
     "test_albert.py::test_agrees[AlbertModel-three-heads]"),
    ("order without the pooler", "albert",
     "self.dropout(self.encoder.pooler(hidden))", "self.dropout(hidden[:, 0])",
     "test_albert.py::test_agrees[AlbertForPreTraining-three-heads]"),
    # ---- DistilBERT
    ("classifier with tanh", "distilbert",
     "torch.relu", "torch.tanh",
     "test_distilbert.py::test_agrees[DistilBertForSequenceClassification-three-heads]"),
    ("the head has an activation of its own", "distilbert",
     "super().__init__(DistilBERT(config), config.activation)",
     "super().__init__(DistilBERT(config))",
     "test_distilbert.py::test_agrees[DistilBertForMaskedLM-relu]"),
    ("another eps in DistilBERT", "distilbert",
     "self.blocks = blocks(c, c.n_layers, eps=1e-12)", "self.blocks = blocks(c, c.n_layers, eps=1e-5)",
     "test_distilbert.py::test_agrees[DistilBertModel-three-heads]"),
    # ---- ELECTRA
    ("generator's head with the model's activation", "electra",
     'super().__init__(ELECTRA(config), "gelu")', "super().__init__(ELECTRA(config), config.activation)",
     "test_electra.py::test_agrees[ElectraForMaskedLM-relu]"),
    ("discriminator's head always GELU", "electra",
     "ACTIVATIONS[config.activation]", "F.gelu",
     "test_electra.py::test_agrees[ElectraForPreTraining-relu]"),
    ("classifier with the tanh GELU", "electra",
     "n_labels, F.gelu", 'n_labels, ACTIVATIONS["gelu_tanh"]',
     "test_electra.py::test_agrees[ElectraForSequenceClassification-narrow]"),
    ("padding judged", "electra",
     "logits[real], replaced[real]", "logits, replaced",
     "test_electra.py::test_agrees[ElectraForPreTraining-narrow]"),
    ("output matrix not shared", "electra",
     "    generator.head.output.weight = discriminator.encoder.embeddings.tokens.weight\n", "",
     "test_electra.py::test_shared_embeddings"),
    # ---- checkpoints
    ("surplus tensors pass", "checkpoints",
     'problems.append(f"{name} has no place in it")', "pass",
     "test_checkpoints.py::test_state_dict_that_does_not_fit[of another head]"),
    ("unknown tensors pass", "checkpoints",
     'f"{name} is not known" if match is None', '"" if match is None',
     "test_checkpoints.py::test_state_dict_that_does_not_fit[unknown]"),
    ("missing tensors pass", "checkpoints",
     "if id(t) not in met", "if False",
     "test_checkpoints.py::test_state_dict_that_does_not_fit[missing]"),
    ("shapes not compared", "checkpoints",
     "value.shape != target.shape", "False",
     "test_checkpoints.py::test_state_dict_that_does_not_fit[shape]"),
    ("types not compared", "checkpoints",
     "value.is_floating_point() != target.is_floating_point()", "False",
     "test_checkpoints.py::test_state_dict_that_does_not_fit[type]"),
    ("half loaded", "checkpoints",
     "            target = own.get(_fill(ours, *rest))\n",
     "            target = own.get(_fill(ours, *rest))\n"
     "            if target is not None and target.shape == value.shape:\n"
     "                target.data.copy_(value)\n",
     "test_checkpoints.py::test_state_dict_that_does_not_fit[of another head]"),
    ("tied tensors may differ", "checkpoints",
     "value is not known and not torch.equal(value, known)", "False",
     "test_checkpoints.py::test_tied_may_be_there_and_must_be_equal"),
    ("fused in the wrong order", "checkpoints",
     "for i in sorted(pieces)", "for i in sorted(pieces, reverse=True)",
     "test_checkpoints.py::test_fused_and_transposed"),
    ("fused weights not transposed", "checkpoints",
     "whole.T.contiguous() if transposed else whole", "whole",
     "test_checkpoints.py::test_fused_and_transposed"),
    ("pickled code runs", "checkpoints",
     "weights_only=True", "weights_only=False",
     "test_checkpoints.py::test_pickled_code_is_not_run"),
    ("what a model can't do is overlooked", "checkpoints",
     "if key in given and value != entry.value:", "if False:",
     "test_checkpoints.py::test_configuration_that_is_wrong"),
    ("loaded models are in training", "checkpoints",
     "return made.eval()", "return made",
     "test_checkpoints.py::test_from_hugging_face[BertModel-safetensors]"),
    ("labels not counted", "checkpoints",
     'len(given.get("id2label") or range(given.get("num_labels", 2)))', "2",
     "test_checkpoints.py::test_from_hugging_face[BertForTokenClassification-safetensors]"),
]  # fmt: skip


@pytest.fixture
def planted(patched):  # noqa: F811
    """The same for the tests in this folder, which are loaded anew as well."""
    here = {test.stem for test in (TESTS / "parity").glob("*.py")}
    for name in list(sys.modules):
        if name in here or name.startswith("parity."):
            del sys.modules[name]
    return patched


class Failures:
    """When tests failed: not in their fixtures, not while they were collected."""

    def __init__(self):
        self.when = []

    def pytest_runtest_logreport(self, report):
        self.when += [report.when] if report.failed else []


@pytest.mark.parametrize("what, module, right, wrong, test", MUTATIONS, ids=[m[0] for m in MUTATIONS])
def test_planted_bug_is_noticed(what, module, right, wrong, test, planted):
    source = (LIBRARY / f"{module}.py").read_text("utf-8")
    assert source.count(right) == 1, f"{module}.py has this {source.count(right)} times: {right}"
    finder = planted(module, source.replace(right, wrong))
    failures = Failures()
    pytest.main([*QUICK, "-c", os.devnull, str(TESTS / "parity" / test)], plugins=[failures])
    assert finder.used
    assert failures.when == ["call"], f"{test} does not notice: {what}"
