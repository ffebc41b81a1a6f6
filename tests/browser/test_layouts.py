"""Promises of hanging protocols, kept in a real browser: how a scan opens, what can be chosen, what is remembered."""

from __future__ import annotations

import pytest

from tests.browser.test_viewer import opened
from tests.browser.test_volume import all_here


def kinds(view):
    shown = view.page.locator(".panel:not([hidden])")
    return [shown.nth(k).get_attribute("data-kind") for k in range(shown.count())]


def planes(view):
    return view.page.locator(".panel").evaluate_all("panels => panels.map((panel) => panel.dataset.plane)")


def choose(view, name):
    view.press("l")
    view.page.get_by_role("menuitemradio", name=name, exact=True).click()
    view.rest()


def checked(view):
    view.press("l")
    found = view.page.locator(".menu:not([hidden]) [aria-checked=true] span").first.inner_text()
    view.press("Escape")
    return found


@pytest.fixture
def film(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=layouts")
    view.point("scan")
    yield view
    assert page.troubles == []


def test_a_film_opens_with_all_panels_and_a_menu_offers_others_by_key_or_click(film):
    view, runs = film, film.runs()
    everything = kinds(view)
    assert everything == ["scan", "evidence", "without", "difference"] and checked(view) == "Chest film"
    small = view.panel("evidence").locator(".film").bounding_box()
    choose(view, "Evidence only")
    assert kinds(view) == ["evidence"] and checked(view) == "Evidence only"
    assert view.panel("evidence").locator(".film").bounding_box()["height"] > 1.5 * small["height"]
    assert view.panel("evidence").locator(".scale").is_visible(), "lengths can still be judged"
    choose(view, "Scan only")
    assert kinds(view) == ["scan"]
    view.page.get_by_role("button", name="Layout").click()
    view.page.get_by_role("menuitemradio", name="Chest film as opened").click()
    view.rest()
    assert kinds(view) == everything and view.runs() == runs, "Python is not asked"


def test_a_view_without_protocols_has_no_menu(page, serve):
    opened(page, serve("viewer/demo.py"))
    assert page.locator("[data-tool=layout]").count() == 0


def test_the_menu_answers_to_arrows_enter_and_escape(film):
    view = film
    view.press("l", "ArrowDown", "Enter")
    assert kinds(view) == ["evidence"]
    view.press("l", "ArrowUp", "Escape")
    assert kinds(view) == ["evidence"] and view.page.locator(".menu:not([hidden])").count() == 0


def test_findings_and_slider_go_on_under_another_layout(film):
    view = film
    choose(view, "Evidence only")
    before = view.picture("evidence")
    view.choose("Atelectasis")
    assert view.picture("evidence") != before and view.title("evidence") == "Evidence for atelectasis"
    view.press("r")
    assert kinds(view) == ["evidence"], "what began anew is the look, not the layout"


def test_the_prior_stands_beside_the_current_film_under_one_crosshair(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=layouts&show=prior")
    assert kinds(view) == ["prior", "scan", "without", "difference"]
    assert view.title("prior") == "Prior" and "linked by the whole picture" in view.panel("prior").inner_text()
    view.point("scan", 0.45, 0.4)
    prior, current = (float(view.low(kind).split(": ")[1]) for kind in ("prior", "scan"))
    assert prior == pytest.approx(1.3 * current, rel=0.01)
    before = view.picture("prior")
    view.press("i")
    assert view.picture("prior") != before, "greys are linked"
    assert view.page.locator(".panel[data-kind=prior] canvas").get_attribute("aria-label").startswith("Prior, linked")
    assert page.troubles == []


def test_a_ct_of_the_head_opens_under_its_window_and_planes_are_one_choice_away(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=volume&show=layouts&show=head")
    all_here(page)
    view.point("scan")
    assert checked(view) == "CT head" and "W 80.0  L 40.0" in view.low("scan") and planes(view)[0] != "coronal"
    choose(view, "CT head, planes")
    assert planes(view) == ["axial", "coronal", "sagittal"] * 2
    view.press("v")
    assert len(set(planes(view))) == 1, "one plane again by its own key"
    assert page.troubles == []


def test_a_ct_of_the_chest_opens_in_the_lung_window_and_its_mip_is_a_slab(page, serve):
    view = opened(page, serve("viewer/demo.py") + "?show=volume&show=layouts")
    all_here(page)
    view.point("scan")
    assert "W 1500  L -600" in view.low("scan")
    view.press("2")
    assert "W 1500" not in view.low("scan")
    view.press("r")
    assert "W 1500  L -600" in view.low("scan"), "as it was opened"
    choose(view, "CT chest, MIP")
    assert view.panel("scan").locator(".notes").inner_text().startswith("maximum of")
    choose(view, "CT chest as opened")
    assert view.panel("scan").locator(".notes").inner_text() == ""
    assert page.troubles == []
