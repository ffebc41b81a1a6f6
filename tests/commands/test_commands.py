"""The command line: what it writes, what it prints, and one sentence with a non-zero exit for whatever a
user can mend.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest
from pydicom.data import get_testdata_file

from engine import __main__
from engine.checkpoints.format import CARD_SECTIONS
from engine.checkpoints.resolve import open_checkpoint
from engine.checkpoints.sections import read_card
from engine.commands import doctor
from engine.commands.evaluate import measured_elsewhere
from engine.commands.shared import opened
from engine.commands.train import typed
from engine.errors import UsageError
from engine.methods.attri_net.produce import tiny
from engine.methods.cit_lr.produce import tiny as tiny_generator
from engine.metrics.measure import metrics
from engine.registry import method, methods, open_model
from engine.scan import Scan, read_scan
from tests.datasets.test_busi import write_folder as write_frames
from tests.datasets.test_chestxray8 import write_folder as write_films
from tests.datasets.test_implants import chest
from tests.methods.attri_net.small import PATIENTS, SCHEDULE, SMALL, beginning, draw_once, patients
from tests.places import ROOT

SETTINGS = [word for name, value in {**SMALL, **SCHEDULE}.items() for word in ("--set", f"{name}={value}")]
DATA = ["--data", "phantom", "--option", f"count={PATIENTS}"]


@pytest.fixture(autouse=True)
def drawn_once(monkeypatch):
    draw_once(monkeypatch)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return beginning(tmp_path_factory.mktemp("start") / "tiny").folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, start):
    """(folder, standard output) of a small training through the command line."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        draw_once(patch)
        patch.setattr(sys, "argv", ["engine", *map(str, training(folder, start))])
        with (folder / "said").open("w") as said:
            patch.setattr(sys, "stdout", said)
            __main__.command_line(standalone_mode=False)
    return folder, (folder / "said").read_text()


def training(folder, start, *more):
    return [
        "train",
        "attri_net",
        *DATA,
        *SETTINGS,
        "--start-from",
        start,
        "--device",
        "cpu",
        "--guidance",
        "mixed",
        "--name",
        "small",
        "--runs",
        folder / "runs",
        "--out",
        folder / "out",
        *more,
    ]


@pytest.fixture
def film(tmp_path):
    """A PNG of a drawn chest."""
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), patients().image(0, 96).astype(np.uint8))
    return path


def one_sentence(said):
    code, _, err = said
    lines = err.strip().splitlines()
    assert code == 1, said
    assert len(lines) == 1 and lines[0].startswith("engine: ") and "Traceback" not in err, err
    return lines[0]


def test_train_saves_a_checkpoint_that_opens_with_a_complete_card(trained):
    folder, said = trained
    checkpoint = open_checkpoint(folder / "out" / "small")
    sections = read_card(checkpoint.card)
    assert {*sections} == {*CARD_SECTIONS}
    assert said.strip().endswith(checkpoint.card.strip())
    assert sections["Command"].startswith("```\npython -m engine train attri_net --data phantom")
    assert "4 steps" in sections["Hardware and wall time"]
    assert "sex F" in sections["Subgroups"] and "view position" in sections["Subgroups"]
    assert "annotation" in sections["Split and seeds"] and f"train {int(0.7 * PATIENTS)}" in sections["Split and seeds"]
    assert checkpoint.config["training"]["steps_done"] == 4 and checkpoint.config["network"]["width"] == 4
    assert all(scale > 0 for scale in checkpoint.config["scales"].values())
    records = open_model(checkpoint, "cpu").explain(Scan.of(patients().image(3, 64)))
    assert [record.finding for record in records] == list(patients().findings)


