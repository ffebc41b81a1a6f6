"""What Attri-Net's evaluation reports, on a model whose answers are known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.datasets.phantom.collection import Marker
from engine.datasets.selected_findings import SelectedFindings
from engine.methods.attri_net.evaluate import _mean_of, evaluate, look
from engine.methods.attri_net.network import Architecture, Centres, Classifiers
from engine.metrics.intervals import mean_interval
from engine.metrics.measure import Measure, Sample
from engine.preprocessing import Preprocessing
from engine.shortcuts import both_numbers
from tests.methods.attri_net.small import SMALL, DrawnOnce

COUNT, SIDE = 30, 32


@pytest.fixture(scope="module")
def phantom():
    return DrawnOnce(COUNT, marker=Marker("CXR-ROOM1"))


class Knowing:
    """A model that knows the truth: its maps lead to `share` of the true counterfactual, its log-odds are
    the labels.
    """

    def __init__(self, phantom, share=1.0, thresholds=0.5):
        self.findings = tuple(phantom.findings)
        self.thresholds = np.full(len(self.findings), thresholds, np.float32)
        self.preprocessing, self.device = Preprocessing(SIDE), torch.device("cpu")
        architecture = Architecture(**SMALL)
        self.net = SimpleNamespace(
            classifiers=Classifiers(len(self.findings), architecture), centres=Centres(len(self.findings), architecture)
        )
        self.answers, self.ink = {}, phantom.marker_mask(None, SIDE)
        for index in range(len(phantom)):
            film = phantom.image(index, SIDE)
            low, high = self.preprocessing.ends(film)
            prepared = self.preprocessing.apply(film)
            maps = np.zeros((len(self.findings), SIDE, SIDE), np.float32)
            for c in np.flatnonzero(phantom.labels[index] == 1):
                finding = self.findings[c]
                true = (phantom.counterfactual(index, SIDE, without=(finding,)) - low) * (1.8 / (high - low)) - 0.9
                maps[c] = share * (np.clip(true, -0.9, 0.9) - prepared)
            self.answers[prepared.tobytes()] = maps, 4 * phantom.labels[index] - 2

    def predict_proba(self, pictures):
        """Every finding at 0.9 where the marker's corner is dark, else at 0.1."""
        dark = pictures[:, self.ink].mean(1) < 105
        return np.repeat(np.where(dark, 0.9, 0.1)[:, None], len(self.findings), 1)

    def every_task(self, x):
        maps, logits = zip(*(self.answers[picture.numpy().tobytes()] for picture in x[:, 0]))
        return torch.from_numpy(np.stack(maps)), torch.from_numpy(np.stack(logits))


def values(rows, metric):
    return {row.subject: row.value for row in rows if row.metric == metric}


@pytest.fixture(scope="module")
def measured(phantom):
    rows, _ = evaluate(Knowing(phantom), phantom, phantom.split("all"))
    return rows


def test_a_model_that_knows_the_truth_recovers_all_of_it_and_classifies_without_fault(phantom, measured):
    rows = measured
    for metric in ("auc", "accuracy", "sensitivity", "specificity"):
        assert {*values(rows, metric).values()} == {1.0}, metric
    assert {*values(rows, "recovery")} == {*phantom.findings, "mean over findings"}
    assert all(value == pytest.approx(1, abs=0.02) for value in values(rows, "recovery").values())
    assert all(value > 0.9 for value in values(rows, "restraint").values())
    assert all(value == 1 for value in values(rows, "class_sensitivity").values())  # absent findings leave no map
    assert all(0 <= value <= 1 for value in values(rows, "disease_sensitivity").values())
    assert [*values(rows, "confounder_sensitivity")] == ["Cardiomegaly"]


