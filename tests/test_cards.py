"""A model's card says what the model is made of."""

import pytest

from transformer_essentials.cards import FACTS, ROWS, card, cards, millions


@pytest.mark.parametrize(
    "name, parameters, norm, activation, positions",
    [
        ("gpt2", "124 M to 1.6 B", "layer, before", "gelu_tanh", "a table"),
        ("t5", "61 M to 11.3 B", "RMS, before", "relu", "relative"),
        ("marian", "74 M", "layer, after", "swish", "sinusoids"),
        ("transformer-xl", "151 M to 285 M", "layer, after", "relu", "relative"),
    ],
)
def test_read_from_the_code(name, parameters, norm, activation, positions):
    row = card(name)
    assert (row["parameters"], row["norm"]) == (parameters, norm)
    assert (row["activation"], row["positions"]) == (activation, positions)


def test_every_model_has_one():
    for name in FACTS:
        assert list(card(name)) == list(ROWS)
    with pytest.raises(ValueError, match="no card for 'elmo'; there are: bert, "):
        card("elmo")


def test_what_changes_is_bold():
    lines = cards("bert", "roberta")._repr_mimebundle_()["text/markdown"].splitlines()
    assert lines[2].startswith("| BERT | Transformer | 4.4 M to 336 M | layer, after | gelu |")
    assert "| **RoBERTa** | **BERT** | **125 M to 355 M** | layer, after | gelu | a table |" in lines[3]


def test_sizes_in_words():
    assert [millions(n) for n in (4_386_178, 11_683_584, 1_557_611_200)] == ["4.4 M", "12 M", "1.6 B"]
