"""Evidence on the body: 1 when nothing lies on the background, the area share when a map knows nothing."""

import numpy as np
import pytest

from engine.metrics.evidence_on_body import evidence_on_body
from engine.metrics.measure import NotMeasurable

BODY = np.zeros((10, 10), bool)
BODY[2:9, 1:9] = True


def test_evidence_on_the_body_only_scores_one_and_on_the_border_only_zero():
    assert evidence_on_body([(BODY * -2.0, BODY)] * 3).value == 1
    assert evidence_on_body([(~BODY * 2.0, BODY)] * 3).value == 0


def test_evidence_for_and_against_count_alike():
    evidence = np.zeros((10, 10))
    evidence[5, 5], evidence[0, 0] = 1, -3
    assert evidence_on_body([(evidence, BODY)]).value == 0.25


def test_random_evidence_scores_the_area_share_and_its_interval_covers_it():
    random = np.random.default_rng(0)
    measures = [evidence_on_body([(random.normal(size=(10, 10)), BODY) for _ in range(15)]) for _ in range(200)]
    assert measures[0].chance == pytest.approx(0.56)
    assert np.mean([m.value for m in measures]) == pytest.approx(0.56, abs=0.01)
    assert 0.9 <= np.mean([m.low <= 0.56 <= m.high for m in measures]) <= 0.99


def test_pictures_without_evidence_are_left_out_and_counted():
    measure = evidence_on_body([(np.zeros((10, 10)), BODY), (BODY * 1.0, BODY)], groups=["a", "b"])
    assert (measure.value, measure.n) == (1, 1) and measure.remark == "1 of 2 pictures left out: no evidence"
    with pytest.raises(NotMeasurable, match="none of 1 pictures has any evidence"):
        evidence_on_body([(np.zeros((10, 10)), BODY)])


def test_maps_that_are_not_finite_or_bodies_that_are_not_masks_are_refused():
    with pytest.raises(ValueError, match="finite"):
        evidence_on_body([(np.full((10, 10), np.nan), BODY)])
    with pytest.raises(ValueError, match="bool"):
        evidence_on_body([(np.ones((10, 10)), BODY * 1.0)])
    with pytest.raises(ValueError, match="one patient a picture, got 1 for 2"):
        evidence_on_body([(np.ones((10, 10)), BODY)] * 2, groups=["a"])
