"""The Explain page in a real browser: what stands where from the first moment on, and that it says one thing."""

import re
from pathlib import Path

import pytest

from tests.browser.conftest import SLOW, settled
from tests.browser.test_checkpoint_choice import three_files, turn_to
from tests.tiny_checkpoints import tiny

ALL_FINDINGS = ("Atelectasis", "Cardiomegaly", "Effusion")
BOXES = """() => { for (const e of document.querySelectorAll('*')) { const root = e.shadowRoot; if (!root?.querySelector('.viewer')) continue;
  const box = (one) => { const { x, y, width, height } = one.getBoundingClientRect(); return [x, y, width, height].map(Math.round); };
  return Object.fromEntries([['stage', root.querySelector('.stage')], ['foot', root.querySelector('.foot')], ['findings', root.querySelector('.card')],
    ...[...root.querySelectorAll('.film')].map((film, i) => [`film ${i}`, film])].map(([name, one]) => [name, box(one)])); } }"""


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny(folder / "attri-net-films", findings=ALL_FINDINGS)
    return serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(folder), "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def visit(browser, address):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("console", lambda said: page.troubles.append(said.text) if said.type == "error" else None)
    page.goto(address)
    page.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    yield page
    page.close()


def chosen(page):
    return page.locator(".viewer .card.selected").get_attribute("data-name")


def test_every_panel_is_there_from_the_first_moment_and_stays_where_it_is(browser, address):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.locator(".viewer .card").first.wait_for(timeout=SLOW)
    first = page.evaluate(BOXES)
    assert len([name for name in first if name.startswith("film")]) == 4
    page.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=SLOW)
    assert page.evaluate(BOXES) == first
    page.close()


def test_a_film_opens_with_its_own_first_finding_whatever_was_chosen_on_another(visit):
    own = visit.locator(".viewer .card").first.get_attribute("data-name")
    assert chosen(visit) == own
    last = visit.locator(".viewer .card").last
    last.locator(".option").click()
    assert chosen(visit) == last.get_attribute("data-name") != own
    name, data = three_files()[1]
    visit.set_input_files("input[type=file]", files=[{"name": name, "mimeType": "image/png", "buffer": data}])
    visit.locator(".viewer .title", has_text="Picture of unstated kind").wait_for(timeout=SLOW)
    visit.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    assert chosen(visit) == visit.locator(".viewer .card").first.get_attribute("data-name")
    turn_to(visit, "Sample radiograph")
    visit.locator(".viewer .title", has_text="Chest radiograph").wait_for(timeout=SLOW)
    visit.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    assert chosen(visit) == own
    assert visit.troubles == []


def test_several_findings_taken_away_have_one_probability_everywhere(visit):
    visit.locator(".viewer .card:not(.selected) .also").first.click()
    said = visit.locator(".panel[data-kind=without] .name > div")
    said.filter(has_text=re.compile(r"^p 0\.\d\d together$")).wait_for(timeout=SLOW)
    p = said.inner_text().split()[1]
    sentence, facts, flip = (visit.locator(f".viewer {part}").inner_text() for part in (".sentence", ".facts", ".flip"))
    start = re.search(r"goes from (0\.\d\d) to (0\.\d\d); its operating point is (0\.\d\d)", sentence)
    assert start and start[2] == p
    assert f"{start[1]} to {p}" in facts and "alone" not in facts
    before, after, point = map(float, start.groups())
    if before > point:
        assert (("would say no" in sentence) == (after <= point)) and (("they flip" in flip) == (after <= point))
    else:
        assert "Below its operating point" in flip
    assert visit.locator(".viewer .curve .probability").is_hidden()
    visit.keyboard.press("u")


def test_nothing_is_written_on_a_film(visit):
    over = visit.evaluate("""() => { for (const e of document.querySelectorAll('*')) { const root = e.shadowRoot; if (!root?.querySelector('.viewer')) continue;
      const inside = (a, b) => a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;
      const films = [...root.querySelectorAll('.film canvas')].map((c) => c.getBoundingClientRect());
      return [...root.querySelectorAll('.panel .name *, .panel .under *')].filter((w) => w.textContent.trim() && films.some((f) => inside(w.getBoundingClientRect(), f))).map((w) => w.textContent); } }""")
    assert over == []


def test_wheel_and_arrow_keys_turn_slices_and_the_control_key_zooms(visit):
    from pydicom.data import get_testdata_file

    data = Path(get_testdata_file("emri_small.dcm", download=False)).read_bytes()
    visit.set_input_files("input[type=file]", files=[{"name": "a.dcm", "mimeType": "application/dicom", "buffer": data}])
    visit.locator(".viewer .title", has_text="MR slice").wait_for(timeout=SLOW)
    place = visit.locator(".viewer .tool.slice")
    assert place.inner_text() == "Slice 6 of 10"

    def picture():
        return visit.locator(".film canvas").first.evaluate("c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let h = 7; for (let i = 0; i < d.length; i += 4) h = (h * 31 + d[i]) | 0; return h }")

    def until_it_changes(before):
        for _ in range(400):
            if picture() != before:
                return
            visit.wait_for_timeout(100)
        raise AssertionError("the picture of another slice did not come")

    visit.locator(".film").first.hover()
    before = picture()
    visit.mouse.wheel(0, 120)
    visit.mouse.wheel(0, 120)
    assert place.inner_text() == "Slice 8 of 10"
    until_it_changes(before)
    settled(visit)
    zoom = visit.locator(".viewer").get_attribute("data-zoom")
    before = picture()
    visit.keyboard.press("ArrowUp")
    assert place.inner_text() == "Slice 7 of 10"
    until_it_changes(before)
    assert visit.locator(".viewer").get_attribute("data-zoom") == zoom
    visit.keyboard.down("Control")
    visit.mouse.wheel(0, -240)
    visit.keyboard.up("Control")
    visit.wait_for_timeout(200)
    assert place.inner_text() == "Slice 7 of 10" and float(visit.locator(".viewer").get_attribute("data-zoom")) > float(zoom)
    assert visit.troubles == []
