"""No scan is ever explained by a checkpoint that nobody chose for it, however fast somebody clicks and however busy the
machine is.
"""

import io
import multiprocessing
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import SLOW
from tests.tiny_checkpoints import tiny

OWN = {"MR": "CX-GAN, brain MRI", "Picture": "Attri-Net, films", "Ultrasound": "CX-GAN, BUSI"}
TITLES = {"MR": "MR slice", "Picture": "Picture of unstated kind", "Ultrasound": "ultrasound picture"}


def burn(stop):
    while not stop.is_set():
        sum(range(10_000))


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """The app with a tiny checkpoint for films, one for MR and one for ultrasound, which comes first by name."""
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny(folder / "attri-net-films")
    tiny(folder / "cx-gan-busi", "cx_gan", collection="busi", kind="ultrasound")
    tiny(folder / "cx-gan-brain-mri", "cx_gan", collection="brain_mri", kind="MR")
    return serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(folder), "OMP_NUM_THREADS": "1"})


def three_files():
    """An MR and a colour ultrasound in DICOM, and a drawn chest film as PNG, which does not say what it is."""
    from pydicom.data import get_testdata_file

    from engine.datasets.phantom.collection import Phantom

    drawn = Phantom(1, seed=3, size=256).image(0)
    drawn = 255 * (drawn - drawn.min()) / (drawn.max() - drawn.min())
    png = io.BytesIO()
    Image.fromarray(drawn.astype(np.uint8)).save(png, "PNG")
    dicom = [
        Path(get_testdata_file(name, download=False)).read_bytes()
        for name in ("MR_small.dcm", "examples_rgb_color.dcm")
    ]
    return [("a.dcm", dicom[0]), ("b.png", png.getvalue()), ("c.dcm", dicom[1])]


def visitor(browser, address):
    """A page with three uploads open; name in the list by kind."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    page.set_input_files(
        "input[type=file]",
        files=[{"name": n, "mimeType": "application/octet-stream", "buffer": d} for n, d in three_files()],
    )
    names = {kind: f"{kind} {place}" for place, kind in enumerate(OWN, 1)}
    for name in names.values():
        page.locator("section.stSidebar").get_by_text(name, exact=True).first.wait_for(timeout=SLOW)
    return page, names


def turn_to(page, name):
    page.locator("section.stSidebar").get_by_text(name, exact=True).first.click(timeout=SLOW)


def checkpoint_on_show(page, kind, wanted):
    """The checkpoint in the list once the view shows this scan explained, given time to become `wanted` and to stay so.

    While clicks are still being answered, the list of one scan may stand beside the title of another: what counts is
    where it rests.
    """
    page.locator(".viewer .title", has_text=TITLES[kind]).first.wait_for(timeout=SLOW)
    page.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    at_rest = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    try:
        expect(page.locator(".st-key-checkpoint input")).to_have_value(wanted, timeout=SLOW)
    except AssertionError:
        return page.locator(".st-key-checkpoint input").input_value()
    page.wait_for_timeout(500)
    at_rest.wait_for(timeout=SLOW)
    page.locator(".viewer .title", has_text=TITLES[kind]).first.wait_for(timeout=SLOW)
    return page.locator(".st-key-checkpoint input").input_value()


@pytest.mark.parametrize("loaded", [False, True], ids=["idle", "loaded"])
def test_clicking_fast_through_scans_of_three_kinds_leaves_each_its_own_checkpoint(browser, address, loaded):
    page, names = visitor(browser, address)
    dice = random.Random(5)
    stop = multiprocessing.Event()
    burners = [multiprocessing.Process(target=burn, args=(stop,), daemon=True) for _ in range(2 if loaded else 0)]
    for burner in burners:
        burner.start()
    try:
        for last in OWN:
            for _ in range(12):
                turn_to(page, names[dice.choice([*OWN])])
                page.wait_for_timeout(dice.randint(60, 200))
            turn_to(page, names[last])
            assert checkpoint_on_show(page, last, OWN[last]) == OWN[last]
        for kind in OWN:
            turn_to(page, names[kind])
            assert checkpoint_on_show(page, kind, OWN[kind]) == OWN[kind]
            assert page.get_by_text("Try again").count() == 0
    finally:
        stop.set()
        for burner in burners:
            burner.join()
        page.close()


def test_a_choice_holds_for_scans_like_it_and_for_no_other(browser, address):
    page, names = visitor(browser, address)
    turn_to(page, names["Picture"])
    assert checkpoint_on_show(page, "Picture", OWN["Picture"]) == OWN["Picture"]
    page.locator(".st-key-checkpoint input").click()
    page.get_by_role("option", name="CX-GAN, BUSI").click()
    page.locator(".viewer .card[data-name=Lesion]").wait_for(timeout=SLOW)
    assert checkpoint_on_show(page, "Picture", "CX-GAN, BUSI") == "CX-GAN, BUSI"
    for kind, own in {**OWN, "Picture": "CX-GAN, BUSI"}.items():
        turn_to(page, names[kind])
        assert checkpoint_on_show(page, kind, own) == own
    page.close()
