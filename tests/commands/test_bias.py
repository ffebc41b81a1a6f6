"""python -m engine bias: the answer first, the same numbers three times, and one sentence for what a user can mend."""

import io
import json
import re
import shutil
from functools import partial

import pytest
from pypdf import PdfReader

from engine.bias.report.reasons import Verdict, Why
from engine.checkpoints.metrics import Metrics
from engine.checkpoints.resolve import open_checkpoint
from engine.methods.attri_net.produce import tiny
from engine.metrics.measure import Measure, metrics
from engine.registry import method
from engine.tables import number
from tests.methods.attri_net.small import draw_once

PHANTOM = ("--data", "phantom", "--option", "count=90", "--option", "size=32", "--split", "all")


@pytest.fixture
def bias(engine, monkeypatch):
    """Runs the command on drawn films that are drawn once."""
    draw_once(monkeypatch)
    return partial(engine, "bias")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("bias") / "tiny").folder


def test_the_answer_comes_first_and_paper_and_json_hold_the_same_numbers(bias, checkpoint, tmp_path):
    files = tmp_path / "new" / "bias.json", tmp_path / "new" / "bias.pdf"
    code, out, err = bias(
        "--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--json", files[0], "--pdf", files[1]
    )
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "Would the answer change if only the sex changed?"
    assert lines[1].split()[0].rstrip(",") in ("Yes", "A", "Barely", "No", "That")
    assert "100%" in err  # the progress bar
    assert "::" not in out
    said = json.loads(files[0].read_text())
    assert said["command"] == "bias" and said["answer"].startswith(lines[1])
    paper = re.sub(
        r"\s+", " ", " ".join(page.extract_text() for page in PdfReader(io.BytesIO(files[1].read_bytes())).pages)
    )
    assert {"eca", "effect", "p_value", "composition"} <= {row["metric"] for row in said["rows"]} <= {*metrics()}
    (report,) = said["reports"]
    assert report["checkpoint"] == "tiny" and report["checkpoint_sha256"] == open_checkpoint(checkpoint).sha256
    assert (report["collection"], report["attribute"], report["values"]) == ("phantom", "sex", ["F", "M"])
    assert report["n"] == report["patients"] == sum(report["groups"].values()) == 90 and report["remarks"] == []
    assert report["generator"] == "structural" and report["exact"]
    assert (
        report["split"] == "all"
        and report["seed"] == 0
        and report["level"] == 0.05
        and report["margin"] == 0.05
        and 0 <= report["overlap"] <= 1
    )
    assert "patients of seed" in report["data"] and report["date"] in out and report["assumption"] in out
    assert report["family"]["questions"] == [
        {"attribute": "sex", "generator": "structural", "n": 90, "hypotheses": report["family"]["hypotheses"]}
    ]
    for one in report["findings"]:
        point = f"{one['finding'].lower()} {number(one['threshold'])}"
        assert (
            point in out and one["verdict"] in {*Verdict} and bool(one["reason"]) == (one["verdict"] == "cannot tell")
        )
        assert (one["why"] in {*Why}) == bool(one["reason"])
    for row in said["rows"]:
        between = "-" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
        assert f"{number(row['value'])} {between} {row['n']}" in paper
        assert row["subject"] in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--attribute", "age"), "the drawing of these films cannot change 'age'; it can change sex, view_position"),
        (("--attribute", "marker"), "--option marker=TEXT"),
        (("--attribute", "sex", "--split", "half"), "split is one of"),
        (("--attribute", "sex", "--generator", "nobody"), "There is no checkpoint at 'nobody'"),
        (("--attribute", "sex", "--checkpoint", "nobody"), "There is no checkpoint at 'nobody'"),
        (
            ("--attribute", "sex", "--option", "colour=3"),
            "no such option as 'colour'; there are count, marker, marker_share, seed, size.",
        ),
        (("--attribute", "sex", "--option", "count=99999999999999999999"), "at most 1000000"),
        (("--attribute", "sex", "--option", "size=big"), "size must be a whole number, got 'big'"),
        (("--attribute", "sex", "--data", "vagan_synthetic"), "vagan_synthetic has no such option"),
        (("--attribute", "sex", "--data", "chestxray8"), "give its root"),
    ],
)
def test_bad_input_ends_in_one_sentence(bias, checkpoint, words, told):
    code, _out, err = bias("--checkpoint", checkpoint, "--data", "phantom", "--option", "size=32", *words)
    sentence = err.strip().splitlines()[-1]
    assert code == 1 and sentence.startswith("engine: ") and told in sentence and "Traceback" not in err


