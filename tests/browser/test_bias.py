"""The page Bias report in a real browser: from the question to the patients, at the size of a reading room's screen."""

import pytest

from tests.browser.conftest import SLOW, only, settled
from tests.browser.test_explain import TOO_FAINT

TimeoutError = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").TimeoutError
DRAWN = "pictures => pictures.length && pictures.every(picture => picture.complete && picture.naturalWidth > 0)"


def choose(page, count):
    """On a busy machine the page may still be drawn anew when the list opens, which closes it again."""
    option = page.get_by_role("option", name=count, exact=True)
    for _ in range(6):
        page.get_by_label("Films", exact=True).first.click()
        try:
            return option.click(timeout=15_000)
        except TimeoutError:
            page.keyboard.press("Escape")
    raise AssertionError("the list of counts did not open")


@pytest.fixture(scope="module")
def visit(browser, serve, tmp_path_factory):
    """One visitor for all tests, who has been answered."""
    from engine.methods.attri_net.produce import tiny

    folder = tmp_path_factory.mktemp("checkpoints")
    tiny(folder / "attri-net-one")
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto(serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(folder), "OMP_NUM_THREADS": "1"}) + "/bias")
    page.get_by_text("200 films will be shown twice").wait_for(timeout=SLOW)
    choose(page, "100")
    page.get_by_text("100 films will be shown twice").wait_for(timeout=SLOW)
    page.get_by_role("button", name="Ask the model").click()
    page.wait_for_selector(".answer .first", timeout=SLOW)
    page.wait_for_selector(".viewer[data-kind=panels] canvas", timeout=SLOW)
    yield page
    page.close()


def test_the_answer_stands_first_with_how_far_to_trust_it(visit):
    settled(visit)
    assert only(visit, "h1.title").inner_text() == "Would the answer change if only the sex changed?"
    assert "Can these counterfactuals be trusted?" in only(visit, ".trust").inner_text()
    visit.get_by_text("Research use only, not for diagnosis").wait_for(timeout=SLOW)
    assert visit.troubles == []


def test_intervals_and_films_are_drawn_and_have_words(visit):
    settled(visit)
    for kind, count, least in (("interval", 2, 100), ("scatter", 1, 150)):  # an interval a finding
        pictures = only(visit, f"img.{kind}", count)
        visit.wait_for_function(f"() => ({DRAWN})([...document.querySelectorAll('img.{kind}')])", timeout=SLOW)
        assert pictures.first.bounding_box()["width"] > least
    assert "100 films" in visit.locator("img.scatter").get_attribute("alt")


def test_six_linked_panels_show_two_patients(visit):
    only(visit, ".viewer .panel", 6)
    assert visit.locator(".viewer .panel .name").first.inner_text().startswith("As it is")
    assert (
        visit.locator(".viewer .panel canvas").first.bounding_box()["height"] > 120
    )  # a low view is one row rather than two of thumbnails


def test_nothing_is_wider_than_the_screen(visit):
    sizes = settled(visit).evaluate(
        "() => { const m = document.querySelector('[data-testid=stMain]'); return [m.scrollWidth, m.clientWidth]; }"
    )
    assert sizes[0] <= sizes[1]


def test_both_files_can_be_taken_home(visit):
    for name, start in (("PDF", b"%PDF"), ("JSON", b"{")):
        with visit.expect_download(timeout=SLOW) as taken:
            visit.get_by_role("button", name=name).click()
        with open(taken.value.path(), "rb") as file:
            assert file.read(4).startswith(start)


def test_a_report_that_is_not_wanted_any_more_is_stopped(visit):
    choose(visit, "400")
    visit.get_by_text("400 films will be shown twice").wait_for(timeout=SLOW)
    visit.get_by_role("button", name="Ask the model").click()
    visit.get_by_role("button", name="Stop").click(timeout=SLOW)
    visit.locator(".stProgress").wait_for(state="detached", timeout=SLOW)
    visit.get_by_text("400 films will be shown twice").wait_for(timeout=SLOW)
    visit.get_by_role("button", name="Ask the model").wait_for(timeout=SLOW)
    assert visit.troubles == []


def test_small_text_has_enough_contrast_here_and_on_the_pages_beside(visit, browser):
    assert settled(visit).evaluate(TOO_FAINT) == []
    fresh = browser.new_page(viewport={"width": 1440, "height": 900})
    address = visit.url.rpartition("/")[0]
    for path, there in (("bias", "Ask the model"), ("learned", "What the model learned"), ("models", "The card")):
        fresh.goto(f"{address}/{path}")
        fresh.get_by_text(there).last.wait_for(timeout=SLOW)
        assert settled(fresh).evaluate(TOO_FAINT) == [], path
    fresh.close()