def test_a_published_command_names_no_folder_of_this_machine_and_can_be_typed_again(monkeypatch):
    words = [
        "train",
        "attri_net",
        "--root",
        "/home/me/films",
        "--out=/home/me/out",
        "--runs",
        "/home/me/runs",
        "--start-from",
        "/home/me/runs/first",
    ]
    private = ["--option", "demographics=/home/me/mimic-iv", "--option=demographics=/home/me/mimic-iv"]
    monkeypatch.setattr(sys, "argv", ["engine", *private])
    assert typed() == "python -m engine --option demographics=DIR --option=demographics=DIR"
    monkeypatch.setattr(sys, "argv", ["engine", *words, "--option", "marker=it's $5 ", "--resume", "--set", "steps=4"])
    said = typed()
    assert "/home" not in said and "--resume" not in said
    expected = [
        "--root",
        "DIR",
        "--out=DIR",
        "--runs",
        "DIR",
        "--start-from",
        "first",
        "--option",
        "marker=it's $5 ",
        "--set",
        "steps=4",
    ]
    assert shlex.split(said) == ["python", "-m", "engine", "train", "attri_net", *expected]
    monkeypatch.setattr(sys, "argv", ["engine", "train", "attri_net", "--start-from", "hub:clinic/first@v1"])
    assert typed().endswith("--start-from hub:clinic/first@v1")


def test_training_where_a_run_is_needs_resume_and_resume_gives_the_same_weights(trained, start, engine):
    folder, _ = trained
    before = open_checkpoint(folder / "out" / "small").sha256
    assert "add --resume" in one_sentence(engine(*training(folder, start)))
    assert open_checkpoint(folder / "out" / "small").sha256 == before
    assert "another learning_rate" in one_sentence(
        engine(*training(folder, start, "--resume", "--set", "learning_rate=0.1"))
    )
    assert "seed 42, not 7" in one_sentence(engine(*training(folder, start, "--resume", "--seed", "7")))


def test_an_interrupted_training_saves_says_so_and_leaves_with_130(tmp_path, start, engine, monkeypatch):
    from engine.methods.attri_net.train import AttriNetRecipe

    step = AttriNetRecipe.step
    monkeypatch.setattr(
        AttriNetRecipe,
        "step",
        lambda self, now, fabric: (now == 1 and os.kill(os.getpid(), signal.SIGINT), step(self, now, fabric))[1],
    )
    code, _, err = engine(*training(tmp_path, start))
    assert code == 130
    assert err.strip().splitlines()[-1] == "engine: stopped after step 2; --resume goes on from there."
    assert (tmp_path / "runs" / "small" / "state.safetensors").is_file() and not (tmp_path / "out").exists()


def test_evaluate_prints_every_measure_and_writes_the_same_as_json(trained, engine, tmp_path):
    folder, _ = trained
    checkpoint = folder / "out" / "small"
    code, out, err = engine(
        "evaluate", "attri_net", "--checkpoint", checkpoint, *DATA, "--device", "cpu", "--json", tmp_path / "rows.json"
    )
    assert code == 0, err
    text = json.loads((tmp_path / "rows.json").read_text())
    assert text["command"] == "evaluate" and text["version"]
    for row in text["rows"]:
        assert {"metric", "subject", "value", "low", "high", "n"} <= {*row} and row["metric"] in metrics()
        assert row["low"] is None or row["low"] <= row["high"]
        assert any(line.startswith(row["metric"]) and row["subject"] in line for line in out.splitlines())
    measured = {row["metric"] for row in text["rows"]}
    assert {"auc", "accuracy", "sensitivity", "specificity", "class_sensitivity", "disease_sensitivity"} <= measured
    assert {"evidence_on_body", "recovery", "restraint"} <= measured
    card = read_card(open_checkpoint(checkpoint).card)["Metrics"]
    for row in text["rows"]:  # the card of a training says what evaluating its checkpoint says
        assert f"| {row['metric']} | {row['subject']} |" in card


def test_metrics_are_asked_for_by_name_or_group_each_beside_a_random_map(trained, engine, tmp_path):
    checkpoint, rows = trained[0] / "out" / "small", tmp_path / "rows.json"
    evaluate = "evaluate", "attri_net", "--checkpoint", checkpoint, *DATA, "--device", "cpu"
    code, _, err = engine(*evaluate, "--metric", "sparseness", "--metric", "truth", "--most", "2", "--json", rows)
    assert code == 0, err
    found = json.loads(rows.read_text())["rows"]
    assert {row["metric"] for row in found} == {"sparseness", "recovery", "restraint"}
    assert {row["n"] for row in found if row.get("finding")} == {2}
    for metric in ("sparseness", "recovery"):
        at_random = [row for row in found if row["metric"] == metric and "random map" in row.get("variant", "")]
        assert len(at_random) * 2 == len([row for row in found if row["metric"] == metric])
    code, _, err = engine(*evaluate, "--metric", "bleu")
    assert code != 0 and "no metric or group is called 'bleu'" in err and "faithfulness" in err


