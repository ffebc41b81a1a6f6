"""The Explain page in a real browser: what stands where from the first moment on, and that it says one thing."""

import re

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
