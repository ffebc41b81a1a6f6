"""metrics.json holds every number of a card as fields; the card's tables are made from it."""

import json
from dataclasses import replace

import pytest

from engine.checkpoints.card import placeholder_card
from engine.checkpoints.changes import with_measures
from engine.checkpoints.format import RefusedCheckpoint, examine, save_checkpoint
from engine.checkpoints.metrics import Metrics, UnusableMetrics, of_card, parsed, table
from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.checkpoints.sections import read_card
from engine.metrics.measure import Measure
from engine.metrics.subjects import CHANGE, FLIPS
from engine.registry import method

AUC = Measure("auc", "Cardiomegaly", 0.81234, 0.76, 0.86, 180, chance=0.5)
CLEAN = Measure("confounder_sensitivity", "Cardiomegaly", 0.0, None, None, 400, chance=0.1)
GROUP = Measure("auc", "", 0.7, 0.6, 0.8, 90, chance=0.5, attribute="sex", attribute_value="F", variant="subgroup")
OF_MARKER = {"attribute": "marker", "attribute_value": "absent to present", "variant": CHANGE}
MOVED = [
    Measure("effect", "Cardiomegaly", 0.3, 0.2, 0.4, 99, **OF_MARKER),
    Measure("effect", "Cardiomegaly", 0.1, 0.05, 0.2, 99, attribute="marker", variant=FLIPS),
]
FOUND = Metrics([AUC, CLEAN], ["Gout cannot be measured"], "On the test part.", [GROUP], "Mean AUC.")


@pytest.fixture
def saved(tmp_path):
    return resaved(tmp_path / "tiny", tmp_path / "saved", FOUND)


def resaved(draft, folder, metrics):
    tiny = method("attri_net").tiny(draft)
    parts = {"method": "attri_net", "config": tiny.config, "weights": tiny.weights(), "card": placeholder_card()}
    return save_checkpoint(folder, metrics=metrics, **parts)


@pytest.mark.parametrize("name", shipped())
def test_the_card_of_a_shipped_checkpoint_says_what_its_metrics_say(name):
    checkpoint = open_checkpoint(name)
    assert (checkpoint.folder / "metrics.json").is_file() and checkpoint.metrics.rows
    sections = read_card(checkpoint.card)
    assert {title: sections[title] for title in ("Metrics", "Subgroups")} == checkpoint.metrics.sections()


@pytest.mark.parametrize("name", shipped())
def test_what_is_known_of_a_shipped_row_is_in_its_fields(name):
    checkpoint = open_checkpoint(name)
    for row in (*checkpoint.metrics.rows, *checkpoint.metrics.subgroups):
        named = [finding for finding in checkpoint.config["findings"] if finding in row.subject]
        assert all(finding in row.finding for finding in named), row
        assert not any(finding in row.variant for finding in named) and " by " not in row.variant


def test_a_saved_checkpoint_keeps_its_metrics_to_the_last_digit_and_its_card_shows_them(saved):
    assert saved.metrics == FOUND and saved.metrics.rows[0].value == 0.81234
    sections = read_card(saved.card)
    assert "| auc | Cardiomegaly | 0.812 | 0.760 to 0.860 | 180 | 0.500 |" in sections["Metrics"]
    assert "- Gout cannot be measured" in sections["Metrics"] and "| auc | sex F |" in sections["Subgroups"]
    assert sections["Split and seeds"] == read_card(placeholder_card())["Split and seeds"]


def test_a_card_says_where_nothing_was_measured(tmp_path):
    sections = read_card(resaved(tmp_path / "tiny", tmp_path / "saved", Metrics()).card)
    assert sections["Metrics"] == sections["Subgroups"] == "Not measured."


def test_metrics_are_read_and_not_the_card(saved):
    card = saved.folder / "card.md"
    card.write_text(card.read_text().replace("| 0.812 |", "| 0.999 |"))
    assert examine(saved.folder).metrics == FOUND