def test_a_checkpoint_is_not_measured_on_scans_of_another_kind(engine, tmp_path):
    lesions = method("cx_gan").tiny(tmp_path / "lesions").folder  # of vagan_synthetic, whose finding BUSI has as well
    frames = write_frames(tmp_path / "busi")
    said = one_sentence(
        engine("evaluate", "cx_gan", "--checkpoint", lesions, "--data", "busi", "--root", frames, "--device", "cpu")
    )
    assert "trained on vagan_synthetic (kind unknown)" in said and "measured on busi (kind ultrasound)" in said


@pytest.mark.parametrize(
    ("trained_on", "refused"),
    [
        ({"collection": "busi", "kind": "ultrasound"}, True),
        ({"collection": "vagan_synthetic", "kind": "unknown"}, True),
        ({"kind": "ultrasound"}, True),
        ({"collection": "chestxray8", "kind": "radiograph"}, False),
        ({"collection": "chestxray8", "kind": "unknown"}, False),
        ({"collection": "a hospital's", "kind": "unknown"}, False),
    ],
)
def test_another_collection_of_the_same_kind_is_measured_with_a_remark(trained_on, refused, tmp_path):
    tiny_one = method("cx_gan").tiny(tmp_path / "tiny")
    checkpoint = replace(tiny_one, config={**tiny_one.config, "data": trained_on})
    if refused:
        with pytest.raises(UsageError, match=r"cannot be measured on phantom \(kind radiograph\)"):
            measured_elsewhere(checkpoint, patients())
    else:
        (remark,) = measured_elsewhere(checkpoint, patients())
        assert f"trained on {trained_on['collection']} and is measured on phantom" in remark


def test_where_the_collection_is_its_own_or_not_known_there_is_no_remark(tmp_path):
    tiny_one = method("cx_gan").tiny(tmp_path / "tiny")
    for said in ({"collection": "phantom", "kind": "radiograph"}, {"collection": "", "kind": "unknown"}, {}):
        assert measured_elsewhere(replace(tiny_one, config={**tiny_one.config, "data": said}), patients()) == []


def test_evaluate_measures_a_generator_too(engine, tmp_path):
    made = tiny_generator(tmp_path / "made").folder
    code, out, err = engine("evaluate", "cit_lr", "--checkpoint", made, *DATA, "--split", "all", "--device", "cpu")
    assert code == 0, err
    assert "effectiveness" in out and "composition" in out


def test_evaluate_measures_the_marker_of_a_collection_that_has_one(trained, engine, tmp_path):
    code, _, err = engine(
        "evaluate",
        "attri_net",
        "--checkpoint",
        trained[0] / "out" / "small",
        *DATA,
        "--option",
        "marker=CXR-ROOM1",
        "--split",
        "validation",
        "--json",
        tmp_path / "rows.json",
    )
    assert code == 0, err
    assert "confounder_sensitivity" in {
        row["metric"] for row in json.loads((tmp_path / "rows.json").read_text())["rows"]
    }


@pytest.fixture
def marked(trained, tmp_path):
    """The trained checkpoint as if its films had carried a marker."""
    folder = shutil.copytree(trained[0] / "out" / "small", tmp_path / "marked")
    config = json.loads((folder / "config.json").read_text())
    assert config["data"]["options"] == {"count": PATIENTS}, "what the training was given"
    config["data"]["options"]["marker"] = "CXR-ROOM1"
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_checkpoint_is_measured_on_data_as_it_was_trained_without_being_told(marked, engine):
    evaluate = "evaluate", "attri_net", "--checkpoint", marked, "--data", "phantom", "--split", "validation"
    code, out, err = engine(*evaluate)
    assert code == 0, err
    assert "confounder_sensitivity" in out
    assert f"phantom was opened with count={PATIENTS}, marker=CXR-ROOM1 as marked was trained" in out
    code, told, err = engine(*evaluate, "--option", f"count={PATIENTS}", "--option", "marker=CXR-ROOM1")
    assert code == 0, err
    assert told.replace("as given", "as marked was trained") == out, "the figures are those of the same options given"


