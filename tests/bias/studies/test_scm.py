"""The synthetic study in small: its rows, its counting, and the command that prints it."""

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from engine.bias.statistics.comparisons import COMPARISONS
from engine.bias.studies import scm as scm_study
from engine.bias.studies.classifiers import TYPES, trained
from engine.bias.studies.scm import (
    CIT,
    OPPORTUNITY,
    PARITY,
    PRESETS,
    REGRESSION,
    T_TEST,
    LearnedMechanism,
    Outcome,
    Preset,
    rank_correlation,
    rejected,
    spearman,
)
from engine.commands.reproduce import reproduce
from engine.datasets.invariance_scm import StructuralModel
from engine.errors import UsageError

SMALL = Preset(
    strengths=(0.0, 0.3, 1.0), seeds=1, train=150, generator=1500, test=400, noise=2, null_draws=2, confounded_draws=1
)


@pytest.fixture
def few(monkeypatch):
    """Two cheap types of classifier and two structural models."""
    monkeypatch.setattr(
        scm_study, "TYPES", {name: TYPES[name] for name in ("logistic regression", "decision tree of depth 5")}
    )
    monkeypatch.setattr(scm_study, "KINDS", ("linear", "sin"))


def outcome(world, p, eca, **changes):
    return Outcome("linear", 0.5, 0, world, "logistic regression", "", eca, False, {CIT: np.log10(p)}, **changes)


def test_every_preset_has_a_hundred_classifiers_a_structural_model_and_strengths_from_none():
    for preset in PRESETS.values():
        assert len(TYPES) * len(preset.strengths) * preset.seeds >= 100
        assert min(preset.strengths) == 0 and max(preset.strengths) == 1


def test_the_learned_mechanism_draws_what_the_true_one_does():
    model = StructuralModel("linear", 0.6, k=5)
    mechanism, cases = LearnedMechanism(model.draw(4000, 0)), model.draw(800, 1)
    classifier = trained("logistic regression", cases.x, cases.finding, 0)
    answers = mechanism.answers(classifier, cases.representation, draws=5, seed=0)
    assert answers.shape == (800, 2)
    for a in range(2):
        truth = classifier.predict(cases.under[:, a])
        assert np.mean(np.abs(answers[:, a] - truth) < 0.5) > 0.85
    assert np.mean(answers[:, 0] != answers[:, 1]) > 0.1


def test_invariant_classifiers_pass_and_the_others_are_found(few):
    everything = [one for each in scm_study.run(SMALL) for one in each]
    null = [one for one in everything if one.strength == 0]
    strong = [one for one in everything if one.strength == 1]
    assert all(one.eca == 1 for one in null) and all(one.eca < 0.9 for one in strong)
    assert sum(one.log10_p[CIT] < np.log10(0.05) for one in null) <= 6  # of 28
    assert all(one.log10_p[CIT] < -3 for one in strong)
    confounded = [one.confounded for one in everything if one.confounded]
    assert (
        sorted(set(confounded)) == ["finding", "line", "opposite", "product", "threshold"] and len(confounded) == 16 + 8
    )
    assert all({*COMPARISONS} <= set(one.log10_p) for one in everything if one.confounded)
    shared = [one for one in everything if REGRESSION in one.log10_p]
    assert len(shared) == 12 and all(T_TEST in one.log10_p for one in shared)


def test_the_command_prints_and_writes_every_row(few, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(PRESETS, "demo", replace(SMALL, strengths=(0.0, 1.0)))
    reproduce("invariance-scm", json=tmp_path / "rows.json")
    written = json.loads((tmp_path / "rows.json").read_text())
    assert written["command"] == "reproduce"
    for metric in ("type_1_error", "power", "spearman"):
        subjects = {row["subject"] for row in written["rows"] if row["metric"] == metric}
        assert any(s.startswith(CIT) for s in subjects) and any(s.startswith(PARITY) for s in subjects)
    assert {CIT, PARITY, OPPORTUNITY, f"{CIT}; linear", f"{CIT}; sin"} <= subjects
    printed = capsys.readouterr().out
    assert "8 classifiers, 4 for each structural model" in printed and "The paper prints no figures" in printed


def test_an_unknown_preset_of_a_study_is_refused_by_naming_the_known_ones():
    with pytest.raises(UsageError, match="invariance-scm has no preset 'huge'; there are demo, paper"):
        reproduce("invariance-scm", preset="huge")


def test_a_study_is_where_the_command_looks_for_it():
    from engine.reproduce.tables import STUDIES, TABLES

    for name, module in STUDIES.items():
        assert name not in TABLES
        assert {"PRESETS", "study", "NOTE"} <= set(dir(import_module(module)))


def test_rejections_are_counted_by_hand():
    cases = [outcome(world, p, 0.9) for world, p in enumerate((0.01, 0.05, 0.06, 0.5))]
    row = rejected("power", CIT, cases, "here")
    assert (row.value, row.n, row.chance) == (0.5, 4, 0.05) and row.low < 0.5 < row.high


def test_tests_on_the_same_cases_say_less_than_as_many_on_fresh_ones():
    fresh = rejected("power", CIT, [outcome(i, 0.01 if i % 2 else 0.5, 0.9) for i in range(40)], "fresh")
    same = rejected("power", CIT, [outcome(i // 10, 0.01 if i // 10 % 2 else 0.5, 0.9) for i in range(40)], "same")
    assert same.high - same.low > 1.5 * (fresh.high - fresh.low)


def test_the_rank_correlation_is_one_where_p_falls_with_eca():
    cases = [outcome(i, 10.0 ** (-40 * (1 - eca)), eca) for i, eca in enumerate(np.linspace(0.5, 1, 30))]
    row = rank_correlation(CIT, cases, "here")
    assert row.value == pytest.approx(1) and row.low == pytest.approx(1)
    assert spearman(np.arange(10.0), -np.arange(10.0)) == pytest.approx(-1)
