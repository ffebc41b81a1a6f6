"""The page Bias report, without a browser: empty, asked, answered, refused."""

import html
import re
from base64 import b64decode
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.bias.report.compute import bias_report
from engine.bias.report.notes import assumption, facts
from engine.bias.report.request import SEED, ReportRequest, films
from engine.bias.report.wording import points, table
from engine.datasets import UnusableCollection
from engine.methods.attri_net.produce import tiny
from pages.components import bias_cards, common
from tests.bias.halves import FAIR, ITSELF, Films, Three, reported
from tests.methods.attri_net.small import draw_once
from tests.places import ROOT
from tests.test_app import elements, settled

APP = str(ROOT / "app.py")


@pytest.fixture(scope="module")
def one_checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny(folder / "attri-net-one")
    return folder


@pytest.fixture
def page(one_checkpoint, monkeypatch, inference_here):
    """The page as it opens."""
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(one_checkpoint))
    draw_once(monkeypatch)
    common.worker.clear()  # forgets what other tests were told
    at = AppTest.from_file(APP, default_timeout=240).run().switch_page("pages/bias.py").run()
    assert not at.exception
    yield at
    common.worker.clear()


def said(at):
    return "\n".join(elements(at.main))


def drawing(card):
    """The SVG inside an <img>."""
    return b64decode(re.search(r"base64,([^']+)'", card)[1]).decode()


def test_nothing_is_asked_before_the_reader_asks(page):
    assert "Would the answer change if only the sex changed?" in said(
        page
    ) and "At most 200 films will be shown twice" in said(page)
    assert "bias asked" not in page.session_state or not page.session_state["bias asked"]


def test_a_report_answers_shows_the_patients_and_can_be_taken_home(page):
    page.selectbox[1].select(100).run()
    page.button(key="bias-ask").click().run()
    page = settled(page)
    assert not page.exception
    words = said(page)
    assert "Can these counterfactuals be trusted?" in words and "exact" in words and "image/svg+xml" in words
    assert 'label: "PDF"' in words and 'label: "JSON"' in words
    view = page.session_state["bias view-header"]
    assert len(view["panels"]) == 6 and view["panels"][1]["subtitle"].startswith(("man p 0.", "woman p 0."))
    assert view["panels"][0]["title"] == "As it is"


def test_what_goes_wrong_is_one_sentence_and_can_be_tried_again(page, monkeypatch):
    def refuse(*args, **kwargs):
        raise ValueError("no picture of phantom here has a known sex out of F, M.")

    monkeypatch.setattr("engine.bias.report.compute.measured_report", refuse)
    page.selectbox[1].select(100).run()
    page.button(key="bias-ask").click().run()
    page = settled(page)
    assert not page.exception
    assert any("no picture of phantom here" in text.value for text in page.text) and page.button(key="again")


def test_a_card_says_the_numbers_of_the_table_and_no_markup_of_a_finding():
    report = reported(ITSELF)
    card = bias_cards.findings_card(report)
    assert all(cell in card for cell in (table(report)[0][0], *table(report)[0][2:5])) and "depends" in card
    strange = SimpleNamespace(
        **{
            **ITSELF.__dict__,
            "findings": ("<img src=x>",),
            "thresholds": ITSELF.thresholds,
            "checkpoint": ITSELF.checkpoint,
            "predict_proba": ITSELF.predict_proba,
        }
    )
    films = Films()
    films.findings = ("<img src=x>",)
    hostile = reported(strange, films)
    for card in (
        bias_cards.findings_card(hostile),
        bias_cards.answer_card(hostile),
        bias_cards.scatter_card(hostile, hostile.findings[0]),
    ):
        assert "<img src=x" not in card and "&lt;img" in card
    assert "<img src=x" not in bias_cards.assumption_card(hostile)


