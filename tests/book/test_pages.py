"""The built pages: complete, and in need of nothing from outside."""

import re
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from browser import HTML, pages
from bs4 import BeautifulSoup
from execute import ROOT

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
PAGES = pages()
if not PAGES:
    pytest.fail("There is no built book: run `make book` first.", pytrace=False)
LOADED = {  # what a browser fetches by itself when it opens a page
    "script": "src", "img": "src", "iframe": "src", "embed": "src", "source": "src",
    "video": "src", "audio": "src", "object": "data", "image": "href", "use": "href",
}  # fmt: skip
OUTSIDE = re.compile(r"^\s*(?:https?:)?//", re.I)
OUTSIDE_IN_CSS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])\s*(?:https?:)?//[^)]*", re.I)
OUTSIDE_IN_SCRIPT = re.compile(
    r"(?:\.src|_URL)\s*=\s*['\"`](?:https?:)?//[^'\"`]*|(?:import|fetch)\(\s*['\"`]https?://", re.I
)


def name(path):
    return path.relative_to(HTML).as_posix()


@pytest.fixture(scope="module")
def soups():
    return {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "lxml")
        for path in HTML.rglob("*.html")
    }


@pytest.fixture(params=PAGES, ids=name)
def path(request):
    return request.param


@pytest.fixture
def page(path, soups):
    return soups[path]


def test_nothing_is_loaded_from_outside(soups):
    found = []
    for path, soup in soups.items():
        for tag in soup.find_all([*LOADED, "link"]):
            target = tag.get(LOADED.get(tag.name, "href"), "")
            if OUTSIDE.match(target) and tag.get("rel") != ["canonical"]:
                found.append(f"{name(path)}: {tag.name} {target}")
        texts = [tag.string or "" for tag in soup.find_all("style")]
        texts += [tag["style"] for tag in soup.find_all(style=True)]
        found += [f"{name(path)}: {m[0]}" for text in texts if (m := OUTSIDE_IN_CSS.search(text))]
        scripts = [tag.string or "" for tag in soup.find_all("script", src=False)]
        found += [
            f"{name(path)}: {m[0]}" for text in scripts if (m := OUTSIDE_IN_SCRIPT.search(text))
        ]
    for path in HTML.rglob("*.css"):
        if m := OUTSIDE_IN_CSS.search(path.read_text(encoding="utf-8")):
            found.append(f"{name(path)}: {m[0]}")
    assert not found


def test_every_link_inside_the_book_leads_somewhere(path, page, soups):
    broken = []
    for tag in page.select("a[href], img[src], link[href], script[src]"):
        target = tag.get("href") or tag.get("src")
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not file.is_file():
            broken.append(target)
        elif parts.fragment and file in soups and not soups[file].find(id=unquote(parts.fragment)):
            broken.append(target)
    assert not broken


def test_every_image_has_a_text(page):
    assert not [str(tag) for tag in page.find_all("img") if not tag.get("alt", "").strip()]


def test_nothing_was_left_unread(page):
    article = page.select_one("article")
    assert not article.select(".problematic, .system-message")
    for tag in article.select("pre, code, script, style"):
        tag.extract()
    text = article.get_text()
    assert "{{" not in text, text[text.index("{{") - 50 :][:150]
    left = re.search(
        r"\{(?:cite|term|numref|eq|ref|doc)[:}].{0,40}|:::.{0,40}|\[(?:TODO|FIXME)|\bTODO\b", text
    )
    assert not left, left


def test_every_page_says_what_it_is(page, soups):
    assert page.html["lang"] == "en"
    assert page.title.string.strip()
    description = page.find("meta", attrs={"name": "description"})["content"]
    assert 20 <= len(description) <= 160, description
    assert page.find("link", rel="icon")
    assert len(page.select("article h1")) == 1
    assert page.select(".prev-next-area a"), "no link to the page before or after"


def test_the_address_is_put_in():
    assert CONFIG["repository"]["url"] in (HTML / "book/running.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [path for path in PAGES if "chapters" in path.parts], ids=name)
def test_a_chapter_can_be_launched(path, soups):
    links = [tag["href"] for tag in soups[path].select(".dropdown-launch-buttons a")]
    notebook = name(path).replace(".html", ".ipynb")
    owner = CONFIG["repository"]["url"].removeprefix("https://github.com/")
    branch = CONFIG["repository"]["branch"]
    assert links == [
        f"https://mybinder.org/v2/gh/{owner}/{branch}?urlpath=lab/tree/{notebook}",
        f"https://colab.research.google.com/github/{owner}/blob/{branch}/{notebook}",
    ]


@pytest.mark.parametrize("path", [path for path in PAGES if "chapters" in path.parts], ids=name)
def test_a_chapter_numbers_its_figures_and_equations(path, soups):
    number = re.match(r"(\d+)\.", soups[path].select_one("article h1").get_text()).group(1)
    captions = [tag.get_text() for tag in soups[path].select("figcaption .caption-number")]
    assert captions and all(
        caption.strip().startswith(f"Fig. {number}.") for caption in captions
    ), captions
    equations = [tag.get_text() for tag in soups[path].select(".eqno")]
    assert equations and all(equation.startswith(f"({number}.") for equation in equations), (
        equations
    )
