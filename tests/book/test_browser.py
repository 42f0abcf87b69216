"""The built pages in a browser, with the network watched."""

import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from browser import DESKTOP, HTML, PHONE, chromium, find_chromium, pages

if find_chromium() is None and os.environ.get("CI") != "true":
    pytest.skip(
        "no Chromium: install it (Debian: apt install chromium), or set CHROMIUM",
        allow_module_level=True,
    )

PAGES = [*pages(), HTML / "search.html", HTML / "genindex.html"]
CHAPTERS = [path for path in PAGES if "chapters" in path.parts]
INSIDE = ("file:", "data:", "blob:", "http://127.0.0.1:")
LOOKS = {
    "light": {**DESKTOP, "color_scheme": "light"},
    "dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light"},
}


def name(path):
    return path.relative_to(HTML).as_posix()


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def contexts(browser):
    made = {look: browser.new_context(**options) for look, options in LOOKS.items()}
    for context in made.values():
        context.set_default_timeout(120_000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
    return made


@pytest.fixture
def visit(contexts):
    """A function that opens a page (a file, or an address) in a look.

    It waits until the formulas stand. Errors and outside requests fail the test.
    """
    opened, faults = [], []

    def visit(path, look="light"):
        page = contexts[look].new_page()
        opened.append(page)
        page.on("request", lambda r: r.url.startswith(INSIDE) or faults.append(r.url))
        page.on("requestfailed", lambda r: faults.append(f"{r.url}: {r.failure}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.goto(path if isinstance(path, str) else path.as_uri(), wait_until="load")
        page.wait_for_function(
            "!document.querySelector('span.math, div.math') || window.MathJax?.startup?.promise"
        )
        page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
        return page

    yield visit
    for page in opened:
        page.close()
    assert not faults


def formulas_stand(page):
    written = page.locator("article span.math, article div.math").count()
    drawn = page.locator("article mjx-container").count()
    return drawn >= written and not page.locator("mjx-merror").count()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page(visit, path, look):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(path, look)
    assert formulas_stand(page)
    sizes = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert sizes[0] <= sizes[1], "the page scrolls sideways"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 3 * 64) == (look == "dark"), background
    if look == "phone":
        return  # nothing that axe looks at differs from the light page
    page.evaluate("document.querySelectorAll('article details').forEach(d => d.open = true)")
    # what has just been opened fades in: half faded in, it has too little contrast
    page.evaluate("Promise.all(document.getAnimations().map(fading => fading.finished))")
    # a page from disk may fetch nothing; of what is in order no list is made, which takes long
    options = {"preload": False, "resultTypes": ["violations"]}
    report = Axe().run(page, options=options)
    assert report.violations_count == 0, report.generate_report()


def test_the_book_opens_at_its_first_page(visit):
    page = visit(HTML / "index.html")
    page.wait_for_url("**/book/index.html")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """The address of the book, served as `make serve` does."""
    handler = partial(QuietHandler, directory=HTML)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def found(page):
    page.wait_for_selector("#search-results li a")
    links = page.locator("#search-results li a").all()
    return " ".join(link.get_attribute("href") for link in links)


def test_search(visit, server):
    page = visit(f"{server}/search.html?q=softmax")
    assert "weighted-selection.html" in found(page)
    page.wait_for_selector("#search-results p.context")  # the words around it


def test_search_without_a_server(contexts):
    page = contexts["light"].new_page()
    page.goto((HTML / "search.html").as_uri() + "?q=softmax")
    assert "weighted-selection.html" in found(page)
    page.close()


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_a_quiz_answers(visit, path):
    page = visit(path)
    first = page.locator(".Quiz").filter(has=page.locator(".MultipleChoiceQn")).first
    first.locator(".MCButton[data-correct=true]").click()
    assert "correct" in first.locator(".Feedback").get_attribute("class").split()
    first.locator(".MCButton[data-correct=false]").first.click()
    assert "incorrect" in first.locator(".Feedback").get_attribute("class").split()
    assert first.locator(".Feedback").inner_text().strip()
    first.locator(".MCButton input").first.focus()
    page.keyboard.press("Space")
    assert first.locator(".correctButton, .incorrectButton").count() == 1


def test_code_can_be_copied(visit):
    page = visit(CHAPTERS[0])
    cell = page.locator("div.cell_input div.highlight").first
    cell.hover()
    cell.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()


def test_light_and_dark_can_be_chosen(visit):
    page = visit(CHAPTERS[0])
    seen = set()
    for _ in range(3):
        page.locator("button.theme-switch-button").first.click()
        seen.add(page.locator("html").get_attribute("data-theme"))
    assert seen == {"light", "dark"}


def test_a_chapter_works_without_scripts(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(CHAPTERS[0].as_uri(), timeout=120_000)
    assert (
        page.locator("article h1").is_visible() and page.locator("article img").first.is_visible()
    )
    context.close()
