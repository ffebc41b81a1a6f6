"""The bias report: the right verdict about a model that ignores the attribute and one that is the attribute, and none
without good pictures.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from engine.bias.interventions import StructuralInterventions, SymbolInterventions
from engine.bias.report.compute import bias_report, bias_reports, judged
from engine.bias.report.family import Question, Shown, hypotheses, shown
from engine.bias.report.notes import assumption, columns, facts, family, missing, said_beside
from engine.bias.report.reasons import NOT_JUDGED, Reason, Why
from engine.bias.report.verdicts import RESOLVED, doubts, findings_stay, poor, resolved, verdicts
from engine.bias.report.wording import answer, points, question, sized, table, trust, verdict
from engine.checkpoints.metrics import Metrics
from engine.datasets.lidc_implants import LIDCImplants
from engine.datasets.phantom.collection import Marker, Phantom
from engine.metrics.measure import Measure
from engine.metrics.subjects import MEAN, Variant
from engine.preprocessing import Preprocessing
from tests.bias.halves import FAIR, ITSELF, Classifier, Exact, Films, Made, N, Three, reported
from tests.datasets.lidc_small import write_implants


def test_a_model_that_ignores_the_attribute_shows_no_sign_of_it():
    report = reported()
    (one,) = report.findings
    assert one.verdict == "no sign of it" and one.eca.value == 1 and one.change.value == pytest.approx(0, abs=1e-6)
    first, _rest = answer(report)
    assert first.startswith("No sign of it, for finding: 0 of 100 decisions change (0 to")


def test_findings_that_need_more_pictures_are_told_in_one_sentence():
    (one,) = reported().findings
    short = []
    for name, end in (("Edema", 0.183), ("Effusion", 0.061), ("Nodule", 0.1)):
        reason = Reason(Why.NOT_BOUNDED, f"As much as {100 * end:.0f} of 100")
        short.append(
            replace(one, finding=name, flips=replace(one.flips, high=end), verdict="cannot tell", reason=reason)
        )
    words = "The change may be as large as 7 to 19 of 100; changes of up to 5 of 100 are called too small to matter."
    first, rest = answer(replace(reported(), findings=tuple(short)))
    assert first == "These pictures do not allow an answer." and rest == words
    _, rest = answer(replace(reported(), findings=(one, *short)))
    assert rest.endswith(f"There is no verdict for edema, effusion and nodule. {words}")


def test_a_mean_over_the_values_is_trusted_as_such():
    made = Made()
    made.quality = {
        "group": (
            *made.quality["group"],
            Measure("effectiveness", "", 0.92, 0.9, 0.95, 400, attribute="group", variant=MEAN),
        )
    }
    films = Films()
    rows = trust(bias_report(FAIR, films, np.arange(len(films)), "group", made))
    assert ("look as asked, on average", "0.92 (0.90 to 0.95)", "good") in rows


def test_a_model_that_is_the_attribute_depends_on_it():
    report = reported(ITSELF)
    (one,) = report.findings
    assert one.verdict == "depends" and not one.slight and one.pair == ("a", "b")
    assert one.change.value > 0.9 and one.flips.value > 0.95 and one.test.corrected_p < 1e-6
    first, second = answer(report)[0].split(". ", 1)  # decisions, then probabilities, each named as what it is
    assert first.startswith(f"Yes, for finding: {points(one.flips.value)} of 100 decisions change (")
    assert second.startswith(
        "With group b instead of with group a, the same chest's probability of finding rises by 100 points"
    )
    assert all(person.flips and abs(person.after - person.before) > 0.9 for person in one.affected)


def test_traces_of_making_another_picture_are_no_bias_of_the_model():
    for seed in range(3):
        films = Films()
        films.group = np.random.default_rng(seed).permutation(films.group)
        films.attributes["group"] = films.group
        (one,) = reported(FAIR, films, traces=-8.0).findings
        assert one.flips.value > 0.05 and one.verdict != "depends", seed


@pytest.mark.parametrize("tint", [-12.0, 12.0])
def test_what_making_a_picture_of_one_group_leaves_in_it_is_measured_and_subtracted(tint):
    (one,) = reported(FAIR, tint=tint).findings
    assert np.sign(one.unsubtracted.value) == np.sign(tint) and abs(one.unsubtracted.value) > RESOLVED
    assert one.change.low <= 0 <= one.change.high and one.verdict != "depends"
    trace = next(trace for trace in one.traces if trace.value == "b")
    assert trace.low < trace.shift < trace.high and trace.shift == pytest.approx(
        tint / 10, rel=0.05
    )  # FAIR's log-odds are a tenth of the lower half
    assert any("trace of the generator under b" in row.subject for row in one.measures())


@pytest.mark.parametrize(("n", "leans"), [(160, 0.0), (900, 0.0), (900, 0.002), (900, 0.02)])
def test_no_sign_of_it_is_an_equivalence_within_the_margin(n, leans):
    """An interval that leaves the margin is never called 'no sign', and one that lies within it is, whatever else is
    detectable.
    """
    (one,) = reported(Classifier(leans, 0.1), Films(n)).findings
    inside = max(abs(one.change.low), abs(one.change.high), one.flips.high) <= 0.05
    assert one.within_margin == inside and one.equivalence.margin == 0.05
    assert (one.verdict == "no sign of it") == (inside and one.test.corrected_p > 0.05)
    assert (max(one.equivalence.p_below, one.equivalence.p_above) <= 0.025) == (
        max(abs(one.change.low), abs(one.change.high)) <= 0.05
    )


def test_the_margin_is_what_the_reader_says():
    films, made = Films(), Made()
    verdict_at = [
        bias_report(FAIR, films, np.arange(N), "group", made, margin=m).findings[0].verdict for m in (0.01, 0.05)
    ]
    assert verdict_at == ["cannot tell", "no sign of it"]  # none of 160 flips, which leaves room for 2.3 of 100


def test_pictures_that_leave_room_for_more_than_the_margin_tell_nothing():
    (one,) = reported().findings
    weak = replace(
        one, verdict="cannot tell", reason=NOT_JUDGED, test=replace(one.test, corrected_p=None, detectable=0.2)
    )
    (told,) = verdicts([weak], exact=False)
    assert told.verdict == "no sign of it"
    for wide in (
        replace(weak, flips=replace(weak.flips, high=0.06)),
        replace(weak, change=replace(weak.change, low=-0.06)),
    ):
        (told,) = verdicts([wide], exact=False)
        assert told.verdict == "cannot tell" and told.reason.words.startswith("The change may be as large as 6 of 100")


def shifted(by):
    """Generated pictures whose judge's probability of the finding moves by so much, on average, under either value."""
    made = Made()
    of = {"attribute": "group", "variant": Variant.PROBABILITY}
    rows = [Measure("effect", "Finding", by, by - 0.01, by + 0.01, 80, attribute_value=v, **of) for v in "ab"]
    made.quality = {"group": (*made.quality["group"], *rows)}
    return made


