"""The study of confounding that bends, in small: what it draws, counts and prints."""

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.bias.statistics.comparisons import COMPARISONS
from engine.bias.studies import confounding as confounding_study
from engine.bias.studies.confounding import (
    CELLS,
    OPPOSITE,
    PICTURES,
    PRESETS,
    PRODUCT,
    REGRESSION,
    Preset,
    drawn,
    repeated,
    true_effect,
)
from engine.commands.reproduce import reproduce


def named(word):
    return next(cell for cell in CELLS if word in cell.name)


def test_the_wanted_sizes_are_measured_a_thousand_times():
    assert PRESETS["paper"].repetitions >= 1000 and {200, 1000} <= set(PRESETS["paper"].sizes)
    assert len({cell.name for cell in CELLS}) == len(CELLS)


def test_attribute_and_answer_follow_the_shape_and_nothing_else():
    one = drawn(PRODUCT, 20_000, 0)
    both = one.z[:, 0] * one.z[:, 1] > 0
    assert one.codes[both].mean() > 0.6 > 0.4 > one.codes[~both].mean()
    near = np.abs(one.z[:, 0] * one.z[:, 1]) < 0.05
    assert abs(one.predictions[near & (one.codes == 1)].mean() - one.predictions[near & (one.codes == 0)].mean()) < 0.03
    turned = drawn(OPPOSITE, 20_000, 0)
    assert turned.predictions[turned.codes == 1].mean() < turned.predictions[turned.codes == 0].mean() + 0.02


def test_the_trace_is_in_pictures_under_value_1_alone():
    plain, traced = drawn(PRODUCT, 500, 1), drawn(replace(PRODUCT, trace=0.1), 500, 1)
    assert np.array_equal(plain.predictions, traced.predictions) and np.array_equal(
        plain.pictures[:, 0], traced.pictures[:, 0]
    )
    assert np.all(traced.pictures[:, 1] > plain.pictures[:, 1])


def test_the_true_effect_is_that_of_many_draws():
    cell = named("effect 0.6, no confounding")
    z = np.random.default_rng(5).standard_normal((400_000, 4))
    noise = np.random.default_rng(6).standard_normal((400_000, 1))
    under = 1 / (1 + np.exp(-(cell.follows(z)[:, None] + noise + 0.6 * np.array([-0.5, 0.5]))))
    alike = np.round(cell.follows(z), 1)  # the mean over noise of cases alike in Z
    _, index = np.unique(alike, return_inverse=True)
    means = np.stack([np.bincount(index, column) / np.bincount(index) for column in under.T], 1)[index]
    assert true_effect(cell, 50_000) == pytest.approx(np.mean((means[:, 1] - means[:, 0]) ** 2) / 4, rel=0.02)
    assert true_effect(PRODUCT, 1000) == 0


def test_every_test_answers_on_every_kind_of_study():
    for cell in CELLS:
        (one,) = repeated(cell, 120, Preset(1, 1, (120,)))
        assert {PICTURES, REGRESSION, *COMPARISONS} <= set(one) and all(0 <= p <= 1 for p in one.values()), cell.name


def test_the_command_prints_and_writes_every_row(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(confounding_study, "PRESETS", {"demo": Preset(3, 1, (150,))})
    monkeypatch.setattr(confounding_study, "CELLS", (PRODUCT, OPPOSITE))
    reproduce("invariance-confounding", json=tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    said = {(row["metric"], row["subject"]) for row in rows}
    assert ("type_1_error", f"{PICTURES}; product confounding; n = 150") in said
    assert ("power", f"GCM; {OPPOSITE.name}; n = 150") in said
    assert ("type_1_error", "the effect's interval misses; product confounding; n = 150") in said
    assert "3 studies a row" in capsys.readouterr().out


def test_a_study_that_is_cut_short_goes_on_where_it_was_and_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(confounding_study, "CELLS", CELLS[:2])
    small, seen = Preset(4, 1, (60,)), []
    whole, _ = confounding_study.study(small)
    confounding_study.study(replace(small, repetitions=2), runs=tmp_path)
    kept = sorted((tmp_path / "invariance-confounding").iterdir())
    assert len(kept) == 2
    resumed, _ = confounding_study.study(small, lambda done, _: seen.append(done), runs=tmp_path)
    assert resumed == whole and len(seen) == 2 * 2
    kept[1].write_text('{"cell": "another", "code": ""}\n{"nonsense": 1}\n')
    assert confounding_study.study(small, runs=tmp_path)[0] == whole
