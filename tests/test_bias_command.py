"""python -m engine bias: the answer first, the same numbers three times, and one sentence for what a user can mend."""

import io
import json
import re
from functools import partial

import pytest
from pypdf import PdfReader

from engine import datasets
from engine.attri_net.produce import tiny
from engine.metrics.measure import METRICS
from engine.registry import method
from engine.tables import number

PHANTOM = ("--data", "phantom", "--option", "count=90", "--option", "size=32", "--split", "all")


@pytest.fixture
def bias(engine, monkeypatch):
    """Runs the command on drawn films that are drawn once."""
    monkeypatch.setitem(datasets.COLLECTIONS, "phantom", ("tests.attri_net.small", "DrawnOnce"))
    return partial(engine, "bias")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("bias") / "tiny").folder


def test_the_answer_comes_first_and_paper_and_json_hold_the_same_numbers(bias, checkpoint, tmp_path):
    files = tmp_path / "new" / "bias.json", tmp_path / "new" / "bias.pdf"
    code, out, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--json", files[0], "--pdf", files[1])
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "Would the answer change if only the sex changed?"
    assert lines[1].split()[0].rstrip(",") in ("Yes", "Barely", "No", "That")
    assert "100%" in err  # the progress bar
    said = json.loads(files[0].read_text())
    assert said["command"] == "bias" and said["answer"].startswith(lines[1])
    paper = re.sub(r"\s+", " ", " ".join(page.extract_text() for page in PdfReader(io.BytesIO(files[1].read_bytes())).pages))
    assert {"eca", "effect", "p_value", "composition"} <= {row["metric"] for row in said["rows"]} <= {*METRICS}
    for row in said["rows"]:
        between = "-" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
        assert f"{number(row['value'])} {between} {row['n']}" in paper
        assert row["subject"] in out


@pytest.mark.parametrize(
    "words, told",
    [
        (("--attribute", "age"), "it can change sex, view_position"),
        (("--attribute", "marker"), "--option marker=TEXT"),
        (("--attribute", "sex", "--split", "half"), "split is one of"),
        (("--attribute", "sex", "--generator", "nobody"), "There is no checkpoint at 'nobody'"),
        (("--attribute", "sex", "--checkpoint", "nobody"), "There is no checkpoint at 'nobody'"),
        (("--attribute", "sex", "--option", "colour=3"), "no such option"),
        (("--attribute", "sex", "--data", "vagan_synthetic"), "vagan_synthetic has no such option"),
        (("--attribute", "sex", "--data", "chestxray8"), "give its root"),
    ],
)
def test_bad_input_ends_in_one_sentence(bias, checkpoint, words, told):
    code, out, err = bias("--checkpoint", checkpoint, "--data", "phantom", "--option", "size=32", *words)
    sentence = err.strip().splitlines()[-1]
    assert code == 1 and sentence.startswith("engine: ") and told in sentence and "Traceback" not in err


def test_a_model_that_explains_cannot_show_patients_otherwise(bias, checkpoint):
    code, out, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--generator", checkpoint)
    assert code == 1 and "explains scans and cannot change an attribute" in err


def test_a_generator_of_which_little_is_known_gives_numbers_and_no_verdict(bias, checkpoint, tmp_path):
    generator = method("cit_lr").tiny(tmp_path / "generator").folder
    code, out, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--generator", generator)
    assert code == 0, err
    assert out.splitlines()[1] == "That cannot be told from these pictures." and "mean change of the probability" in out


def test_groups_that_are_too_small_are_named_without_an_error(bias, checkpoint):
    code, out, err = bias("--checkpoint", checkpoint, *PHANTOM, "--attribute", "sex", "--count", "12")
    assert code == 0 and out.splitlines()[1].startswith("That cannot be told") and "patients, fewer than the 20" in out