def test_pictures_without_traces_speak_for_themselves_where_the_test_is_weak():
    (one,) = reported(Classifier(0.02, 0.1)).findings
    weak = replace(
        one,
        verdict="cannot tell",
        reason=NOT_JUDGED,
        test=replace(one.test, p_value=0.2, log10_p=-0.7, corrected_p=None, detectable=0.2),
    )
    assert one.flips.low > RESOLVED or one.change.low > RESOLVED
    (told,) = verdicts([replace(weak, limit=RESOLVED)], exact=False)
    assert told.verdict == "depends" and told.by_pictures and not one.by_pictures
    assert verdict(told) == "depends, by the pictures" and told.measures()[0].remark == "depends (by the pictures)."
    first, rest = answer(replace(reported(), findings=(told,)))
    assert (
        first.startswith(f"Yes, going by the pictures, for finding: {points(told.flips.value)} of 100 decisions change")
        and "does not confirm it (corrected p 0.20)" in rest
    )
    (silent,) = verdicts([weak], exact=False)
    assert silent.verdict == "cannot tell"
    (traced,) = verdicts([replace(weak, limit=0.5)], exact=False)
    assert traced.verdict == "cannot tell"
    slight = replace(
        weak, limit=RESOLVED, shown=Shown(mean=0.06, error=0.02, freedom=N - 1, choices=1, flips=0.06, cases=N)
    )
    assert verdicts([slight], exact=False)[0].verdict == "cannot tell"
    (many,) = verdicts(
        [replace(weak, limit=RESOLVED)], exact=False, asked_before=[Question("group", "made-up", N, (0.5,) * 4000)]
    )
    assert many.shown_corrected_p == pytest.approx(min(1, 4002 * told.p_values[1]))


