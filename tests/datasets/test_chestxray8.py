"""The NIH collection: both releases of its table, its boxes, its parts; miniature folders and the real selection."""

import cv2
import numpy as np
import pytest

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.chestxray8 import PAPER_FINDINGS, ChestXray8
from engine.datasets.pictures import PictureMemory
from tests.places import REAL_SCANS

REAL = REAL_SCANS / "nih1000"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real films are not at {REAL}")

NEW_HEADING = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Sex,View "
    "Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
OLD_HEADING = NEW_HEADING.replace("Patient Sex", "Patient Gender") + ","


def write_folder(root, patients=10, old=False, folders=("images",), boxes=(), grey=None):
    """A miniature of the public layout: two pictures a patient, findings by turns; returns the picture names."""
    said = ["No Finding", "Cardiomegaly|Effusion", "Edema", "Infiltration|Atelectasis", "Consolidation|Pneumonia"]
    names, lines = [], [OLD_HEADING if old else NEW_HEADING]
    for patient in range(1, patients + 1):
        for follow_up in range(2):
            name = f"{patient:08d}_{follow_up:03d}.png"
            age = f"{30 + patient:03d}Y" if old else f"{30 + patient}"
            end = "," if old else ""
            lines.append(
                f"{name},{said[patient % 5]},{follow_up},{patient},{age},{'FM'[patient % 2]},{('PA', 'AP')[follow_up]},"
                f"2500,2048,0.1,0.1{end}"
            )
            folder = root / folders[len(names) % len(folders)]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = np.full((64, 64), patient, np.uint8) if grey is None else grey
            cv2.imwrite(str(folder / name), pixels)
            names.append(name)
    (root / ("Data_Entry_2017.csv" if old else "Data_Entry_2017_v2020.csv")).write_text("\n".join(lines) + "\n")
    rows = "".join(f"{name},{finding},{x},{y},{w},{h},,,\n" for name, finding, x, y, w, h in boxes)
    (root / "BBox_List_2017.csv").write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + rows)
    return names


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("folders", [("images",), ("images_001/images", "images_012/images")])
def test_both_releases_and_both_folder_layouts_read_alike(tmp_path, old, folders):
    write_folder(tmp_path, old=old, folders=folders)
    collection = ChestXray8(tmp_path)
    assert len(collection) == 20 and collection.findings == PAPER_FINDINGS
    assert collection.labels.dtype == np.float32 and collection.labels.shape == (20, 5)
    first = int(np.flatnonzero(collection.pictures == "00000001_000.png")[0])
    assert collection.labels[first].tolist() == [0, 1, 0, 0, 1]
    assert {key: values[first] for key, values in collection.attributes.items()} == {
        "sex": "M",
        "view_position": "PA",
        "age": "31",
    }
    assert collection.patients[first] == "1"


def test_findings_choose_the_label_columns(tmp_path):
    write_folder(tmp_path)
    collection = ChestXray8(tmp_path, findings=("Pneumonia", "Infiltration"))
    assert collection.labels[collection.patients == "3"].tolist() == [[0, 1], [0, 1]]
    assert collection.labels[collection.patients == "4"].tolist() == [[1, 0], [1, 0]]


def test_an_unknown_finding_is_refused_with_the_known_ones(tmp_path):
    write_folder(tmp_path)
    with pytest.raises(ValueError, match="does not label Stroke; it labels Atelectasis"):
        ChestXray8(tmp_path, findings=("Stroke",))


def test_listed_pictures_that_are_not_there_do_not_count(tmp_path):
    names = write_folder(tmp_path)
    (tmp_path / "images" / names[3]).unlink()
    collection = ChestXray8(tmp_path)
    assert len(collection) == 19 and names[3] not in collection.pictures


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "Data_Entry_2017_v2020.csv").unlink(), "has neither Data_Entry_2017_v2020.csv nor"),
        (lambda root: [path.unlink() for path in (root / "images").iterdir()], "None of the pictures"),
        (lambda root: (root / "images").rename(root / "elsewhere"), "has no images/"),
        (lambda root: rename_column(root, "Finding Labels"), "has no column Finding Labels"),
        (lambda root: rename_column(root, "Patient Sex"), "has no column Patient Gender"),
        (lambda root: (root / "BBox_List_2017.csv").write_text("a,b\n"), "must start with the columns"),
    ],
)
def test_a_folder_that_lacks_something_says_what(tmp_path, spoil, sentence):
    write_folder(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UnusableCollection, match=sentence):
        ChestXray8(tmp_path)


