"""python -m engine export: files in the forms that are asked for, or one sentence."""

import json
import shutil

import cv2
import numpy as np
import pydicom
import pytest

from engine.export.validation import MISSING
from tests.export import results
from tests.tiny_checkpoints import tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("checkpoint") / "tiny").folder


@pytest.fixture
def film(tmp_path):
    (tmp_path / "film.dcm").write_bytes(results.radiograph())
    return tmp_path / "film.dcm"


def test_a_film_is_exported_into_its_own_study(engine, film, checkpoint, tmp_path):
    words = ("export", film, "--checkpoint", checkpoint, "--as", "sr,map,csv,json", "--out", tmp_path / "out")
    code, out, _ = engine(*words, "--json", tmp_path / "rows.json", "--device", "cpu")
    assert code == 0 and "report.dcm" in out and "esearch use only" in out
    report = pydicom.dcmread(tmp_path / "out" / "report.dcm")
    assert report.PatientID == "MRN-4711" and report.StudyInstanceUID == results.UIDS["StudyInstanceUID"]
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert {row["file"] for row in rows} == {path.name for path in (tmp_path / "out").iterdir()}
    assert not [word for word in results.NAMES if word in out]


def test_names_are_left_out_when_that_is_asked_for(engine, film, checkpoint, tmp_path):
    words = ("export", film, "--checkpoint", checkpoint, "--as", "sr", "--out", tmp_path / "out", "--de-identify")
    code, out, _ = engine(*words)
    assert code == 0 and "look at every picture" in out
    assert pydicom.dcmread(tmp_path / "out" / "report.dcm").PatientIdentityRemoved == "YES"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason=MISSING)
def test_objects_are_validated_when_that_is_asked_for(engine, film, checkpoint, tmp_path):
    code, out, _ = engine(
        "export", film, "--checkpoint", checkpoint, "--as", "sr,gsps", "--out", tmp_path, "--validate"
    )
    assert code == 0 and out.count("no error") == 2


def test_an_unknown_form_is_one_sentence_and_nothing_is_written(engine, film, checkpoint, tmp_path):
    code, _, err = engine("export", film, "--checkpoint", checkpoint, "--as", "sr,hl7", "--out", tmp_path / "out")
    assert code == 1 and "no form 'hl7'" in err and not (tmp_path / "out").exists()


def test_a_picture_gets_a_study_of_its_own(engine, checkpoint, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(1).integers(0, 256, (90, 80)).astype(np.uint8))
    code, out, _ = engine(
        "export", tmp_path / "a.png", "--checkpoint", checkpoint, "--as", "sr", "--out", tmp_path / "o"
    )
    assert code == 0 and "belongs to a new study" in out and (tmp_path / "o" / "picture.dcm").exists()
