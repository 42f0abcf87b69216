"""The page of claims is what the notebooks recorded, and cites papers that there are."""

import claims
from execute import ROOT


def test_the_page_is_made_from_the_notebooks():
    assert claims.PAGE.read_text("utf-8") == claims.page(), "run: python book/claims.py"


def test_papers_are_in_the_bibliography():
    known = (ROOT / "book" / "references.bib").read_text("utf-8")
    for chapter, record in claims.claims():
        assert f"{{{record['paper']}," in known, f"{chapter} cites {record['paper']}"


def test_three_runs_of_each_condition():
    """Where models are trained for the claim; the translators of Parts III and IV were once."""
    for chapter, record in claims.claims():
        if chapter.split("/")[1] in ("background", "architectures"):
            assert all(len(values) >= 3 for values in record["measured"].values()), chapter
