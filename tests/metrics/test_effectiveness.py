"""Effectiveness: the share that took, by value, with intervals that know which pictures are of one patient."""

import numpy as np
import pytest

from engine.metrics.effectiveness import effectiveness
from engine.metrics.intervals import wilson
from engine.metrics.measure import NotMeasurable


def by_subject(rows):
    return {row.subject: row for row in rows}


def test_each_value_has_its_share_and_wilsons_interval():
    wanted = ["AP"] * 40 + ["PA"] * 10
    said = ["AP"] * 36 + ["PA"] * 4 + ["PA"] * 5 + ["AP"] * 5
    rows = by_subject(effectiveness(wanted, said, attribute="view"))
    assert [*rows] == ["view AP", "view PA", "view, mean"]
    assert rows["view AP"].value == 0.9 and rows["view PA"].value == 0.5
    assert (rows["view AP"].low, rows["view AP"].high) == pytest.approx(
        wilson(36, 40), abs=0.003
    )  # the n is divided by a design effect of 40 / 39
    assert rows["view, mean"].value == pytest.approx(0.7)  # of the values, not of the pictures: 41 of 50 would be 0.82


def test_one_value_makes_one_row_under_the_subjects_own_name():
    (row,) = effectiveness(["healed"] * 4, ["healed"] * 3 + ["not"], "Effusion")
    assert (row.subject, row.value, row.n) == ("Effusion", 0.75, 4)


def test_a_classifier_that_always_says_one_value_is_half_effective():
    rows = by_subject(effectiveness(["F", "M"] * 50, ["F"] * 100, attribute="sex"))
    assert rows["sex F"].value == 1 and rows["sex M"].value == 0 and rows["sex, mean"].value == 0.5
    assert rows["sex F"].low < 1 == rows["sex F"].high


def test_changing_nothing_scores_chance():
    factual = np.array(["F", "M"] * 50)
    wanted = np.repeat(["F", "M"], 100)
    untouched = np.tile(factual, 2)
    for row in effectiveness(wanted, untouched, "sex", before=untouched):
        assert row.value == row.chance == 0.5


def test_pictures_of_one_patient_count_together():
    random = np.random.default_rng(0)
    took = np.repeat(random.random(20) < 0.8, 10)
    wanted = np.full(200, "M")
    said = np.where(took, "M", "F")
    alone, together = (effectiveness(wanted, said, groups=groups)[0] for groups in (None, np.repeat(np.arange(20), 10)))
    assert together.value == alone.value and together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("shares", [(0.9, 0.7), (0.97, 0.93)])
def test_the_interval_of_the_mean_covers_the_truth(shares):
    random, hits = np.random.default_rng(2), 0
    for _ in range(400):
        ease = random.normal(0, 0.05, 60)  # a patient that is easy for one value is easy for the other
        took = np.concatenate([random.random(60) < np.clip(share + ease, 0, 1) for share in shares])
        truth = np.mean([np.clip(share + ease, 0, 1).mean() for share in shares])
        wanted = np.repeat(["F", "M"], 60)
        said = np.where(took, wanted, "?")
        row = effectiveness(wanted, said, groups=np.tile(np.arange(60), 2))[-1]
        hits += row.low <= truth <= row.high
    assert 0.92 <= hits / 400 <= 0.99


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(NotMeasurable, match="sex: no picture was changed"):
        effectiveness([], [], "sex")
    with pytest.raises(ValueError, match="one value a picture"):
        effectiveness(["F"], ["F", "M"])
    with pytest.raises(ValueError, match="one value a picture"):
        effectiveness(["F"], ["F"], before=[])
    with pytest.raises(ValueError, match="groups"):
        effectiveness(["F"], ["F"], groups=["a", "b"])
