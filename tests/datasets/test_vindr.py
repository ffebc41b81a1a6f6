"""VinDr-CXR: radiologists' boxes, ticks, parts and original sizes, on miniature folders in the public layout."""

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.vindr import PAPER_FINDINGS, VinDr

TRAIN = [f"{i:032x}" for i in range(20)]
TEST = [f"{i:032x}" for i in range(100, 104)]


def write_dicom(path, pixels):
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    film = pydicom.Dataset()
    film.file_meta = meta
    film.SOPClassUID, film.SOPInstanceUID, film.Modality = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
        "DX",
    )
    film.Rows, film.Columns = pixels.shape
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.PixelData = pixels.astype("<u2").tobytes()
    film.save_as(path, enforce_file_format=True)


def write_folder(root, ending=".png", tables="annotations"):
    """Pictures 80 wide and 60 high; picture 0 has two radiologists' boxes, 1 a tick without a box, the
    others nothing.
    """
    (root / "train").mkdir()
    (root / "test").mkdir()
    (root / tables).mkdir(exist_ok=True)
    ramp = np.tile(np.arange(80, dtype=np.uint16) * 50, (60, 1))
    for part, names in (("train", TRAIN), ("test", TEST)):
        for name in names:
            path = root / part / f"{name}{ending}"
            if ending == ".png":
                cv2.imwrite(str(path), ramp)
            else:
                write_dicom(path, ramp)
    rows = [
        f"{TRAIN[0]},R8,Cardiomegaly,20,30,40,60",
        f"{TRAIN[0]},R9,Cardiomegaly,30,30,60,60",
        f"{TRAIN[0]},R9,Pleural effusion,0,0,8,6",
    ]
    rows += [f"{name},R{r},No finding,,,," for name in TRAIN[1:] for r in (8, 9, 10)]
    (root / tables / "annotations_train.csv").write_text(
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n" + "\n".join(rows) + "\n"
    )
    rows = [f"{TEST[0]},Pulmonary fibrosis,10,10,20,20", *(f"{name},No finding,,,," for name in TEST[1:])]
    (root / tables / "annotations_test.csv").write_text(
        "image_id,class_name,x_min,y_min,x_max,y_max\n" + "\n".join(rows) + "\n"
    )
    ticks = [f"{name},R{r},0,{int(name == TRAIN[1] and r == 9)},0" for name in TRAIN for r in (8, 9, 10)]
    (root / tables / "image_labels_train.csv").write_text(
        "image_id,rad_ID,Cardiomegaly,Pneumonia,No finding\n" + "\n".join(ticks) + "\n"
    )


@pytest.mark.parametrize("tables", ["annotations", "."])
def test_any_radiologists_box_or_tick_makes_a_picture_positive(tmp_path, tables):
    write_folder(tmp_path, tables=tables)
    collection = open_collection("vindr", tmp_path, findings=("Cardiomegaly", "Pleural effusion", "Pneumonia"))
    assert len(collection) == 24
    order = {name: i for i, name in enumerate(collection.pictures)}
    assert collection.labels[order[TRAIN[0]]].tolist() == [1, 1, 0]
    assert collection.labels[order[TRAIN[1]]].tolist() == [0, 0, 1]
    assert collection.labels.sum() == 3
    assert VinDr(tmp_path).findings == PAPER_FINDINGS


@pytest.mark.parametrize("ending", [".png", ".dicom"])
def test_boxes_are_in_pixels_of_the_original_and_every_radiologist_counts(tmp_path, ending):
    write_folder(tmp_path, ending)
    collection = VinDr(tmp_path)
    index = int(collection.annotated("Cardiomegaly")[0])
    first, second = collection.regions(index, "Cardiomegaly", 40)  # half of 80 wide, two thirds of 60 high
    expected = np.zeros((40, 40), bool)
    expected[20:40, 10:20] = True
    assert (first == expected).all()
    expected[20:40, 15:30] = True
    assert ((first | second) == expected).all()
    assert (collection.mask(index, "Cardiomegaly", 40) == expected).all()
    assert collection.mask(index, "Aortic enlargement", 40) is None


@pytest.mark.parametrize("ending", [".png", ".dicom"])
def test_pictures_come_in_the_scanners_own_units(tmp_path, ending):
    write_folder(tmp_path, ending)
    collection = VinDr(tmp_path)
    assert (collection.image(3) == np.arange(80) * 50).all()
    assert collection.image(3, 20).shape == (20, 20) and collection.image(3, 20).dtype == np.float32


def test_the_official_test_part_is_kept_and_the_rest_is_80_to_20(tmp_path):
    write_folder(tmp_path)
    collection = VinDr(tmp_path)
    assert [len(collection.split(name)) for name in SPLITS] == [16, 4, 4, 24]
    assert set(collection.pictures[collection.split("test")]) == set(TEST)
    assert len(np.unique(np.concatenate([collection.split(name) for name in SPLITS[:3]]))) == 24


def test_listed_pictures_that_are_not_there_do_not_count(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "train" / f"{TRAIN[5]}.png").unlink()
    assert len(VinDr(tmp_path)) == 23


def test_a_damaged_picture_is_named_when_it_is_read(tmp_path):
    write_folder(tmp_path, ".dicom")
    collection = VinDr(tmp_path)
    (tmp_path / "train" / f"{collection.pictures[0]}.dicom").write_bytes(b"nothing")
    with pytest.raises(UnusableCollection, match=collection.pictures[0]):
        collection.image(0, 32)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "test").rename(root / "tests"), "has no folder test"),
        (lambda root: (root / "annotations" / "annotations_test.csv").unlink(), "has annotations_test.csv"),
        (
            lambda root: (root / "annotations" / "annotations_train.csv").write_text("image_id\n"),
            "has no column class_name, x_min",
        ),
        (lambda root: [path.unlink() for path in root.rglob("*.png")], "None of the pictures"),
    ],
)
def test_a_folder_that_lacks_something_says_what(tmp_path, spoil, sentence):
    write_folder(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UnusableCollection, match=sentence):
        VinDr(tmp_path)


def test_an_unknown_finding_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="does not label Effusion; it labels Aortic enlargement"):
        VinDr(tmp_path, findings=("Effusion",))
