"""The Worklist page in a real browser: studies of one zip, readers, exports of several, and all that after a kill."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import zipfile

import pydicom
import pytest
from playwright.sync_api import expect

from engine.review.store import Store
from tests.browser.conftest import SLOW, settled
from tests.browser.test_scan_list import film
from tests.export import results
from tests.places import ROOT
from tests.tiny_checkpoints import tiny
from tools.serve import served


def ct(patient, study, series):
    """The files of a CT series of six slices."""
    files = []
    for place, file in enumerate(results.ct_files()):
        dataset = pydicom.dcmread(io.BytesIO(file))
        dataset.PatientID, dataset.PatientName = patient, f"Secret^{patient}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.{study}", f"1.2.{study}.{series}"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.{study}.{series}.{place + 1}"
        dataset.SliceLocation = place
        pixels = dataset.pixel_array + series + 10 * study
        dataset.PixelData = pixels.astype(dataset.pixel_array.dtype).tobytes()
        written = io.BytesIO()
        dataset.save_as(written)
        files.append(written.getvalue())
    return files


def archive():
    """Two patients, three studies, four series and a text file in one zip, in folders."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for patient, study, series in (("PATONE", 1, 1), ("PATONE", 1, 2), ("PATONE", 2, 1), ("PATTWO", 3, 1)):
            for number, file in enumerate(ct(patient, study, series)):
                made.writestr(f"{patient}/study {study}/series {series}/IM{number}", file)
        made.writestr("README.txt", "no scan")
    return {"name": "PATONE.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """start() and kill() of the app at one address, with its data in one folder."""
    folder = tmp_path_factory.mktemp("worklist")
    tiny(folder / "checkpoints" / "attri-net-one")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        "OTHERWISE_DATA": str(folder / "data"),
        "OTHERWISE_CHECKPOINTS": str(folder / "checkpoints"),
        "OMP_NUM_THREADS": "1",
    }
    running = []

    class App:
        data = folder / "data"
        address = f"http://127.0.0.1:{port}"

        @staticmethod
        def start():
            running.append(served(ROOT / "app.py", folder / f"log{len(running)}", env=env, port=port)[0])

        @staticmethod
        def kill():
            os.killpg(running[-1].pid, signal.SIGKILL)
            running[-1].wait(30)

    App.start()
    yield App
    if running[-1].poll() is None:
        App.kill()


@pytest.fixture(scope="module")
def context(browser, app):
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    yield made
    made.close()


@pytest.fixture(scope="module")
def page(context, app):
    """One reader's page, on which the tests of this file go on from each other."""
    opened = context.new_page()
    opened.set_default_timeout(SLOW)
    opened.troubles = []
    opened.on("pageerror", lambda error: opened.troubles.append(str(error)))
    opened.goto(f"{app.address}/worklist")
    rows(opened).first.wait_for(timeout=SLOW)
    opened.set_input_files("input[type=file]", files=[archive(), film(1), film(2), film(3)])
    expect(rows(opened)).to_have_count(8, timeout=SLOW)
    expect(opened.locator(".worklist tr.reading")).to_have_count(0, timeout=SLOW)
    settled(opened)
    return opened


def rows(page):
    return page.locator(".worklist tbody tr[data-id]")


def titles(page):
    return page.locator(".worklist tbody button.title").all_inner_texts()


def heads(page):
    return page.locator(".worklist tr.group .words").all_inner_texts()


def dialog(page):
    return page.get_by_role("dialog")


def test_studies_of_a_zip_stand_together_with_pictures_and_name_nobody(page):
    assert heads(page) == [
        "Drawn pictures and samples: 1 scan",
        "Patient 1, study 1: 2 scans in 2 series",
        "Patient 1, study 2: 1 scan",
        "Patient 2, study 1: 1 scan",
        "Drop 1, without a study: 3 scans",
    ]
    page.wait_for_function(
        "() => { for (const e of document.querySelectorAll('*')) { const i = "
        "[...(e.shadowRoot?.querySelectorAll('.worklist img') ?? [])]; if (i.length === 8) return i.every(p => "
        "p.complete && p.naturalWidth > 0); } }",
        timeout=SLOW,
    )
    page.wait_for_function("() => !document.documentElement.innerHTML.includes('PATONE')", timeout=SLOW)
    said = page.content() + page.locator(".worklist").inner_text()
    assert not [word for word in ("PATONE", "PATTWO", "Secret", "1.2.3", *results.NAMES) if word in said]
    assert page.locator(".worklist").inner_text().count("6 slices") == 4 and page.troubles == []


def test_everything_is_explained_while_the_reader_looks_at_the_list(page):
    expect(page.locator(".worklist tr:is(.explained, .held-back, .open)")).to_have_count(8, timeout=SLOW)
    expect(page.locator(".worklist tr.waiting")).to_have_count(0, timeout=SLOW)


def test_chosen_scans_are_assigned_found_under_mine_and_undone(page, app):
    ticks = rows(page).locator(".tick input")
    ticks.nth(1).check()
    ticks.nth(5).check()
    expect(page.locator(".worklist .count")).to_have_text("8 scans, 2 chosen")
    page.locator(".worklist").get_by_role("button", name="Assign", exact=True).click()
    dialog(page).get_by_role("textbox", name="Your name").fill("Dr A")
    page.keyboard.press("Enter")
    dialog(page).get_by_role("textbox", name="Or another name").fill("Dr B")
    page.keyboard.press("Enter")
    dialog(page).get_by_role("button", name="Assign", exact=True).click()
    expect(dialog(page)).to_have_count(0)
    expect(page.locator(".worklist td.assigned", has_text="Dr B")).to_have_count(2)
    expect(page.get_by_text("2 scans assigned to Dr B.")).to_be_visible()
    page.locator(".worklist").get_by_role("button", name="Assign", exact=True).click()
    dialog(page).get_by_text("Dr A", exact=True).click()
    expect(dialog(page).get_by_role("button", name="Take from Dr A")).to_be_visible()
    dialog(page).get_by_role("button", name="Assign", exact=True).click()
    expect(page.locator(".worklist td.assigned", has_text="Dr B, Dr A")).to_have_count(2)
    settled(page)
    page.get_by_label("Assigned to").select_option("mine")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(rows(page)).to_have_count(0)
    expect(page.locator(".worklist .empty")).to_have_text("No scan is like that.")
    page.locator(".worklist").get_by_role("button", name="Show all").click()
    expect(rows(page)).to_have_count(8)
    store = Store(f"sqlite:///{app.data / 'review.sqlite'}")
    try:
        assert {one.assignee for one in store.assignments()} == {"Dr B"} and store.verify().faults == ()
    finally:
        store.close()


def test_the_list_is_ordered_and_gone_through_by_key(page):
    page.locator(".worklist").get_by_role("button", name="By study").click()
    page.locator(".worklist thead").get_by_role("button", name="Scan").click()
    assert titles(page) == sorted(titles(page), key=str.lower)
    page.locator(".worklist thead").get_by_role("button", name="Scan").click()
    assert titles(page) == sorted(titles(page), key=str.lower, reverse=True)
    rows(page).first.focus()
    for key in ("ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    before = page.locator(".worklist .count").inner_text()
    page.keyboard.press("x")
    expect(page.locator(".worklist .count")).not_to_have_text(before)
    page.keyboard.press("x")
    expect(page.locator(".worklist .count")).to_have_text(before)
    page.locator(".worklist thead").get_by_role("button", name="Scan").click()
    page.locator(".worklist").get_by_role("button", name="By study").click()


def test_several_leave_in_one_zip_and_each_states_what_became_of_it(page):
    page.get_by_label("Choose all that are shown").check()
    page.locator(".worklist").get_by_role("button", name="Export", exact=True).click()
    dialog(page).get_by_role("button", name="Export", exact=True).click()
    page.locator("a.download").wait_for()
    settled(page)
    with page.expect_download() as download:
        page.locator("a.download").click()
    packed = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    scans = json.loads(packed.read("manifest.json"))["scans"]
    assert len(scans) == 8
    done = [one for one in scans if one["exported"]]
    assert done and {one["folder"] for one in done} == {
        "/".join(name.split("/")[:2]) for name in packed.namelist() if name.startswith("study_")
    }
    studies = {one["study"] for one in scans}
    assert len(studies) == 7, "two series of one study share its folder"
    expect(dialog(page).get_by_text(re.compile(rf"^{len(done)} of 8 scans exported"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    expect(page.locator(".worklist tr.exported")).to_have_count(len(done))
    assert page.troubles == []


def test_after_a_kill_of_the_server_everything_is_there_again(page, app):
    before = titles(page), heads(page)
    exported = page.locator(".worklist tr.exported").count()
    page.wait_for_timeout(3000)  # what is open is on the disk within seconds
    app.kill()
    app.start()
    page.reload()
    expect(rows(page)).to_have_count(8, timeout=SLOW)
    expect(page.locator(".worklist tr.reading")).to_have_count(0, timeout=SLOW)
    assert (titles(page), heads(page)) == before
    expect(page.locator(".worklist tr.exported")).to_have_count(exported, timeout=SLOW)
    expect(page.locator(".worklist td.assigned", has_text="Dr B")).to_have_count(2, timeout=SLOW)
    rows(page).nth(5).locator("button.title").click()
    expect(page.locator(".viewer .card").first).to_be_visible(timeout=SLOW)


def test_another_browser_finds_no_scan_of_it(page, app, browser):
    context = browser.new_context()
    stranger = context.new_page()
    stranger.goto(f"{app.address}/worklist")
    rows(stranger).first.wait_for(timeout=SLOW)
    assert titles(stranger) == ["Sample radiograph"]
    context.close()