def test_options_that_are_given_win_and_those_of_the_training_can_be_left_out(marked, engine):
    evaluate = "evaluate", "attri_net", "--checkpoint", marked, "--data", "phantom", "--split", "validation"
    code, out, err = engine(*evaluate, "--option", "marker=LEFT")
    assert code == 0, err
    assert f"phantom was opened with marker=LEFT as given and count={PATIENTS} as marked was trained" in out
    code, out, err = engine(*evaluate, "--default-options", "--option", f"count={PATIENTS}")
    assert code == 0, err
    assert "confounder_sensitivity" not in out and f"phantom was opened with count={PATIENTS} as given" in out


def test_remembered_options_that_are_none_are_said_with_what_helps(marked, engine):
    config = json.loads((marked / "config.json").read_text())
    config["data"]["options"] = {"colour": 1}
    (marked / "config.json").write_text(json.dumps(config))
    code, _, err = engine("evaluate", "attri_net", "--checkpoint", marked, "--data", "phantom")
    assert code == 1 and "no such option as 'colour'" in err and "--default-options" in err and err.count("\n") == 1


def test_a_marker_that_is_a_number_is_burned_in_as_it_was_written():
    plain, marked = (opened("phantom", None, options=["count=40", "size=64", *more]) for more in ([], ["marker=007"]))
    assert [marker.text for marker in marked.markers] == ["007"]
    assert any(
        not np.array_equal(marked.image(i), plain.image(i)) for i in np.flatnonzero(marked.labels[:, 0] == 1)[:8]
    )


def test_explain_writes_records_maps_and_pictures(trained, engine, film, tmp_path):
    checkpoint, out = open_checkpoint(trained[0] / "out" / "small"), tmp_path / "out"
    code, said, err = engine(
        "explain", film, "--checkpoint", checkpoint.folder, "--out", out, "--json", tmp_path / "rows.json"
    )
    assert code == 0, err
    text, scan = json.loads((out / "explanation.json").read_text()), read_scan(film.read_bytes())
    assert text["remark"] == "Research use only, not for diagnosis" and text["remark"] in said
    assert text["scan"]["sha256"] == scan.sha256 and text["checkpoint"]["sha256"] == checkpoint.sha256
    assert text["checkpoint"]["identity"] == checkpoint.identity
    records = open_model(checkpoint, "cpu").explain(scan)
    for written, record in zip(text["explanations"], records, strict=True):
        assert written["finding"] == record.finding and written["probability"] == pytest.approx(
            record.probability, abs=1e-5
        )
        assert record.finding in said and written["checkpoint_identity"] == checkpoint.identity
        maps = np.load(out / f"{record.finding.lower()}.npz")
        assert np.array_equal(maps["attribution"], record.attribution) and np.array_equal(
            maps["counterfactual"], record.counterfactual
        )
        for picture in ("evidence", "without"):
            assert cv2.imread(str(out / f"{record.finding.lower()}_{picture}.png")).shape[:2] == scan.pixels.shape
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [row["finding"] for row in rows] == list(checkpoint.config["findings"])
    assert f"UNLIKE the training pictures: {checkpoint.name} was trained on drawn pictures only." in said
    for row in (*rows, *text["explanations"]):  # a person's film, as on the page, whatever the score
        assert row["in_distribution"]["like_training"] is False and row["in_distribution"]["only_drawn"] is True


def test_explain_of_one_finding_writes_that_one(trained, engine, film, tmp_path):
    code, _, err = engine(
        "explain", film, "--checkpoint", trained[0] / "out" / "small", "--out", tmp_path / "out", "--finding", "Edema"
    )
    assert code == 0, err
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["edema.npz", "edema_evidence.png", "edema_without.png", "explanation.json"]


def test_a_radiograph_in_dicom_is_explained(trained, engine, tmp_path):
    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    if path is None:
        pytest.skip("pydicom's RG1_UNCR.dcm is not here: pip install pydicom-data.")
    code, _, err = engine(
        "explain",
        path,
        "--checkpoint",
        trained[0] / "out" / "small",
        "--out",
        tmp_path / "out",
        "--finding",
        "Effusion",
    )
    assert code == 0, err
    text = json.loads((tmp_path / "out" / "explanation.json").read_text())
    scan = read_scan(Path(path).read_bytes())
    assert text["scan"]["shape"] == list(scan.pixels.shape) and text["scan"]["kind"] == scan.kind
    assert np.load(tmp_path / "out" / "effusion.npz")["attribution"].shape == scan.pixels.shape
    said = (tmp_path / "out" / "explanation.json").read_text()
    assert "Anonymized" not in said and "Patient's" not in said


