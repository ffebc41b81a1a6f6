"""The export menu in a real browser: a named film in, a zip in its own study out, and no name on the page."""

import io
import zipfile

import pydicom
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW, settled
from tests.export import results
from tests.tiny_checkpoints import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("checkpoints")
    tiny(made / "attri-net-one")
    return {"OTHERWISE_CHECKPOINTS": str(made), "OMP_NUM_THREADS": "1"}


def exported(page):
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Export", exact=True).click()
    page.wait_for_selector("a.download", timeout=SLOW)
    settled(page)
    with page.expect_download(timeout=SLOW) as download:
        page.click("a.download")
    return zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))


def test_a_film_leaves_for_its_own_study_and_its_patient_is_named_nowhere_on_the_page(serve, page, folder):
    address = serve("app.py", env=folder)
    page.goto(address)
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    film = {"name": "Mueller.dcm", "mimeType": "application/dicom", "buffer": results.radiograph()}
    page.set_input_files("input[type=file]", film)
    expect(page.locator(".scans .row[aria-selected=true] .title")).to_have_text("Radiograph 1", timeout=SLOW)
    settled(page)
    page.get_by_test_id("stPopoverButton").click()
    expect(page.get_by_text("DICOM files go into the study of the scan")).to_be_visible(timeout=SLOW)
    packed = exported(page)
    report = pydicom.dcmread(io.BytesIO(packed.read("report.dcm")))
    assert report.PatientID == "MRN-4711" and report.StudyInstanceUID == results.UIDS["StudyInstanceUID"]
    assert "picture.dcm" not in packed.namelist()
    assert not [word for word in results.NAMES if word in page.content()]
    where = page.locator("a.download").get_attribute("href")
    # the address opens for nobody else
    answer = page.context.browser.new_context().request.get(f"{address}/{where}")
    assert answer.status == 404
    page.get_by_test_id("stPopoverBody").get_by_text("Leave out names").click()
    expect(page.get_by_text("look at every picture")).to_be_visible(timeout=SLOW)
    settled(page)
    assert page.locator("a.download").count() == 0  # what was made is of other wishes
    packed = exported(page)
    report = pydicom.dcmread(io.BytesIO(packed.read("report.dcm")))
    assert report.PatientIdentityRemoved == "YES" and not [word for word in results.NAMES if word in str(report)]
    assert page.troubles == []
