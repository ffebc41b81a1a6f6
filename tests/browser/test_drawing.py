"""Drawing in a real browser: every instrument by pointer and by key, what Python gets, what is written beside."""

from __future__ import annotations

import json
import re

import pytest

MARKS = """() => {
  const find = (node, name) => {
    for (const one of node.querySelectorAll("*")) {
      if (one.classList?.contains(name)) return one;
      const inner = one.shadowRoot && find(one.shadowRoot, name);
      if (inner) return inner;
    }
    return null;
  };
  return find(document.body, "marks").dataset;
}"""


class Board:
    """The column and the film, as a reader uses them."""

    def __init__(self, page):
        self.page, self.keys = page, page.keyboard
        box = page.locator(".film").first.bounding_box()
        self.middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def at(self, dx, dy):
        return self.middle[0] + dx, self.middle[1] + dy

    def drag(self, *places):
        self.page.mouse.move(*self.at(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.at(*place), steps=3)
        self.page.mouse.up()

    def click(self, *places):
        for place in places:
            self.page.mouse.click(*self.at(*place))

    def saved(self, count):
        """Waits until Python has that many marks, and everything that was drawn."""
        from playwright.sync_api import expect

        expect(self.page.locator(".mark")).to_have_count(count, timeout=60_000)
        self.page.wait_for_function(
            f"n => ({MARKS})().unsaved === 'false' && document.querySelector('#kept')?.textContent === String(n)",
            arg=count,
            timeout=60_000,
        )

    def words(self, place=-1):
        return self.page.locator(".mark").nth(place).inner_text()

    def last(self):
        """What Python has of the mark that was drawn last."""
        return json.loads(self.page.locator("#kept").get_attribute("data-last"))

    def pressed(self):
        return self.page.locator(".instrument[aria-pressed=true]").evaluate_all(
            "all => all.map(x => x.dataset.instrument)"
        )


@pytest.fixture
def board(page, serve):
    page.goto(serve("viewer/demo_drawing.py") + "/?size=1200x700")
    page.locator(".layer").first.wait_for(timeout=120_000)
    page.wait_for_timeout(500)
    yield Board(page)
    assert page.troubles == []


def test_each_instrument_draws_what_it_is_named_after(board):
    board.keys.press("Shift+B")
    board.drag((-80, -120), (20, 30))
    board.saved(1)
    assert board.words().startswith("Box") and "mm² at the detector, mean" in board.words()
    board.keys.press("Shift+L")
    board.drag((-100, 0), (100, 0))
    board.saved(2)
    zoom = float(board.page.locator(".viewer").get_attribute("data-zoom"))
    length = float(re.search(r"([\d.]+) mm at the detector", board.words())[1])
    assert length == pytest.approx(200 / zoom * 0.05, rel=0.02)
    board.keys.press("Shift+A")
    board.click((0, -100), (0, 0), (100, 0))
    board.saved(3)
    assert "90.0°" in board.words()
    board.keys.press("Shift+E")
    board.drag((50, 50), (90, 110))
    board.keys.press("Shift+F")
    board.drag((-20, 100), (20, 100), (20, 150), (-20, 150))
    board.keys.press("Shift+R")
    board.drag((-150, 60), (-120, 90))
    board.keys.press("Shift+P")
    board.click((-150, 150), (-100, 150), (-100, 190))
    board.keys.press("Enter")
    board.saved(7)
    kinds = board.page.locator(".mark b").all_inner_texts()
    assert kinds == ["Box", "Length", "Angle", "Ellipse", "Freehand", "Brush", "Polygon"]


def test_a_stroke_joins_the_brush_in_hand_and_alt_takes_from_it(board):
    area = lambda: float(re.search(r"([\d.]+) mm²", board.words())[1])
    board.keys.press("Shift+R")
    board.drag((-50, 0), (50, 0))
    board.saved(1)
    once = area()
    board.drag((-50, 60), (50, 60))
    board.page.wait_for_function(f"() => ({MARKS})().unsaved === 'false'")
    assert board.page.locator(".mark").count() == 1 and area() == pytest.approx(2 * once, rel=0.05)
    board.keys.down("Alt")
    board.drag((-90, 60), (90, 60))
    board.keys.up("Alt")
    assert area() == pytest.approx(once, rel=0.05)
    board.keys.press("Shift+R")
    board.keys.press("Escape")
    assert board.pressed() == ["choose"]


def test_what_is_drawn_is_moved_changed_labelled_deleted_and_brought_back(board):
    board.keys.press("Shift+B")
    board.drag((-80, -80), (-20, -20))
    board.keys.press("Escape")
    area = lambda: float(re.search(r"([\d.]+) mm²", board.words())[1])
    board.saved(1)
    before = area()
    board.drag((-20, -20), (40, 40))  # its lower right corner
    board.saved(1)
    assert area() == pytest.approx(4 * before, rel=0.05)
    board.drag((-20, -80), (0, -60))  # its upper edge, which moves the whole
    assert area() == pytest.approx(4 * before, rel=0.05)
    board.page.locator(".label").fill("Mass")
    board.page.locator(".label").press("Enter")
    board.saved(1)
    assert board.words().startswith("Mass")
    board.page.locator(".stage").focus()
    board.keys.press("Delete")
    board.saved(0)
    board.keys.press("Control+z")
    board.saved(1)
    assert board.words().startswith("Mass")
    for _ in range(4):
        board.keys.press("Control+z")
    board.saved(0)
    for _ in range(4):
        board.keys.press("Control+Shift+z")
    board.saved(1)
    assert board.words().startswith("Mass")


def test_without_a_pointer_enter_sets_corners_at_the_crosshair(board):
    board.page.locator(".stage").focus()
    board.keys.press("Shift+ArrowRight")
    board.keys.press("Shift+L")
    board.keys.press("Enter")
    for _ in range(10):
        board.keys.press("Shift+ArrowRight")
    board.keys.press("Enter")
    board.saved(1)
    assert "mm at the detector" in board.words()
    board.keys.press("Shift+P")
    for key in ("ArrowDown", "ArrowLeft"):
        board.keys.press("Enter")
        for _ in range(12):
            board.keys.press(f"Shift+{key}")
    board.keys.press("Enter")
    board.keys.press("Shift+Enter")
    board.saved(2)


def test_a_hand_that_draws_neither_moves_the_picture_nor_paints_it_again(board):
    zoom = board.page.locator(".viewer").get_attribute("data-frames")
    board.keys.press("Shift+F")
    board.drag((-60, -60), (60, -60), (60, 60), (-60, 60))
    board.saved(1)
    assert board.page.locator(".viewer").get_attribute("data-frames") == zoom


def test_the_shutter_and_the_magnifier_change_no_mark(board):
    lit = """canvas => { const c = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      let n = 0; for (let i = 3; i < c.length; i += 4) n += c[i] > 0; return n / (c.length / 4) }"""
    standing, hand = (board.page.locator(f".layer.{name}").first for name in ("marks", "hand"))
    assert standing.evaluate(lit) == hand.evaluate(lit) == 0
    board.keys.press("Shift+S")
    board.drag((-60, -60), (60, 60))
    board.page.wait_for_timeout(200)
    assert standing.evaluate(lit) > 0.9
    board.keys.press("Shift+S")
    board.keys.press("Shift+G")
    board.page.mouse.move(*board.at(10, 10))
    board.page.wait_for_timeout(200)
    glass = board.page.locator(".lens")
    box = glass.bounding_box()
    assert standing.evaluate(lit) == hand.evaluate(lit) == 0 and box["width"] == pytest.approx(220, abs=1)
    assert (box["x"] + 110, box["y"] + 110) == pytest.approx(board.at(10, 10), abs=2)
    board.keys.press("Escape")
    board.page.wait_for_timeout(200)
    assert glass.count() == 0 and board.page.locator(".mark").count() == 0


def test_every_instrument_has_a_name_and_stands_in_the_list_of_keys(board):
    names = board.page.locator(".instrument span").all_inner_texts()
    assert len(names) == len(set(names)) >= 13
    board.page.locator(".stage").focus()
    board.keys.press("?")
    listed = board.page.locator(".help dd").all_inner_texts()
    assert all(any(words.startswith(f"{name}:") for words in listed) for name in names)
    board.keys.press("Escape")


def test_where_nobody_may_draw_it_says_why_and_nothing_is_drawn(page, serve):
    page.goto(serve("viewer/demo_drawing.py") + "/?size=1200x700&locked=1&marks=3")
    page.locator(".layer").first.wait_for(timeout=120_000)
    board = Board(page)
    assert page.locator(".why").inner_text() == "Nobody may draw here."
    board.keys.press("Shift+B")
    board.drag((-80, -80), (-20, -20))
    board.keys.press("Delete")
    assert page.locator(".mark").count() == 3 and page.troubles == []
    assert page.locator(".instrument[data-instrument=box]").is_disabled()


def test_on_a_turned_and_mirrored_view_a_drawing_lies_where_the_hand_was(board):
    board.keys.press("q")
    board.keys.press("h")
    assert board.page.locator(".turned").inner_text() == "mirrored, turned by 270\u00b0"
    film = board.page.locator(".film").first.bounding_box()
    board.middle = film["x"] + film["width"] / 2, film["y"] + film["height"] / 2
    zoom = float(board.page.locator(".viewer").get_attribute("data-zoom"))
    board.keys.press("Shift+B")
    board.drag((-60, -100), (-20, -40))
    board.saved(1)
    points = board.last()["points"]
    # A quarter clockwise takes (x, y) from the middle to (-y, x), and the mirror that to (y, x).
    expected = [[600 - 60 / zoom, 350 - 100 / zoom], [600 - 20 / zoom, 350 - 40 / zoom]]
    assert all(abs(a - b) < 2 / zoom for got, want in zip(points, expected) for a, b in zip(got, want)), points
    words = board.words()
    board.keys.press("Escape")
    board.keys.press("h")
    for _ in range(3):
        board.keys.press("q")
    assert board.page.locator(".turned").is_hidden() and board.words() == words


LIT = """canvas => { const c = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let n = 0; for (let i = 3; i < c.length; i += 4) n += c[i] > 0; return n }"""


def test_in_a_volume_a_drawing_stays_on_its_slice_and_is_found_again(page, serve):
    page.goto(serve("viewer/demo_drawing.py") + "/?volume=24")
    page.locator(".layer").first.wait_for(timeout=120_000)
    page.wait_for_timeout(800)
    board = Board(page)
    slice_now = lambda: int(re.search(r"Slice (\d+) of 24", page.locator(".tools").inner_text())[1])
    here = slice_now()
    board.keys.press("Shift+B")
    board.drag((-80, -80), (40, 60))
    board.keys.press("Escape")
    board.keys.press("Escape")
    board.saved(1)
    assert f"slice {here}" in board.words() and "HU" in board.words()
    assert (board.last()["slice"], board.last()["axis"]) == (here - 1, 0)
    layer = page.locator(".layer.marks").first
    page.wait_for_timeout(200)
    assert layer.evaluate(LIT) > 0
    board.keys.press("ArrowDown")
    page.wait_for_timeout(300)
    assert slice_now() == here + 1 and layer.evaluate(LIT) == 0
    page.locator(".mark").click()
    page.wait_for_timeout(300)
    assert slice_now() == here and page.troubles == []


def test_on_another_plane_of_a_volume_a_length_is_in_the_patients_millimetres(page, serve):
    page.goto(serve("viewer/demo_drawing.py") + "/?volume=24")
    page.locator(".layer").first.wait_for(timeout=120_000)
    page.wait_for_timeout(800)
    page.locator(".stage").focus()
    page.keyboard.press("v")
    coronal = page.locator(".panel[data-plane=coronal] .film")
    coronal.wait_for(timeout=60_000)
    page.wait_for_timeout(500)
    box = coronal.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.keyboard.press("Shift+L")
    page.mouse.down()
    page.mouse.move(x, y + 12, steps=3)
    page.mouse.up()
    Board(page).saved(1)
    drawn = Board(page).last()
    (first, _), (last, _) = drawn["points"]
    assert drawn["axis"] == 1 and drawn["slice"] is not None
    assert 0 <= last < first <= 24, "the head is above, so the hand went towards the feet"
    length = float(re.search(r"([\d.]+) mm", Board(page).words())[1])
    assert length == pytest.approx(first - last, rel=0.02), "slices are 1 mm apart"
    assert page.troubles == []


def test_a_side_marker_that_is_seen_is_drawn_with_its_letter(board):
    board.keys.press("Shift+M")
    assert board.pressed() == ["marker"]
    board.drag((-40, -40), (-20, -20))
    board.saved(1)
    assert board.words().startswith("Side marker L")
    board.keys.down("Alt")
    board.drag((20, -40), (40, -20))
    board.keys.up("Alt")
    board.saved(2)
    assert board.words().startswith("Side marker R")


def test_on_a_volume_every_aid_and_measure_works_by_key_and_has_a_name(page, serve):
    page.goto(serve("viewer/demo_drawing.py") + "/?volume=24")
    page.locator(".layer").first.wait_for(timeout=120_000)
    page.locator(".viewer[data-arrived='24']").wait_for(timeout=60_000)
    board, names = Board(page), ("Magnifier", "Shutter", "Rotate", "Flip", "Length", "Angle", "Ellipse", "Side marker")
    for name in names:
        assert page.get_by_role("button", name=re.compile(f"^{name}")).count() == 1, name
    page.mouse.move(*board.at(0, 0))
    page.keyboard.press("q")
    assert page.locator(".turned").inner_text() == "turned by 90\u00b0"
    page.keyboard.press("h")
    assert "mirrored" in page.locator(".turned").inner_text()
    here = page.locator(".tool.slice").inner_text()
    page.mouse.wheel(0, 120)
    page.wait_for_timeout(200)
    assert page.locator(".tool.slice").inner_text() != here, "slices turn on a turned view too"
    page.keyboard.press("h")
    page.keyboard.press("q")
    page.keyboard.press("q")
    page.keyboard.press("q")
    assert page.locator(".turned").is_hidden()
    page.keyboard.press("Shift+G")
    page.mouse.move(*board.at(8, 8))
    page.wait_for_timeout(200)
    assert page.locator(".lens").count() == 1
    page.keyboard.press("Shift+G")
    page.keyboard.press("Shift+S")
    board.drag((-50, -50), (50, 50))
    page.wait_for_timeout(200)
    assert page.locator(".layer.marks").first.evaluate(LIT) > 0.5
    page.keyboard.press("Shift+S")
    for count, (key, places, words) in enumerate(
        [
            ("Shift+L", [(-30, 0), (30, 0)], r"[\d.]+ mm"),
            ("Shift+E", [(-30, -30), (30, 30)], r"mm\u00b2.*HU"),
        ],
        1,
    ):
        page.keyboard.press(key)
        board.drag(*places)
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        board.saved(count)
        assert re.search(words, board.words()), board.words()
    page.keyboard.press("Shift+A")
    board.click((-30, 20), (0, 20), (0, -20))
    board.saved(3)
    assert re.search(r"90(\.\d)?\u00b0", board.words()), board.words()
    assert page.troubles == []
