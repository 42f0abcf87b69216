"""The sentences that the experiments with small encoders learn from."""

import torch

from transformer_essentials.bert import BERTConfig, BERTForMaskedLM
from transformer_essentials.experiments import distillation
from transformer_essentials.experiments._sentences import MASK, batches, masked, sentences
from transformer_essentials.heads import IGNORE
from transformer_essentials.pretrain import student_of
from transformer_essentials.tokenizers import PAD, UNK


def test_sentences_hold_known_words_alone():
    data = sentences(2000, 150)
    assert len(data.vocabulary) == MASK + 1 + 150 and data.vocabulary["▢"] == MASK
    for ids in (data.train, data.test):
        assert 5 <= (ids != PAD).sum(1).min() and ids.shape[1] <= 8
        assert not (ids == UNK).any() and not (ids == MASK).any()
    rows = {tuple(row) for row in data.train.tolist()}
    assert not rows & {tuple(row) for row in data.test.tolist()}


def test_batches_come_again_and_are_masked():
    data = sentences(2000, 150)
    one, again, other = (next(batches(data, seed, 4)) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
    inputs, labels = next(masked(data, 0, 4))
    asked = labels != IGNORE
    assert (asked.sum(1) == 1).all()  # 15% of 5 to 8 words
    assert torch.equal(torch.where(asked, labels, inputs), one)


def test_half_of_a_teacher():
    sizes = dict(vocabulary=9, n_layers=4, **distillation.SIZES)
    teacher = BERTForMaskedLM(BERTConfig(**sizes))
    student = student_of(teacher, 2)
    for ours, theirs in zip(student.encoder.blocks, teacher.encoder.blocks[::2], strict=True):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)
    assert torch.equal(student.head.output.weight, teacher.encoder.embeddings.tokens.weight)
    assert student.head.output.weight is student.encoder.embeddings.tokens.weight
