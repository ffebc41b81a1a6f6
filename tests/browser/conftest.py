"""A real Chromium; how scripts are served to it stands in tests/conftest.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

SLOW = 240_000  # milliseconds; the first start imports and draws, and a busy machine takes its time


def settled(page):
    """The page once no script runs and nothing of the page before is left on it.

    While Streamlit replaces a page, or runs its script again, an element may stand twice, stand without its content, or
    be about to go.
    """
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=SLOW)
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')", timeout=SLOW)
    return page


def only(page, selector: str, count: int = 1):
    """The elements of `selector`, once there are `count` of them."""
    from playwright.sync_api import expect

    found = page.locator(selector)
    expect(found).to_have_count(count, timeout=SLOW)
    return found


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all tests; skips with a sentence where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    chromium = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else shutil.which("chromium")
    if chromium is None:
        pytest.skip("the browser tests need Chromium at /usr/bin/chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    """A fresh page of 1440 x 900 that remembers what went wrong in it as `page.troubles`."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.troubles = []
    opened.on("pageerror", lambda error: opened.troubles.append(str(error)))
    yield opened
    opened.close()
