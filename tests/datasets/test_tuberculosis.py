"""The four tuberculosis collections in one folder, written here in miniature: labels, readings, lesions and borders."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.tuberculosis import Tuberculosis
from engine.registry import method, open_model
from engine.scan import Scan, read_scan
from tests.methods.map_translation.test_produce import job


def film(seed, height=100, width=80):
    return cv2.resize(np.random.default_rng(seed).integers(0, 256, (10, 8)).astype(np.uint8), (width, height))


def write_folder(root, each=10, dicom=None):
    """`each` films with and without tuberculosis in Shenzhen, Montgomery and KIT, and with it in Belarus."""
    readings = {
        "ChinaSet_AllFiles": ("CHNCXR", "male 45yrs\nbilateral PTB\n", "female, 23 yrs\nnormal\n"),
        "MontgomerySet": (
            "MCUCXR",
            "Patient's Sex: M\nPatient's Age: 045Y\nabnormal\n",
            "Patient's Sex: F\nPatient's Age: 023Y\nnormal\n",
        ),
    }
    for folder, (prefix, ill, well) in readings.items():
        (root / folder / "CXR_png").mkdir(parents=True)
        (root / folder / "ClinicalReadings").mkdir()
        for i in range(1, 2 * each + 1):
            name = f"{prefix}_{i:04d}_{int(i > each)}"
            cv2.imwrite(str(root / folder / "CXR_png" / f"{name}.png"), film(i))
            (root / folder / "ClinicalReadings" / f"{name}.txt").write_text(ill if i > each else well)
    for folder in ("Belarus/patient 1", "KIT/normal", "KIT/tuberculosis"):
        (root / folder).mkdir(parents=True)
        for i in range(each):
            if dicom and folder.startswith("KIT"):
                (root / folder / f"{i}.dcm").write_bytes(dicom)
            else:
                cv2.imwrite(str(root / folder / f"{i}.jpg"), film(100 + i))
    return root


def test_each_collection_is_labelled_in_its_own_way(tmp_path):
    collection = open_collection("tuberculosis", write_folder(tmp_path))
    assert len(collection) == 70 and collection.kind == "radiograph" and collection.findings == ("Tuberculosis",)
    ill = {
        name: collection.labels[collection.attributes["source"] == name, 0]
        for name in ("shenzhen", "montgomery", "belarus", "kit")
    }
    assert {name: (len(labels), labels.mean()) for name, labels in ill.items()} == {
        "shenzhen": (20, 0.5),
        "montgomery": (20, 0.5),
        "belarus": (10, 1.0),
        "kit": (20, 0.5),
    }
    assert len(set(collection.patients)) == 70


def test_sex_and_age_come_from_the_readings_of_both_kinds(tmp_path):
    collection = Tuberculosis(write_folder(tmp_path), sources="shenzhen,montgomery")
    ill = collection.labels[:, 0] == 1
    assert set(collection.attributes["sex"][ill]) == {"M"} and set(collection.attributes["sex"][~ill]) == {"F"}
    assert set(collection.attributes["age"][ill]) == {"45"} and set(collection.attributes["age"][~ill]) == {"23"}
    assert set(Tuberculosis(tmp_path, sources=("belarus",)).attributes["sex"]) == {""}


def test_the_border_is_cut_and_the_greys_are_the_films_own(tmp_path):
    collection = Tuberculosis(write_folder(tmp_path), sources="shenzhen")
    picture = collection.image(0)
    assert picture.shape == (94, 76) and picture.dtype == np.float32
    assert (picture == film(1).astype(np.float32)[3:-3, 2:-2]).all()
    assert collection.image(0, 32).shape == (32, 32)
    assert Tuberculosis(tmp_path, sources="shenzhen", crop="whole").image(0).shape == (100, 80)


@pytest.mark.parametrize("crop", ["inside", "whole"])
def test_an_uploaded_film_is_seen_as_in_training(crop, tmp_path):
    collection = Tuberculosis(write_folder(tmp_path / "films", each=8), sources="shenzhen", crop=crop)
    made = method("cx_gan").train(job("cx_gan", tmp_path, collection=collection))
    model = open_model(made, "cpu")
    scan = Scan.of(collection.scan_pixels(0), kind="radiograph")
    assert made.config["crop"] == crop
    trained_on = model.preprocessing.apply(collection.image(0, model.preprocessing.size))
    assert np.allclose(model.preprocess(scan), trained_on, atol=1e-4)


def test_lesion_masks_of_shenzhen_are_cut_like_the_film_and_merged(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "ChinaSet_AllFiles" / "lesions").mkdir()
    for n, rows in enumerate((slice(10, 30), slice(60, 80))):
        mask = np.zeros((100, 80), np.uint8)
        mask[rows, 20:40] = 255
        cv2.imwrite(str(tmp_path / "ChinaSet_AllFiles" / "lesions" / f"CHNCXR_0015_1_{n}.png"), mask)
    collection = Tuberculosis(tmp_path)
    (index,) = collection.annotated("Tuberculosis")
    assert collection.films[index].path.name == "CHNCXR_0015_1.png"
    expected = np.zeros((94, 76), bool)
    expected[7:27, 18:38] = expected[57:77, 18:38] = True
    assert (collection.mask(index, "Tuberculosis", None) == expected).all()
    assert [region.shape for region in collection.regions(index, "Tuberculosis", 32)] == [(32, 32)] * 2
    assert collection.mask(0, "Tuberculosis", 32) is None


def test_dicom_films_are_read_with_bright_meaning_dense(tmp_path):
    pydicom_data = pytest.importorskip("pydicom.data", reason="pydicom's test files are not installed")
    data = Path(pydicom_data.get_testdata_file("RG1_UNCR.dcm")).read_bytes()  # MONOCHROME1: stored dark is dense
    collection = Tuberculosis(write_folder(tmp_path, each=1, dicom=data), sources="kit", crop="whole")
    scan = read_scan(data).pixels
    assert collection.image(0).shape == scan.shape
    assert np.corrcoef(collection.image(0)[::16, ::16].ravel(), scan[::16, ::16].ravel())[0, 1] == pytest.approx(
        1, abs=1e-4
    )


def test_every_source_and_class_reaches_every_part_once(tmp_path):
    collection = Tuberculosis(write_folder(tmp_path))
    parts = {name: collection.split(name) for name in SPLITS[:3]}
    assert {name: len(indices) for name, indices in parts.items()} == {"train": 49, "validation": 7, "test": 14}
    for indices in parts.values():
        assert len({(film.source, film.ill) for film in (collection.films[i] for i in indices)}) == 7
    assert len(np.unique(np.concatenate(list(parts.values())))) == 70


def test_no_choice_of_sources_means_all_of_them(tmp_path):
    write_folder(tmp_path, each=1)
    assert len(Tuberculosis(tmp_path, sources="")) == len(Tuberculosis(tmp_path)) == 7


def test_films_of_one_name_in_two_folders_are_two_patients(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / "KIT" / "normal" / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "KIT" / "normal" / folder / "1.png"), film(1))
    assert len(set(Tuberculosis(tmp_path).patients)) == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sources": "shenzen"}, "sources must be of shenzhen, montgomery, belarus, kit, got shenzen"),
        ({"crop": "beam"}, "crop must be one of inside, whole, got 'beam'"),
        ({"findings": ("Pneumonia",)}, "labelled for Tuberculosis only"),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(tmp_path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Tuberculosis(tmp_path, **options)
    with pytest.raises(UnusableCollection, match="holds no films in ChinaSet_AllFiles, MontgomerySet, Belarus, KIT"):
        Tuberculosis(tmp_path)


def test_damaged_films_are_named(tmp_path):
    write_folder(tmp_path, each=1, dicom=b"no film")
    with pytest.raises(UnusableCollection, match="0.dcm: "):
        Tuberculosis(tmp_path, sources="kit").image(0)
    (tmp_path / "Belarus" / "patient 1" / "0.jpg").write_bytes(b"no film")
    with pytest.raises(UnusableCollection, match="0.jpg is missing or damaged"):
        Tuberculosis(tmp_path, sources="belarus").image(0)
