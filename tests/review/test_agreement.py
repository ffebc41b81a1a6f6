"""Kappas are those of scikit-learn and statsmodels; what the reveal did is counted by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as their_fleiss

from engine.review.agreement import (
    MODEL,
    by_aids,
    cohen_kappa,
    fleiss_kappa,
    influence,
    kappas,
    pairs,
    seen_before,
)
from engine.review.records import Reading, new_id

MODEL_IDENTITY = "cd" * 32


def scan(k):
    return f"{k:064x}"


def read(
    k, before, after, model, truth=None, reader="A", finding="Effusion", aids=("pictures", "words"), threshold=0.5
):
    """The two readings of one reader: confidences before and after, the model's probability, and what is true."""
    common = {"scan_sha256": scan(k), "reader": reader, "finding": finding, "checkpoint_identity": MODEL_IDENTITY}
    common |= {"probability": model, "threshold": threshold, "truth": truth}
    return [
        Reading(new_id(), confidence=before, stage="before", created=f"2026-11-28T09:00:{k % 60:02}.000000Z", **common),
        Reading(
            new_id(),
            confidence=after,
            stage="after",
            created=f"2026-11-28T09:01:{k % 60:02}.000000Z",
            aids=aids,
            **common,
        ),
    ]


def invented(readers, scans=40, seed=0):
    rng = np.random.default_rng(seed)
    truth, model = rng.random(scans) < 0.4, rng.random(scans)
    readings = []
    for reader in readers:
        before = np.clip(truth * 0.5 + rng.random(scans) * 0.6, 0, 1)
        after = np.clip((before + model) / 2, 0, 1)
        for k in range(scans):
            readings += read(k, before[k], after[k], model[k], bool(truth[k]), reader)
    return readings


def test_cohens_kappa_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    for _ in range(20):
        a = rng.random(50) < 0.3
        b = a ^ (rng.random(50) < 0.2)
        assert cohen_kappa(a, b) == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
    assert cohen_kappa([True, True], [True, True]) is None
    assert cohen_kappa([True, False], [False, True]) == -1


def test_fleiss_kappa_is_that_of_statsmodels():
    rng = np.random.default_rng(2)
    for raters in (2, 3, 6):
        calls = (rng.random((40, 1)) < 0.5) ^ (rng.random((40, raters)) < 0.25)
        counts = np.stack([calls.sum(axis=1), raters - calls.sum(axis=1)], axis=1)
        assert fleiss_kappa(calls) == pytest.approx(their_fleiss(counts), abs=1e-12)
    assert fleiss_kappa(np.ones((5, 3), bool)) is None


def test_kappas_are_of_every_two_readers_of_each_and_the_model_and_of_all():
    found = kappas(pairs(invented("ABC")))
    between = [(k.first, k.second) for k in found if k.stage == "before"]
    assert between == [
        ("A", "B"),
        ("A", "C"),
        ("A", MODEL),
        ("B", "C"),
        ("B", MODEL),
        ("C", MODEL),
        ("all readers", ""),
    ]
    assert len(found) == 14
    assert all(k.estimate.n == 40 and k.estimate.low <= k.estimate.value <= k.estimate.high for k in found)
    of = {(k.first, k.second, k.stage): k.estimate.value for k in found}
    assert of["A", MODEL, "after"] > of["A", MODEL, "before"], "they took over some of the model's answers"


def test_the_interval_of_a_kappa_is_near_that_of_theory():
    """Of Fleiss, Cohen and Everitt, as statsmodels has it; every scan has one finding here."""
    found = next(k for k in kappas(pairs(invented("AB", 400))) if (k.second, k.stage) == ("B", "before")).estimate
    own = pairs(invented("AB", 400))
    calls = {r: {p.item: p.before.present for p in own if p.before.reader == r} for r in "AB"}
    table = np.zeros((2, 2))
    for item in calls["A"]:
        table[int(calls["A"][item]), int(calls["B"][item])] += 1
    theory = cohens_kappa(table)
    assert found.value == pytest.approx(theory.kappa, abs=1e-12)
    assert found.low == pytest.approx(theory.kappa_low, abs=0.02)
    assert found.high == pytest.approx(theory.kappa_upp, abs=0.02)


def test_what_was_read_by_one_only_counts_in_no_kappa_of_two():
    readings = invented("AB", 10) + invented("A", 30, seed=3)[20 * 2 :]
    assert next(k for k in kappas(pairs(readings)) if k.second == "B").estimate.n == 10
    assert kappas([]) == []


def test_only_the_first_reading_of_each_stage_counts_and_only_where_both_are():
    first, again = read(1, 0.2, 0.8, 0.9), read(1, 0.9, 0.1, 0.9)
    again = [Reading(**{**r.__dict__, "created": "2026-11-28T10:00:00.000000Z"}) for r in again]
    (pair,) = pairs([*again, *first, read(2, 0.2, 0.8, 0.9)[0]])
    assert (pair.before.confidence, pair.after.confidence) == (0.2, 0.8)