def test_the_card_shows_all_that_its_note_speaks_of_and_each_findings_own_pair_where_it_was_picked():
    card = bias_cards.findings_card(reported(ITSELF))
    assert (
        all(f"<th scope='col'>{name}</th>" in card for name in ("parity gap", "opport. gap", "odds gap"))
        and "Per finding, a to b" in card
    )
    assert table(reported(ITSELF))[0][-1] in card and "operating point: finding 0.500." in card
    three = bias_report(ITSELF, Films(), np.arange(160), "group", Three())
    card = bias_cards.findings_card(three)
    assert "Per finding, between the two values furthest apart" in card and ", a to b</i>" in card


def test_a_folder_that_was_not_typed_is_asked_for_in_the_readers_words():
    with pytest.raises(UnusableCollection, match="^Type the folder in which the films of chestxray8 lie"):
        films("chestxray8", ("Edema",), ReportRequest("sha", "sex", 100, "generator", None, "cpu"), {})


def test_the_films_are_of_the_options_that_the_checkpoint_was_trained_with():
    asked = ReportRequest("sha", "sex", 20, "structural", None, "cpu")
    options = {"count": 6000, "seed": 1, "size": 64, "marker": "ROOM 7"}
    drawn, indices, _ = films(
        "phantom", ("Edema",), asked, {"data": {"collection": "phantom", "kind": "radiograph", "options": options}}
    )
    assert [marker.text for marker in drawn.markers] == ["ROOM 7"] and drawn.size == 64
    assert (len(indices), drawn.seed) == (20, SEED), (
        "but other patients than it was trained on, as many as were asked for"
    )
    assert not films("phantom", ("Edema",), asked, {"data": {"collection": "vindr", "options": options}})[0].markers


def test_every_picture_has_words_for_those_who_cannot_see_it():
    report = reported(ITSELF)
    (one,) = report.findings
    assert f"alt='Mean change for finding, a to b: {points(one.change.value)} points" in bias_cards.findings_card(
        report
    )
    scatter = bias_cards.scatter_card(report, one)
    assert "alt='160 films" in scatter


def test_the_scatter_holds_a_dot_for_each_film_and_its_legend_stands_outside():
    report = reported(ITSELF)
    card = bias_cards.scatter_card(report, report.findings[0])
    plot = drawing(card)
    assert plot.count("<circle") + plot.count("class='dot'") == report.n
    legend = card[: card.index("<img")]
    assert legend.index("\u25cf</b> a<") < legend.index("\u25a0</b> b<")


def test_an_interval_stands_where_its_numbers_are():
    (one,) = reported(FAIR).findings
    assert "cx='75.0'" in drawing(bias_cards.interval(reported(FAIR), one, 0.1))
    report = reported(ITSELF)
    (one,) = report.findings
    whole = drawing(bias_cards.interval(report, one, 1.08))
    at = float(re.search(r"cx='([\d.]+)'", whole)[1])
    band = re.search(r"class='band' x='([\d.]+)' y='0' width='([\d.]+)'", whole)
    assert float(band[1]) == pytest.approx(75 * (1 - 0.05 / 1.08), abs=0.1) and float(band[2]) == pytest.approx(
        150 * 0.05 / 1.08, abs=0.2
    )
    assert at == pytest.approx(75 * (1 + one.change.value / 1.08), abs=0.1)


def test_what_is_asked_one_after_the_other_is_corrected_together_and_said_to_be(page):
    page.selectbox[1].select(100).run()
    page.button(key="bias-ask").click().run()
    page = settled(page)
    assert "4 p values corrected together" in said(page) and "sex (100 pictures" in said(page)
    page.segmented_control(key="bias attribute").set_value("view_position").run()
    page.button(key="bias-ask").click().run()
    page = settled(page)
    assert not page.exception
    assert (
        "8 p values corrected together" in said(page)
        and "sex (100 pictures" in said(page)
        and "view position (100 pictures" in said(page)
    )
    page.segmented_control(key="bias attribute").set_value("sex").run()
    assert "8 p values corrected together" in said(settled(page))  # and the first report says so too from now on


def test_the_assumption_stands_on_the_page_with_how_it_was_asked():
    report = reported(ITSELF)
    card = bias_cards.assumption_card(report)
    assert all(html.escape(words) in card for words in (*assumption(report), *(how for _, how in facts(report))))