def test_a_json_row_keeps_the_subject_and_gives_the_fields(saved):
    rows = json.loads((saved.folder / "metrics.json").read_text())["subgroups"]["rows"]
    assert rows[0]["subject"] == "sex F" and (rows[0]["attribute"], rows[0]["attribute_value"]) == ("sex", "F")


def test_more_measures_replace_those_about_the_same_and_a_marker_is_put_into_one_sentence(saved):
    for _ in range(2):
        saved = with_measures(saved, [*MOVED, replace(AUC, value=0.8)])
    assert saved.metrics.rows == (CLEAN, *MOVED, replace(AUC, value=0.8)) and saved.metrics.remarks == FOUND.remarks
    section = read_card(saved.card)["Metrics"]
    assert section.count("Marker and cardiomegaly") == 1 and "+30.0 points" in section and "0.812" not in section
    other = with_measures(saved, [replace(MOVED[0], value=0.25)])
    assert "+30.0 points" not in other.card and "+25.0 points" in other.card


def test_measures_are_not_added_where_nothing_was_measured(tmp_path):
    tiny = method("attri_net").tiny(tmp_path / "tiny")
    with pytest.raises(RefusedCheckpoint, match="no table of measures"):
        with_measures(tiny, MOVED)
    assert examine(tiny.folder) == tiny


def test_a_checkpoint_made_before_there_were_metrics_opens_with_what_its_card_says(saved):
    saved = with_measures(saved, MOVED)
    (saved.folder / "metrics.json").unlink()
    opened = examine(saved.folder)
    assert opened.metrics == replace(saved.metrics, rows=(replace(AUC, value=0.812), *saved.metrics.rows[1:]))
    again = with_measures(opened, [CLEAN])  # and has metrics from then on
    assert (again.folder / "metrics.json").is_file() and again.card.count("Marker and cardiomegaly") == 1


def test_rows_of_a_card_that_no_field_is_known_for_are_shown_as_they_were():
    card = f"## Metrics\n\n{table([AUC])}\n| dice | Gout, by hand | 0.5 | - | 3 | - |\n| magic | x | 1 | - | 3 | - |\n"
    rows = of_card(card, {"findings": ["Cardiomegaly"]}).rows
    assert [(row.finding, row.subject) for row in rows] == [("Cardiomegaly", "Cardiomegaly"), ("", "Gout, by hand")]


def test_a_tables_lines_have_one_width():
    assert {line.count("|") for line in table([AUC, CLEAN, GROUP]).splitlines()} == {7}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda whole: [], "must hold metrics and subgroups"),
        (lambda whole: whole | {"subgroups": {"rows": []}}, "must hold metrics and subgroups"),
        (lambda whole: whole["metrics"].update(remarks=[1]) or whole, "remarks as a list"),
        (lambda whole: whole["metrics"].update(rows=["auc"]) or whole, "a row that is none"),
        (lambda whole: whole["metrics"]["rows"][0].update(value="high") or whole, "value of a row cannot be 'high'"),
        (lambda whole: whole["metrics"]["rows"][0].update(value=10**400) or whole, "a row that is none"),
        (lambda whole: whole["metrics"]["rows"][0].update(metric="magic") or whole, "metric must be one of"),
        (lambda whole: whole["metrics"]["rows"][0].update(n=True) or whole, "n of a row cannot be True"),
        (lambda whole: whole["metrics"]["rows"][0].update(finding=["x"]) or whole, "finding of a row cannot be"),
        (lambda whole: whole["metrics"]["rows"][0].update(sample=[]) or whole, "no sample"),
        (lambda whole: whole["metrics"]["rows"][0].pop("n") and whole, "a row has no n"),
    ],
)
def test_metrics_that_are_none_are_refused_in_one_sentence(saved, change, says):
    path = saved.folder / "metrics.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(RefusedCheckpoint, match=says) as refusal:
        examine(saved.folder)
    assert str(refusal.value).startswith("The metrics.json of saved ") and "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"metrics": NaN}'])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(UnusableMetrics):
        parsed(text)
