"""Verdicts and reasons are told apart by what they are, whatever the sentences beside them say."""

from dataclasses import replace

import numpy as np
import pytest

from engine.bias.report.compute import bias_report
from engine.bias.report.reasons import NOT_JUDGED, Degree, Reason, Verdict, Why
from engine.bias.report.records import RELEVANT
from engine.bias.report.verdicts import MOST_NULL_FLIPS, poor, verdicts
from engine.bias.report.wording import answer
from engine.bias.statistics.summary import SMALLEST_OVERLAP
from engine.metrics.measure import Measure
from engine.metrics.subjects import Variant
from tests.bias.halves import FAIR, Films, Made


@pytest.fixture(scope="module")
def report():
    films = Films()
    return bias_report(FAIR, films, np.arange(len(films)), "group", Made())


def unjudged(report, **changes):
    (one,) = report.findings
    test = replace(one.test, p_value=0.5, log10_p=-0.3, corrected_p=None)
    return replace(one, verdict=Verdict.CANNOT_TELL, reason=NOT_JUDGED, test=test, **changes)


def why(finding, exact=False):
    (one,) = verdicts([finding], exact)
    assert one.verdict is Verdict.CANNOT_TELL and one.record()["why"] == one.reason.why
    return one.reason.why


def test_every_reason_has_its_own_name(report):
    plain = unjudged(report)
    measured = Reason(Why.FINDINGS_FADE, "They fade.")
    assert why(replace(plain, poor=measured)) is Why.FINDINGS_FADE
    shaken = replace(plain.null_flips, value=MOST_NULL_FLIPS + 0.01, low=None, high=None)
    assert why(replace(plain, null_flips=shaken)) is Why.NULL_FLIPS
    hidden = replace(plain.test, overlap=SMALLEST_OVERLAP / 2)
    assert why(replace(plain, test=hidden)) is Why.LITTLE_OVERLAP
    assert why(replace(plain, flips=replace(plain.flips, high=0.2))) is Why.NOT_BOUNDED
    moved = replace(plain, change=replace(plain.change, value=0.1, low=0.06, high=0.14))
    assert (why(moved), why(moved, exact=True)) == (Why.NOT_CONFIRMED, Why.TOO_FEW)


def test_pictures_that_carry_no_verdict_say_which_of_their_faults_it_is():
    made = Made()
    assert poor(made, "films", "group", "ab", "Finding") is None
    assert poor(made, "films", "group", "abc", "Finding").why is Why.QUALITY_UNKNOWN
    of = {"attribute": "group", "attribute_value": "a"}
    made.quality = {"group": (Measure("effectiveness", "", 0.5, 0.4, 0.6, 200, **of),)}
    assert poor(made, "films", "group", "a", "Finding").why is Why.NOT_EFFECTIVE
    good = Measure("effectiveness", "", 0.95, 0.9, 1.0, 200, **of)
    made.quality = {"group": (good, Measure("effect", "Finding", -0.3, None, None, 200, variant=Variant.AUC))}
    assert poor(made, "films", "group", "a", "Finding").why is Why.FINDINGS_FADE


def test_findings_stand_together_by_why_and_not_by_the_words(report):
    plain = unjudged(report)
    sentences = ("As large as 7 of 100.", "Nobody knows.")
    findings = [
        replace(plain, finding=name, reason=Reason(Why.NOT_BOUNDED, words))
        for name, words in zip(("Edema", "Nodule"), sentences, strict=True)
    ]
    _, rest = answer(replace(report, findings=tuple(findings)))
    assert rest.count("The change may be as large as") == 1 and not any(words in rest for words in sentences)


def test_a_verdict_rests_on_a_test_and_a_reason_stands_only_where_there_is_none(report):
    (one,) = report.findings
    with pytest.raises(ValueError, match="not a valid Verdict"):
        replace(one, verdict="perhaps")
    with pytest.raises(ValueError, match="rests on a test"):
        replace(one, test=None)
    with pytest.raises(ValueError, match="a reason stands where"):
        replace(one, reason=NOT_JUDGED)
    assert replace(one, verdict="no sign of it").verdict is Verdict.NO_SIGN


def test_what_is_said_with_a_dependence_is_told_apart_by_its_size(report):
    (one,) = report.findings
    test = replace(one.test, corrected_p=0.001)
    shares = {RELEVANT / 2: Degree.BARELY, RELEVANT * 2: Degree.A_LITTLE, 0.5: None}
    for share, degree in shares.items():
        flips = replace(one.flips, value=share, low=None, high=None)
        assert replace(one, verdict=Verdict.DEPENDS, test=test, flips=flips).how is degree
