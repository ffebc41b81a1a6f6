"""CheXpert: tables, label policies, parts and CheXlocalize's segmentations, on miniature folders in the
public layout.
"""

import json

import cv2
import numpy as np
import pytest

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.chexpert import PAPER_FINDINGS, CheXpert, decode_run_lengths

FINDINGS = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung "
    "Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support "
    "Devices"
)
HEADING = "Path,Sex,Age,Frontal/Lateral,AP/PA," + FINDINGS
# one column for each of FINDINGS: Cardiomegaly uncertain, Edema absent, Consolidation not mentioned, Atelectasis
# present
SAID = ",,-1.0,,,0.0,,,1.0,,-1.0,,,"


def write_picture(root, file, grey=9):
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / file), np.full((40, 50), grey, np.uint8))


def write_folder(root, release="CheXpert-v1.0-small", train=20, test=True):
    """Two frontal films and a lateral one a patient in train; three patients in valid, three in test
    without sex and age.
    """
    rows = []
    for patient in range(1, train + 1):
        for study in (1, 2):
            file = f"train/patient{patient:05d}/study{study}/view1_frontal.jpg"
            write_picture(root, file)
            rows.append(
                f"{release}/{file},{('Female', 'Male')[patient % 2]},{40 + patient},Frontal,{('AP', 'PA')[study % 2]},"
                f"{SAID}"
            )
        file = f"train/patient{patient:05d}/study1/view2_lateral.jpg"
        write_picture(root, file)
        rows.append(f"{release}/{file},Female,50,Lateral,,{SAID}")
    (root / "train.csv").write_text("\n".join([HEADING, *rows]) + "\n")
    rows = []
    for patient in (64541, 64542, 64543):
        file = f"valid/patient{patient}/study1/view1_frontal.jpg"
        write_picture(root, file)
        rows.append(f"{release}/{file},Male,70,Frontal,AP,{','.join(['1.0'] * 14)}")
    (root / "valid.csv").write_text("\n".join([HEADING, *rows]) + "\n")
    if test:
        rows = []
        for patient in (64741, 64742, 64743):
            file = f"test/patient{patient}/study1/view1_frontal.jpg"
            write_picture(root, file)
            rows.append(f"{file},{','.join(['0.0'] * 14)}")
        (root / "test_labels.csv").write_text("\n".join(["Path," + FINDINGS, *rows]) + "\n")


def write_segmentations(root):
    """A Cardiomegaly square on the first film of valid and of test, and an empty Edema mask on the former."""
    square = {"size": [60, 50], "counts": "^=S1i0" + "0" * 43 + "VU1"}  # pycocotools' own encoding
    empty = {"size": [60, 50], "counts": [3000]}
    (root / "gt_segmentations_val.json").write_text(
        json.dumps({"patient64541_study1_view1_frontal": {"Cardiomegaly": square, "Edema": empty}})
    )
    (root / "CheXlocalize").mkdir()
    (root / "CheXlocalize" / "gt_segmentations_test.json").write_text(
        json.dumps({"patient64741_study1_view1_frontal": {"Cardiomegaly": square}})
    )


@pytest.mark.parametrize("release", ["CheXpert-v1.0", "CheXpert-v1.0-small"])
def test_frontal_films_of_both_releases_are_read_and_lateral_ones_are_not(tmp_path, release):
    write_folder(tmp_path, release)
    collection = open_collection("chexpert", tmp_path)
    assert len(collection) == 46 and collection.findings == PAPER_FINDINGS
    assert not any("lateral" in picture for picture in collection.pictures)
    assert {key: values[0] for key, values in collection.attributes.items()} == {
        "sex": "M",
        "age": "41",
        "view_position": "PA",
    }
    assert {key: values[-1] for key, values in collection.attributes.items()} == {
        "sex": "",
        "age": "",
        "view_position": "",
    }
    assert collection.patients[0] == "patient00001"
    assert collection.image(0).shape == (40, 50) and collection.image(0, 32).shape == (32, 32)


@pytest.mark.parametrize(("policy", "uncertain"), [("zeros", 0), ("ones", 1), ("ignore", np.nan)])
def test_uncertain_labels_follow_the_policy_and_silence_means_absent(tmp_path, policy, uncertain):
    write_folder(tmp_path)
    labels = CheXpert(tmp_path, uncertain=policy).labels
    # Atelectasis present, Cardiomegaly uncertain, Consolidation not mentioned, Edema absent, Pleural Effusion uncertain
    assert np.array_equal(labels[0], np.array([1, uncertain, 0, 0, uncertain], np.float32), equal_nan=True)
    assert labels.dtype == np.float32