def test_a_findings_name_is_never_a_path(tmp_path, film, engine):
    tiny(tmp_path / "deep" / "checkpoint", ("../../escaped", "Edema (left/right)"))
    code, _, err = engine(
        "explain", film, "--checkpoint", tmp_path / "deep" / "checkpoint", "--out", tmp_path / "deep" / "down" / "out"
    )
    assert code == 0, err
    assert not [path for path in tmp_path.rglob("*escaped*") if path.parent != tmp_path / "deep" / "down" / "out"]
    assert len([*(tmp_path / "deep" / "down" / "out").glob("*.npz")]) == 2


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            ("explain", "missing.png", "--checkpoint", "{start}", "--out", "{tmp}/out"),
            "; give the path of a DICOM, NIfTI, NRRD, MetaImage",
        ),
        (("explain", "{empty}", "--checkpoint", "{start}", "--out", "{tmp}/out"), "holds no file"),
        (("explain", "{broken}", "--checkpoint", "{start}", "--out", "{tmp}/out"), "."),
        (("explain", "{film}", "--checkpoint", "nowhere", "--out", "{tmp}/out"), "no checkpoint at 'nowhere'"),
        (("explain", "{film}", "--checkpoint", "{tmp}", "--out", "{tmp}/out"), "has no weights.safetensors"),
        (
            ("explain", "{film}", "--checkpoint", "{start}", "--out", "{tmp}/out", "--finding", "Gout"),
            "does not know 'Gout'",
        ),
        (("explain", "{film}", "--checkpoint", "{start}", "--out", "{tmp}/out", "--slice", "3"), "no slice 3"),
        (("explain", "{film}", "--checkpoint", "{start}", "--out", "{film}"), "film.png"),
        (
            ("explain", "{film}", "--checkpoint", "{start}", "--out", "{tmp}/out", "--device", "abacus"),
            "device must be",
        ),
        (("explain", "{volume}", "--checkpoint", "{start}", "--out", "{tmp}/out"), "slices"),
        (("evaluate", "tarot", "--checkpoint", "{start}", *DATA), "no method is called 'tarot'"),
        (("evaluate", "attri_net", "--checkpoint", "nowhere", *DATA), "no checkpoint at 'nowhere'"),
        (("evaluate", "attri_net", "--checkpoint", "{start}", "--data", "atlas"), "no collection is called 'atlas'"),
        (("evaluate", "attri_net", "--checkpoint", "{start}", "--data", "chestxray8"), "give its root"),
        (("evaluate", "attri_net", "--checkpoint", "{start}", "--data", "chestxray8", "--root", "{tmp}/none"), "none"),
        (("evaluate", "attri_net", "--checkpoint", "{start}", *DATA, "--split", "half"), "split is one of"),
        (
            ("evaluate", "attri_net", "--checkpoint", "{start}", *DATA, "--option", "colour=red"),
            "no such option as 'colour'; there are count",
        ),
        (("evaluate", "attri_net", "--checkpoint", "{start}", *DATA, "--option", "seed=-1"), "none of that value"),
        (("evaluate", "attri_net", "--checkpoint", "{start}", *DATA, "--option", "count"), "name=value"),
        (
            ("evaluate", "attri_net", "--checkpoint", "{start}", "--data", "phantom", "--option", "count=5"),
            "holds no picture",
        ),
        (("evaluate", "attri_net", "--checkpoint", "{start}", *DATA, "--option", "marker="), "marker must be a text"),
        (("train", "tarot", *DATA), "no method is called 'tarot'"),
        (("train", "attri_net", *DATA, "--preset", "large"), "no preset 'large'"),
        (("train", "attri_net", *DATA, "--guidance", "psychic"), "guidance is one of"),
        (("train", "attri_net", *DATA, "--guidance", "elsewhere"), "needs a collection with a marker"),
        (
            ("train", "attri_net", *DATA, "--guidance", "pseudo", "--pseudo-mask", "round"),
            "pseudo masks are binary, weighted, bounding",
        ),
        (("train", "attri_net", *DATA, "--guidance", "full", "--pseudo-mask", "weighted"), "has no pseudo masks"),
        (("train", "attri_net", *DATA, "--set", "colour=red", "--runs", "{tmp}"), "no setting is called 'colour'"),
        (("train", "attri_net", *DATA, "--set", "size=32", "--runs", "{tmp}"), "multiple of 4 and of pool"),
        (("train", "attri_net", *DATA, "--finding", "Gout", "--runs", "{tmp}"), "phantom is labelled for"),
        (
            ("train", "attri_net", *DATA, *SETTINGS, "--devices", "3", "--runs", "{tmp}"),
            "cannot be shared by 3 devices",
        ),
        (("train", "attri_net", *DATA, *SETTINGS, "--device", "abacus", "--runs", "{tmp}"), "abacus"),
        (("train", "attri_net", *DATA, *SETTINGS, "--precision", "3-bit", "--runs", "{tmp}"), "precision"),
        (
            ("train", "attri_net", *DATA, *SETTINGS, "--start-from", "nowhere", "--runs", "{tmp}"),
            "no checkpoint at 'nowhere'",
        ),
        (("train", "attri_net", *DATA, *SETTINGS, "--start-from", "{two}", "--runs", "{tmp}"), "weights to start from"),
    ],
)
def test_what_a_user_can_mend_is_said_in_one_sentence(words, named, engine, start, film, tmp_path):
    places = {"start": start, "tmp": tmp_path, "film": film}
    for name, make in {"broken": broken, "volume": volume, "two": two_findings, "empty": empty}.items():
        if f"{{{name}}}" in words:
            places[name] = make(tmp_path / name)
    assert named in one_sentence(engine(*(word.format(**places) for word in words)))
    assert not (tmp_path / "out").exists()


