"""Pretraining's objectives: small cases by hand, and every rate and rule counted over many draws.

A count of n draws with probability p may differ from n·p by 4.5 times the binomial's spread,
√(n·p·(1−p)), which chance alone exceeds once in 150,000 times.
"""

import math
from collections import Counter
from itertools import groupby, permutations

import pytest
import torch
from helpers import randn, same, seeded  # noqa: F401
from torch import nn

from transformer_essentials import objectives
from transformer_essentials.electra import (
    ELECTRAConfig, ELECTRAForMaskedLM, ELECTRAForPreTraining, replaced_token_loss,
)  # fmt: skip
from transformer_essentials.heads import IGNORE, token_loss
from transformer_essentials.objectives import (
    bart_noise, choose, choose_spans, distillation_loss, document_rotation, drop_spans,
    electra_loss, mask_tokens, multilingual_denoising, next_sentence, next_token, pack,
    replace_tokens, sentence_order, sentence_permutation, soft_target_loss, span_corruption,
    span_mask, static_masking, text_infilling, token_deletion, token_masking,
)  # fmt: skip

TEXT = "the cat sat on the old mat".split()


def expect(count, n, p, besides=0):
    """The count is what chance makes of n draws; so many of them may go by other rules."""
    spread = math.sqrt(n * p * (1 - p))
    assert abs(count - n * p) <= 4.5 * spread + besides, f"{count} of {n}, expected {n * p:.1f}"


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- the next token


def test_next_token_by_hand():
    ids = torch.tensor([[5, 6, 7, 8], [5, 9, 0, 0]])
    inputs, labels = next_token(ids, pad=0)
    assert inputs.tolist() == [[5, 6, 7], [5, 9, 0]]
    assert labels.tolist() == [[6, 7, 8], [9, IGNORE, IGNORE]]
    assert next_token(ids)[1].tolist() == [[6, 7, 8], [9, 0, 0]]
    assert ids[1].tolist() == [5, 9, 0, 0]  # as it was
    logits = randn(2, 3, 10)
    logs = logits.log_softmax(-1)
    expected = -(logs[0, 0, 6] + logs[0, 1, 7] + logs[0, 2, 8] + logs[1, 0, 9]) / 4
    same(token_loss(logits, labels), expected)


# ---------------------------------------------------------------- masked tokens


@pytest.mark.parametrize("pick", [choose, choose_spans])
def test_how_many_are_chosen(pick):
    allowed = torch.ones(6, 40, dtype=torch.bool)
    allowed[1, 20:] = allowed[2, 4:] = allowed[3, 1:] = allowed[4] = False
    allowed[5, ::2] = False
    chosen = pick(allowed)
    assert chosen.sum(1).tolist() == [6, 3, 1, 1, 0, 3]  # 15%, at least one, if there is one
    assert not (chosen & ~allowed).any()
    assert pick(allowed, 1.0).equal(allowed)
    assert pick(allowed, 0.5).sum(1).tolist() == [20, 10, 2, 1, 0, 10]


@pytest.mark.parametrize("pick", [choose, choose_spans])
def test_everywhere_equally_often(pick):
    n = 3000
    counts = pick(torch.ones(n, 20, dtype=torch.bool), rng=rng()).sum(0)
    edges = 2 if pick is choose_spans else 0  # no span comes in from beyond the edge
    for count in counts[edges : 20 - edges]:
        expect(count.item(), n, 0.15, besides=0 if pick is choose else 0.1 * 0.15 * n)


def test_lengths_of_spans():
    """1/1, 1/2 and 1/3, in proportion: 6/11, 3/11, 2/11. The last of a row is cut to fit."""
    chosen, lengths = choose_spans(torch.ones(40, 20_000, dtype=torch.bool), 0.005, rng=rng()), []
    for row in chosen:
        runs = [len(list(run)) for is_in, run in groupby(row.tolist()) if is_in]
        lengths += [run for run in runs if run <= 3]  # more: two that touch
    for length, p in ((1, 6 / 11), (2, 3 / 11), (3, 2 / 11)):
        expect(lengths.count(length), len(lengths), p, besides=40)
    singles = choose_spans(torch.ones(40, 2000, dtype=torch.bool), 0.005, longest=1, rng=rng())
    assert singles.sum() == 400
    assert (singles[:, 1:] & singles[:, :-1]).sum() < 10  # neighbours by chance alone


