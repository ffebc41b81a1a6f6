"""Forty files in one drop, in a real browser: listed, read, explained in the background, turned through,
and found again.
"""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import SLOW
from tests.tiny_checkpoints import tiny

SECRET = "Jane_Doe_1970"
COUNT = 40


def film(seed):
    grey = np.linspace(0, 60000, 96)[None] + np.random.default_rng(seed).integers(0, 5000, (96, 96))
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint16)).save(file, "PNG")
    return {"name": f"{SECRET}_{seed}.png", "mimeType": "image/png", "buffer": file.getvalue()}


def broken(name="x.dcm"):
    return {"name": f"{SECRET}_{name}", "mimeType": "application/dicom", "buffer": b"no scan " * 99}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("checkpoints")
    tiny(made / "attri-net-one")
    return {"OTHERWISE_CHECKPOINTS": str(made), "OMP_NUM_THREADS": "1"}


def visitor(browser, address):
    """A browser of its own, whose console must stay clean."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    return context, page_of(context, address)


def page_of(context, address):
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "console",
        lambda line: page.troubles.append(f"{line.text} {line.location['url']}") if line.type == "error" else None,
    )
    page.goto(address)
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    return page


def titles(page):
    return page.locator(".scans .row .title").all_inner_texts()


def chosen(page):
    return page.locator(".scans .row[aria-selected=true]")


def read(page, count):
    expect(page.locator(".scans .row")).to_have_count(count, timeout=SLOW)
    expect(page.locator(".scans .row.reading")).to_have_count(0, timeout=SLOW)


@pytest.fixture(scope="module")
def forty(browser, serve, folder):
    """One visitor who has dropped forty files, one of which is no scan."""
    context, page = visitor(browser, serve("app.py", env=folder))
    page.set_input_files("input[type=file]", files=[*(film(seed) for seed in range(COUNT - 1)), broken()])
    read(page, COUNT + 1)
    yield context, page
    context.close()


def test_forty_files_are_listed_with_thumbnail_label_and_state(forty):
    _, page = forty
    assert titles(page) == ["Sample radiograph", *(f"Picture {k}" for k in range(1, COUNT)), f"Scan {COUNT}"]
    refused = page.locator(".scans .row.refused")
    assert refused.count() == 1 and "refused: This is a text file, not a scan" in refused.inner_text()
    page.wait_for_function(
        "count => { for (const e of document.querySelectorAll('*')) { const i = "
        "[...(e.shadowRoot?.querySelectorAll('.scans img') ?? [])]; if (i.length === count) return i.every(p => "
        "p.complete && p.naturalWidth > 0); } }",
        arg=COUNT,
        timeout=SLOW,
    )
    assert page.locator(".scans .head").inner_text().startswith(f"{COUNT} scans")
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=SLOW)
    assert SECRET not in page.content() and page.troubles == []


def test_the_first_of_the_drop_is_shown_and_the_others_are_explained_meanwhile(forty):
    _, page = forty
    expect(page.locator(".scans .row").nth(1)).to_have_attribute("aria-selected", "true", timeout=SLOW)
    expect(page.locator(".scans .row.explained")).to_have_count(COUNT, timeout=SLOW)
    assert page.locator(".scans .head").inner_text().endswith(f"{COUNT} explained")


def test_keys_turn_to_the_next_and_the_one_before_past_what_was_refused(forty):
    _, page = forty
    page.locator(".scans .row").nth(2).click()
    expect(chosen(page).locator(".title")).to_have_text("Picture 2")
    page.locator(".viewer .stage").click(position={"x": 5, "y": 5})
    for _ in range(3):
        page.keyboard.press("n")
    page.keyboard.press("p")
    expect(chosen(page).locator(".title")).to_have_text("Picture 4")
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=SLOW)
    expect(chosen(page).locator(".title")).to_have_text("Picture 4")
    page.locator(".scans .list").focus()
    page.keyboard.press("ArrowDown")
    expect(chosen(page).locator(".title")).to_have_text("Picture 5")
    assert page.troubles == []


def test_the_viewers_keys_work_after_a_click_in_the_list(forty):
    _, page = forty
    page.locator(".scans .row").nth(2).click()
    expect(page.locator(".viewer .card").first).to_be_visible(timeout=SLOW)
    page.keyboard.press("?")
    expect(page.locator(".viewer .help")).to_be_visible(timeout=SLOW)
    page.keyboard.press("Escape")
    expect(page.locator(".viewer .help")).to_be_hidden(timeout=SLOW)


def test_a_reader_gives_a_label_of_his_own_and_markup_in_it_is_text(forty):
    _, page = forty
    page.locator(".scans .row").nth(6).click()
    page.locator(".scans .list").focus()
    page.keyboard.press("F2")
    field = page.get_by_label(re.compile("^Label of"))
    field.fill("<img src=x> left lung")
    field.press("Enter")
    expect(chosen(page).locator(".title")).to_have_text("<img src=x> left lung")
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=SLOW)
    page.wait_for_timeout(300)
    expect(page.get_by_role("option", name="<img src=x> left lung, explained")).to_be_visible()
    page.keyboard.press("n")  # the list has the focus again


def test_a_reload_and_a_second_tab_find_everything_again(forty, serve, folder):
    context, page = forty
    before = titles(page)
    page.reload()
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    read(page, COUNT + 1)
    assert titles(page) == before
    second = page_of(context, page.url)
    read(second, COUNT + 1)
    assert titles(second) == before and second.troubles == []
    second.close()


def test_a_reload_keeps_what_this_tab_has_on_show_whatever_another_tab_turns_to(forty):
    context, page = forty
    page.get_by_role("option").nth(3).click()
    expect(page.get_by_role("option").nth(3)).to_have_attribute("aria-selected", "true")
    second = page_of(context, page.url)
    read(second, COUNT + 1)
    second.get_by_role("option").nth(7).click()
    expect(second.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=SLOW)
    for tab, place in ((page, 3), (second, 7)):
        tab.reload()
        tab.wait_for_selector(".viewer .card", timeout=SLOW)
        expect(tab.get_by_role("option").nth(place)).to_have_attribute("aria-selected", "true", timeout=SLOW)
    second.close()


def test_another_browser_finds_nothing_of_it(forty, browser, serve, folder):
    _, page = forty
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/scans/" in request.url else None)
    page.reload()
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    read(page, COUNT + 1)
    context, stranger = visitor(browser, page.url)
    assert titles(stranger) == ["Sample radiograph"]
    assert asked and all(stranger.request.get(address).status == 404 for address in asked[:5])
    assert page.request.get(asked[0]).status == 200
    context.close()


def test_everything_of_the_sidebar_is_in_reach(forty):
    _, page = forty
    for size in ((1440, 900), (1920, 1080)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.wait_for_timeout(200)
        sizes = page.evaluate(
            "() => { const s = document.querySelector('[data-testid=stSidebarContent]'); return [s.scrollHeight, "
            "s.clientHeight, s.scrollWidth, s.clientWidth]; }"
        )
        assert sizes[0] <= sizes[1] and sizes[2] <= sizes[3]


def test_another_tab_hears_within_seconds_what_this_one_opens_labels_and_closes(forty):
    context, page = forty
    second = page_of(context, page.url)
    read(second, COUNT + 1)
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=SLOW)
    asked = []
    second.on("request", lambda request: asked.append(request.url) if "/scans/" in request.url else None)
    page.locator(".scans .row").nth(4).click()
    page.locator(".scans .list").focus()
    page.keyboard.press("F2")
    page.get_by_label(re.compile("^Label of")).fill("for the conference")
    page.keyboard.press("Enter")
    expect(chosen(page).locator(".title")).to_have_text("for the conference")
    expect(second.locator(".scans .row .title").nth(4)).to_have_text("for the conference", timeout=SLOW)
    page.locator(".scans .list").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".scans .row")).to_have_count(COUNT, timeout=SLOW)
    expect(second.locator(".scans .row")).to_have_count(COUNT, timeout=SLOW)
    expect(second.get_by_text(f"{COUNT - 1} scans open")).to_be_visible(timeout=SLOW)  # what Python draws follows
    page.get_by_role("button", name="Undo").click()
    expect(second.locator(".scans .row")).to_have_count(COUNT + 1, timeout=SLOW)
    assert asked and all(re.search("/scans/[^/]+$", address) for address in asked)  # the list, and no picture again
    assert second.troubles == []
    second.close()


def test_closing_and_undoing_keep_the_place(forty):
    _, page = forty
    before = titles(page)
    row = page.locator(".scans .row").nth(3)
    row.hover()
    row.locator(".shut").click()
    expect(page.locator(".scans .row")).to_have_count(COUNT, timeout=SLOW)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".scans .row")).to_have_count(COUNT + 1, timeout=SLOW)
    assert titles(page) == before and page.troubles == []


def test_every_refused_file_shows_its_reason_and_all_are_cleared_together(browser, serve, folder):
    context, page = visitor(browser, serve("app.py", env=folder))
    assert page.locator(".scans .clear").is_hidden()
    cut_off = {"name": f"{SECRET}.png", "mimeType": "image/png", "buffer": film(1)["buffer"][:200]}
    page.set_input_files("input[type=file]", files=[broken("a.dcm"), film(2), cut_off, broken("b.dcm")])
    read(page, 5)
    notice = page.locator(".st-key-notices")
    expect(notice).to_contain_text("3 of 4 files could not be opened.", timeout=SLOW)
    refused = page.locator(".scans .row.refused")
    reasons = [words.removeprefix("refused: ") for words in refused.locator(".state").all_inner_texts()]
    assert len(reasons) == 3 and len(set(reasons)) == 2
    said = notice.inner_text()
    assert all(said.count(reason) == 1 for reason in reasons) and "Scan 1, Scan 4: This is a text file" in said
    for row in refused.all():  # whole, and clear of the button that closes it
        row.scroll_into_view_if_needed()
        state, title, shut = (row.locator(part) for part in (".state", ".title", ".shut"))
        assert state.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
        assert title.bounding_box()["x"] + title.bounding_box()["width"] <= shut.bounding_box()["x"]
        assert state.bounding_box()["x"] + state.bounding_box()["width"] <= shut.bounding_box()["x"]
    page.get_by_role("button", name="Clear 3 refused files").click()
    expect(page.locator(".scans .row")).to_have_count(2, timeout=SLOW)
    expect(notice).to_have_count(0, timeout=SLOW)
    assert titles(page) == ["Sample radiograph", "Picture 2"] and page.locator(".scans .clear").is_hidden()
    assert page.troubles == []
    context.close()


def test_without_retention_a_reload_finds_nothing(browser, serve, folder):
    context, page = visitor(browser, serve("app.py", env={**folder, "OTHERWISE_RETENTION_MINUTES": "0"}))
    page.set_input_files("input[type=file]", files=[film(1), film(2)])
    read(page, 3)
    second = page_of(context, page.url)
    assert titles(second) == ["Sample radiograph"]
    page.reload()
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    read(page, 1)
    assert titles(page) == ["Sample radiograph"]
    context.close()


def test_files_beyond_what_may_be_on_its_way_are_refused_with_a_sentence(browser, serve, folder):
    context, page = visitor(browser, serve("app.py", env={**folder, "OTHERWISE_UPLOAD_MB": "1"}))
    noise = np.random.default_rng(0).integers(0, 65535, (900, 900)).astype(np.uint16)  # 1.6 MB
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    page.set_input_files(
        "input[type=file]", files=[{"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()}]
    )
    page.get_by_text("1 file was not taken. Too many bytes are on their way").wait_for(timeout=SLOW)
    page.set_input_files("input[type=file]", files=[film(1)])
    read(page, 2)
    assert titles(page) == ["Sample radiograph", "Picture 1"]
    context.close()


def test_a_thumbnail_that_did_not_arrive_is_asked_for_again(browser, serve, folder):
    context, page = visitor(browser, serve("app.py", env=folder))
    lost = []

    def lose_once(route):
        address = route.request.url
        if address in lost:
            return route.continue_()
        lost.append(address)
        return route.abort()

    page.route("**/scans/*/*", lose_once)
    page.set_input_files("input[type=file]", files=[film(301), film(302)])
    read(page, 3)
    page.wait_for_function(
        "() => { for (const e of document.querySelectorAll('*')) { const i = "
        "[...(e.shadowRoot?.querySelectorAll('.scans img') ?? [])]; if (i.length === 3) return i.every(p => "
        "p.complete && p.naturalWidth > 0); } }",
        timeout=SLOW,
    )
    assert len(lost) >= 2
    context.close()