def broken(path):
    path.write_bytes(b"\x89PNG\r\n\x1a\nthis is no picture")
    return path


def volume(path):
    cv2.imwritemulti(
        str(path.with_suffix(".tiff")),
        [np.arange(1600, dtype=np.uint16).reshape(40, 40) * step for step in (10, 20, 30)],
    )
    return path.with_suffix(".tiff")


def empty(path):
    path.mkdir()
    return path


def two_findings(path):
    return methods()["attri_net"].tiny(path).folder


def test_doctor_names_what_is_here_and_opens_every_checkpoint(engine, start, tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(start.parent))
    code, out, err = engine("doctor", "--json", tmp_path / "facts.json")
    facts = json.loads((tmp_path / "facts.json").read_text())
    rows = {row["name"]: row for row in facts["rows"]}
    assert facts["command"] == "doctor" and {"machine", "device", "torch", "streamlit", f"checkpoint {start.name}"} <= {
        *rows
    }
    assert rows[f"checkpoint {start.name}"]["ok"] and "Cardiomegaly" in rows[f"checkpoint {start.name}"]["says"]
    assert all(name in out for name in rows)
    assert code == (0 if all(row["ok"] for row in facts["rows"]) else 1), err


def imported_by(*words, **environment):
    """Exit code, standard error, and the modules that one command has brought along, in a process of its own."""
    program = (
        "import sys, atexit; atexit.register(lambda: print('MODULES', *sys.modules)); "
        f"sys.argv = {['engine', *map(str, words)]!r}; from engine.__main__ import main; main()"
    )
    surroundings = {**os.environ, **environment}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=surroundings)
    return ran.returncode, ran.stderr, {*ran.stdout.rpartition("MODULES")[2].split()}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("explain", "{film}", "--checkpoint", "{start}", "--out", "{out}", "--finding", "Zebra"),
            "does not know 'Zebra'",
        ),
        (
            ("explain", "{out}", "--checkpoint", "{start}", "--out", "{out}"),
            "; give the path of a DICOM, NIfTI, NRRD, MetaImage",
        ),
        (("explain", "{film}", "--checkpoint", "nowhere", "--out", "{out}"), "There is no checkpoint at 'nowhere'"),
        (
            ("explain", "{film}", "--checkpoint", "{start}", "--out", "{out}", "--finding", "effusion"),
            "(did you mean 'Effusion'?)",
        ),
        (("explain", "{volume}", "--checkpoint", "{start}", "--out", "{out}"), "choose one slice of it with --slice"),
        (("explain", "{film}", "--checkpoint", "{start}", "--out", "/proc/out"), "/proc/out cannot be written ("),
        (
            ("explain", "{film}", "--checkpoint", "{start}", "--out", "{out}", "--json", "/proc/x.json"),
            "/proc/x.json cannot be written (",
        ),
        (("evaluate", "attri_net", "--checkpoint", "{start}", *DATA, "--split", "half"), "split is one of"),
        (("evaluate", "va_gan", "--checkpoint", "{start}", *DATA), "is a checkpoint of attri_net, not of va_gan"),
        (("evaluate", "attri_net", "--checkpoint", "{start}", "--data", "busi", "--root", "{out}"), "out"),
        (("bias", "--checkpoint", "{start}", *DATA, "--attribute", "sex", "--attribute", "sex"), "named twice"),
        (("bias", "--checkpoint", "nowhere", *DATA, "--attribute", "sex"), "no checkpoint at 'nowhere'"),
        (("bias", "--checkpoint", "{start}", *DATA, "--attribute", "sex", "--pdf", "/proc/x.pdf"), "cannot be written"),
        (
            ("adopt", "{film}", "--card", "{film}", "--name", "{start_name}", "--out", "{beside}"),
            "choose another --name",
        ),
        (("adopt", "{out}", "--card", "{film}", "--name", "new"), "there is no file"),
        (("train", "attri_net", *DATA, "--name", "../evil"), "a checkpoint's name is made of"),
        (("train", "nothing", *DATA), "no method is called 'nothing'"),
        (("train", "attri_net", "--data", "nothing"), "'nothing'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_heavy_is_imported(words, sentence, start, film, tmp_path):
    volume = tmp_path / "head.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((20, 20, 5), np.int16), np.eye(4)), volume)
    places = {"start": start, "film": film, "out": tmp_path / "out", "volume": volume}
    places |= {"start_name": Path(start).name, "beside": Path(start).parent}
    code, err, modules = imported_by(*(word.format(**places) for word in words))
    assert code in (1, 2) and sentence in err and len(err.strip().splitlines()) == 1
    assert not {"torch", "sklearn", "diffusers", "lightning", "streamlit"} & modules


def test_the_list_of_commands_brings_nothing_heavy():
    code, _, modules = imported_by("--help")
    assert code == 0 and "engine.commands.reproduce" in modules
    assert not {"torch", "diffusers", "lightning", "streamlit"} & modules


def test_doctor_makes_no_network_unless_it_is_asked_to(start, tmp_path):
    surroundings = {"OTHERWISE_CHECKPOINTS": str(start.parent)}
    _, err, modules = imported_by("doctor", **surroundings)
    assert "engine.checkpoints.format" in modules and "engine.methods.attri_net.explain" not in modules, err
    assert "engine.methods.attri_net.explain" in imported_by("doctor", "--networks", **surroundings)[2]


def test_what_opening_a_checkpoint_imports_is_known_without_importing_it():
    assert {"torch", "numpy", "cv2"} <= methods()["attri_net"].packages()
    assert "diffusers" in method("cit_lr").packages() and "diffusers" not in methods()["attri_net"].packages()
    for entry in (method("cit_lr"), *methods().values()):
        assert entry.packages() and not [name for name in entry.packages() if importlib.util.find_spec(name) is None]


def test_doctor_says_what_is_wrong_with_a_checkpoint_and_leaves_with_1(engine, start, tmp_path, monkeypatch):
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    (spoilt / "config.json").write_text("{}")
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    code, out, err = engine("doctor")
    assert code == 1 and "checkpoint spoilt" in err
    assert [line for line in out.splitlines() if line.startswith("NO ") and "spoilt has no weights.safetensors" in line]


@pytest.mark.parametrize(("missing", "named"), [("cv2", "opencv-python-headless"), ("diffusers", "diffusers")])
def test_doctor_runs_where_a_package_is_missing_and_names_it(missing, named, tmp_path):
    tiny_generator(tmp_path / "generator")
    blocked = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['engine', 'doctor']; from engine.__main__ import "
        "main; main()"
    )
    surroundings = {**os.environ, "OTHERWISE_CHECKPOINTS": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, cwd=ROOT, env=surroundings)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr and len(ran.stderr.strip().splitlines()) == 1, (
        ran.stderr
    )
    refused = [line for line in ran.stdout.splitlines() if line.startswith("NO ")]
    assert any(line.split()[1] == named for line in refused)
    assert any("checkpoint generator" in line and missing in line for line in refused), ran.stdout


