"""A claim's verdict follows from its checks; its record says all that was measured."""

import pytest

from transformer_essentials.claims import RECORD, claim


def made(**checks):
    return claim(
        "liu2019", "Both do equally well.", experiment="Two BERTs.", unit="right", form="{:.0%}",
        measured={"one": [0.5, 0.6, 0.7], "other": [0.1, 0.2, 0.6]}, checks=checks,
    )  # fmt: skip


@pytest.mark.parametrize(
    "checks, verdict",
    [
        ((True, True), "held"),
        ((True, False), "held in part"),
        ((False, False), "didn't show at this scale"),
    ],
)
def test_verdict(checks, verdict):
    first, second = checks
    assert made(first=first, second=second).verdict == verdict


def test_what_a_notebook_keeps():
    data = made(better=True)._repr_mimebundle_()
    assert data[RECORD]["verdict"] == "held"
    assert data[RECORD]["rows"] == [("one", "60%", "50% 60% 70%"), ("other", "30%", "10% 20% 60%")]
    assert "| one | 60% | 50% 60% 70% |" in data["text/markdown"]
    assert "- ✓ better" in data["text/markdown"]
    assert "**Verdict: held.**" in data["text/markdown"]


@pytest.mark.parametrize("measured, checks", [({"one": []}, {"e": True}), ({"one": [1]}, {})])
def test_nothing_measured_or_no_check(measured, checks):
    with pytest.raises(ValueError, match="needs a check, a condition, and a value"):
        claim("a", "b", experiment="c", unit="d", measured=measured, checks=checks)
