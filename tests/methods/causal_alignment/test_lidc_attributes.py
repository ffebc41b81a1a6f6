"""From ratings to the diagnosis: calls are of patients never seen, CCCE finds causes, broken assumptions are said."""

import numpy as np
import pytest

from engine.datasets.lidc_annotations import ATTRIBUTES, RATINGS, Nodule, Reading
from engine.methods.causal_alignment.lidc_attributes import (
    NOTE,
    PRESETS,
    Preset,
    assumptions,
    attribute_network,
    causes,
    mean_ccce,
    measured,
    out_of_fold,
    rank_correlations,
    study,
    within_cells_auc,
)

SMALL = Preset(epochs=60, seeds=1, draws=20)
EVEN = np.ones((1, 400))


def nodules(n=300, seed=0):
    """Spiculation causes malignancy, lobulation half as much, nothing else does anything."""
    random = np.random.default_rng(seed)
    made = []
    for k in range(n):
        rated = {name: int(random.integers(1, 6)) for name in RATINGS}
        rated["calcification"] = int(random.choice([3, 6]))
        chance = 0.1 + 0.5 * (rated["spiculation"] >= 3) + 0.25 * (rated["lobulation"] >= 3)
        rated["malignancy"] = 5 if random.random() < chance else 2
        made.append(Nodule(f"patient {k // 2}", "s", 0.7, 2.0, False, (Reading(rated, ()),)))
    return made


@pytest.fixture(autouse=True)
def diameters(monkeypatch):
    monkeypatch.setattr(Nodule, "diameter_mm", property(lambda self: 8.0 + self.readings[0].ratings["sphericity"]))


def facts(made):
    a = np.array([n.attributes for n in made])
    return a, np.array([n.malignant for n in made]), np.array([n.patient for n in made])


def test_calls_are_of_patients_whom_the_model_never_saw():
    patients, seen = np.repeat(np.arange(20), 3), []

    def fit(x, y):
        return lambda new: seen.append((set(x[:, 0]), set(new[:, 0]))) or np.zeros(len(new))

    out_of_fold(patients[:, None].astype(float), np.zeros(60), patients, fit)
    assert seen and all(not train & test for train, test in seen)


def test_the_network_learns_what_attributes_mean_and_is_the_same_again():
    a, y, _ = facts(nodules(600))
    found = attribute_network(a, y, SMALL)(a)
    assert np.array_equal(found, attribute_network(a, y, SMALL)(a))
    spiculated = a[:, ATTRIBUTES.index("spiculation")] == 1
    assert found[spiculated].mean() > found[~spiculated].mean() + 0.3


def test_ccce_puts_the_cause_first_and_what_does_nothing_last():
    a, y, patients = facts(nodules(2000))
    alone, top, remarks = causes(a, y, patients, SMALL)
    values = dict(zip(ATTRIBUTES, (row.value for row in alone), strict=True))
    assert max(values, key=values.get) == "spiculation" and values["spiculation"] > values["lobulation"] > 0.1
    assert all(abs(values[name]) < 0.1 for name in ("subtlety", "margin", "texture"))
    assert "spiculation" in top[0].variant and "lobulation" in top[0].variant and top[0].value > values["spiculation"]
    assert all(row.low <= row.value + 0.05 and row.high >= row.value - 0.05 for row in alone)
    assert "spiculation" in remarks[0]


def test_the_mean_is_over_the_malignant_who_show_it():
    a, y, _ = facts(nodules(2000))
    truth = 1 - np.array([0.1, 0.35]) / np.array([0.6, 0.85])  # without and with lobulation
    lobulated = a[(y == 1) & (a[:, 3] == 1)][:, 4].mean()
    assert mean_ccce(a, y, [(3,)])[0] == pytest.approx(truth @ [1 - lobulated, lobulated], abs=0.07)


def test_rank_correlations_look_where_one_means():
    made = nodules(400)
    rows = rank_correlations(
        made, np.array([[n.rating(k) for k in ATTRIBUTES] for n in made], float), facts(made)[2], SMALL
    )
    values = dict(zip(ATTRIBUTES, (row.value for row in rows), strict=True))
    assert values["spiculation"] > 0.3 and abs(values["margin"]) < 0.15


def test_a_common_cause_is_said():
    a, y, patients = facts(nodules(400))
    rows, remarks = assumptions(a, y, patients, np.random.default_rng(0).random(400), SMALL)
    assert rows[0].low < 0.5 < rows[0].high and not any("Exogeneity" in remark for remark in remarks)
    rows, remarks = assumptions(a, y, patients, y + np.random.default_rng(0).random(400), SMALL)
    assert rows[0].value > 0.9 and any("Exogeneity does not hold" in remark for remark in remarks)


def test_pairs_within_a_cell_are_counted_by_hand():
    cells, y, score = np.array([0, 0, 0, 1, 1]), np.array([1, 0, 0, 1, 0]), np.array([2.0, 1.0, 2.0, 0.0, 5.0])
    assert within_cells_auc(cells, y, score)(np.ones((1, 5)))[0] == pytest.approx((1 + 0.5 + 0) / 3)


def test_all_rows_are_there_with_intervals_and_the_study_is_where_the_command_looks():
    steps = []
    rows, remarks = measured(nodules(300), SMALL, lambda done, every: steps.append((done, every)))
    assert steps[-1][0] == steps[-1][1]
    assert {row.metric for row in rows} == {"auc", "accuracy", "effect", "spearman"}
    assert all(row.low is not None for row in rows) and len(remarks) >= 4
    assert {"demo", "paper"} <= set(PRESETS) and NOTE and callable(study)