def test_doctor_looks_for_everything_that_is_required():
    wanted = {
        re.match(r"[\w.-]+", line)[0]
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if re.match(r"\w", line)
    }
    found = {row["name"]: row for row in doctor.parts()}
    assert {*found} == wanted and all(row["ok"] for row in found.values()), found


def test_the_command_line_explains_itself_and_says_that_it_is_for_research(engine):
    code, out, _ = engine("--help")
    assert code == 0 and "Research use only, not for diagnosis" in out
    for command in ("doctor", "explain", "train", "evaluate"):
        assert command in out
        code, said, _ = engine(command, "--help")
        assert code == 0 and "--" in said


def test_a_wrong_option_is_said_without_a_traceback(engine):
    code, _, err = engine("explain", "--checkpont", "x")
    assert code == 2 and "--checkpont" in err and err.startswith("engine: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bias", "--checkpoint", "x", *DATA, "--attribute", "sex", "--count", "0"), "Invalid value for '--count'"),
        (("bench", "invariance", "--rounds", "many"), "Invalid value for '--rounds'"),
        (("explain",), "Missing"),
        (("paint",), "No such command 'paint'"),
    ],
)
def test_words_that_no_command_takes_end_in_one_sentence_that_names_the_help(engine, words, told):
    code, out, err = engine(*words)
    assert (
        code == 2
        and out == ""
        and told in err
        and err.startswith("engine: ")
        and err.endswith("--help.\n")
        and err.count("\n") == 1
    )


