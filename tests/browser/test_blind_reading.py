"""Blind until read in a real browser: it holds in the list, on the pages and over a reload."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW
from tests.places import ROOT
from tests.tiny_checkpoints import tiny
from tools.serve import served


@pytest.fixture
def address(tmp_path):
    tiny(tmp_path / "models" / "attri-net-one")
    env = {"OTHERWISE_DATA": str(tmp_path / "data"), "OTHERWISE_CHECKPOINTS": str(tmp_path / "models")}
    process, address = served(ROOT / "app.py", tmp_path / "log", env={**env, "OMP_NUM_THREADS": "1"})
    yield address
    os.killpg(process.pid, signal.SIGKILL)


def test_a_title_opens_read_first_and_explain_says_one_line(browser, address):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(f"{address}/worklist")
    page.locator(".worklist tbody tr:is(.explained, .held-back)").first.wait_for(timeout=SLOW)
    switch = page.get_by_role("button", name="Blind until read")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".scans .row .state")).not_to_contain_text("finding", timeout=SLOW)
    page.wait_for_timeout(1500)  # the server has heard of it
    page.reload()
    expect(switch).to_have_attribute("aria-pressed", "true", timeout=SLOW)
    page.locator(".worklist tbody button.title").first.click()
    expect(page.get_by_role("radio", name="Read first")).to_be_checked(timeout=SLOW)
    page.get_by_role("link", name="Explain").first.click()
    expect(page.get_by_text("Blind until read: read it first")).to_be_visible(timeout=SLOW)
    assert page.locator(".viewer").count() == 0 and troubles == []
    page.close()
