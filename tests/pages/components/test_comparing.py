"""Several methods on one finding: one scale, one size of every row, and numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from engine.checkpoints.metrics import Metrics
from engine.metrics.measure import Measure
from pages.components import comparing
from pages.components.checkpoint_choice import Offers
from pages.components.comparing import NOT_PREDICTED, OWN_LIMIT, Said, same_finding
from tests.tiny_checkpoints import tiny
from viewer import FindingView

BASE = np.random.default_rng(0).uniform(0, 255, (64, 48)).astype(np.float32)
SQUARE = np.zeros((16, 16), np.float32)
SQUARE[2:6, 3:7] = 0.5


def view(evidence=SQUARE, unit="log-odds", limit=1.0, **more):
    steps = {"steps": np.array([0, 1.0]), "probabilities": np.array([0.8, 0.2]), "changes": -100 * np.abs(evidence)}
    return FindingView("Effusion", 0.8, 0.4, "above", "", evidence, limit, unit, **steps | more)


def said(label="A", **more):
    return Said(label, view(**more))


@pytest.mark.parametrize(("one", "other"), [("Effusion", "effusion"), ("Pleural Effusion", "Effusion"), ("a_b", "A b")])
def test_one_finding_has_several_names(one, other):
    assert same_finding(one, other) and not same_finding(one, "Edema")


def test_maps_of_one_unit_share_the_largest_limit():
    factor, limit, unit = comparing.common_scale([said(limit=1.0), said(limit=2.5)])
    assert (limit, unit, factor(view(limit=1.0))) == (2.5, "log-odds", 1.0)


def test_maps_of_several_units_are_shares_of_their_own_limits():
    factor, limit, unit = comparing.common_scale([said(limit=2.0), said(unit="grey", limit=50.0)])
    assert (limit, unit) == (1.0, OWN_LIMIT) and factor(view(limit=50.0)) == 1 / 50


def test_a_row_has_its_panels_from_the_beginning_and_none_moves_when_an_answer_comes():
    waiting = [said(), Said("B", None, "working"), Said("C", None, NOT_PREDICTED)]
    arrived = [said(), said("B"), Said("C", None, NOT_PREDICTED)]
    before, after = (comparing.panels(BASE, (128, 255), each, "Effusion", True, None) for each in (waiting, arrived))
    assert len(before) == len(after) == 8
    assert [panel.title for panel in before] == [panel.title for panel in after]
    assert [panel.subtitle for panel in before[1:4]] == ["p 0.80, positive", "working", NOT_PREDICTED]
    assert before[2].map is None and after[2].map is not None
    assert np.abs(after[5].base - BASE).max() > 40 and np.array_equal(before[6].base, BASE)


def test_without_the_second_row_there_is_one():
    assert len(comparing.panels(BASE, (128, 255), [said()], "Effusion", False, None)) == 2


def test_an_answer_that_means_nothing_has_no_map_and_no_number():
    unsure = Said("A", replace(view(), unsure=True))
    panels = comparing.panels(BASE, (128, 255), [unsure], "Effusion", True, None)
    assert panels[1].map is None and panels[1].subtitle == "cannot tell"
    assert "0.80" not in comparing.answers_table([unsure], {})


def test_a_map_of_changes_counts_by_its_size():
    both = said(evidence=-SQUARE, evidence_title="Change towards normal")
    assert both.map.max() == 0.5 and said(evidence=-SQUARE).map.max() == 0


def test_regions_score_every_map_that_there_is():
    region = np.zeros((64, 64), bool)
    region[8:24, 12:28] = True
    perfect, none = comparing.region_scores([said(), Said("B", None, "working")], region)
    assert none is None and perfect.hit and perfect.iou > 0.7 and perfect.mass > 0.8
    assert comparing.region_scores([said()], ~region & region) == [None]


def test_tables_show_what_was_measured_and_no_markup_of_a_name():
    names = [said("<b>A</b>"), said("B"), Said("C", None, NOT_PREDICTED)]
    table = comparing.agreement_table(names)
    assert "&lt;b&gt;" in table and "<b>" not in table and table.count("1.00 <i>/</i> 1.00") == 2
    region = np.zeros((64, 64), bool)
    region[8:24, 12:28] = True
    answers = comparing.answers_table(names, {"box <i>": comparing.region_scores(names, region)})
    assert "box &lt;i&gt;" in answers and NOT_PREDICTED in answers and "inside" in answers


def test_large_pictures_are_sent_smaller():
    assert comparing.smaller(np.zeros((3000, 2000), np.float32)).shape == (900, 600)
    assert comparing.smaller(BASE) is BASE


@pytest.fixture(scope="module")
def able(tmp_path_factory):
    made = tmp_path_factory.mktemp("checkpoints")
    return [
        tiny(made / "attri-one", collection="chestxray8"),
        tiny(made / "attri-two", collection="chestxray8", findings=("Effusion", "Edema")),
        tiny(made / "cx", "cx_gan", collection="phantom"),
    ]


def test_a_persons_film_begins_with_those_that_find_it_alike(able):
    alike = Offers(tuple(able), frozenset(c.identity for c in able[:2]), ())
    assert comparing.one_a_method(able, alike, "") == [c.identity for c in able[:2]]


def test_where_none_is_made_for_it_there_is_one_of_each_method(able):
    nobody = Offers(tuple(able), frozenset(), ())
    assert comparing.one_a_method(able, nobody, "") == [able[0].identity, able[2].identity]
    assert comparing.one_a_method(able, nobody, "phantom") == [able[2].identity]


def test_a_finding_whose_auc_is_chance_comes_after_those_that_are_known(able):
    names = comparing.findings_of(able[:1])
    chance = Measure("auc", names[0], 0.5, 0.4, 0.6, n=10, chance=0.5)
    known = [replace(able[0], metrics=Metrics((chance,)))]
    assert comparing.findings_of(known)[-1] == names[0] and set(comparing.findings_of(known)) == set(names)
