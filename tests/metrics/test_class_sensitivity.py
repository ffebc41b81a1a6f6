"""Class sensitivity of four-picture grids: 1 when only positives hold evidence, a quarter when nothing is known."""

import numpy as np
import pytest

from engine.metrics.class_sensitivity import class_sensitivity, grids
from engine.metrics.evidence import positive_energy
from engine.metrics.measure import NotMeasurable


def data(positives=60, negatives=120):
    labels = np.r_[np.ones(positives), np.zeros(negatives)]
    return labels, labels + np.random.default_rng(0).uniform(-0.4, 0.4, len(labels))


def test_positive_energy_ignores_the_negative_part():
    assert positive_energy(np.array([[[1, -5], [2, 0]], [[-1, -1], [-1, -1]]])) == pytest.approx([3, 0])


def test_blank_negatives_score_one_and_flat_maps_score_chance():
    labels, scores = data()
    assert class_sensitivity(labels, scores, 0.5, labels).value == 1
    flat = class_sensitivity(labels, scores, 0.5, np.ones(len(labels)))
    assert flat.value == flat.chance == 0.25 and flat.n == 60


def test_random_maps_score_chance_and_the_interval_covers_it():
    labels, scores = data()
    random = np.random.default_rng(1)
    measures = [class_sensitivity(labels, scores, 0.5, random.random(len(labels)), seed=s) for s in range(300)]
    assert np.mean([m.value for m in measures]) == pytest.approx(0.25, abs=0.01)
    assert 0.92 <= np.mean([m.low <= 0.25 <= m.high for m in measures]) <= 0.99


def test_every_grid_has_one_positive_and_three_different_negatives_also_when_they_run_out():
    made = grids(np.arange(50), np.arange(100, 107), seed=2)
    assert made.shape == (50, 4) and made[:, 0].tolist() == list(range(50))
    assert all(len(set(row)) == 4 and min(row[1:]) >= 100 for row in made.tolist())
    used = np.bincount(made[:, 1:].ravel() - 100)
    assert len(used) == 7 and used.min() > 0
    assert (made == grids(np.arange(50), np.arange(100, 107), seed=2)).all()


def test_plenty_of_negatives_are_each_used_once():
    made = grids(np.arange(20), np.arange(100, 160), seed=3)
    assert len(set(made[:, 1:].ravel().tolist())) == 60


def test_only_the_most_confident_correct_pictures_are_used():
    labels = np.r_[np.ones(5), np.zeros(8)]
    scores = np.r_[0.9, 0.8, 0.7, 0.6, 0.1, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.95]
    energy = np.r_[
        1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9
    ]  # two sure positives; the doubtful and the wrong would spoil it
    best = class_sensitivity(labels, scores, 0.5, energy, most=2)
    assert (best.value, best.n) == (1, 2)


def test_a_score_at_the_threshold_is_a_negative_call():
    measure = class_sensitivity([1, 1, 0, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.5], 0.5, [1, 1, 1, 1, 1])
    assert measure.n == 1


def test_grids_without_evidence_score_zero_and_are_counted():
    labels, scores = data(4, 12)
    measure = class_sensitivity(labels, scores, 0.5, np.zeros(16))
    assert measure.value == 0 and "4 of 4 grids" in measure.remark


def test_unknown_labels_are_ignored():
    labels, scores = data(10, 30)
    energy = np.random.default_rng(4).random(40)
    more = class_sensitivity(np.r_[np.nan, labels], np.r_[9, scores], 0.5, np.r_[np.nan, energy])
    assert more == class_sensitivity(labels, scores, 0.5, energy)


def test_patients_with_many_positives_widen_the_interval():
    labels, scores = data()
    energy = np.r_[np.repeat(np.random.default_rng(5).random(6), 10), np.ones(120)]
    patients = np.r_[np.repeat(np.arange(6), 10), np.arange(100, 220)]
    alone, together = (
        class_sensitivity(labels, scores, 0.5, energy),
        class_sensitivity(labels, scores, 0.5, energy, groups=patients),
    )
    assert together.value == alone.value and together.high - together.low > 2 * (alone.high - alone.low)


def test_too_few_pictures_are_not_measurable():
    with pytest.raises(NotMeasurable, match="Edema has 1 positive and 2 negative pictures classified correctly"):
        class_sensitivity([1, 0, 0, 0], [0.9, 0.1, 0.1, 0.9], 0.5, [1, 1, 1, 1], finding="Edema")
    with pytest.raises(ValueError, match="not negative"):
        class_sensitivity([1, 0, 0, 0], [0.9, 0.1, 0.1, 0.1], 0.5, [1, -1, 1, 1])
