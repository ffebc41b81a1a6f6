"""The measures over an explainer that knows where a square is: near the truth, far above a random map, and said where
something cannot be had.
"""

import numpy as np
import pytest

from engine.attribution.explainer import RANDOM, Explained, PreparedPictures
from engine.attribution.measures import GROUPS, MEASURES, chosen, measured
from engine.datasets.collection import Collection
from engine.metrics.measure import NotMeasurable, metrics
from engine.metrics.subjects import MEAN_OVER_FINDINGS
from engine.preprocessing import Preprocessing

SIDE, FINDINGS = 32, ("Square", "Bar")
ALL = [name for group in GROUPS.values() for name in group]


class Drawn(Collection):
    """Noise with a square, a bar, both or neither; two films a patient."""

    name, findings, has_counterfactuals = "drawn", FINDINGS, True

    def __init__(self, count=40):
        self.labels = np.array([[k % 2, k // 2 % 2] for k in range(count)], np.float32)
        self.patients = np.array([f"p{k // 8}" for k in range(count)])
        self.attributes = {}

    def lesion(self, index, finding):
        where = np.zeros((SIDE, SIDE), bool)
        if finding == "Square":
            where[4 + index % 8 : 12 + index % 8, 18:26] = True
        else:
            where[20:26, 2:14] = True
        return where

    def image(self, index, size=None):
        return self.counterfactual(index, size)

    def counterfactual(self, index, size=None, *, without=(), with_=()):
        random = np.random.default_rng(index // 8)  # one build a patient
        picture = 60 * random.random((4, 4)).repeat(8, 0).repeat(8, 1) + 5 * np.random.default_rng(index).random(
            (SIDE, SIDE)
        )
        for c, finding in enumerate(FINDINGS):
            if self.labels[index, c] and finding not in without:
                picture = picture + 150 * self.lesion(index, finding)
        picture[0, :2] = 0, 300  # the greys of the ends
        return picture.astype(np.float32)

    def mask(self, index, finding, size):
        return self.lesion(index, finding) if self.labels[index, FINDINGS.index(finding)] else None

    def split(self, name):
        return np.arange(len(self))


class Knowing(PreparedPictures):
    """Sees what is much brighter than films are, on its own half of the picture, and takes it away."""

    name, findings, thresholds, side, counterfactuals, adds = (
        "knowing",
        FINDINGS,
        np.array([0.5, 0.5]),
        SIDE,
        True,
        False,
    )
    preparation, span = Preprocessing(SIDE, percentile=0.0), 1.8

    def _bright(self, pictures, c):
        half = np.zeros((SIDE, SIDE), bool)
        half[:, 16:] = True
        seen = np.clip(pictures - (-0.9 + 1.8 * 70 / 300), 0, None)
        seen[:, 0] = 0
        return seen * (half if c == 0 else ~half)

    def predict(self, pictures):
        sizes = np.stack([self._bright(pictures, c).sum(axis=(1, 2)) for c in range(2)], axis=1)
        return (1 / (1 + np.exp(10 - sizes))).astype(np.float32)

    def explain(self, pictures, c, present=False):
        if present:
            raise NotMeasurable("knowing puts nothing in")
        bright = self._bright(pictures, c).astype(np.float32)
        return Explained(bright, pictures - bright)

    def randomised(self, seed):
        raise NotMeasurable("knowing has no weights to shuffle")


@pytest.fixture(scope="module")
def found():
    collection = Drawn()
    rows, remarks = measured(Knowing(), collection, collection.split("test"), ALL, most=8)
    return {(row.metric, row.finding, row.variant): row for row in rows}, remarks


def test_every_metric_is_declared_and_every_group_is_measured():
    assert {*ALL} == {*MEASURES} and {*ALL} <= {*metrics()}
    assert chosen(["sanity", "deletion", "road"]) == ["deletion", "road", *GROUPS["sanity"]]
    with pytest.raises(ValueError, match="faithfulness"):
        chosen(["bleu"])


@pytest.mark.parametrize("finding", FINDINGS)
def test_an_explainer_that_knows_is_far_above_a_random_map(found, finding):
    rows, _ = found
    high = ("insertion", "road", "hit_rate", "disease_sensitivity", "flip_rate", "recovery", "restraint")
    low = ("deletion", "max_sensitivity", "amplification")
    for metric in (*high, *low):
        ours, chance = rows[metric, finding, ""], rows[metric, finding, RANDOM]
        assert (ours.value > chance.value) == (metric in high), metric
        assert ours.low is not None and ours.chance is not None, metric
    assert rows["flip_rate", finding, ""].value == rows["hit_rate", finding, ""].value == 1
    assert rows["recovery", finding, ""].value > 0.75
    assert rows["composition", finding, "after 10 rounds"].value < 0.005
    assert rows["composition", finding, "after 1 round, random map"].value > 0
    assert rows["same_patient", finding, ""].value > 0.8


def test_means_over_findings_stand_beside_the_means_of_the_random_map(found):
    rows, _ = found
    mean = rows["road", "", MEAN_OVER_FINDINGS]
    assert mean.value == pytest.approx(np.mean([rows["road", f, ""].value for f in FINDINGS]))
    assert ("road", "", f"{MEAN_OVER_FINDINGS}, {RANDOM}") in rows


def test_what_cannot_be_had_is_said_once_and_is_no_row(found):
    rows, remarks = found
    assert not any(metric in ("reversibility", "parameter_randomisation") for metric, _, variant in rows if not variant)
    assert [remark for remark in remarks if "puts nothing in" in remark]
    assert len([remark for remark in remarks if "no weights to shuffle" in remark]) == 1
