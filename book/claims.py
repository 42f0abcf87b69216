"""Write book/claims.md from what the notebooks recorded (`make execute` calls this).

Every claim that a chapter re-runs leaves a record in the output of its cell; see
``transformer_essentials.claims``. Nothing on the page but its opening is written by hand.
"""

import sys
from pathlib import Path

import nbformat
import yaml

from transformer_essentials.claims import RECORD, VERDICTS, findings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "book" / "claims.md"
OPENING = """# Claims re-run

Every claim of a paper that a chapter puts to the test, in the order of the book. The chapters give the experiments in
full; here stand the claim, what was measured and the verdict: *{}* if everything was seen that should be seen if
the claim is right, *{}* if some of it was, *{}* if nothing was. The experiments are far
smaller than those of the papers, so a verdict says what shows on a laptop, and neither proves a paper nor refutes it.
The page is made from the outputs of the notebooks.
"""


def claims() -> list[tuple[str, dict]]:
    """(chapter's file without suffix, record) in the order of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    pages = [page["file"] for part in toc["parts"] for page in part["chapters"]]
    return [
        (page, out["data"][RECORD])
        for page in pages
        if page.startswith("chapters/")
        for cell in nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
        for out in cell.get("outputs", [])
        if RECORD in out.get("data", {})
    ]


def page() -> str:
    """The page in Markdown."""
    found = claims()
    counts = {verdict: sum(r["verdict"] == verdict for _, r in found) for verdict in VERDICTS}
    lines = [OPENING.format(*VERDICTS), "| verdict | claims |", "|---|---:|"]
    lines += [f"| {verdict} | {n} |" for verdict, n in counts.items()] + [""]
    lines += ["| paper | claim | verdict | chapter |", "|---|---|---|---|"]
    for number, (chapter, r) in enumerate(found, 1):
        lines.append(
            f"| {{cite:t}}`{r['paper']}` | [{r['says']}](#claim-{number}) | {r['verdict']} "
            f"| {{doc}}`/{chapter}` |"
        )
    for number, (chapter, r) in enumerate(found, 1):
        lines += ["", f"(claim-{number})=", f"## {number}. {r['says']}", ""]
        lines += [f"Claimed by {{cite:t}}`{r['paper']}`; re-run in {{doc}}`/{chapter}`."]
        lines += [f"**{r['verdict'].capitalize()}.** {r['experiment']}", ""]
        lines += findings(r)
    return "\n".join(lines) + "\n"


def update() -> None:
    """Write the page, unless it is what it should be."""
    if not PAGE.exists() or PAGE.read_text("utf-8") != page():
        PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    update()
    print(f"{PAGE.relative_to(ROOT)}: {len(claims())} claims", file=sys.stderr)
