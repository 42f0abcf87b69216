"""Take pictures of the built book.

python book/screenshot.py [NAME …]   every page (whose path holds a NAME), light, dark and on a
                                     phone, into _build/screenshots/
python book/screenshot.py --readme   the README's picture, book/_static/screenshot.png
"""

import sys

from browser import DESKTOP, HTML, PHONE, ROOT, chromium, pages

README_PAGE = "chapters/attention/weighted-selection.html"
LOOKS = {
    "light": {**DESKTOP, "color_scheme": "light"},
    "dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light"},
}
HIGHEST = 15_000  # Chromium draws pictures of at most 16384 pixels


def all_looks(browser, names):
    folder = ROOT / "_build" / "screenshots"
    for path in pages():
        if names and not any(name in path.as_posix() for name in names):
            continue
        for look, options in LOOKS.items():
            page = browser.new_page(**options)
            page.goto(path.as_uri(), wait_until="load", timeout=120_000)
            page.wait_for_timeout(1500)
            name = "-".join([*path.relative_to(HTML).with_suffix("").parts, look])
            size = page.viewport_size
            scale = options.get("device_scale_factor", 1)
            height = min(page.evaluate("document.documentElement.scrollHeight"), HIGHEST // scale)
            page.set_viewport_size({"width": size["width"], "height": height})
            page.screenshot(path=folder / f"{name}.png")
            page.close()
            print(f"_build/screenshots/{name}.png")


def readme(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page.goto((HTML / README_PAGE).as_uri(), wait_until="load", timeout=120_000)
    figure = page.locator("article figure").nth(1)
    figure.evaluate("figure => figure.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.wait_for_timeout(1500)
    page.screenshot(path=ROOT / "book" / "_static" / "screenshot.png")


if __name__ == "__main__":
    if not HTML.is_dir():
        sys.exit("There is no built book yet: run `make book` first.")
    with chromium() as browser:
        readme(browser) if sys.argv[1:] == ["--readme"] else all_looks(browser, sys.argv[1:])
