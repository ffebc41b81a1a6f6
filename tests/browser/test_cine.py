"""Promises of cine, kept in a real browser: what plays, what it waits for, and what ends it."""

from __future__ import annotations

import re

import pytest

from tests.browser.test_viewer import opened
from tests.browser.test_volume import SLICES, all_here, place

LONG = 60_000


@pytest.fixture
def volume(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=volume")
    all_here(page)
    view.point("scan", 0.45, 0.4)
    yield view
    assert page.troubles == []


def playing(view):
    return view.page.locator("[data-tool=cine]").get_attribute("aria-pressed") == "true"


def slice_of(view):
    return int(re.search(r" (\d+) of", place(view))[1])


def until_slice_is_another(view, than):
    view.page.wait_for_function(
        """than => { for (const e of document.querySelectorAll('*')) { const word = e.shadowRoot?.querySelector(
          '.tool.slice'); if (word) return !word.textContent.includes(` ${than} of`); } }""",
        arg=than,
        timeout=LONG,
    )


def started(view, key="k"):
    before = slice_of(view)
    view.press(key)
    until_slice_is_another(view, before)
    assert playing(view)


def test_a_key_plays_all_panels_without_asking_python_and_stops(volume):
    view, runs = volume, volume.runs()
    before = [view.picture(kind) for kind in ("scan", "evidence", "without")]
    started(view)
    assert re.fullmatch(r"Play \d+/s", view.page.locator("[data-tool=cine] span").first.inner_text())
    assert view.page.get_by_role("slider", name="Frames a second").is_visible()
    view.press("k")
    assert not playing(view)
    stood = place(view)
    view.page.wait_for_timeout(400)
    assert place(view) == stood
    view.rest()
    assert all(a != b for a, b in zip(before, [view.picture(kind) for kind in ("scan", "evidence", "without")]))
    assert view.runs() == runs


@pytest.mark.parametrize("end", ["wheel", "ArrowDown", "PageUp", "Shift+ArrowLeft", "ArrowRight", "scrubber", "Escape"])
def test_whatever_the_hand_does_to_slices_ends_it(volume, end):
    view = volume
    started(view)
    if end == "wheel":
        view.page.mouse.wheel(0, 120)
    elif end == "scrubber":
        strip = view.page.locator(".scrubber canvas").bounding_box()
        view.page.mouse.click(strip["x"] + 5, strip["y"] + strip["height"] / 2)
    else:
        view.keys.press(end)
    view.rest()
    assert not playing(view)


def test_a_tab_that_is_hidden_stops_it(volume):
    started(volume)
    volume.page.evaluate(
        """() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true });
          document.dispatchEvent(new Event('visibilitychange')); delete document.hidden; }"""
    )
    assert not playing(volume)


def test_a_pointer_that_only_points_zooms_and_windows_does_not(volume):
    started(volume)
    volume.point("scan", 0.6, 0.6)
    volume.press("3")
    volume.page.keyboard.down("Control")
    volume.page.mouse.wheel(0, -120)
    volume.page.keyboard.up("Control")
    assert playing(volume)


def test_the_rate_follows_its_keys_and_slider_within_its_ends(volume):
    rate = volume.page.get_by_role("slider", name="Frames a second")
    started(volume)
    assert rate.input_value() == "12"
    volume.press(">", ">")
    assert rate.input_value() == "14"
    volume.press(*["<"] * 20)
    assert rate.input_value() == "1"
    volume.press(*[">"] * 40)
    assert rate.input_value() == "30"


def test_it_goes_around_or_there_and_back(volume):
    view = volume
    view.press("End")
    started(view)
    view.press("k")
    assert slice_of(view) < SLICES // 2, "around, from the last to the first"
    view.press("j", "End")
    started(view)
    view.press("k")
    assert SLICES // 2 < slice_of(view) < SLICES, "back from the last"


def test_of_three_planes_the_one_pointed_at_plays_and_a_click_stops(volume):
    view = volume
    view.press("v")
    view.page.locator(".panel[data-plane=coronal] .film").first.hover()
    view.rest()
    assert place(view).startswith("Coronal")
    axial = view.page.locator(".panel[data-plane=axial] .notes").first.inner_text()
    started(view)
    view.page.locator(".panel[data-plane=sagittal] .film").first.hover()
    view.rest()
    assert playing(view), "another panel under the pointer changes nothing"
    view.press("k")
    assert view.page.locator(".panel[data-plane=axial] .notes").first.inner_text() == axial
    view.press("k")
    view.page.locator(".panel[data-plane=axial] .film").first.click()
    view.rest()
    assert not playing(view)


def test_a_slice_that_has_not_arrived_is_waited_for(page, serve):
    """Every message after the first is held back until the test has looked at what plays without it."""
    asked, held, let_go = [], [], []

    def hold(route):
        if re.search(r"/pixels/[^/]+/(\d+)/(\d+)$", route.request.url) is None:
            return route.continue_()
        asked.append(route)
        return route.continue_() if len(asked) == 1 or let_go else held.append(route)

    page.route("**/pixels/**", hold)
    view = opened(page, serve("viewer/demo.py") + "?show=volume&show=alone&slices=62&side=128")
    page.locator(".viewer[data-arrived='1']").wait_for(timeout=LONG)
    view.point("scan")
    view.press("k")
    page.wait_for_timeout(600)
    assert playing(view) and place(view).startswith("Slice 32 of 62"), "it stands on what is here"
    assert view.panel("scan").locator(".veil").inner_text() == ""
    let_go.append(True)
    for route in held:
        route.continue_()
    until_slice_is_another(view, 32)
    assert view.panel("scan").locator(".veil").inner_text() == ""
    view.press("k")
    assert page.troubles == []


def test_on_a_picture_the_same_key_plays_what_is_taken_away_and_undo_brings_it_back(page, serve):
    view = opened(page, serve("viewer/demo.py"))
    view.point("scan")
    button, thumb = page.locator(".play"), page.locator(".thumb")
    assert button.get_attribute("aria-pressed") == "false"
    start, before, runs = thumb.get_attribute("aria-valuenow"), view.picture("without"), view.runs()
    view.press("k")
    page.wait_for_function(
        """start => { for (const e of document.querySelectorAll('*')) { const thumb = e.shadowRoot?.querySelector(
          '.thumb'); if (thumb) return thumb.getAttribute('aria-valuenow') !== start; } }""",
        arg=start,
        timeout=LONG,
    )
    assert button.get_attribute("aria-pressed") == "true" and view.runs() == runs, "Python is not asked meanwhile"
    view.press("ArrowRight")
    assert button.get_attribute("aria-pressed") == "false"
    view.rest()
    assert view.picture("without") != before
    view.settle(runs)
    view.press("u", "u")
    assert thumb.get_attribute("aria-valuenow") == start and view.picture("without") == before
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    page.mouse.click(*[thumb.bounding_box()[side] + 4 for side in ("x", "y")])
    view.rest()
    assert button.get_attribute("aria-pressed") == "false" and page.troubles == []


def test_nothing_plays_by_itself(page, serve):
    page.emulate_media(reduced_motion="reduce")
    view = opened(page, serve("viewer/demo.py") + "?show=volume")
    all_here(page)
    page.wait_for_timeout(400)
    assert not playing(view) and place(view) == "Slice 31 of 60"
