"""The bias report on paper and as JSON: one set of numbers."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader

from engine.bias.report.notes import assumption, missing
from engine.bias.report.wording import answer, question
from engine.export.bias_json import bias_json
from engine.export.bias_pdf import bias_pdf
from engine.tables import number
from tests.bias.halves import FAIR, ITSELF, Classifier, Films, reported


def text(report):
    """All that stands in the PDF, white space as single spaces."""
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in PdfReader(io.BytesIO(bias_pdf(report))).pages))


@pytest.mark.parametrize("model", [FAIR, ITSELF, Classifier(0.02, 0.1)], ids=["fair", "the attribute", "leaning"])
def test_the_paper_holds_every_number_of_the_json(model):
    report = reported(model)
    said = text(report)
    rows = json.loads(bias_json([report]))["rows"]
    assert len(rows) > 10
    for row in rows:
        between = "-" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
        assert f"{number(row['value'])} {between} {row['n']}" in said, row


def test_the_paper_says_the_question_the_answer_and_for_what_it_is():
    report = reported(ITSELF)
    said = text(report)
    for words in (
        question("group"),
        *answer(report),
        "Research use only, not for diagnosis",
        report.checkpoint_sha256[:12],
    ):
        assert words in said


def test_the_paper_and_the_json_say_at_which_probability_a_decision_flips():
    report = reported(ITSELF)
    report = replace(report, findings=(replace(report.findings[0], threshold=0.137),))
    assert "Finding 0.137 " in text(report)
    assert json.loads(bias_json([report]))["reports"][0]["findings"][0]["threshold"] == 0.137


def test_a_report_without_a_verdict_or_with_strange_names_is_printed_too():
    films = Films(few=7)
    films.patients = np.array([f"\u0416\u4e2d {i}" for i in range(len(films))])
    said = text(reported(ITSELF, films))
    assert "Group b has 7 patients" in said and "cannot tell" in said


def test_every_difference_of_a_finding_is_drawn_on_one_scale_that_stands_beside_it():
    report = reported(ITSELF)
    (one,) = report.findings
    faint, strong = one.affected[:2]
    strong = replace(strong, counterfactual=strong.original + 60)
    faint = replace(faint, counterfactual=faint.original + 6)
    said = text(replace(report, findings=(replace(one, affected=(faint, strong)),)))
    assert said.count("+60 grey levels") == 1 and "+6 grey levels" not in said and said.count("-60") == 1


def test_the_groups_of_the_scatter_differ_in_more_than_colour():
    assert "a blue dots, b orange squares" in text(reported(ITSELF))


def test_nobody_can_be_recognised_by_what_is_exported():
    films = Films()
    films.patients = np.array([f"Jane Doe {i}" for i in range(len(films))])
    report = reported(ITSELF, films)
    assert "Jane Doe" not in text(report) and "Jane Doe" not in bias_json([report])


def test_the_paper_says_how_it_was_asked_and_what_its_numbers_are():
    films = Films(few=30)
    films.labels[films.group == "b"] = 1
    report = reported(ITSELF, films)
    said = text(report)
    for words in (
        report.date,
        "seed 0",
        "part all",
        "0.05 after Holm's correction",
        "margin 5 of 100",
        films.description,
        "E Var(g | Z): g is the model's",
    ):
        assert words in said, words
    assert (
        f"Overlap of group and Z {report.overlap:.2f}" in said
        and "1 p value, of all that was asked of this checkpoint" in said
    )
    for sentence in (*assumption(report), *missing(report)):
        assert sentence in said
    assert (
        missing(report) and "the paper's paired t-test, not calibrated" in said and "no verdict rests on them" in said
    )


def test_the_scatters_axes_have_numbers_and_say_which_value_they_are_of():
    said = text(reported(ITSELF))
    assert said.count("0.5") >= 2 and "probability, a" in said and "probability, b" in said


def test_a_report_takes_as_few_pages_as_it_fills():
    report = reported(ITSELF)
    (one,) = report.findings
    many = replace(report, findings=tuple(replace(one, finding=f"Finding {k}") for k in range(5)))
    assert (
        len(PdfReader(io.BytesIO(bias_pdf(report))).pages) == 2
        and len(PdfReader(io.BytesIO(bias_pdf(many))).pages) == 3
    )