@pytest.mark.parametrize("option", ["--json", "--pdf"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(bias, option, tmp_path):
    (tmp_path / "file").write_text("")
    for path, told in ((tmp_path, "is a folder"), (tmp_path / "file" / "bias", "is a file and no folder")):
        code, _out, err = bias(
            "--checkpoint", "nobody", *PHANTOM, "--attribute", "sex", option, path
        )  # nor is a checkpoint looked for
        assert code == 1 and err.startswith("engine: ") and err.count("\n") == 1 and told in err
    assert (tmp_path / "file").read_text() == ""


def test_a_finding_that_the_films_are_not_labelled_for_is_tested_too(bias, tmp_path):
    folder = method("onnx").tiny(tmp_path / "opacity").folder
    code, out, err = bias("--checkpoint", folder, *PHANTOM, "--attribute", "sex")
    assert code == 0, err
    (line,) = (line for line in out.splitlines() if line.startswith("Opacity  "))
    assert re.search(r" 0\.\d\d +- +-$", line)  # parity needs no label, opportunity and odds do


def test_films_carry_the_marker_that_the_checkpoint_was_trained_with(bias, checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "marked")
    config = json.loads((folder / "config.json").read_text())
    config["data"]["options"] = {"count": 90, "size": 32, "marker": "ROOM"}
    (folder / "config.json").write_text(json.dumps(config))
    code, out, err = bias("--checkpoint", folder, "--data", "phantom", "--split", "all", "--attribute", "marker")
    assert code == 0, err
    assert "Would the answer change if only the marker in the picture changed?" in out
    assert "phantom was opened with count=90, size=32, marker=ROOM as marked was trained" in out


def test_a_model_that_explains_cannot_show_patients_otherwise(bias, checkpoint):
    code, _out, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--generator", checkpoint)
    assert code == 1 and "explains scans and cannot change an attribute" in err


def test_a_generator_of_which_little_is_known_gives_numbers_and_no_verdict(bias, checkpoint, tmp_path):
    generator = method("cit_lr").tiny(tmp_path / "generator").folder
    code, out, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--generator", generator)
    assert code == 0, err
    assert out.splitlines()[1] == "These pictures do not allow an answer." and "mean change of the probability" in out


def test_groups_that_are_too_small_are_named_without_an_error(bias, checkpoint):
    code, out, _err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--count", "12")
    assert (
        code == 0
        and out.splitlines()[1].startswith("These pictures do not allow")
        and "patients, fewer than the 20" in out
    )


def test_what_a_marker_changes_stands_on_the_card_beside_the_map(bias, checkpoint, tmp_path):
    folder = tmp_path / "marked"
    shutil.copytree(checkpoint, folder)
    rows = [Measure("confounder_sensitivity", "Cardiomegaly", 0.0, None, None, 187, chance=0.1)]
    (folder / "metrics.json").write_text(Metrics(rows).text())
    marked = "--option", "marker=CXR-ROOM1", "--option", "marker_share=50", "--attribute", "marker", "--card"
    code, _out, err = bias("--checkpoint", folder, *PHANTOM, *marked, "--json", tmp_path / "bias.json")
    assert code == 0, err
    said = {row["subject"]: row["value"] for row in json.loads((tmp_path / "bias.json").read_text())["rows"]}
    marked = open_checkpoint(folder)
    found, card = {row.subject: row.value for row in marked.metrics.rows}, marked.card
    for subject in (
        "Cardiomegaly by marker: mean change of the probability, absent to present",
        "Cardiomegaly by marker: decisions that flip",
    ):
        assert found[subject] == said[subject] and subject in card
    assert "- Marker and cardiomegaly: the strongest tenth of the map (class centre) covers 0 % of the marker" in card


def test_only_exact_counterfactuals_go_onto_a_card(bias, checkpoint, tmp_path):
    generator = method("cit_lr").tiny(tmp_path / "generator").folder
    code, _, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--generator", generator, "--card")
    assert code == 1 and "--card is for exact counterfactuals" in err
    code, _out, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--card")
    assert code == 1 and "no table of measures" in err and "step" not in err  # refused before the work


def test_several_attributes_of_one_call_are_one_family(bias, checkpoint, tmp_path):
    code, out, err = bias(
        "--checkpoint",
        checkpoint,
        *PHANTOM,
        "--attribute",
        "sex",
        "--attribute",
        "view_position",
        "--json",
        tmp_path / "bias.json",
    )
    assert code == 0, err
    families = [report["family"] for report in json.loads((tmp_path / "bias.json").read_text())["reports"]]
    assert families[0] == families[1] and [question["attribute"] for question in families[0]["questions"]] == [
        "sex",
        "view_position",
    ]
    assert out.count(f"Questions asked: {families[0]['hypotheses']} p values corrected together") == 2
