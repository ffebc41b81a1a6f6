"""MIMIC-CXR-JPG: tables, parts, label policies and MIMIC-IV's demographics, on a miniature in the public layout."""

import gzip

import cv2
import numpy as np
import pytest

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.chexpert import PAPER_FINDINGS
from engine.datasets.mimic_cxr import MimicCxr

METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)
LABELS = (
    "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung "
    "Lesion,Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
# Atelectasis present, Cardiomegaly and Effusion uncertain, Edema absent, Consolidation not mentioned
SAID = "1.0,-1.0,,0.0,,,,,,-1.0,,,,"
VIEWS = ("PA", "AP", "LATERAL", "LL", "")  # one film of each study
PATIENTS = {  # subject: part, gender, age in 2150, races of the admissions
    "10000032": ("train", "F", 52, ["WHITE"]),
    "10000764": ("train", "M", 86, ["BLACK/AFRICAN AMERICAN", "BLACK/CAPE VERDEAN", "UNKNOWN"]),
    "10001122": ("validate", "F", 40, ["ASIAN - CHINESE"]),
    "11000011": ("test", "M", 61, ["WHITE", "ASIAN"]),  # which of them is not known
    "11000566": ("test", "F", 30, []),
    "12000001": ("train", "", 0, None),  # in neither of MIMIC-IV's tables
}


def write(path, lines, packed=True):
    text = ("\n".join(lines) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text) if packed else text)


def study_of(subject):
    return f"5{subject[1:]}"


def write_folder(root, packed=True, demographics="."):
    ending = "csv.gz" if packed else "csv"
    metadata, labels, split, people, stays = [METADATA], [LABELS], ["dicom_id,study_id,subject_id,split"], [], []
    for number, (subject, (part, gender, age, races)) in enumerate(PATIENTS.items()):
        study = study_of(subject)
        for view in VIEWS:
            film = f"{number:08x}-{view or 'none'}"
            file = root / "files" / f"p{subject[:2]}" / f"p{subject}" / f"s{study}" / f"{film}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.full((40, 50), 10 * number, np.uint8))
            metadata.append(
                f"{film},{subject},{study},CHEST (PA AND LAT),{view},3056,2544,21530522,213014.531,CHEST (PA AND "
                "LAT),postero-anterior,Erect"
            )
            split.append(f"{film},{study},{subject},{part}")
        if subject != "11000566":  # a few studies have no labels
            labels.append(f"{subject},{study},{SAID}")
        if races is not None:
            people.append(f"{subject},{gender},{age},2150,2014 - 2016,")
            stays += [
                f"{subject},{20000000 + len(stays)},2150-05-06 22:23:00,EMERGENCY,Medicaid,ENGLISH,WIDOWED,{race}"
                for race in races
            ]
    for name, lines in {"metadata": metadata, "chexpert": labels, "split": split}.items():
        write(root / f"mimic-cxr-2.0.0-{name}.{ending}", lines, packed)
    if demographics:
        write(
            root / demographics / f"patients.{ending}",
            ["subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod", *people],
            packed,
        )
        heading = "subject_id,hadm_id,admittime,admission_type,insurance,language,marital_status,race"
        write(root / demographics / f"admissions.{ending}", [heading, *stays], packed)


def by_patient(collection, attribute):
    return dict(zip(collection.patients.tolist(), collection.attributes[attribute].tolist()))


@pytest.mark.parametrize("packed", [True, False])
def test_frontal_films_are_read_and_lateral_ones_are_not(tmp_path, packed):
    write_folder(tmp_path, packed)
    collection = open_collection("mimic_cxr", tmp_path)
    assert len(collection) == 12 and collection.findings == PAPER_FINDINGS
    assert sorted(set(collection.attributes["view_position"])) == ["AP", "PA"]
    assert collection.pictures[0] == "files/p10/p10000032/s50000032/00000000-PA.jpg"
    assert collection.image(2).shape == (40, 50) and collection.image(2, 32).shape == (32, 32)
    assert abs(float(collection.image(2).mean()) - 10) < 1


def test_the_official_parts_are_kept_and_no_patient_is_in_two(tmp_path):
    write_folder(tmp_path)
    collection = MimicCxr(tmp_path)
    assert [len(collection.split(part)) for part in SPLITS] == [6, 2, 4, 12]
    parts = [set(collection.patients[collection.split(part)]) for part in SPLITS[:3]]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 6
    assert parts[1] == {"10001122"}
    with pytest.raises(ValueError, match="split must be one of"):
        collection.split("validate")