def rename_column(root, name):
    path = root / "Data_Entry_2017_v2020.csv"
    path.write_text(path.read_text().replace(name, "Something"))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UnusableCollection, match="nowhere is not a folder"):
        ChestXray8(tmp_path / "nowhere")


def test_a_damaged_picture_is_named_when_it_is_read(tmp_path):
    names = write_folder(tmp_path)
    (tmp_path / "images" / names[0]).write_bytes(b"not a picture")
    collection = ChestXray8(tmp_path)
    with pytest.raises(UnusableCollection, match=f"{names[0]} is missing or damaged"):
        collection.image(0)


def test_boxes_land_where_the_1024_grid_says(tmp_path):
    write_folder(
        tmp_path,
        boxes=[
            ("00000001_000.png", "Cardiomegaly", 256, 512, 128, 256),
            ("00000001_000.png", "Cardiomegaly", 0, 0, 64, 64),
        ],
    )
    collection = ChestXray8(tmp_path)
    index = int(collection.annotated("Cardiomegaly")[0])
    first, second = collection.regions(index, "Cardiomegaly", 64)
    expected = np.zeros((64, 64), bool)
    expected[32:48, 16:24] = True
    assert (first == expected).all()
    assert second.sum() == 16 and second[:4, :4].all()
    assert (collection.mask(index, "Cardiomegaly", 64) == (first | second)).all()
    assert collection.mask(index, "Effusion", 64) is None and collection.regions(index, "Effusion", 64) == []


def test_a_box_smaller_than_a_pixel_still_marks_one(tmp_path):
    write_folder(tmp_path, boxes=[("00000001_000.png", "Effusion", 500, 100, 3, 3)])
    collection = ChestXray8(tmp_path)
    assert collection.mask(0, "Effusion", 16).sum() == 1


def test_the_box_list_says_infiltrate_and_means_infiltration(tmp_path):
    write_folder(tmp_path, boxes=[("00000003_000.png", "Infiltrate", 0, 0, 512, 512)])
    assert len(ChestXray8(tmp_path, findings=("Infiltration",)).annotated("Infiltration")) == 1


def test_pictures_come_in_their_own_grey_and_at_the_asked_size(tmp_path):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    write_folder(tmp_path, patients=1, grey=ramp)
    collection = ChestXray8(tmp_path)
    whole, half = collection.image(0), collection.image(0, 32)
    assert whole.shape == (64, 64) and whole.dtype == half.dtype == np.float32
    assert np.allclose(half, ramp.reshape(32, 2, 32, 2).mean(axis=(1, 3)))
    assert collection.image(0, 128).shape == (128, 128)


def test_a_kept_picture_cannot_be_spoiled_by_its_reader(tmp_path):
    write_folder(tmp_path, patients=1)
    collection = ChestXray8(tmp_path)
    collection.image(0, 32)[:] = -1
    collection.image(0, 32)[:] = -2
    assert (collection.image(0, 32) == 1).all()


def test_the_memory_for_pictures_stays_below_its_limit(tmp_path):
    write_folder(tmp_path)
    memory = PictureMemory(limit_bytes=3 * 32 * 32 * 4)
    collection = ChestXray8(tmp_path, memory=memory)
    pictures = [collection.image(index, 32) for index in range(20)]
    assert memory.used_bytes == 3 * 32 * 32 * 4
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    assert (collection.image(2, 32) == pictures[2]).all()  # kept, so not read again
    with pytest.raises(UnusableCollection):
        collection.image(3, 32)


@pytest.mark.parametrize("lists", [False, True])
def test_no_patient_is_in_two_parts_and_none_is_lost(tmp_path, lists):
    names = write_folder(
        tmp_path, patients=40, boxes=[(f"{p:08d}_000.png", "Effusion", 0, 0, 99, 99) for p in range(31, 41)]
    )
    if lists:
        (tmp_path / "test_list.txt").write_text("\n".join(names[40:]) + "\n")
        (tmp_path / "train_val_list.txt").write_text("\n".join(names[:40]) + "\n")
    collection = ChestXray8(tmp_path)
    parts = [set(collection.patients[collection.split(name)]) for name in SPLITS[:3]]
    assert all(parts) and sum(map(len, parts)) == len(set.union(*parts)) == 40
    assert (collection.split("all") == np.arange(80)).all()
    with pytest.raises(ValueError, match="split must be one of"):
        collection.split("dev")