@pytest.mark.parametrize(("made", "limit"), [(shifted(0.03), RESOLVED), (shifted(-0.08), 0.08), (Made(), None)])
def test_pictures_speak_only_above_the_traces_that_making_them_was_seen_to_leave(made, limit):
    assert resolved(made.quality["group"], "Finding") == limit
    films = Films()
    rows = {what: kind for what, _, kind in trust(bias_report(FAIR, films, np.arange(N), "group", made))}
    said = rows.get("in pictures made with group a, a fixed classifier's probability of finding moves by")
    assert said == {RESOLVED: "good", 0.08: "bad", None: None}[limit]


def test_exact_counterfactuals_show_every_change_so_that_nothing_is_merely_detectable():
    films = Films()
    report = bias_report(Classifier(0.02, 0.1), films, np.arange(N), "group", Exact())
    assert report.findings[0].verdict == "depends" and report.findings[0].detectable is None
    assert "speaks against no change at all" in columns(report) and "speaks against" not in columns(reported())
    fair = bias_report(FAIR, films, np.arange(N), "group", Exact())
    (one,) = fair.findings
    assert one.verdict == "no sign of it" and "The probabilities did not move at all;" in answer(fair)[1]
    (few,) = verdicts([replace(one, flips=replace(one.flips, high=0.2))], exact=True)
    assert few.verdict == "cannot tell" and few.reason.words.startswith("The change may be as large as 20 of 100")


def test_an_answer_that_goes_up_in_some_and_down_in_others_is_sized_without_a_direction():
    report = reported(Classifier(0.02, 0.1))
    one = replace(report.findings[0], change=replace(report.findings[0].change, value=0.01, low=-0.02, high=0.04))
    away = points(float(np.abs(one.under[:, 1] - one.under[:, 0]).mean()))
    assert f"moves by {away} points, up or down, and on average by 1 (-2 to 4)" in sized(report, one)


def test_a_model_that_leans_on_it_a_little_is_sized_within_its_interval():
    report = reported(Classifier(0.02, 0.1))
    (one,) = report.findings
    assert one.verdict == "depends" and one.change.low < one.change.value < one.change.high
    assert one.flips.low <= one.flips.value <= one.flips.high and one.eca.value == pytest.approx(1 - one.flips.value)
    assert points(one.change.value) in sized(report, one) and points(one.change.high) in sized(report, one)


def test_what_is_too_small_to_matter_is_called_slight():
    films = Films()
    report = bias_report(Classifier(0.0005, 0.1), films, np.arange(N), "group", Exact())
    assert report.findings[0].slight and answer(report)[0].startswith("Barely, for finding: ")


def test_a_model_that_answers_by_the_finding_is_not_blamed_for_groups_that_differ_in_it():
    films = Films()
    films.labels[:, 0] = films.group == "b"
    films.severity = films.labels[:, 0] * 40 + np.random.default_rng(1).normal(0, 15, len(films))
    report = reported(FAIR, films)
    assert report.findings[0].associations.decisions["parity"].gap > 0.5  # demographic parity cannot tell the two
    assert report.findings[0].verdict != "depends"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            {"effectiveness": (0.95, 0.7)},
            "Too few of the pictures made under group b show it: 0.70, and it might be 0.65",
        ),
        ({"auc": -0.2}, "do not keep the findings"),
        ({"disturbed": 60.0}, "Even with nothing changed"),
    ],
)
def test_poor_pictures_carry_no_verdict(made, words):
    report = reported(ITSELF if "disturbed" not in made else Classifier(1.0, 0.1), **made)
    assert report.findings[0].verdict == "cannot tell" and words in report.findings[0].reason.words
    first, rest = answer(report)
    assert first == "These pictures do not allow an answer." and words in rest
    assert any(kind == "bad" for _, _, kind in trust(report))
    ps = [row for row in report.measures() if row.metric == "p_value"]
    assert ps and all(row.remark.startswith("cannot tell: ") and words in row.remark for row in ps)
    (line,) = table(report)
    p, corrected, sides = line[7:10]
    assert all(cell.startswith("(") and cell.endswith(")") for cell in (p, corrected, sides))
    assert "A p in brackets is no evidence" in columns(report)


