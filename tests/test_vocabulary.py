import pytest
import torch

from transformer_essentials.tokenizers import BOS, EOS, PAD, UNK, Vocabulary


@pytest.fixture
def vocabulary():
    return Vocabulary(["the", "cat", "sleeps"])


def test_specials_come_first(vocabulary):
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert vocabulary.tokens == ("<pad>", "<bos>", "<eos>", "<unk>", "the", "cat", "sleeps")
    assert len(vocabulary) == 7
    assert vocabulary["<eos>"] == EOS and vocabulary["cat"] == 5


def test_encode_adds_nothing_and_marks_the_unknown(vocabulary):
    assert vocabulary.encode(["the", "dog", "sleeps"]) == [4, UNK, 6]
    assert vocabulary["dog"] == UNK and "dog" not in vocabulary and "cat" in vocabulary


def test_decode_stops_at_eos_and_skips_pad_and_bos(vocabulary):
    assert vocabulary.decode([BOS, 4, PAD, 5, UNK, EOS, 6]) == ["the", "cat", "<unk>"]
    assert vocabulary.decode(torch.tensor([6, 4])) == ["sleeps", "the"]
    assert vocabulary.decode([]) == []


def test_from_texts_sorts_by_count_then_alphabet():
    texts = [["b", "a", "c"], ["c", "a", "d"], ["c", "<unk>"]]
    assert Vocabulary.from_texts(texts).tokens[4:] == ("c", "a", "b", "d")
    assert Vocabulary.from_texts(texts, min_count=2).tokens[4:] == ("c", "a")


def test_characters_are_tokens_too():
    v = Vocabulary.from_texts(["2024年3月5日"])
    assert v.tokens[4:] == ("2", "0", "3", "4", "5", "年", "日", "月")
    assert "".join(v.decode(v.encode("5月"))) == "5月"


@pytest.mark.parametrize("tokens", [["a", "b", "a"], ["a", "<pad>"]])
def test_a_token_given_twice_is_an_error(tokens):
    with pytest.raises(ValueError, match="'a'|'<pad>'"):
        Vocabulary(tokens)


@pytest.mark.parametrize("i", [-1, 7])
def test_an_id_that_is_not_there_is_an_error(vocabulary, i):
    with pytest.raises(ValueError, match=f"id {i} .* from 0 to 6"):
        vocabulary.decode([4, i])
