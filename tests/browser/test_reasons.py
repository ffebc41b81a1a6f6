"""The hierarchy and the twins on the Explain page, in a real browser: an attribute set by hand moves the diagnosis, a
symbol is added by a switch.
"""

import numpy as np
import pytest

from tests.browser.conftest import SLOW, settled
from tests.pages.components.aligned_checkpoints import aligned
from tests.scan.series_files import ct_slice


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    aligned(folder / "causal-alignment-lidc", latent=True)
    aligned(folder / "causal-alignment-lidc-unaligned", with_alignment=False)
    return serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(folder), "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def visit(browser, address):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto(address)
    settled(page)
    pixels = np.random.default_rng(0).normal(-500, 300, (64, 64)).round()
    scan = {"name": "nodule.dcm", "mimeType": "application/dicom", "buffer": ct_slice(pixels, (0, 0, 0))}
    page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files([scan])
    page.locator(".st-key-how").wait_for(timeout=SLOW)
    settled(page)
    yield page
    page.close()


def show(page, what):
    page.locator(".st-key-how").get_by_text(what, exact=True).click()


SAID = "document.querySelector('.st-key-reasons .call strong')?.innerText"


def probability(page):
    return page.locator(".st-key-reasons .call strong").inner_text()


def test_the_three_columns_stand_side_by_side_and_fit(visit):
    show(visit, "Reasons")
    visit.locator(".st-key-reasons .call strong").wait_for(timeout=SLOW)
    settled(visit)
    boxes = [
        visit.locator(".st-key-reasons h2", has_text=t).first.bounding_box() for t in ("In the picture", "Attributes")
    ]
    boxes.append(visit.locator(".st-key-reasons h2", has_text="Diagnosis").bounding_box())
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert max(b["y"] for b in boxes) - min(b["y"] for b in boxes) < 12
    last = visit.locator(".st-key-reasons .said").last.bounding_box()
    assert last["y"] + last["height"] < 900
    assert (
        visit.locator(".st-key-reasons img.thumbnail").get_attribute("alt").startswith("Where it looks for malignant")
    )


def test_an_attribute_set_by_hand_moves_the_diagnosis_and_goes_back(visit):
    before = probability(visit)
    slider = visit.locator(".st-key-reasons input[type=range]").first
    slider.focus()
    key = "End" if float(slider.get_attribute("value") or 0) < 0.5 else "Home"
    visit.keyboard.press(key)
    reset = visit.get_by_role("button", name="Back to what it reads")
    reset.wait_for(timeout=SLOW)
    visit.wait_for_function(
        "before => document.querySelector('.st-key-reasons .call strong')?.innerText !== before",
        arg=before,
        timeout=SLOW,
    )
    assert "It was" in visit.locator(".st-key-reasons").inner_text()
    reset.click()
    visit.wait_for_function(
        "before => document.querySelector('.st-key-reasons .call strong')?.innerText === before",
        arg=before,
        timeout=SLOW,
    )


def test_the_map_is_of_the_attribute_that_is_chosen(visit):
    visit.locator(".st-key-reasons").get_by_text("spiculation", exact=True).first.click()
    visit.locator(".st-key-reasons img[alt^='Where it looks for spiculation']").wait_for(timeout=SLOW)


def test_the_symbol_is_added_by_a_switch_for_both_models(visit):
    show(visit, "Side by side")
    visit.locator(".st-key-twins .twin").nth(1).wait_for(timeout=SLOW)
    settled(visit)
    titles = visit.locator(".st-key-twins h2").all_inner_texts()
    assert titles[0].startswith("Aligned") and titles[1].startswith("Unaligned")
    plain = visit.locator(".st-key-twins img.thumbnail").first.get_attribute("src")
    visit.locator(".st-key-twins").get_by_text("+", exact=True).click()
    visit.wait_for_function(
        "plain => document.querySelector('.st-key-twins img.thumbnail')?.src !== plain", arg=plain, timeout=SLOW
    )
    assert visit.locator(".st-key-twins").inner_text().count("The symbol alone moves it by") == 2


def test_both_searches_show_the_scan_without_the_diagnosis(visit):
    show(visit, "Both searches")
    visit.locator(".st-key-spaces .twin").nth(1).wait_for(timeout=SLOW)
    settled(visit)
    titles = visit.locator(".st-key-spaces h2").all_inner_texts()
    assert titles == ["Sought in the picture", "Sought in latent space"]
    one, other = (visit.locator(".st-key-spaces img.thumbnail").nth(k).get_attribute("src") for k in (0, 1))
    assert one != other
    assert visit.locator(".st-key-spaces").inner_text().count("The probability of malignant goes from") == 2


def test_maps_come_back_and_nothing_went_wrong(visit):
    show(visit, "Maps")
    visit.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    assert visit.troubles == []