def test_a_p_value_of_a_finding_with_a_verdict_stands_as_it_is():
    report = reported()
    assert not any(row.remark for row in report.measures() if row.metric == "p_value")
    assert not any("(" in cell for cell in table(report)[0][7:10]) and "in brackets" not in columns(report)


@pytest.mark.parametrize(
    ("value", "low", "high", "stays"),
    [
        (0.01, -0.03, 0.05, True),
        (-0.08, -0.10, -0.06, False),  # all of it beyond
        (-0.06, -0.13, 0.02, None),  # too few pictures to say
        (0.02, -0.09, 0.08, None),
        (-0.11, -0.25, 0.02, False),  # beyond twice the limit, however few
        (0.04, None, None, True),
        (0.06, None, None, False),
    ],
)
def test_findings_stay_as_far_as_the_interval_says(value, low, high, stays):
    row = Measure("effect", "Finding", value, low, high, 120, variant=Variant.AUC)
    made = Made()
    made.quality = {"group": (*made.quality["group"][:2], row)}
    assert findings_stay(row) is stays
    assert (poor(made, "films", "group", "ab", "Finding") is not None) == (stays is False)
    assert bool(doubts(made.quality["group"], ())) == (stays is not True)
    assert bool(doubts(made.quality["group"], ("Finding",))) == (
        stays is None
    )  # what fades of it is the reason of its own verdict


def test_a_finding_that_fades_bars_verdicts_about_itself_and_about_those_that_nobody_followed():
    made = Made()
    made.quality = {
        "group": (
            *made.quality["group"][:2],
            *(
                Measure("effect", f, v, v - 0.02, v + 0.02, 120, variant=Variant.AUC)
                for f, v in (("Edema", -0.2), ("Finding", 0.0))
            ),
        )
    }
    assert poor(made, "films", "group", "ab", "Finding") is None
    assert "AUC of Edema moves by -0.20" in poor(made, "films", "group", "ab", "Edema").words
    assert "AUC of Edema moves by -0.20" in poor(made, "films", "group", "ab", "Nodule").words
    report = bias_report(ITSELF, Films(), np.arange(N), "group", made)
    assert (
        report.findings[0].verdict == "depends"
        and "do not keep every finding: AUC of Edema moves by -0.20" in report.remarks[0]
    )


def test_findings_of_which_too_little_is_known_leave_the_verdict_and_are_named_beside_it():
    made = Made()
    made.quality = {
        "group": (
            *made.quality["group"][:2],
            Measure("effect", "Finding", -0.06, -0.13, 0.02, 120, variant=Variant.AUC),
        )
    }
    report = bias_report(ITSELF, Films(), np.arange(N), "group", made)
    assert report.findings[0].verdict == "depends"
    assert "not known well enough: AUC of Finding moves by -0.06 (-0.13 to +0.02)" in report.remarks[0]
    assert ("AUC of Finding moves by", "-0.06 (-0.13 to +0.02)", "quiet") in trust(report)


def test_what_was_measured_on_another_collection_says_nothing_of_this_one():
    made = Made()
    made.collection = "chestxray8"
    report = bias_report(ITSELF, Films(), np.arange(N), "group", made)
    assert (
        report.findings[0].reason.words == "The quality of its pictures of films was not measured."
        and not report.quality
    )
    assert trust(report)[0] == ("their quality was not measured", "", "bad")


def test_a_pair_that_was_picked_out_of_three_has_a_wider_interval():
    model, films = Classifier(0.02, 0.1), Films()
    two = reported(model, films)
    three = bias_report(model, films, np.arange(N), "group", Three())
    (one,), (other,) = two.findings, three.findings
    assert other.pair == ("a", "b") and other.change.value == pytest.approx(one.change.value)
    assert other.change.low < one.change.low - 0.05 * (one.change.value - one.change.low)
    assert other.change.high > one.change.high + 0.05 * (one.change.high - one.change.value)
    assert (
        table(three)[0][1] == "a to b" and "furthest apart" in columns(three) and "furthest apart" not in columns(two)
    )


