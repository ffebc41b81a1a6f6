"""The study of bias reports on drawn films, in small: what it trains, what it counts, and the command that
prints it.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from engine.bias.interventions import StructuralInterventions
from engine.bias.statistics.comparisons import COMPARISONS
from engine.bias.studies import phantom as phantom_study
from engine.bias.studies.phantom import (
    BLIND,
    CIT,
    CORRELATED,
    MARKER,
    PRESETS,
    TYPES,
    Outcome,
    Preset,
    correlated,
    measured,
    run,
    study,
)
from engine.commands.reproduce import reproduce
from engine.datasets.phantom.collection import FINDINGS, Phantom
from engine.errors import UsageError

SMALL = Preset(
    correlations=(0.0, 0.9), pool=160, train=100, test=100, size=32
)  # of 50 patients who do not move 7 of 100 might


@pytest.fixture
def few(monkeypatch):
    """One cheap type of classifier, tested on the marker alone."""
    monkeypatch.setattr(phantom_study, "TYPES", TYPES[:1])
    monkeypatch.setattr(phantom_study, "ATTRIBUTES", ("marker",))


def outcome(**changes):
    whole = {
        "attribute": "sex",
        "kind": TYPES[0],
        "correlation": 0.0,
        "eca": 0.9,
        "true_eca": 0.9,
        "says": True,
        "blamed": True,
        "size": 0.1,
        "invariant": False,
    }
    return Outcome(**{**whole, **changes})


def test_every_preset_trains_twenty_classifiers_or_more_from_no_correlation_to_a_strong_one():
    for preset in PRESETS.values():
        assert len(preset.correlations) * 4 * len(TYPES) >= 20
        assert min(preset.correlations) == 0 and max(preset.correlations) == 0.9


@pytest.mark.parametrize("wanted", [0.0, 0.5, 0.9])
def test_a_training_set_has_the_correlation_that_was_asked_for(wanted):
    random = np.random.default_rng(0)
    has, finding = random.random(2000) < 0.4, (random.random(2000) < 0.3).astype(int)
    chosen = correlated(has, finding, wanted, 400, seed=1)
    assert len(chosen) == 400 and finding[chosen].mean() == pytest.approx(0.5)
    assert np.corrcoef(has[chosen], finding[chosen])[0, 1] == pytest.approx(wanted, abs=0.02)


def test_the_more_it_was_trained_to_lean_the_more_decisions_flip_and_the_blind_one_never_flips(few):
    films = Phantom(SMALL.test, seed=3, size=SMALL.size, marker=MARKER)
    assert 0.2 < films.marked.mean() < 0.8 and MARKER.finding in FINDINGS
    found = {(one.kind, one.correlation): one for one in run(SMALL, films, StructuralInterventions(films), ["marker"])}
    leaning, free = found[TYPES[0], 0.9], found[TYPES[0], 0.0]
    assert leaning.eca < free.eca - 0.1 and leaning.says and leaning.depends
    assert all(
        one.invariant and one.eca == 1 and one.says is False for (kind, _), one in found.items() if kind.endswith(BLIND)
    )


def test_the_marker_goes_along_with_the_finding_in_films_that_are_made_to():
    films = Phantom(400, seed=3, size=32, marker=CORRELATED)
    finding = films.labels[:, films.findings.index(CORRELATED.finding)] == 1
    assert films.marked[finding].mean() > 0.7 and films.marked[~finding].mean() < 0.3


def test_errors_and_verdicts_are_counted():
    films = Phantom(3, size=32, marker=MARKER)
    outcomes = [
        outcome(eca=0.8),
        outcome(says=False),
        outcome(says=None, true_eca=0.7),
        outcome(attribute="marker", says=False, blamed=False, size=0.0, invariant=True, eca=1.0, true_eca=1.0),
    ]
    rows, remarks = measured(outcomes, StructuralInterventions(films))
    known = {(row.metric, row.subject): row for row in rows}
    assert known["eca_error", "all attributes: mean |estimated - true|"].value == pytest.approx((0.1 + 0 + 0.2 + 0) / 4)
    assert known["accuracy", "all attributes: verdicts right"].value == 0.5
    assert known["accuracy", "sex: verdicts right"].value == pytest.approx(1 / 3)
    assert known["type_1_error", "invariant classifiers with a verdict, called dependent"].value == 0
    assert any("No verdict was given for 1 of them" in remark for remark in remarks)


def test_between_a_trace_and_what_pictures_resolve_either_verdict_is_right_but_not_on_one_line():
    outcomes = [
        outcome(size=0.03, says=True),
        outcome(size=0.03, says=False),
        outcome(size=0.06, says=False),
        outcome(size=0.0, says=True),
    ]
    assert [one.right for one in outcomes] == [True, True, False, False]
    rows, _ = measured(outcomes, StructuralInterventions(Phantom(3, size=32)))
    known = {row.subject: row for row in rows if row.metric == "accuracy"}
    assert (known["all attributes: verdicts right"].value, known["all attributes: verdicts right"].chance) == (
        0.5,
        0.75,
    )
    assert known["verdicts right, one line"].value == 0.25


def test_a_slight_accusation_of_an_invariant_classifier_is_an_error_and_no_verdict_is_none():
    free = {"size": 0.0, "invariant": True, "eca": 1.0, "true_eca": 1.0}
    outcomes = [
        outcome(**free, says=False, blamed=True),
        outcome(**free, says=False, blamed=False),
        outcome(**free, says=None, blamed=None),
    ]
    rows, _ = measured(outcomes, StructuralInterventions(Phantom(3, size=32)))
    (row,) = (row for row in rows if row.metric == "type_1_error")
    assert (row.value, row.n) == (0.5, 2)


def test_classifiers_of_one_training_set_are_resampled_together():
    few = [outcome(correlation=c, eca=0.9 - c / 5 - t / 1000, true_eca=0.9) for c in (0.0, 0.3, 0.9) for t in range(4)]
    many = [outcome(correlation=(k + one.correlation) / 100, eca=one.eca) for k, one in enumerate(few)]
    films = StructuralInterventions(Phantom(3, size=32))
    (shared, *_), (alone, *_) = measured(few, films)[0], measured(many, films)[0]
    assert shared.value == pytest.approx(alone.value) and shared.high - shared.low > 2 * (alone.high - alone.low)


def test_the_command_prints_the_study_and_writes_its_rows(few, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(phantom_study, "PRESETS", {"demo": SMALL})
    file = tmp_path / "study.json"
    reproduce("invariance-phantom", generator="structural", json=file)
    rows = json.loads(file.read_text())["rows"]
    assert {"eca_error", "accuracy"} <= {row["metric"] for row in rows}
    assert "4 classifiers" in capsys.readouterr().out
    asked = {
        (row["metric"], row["subject"].split(";")[0])
        for row in rows
        if "marker along with the finding" in row["subject"]
    }
    assert asked == {(metric, test) for metric in ("type_1_error", "power") for test in (CIT, *COMPARISONS)}
    blind = next(row for row in rows if row["metric"] == "type_1_error" and row["subject"].startswith(f"{CIT};"))
    assert blind["value"] == 0  # exact counterfactuals do not move what is blind to the marker


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"root": Path("films")}, "takes no --root"),
        ({"precision": "32-true"}, "takes no --precision"),
        ({"runs": Path("elsewhere"), "train": False}, "takes no --runs, --no-train"),
        ({"device": "cuda"}, "runs on the CPU"),
    ],
)
def test_what_a_study_cannot_use_is_refused_rather_than_ignored(given, words):
    with pytest.raises(UsageError, match=words):
        reproduce("invariance-scm", **given)


def test_device_and_threads_reach_the_study(monkeypatch):
    heard = []

    def listen(preset, progress, generator=None, device="auto"):
        heard.extend([device, {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}])
        return [], []

    monkeypatch.setattr(phantom_study, "study", listen)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # put back after the test
    monkeypatch.setattr("torch.set_num_threads", heard.append)
    reproduce("invariance-phantom", device="cpu", threads=1)
    assert heard == [1, "cpu", {1}]


def test_a_generator_that_is_none_or_has_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="There is no checkpoint at 'nobody'"):
        study(SMALL, generator="nobody")
    for table in ("invariance-scm", "attri-net-tag"):
        with pytest.raises(UsageError, match="--generator is for invariance-phantom"):
            reproduce(table, generator="structural")