def test_eighty_ten_ten():
    """Of the tokens 7 of a vocabulary of 20 whose mask is 3; any token may replace one."""
    n, ids = 40_000, torch.full((100, 400), 7)
    inputs, labels = mask_tokens(ids, torch.ones_like(ids, dtype=torch.bool), 3, 20, rng=rng())
    assert labels.equal(ids)
    counts = torch.bincount(inputs.flatten(), minlength=20).tolist()
    for token, count in enumerate(counts):
        expect(count, n, {3: 0.805, 7: 0.105}.get(token, 0.005))


def test_mask_tokens_by_hand():
    ids = torch.tensor([[4, 5, 6], [7, 8, 9]])
    chosen = torch.tensor([[True, False, False], [False, True, True]])
    inputs, labels = mask_tokens(ids, chosen, 3, 20, shares=(1.0, 0.0))
    assert inputs.tolist() == [[3, 5, 6], [7, 3, 3]]
    assert labels.tolist() == [[4, IGNORE, IGNORE], [IGNORE, 8, 9]]
    inputs, again = mask_tokens(ids, chosen, 3, 20, shares=(0.0, 0.0))
    assert inputs.equal(ids) and again.equal(labels)
    inputs, _ = mask_tokens(ids, chosen, 3, 1, shares=(0.0, 1.0))  # a vocabulary of one token, 0
    assert inputs.tolist() == [[0, 5, 6], [7, 0, 0]]
    assert ids.tolist() == [[4, 5, 6], [7, 8, 9]]


def test_static_and_dynamic():
    ids = torch.arange(5, 65).view(2, 30)
    allowed = ids > 6
    inputs, labels = static_masking(ids, allowed, 3, 70, rng=rng())
    assert inputs.shape == labels.shape == (10, 2, 30)
    chosen = labels != IGNORE
    assert (chosen.sum(-1) == torch.tensor([4, 4])).all() and not (chosen & ~allowed).any()
    assert labels.equal(ids.expand(10, 2, 30).masked_fill(~chosen, IGNORE))
    assert len({tuple(copy) for copy in chosen[:, 0].tolist()}) == 10
    assert static_masking(ids, allowed, 3, 70, copies=2, rate=0.5)[0].shape == (2, 2, 30)
    stream = rng()
    seen = [mask_tokens(ids, choose(allowed, rng=stream), 3, 70, rng=stream) for _ in range(20)]
    assert len({tuple(labels[0].tolist()) for _, labels in seen}) == 20  # another each time


# ---------------------------------------------------------------- two sentences

DOCUMENTS = [[f"{letter}{i}" for i in range(n)] for letter, n in (("a", 301), ("b", 4), ("c", 12))]


def test_half_of_the_sentences_follow():
    pairs, stream = [], rng()
    for _ in range(10):
        pairs += next_sentence(DOCUMENTS, stream)
    assert len(pairs) == 10 * (300 + 3 + 11)
    expect(sum(label for *_, label in pairs), len(pairs), 0.5)
    for first, second, label in pairs:
        if label:
            assert first[0] != second[0]  # from another document
        else:
            assert first[0] == second[0] and int(second[1:]) == int(first[1:]) + 1
    others = Counter(second for first, second, label in pairs if label and first[0] == "a")
    assert {s[0] for s in others} == {"b", "c"}
    n = sum(others.values())
    expect(sum(others[s] for s in DOCUMENTS[1]), n, 0.5)  # a document first, then a sentence of it
    expect(others["b2"], n, 1 / 8)
    assert "b3" in others and "c0" in others