def test_the_model_is_shown_films_of_the_size_that_it_looks_at():
    asked = []

    class Sized(Made):
        def counterfactuals(self, collection, indices, attribute, progress=None, seed=0, size=None):
            asked.append(size)
            return super().counterfactuals(collection, indices, attribute, progress, seed)

    films, model = Films(), Classifier(0.0, 0.1)
    bias_report(model, films, np.arange(N), "group", Sized())
    model.preprocessing = Preprocessing(64)
    bias_report(model, films, np.arange(N), "group", Sized())
    assert asked == [None, 64]


def test_pictures_of_which_nobody_knows_how_good_they_are_carry_no_verdict():
    made = Made()
    made.quality = {}
    films = Films()
    report = bias_report(ITSELF, films, np.arange(N), "group", made)
    assert report.findings[0].verdict == "cannot tell" and "was not measured" in report.findings[0].reason.words


def test_an_attribute_that_the_collection_does_not_tell_is_refused_before_any_picture_is_made():
    films, made = Films(), Made()
    films.attributes = {}
    made.counterfactuals = None
    with pytest.raises(ValueError, match="films does not tell the group of its pictures"):
        bias_report(FAIR, films, np.arange(N), "group", made)


def test_values_of_several_words_are_found_among_the_measures():
    made = Made()
    made.attributes = {"group": ("a", "not a")}
    rows = [
        Measure("effectiveness", "", 0.95, 0.9, 1.0, 200, attribute="group", attribute_value=value)
        for value in made.attributes["group"]
    ]
    made.quality = {"group": rows}
    assert poor(made, "films", "group", ("a", "not a"), "Finding") is None


def test_progress_never_goes_back_and_ends_at_the_end():
    films, heard = Films(), []
    bias_report(FAIR, films, np.arange(N), "group", Made(disturbed=1.0), lambda *done: heard.append(done))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard) and heard[-1][0] == heard[-1][1]


