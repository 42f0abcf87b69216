"""What this book adds to Sphinx.

- ``{{ repository }}`` in a page, code blocks and link targets included, becomes the address that is
  set in ``_config.yml``.
- A chapter whose code cells were all executed is not executed again. (MyST-NB's ``auto`` mode would
  run every notebook that has a cell without output, and a cell that only defines has none.)
- MathJax comes with the pages: the 2 MB that they need of the package ``sphinx-mathjax-offline``.
- Every page gets a ``<meta name="description">`` from its first paragraph.
- Citations read "Bahdanau et al. (2015)" and "(Vaswani et al., 2017)"; the bibliography is without
  roles that are deprecated in HTML.
"""

import html
import shutil
from dataclasses import dataclass, field
from importlib.metadata import files
from pathlib import Path

import nbformat
from docutils import nodes
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2/", "input/tex/extensions/")


ROUND = BracketStyle(left="(", right=")")


@dataclass
class RoundAuthorYear(AuthorYearReferenceStyle):
    """Author and year, in round brackets."""

    bracket_parenthetical: BracketStyle = field(default_factory=lambda: ROUND)
    bracket_textual: BracketStyle = field(default_factory=lambda: ROUND)


def was_executed(path):
    """Was every code cell of the notebook at ``path`` run?"""
    notebook = nbformat.read(path, as_version=4)
    return all(
        cell.execution_count is not None
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip()
    )


def configure(app, config):
    """Serve MathJax from the book, and leave the executed chapters as they are."""
    config.mathjax_path = "mathjax/tex-chtml.js"
    chapters = Path(app.srcdir) / "chapters"
    config.nb_execution_excludepatterns = [
        path.relative_to(app.srcdir).as_posix()
        for path in sorted(chapters.glob("*/*.ipynb"))
        if was_executed(path)
    ]


def put_in_address(app, docname, source):
    """Replace ``{{ repository }}`` in the text of a page."""
    address = app.config.html_theme_options["repository_url"]
    source[0] = source[0].replace("{{ repository }}", address)


def describe(app, pagename, templatename, context, doctree):
    """Describe the page to search engines: the start of its first paragraph, in whole words."""
    paragraph = next(doctree.findall(nodes.paragraph), None) if doctree else None
    text = " ".join(paragraph.astext().split()) if paragraph else app.config.html_title
    if len(text) > 160:
        text = text[:159].rsplit(" ", 1)[0] + "…"
    tag = f'\n<meta name="description" content="{html.escape(text)}" />'
    context["metatags"] = context.get("metatags", "") + tag


def drop_roles(app, pagename, templatename, context, doctree):
    """Take out the roles that docutils gives to a bibliography, against today's ARIA."""
    for role in (' role="doc-biblioentry"', ' role="list" class="citation-list"'):
        context["body"] = context.get("body", "").replace(role, "")


def copy_mathjax(app, exception):
    """Copy the parts of MathJax that the pages use into ``_static/mathjax``."""
    if exception or app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "mathjax"
    for file in files("sphinx-mathjax-offline"):
        _, _, name = file.as_posix().partition("/static/mathjax/")
        if name.startswith(MATHJAX_PARTS):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target / name)


def setup(app):
    register_plugin("sphinxcontrib.bibtex.style.referencing", "round_author_year", RoundAuthorYear)
    app.connect("config-inited", configure)
    app.connect("source-read", put_in_address)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", drop_roles)
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