def test_firsts_are_every_sentence_but_the_last():
    pairs = next_sentence(DOCUMENTS[1:], rng())
    assert [first for first, *_ in pairs] == [*DOCUMENTS[1][:-1], *DOCUMENTS[2][:-1]]
    with pytest.raises(ValueError, match="another document: give two"):
        next_sentence(DOCUMENTS[:1])


def test_half_of_the_sentences_are_swapped():
    pairs = [pair for _ in range(10) for pair in sentence_order(DOCUMENTS[0])]
    assert len(pairs) == 3000
    expect(sum(label for *_, label in pairs), 3000, 0.5)
    for first, second, label in pairs:
        assert int(second[1:]) - int(first[1:]) == (-1 if label else 1)


def test_pack_by_hand():
    tokens, segments = pack(["how", "?"], ["so"], "[CLS]", "[SEP]")
    assert tokens == ["[CLS]", "how", "?", "[SEP]", "so", "[SEP]"]
    assert segments == [0, 0, 0, 0, 1, 1]


# ---------------------------------------------------------------- replaced tokens


def test_replaced_by_hand():
    ids = torch.tensor([[4, 5, 6], [7, 8, 9]])
    chosen = torch.tensor([[True, False, False], [False, True, True]])
    logits = torch.full((3, 12), -1e9)
    logits[0, 4] = logits[1, 11] = logits[2, 9] = 0.0  # right, wrong, right
    corrupted, replaced = replace_tokens(ids, chosen, logits)
    assert corrupted.tolist() == [[4, 5, 6], [7, 11, 9]]
    assert replaced.tolist() == [[0, 0, 0], [0, 1, 0]]