def test_a_map_is_held_against_a_marker_together_with_the_answer(phantom, measured):
    model, everyone = Knowing(phantom), phantom.split("all")
    plain, marked = (
        model.predict_proba(np.stack([phantom.counterfactual(i, SIDE, marker=m) for i in everyone]))[:, 1]
        for m in (False, True)
    )
    changes = values(measured, "effect")
    change, flips = (
        changes[f"Cardiomegaly by marker: {what}"]
        for what in ("mean change of the probability, absent to present", "decisions that flip")
    )
    assert change == pytest.approx((marked - plain).mean()) and change > 0.2 and flips == pytest.approx(change / 0.8)
    (said,) = both_numbers(evaluate(model, phantom, everyone)[0])
    assert "Marker and cardiomegaly" in said and f"{100 * change:+.1f} points" in said


@pytest.mark.parametrize("share", [0.0, 0.5, -1.0])
def test_recovery_is_the_share_of_the_way_that_was_gone(phantom, share):
    rows, _ = evaluate(Knowing(phantom, share), phantom, phantom.split("test"))
    assert all(value == pytest.approx(share, abs=0.03) for value in values(rows, "recovery").values())


def test_a_mean_over_findings_is_their_mean(measured):
    for metric in ("class_sensitivity", "disease_sensitivity", "recovery", "restraint"):
        found = values(measured, metric)
        mean = found.pop("mean over findings")
        assert mean == pytest.approx(np.mean([*found.values()]))


def test_findings_of_the_same_patients_are_not_taken_for_independent():
    """Twice the same finding: the mean of the two is no surer than the one."""
    values, patients = np.random.default_rng(0).uniform(0.6, 1, 12), np.arange(12)
    one = Measure(
        "restraint",
        "Edema",
        values.mean(),
        *mean_interval(values, patients, (0, 1)),
        n=12,
        sample=Sample(values, patients),
    )
    plain = Measure("recovery", "Edema", 0.9, 0.7, 1.0, n=12)
    rows = [one, replace(one, finding="Effusion"), plain, replace(plain, finding="Effusion")]
    for metric in ("restraint", "recovery"):
        _mean_of(rows, metric)
    assert (rows[-2].low, rows[-2].high) == pytest.approx((one.low, one.high)) and (rows[-1].low, rows[-1].high) == (
        0.7,
        1.0,
    )


def test_what_cannot_be_measured_is_a_remark_and_not_a_crash(phantom):
    healthy = phantom.split("all")[phantom.labels.sum(axis=1) == 0]
    rows, remarks = evaluate(Knowing(phantom), phantom, healthy)
    assert not values(rows, "auc") and not values(rows, "recovery") and not values(rows, "sensitivity")
    assert set(values(rows, "specificity").values()) == {1.0}
    assert any("Edema" in remark for remark in remarks)


def test_a_marker_of_a_finding_that_the_model_does_not_know_is_a_remark(phantom):
    others = SelectedFindings(phantom, ("Effusion", "Edema"))
    rows, remarks = evaluate(Knowing(others), others, others.split("test"))
    assert not values(rows, "confounder_sensitivity") and values(rows, "recovery")
    assert any("goes along with Cardiomegaly" in remark for remark in remarks)


def test_unknown_labels_are_left_out(phantom):
    class PartlyKnown(DrawnOnce):
        def __init__(self):
            super().__init__(COUNT, marker=Marker("CXR-ROOM1"))
            self.labels[:5] = np.nan

    rows, _ = evaluate(Knowing(phantom), PartlyKnown(), np.arange(20))
    assert {row.n for row in rows if row.metric == "accuracy"} == {15}
    assert {*values(rows, "auc").values()} == {1.0}


def test_looking_in_batches_of_any_size_sees_the_same(phantom):
    model, indices = Knowing(phantom), phantom.split("test")
    one, other = look(model, phantom, indices, batch=3), look(model, phantom, indices, batch=32)
    for field in ("probabilities", "energy", "weighted", "maps", "pictures"):
        assert np.array_equal(getattr(one, field), getattr(other, field)), field
    assert one.probabilities.shape == (len(indices), 5) and one.maps.shape == (len(indices), 5, SIDE, SIDE)
