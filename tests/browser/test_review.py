"""The Review page in a real browser: what is acknowledged survives the server, and two reviewers lose nothing."""

from __future__ import annotations

import io
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from engine.review.store import Store
from engine.scan import read_scan
from tests.browser.conftest import SLOW, settled
from tests.places import ROOT
from tools.serve import served


@pytest.fixture
def data(tmp_path):
    (tmp_path / "none").mkdir()
    return tmp_path


@pytest.fixture
def serving(data):
    """Starts the app on the same folder, without a model; every server that was started is ended."""
    running = []

    def start():
        env = {
            "OTHERWISE_DATA": str(data / "data"),
            "OTHERWISE_CHECKPOINTS": str(data / "none"),
            "OMP_NUM_THREADS": "1",
        }
        process, address = served(ROOT / "app.py", data / f"log{len(running)}.txt", env=env)
        running.append(process)
        return process, address

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def reading_as(browser, address, name):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto(f"{address}/review")
    page.locator(".layer").first.wait_for(timeout=SLOW)
    box = page.get_by_role("textbox", name="Your name")
    box.fill(name)
    box.press("Enter")
    expect(page.get_by_text(f"{name} (name not verified)")).to_be_visible(timeout=SLOW)
    settled(page)
    return page


def draw(page, dx, dy, key="Shift+B", label=""):
    """A box of 40 pixels of the screen, with a label; returns once the page says that it is saved."""
    film = page.locator(".film").first.bounding_box()
    x, y = film["x"] + film["width"] / 2 + dx, film["y"] + film["height"] / 2 + dy
    before = page.locator(".mark").count()
    page.mouse.move(x, y)
    page.keyboard.press(key)
    page.mouse.down()
    page.mouse.move(x + 40, y + 40, steps=3)
    page.mouse.up()
    page.keyboard.press("Escape")
    expect(page.locator(".mark")).to_have_count(before + 1, timeout=SLOW)
    if label:
        page.locator(".fields .label").fill(label)
        page.locator(".fields .label").press("Enter")


def kept(data):
    store = Store(f"sqlite:///{data / 'data' / 'review.sqlite'}")
    try:
        assert store.verify().faults == ()
        return {case.scan_sha256: store.case(case.scan_sha256) for case in store.cases()}
    finally:
        store.close()


def saved(page):
    expect(page.locator(".marks[data-unsaved=false]")).to_have_count(1, timeout=SLOW)
    expect(page.locator(".marks .state")).to_contain_text("Saved, ", timeout=SLOW)


def test_what_the_page_called_saved_is_there_after_the_server_was_killed_and_a_reload(browser, serving, data):
    process, address = serving()
    page = reading_as(browser, address, "Dr A")
    draw(page, -60, -60, label="Mass")
    saved(page)
    os.killpg(process.pid, signal.SIGKILL)
    (case,) = kept(data).values()
    assert [(one.label, one.reader, one.kind) for one in case.annotations] == [("Mass", "Dr A", "box")]
    page.close()
    _, address = serving()
    page = reading_as(browser, address, "Dr B")
    expect(page.locator(".mark b")).to_have_text("Mass", timeout=SLOW)
    draw(page, 60, 60, key="Shift+L")
    saved(page)
    page.reload()
    page.locator(".layer").first.wait_for(timeout=SLOW)
    expect(page.locator(".mark")).to_have_count(2, timeout=SLOW)
    page.get_by_text("History").click()
    expect(page.get_by_text("Dr A drew a box")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("Dr B drew a length")).to_be_visible(timeout=SLOW)
    assert page.troubles == []
    page.close()


def test_two_reviewers_on_one_case_see_a_conflict_and_can_keep_both(browser, serving, data):
    _, address = serving()
    first, second = (reading_as(browser, address, name) for name in ("Dr A", "Dr B"))
    draw(first, -60, -60, label="A's")
    saved(first)
    draw(second, 60, 60)
    expect(second.get_by_text("Dr A has saved this case at")).to_be_visible(timeout=SLOW)
    expect(second.locator(".marks .state")).to_contain_text(
        "Not saved: Dr A has saved this case meanwhile", timeout=SLOW
    )
    (case,) = kept(data).values()
    assert [one.reader for one in case.annotations] == ["Dr A"]
    second.get_by_role("button", name="Keep both").click()
    expect(second.locator(".mark")).to_have_count(2, timeout=SLOW)
    saved(second)
    (case,) = kept(data).values()
    assert sorted(one.reader for one in case.annotations) == ["Dr A", "Dr B"]
    second.get_by_role("button", name="Submit").click()
    expect(second.locator(".case-state", has_text="Submitted")).to_be_visible(timeout=SLOW)
    expect(second.locator(".why")).to_contain_text("The case is submitted", timeout=SLOW)
    assert first.troubles == second.troubles == []
    first.close()
    second.close()


def test_the_keys_of_the_pens_work_after_a_click_on_a_button_beside_the_film(browser, serving, data):
    _, address = serving()
    page = reading_as(browser, address, "Dr A")
    page.get_by_text("Read first", exact=True).click()
    settled(page)
    page.get_by_role("radio", name="Review").click()
    settled(page)
    expect(page.get_by_text("Nothing is saved yet.")).to_be_visible(timeout=SLOW)
    draw(page, -60, -60, label="Mass")
    saved(page)
    page.get_by_role("radio", name="Review").click()  # one of them stays chosen
    settled(page)
    expect(page.get_by_role("radio", name="Review")).to_be_checked(timeout=SLOW)
    assert page.troubles == []
    page.close()


def flat_film(name, grey):
    """A picture that is as grey as `grey` all over, but for one corner."""
    pixels = np.full((300, 300), grey, np.uint8)
    pixels[:20, :20] = np.arange(20, dtype=np.uint8) * 12
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def turn_to(page, place, film):
    page.locator(".scans .row").nth(place).click()
    sha256 = read_scan(film["buffer"]).sha256
    for part in (".viewer", ".marks"):
        expect(page.locator(f"{part}[data-scan='{sha256}']")).to_have_count(1, timeout=SLOW)
    settled(page)


def test_a_drawing_is_measured_on_the_pixels_of_its_own_scan_also_while_those_are_on_their_way(browser, serving):
    _, address = serving()
    page = reading_as(browser, address, "Dr A")
    count = page.locator(".scans .row").count()
    films = {200: flat_film("a.png", 200), 40: flat_film("b.png", 40)}
    page.set_input_files("input[type=file]", files=[*films.values()])
    expect(page.locator(".scans .row")).to_have_count(count + 2, timeout=SLOW)
    expect(page.locator(".scans .row.reading")).to_have_count(0, timeout=SLOW)
    words = page.locator(".mark")
    for place, grey in enumerate(films, count):
        turn_to(page, place, films[grey])
        draw(page, -20, -20)
        expect(words).to_contain_text(f"mean {grey}.000", timeout=SLOW)
        saved(page)

    def late(route):
        time.sleep(1.5)
        route.continue_()

    page.route("**/pixels/**", late)
    for place, grey in enumerate(films, count):
        turn_to(page, place, films[grey])
        expect(words).to_contain_text(f"mean {grey}.000", timeout=20_000)  # what was measured once stays
    assert page.troubles == []
    page.close()
