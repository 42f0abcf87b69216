"""Chromium, as the tests and the screenshots use it."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


def find_chromium() -> str | None:
    """The browser named by the environment variable CHROMIUM, or the first one on the path."""
    return next(filter(None, map(shutil.which, [os.environ.get("CHROMIUM", ""), *NAMES])), None)


@contextmanager
def chromium():
    """A running headless Chromium."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        raise FileNotFoundError(
            "No Chromium found: install it (Debian: apt install chromium), or set CHROMIUM to it."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def pages() -> list[Path]:
    """The pages of the built book, without the redirect at the top and what Sphinx adds."""
    return sorted([*(HTML / "book").rglob("*.html"), *(HTML / "chapters").rglob("*.html")])