def test_what_the_reveal_did_is_counted():
    readings = (
        read(1, 0.9, 0.2, 0.1, truth=True)  # was right, took over the model's wrong answer
        + read(2, 0.9, 0.9, 0.1, truth=True)  # was right, stayed
        + read(3, 0.2, 0.9, 0.8, truth=True)  # was wrong, took over the right answer
        + read(4, 0.2, 0.2, 0.8, truth=True)  # was wrong, stayed
        + read(5, 0.9, 0.9, 0.8, truth=True)  # both right
        + read(6, 0.1, 0.7, 0.2, truth=False)  # left the model's right answer and his own
        + read(7, 0.1, 0.8, 0.9)  # truth unknown
    )
    found = influence(pairs(readings))
    assert found.changed.value == pytest.approx(4 / 7) and found.changed.n == 7
    assert found.towards.value == pytest.approx(3 / 4)
    assert found.right_before.value == pytest.approx(4 / 6) and found.right_after.value == pytest.approx(3 / 6)
    assert found.helped.value == pytest.approx(1 / 6) and found.harmed.value == pytest.approx(2 / 6)
    assert (found.automation.value, found.automation.n) == (0.5, 2)
    assert (found.accepted.value, found.accepted.n) == (0.5, 2)
    assert found.anchoring.value == pytest.approx(2 / 5) and found.anchoring.n == 5


def test_the_weight_of_advice_is_nought_for_who_stays_and_one_for_who_takes_the_models_answer():
    stays = influence(pairs(read(1, 0.2, 0.2, 0.9) + read(2, 0.7, 0.7, 0.1)))
    follows = influence(pairs(read(1, 0.2, 0.9, 0.9) + read(2, 0.7, 0.1, 0.1)))
    assert stays.advice.value == 0 and follows.advice.value == pytest.approx(1)
    half_way = influence(pairs(read(1, 0.2, 0.5, 0.8) + read(2, 0.6, 0.4, 0.2)))
    assert half_way.advice.value == pytest.approx(0.5)
    assert influence(pairs(read(1, 0.5, 0.5, 0.52))).advice is None, "there is nothing to be weighed"


def test_the_models_answer_stands_on_the_readers_scale_with_its_operating_point_at_one_half():
    (at,) = pairs(read(1, 0.2, 0.2, 0.13, threshold=0.13))
    (above,) = pairs(read(1, 0.2, 0.2, 0.3, threshold=0.13))
    assert at.advice == pytest.approx(0.5) and above.advice > 0.7 and above.model


def test_a_share_that_never_varies_still_has_an_interval():
    found = influence(pairs([r for k in range(8) for r in read(k, 0.2, 0.2, 0.8)])).changed
    theirs = binomtest(0, 8).proportion_ci(0.95, method="wilson")
    assert (found.value, found.low, found.high) == (0, 0, pytest.approx(theirs.high))


def test_findings_of_one_scan_belong_together():
    """The same readings on one scan tell less than on many."""
    many = [r for k in range(12) for r in read(k, 0.2, 0.9 if k % 2 else 0.2, 0.8)]
    few = [r for k in range(12) for r in read(k // 6, 0.2, 0.9 if k // 6 else 0.2, 0.8, finding=f"F{k}")]
    wide, narrow = influence(pairs(few)).changed, influence(pairs(many)).changed
    assert wide.value == narrow.value == 0.5 and wide.high - wide.low > narrow.high - narrow.low


def test_readers_and_what_was_shown_are_told_apart():
    readings = read(1, 0.2, 0.9, 0.8, truth=True, aids=()) + read(2, 0.2, 0.2, 0.8, truth=True, aids=("words",))
    readings += read(1, 0.2, 0.2, 0.8, truth=True, reader="B", aids=("words",))
    assert influence(pairs(readings), "A").changed.n == 2 and influence(pairs(readings), "B").changed.n == 1
    assert influence(pairs(readings), "C") is None
    apart = by_aids(pairs(readings))
    assert list(apart) == ["answer alone", "with words"] and apart["answer alone"].helped.value == 1


def test_who_had_seen_the_models_answer_before_counts_in_nothing_and_is_told_apart():
    blind, saw = read(1, 0.2, 0.8, 0.9), read(2, 0.2, 0.8, 0.9)
    saw[0] = Reading(**{**saw[0].__dict__, "saw_model": True})
    assert [pair.scan for pair in pairs([*blind, *saw])] == [scan(1)]
    assert [pair.scan for pair in seen_before([*blind, *saw])] == [scan(2)]
    again = Reading(**{**saw[0].__dict__, "id": new_id(), "saw_model": False, "created": "2026-11-28T09:00:59.000000Z"})
    assert pairs([*saw, again]) == [], "a later reading does not undo that it was seen"


def test_a_finding_without_an_answer_of_the_model_counts_in_nothing():
    before, after = read(1, 0.2, 0.8, 0.9)
    silent = Reading(**{**after.__dict__, "probability": None, "threshold": None})
    assert pairs([before, silent]) == [] and kappas(pairs([before, silent])) == []