@pytest.mark.parametrize(("policy", "uncertain"), [("zeros", 0), ("ones", 1), ("ignore", np.nan)])
def test_uncertain_labels_follow_the_policy_and_silence_means_absent(tmp_path, policy, uncertain):
    write_folder(tmp_path)
    labels = MimicCxr(tmp_path, uncertain=policy).labels
    # Atelectasis, Cardiomegaly, Consolidation, Edema, Pleural Effusion
    assert np.array_equal(labels[0], np.array([1, uncertain, 0, 0, uncertain], np.float32), equal_nan=True)
    assert labels.dtype == np.float32


def test_a_study_without_labels_is_unknown_and_not_healthy(tmp_path):
    write_folder(tmp_path)
    collection = MimicCxr(tmp_path)
    unlabelled = collection.patients == "11000566"
    assert np.isnan(collection.labels[unlabelled]).all() and not np.isnan(collection.labels[~unlabelled]).any()


@pytest.mark.parametrize("where", [".", "hosp", "mimic-iv/hosp"])
def test_sex_age_and_race_are_joined_from_mimic_iv(tmp_path, where):
    write_folder(tmp_path, demographics=where)
    collection = MimicCxr(tmp_path)
    assert by_patient(collection, "sex") == {
        "10000032": "F",
        "10000764": "M",
        "10001122": "F",
        "11000011": "M",
        "11000566": "F",
        "12000001": "",
    }
    assert by_patient(collection, "race") == {
        "10000032": "White",
        "10000764": "Black",
        "10001122": "Asian",
        "11000011": "",
        "11000566": "",
        "12000001": "",
    }
    ages = by_patient(collection, "age")
    assert ages["10000032"] == "55" and ages["12000001"] == ""  # 52 in 2150, filmed in 2153


def test_demographics_may_lie_elsewhere_and_need_not_be_there(tmp_path):
    write_folder(tmp_path / "films", demographics="../people")
    assert [*MimicCxr(tmp_path / "films").attributes] == ["view_position"]
    assert {"sex", "race", "age"} <= {*MimicCxr(tmp_path / "films", demographics=tmp_path / "people").attributes}
    with pytest.raises(UnusableCollection, match="lacks patients.csv.gz of MIMIC-IV"):
        MimicCxr(tmp_path / "films", demographics=tmp_path)


def test_films_that_are_not_there_are_left_out(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "files/p10/p10000032/s50000032/00000000-PA.jpg").unlink()
    collection = MimicCxr(tmp_path)
    assert len(collection) == 11 and len(collection.labels) == len(collection.attributes["race"]) == 11


def test_an_unknown_policy_or_finding_is_refused(tmp_path):
    write_folder(tmp_path)
    with pytest.raises(ValueError, match="uncertain must be one of zeros, ones, ignore, got 'maybe'"):
        MimicCxr(tmp_path, uncertain="maybe")
    with pytest.raises(ValueError, match="does not label Effusion; it labels"):
        MimicCxr(tmp_path, findings=("Effusion",))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "mimic-cxr-2.0.0-split.csv.gz").unlink(), "has no mimic-cxr-2.0.0-split.csv.gz"),
        (lambda root: (root / "mimic-cxr-2.0.0-metadata.csv.gz").unlink(), "has no mimic-cxr-2.0.0-metadata.csv.gz"),
        (
            lambda root: write(root / "mimic-cxr-2.0.0-chexpert.csv.gz", ["subject_id,study_id"]),
            "has no column Atelectasis",
        ),
        (lambda root: write(root / "patients.csv.gz", ["subject_id,gender"]), "has no column anchor_age, anchor_year"),
        (lambda root: write(root / "admissions.csv.gz", ["subject_id,hadm_id"]), "has no column race"),
        (lambda root: (root / "mimic-cxr-2.0.0-split.csv.gz").write_bytes(b"\x1f\x8b not gzip"), "cannot be read"),
        (
            lambda root: (root / "patients.csv.gz").write_bytes(gzip.compress(b"subject_id\n" * 500)[:40]),
            "cannot be read",
        ),
        (lambda root: [path.unlink() for path in root.rglob("*.jpg")], "None of the frontal pictures"),
    ],
)
def test_a_folder_that_lacks_something_says_what(tmp_path, spoil, sentence):
    write_folder(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UnusableCollection, match=sentence):
        MimicCxr(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(UnusableCollection, match="is not a folder"):
        MimicCxr(tmp_path / "nowhere")