@pytest.mark.parametrize(
    "words", [("bench", "none"), ("doctor",), ("evaluate", "none"), ("explain", "none"), ("reproduce", "none")]
)
def test_every_command_refuses_a_json_file_that_cannot_be_written_before_the_work(engine, tmp_path, words):
    needed = {"evaluate": ("--checkpoint", "x", *DATA), "explain": ("--checkpoint", "x", "--out", tmp_path / "out")}
    assert f"{tmp_path} is a folder; name a file to write." in one_sentence(
        engine(*words, *needed.get(words[0], ()), "--json", tmp_path)
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["attri_net", *DATA, "--pairs", "phantom"], "pairs are implants, got 'phantom'"),
        (
            ["va_gan", *DATA, "--finding", "Effusion", "--pairs", "implants"],
            "VA-GAN cannot learn from made pairs; leave --pairs out, or train one of",
        ),
        (["attri_net", *DATA, "--pairs", "implants"], "implants is read from a folder: give its root"),
        (
            ["supervised", "--data", "vagan_synthetic", "--pairs", "implants"],
            "implants can be made of Atelectasis, .*, not of Lesion",
        ),
        (
            ["attri_net", *DATA, "--set", "pairs_first=3"],
            "pairs_first asks for steps with made pairs alone, and there are none",
        ),
    ],
)
def test_pairs_that_cannot_teach_are_refused_in_a_sentence(engine, tmp_path, words, said):
    assert re.search(said, one_sentence(engine("train", *words, "--runs", tmp_path, "--out", tmp_path)))


def test_pairs_made_of_real_films_teach_and_the_card_says_so(engine, tmp_path):
    write_films(tmp_path / "films", patients=50, grey=chest())
    code, out, err = engine(
        "train",
        "supervised",
        *DATA,
        "--pairs",
        "implants",
        "--pairs-root",
        tmp_path / "films",
        "--pairs-copies",
        2,
        "--device",
        "cpu",
        "--name",
        "taught",
        "--runs",
        tmp_path / "runs",
        "--out",
        tmp_path / "out",
        *(
            word
            for setting in ("size=32", "width=4", "levels=2", "steps=2", "validate_every=1", "made_pairs=4")
            for word in ("--set", setting)
        ),
    )
    assert code == 0, err
    assert "Also trained on" in out and "--pairs-root DIR" in out and str(tmp_path) not in out
    assert open_checkpoint(tmp_path / "out" / "taught").config["data"]["pairs"] == "implants"


@pytest.mark.parametrize(("returned", "code"), [(None, 0), ([], 0), (["a remark"], 0), (3, 3)])
def test_what_a_command_returns_is_no_failure(monkeypatch, capsys, returned, code):
    monkeypatch.setattr(__main__, "command_line", lambda *_, **__: returned)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == code and not capsys.readouterr().err
