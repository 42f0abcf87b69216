"""A paper's claim beside what was measured here: shown in its chapter, gathered on one page.

The verdict is computed from the checks, never written by hand. In a notebook a claim leaves, next
to what the reader sees, a record in its output; ``book/claims.py`` makes the page of all claims
from these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

RECORD = "application/vnd.transformer-essentials.claim+json"
VERDICTS = ("held", "held in part", "didn't show at this scale")


@dataclass(frozen=True)
class Claim:
    """What :func:`claim` makes. ``measured`` has each condition's values, one a seed."""

    paper: str
    says: str
    experiment: str
    measured: Mapping[str, Sequence[float]]
    checks: Mapping[str, bool]
    unit: str
    form: str

    @property
    def verdict(self) -> str:
        """All checks true: held; some: held in part; none: it didn't show at this scale."""
        held, part, none = VERDICTS
        return held if all(self.checks.values()) else part if any(self.checks.values()) else none

    def rows(self) -> list[tuple[str, str, str]]:
        """(condition, mean, values), as text."""
        return [
            (name, self.form.format(sum(values) / len(values)), " ".join(map(self.form.format, values)))
            for name, values in self.measured.items()
        ]

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        plain = f"{self.says}\nVerdict: {self.verdict}."
        record = asdict(self) | {"verdict": self.verdict, "rows": self.rows()}
        record["checks"] = list(self.checks.items())  # in this order: notebooks sort what has names
        markdown = "\n".join([*findings(record), "", f"**Verdict: {self.verdict}.**"])
        return {"text/markdown": markdown, "text/plain": plain, RECORD: record}


def findings(record: dict) -> list[str]:
    """Of a claim's record: the table of what was measured, and the checks. Lines of Markdown."""
    return [
        f"| {record['unit']} | mean | each run |", "|---|---:|---|",
        *(f"| {name} | {mean} | {values} |" for name, mean, values in record["rows"]),
        "", *(f"- {'✓' if held else '✗'} {said}" for said, held in record["checks"]),
    ]  # fmt: skip


def claim(
    paper: str,
    says: str,
    *,
    experiment: str,
    measured: Mapping[str, Sequence[float]],
    checks: Mapping[str, bool],
    unit: str,
    form: str = "{:.2f}",
) -> Claim:
    """What ``paper`` (a key of the bibliography) ``says``, and what came out here.

    ``measured`` has a list of values a condition, one for each seed, in ``unit``, written as
    ``form`` says; ``checks`` is what should be seen if the claim holds, each with whether it was.
    Raises ValueError without a check or without a value.
    """
    if not checks or not measured or not all(map(len, measured.values())):
        raise ValueError("a claim needs a check, a condition, and a value for each condition")
    measured = {name: [float(value) for value in values] for name, values in measured.items()}
    checks = {said: bool(held) for said, held in checks.items()}
    return Claim(paper, says, experiment, measured, checks, unit, form)
