"""Promises of volumes in the viewer, kept in a real browser: slices that come one by one, planes, slabs, scrubber."""

from __future__ import annotations

import re
import threading

import pytest

from tests.browser.test_viewer import opened

SLICES = 60
WAIT = 60_000


@pytest.fixture
def volume(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=volume")
    all_here(page)
    return view


@pytest.fixture
def alone(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=volume&show=alone")
    all_here(page)
    return view


def all_here(page):
    page.locator(f".viewer[data-arrived='{SLICES}']").wait_for(timeout=WAIT)


def place(view):
    return view.page.locator(".tool.slice").inner_text()


def plane(view, name, kind="scan"):
    return view.page.locator(f".panel[data-plane={name}][data-kind={kind}]")


def values(view):
    """The grey value under the crosshair as each panel tells it."""
    found = view.page.locator(".panel .under > div:last-child").all_inner_texts()
    return [int(re.search(r": (-?\d+)$", text)[1]) for text in found]


def test_slices_come_one_by_one_the_middle_first_and_what_is_missing_is_never_black(page, serve):
    """Every message after the first is held back, until the test has looked at what stands there without it."""
    asked, sizes, let_go = [], [], threading.Event()
    held = []

    def hold(route):
        run = re.search(r"/pixels/[^/]+/(\d+)/(\d+)$", route.request.url)
        if run is None:
            return route.continue_()
        asked.append((int(run[1]), int(run[2])))
        if len(asked) == 1 or let_go.is_set():
            return route.continue_()
        return held.append(route)

    page.route("**/pixels/**", hold)
    page.on("response", lambda r: "/pixels/" in r.url and sizes.append(int(r.headers.get("content-length", 0))))
    view = opened(page, serve("viewer/demo.py") + "?show=volume&show=alone&slices=61&side=256")
    page.locator(".viewer[data-arrived='1']").wait_for(timeout=WAIT)
    assert asked[0] == (30, 1) and place(view) == "Slice 31 of 61, 1 here"
    here = view.picture("scan")
    assert view.panel("scan").locator(".veil").inner_text() == ""
    view.press("ArrowDown")
    assert view.panel("scan").locator(".veil").inner_text() == "slice 32 is on its way"
    assert view.picture("scan") != here
    colours = (
        view.panel("scan")
        .locator("canvas")
        .evaluate("""canvas => { const c = canvas.getContext('2d');
      return [...c.getImageData(canvas.width / 2, canvas.height / 2, 12, 12).data].filter((_, i) => i % 4 < 3); }""")
    )
    assert len(set(colours)) > 1 and max(colours) > 20, "hatched"
    view.press("ArrowUp")
    assert view.picture("scan") == here
    let_go.set()
    for route in held:
        route.continue_()
    page.locator(".viewer[data-arrived='61']").wait_for(timeout=WAIT)
    view.press("ArrowDown")
    assert view.panel("scan").locator(".veil").inner_text() == "" and place(view) == "Slice 32 of 61"
    assert sum(count for _, count in asked) == 61, "each slice is sent once"
    assert len(asked) > 3 and max(sizes) <= 4 << 20
    assert page.troubles == []


def test_wheel_keys_and_scrubber_turn_slices_without_asking_python(volume):
    view, runs = volume, volume.runs()
    view.point("scan")
    view.page.mouse.wheel(0, 120)
    view.rest()
    assert place(view) == "Slice 32 of 60"
    for key, at in (("ArrowDown", 33), ("PageDown", 43), ("PageUp", 33), ("Home", 1), ("ArrowUp", 1), ("End", 60)):
        view.press(key)
        assert place(view) == f"Slice {at} of 60", key
    strip = view.page.locator(".scrubber canvas").bounding_box()
    view.page.mouse.click(strip["x"] + 5, strip["y"] + strip["height"] * 0.505)
    view.rest()
    assert place(view) == "Slice 31 of 60"
    view.press("ArrowRight", "ArrowRight", "ArrowUp")
    assert place(view) == "Slice 32 of 60", "the scrubber has the focus"
    scrubber = view.page.get_by_role("slider", name="Slice", exact=True)
    assert scrubber.get_attribute("aria-valuenow") == "32" and scrubber.get_attribute("aria-valuemax") == "60"
    assert "strongest evidence" in scrubber.get_attribute("aria-valuetext")
    assert view.runs() == runs and view.page.troubles == []


def test_the_strip_leads_the_eye_to_the_slice_with_the_strongest_evidence(volume):
    rows = volume.page.locator(".scrubber canvas").evaluate("""canvas => { const c = canvas.getContext('2d');
      const { data, width, height } = c.getImageData(0, 0, canvas.width, canvas.height); const out = [];
      for (let y = 0; y < height; y++) { let n = 0;
        for (let i = 4 * y * width; i < 4 * (y + 1) * width; i += 4) n += data[i] > data[i + 2] + 40;
        out.push(n); }
      return out; }""")
    brightest = [y for y, n in enumerate(rows) if n == max(rows)]
    assert max(rows) >= 8 and abs(sum(brightest) / len(brightest) / len(rows) - 0.62) < 0.03


def test_one_key_shows_three_planes_through_one_voxel_with_their_directions(alone):
    view = alone
    view.point("scan", 0.45, 0.4)
    view.press("v")
    assert [view.page.locator(".panel").nth(i).get_attribute("data-plane") for i in range(3)] == [
        "axial",
        "coronal",
        "sagittal",
    ]
    letters = {
        name: [plane(view, name).locator(f".letter.{side}").inner_text() for side in ("left", "right", "top", "bottom")]
        for name in ("axial", "coronal", "sagittal")
    }
    assert letters == {"axial": [*"RLAP"], "coronal": [*"RLSI"], "sagittal": [*"APSI"]}
    assert len(set(values(view))) == 1, "one voxel under all three crosshairs"
    box = plane(view, "coronal").locator(".film").bounding_box()
    view.page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.55 * box["height"])
    view.rest()
    assert len(set(values(view))) == 1
    plane(view, "axial").locator(".film").hover()
    before = place(view)
    assert before.startswith("Axial") and before != "Axial 31 of 60", "a click moves the crosshair"
    plane(view, "sagittal").locator(".film").hover()
    view.page.mouse.wheel(0, 120)
    view.rest()
    assert place(view).startswith("Sagittal") and len(set(values(view))) == 1
    view.press("v")
    assert view.page.locator(".panel").count() == 1 and place(view) == before.replace("Axial", "Slice")
    assert view.page.troubles == []


def test_planes_keep_their_proportions_and_one_scale(alone):
    """60 slices 1 mm apart are 60 mm high; the trunk is 0.84 of 192 columns of 0.7 mm wide."""
    view, lit = alone, {}
    view.press("v")
    for name in ("axial", "coronal"):
        lit[name] = (
            plane(view, name)
            .locator("canvas")
            .evaluate("""canvas => {
          const c = canvas.getContext('2d');
          const { data, width, height } = c.getImageData(0, 0, canvas.width, canvas.height);
          const rows = new Array(height).fill(0), columns = new Array(width).fill(0);
          for (let i = 0; i < width * height; i++)
            if (data[4 * i] > 20) rows[Math.floor(i / width)]++, columns[i % width]++;
          return [rows, columns].map((counts) => counts.filter((n) => n > 8).length); }""")
        )
    wide, high = lit["coronal"][1], lit["coronal"][0]
    assert abs(wide / lit["axial"][1] - 1) < 0.05, "the trunk is as wide in both"
    assert abs(high / (wide / (0.84 * 192 * 0.7)) - 60) < 3


def test_evidence_and_counterfactual_lie_on_the_same_voxels_in_every_plane(volume):
    view = volume
    view.press("v")
    assert view.page.locator(".panel").count() == 6
    view.press("Home", *["PageDown"] * 3, *["ArrowDown"] * 6)  # the lesion's slice
    box = plane(view, "axial", "evidence").locator(".film").bounding_box()
    side = min(box["width"], box["height"])
    x, y = box["x"] + box["width"] / 2 + (0.30 - 0.5) * side, box["y"] + box["height"] / 2 + (0.52 - 0.5) * side
    view.page.mouse.click(x, y)
    view.rest()
    said = [
        float(
            re.search(r"([+\u2212]?[\d.]+) log-odds", plane(view, name, "evidence").inner_text())[1].replace(
                "\u2212", "-"
            )
        )
        for name in ("axial", "coronal", "sagittal")
    ]
    assert min(said) > 0.1 and max(said) - min(said) < 0.02
    greys = [
        int(re.search(r": (-?\d+)$", plane(view, name, "without").locator(".under > div:last-child").inner_text())[1])
        for name in ("axial", "coronal", "sagittal")
    ]
    assert max(greys) - min(greys) < 60 and max(greys) < -500, "the lesion is taken away in each"


def test_the_truth_of_a_volume_lies_on_the_same_voxels_and_turns_with_it(page, serve):
    """The demo's truth is half of its change at a = 1."""
    view = opened(page, serve("viewer/demo.py") + "?show=volume&show=truth")
    all_here(page)
    shown = [page.locator(".panel").nth(i).get_attribute("data-kind") for i in range(page.locator(".panel").count())]
    assert shown == ["scan", "without", "truth", "evidence", "difference", "true-difference"]
    view.press("Home", *["PageDown"] * 3, *["ArrowDown"] * 6)  # the lesion's slice
    view.point("scan", 0.30, 0.52)
    view.rest()
    grey = {k: int(re.search(r": (-?\d+)$", view.low(k))[1]) for k in ("scan", "without", "truth")}
    assert abs(grey["truth"] - (grey["scan"] + grey["without"]) / 2) <= 2 and grey["truth"] < grey["scan"] - 20
    there = view.picture("true-difference")
    view.press("Home")
    assert view.picture("true-difference") != there and page.troubles == []


def test_a_slab_shows_its_maximum_mean_and_minimum(alone):
    view, seen = alone, {}
    view.point("scan", 0.45, 0.4)
    for mode in ("maximum", "mean", "minimum"):
        view.press("d")
        notes = view.panel("scan").locator(".notes").inner_text()
        assert notes.startswith(f"{mode} of 27 to 36 of 60")
        seen[mode] = values(view)[0]
    assert seen["maximum"] > seen["mean"] > seen["minimum"]
    thick = view.picture("scan")
    view.press(".", ".")
    assert "MinIP 14 mm" in view.page.locator(".tools").inner_text() and view.picture("scan") != thick
    view.press("d")
    assert view.panel("scan").locator(".notes").inner_text() == ""
    assert view.page.troubles == []


def test_zoom_and_pan_are_linked_over_the_planes(alone):
    view = alone
    view.press("v")
    before = [panel.evaluate("c => c.toDataURL()") for panel in view.page.locator(".panel canvas").all()]
    plane(view, "coronal").locator(".film").hover()
    view.page.keyboard.down("Control")
    view.page.mouse.wheel(0, -240)
    view.page.keyboard.up("Control")
    view.page.wait_for_timeout(300)
    after = [panel.evaluate("c => c.toDataURL()") for panel in view.page.locator(".panel canvas").all()]
    assert all(a != b for a, b in zip(before, after, strict=True))
    view.press("0")
    view.page.wait_for_timeout(300)
    assert [panel.evaluate("c => c.toDataURL()") for panel in view.page.locator(".panel canvas").all()] == before


def test_the_question_mark_lists_the_keys_of_a_volume_and_of_the_list(volume):
    volume.press("?")
    keys = volume.page.locator(".help dt").all_inner_texts()
    assert {"V", "D", "Home, End", ", and .", "Page up, down", "1 to 9", "F2", "scrubber"} <= set(keys)
    assert len(keys) == len(set(keys))
    volume.press("Escape")


def test_a_volume_of_unknown_place_has_planes_but_no_letters(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=volume&show=alone&show=unplaced")
    all_here(page)
    view.press("v")
    assert view.page.locator(".panel").count() == 3 and view.page.locator(".letter").count() == 0
    assert place(view).startswith("Slices 31") and page.troubles == []
