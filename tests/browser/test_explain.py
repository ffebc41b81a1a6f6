"""The Explain page in a real browser: what stands where from the first moment on, and that it says one thing."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import SLOW, only, settled
from tests.browser.test_checkpoint_choice import three_files, turn_to
from tests.scan.series_files import head, series, shuffled
from tests.scan.test_archive import zipped
from tests.tiny_checkpoints import tiny

ALL_FINDINGS = ("Atelectasis", "Cardiomegaly", "Effusion")
BOXES = """() => { for (const e of document.querySelectorAll('*')) { const root = e.shadowRoot;
  if (!root?.querySelector('.viewer')) continue;
  const box = (one) => { const { x, y, width, height } = one.getBoundingClientRect(); return [x, y, width,
    height].map(Math.round); };
  return Object.fromEntries([['stage', root.querySelector('.stage')], ['foot', root.querySelector('.foot')],
    ['findings', root.querySelector('.card')],
    ...[...root.querySelectorAll('.film')].map((film, i) => [`film ${i}`, film])].map(([name, one]) => [name,
      box(one)])); } }"""

# Every visible piece of small text whose contrast against what is painted behind it is below 4.5 to 1 (WCAG 2.2,
# 1.4.3).
TOO_FAINT = r"""() => {
  const rgba = (text) => { const m = text.match(/[\d.]+/g)?.map(Number) ?? [0,0,0,0];
    if (text.startsWith('color(srgb')) return [m[0]*255, m[1]*255, m[2]*255, m[3] ?? 1]; return [m[0], m[1], m[2],
    m[3] ?? 1]; };
  const over = (top, low) => [0, 1, 2].map((i) => top[i] * top[3] + low[i] * (1 - top[3]));
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const parent = (e) => e.parentElement ?? e.getRootNode().host ?? null;
  const ground = (e) => { const layers = []; for (let n = e; n; n = parent(n)) { const c = rgba(getComputedStyle(n)
    .backgroundColor); if (c[3] > 0) layers.push(c); if (c[3] === 1) break; } return layers.reverse().reduce((low,
    top) => over(top, low), [11, 12, 15]); };
  const faint = (e) => { let o = 1; for (let n = e; n; n = parent(n)) o *= Number(getComputedStyle(n).opacity);
    return o; };
  const found = [];
  const visit = (root) => { for (const e of root.querySelectorAll('*')) { if (e.shadowRoot) visit(e.shadowRoot);
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
      || ['STYLE','SCRIPT','TITLE'].includes(e.tagName)) continue;
    if (!e.checkVisibility({ visibilityProperty: true,
      opacityProperty: true }) || e.disabled || e.closest(':disabled')) continue;
    const box = e.getBoundingClientRect(); if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(e); const ink = rgba(e instanceof SVGElement ? style.fill : style.color);
      if (parseFloat(style.fontSize) >= 18) continue;
    const low = ground(e); ink[3] *= faint(e); const a = light(over(ink, low)), b = light(low), ratio = (Math.max(a,
      b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push([ratio.toFixed(2), e.textContent.trim().slice(0, 40),
      e.className?.baseVal ?? e.className, style.color]); } };
  visit(document); return found; }"""


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
    over = visit.evaluate("""() => { for (const e of document.querySelectorAll('*')) { const root = e.shadowRoot;
      if (!root?.querySelector('.viewer')) continue;
      const inside = (a, b) => a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;
      const films = [...root.querySelectorAll('.film canvas')].map((c) => c.getBoundingClientRect());
      return [...root.querySelectorAll('.panel .name *, .panel .under *')]
        .filter((w) => w.textContent.trim() && films.some((f) => inside(w.getBoundingClientRect(), f)))
        .map((w) => w.textContent); } }""")
    assert over == []


def test_wheel_and_arrow_keys_turn_slices_and_the_control_key_zooms(visit):
    from pydicom.data import get_testdata_file

    data = Path(get_testdata_file("emri_small.dcm", download=False)).read_bytes()
    visit.set_input_files(
        "input[type=file]", files=[{"name": "a.dcm", "mimeType": "application/dicom", "buffer": data}]
    )
    visit.locator(".viewer .title", has_text="MR").wait_for(timeout=SLOW)
    visit.locator(".viewer[data-arrived='10']").wait_for(timeout=SLOW)
    place = visit.locator(".viewer .tool.slice")
    assert place.inner_text() == "Slice 6 of 10"

    def picture():
        return visit.locator(".film canvas").first.evaluate(
            "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let h = 7; for (let i = "
            "0; i < d.length; i += 4) h = (h * 31 + d[i]) | 0; return h }"
        )

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
    assert place.inner_text() == "Slice 7 of 10" and float(visit.locator(".viewer").get_attribute("data-zoom")) > float(
        zoom
    )
    assert visit.troubles == []


def test_a_zip_of_a_series_is_looked_at_in_three_planes_and_under_the_windows_of_ct(visit):
    slices = head(20, 48, 64)
    files = shuffled(series(slices))
    data = zipped({f"IM{k}": one for k, one in enumerate(files)})
    visit.set_input_files("input[type=file]", files=[{"name": "a.zip", "mimeType": "application/zip", "buffer": data}])
    visit.locator(".viewer[data-arrived='20']").wait_for(timeout=SLOW)
    settled(visit)
    assert visit.locator(".viewer .badge", has_text="20 slices").is_visible()
    assert visit.locator(".viewer .tool.slice").inner_text() == "Slice 11 of 20"
    visit.locator(".film").first.hover()
    for key, window in (("3", "W 80.0  L 40.0"), ("5", "W 1500  L -600")):
        visit.keyboard.press(key)
        visit.locator(".panel .name > div", has_text=window).first.wait_for(timeout=SLOW)
    visit.keyboard.press("v")
    planes = only(visit, ".panel", 3).evaluate_all("panels => panels.map((panel) => panel.dataset.plane)")
    assert planes == ["axial", "coronal", "sagittal"]
    assert visit.locator(".panel[data-plane=coronal] .letter.top").inner_text() == "S"
    x, y, k, value = re.search(
        r"x (\d+)  y (\d+)  slice (\d+): (-?\d+)$",
        visit.locator(".panel[data-plane=axial] .under > div:last-child").inner_text(),
    ).groups()
    assert int(value) == slices[int(k) - 1, int(y), int(x)], "the voxel that stands in the file"
    visit.keyboard.press("v")
    assert visit.troubles == []


def test_a_colour_picture_that_is_turned_grey_says_so(visit):
    file = io.BytesIO()
    doppler = np.repeat(np.add.outer(np.arange(60), np.arange(80))[..., None], 3, axis=2).astype(np.uint8)
    doppler[20:30, 30:50] = (200, 30, 40)
    Image.fromarray(doppler).save(file, "PNG")
    visit.set_input_files(
        "input[type=file]", files=[{"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()}]
    )
    visit.locator(".viewer .badge.warn", has_text="a colour picture, turned grey").wait_for(timeout=SLOW)
    assert visit.troubles == []


def test_small_text_has_enough_contrast(visit):
    turn_to(visit, "Sample radiograph")
    visit.locator(".viewer .card:not(.blank)").first.wait_for(timeout=SLOW)
    assert settled(visit).evaluate(TOO_FAINT) == []
    visit.locator(".viewer [data-tool=help]").click()
    visit.locator(".viewer .help dl").wait_for(timeout=SLOW)
    assert visit.evaluate(TOO_FAINT) == []
    visit.keyboard.press("Escape")


def test_a_file_dropped_anywhere_is_opened(visit):
    _, data = three_files()[1]
    before = visit.locator("section.stSidebar").get_by_text(re.compile("^Picture")).count()
    visit.evaluate(
        """(bytes) => {
          const carried = new DataTransfer(), target = document.querySelector('[data-testid=stMain]');
          carried.items.add(new File([new Uint8Array(bytes)], 'x.png', { type: 'image/png' }));
          for (const kind of ['dragover', 'drop']) target.dispatchEvent(new DragEvent(kind, { dataTransfer: carried,
            bubbles: true, cancelable: true, composed: true }));
        }""",
        list(data),
    )
    visit.locator(".viewer .title", has_text="Picture of unstated kind").wait_for(timeout=SLOW)
    assert before <= visit.locator("section.stSidebar").get_by_text(re.compile("^Picture")).count()
    assert visit.troubles == []
