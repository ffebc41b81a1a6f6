"""The page Compare in a real browser: methods side by side, a drawn box scored against every map, prior and current."""

import io
import re

import pydicom
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW, settled
from tests.export import results
from tests.tiny_checkpoints import tiny


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    made = tmp_path_factory.mktemp("checkpoints")
    tiny(made / "attri-net-one", collection="phantom")
    tiny(made / "cx-gan-two", "cx_gan", collection="phantom")
    return serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(made), "OMP_NUM_THREADS": "1"})


def all_here(page):
    """Every method has answered."""
    page.wait_for_selector(".viewer .panel", timeout=SLOW)
    expect(page.locator(".stMain")).not_to_contain_text(re.compile("working|opening the model"), timeout=SLOW)
    return settled(page)


def test_methods_stand_side_by_side_and_a_drawn_box_is_scored_against_every_map(page, address):
    page.goto(f"{address}/compare")
    page.wait_for_selector(".viewer .panel", timeout=SLOW)
    first = page.locator(".viewer .panel").count()
    all_here(page)
    assert page.locator(".viewer .panel").count() == first  # no row jumped
    expect(page.get_by_role("heading", name="Agreement of the maps")).to_be_visible(timeout=SLOW)
    # the checkpoints have seen drawn films only, and the sample is a person's
    assert not re.search(r"p 0\.\d\d", page.locator(".viewer").inner_text())
    page.get_by_role("button", name=re.compile("Show (it|them) anyway")).click()
    expect(page.locator(".viewer")).to_contain_text("scan unlike its training", timeout=SLOW)
    settled(page)
    film = page.locator(".viewer .film").first.bounding_box()
    page.get_by_role("button", name=re.compile("^Box")).click()
    page.mouse.move(film["x"] + 0.2 * film["width"], film["y"] + 0.3 * film["height"])
    page.mouse.down()
    page.mouse.move(film["x"] + 0.5 * film["width"], film["y"] + 0.6 * film["height"], steps=5)
    page.mouse.up()
    expect(page.locator("th", has_text="region 1: IoU")).to_be_visible(timeout=SLOW)
    assert page.troubles == []


def earlier_film():
    """Another film of the patient of `results.radiograph`, of the year 1999."""
    told = {"StudyDate": "19990101", "StudyInstanceUID": "1.2.8", "SeriesInstanceUID": "1.2.8.1"}
    dataset = pydicom.dcmread(io.BytesIO(results.radiograph(**told)))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.8.1.1"
    dataset.PixelData = (dataset.pixel_array // 2).astype(dataset.pixel_array.dtype).tobytes()
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


def test_a_prior_stands_beside_the_current_scan_with_the_scan_without_the_finding_between(page, address):
    page.goto(f"{address}/compare")
    all_here(page)
    film = {"name": "a.dcm", "mimeType": "application/dicom", "buffer": results.radiograph()}
    page.set_input_files("input[type=file]", film)
    expect(page.locator(".scans .row[aria-selected=true] .title")).to_have_text("Radiograph 1", timeout=SLOW)
    page.get_by_role("button", name="Prior and current").or_(
        page.get_by_role("radio", name="Prior and current")
    ).click()
    # the sample is nobody that this film's file names: it does not stand there by itself, and not without a word
    expect(page.get_by_text("No earlier scan of this patient is known here.")).to_be_visible(timeout=SLOW)
    assert page.locator(".viewer .panel").count() == 0
    page.get_by_role("combobox", name=re.compile("^Prior|Choose the prior")).first.click()
    page.get_by_role("option", name=re.compile("Sample radiograph: ")).click()
    expect(page.get_by_text(re.compile("These are of two patients|Nothing says that these are of one"))).to_be_visible(
        timeout=SLOW
    )
    titles = page.locator(".viewer .panel .name b")
    expect(titles.nth(0)).to_contain_text("Prior:", timeout=SLOW)
    expect(titles.nth(1)).to_contain_text("Without", timeout=SLOW)
    expect(titles.nth(2)).to_contain_text("Current: Radiograph 1", timeout=SLOW)
    expect(page.locator(".viewer")).to_contain_text("neither says its millimetres", timeout=SLOW)
    page.set_input_files("input[type=file]", {**film, "name": "b.dcm", "buffer": earlier_film()})
    expect(page.locator(".scans .row[aria-selected=true] .title")).to_have_text("Radiograph 2", timeout=SLOW)
    page.locator(".scans .row", has_text="Radiograph 1").click()
    expect(page.locator(".scans .row[aria-selected=true] .title")).to_have_text("Radiograph 1", timeout=SLOW)
    expect(titles.nth(0)).to_contain_text("Prior: Radiograph 2", timeout=SLOW)
    prior = page.get_by_role("combobox", name="Prior")
    expect(prior).to_have_value("Radiograph 2: same patient, 6 years earlier", timeout=SLOW)
    assert "1999" not in page.locator(".stMain").inner_text()
    assert page.troubles == []