def test_progress_goes_on_from_one_attribute_to_the_next():
    class Both(Made):
        attributes: ClassVar = {"group": ("a", "b"), "other": ("a", "b")}

    films, heard = Films(), []
    films.attributes["other"] = films.group.copy()
    films.attributes["other"][:60] = ""  # so that it has fewer steps
    bias_reports(FAIR, films, np.arange(N), ("group", "other"), Both(), lambda *done: heard.append(done))
    shares = [done / every for done, every in heard]
    assert shares == sorted(shares) and [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert 0 < heard[0][0] < heard[0][1] / 2 and heard[-1][0] == heard[-1][1]


def test_a_null_intervention_that_changes_the_answer_is_seen():
    report = reported(Classifier(0.05, 0.05), disturbed=3.0)
    (one,) = report.findings
    assert one.null_change.value > 0.01 and 0 < one.null_flips.value < 0.1
    assert trust(report)[-2][1].startswith(points(one.null_flips.value))
    assert any("when nothing is changed" in row.subject and row.value > 0 for row in report.measures())


def test_a_group_that_is_too_small_is_named():
    report = reported(ITSELF, Films(few=7))
    assert report.findings[0].verdict == "cannot tell" and "Group b has 7 patients" in report.findings[0].reason.words
    assert report.findings[0].change.value > 0.9  # the numbers stand, the verdict does not
    assert table(report)[0][7] == "-"


def test_many_pictures_of_few_patients_are_few_patients():
    films = Films()
    films.patients = np.array([f"p{i % 30:02d}" for i in range(N)])
    wide, narrow = reported(Classifier(0.02, 0.1), films).findings[0], reported(Classifier(0.02, 0.1)).findings[0]
    assert wide.change.value == pytest.approx(narrow.change.value)
    films.patients = np.repeat("one", N)
    alone = reported(ITSELF, films).findings[0]
    assert alone.verdict == "cannot tell" and alone.change.low is None


def test_pictures_whose_attribute_is_unknown_are_left_out_and_counted():
    report = reported(films=Films(unknown=9))
    assert report.n == N - 9 and "9 pictures without a known group" in report.remarks[0]


def test_what_cannot_be_changed_is_refused_in_a_sentence():
    films = Films()
    with pytest.raises(ValueError, match="cannot change 'age'; it can change group."):
        bias_report(FAIR, films, np.arange(N), "age", Made())
    films.attributes["group"][:] = ""
    with pytest.raises(ValueError, match="no picture of films here has a known group"):
        bias_report(FAIR, films, np.arange(N), "group", Made())


def test_labels_that_nobody_knows_leave_the_test_and_cost_only_their_own_pictures():
    films = Films()
    films.labels[:20] = np.nan
    films.severity = np.where(np.isfinite(films.labels[:, 0]), films.severity, 0)
    made = Made()
    made.counterfactuals = lambda *args, **kw: replace(
        found := Made.counterfactuals(made, *args, **kw), representation=np.nan_to_num(found.representation)
    )
    report = bias_report(ITSELF, films, np.arange(N), "group", made)
    (one,) = report.findings
    assert one.test.n == N and sum(one.associations.decisions["odds"].n.values()) < N


def test_a_finding_of_which_no_label_is_known_costs_two_criteria_and_not_the_report():
    films = Films()
    films.labels[:] = np.nan
    made = Made()
    made.counterfactuals = lambda *args, **kw: replace(
        found := Made.counterfactuals(made, *args, **kw), representation=np.nan_to_num(found.representation)
    )
    films.severity = np.nan_to_num(films.severity)
    (one,) = bias_report(ITSELF, films, np.arange(N), "group", made).findings
    assert {*one.associations.decisions} == {"parity"} and one.test.p_value < 1e-6
    assert one.record()["missing_gaps"] == dict.fromkeys(
        ("opportunity", "odds"), "Which of these patients have the finding is not known."
    )


def test_progress_rises_to_its_end_and_a_seed_repeats():
    told, films = [], Films()
    one = bias_report(FAIR, films, np.arange(N), "group", Made(disturbed=2.0), lambda *step: told.append(step))
    assert [done for done, _ in told] == sorted(done for done, _ in told) and told[-1][0] == told[-1][1]
    assert [m.row() for m in one.measures()] == [m.row() for m in reported(disturbed=2.0).measures()]


class Corner:
    """Says Cardiomegaly where the lower left corner, in which the marker is burned, is dark; knows nothing
    of the body.
    """

    findings, thresholds = ("Cardiomegaly",), np.array([0.5], np.float32)
    checkpoint = SimpleNamespace(name="corner", sha256="0" * 64, identity="1" * 64, metrics=Metrics())

    def __init__(self, ink):
        self.ink = ink

    def predict_proba(self, pictures):
        return (1 / (1 + np.exp((pictures[:, self.ink].mean(1) - 105) / 10)))[:, None].astype(np.float32)


def test_a_model_that_reads_the_marker_is_found_on_drawn_films():
    films = Phantom(200, seed=3, size=32, marker=Marker(share_of_negatives=0.2))
    report = bias_report(
        Corner(films.marker_mask(None)), films, np.arange(200), "marker", StructuralInterventions(films)
    )
    (one,) = report.findings
    assert report.exact and one.verdict == "depends" and one.flips.value > 0.2 and one.null_flips.value == 0
    assert (
        trust(report)[0][1] == "exact"
        and question("marker") == "Would the answer change if only the marker in the picture changed?"
    )
    assert report.composition.value == 0


def test_attributes_that_are_asked_about_together_are_corrected_together():
    from engine.bias.statistics.summary import holm_corrected

    films = Phantom(count=220, marker=Marker(share_of_positives=0.5, share_of_negatives=0.5))
    model, drawn = Corner(films.marker_mask(None)), StructuralInterventions(films)
    together = bias_reports(model, films, np.arange(220), ("sex", "marker"), drawn)
    alone = [bias_report(model, films, np.arange(220), attribute, drawn) for attribute in ("sex", "marker")]
    tests = [one.test for report in together for one in report.findings if one.test]
    every = [p for report in together for one in report.findings for p in one.p_values]
    after = dict(zip(every, holm_corrected(every), strict=True))
    assert [test.corrected_p for test in tests] == pytest.approx([after[test.p_value] for test in tests])
    assert [one.verdict for one in together[1].findings] == [one.verdict for one in alone[1].findings]
    assert all(
        a.test.corrected_p >= b.test.corrected_p
        for x, y in zip(together, alone)
        for a, b in zip(x.findings, y.findings)
        if a.test
    )


def test_attributes_that_are_asked_one_after_the_other_are_one_family_too():
    films = Phantom(count=220, marker=Marker(share_of_positives=0.5, share_of_negatives=0.5))
    model, drawn = Corner(films.marker_mask(None)), StructuralInterventions(films)
    sex, marker = bias_reports(model, films, np.arange(220), ("sex", "marker"), drawn)
    alone = bias_report(model, films, np.arange(220), "marker", drawn)
    (after,) = judged([alone], asked_before=[sex.question])
    assert [one.test.corrected_p for one in after.findings] == [one.test.corrected_p for one in marker.findings]
    assert hypotheses(after.family) == hypotheses(marker.family) == 2 * hypotheses(alone.family)
    assert after.record()["family"]["questions"] == [sex.question.record(), alone.question.record()]
    assert "sex (220 pictures" in family(after) and "marker in the picture (220 pictures" in family(after)
    (again,) = judged([after])  # back to a family of its own
    assert [one.record() for one in again.findings] == [one.record() for one in alone.findings]


def test_two_checkpoints_are_two_families():
    one = reported()
    with pytest.raises(ValueError, match="one checkpoint on one collection"):
        judged([one, replace(one, checkpoint_identity="2" * 64)])


def test_pictures_alone_seldom_accuse_at_the_limit_and_always_far_beyond_it():
    random, wrong, found = np.random.default_rng(0), 0, 0
    for _ in range(400):
        change, flips = random.normal(0.05, 0.1, 200), random.random(200) < 0.05
        wrong += shown(change, flips, None).p_value(0.05) <= 0.05
        found += shown(change + 0.05, flips, None).p_value(0.05) <= 0.05
    assert wrong <= 34 and found == 400  # 20 expected at most, and 3.5 standard errors
    few = shown(np.full(30, 0.3), np.ones(30), np.repeat("one", 30))
    assert few.p_value(0.05) == 1.0  # of one patient nothing is known of others


def test_many_pictures_of_few_patients_are_few_patients_for_the_pictures_too():
    random = np.random.default_rng(0)
    change, flips, who = random.normal(0.08, 0.1, 40), random.random(40) < 0.2, np.repeat(np.arange(40), 5)
    alone, repeated = shown(change, flips, None), shown(np.repeat(change, 5), np.repeat(flips, 5), who)
    assert repeated.p_value(0.05) == pytest.approx(alone.p_value(0.05), rel=0.1)


class Sizes:
    """Three findings that lean on the upper half much, a little and hardly at all."""

    findings, thresholds = ("Hardly", "Much", "Little"), np.full(3, 0.5, np.float32)
    checkpoint = ITSELF.checkpoint

    def predict_proba(self, pictures):
        return np.concatenate([Classifier(weight, 0.1).predict_proba(pictures) for weight in (0.0004, 0.05, 0.006)], 1)


def test_findings_are_sorted_by_size_and_a_small_effect_is_not_worded_like_a_large_one():
    report = bias_report(Sizes(), Films(), np.arange(N), "group", Exact(), margin=0.1)
    assert (
        [one.finding for one in report.findings] == ["Much", "Little", "Hardly"] == [line[0] for line in table(report)]
    )
    assert [one.how for one in report.findings] == [None, "a little", "barely"]
    first, rest = answer(report)
    assert first.startswith("Yes, for much: ") and "little" not in first and "hardly" not in first
    little, hardly = (
        f"{finding} ({points(report.findings[k].flips.value)} of 100 decisions change, probability "
        f"{100 * report.findings[k].change.value:+.1f} points)"
        for k, finding in ((1, "little"), (2, "hardly"))
    )
    assert "A little, under 10 points of probability and under 10 of 100 decisions, for " + little in rest
    assert "Barely, under one point of probability and under 1 of 100 decisions, for " + hardly in rest
    without = replace(report, findings=report.findings[1:])
    assert answer(without)[0].startswith("A little, for little: ")


@pytest.mark.parametrize("upper", [0.05, -0.05])
def test_one_direction_holds_for_table_sentence_and_chart(upper):
    report = reported(Classifier(upper, 0.1))
    (one,) = report.findings
    up = upper > 0
    assert (one.change.value > 0) == up == (table(report)[0][2].startswith("+"))
    said = sized(report, one)
    assert "With group b instead of with group a" in said and ("rises" in said) == up and ("falls" in said) == (not up)
    assert (one.under[:, 1] - one.under[:, 0]).mean() == pytest.approx(one.change.value, abs=0.01)
    ends = sorted(abs(end) for end in (one.change.low, one.change.high))
    assert f"({points(ends[0])} to {points(ends[1])})" in said
    for person in one.affected:  # and for the pictures: b is lighter above than a
        assert person.difference(report.values)[:4].mean() == pytest.approx(30, abs=1)


def test_a_report_says_how_it_was_asked():
    report = bias_report(FAIR, Films(), np.arange(N), "group", Made(), seed=3, margin=0.04, split="test")
    said = dict(facts(report))
    assert "films of two halves; part test; 160 patients" in said["Pictures"] and "seed 3" in said["Date and seed"]
    assert (
        report.date in said["Date and seed"]
        and "0.05 after Holm" in said["Level"]
        and "margin 4 of 100" in said["Level"]
    )
    assert f"{report.overlap:.2f}" in said["Overlap of group and Z"]
    record = report.record()
    assert (record["seed"], record["split"], record["level"], record["margin"]) == (3, "test", 0.05, 0.04)
    films = Phantom(20, size=32, marker=Marker("R2"))
    assert films.description == (
        "drawn films (phantom), patients of seed 1, 20 in all; marker 'R2' on 50 of 100 films with cardiomegaly and "
        "on 0 of 100 without"
    )


def test_what_is_assumed_stands_beside_what_was_done_to_test_it():
    traced = reported(FAIR, traces=-4.0, disturbed=3.0)
    assumed, tested = assumption(traced)
    assert "adjustment set" in assumed and "same trace" in assumed
    trace = max((trace for one in traced.findings for trace in one.traces), key=lambda trace: abs(trace.points))
    assert (
        f"{100 * trace.points:+.1f} points ({trace.shift:+.2f} log-odds, {trace.low:+.2f} to {trace.high:+.2f})"
        in tested
    )
    assert "cannot be tested" in tested
    exact = bias_report(FAIR, Films(), np.arange(N), "group", Exact())
    assert "nothing has to be assumed about the pictures" in assumption(exact)[0]


def test_gaps_that_are_not_there_say_why_in_one_sentence_for_all_they_hold_for():
    films = Films()
    films.labels[:] = np.nan
    made = Made()
    made.counterfactuals = lambda *args, **kw: replace(
        found := Made.counterfactuals(made, *args, **kw), representation=np.nan_to_num(found.representation)
    )
    films.severity = np.nan_to_num(films.severity)
    said = missing(bias_report(ITSELF, films, np.arange(N), "group", made))
    assert said == [
        "No equality of opportunity and equalised odds for finding: which of these patients have the finding is not "
        "known."
    ]


def test_a_map_inside_the_region_is_no_proof_beside_an_answer_that_moves_with_the_symbol(tmp_path):
    write_implants(tmp_path, patients=60)
    crops = LIDCImplants(tmp_path, copies=2, symbol="plus_minus")
    model = Corner(np.any([crops.symbol_mask(index, 32) for index in range(8)], axis=0))
    model.findings = crops.findings
    row = Measure("cam_precision", "Malignant", 0.8, None, None, 40, chance=0.1)
    model.checkpoint = SimpleNamespace(**{**Corner.checkpoint.__dict__, "metrics": Metrics([row])})
    report = bias_report(model, crops, np.arange(len(crops)), "symbol", SymbolInterventions(crops, size=32))
    assert report.maps == (row,) and "CAM precision 0.800" in said_beside(report)[0]


def test_a_map_that_is_free_of_the_marker_is_no_proof_beside_an_answer_that_moves():
    films = Phantom(200, seed=3, size=32, marker=Marker(share_of_negatives=0.2))
    model = Corner(films.marker_mask(None))
    row = Measure("confounder_sensitivity", "Cardiomegaly", 0.0, None, None, 187, chance=0.1)
    model.checkpoint = SimpleNamespace(**{**Corner.checkpoint.__dict__, "metrics": Metrics([row])})
    report = bias_report(model, films, np.arange(200), "marker", StructuralInterventions(films))
    (said,) = said_beside(report)
    assert (
        "confounder sensitivity 0.000" in said
        and f"{100 * report.findings[0].change.value:+.1f} points" in said
        and "does not prove" in said
    )
    assert bias_report(model, films, np.arange(200), "sex", StructuralInterventions(films)).maps == ()