def test_the_official_test_list_is_kept_but_for_the_patients_lent_to_guidance(tmp_path):
    names = write_folder(
        tmp_path, patients=40, boxes=[(f"{p:08d}_000.png", "Effusion", 0, 0, 99, 99) for p in range(31, 41)]
    )
    (tmp_path / "test_list.txt").write_text("\n".join(names[40:]) + "\n")
    official = {str(patient) for patient in range(21, 41)}
    untouched, lent = ChestXray8(tmp_path, guidance_share=0), ChestXray8(tmp_path)
    assert set(untouched.patients[untouched.split("test")]) == official
    assert len(untouched.split("train")) == 32 and len(untouched.split("validation")) == 8
    moved = official - set(lent.patients[lent.split("test")])
    assert len(moved) == 4 and moved <= {str(patient) for patient in range(31, 41)}
    assert moved <= set(lent.patients[lent.split("train")])
    assert (lent.split("validation") == untouched.split("validation")).all()


def test_the_parts_do_not_depend_on_the_findings_asked_for(tmp_path):
    write_folder(tmp_path, patients=40)
    first, second = ChestXray8(tmp_path), ChestXray8(tmp_path, findings=("Pneumonia",))
    assert all((first.split(name) == second.split(name)).all() for name in SPLITS)
    assert (ChestXray8(tmp_path, seed=7).split("test").tolist()) != first.split("test").tolist()


@needs_real
def test_the_real_selection_has_the_counts_its_provenance_says():
    collection = open_collection("chestxray8", REAL)
    assert len(collection) == 768 and len(collection.boxes) == 37
    assert len(ChestXray8(REAL, findings=("Pneumonia",)).annotated("Pneumonia")) == 31
    assert collection.image(0).shape == (320, 320)
    assert set(collection.attributes["sex"]) == {"F", "M"} and set(collection.attributes["view_position"]) == {
        "AP",
        "PA",
    }


@needs_real
def test_every_part_of_the_real_selection_has_positives_of_every_finding_and_its_own_patients():
    collection = ChestXray8(REAL)
    parts = {name: collection.split(name) for name in SPLITS[:3]}
    assert sum(map(len, parts.values())) == 768
    for name, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
        assert (collection.labels[parts[name]].sum(axis=0) > 0).all()
        assert len(set(collection.patients[parts[name]])) / 534 == pytest.approx(share, abs=0.01)
    patients = [set(collection.patients[indices]) for indices in parts.values()]
    assert len(set.union(*patients)) == sum(map(len, patients))


@needs_real
def test_a_real_cardiomegaly_box_covers_the_lower_middle():
    collection = ChestXray8(REAL)
    index = int(collection.annotated("Cardiomegaly")[0])
    rows, columns = np.nonzero(collection.mask(index, "Cardiomegaly", 320))
    assert collection.pictures[index] == "00008365_000.png"
    assert (columns.min(), columns.max() + 1) == pytest.approx((337.9 / 3.2, 755.5 / 3.2), abs=1)
    assert (rows.min(), rows.max() + 1) == pytest.approx((509.6 / 3.2, 913.1 / 3.2), abs=1)


def test_all_published_boxes_are_found_in_the_installed_package(tmp_path):
    pytest.importorskip("torchxrayvision", reason="torchxrayvision, whose table has all boxes, is not installed")
    write_folder(tmp_path, boxes=[("00000001_000.png", "Effusion", 0, 0, 99, 99)])
    collection = ChestXray8(tmp_path)
    assert len(collection.boxes) == 1 and len(collection.all_boxes()) == 985
    assert len(collection.boxes_elsewhere()) == 984 and collection.boxes[0] not in collection.boxes_elsewhere()
    assert all(0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in collection.all_boxes())
    (tmp_path / "BBox_List_2017.csv").unlink()
    assert len(ChestXray8(tmp_path).all_boxes()) == 984


def test_without_box_list_and_package_there_are_no_boxes(tmp_path, monkeypatch):
    write_folder(tmp_path)
    (tmp_path / "BBox_List_2017.csv").unlink()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    collection = ChestXray8(tmp_path)
    assert collection.all_boxes() == [] and collection.mask(0, "Effusion", 8) is None


def test_an_unknown_collection_is_refused_with_the_known_names():
    with pytest.raises(
        ValueError, match="no collection is called 'chestxray'; known are .*chestxray8, chexpert.* phantom.* vindr"
    ):
        open_collection("chestxray")


def test_a_collection_that_needs_a_folder_says_so():
    with pytest.raises(UnusableCollection, match="chestxray8 is read from a folder"):
        open_collection("chestxray8")


def test_opening_by_name_hands_the_options_on(tmp_path):
    write_folder(tmp_path)
    assert open_collection("chestxray8", tmp_path, findings=("Mass",)).findings == ("Mass",)
