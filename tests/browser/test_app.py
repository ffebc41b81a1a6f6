"""The app in a real browser: a visitor's first minute, and what must never show."""

import pytest

from tests.browser.conftest import SLOW, only, settled
from tests.tiny_checkpoints import tiny

SECRET = "Jane_Doe_1970"


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """The app with two tiny checkpoints."""
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny(folder / "attri-net-one")
    tiny(folder / "attri-net-two", seed=1)
    return serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(folder), "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def visit(browser, address):
    """One visitor for all tests, who sees the sample explained; `troubles` is what went wrong in the page."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto(address)
    page.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    yield page
    page.close()


def state(page):
    """What the view says of itself."""
    return page.evaluate(
        "() => { for (const e of document.querySelectorAll('*')) { const v = e.shadowRoot?.querySelector('.viewer'); "
        "if (v) return {...v.dataset}; } }"
    )


def test_the_first_start_shows_the_sample_explained_without_scrolling(visit):
    settled(visit).get_by_text("Research use only, not for diagnosis").wait_for(timeout=SLOW)
    assert only(visit, ".viewer .title").inner_text() == "Chest radiograph, PA"
    only(visit, ".viewer .card", 2)
    assert only(visit, ".viewer .sentence").inner_text().startswith("The model ")
    sizes = visit.evaluate(
        "() => { const m = document.querySelector('[data-testid=stMain]'); return [m.scrollHeight, innerHeight, "
        "m.scrollWidth, m.clientWidth]; }"
    )
    assert sizes[0] <= sizes[1] and sizes[2] <= sizes[3]
    assert visit.troubles == []


def test_a_broken_upload_says_one_sentence_and_keeps_the_scan(visit):
    before = state(settled(visit))
    visit.set_input_files(
        "input[type=file]",
        files=[{"name": f"{SECRET}.dcm", "mimeType": "application/dicom", "buffer": b"no scan " * 99}],
    )
    line = visit.locator("[class*=st-key-line-warn]", has_text="This is a text file, not a scan")
    line.wait_for(timeout=SLOW)
    assert line.count() == 1
    assert only(settled(visit), ".viewer .title").inner_text() == "Chest radiograph, PA"
    assert state(visit)["blobs"] == before["blobs"]  # nothing was sent anew
    assert SECRET not in visit.inner_text("body") and SECRET not in visit.title()


def test_the_slider_obeys_the_keyboard(visit):
    thumb = only(settled(visit), ".viewer .curve [role=slider]")
    thumb.focus()
    before = float(state(visit)["amount"])
    thumb.press("ArrowLeft")
    thumb.press("ArrowLeft")
    assert float(state(visit)["amount"]) < before
    assert visit.locator(".viewer .facts").inner_text().startswith("probability")


def test_pages_are_reached_from_the_keyboard_and_a_scan_stays_open(visit):
    link = visit.get_by_role("link", name="What the model learned")
    link.focus()
    link.press("Enter")
    visit.wait_for_selector(".viewer[data-kind=panels] canvas", timeout=SLOW)
    settled(visit).get_by_text("Research use only, not for diagnosis").wait_for(timeout=SLOW)
    visit.get_by_role("link", name="Models").press("Enter")
    visit.get_by_text("Its card gives no AUC.").wait_for(timeout=SLOW)
    visit.get_by_role("link", name="Explain").press("Enter")
    visit.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    visit.get_by_text("1 scan open").wait_for(timeout=SLOW)
    assert visit.troubles == []


def test_two_findings_taken_away_together_are_answered(visit):
    settled(visit).locator(".viewer .also").nth(1).click()
    visit.wait_for_function(
        "() => { for (const e of document.querySelectorAll('*')) { const f = e.shadowRoot?.querySelector('.facts'); "
        "if (f) return /all together\\s*0\\.\\d\\d/.test(f.innerText); } }",
        timeout=SLOW,
    )