def test_an_unknown_policy_or_finding_is_refused(tmp_path):
    write_folder(tmp_path)
    with pytest.raises(ValueError, match="uncertain must be one of zeros, ones, ignore, got 'maybe'"):
        CheXpert(tmp_path, uncertain="maybe")
    with pytest.raises(ValueError, match="does not label Effusion; it labels"):
        CheXpert(tmp_path, findings=("Effusion",))


def test_the_official_parts_are_kept(tmp_path):
    write_folder(tmp_path)
    collection = CheXpert(tmp_path)
    assert [len(collection.split(name)) for name in SPLITS] == [40, 3, 3, 46]
    assert all(picture.startswith("test/") for picture in collection.pictures[collection.split("test")])
    assert collection.guidance_part == "validation"


def test_without_a_test_table_valid_is_the_test_part_and_no_patient_is_in_two(tmp_path):
    write_folder(tmp_path, test=False)
    collection = CheXpert(tmp_path)
    assert all(picture.startswith("valid/") for picture in collection.pictures[collection.split("test")])
    assert [len(collection.split(name)) for name in SPLITS] == [36, 4, 3, 43]
    parts = [set(collection.patients[collection.split(name)]) for name in SPLITS[:3]]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert collection.guidance_part == "train"


def test_segmentations_are_resized_to_the_whole_picture(tmp_path):
    write_folder(tmp_path)
    write_segmentations(tmp_path)
    collection = CheXpert(tmp_path)
    index = int(np.flatnonzero(collection.patients == "patient64541")[0])
    expected = np.zeros((60, 50), np.uint8)
    expected[10:45, 7:30] = 1
    assert (
        collection.mask(index, "Cardiomegaly", 300) == cv2.resize(expected, (300, 300), interpolation=cv2.INTER_NEAREST)
    ).all()
    assert collection.mask(index, "Edema", 32) is None  # looked for, nothing drawn
    assert collection.mask(0, "Cardiomegaly", 32) is None
    assert collection.patients[collection.annotated("Cardiomegaly")].tolist() == ["patient64541", "patient64741"]
    assert len(collection.annotated("Edema")) == 0


def test_run_lengths_read_down_the_columns():
    mask = decode_run_lengths({"size": [3, 2], "counts": [1, 2, 1, 1, 1]})
    assert mask.tolist() == [[False, False], [True, True], [True, False]]
    with pytest.raises(UnusableCollection, match="lists 5 pixels"):
        decode_run_lengths({"size": [3, 2], "counts": [5]})


def test_the_demographics_tell_the_sex_that_a_test_table_does_not(tmp_path):
    write_folder(tmp_path)
    rows = [
        "patient64741,Female,50,White,Unknown",
        "patient64742,Unknown,50,White,Unknown",
        "patient00001,Female,50,White,Unknown",
    ]
    (tmp_path / "CHEXPERT DEMO.csv").write_text(
        "\n".join(["PATIENT,GENDER,AGE_AT_CXR,PRIMARY_RACE,ETHNICITY", *rows]) + "\n"
    )
    collection = CheXpert(tmp_path)
    assert collection.attributes["sex"][collection.split("test")].tolist() == ["F", "", ""]
    assert collection.attributes["sex"][0] == "M"  # what the film's own row says stands


def test_race_is_grouped_when_the_demographics_are_there(tmp_path):
    write_folder(tmp_path)
    said = ["White, non-Hispanic", "Black or African American", "Asian", "Native American", "Unknown", ""]
    rows = [f'patient{i + 1:05d},Male,50,"{race}",Unknown' for i, race in enumerate(said)]
    (tmp_path / "CHEXPERT DEMO.csv").write_text(
        "\n".join(["PATIENT,GENDER,AGE_AT_CXR,PRIMARY_RACE,ETHNICITY", *rows]) + "\n"
    )
    race = CheXpert(tmp_path).attributes["race"]
    assert race[:14:2].tolist() == ["White", "Black", "Asian", "Other", "", "", ""]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "train.csv").unlink(), "has no train.csv"),
        (lambda root: (root / "valid.csv").unlink(), "has no valid.csv and no val_labels.csv"),
        (
            lambda root: (root / "train.csv").write_text("Path,Edema\n"),
            "train.csv has no column Atelectasis, Cardiomegaly",
        ),
        (lambda root: [path.unlink() for path in root.rglob("*.jpg")], "None of the frontal pictures"),
        (lambda root: (root / "CHEXPERT DEMO.csv").write_text("PATIENT\n"), "has no column PRIMARY_RACE, GENDER"),
    ],
)
def test_a_folder_that_lacks_something_says_what(tmp_path, spoil, sentence):
    write_folder(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UnusableCollection, match=sentence):
        CheXpert(tmp_path)
