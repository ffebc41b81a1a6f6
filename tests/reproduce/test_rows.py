"""Rows that rest on several models: means over seeds, and differences picture by picture."""

import numpy as np
import pytest

from engine.metrics.measure import Measure, Sample
from engine.reproduce.records import Table, assembled
from engine.reproduce.rows import About, Difference, Mean

GROUPS = np.array(["a", "b", "c", "d", "e", "f"])


def accuracy(values, variant="", groups=GROUPS):
    values = np.array(values, float)
    return Measure(
        "accuracy", "Infarct", values.mean(), 0.0, 1.0, len(values), variant=variant, sample=Sample(values, groups)
    )


def table(*rows):
    return Table("acat", "stroke_phantom", {}, rows, "")


MEAN = Mean("accuracy", About("Infarct"), "SMIC, mean of 2 seeds", ("one", "two"), 0.7)
LESS = Difference(
    "accuracy", About("Infarct", "ACAT"), ("ours",), About("Infarct"), ("one", "two"), "ACAT less SMIC", 0.01
)
SEEDS = {"one": [accuracy([1, 1, 0, 0, 1, 1])], "two": [accuracy([1, 0, 0, 0, 1, 1])]}


def test_a_mean_over_seeds_is_of_each_pictures_mean():
    (row,), missing = assembled(table(MEAN), SEEDS, {})
    assert not missing and row.value == pytest.approx(7 / 12) and row.paper == 0.7
    assert row.model == "SMIC, mean of 2 seeds" and row.n == 6 and row.low < row.value < row.high
    assert row.sample.values.tolist() == [1, 0.5, 0, 0, 1, 1]


def test_a_difference_is_taken_picture_by_picture():
    measured = SEEDS | {"ours": [accuracy([1, 1, 0, 0, 1, 1], "ACAT")]}
    (row,), missing = assembled(table(LESS), measured, {})
    assert not missing and (row.metric, row.chance, row.paper) == ("effect", 0.0, 0.01)
    assert row.value == pytest.approx(0.5 / 6)
    assert row.high - row.low < 0.5  # one picture of six differs: far narrower than two unpaired means
    assert row.subject == "ACAT less SMIC: accuracy, Infarct"


def test_what_does_not_rest_on_the_same_pictures_is_not_compared():
    others = {"one": [accuracy([1, 0], groups=GROUPS[:2])], "two": SEEDS["two"]}
    rows, missing = assembled(table(MEAN, LESS), others | {"ours": [accuracy([1, 0], "ACAT", GROUPS[:2])]}, {})
    assert not rows and all(row["remark"] == Mean.otherwise and row["value"] is None for row in missing)


def test_a_model_that_is_absent_is_named_in_every_row_that_needs_it():
    rows, missing = assembled(table(MEAN, LESS), {"one": SEEDS["one"]}, {"two": "two is not there", "ours": "nor ours"})
    assert not rows and [row["remark"] for row in missing] == ["two is not there", "nor ours"]
    assert all(row["paper"] for row in missing)


def test_only_the_seeds_that_are_asked_for_are_left_with_the_rows_that_they_fill():
    from dataclasses import replace

    from engine.reproduce.records import Baselines, Training, of_seeds
    from engine.reproduce.rows import Wanted

    whole = replace(
        table(MEAN, *(Wanted(model, "accuracy", About("Infarct")) for model in ("one", "two", "beside"))),
        models={"one": Training("a"), "two": Training("b", seed=43)},
        baselines=Baselines(("beside",), lambda *given: None),
    )
    first, second = of_seeds(whole, [42]), of_seeds(whole, [43])
    assert [*first.models] == ["one"] and [row.name for row in first.rows] == [MEAN.name, "one", "beside"]
    assert [*second.models] == ["two"] and [row.name for row in second.rows] == [MEAN.name, "two"]
    assert second.baselines is None and second.rows[0].models == ("two",)
    assert of_seeds(whole, [42, 43]).rows == [*whole.rows]
    with pytest.raises(ValueError, match="no training of seed 7; its seeds are 42, 43"):
        of_seeds(whole, [7])