def test_words_come_from_the_softmax():
    n, p = 20_000, torch.tensor([0.5, 0.2, 0.05, 0.25])
    ids = torch.full((2, n // 2), 3)
    logits = (p.log() + 5).expand(n, 4).clone().requires_grad_()
    corrupted, replaced = replace_tokens(ids, ids == 3, logits, rng())
    for token, count in enumerate(torch.bincount(corrupted.flatten()).tolist()):
        expect(count, n, p[token].item())
    expect(replaced.sum().item(), n, 0.75)  # a quarter is right
    assert not corrupted.requires_grad


def test_electra_loss():
    torch.manual_seed(1)
    generator = ELECTRAForMaskedLM(ELECTRAConfig(13, 4, 6, 1, 2, 8, 12, dropout=0.0)).double()
    judge = ELECTRAForPreTraining(ELECTRAConfig(13, 4, 8, 1, 2, 8, 12, dropout=0.0)).double()
    ids = torch.randint(4, 13, (3, 12))
    ids[2, 7:] = 0
    loss = electra_loss(generator, judge, ids, ids > 3, mask=1, rate=0.4, rng=rng(5))

    stream, real = rng(5), ids != 0
    chosen = choose(ids > 3, 0.4, stream)
    assert chosen.sum(1).tolist() == [5, 5, 3]
    words = generator(torch.where(chosen, 1, ids), real)[chosen]
    corrupted, replaced = replace_tokens(ids, chosen, words, stream)
    judged = replaced_token_loss(judge(corrupted, real), replaced, real)
    expected = nn.functional.cross_entropy(words, ids[chosen]) + 50 * judged
    same(loss, expected)

    alone = electra_loss(generator, judge, ids, ids > 3, mask=1, rate=0.4, weight=0, rng=rng(5))
    both, without = (torch.autograd.grad(x, [*generator.parameters()]) for x in (loss, alone))
    for one, other in zip(both, without):
        assert one.equal(other)


# ---------------------------------------------------------------- spans behind sentinels


def test_spans_by_hand():
    """Figure 2 of the paper."""
    text = "Thank you for inviting me to your party last week .".split()
    dropped = [word in ("for", "inviting", "last") for word in text]
    source, target = drop_spans(text, dropped, ["<X>", "<Y>", "<Z>"])
    assert source == "Thank you <X> me to your party <Y> week .".split()
    assert target == "<X> for inviting <Y> last <Z>".split()
    assert drop_spans("abcd", [True, False, True, True], "XYZ") == (list("XbY"), list("XaYcd"))
    with pytest.raises(ValueError, match="more spans than the 1 sentinels"):
        drop_spans(text, dropped, ["<X>"])


@pytest.mark.parametrize("length, dropped, spans", [
    (512, 77, 26), (100, 15, 5), (20, 3, 1), (10, 2, 1), (2, 1, 1), (3, 1, 1),
])  # fmt: skip
def test_fifteen_percent_in_spans_of_three(length, dropped, spans):
    for seed in range(5):
        mask = span_mask(length, rng=rng(seed))
        runs = [(is_in, len(list(run))) for is_in, run in groupby(mask)]
        assert len(mask) == length and sum(mask) == dropped
        assert [is_in for is_in, _ in runs] == [False, True] * spans
    assert 2.8 < dropped / spans < 3.2 or length <= 10


def test_every_way_to_draw_spans_is_equally_likely():
    n, stream = 3600, rng()
    drawn = Counter(tuple(span_mask(8, rate=0.5, mean=2.0, rng=stream)) for _ in range(n))
    assert len(drawn) == 3 * 3  # 4 kept tokens in two parts, 4 dropped ones in two
    for count in drawn.values():
        expect(count, n, 1 / 9)


def test_span_corruption_can_be_undone():
    tokens, sentinels = list(range(1000, 1300)), range(99, 0, -1)
    source, target = span_corruption(tokens, sentinels, rng=rng())
    assert len(source) == 255 + 15 and len(target) == 45 + 15
    for half in source, target:
        assert [t for t in half if t < 100] == list(range(99, 84, -1))
    spans = {}
    for token in target:
        if token < 100:
            spans[token] = inside = []
        else:
            inside.append(token)
    assert [t for token in source for t in spans.get(token, [token])] == tokens
    with pytest.raises(ValueError, match="1 token can't be both kept and dropped"):
        span_corruption([5], sentinels)
    with pytest.raises(ValueError, match="mean length is 1 or more, not 0.5"):
        span_corruption(tokens, sentinels, mean=0.5)
    with pytest.raises(ValueError, match="between 0 and 1, not 15"):
        span_corruption(tokens, sentinels, 15)


# ---------------------------------------------------------------- BART's noise


def test_token_masking_and_deletion():
    for seed in range(20):
        masked = token_masking(TEXT, "_", 0.3, rng(seed))
        assert masked.count("_") == 2
        assert all(new in ("_", old) for new, old in zip(masked, TEXT, strict=True))
        kept = token_deletion(TEXT, 0.3, rng(seed))
        assert kept == [new for new in masked if new != "_"]  # the same places, without a trace
    n, stream = 2000, rng()
    left = Counter(i for _ in range(n) for i in token_deletion(range(10), 0.2, stream))
    for i in range(10):
        expect(left[i], n, 0.8)
    assert token_masking(TEXT, "_", 1.0) == ["_"] * 7 and token_deletion(TEXT, 0.0) == TEXT
    with pytest.raises(ValueError, match="between 0 and 1, not 30"):
        token_deletion(TEXT, 30)


def test_one_span_by_hand():
    """Half of six tokens in one span, which can start in four places."""
    n, stream = 2000, rng()
    drawn = Counter("".join(text_infilling("abcdef", "_", 0.5, 100.0, stream)) for _ in range(n))
    assert set(drawn) == {"_def", "a_ef", "ab_f", "abc_"}
    for count in drawn.values():
        expect(count, n, 1 / 4)


def poisson(k, mean):
    return math.exp(-mean) * mean**k / math.factorial(k)


@pytest.mark.parametrize("mean", [3.0, 3.5])
def test_lengths_of_infilled_spans(mean):
    """Tokens are numbers, so that what is missing between two shows how long a span was."""
    rows, T, lengths, stream = 10, 12_000, [], rng()
    for _ in range(rows):
        source = [-1, *text_infilling(range(T), None, 0.05, mean, stream), T]
        kept = [i for i, token in enumerate(source) if token is not None]
        assert len(kept) == 0.95 * T + 2
        assert [source[i] for i in kept] == sorted(source[i] for i in kept)  # in order
        # one mask between two tokens is one span; more, which are rare, could be any
        lengths += [source[j] - source[i] - 1 for i, j in zip(kept, kept[1:]) if j - i == 2]
    assert len(lengths) > 0.9 * rows * 0.05 * T / mean
    for k in range(9):
        expect(lengths.count(k), len(lengths), poisson(k, mean), besides=rows)  # the cut ones
    assert lengths.count(0) > 0  # insertions


def test_how_much_is_infilled():
    for T in (10, 20, 33):
        source = text_infilling(range(T), None, rng=rng(T))
        assert sum(token is not None for token in source) == T - round(0.3 * T)
    assert text_infilling(TEXT, "_", 0.0) == TEXT
    assert set(text_infilling(TEXT, "_", 1.0)) == {"_"}
    with pytest.raises(ValueError, match="between 0 and 1, not -0.1"):
        text_infilling(TEXT, "_", -0.1)
    with pytest.raises(ValueError, match="spans of 0 tokens on average never hold"):
        text_infilling(TEXT, "_", mean=0)


def test_every_order_and_every_start():
    n, stream = 3000, rng()
    orders = Counter(tuple(sentence_permutation("abc", stream)) for _ in range(n))
    assert set(orders) == set(permutations("abc"))
    for count in orders.values():
        expect(count, n, 1 / 6)
    starts = Counter("".join(document_rotation("abcd", stream)) for _ in range(n))
    assert set(starts) == {"abcd", "bcda", "cdab", "dabc"}
    for count in starts.values():
        expect(count, n, 1 / 4)


def test_bart_noise():
    """Sentences stay whole when they are shuffled; 30% are missing afterwards."""
    sentences = [[10 * i + j for j in range(10)] for i in range(8)]
    source, target = bart_noise(sentences, None, rng=rng())
    assert target == list(range(80))
    kept = [token for token in source if token is not None]
    assert len(kept) == 56
    order = [i for i, _ in groupby(token // 10 for token in kept)]
    assert order == list(dict.fromkeys(order)) != sorted(order)
    for i in order:
        sentence = [token for token in kept if token // 10 == i]
        assert sentence == sorted(sentence)


def test_multilingual_denoising():
    sentences = [["un", "chat"], ["deux", "chiens", "noirs"]]
    target = ["un", "chat", "</s>", "deux", "chiens", "noirs", "</s>", "[fr]"]
    drawn = [
        multilingual_denoising(sentences, "[fr]", "_", "</s>", rate=0.0, rng=rng(seed))
        for seed in range(10)
    ]
    assert all(found == target for _, found in drawn)
    shuffled = ["deux", "chiens", "noirs", "</s>", "un", "chat", "</s>", "[fr]"]
    assert {tuple(source) for source, _ in drawn} == {tuple(target), tuple(shuffled)}
    long = [list(range(i, i + 9)) for i in range(0, 90, 9)]  # with their ends 100 tokens
    n_masks, stream = [], rng()
    for _ in range(300):
        source, target = multilingual_denoising(long, "[fr]", None, -1, rng=stream)
        assert source[-1] == target[-1] == "[fr]" and len(target) == 101
        assert sum(token is not None for token in source) == 65 + 1
        n_masks.append(source.count(None))
    # more than n spans are needed if n of them, together Poisson(3.5 n), hold fewer than 35 tokens
    more = [sum(poisson(k, 3.5 * n) for k in range(35)) for n in range(60)]
    mean, square = sum(more), sum((2 * n + 1) * p for n, p in enumerate(more))
    assert abs(sum(n_masks) / 300 - mean) < 4.5 * math.sqrt((square - mean**2) / 300)


# ---------------------------------------------------------------- distillation


def test_soft_targets_by_hand():
    student, teacher = torch.tensor([[[0.0, 0.0]], [[math.log(9), 0.0]]], dtype=torch.float64)
    # at temperature 2 the teacher says 3:1, the student 1:1
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    same(soft_target_loss(student, teacher, 2.0), torch.tensor(4 * expected, dtype=torch.float64))
    expected = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    both = soft_target_loss(student.expand(5, 2), teacher.expand(5, 2), 1.0)  # a token on average
    same(both, torch.tensor(expected, dtype=torch.float64))


def test_distillation_loss():
    """The three terms as PyTorch's own losses have them; padding and the teacher left out."""
    B, T, V, D = 2, 4, 7, 5
    student = randn(B, T, V, grad=True), randn(B, T, D, grad=True)
    teacher = randn(B, T, V, grad=True), randn(B, T, D, grad=True)
    real = torch.tensor([[True] * 4, [True, True, False, False]])
    labels = torch.full((B, T), IGNORE)
    labels[0, 2], labels[1, 0] = 6, 3
    loss, terms = distillation_loss(student, teacher, labels, real)
    soft = nn.KLDivLoss(reduction="batchmean")(
        (student[0][real] / 2).log_softmax(-1), (teacher[0][real] / 2).softmax(-1)
    ) * 4  # fmt: skip
    words = nn.CrossEntropyLoss()(student[0].flatten(0, 1), labels.flatten())
    cosine = nn.CosineEmbeddingLoss()(student[1][real], teacher[1][real], torch.ones(6))
    for term, expected in zip(terms, (soft, words, cosine), strict=True):
        same(term, expected, 1e-10)
    same(loss, 5 * soft + 2 * words + cosine, 1e-10)
    loss.backward()
    assert teacher[0].grad is None and teacher[1].grad is None
    assert not student[0].grad[1, 2:].any() and not student[1].grad[1, 2:].any()
    same(distillation_loss(student, teacher, labels, real, weights=(0, 1, 0))[0], words)
    other = distillation_loss(student, teacher, labels, real, temperature=1.0)[1][0]
    same(other, soft_target_loss(student[0][real], teacher[0][real], 1.0))


# ---------------------------------------------------------------- chance

ALLOWED = torch.ones(2, 30, dtype=torch.bool)
IDS = torch.arange(60).view(2, 30)
DRAWN = {
    choose: (ALLOWED,),
    choose_spans: (ALLOWED,),
    mask_tokens: (IDS, ALLOWED, 3, 70),
    static_masking: (IDS, ALLOWED, 3, 70),
    next_sentence: (DOCUMENTS,),
    sentence_order: (DOCUMENTS[0],),
    replace_tokens: (IDS, ALLOWED, torch.zeros(60, 70)),
    span_mask: (100,),
    span_corruption: (range(100), "ABCDEFG"),
    token_masking: (range(100), None, 0.3),
    token_deletion: (range(100), 0.3),
    text_infilling: (range(100), None),
    sentence_permutation: (range(100),),
    document_rotation: (range(10_000),),
    bart_noise: (DOCUMENTS, None),
    multilingual_denoising: (DOCUMENTS, "fr", None, "."),
}


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_the_generator_decides(draw):
    """The same for the same seed, another for another, and PyTorch's own is left alone."""
    state = torch.get_rng_state()
    one, again, other = (str(draw(*DRAWN[draw], rng=rng(seed))) for seed in (1, 1, 2))
    assert one == again != other
    assert torch.get_rng_state().equal(state)
    torch.manual_seed(4)
    default = str(draw(*DRAWN[draw]))
    torch.manual_seed(4)
    assert str(draw(*DRAWN[draw])) == default


def test_all_that_draws_is_tested():
    drawing = {
        f for f in vars(objectives).values()
        if getattr(f, "__module__", "") == objectives.__name__ and "rng" in f.__code__.co_varnames
    }  # fmt: skip
    assert {f for f in drawing if not f.__name__.startswith("_")} == {*DRAWN, electra_loss}
