"""Breast ultrasound in its public layout: classes, merged masks, crops and marks; miniature folders and the
real selection.
"""

import cv2
import numpy as np
import pytest

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.busi import BUSI
from engine.datasets.crop import beam_crop
from engine.datasets.pictures import read_grey
from engine.preprocessing import Preprocessing
from tests.places import REAL_SCANS

REAL = REAL_SCANS / "busi"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real frames are not at {REAL}")


def write_folder(root, each=10, height=100, width=120):
    """`each` frames a class; lesions in the left half, every second frame with a second one in the right half."""
    random = np.random.default_rng(0)
    for name in ("benign", "malignant", "normal"):
        (root / name).mkdir(parents=True)
        for i in range(1, each + 1):
            grey = cv2.resize(random.integers(20, 220, (10, 12)).astype(np.uint8), (width, height))
            cv2.imwrite(str(root / name / f"{name} ({i}).png"), cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
            halves = [] if name == "normal" else [slice(20, 50)] if i % 2 else [slice(20, 50), slice(70, 100)]
            for n, columns in enumerate(halves or [slice(0, 0)]):
                mask = np.zeros((height, width), np.uint8)
                mask[40:60, columns] = 255
                cv2.imwrite(str(root / name / f"{name} ({i})_mask{f'_{n}' if n else ''}.png"), mask)
    return root


def test_classes_become_findings_and_masks_are_no_pictures(tmp_path):
    collection = open_collection("busi", write_folder(tmp_path))
    assert len(collection) == 30 and collection.kind == "ultrasound" and collection.findings == ("Lesion",)
    assert collection.labels.shape == (30, 1) and collection.labels.dtype == np.float32
    classes = collection.attributes["class"]
    assert (collection.labels[:, 0] == (classes != "normal")).all()
    several = BUSI(tmp_path, findings=("Malignant", "Lesion"))
    assert (several.labels[:, 0] == (classes == "malignant")).all() and (
        several.labels[:, 1] == collection.labels[:, 0]
    ).all()


def test_several_masks_of_one_frame_are_merged_and_still_to_be_had_one_by_one(tmp_path):
    collection = BUSI(write_folder(tmp_path), crop="whole")
    two = int(np.flatnonzero(collection.files == "benign/benign (2).png")[0])
    whole = collection.mask(two, "Lesion", None)
    expected = np.zeros((100, 120), bool)
    expected[40:60, 20:50] = expected[40:60, 70:100] = True
    assert (whole == expected).all()
    assert [one.sum() for one in collection.regions(two, "Lesion", None)] == [600, 600]
    assert collection.mask(two, "Lesion", 60).mean() == pytest.approx(0.1, abs=0.01)
    assert collection.mask(two, "Malignant", 60) is None


def test_a_normal_frame_has_no_mask_though_its_file_is_there(tmp_path):
    collection = BUSI(write_folder(tmp_path))
    normal = int(np.flatnonzero(collection.attributes["class"] == "normal")[0])
    assert collection.mask(normal, "Lesion", 32) is None and collection.regions(normal, "Lesion", 32) == []
    assert len(collection.annotated("Lesion")) == 20


@pytest.mark.parametrize("crop", ["whole", "beam"])
def test_picture_mask_and_marks_lie_in_one_grid(tmp_path, crop):
    collection = BUSI(write_folder(tmp_path), crop=crop)
    shape = (100, 120) if crop == "whole" else (94, 116)
    assert collection.image(0).shape == collection.mask(0, "Lesion", None).shape == collection.marks(0).shape == shape
    assert (
        collection.image(0, 64).shape
        == collection.mask(0, "Lesion", 64).shape
        == collection.marks(0, 64).shape
        == (64, 64)
    )


def test_the_picture_is_what_an_uploaded_scan_becomes(tmp_path):
    collection = BUSI(write_folder(tmp_path))
    scan = read_grey(tmp_path / collection.files[3])
    preprocessing = Preprocessing(size=32)
    uploaded = preprocessing.apply(beam_crop(scan).cut(scan))
    assert np.allclose(preprocessing.apply(collection.image(3, 32)), uploaded, atol=1e-5)


def test_classes_can_be_chosen_and_the_parts_stay(tmp_path):
    everything = BUSI(write_folder(tmp_path, each=20))
    some = open_collection("busi", tmp_path, classes="malignant,normal")
    assert len(open_collection("busi", tmp_path, classes="")) == len(open_collection("busi", tmp_path)) > len(some)
    assert set(some.attributes["class"]) == {"malignant", "normal"} and len(some) == 40
    for part in SPLITS:
        kept = [file for file in everything.files[everything.split(part)] if not file.startswith("benign")]
        assert set(some.files[some.split(part)]) == set(kept)


def test_the_parts_share_no_group_and_have_every_class(tmp_path):
    write_folder(tmp_path, each=20)
    collection = BUSI(tmp_path)
    parts = {name: collection.split(name) for name in SPLITS[:3]}
    assert sum(map(len, parts.values())) == 60 and "no groups.csv" in collection.grouping
    groups = [set(collection.patients[indices]) for indices in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert all(len(set(collection.attributes["class"][indices])) == 3 for indices in parts.values())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"findings": ("Cyst",)}, "busi does not label Cyst; it labels Lesion, Benign, Malignant"),
        ({"classes": "benign,ill"}, "busi has no class ill; it has benign, malignant, normal"),
        ({"crop": "head of state"}, "crop must be one of whole, head, levelled-head, beam"),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(tmp_path, options, sentence):
    write_folder(tmp_path, each=1)
    with pytest.raises(ValueError, match=sentence):
        BUSI(tmp_path, **options)


def test_a_folder_that_lacks_something_says_what(tmp_path):
    with pytest.raises(UnusableCollection, match="none of the folders benign, malignant, normal"):
        BUSI(tmp_path / "nowhere")
    (tmp_path / "normal").mkdir()
    with pytest.raises(UnusableCollection, match="There are no pictures below"):
        BUSI(tmp_path)
    (tmp_path / "normal" / "normal (1).png").write_bytes(b"no picture")
    with pytest.raises(UnusableCollection, match=r"normal \(1\).png is missing or damaged"):
        BUSI(tmp_path)


@needs_real
def test_the_real_selection_has_the_counts_its_provenance_says_and_its_own_groups():
    collection = BUSI(REAL)
    assert len(collection) == 619 and collection.grouping.endswith("in groups.csv.")
    assert dict(zip(*np.unique(collection.attributes["class"], return_counts=True))) == {
        "benign": 347,
        "malignant": 173,
        "normal": 99,
    }
    owners = [set(collection.patients[collection.split(name)]) for name in SPLITS[:3]]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 481
    assert all(0 < collection.labels[collection.split(name), 0].mean() < 1 for name in SPLITS[:3])


@needs_real
def test_real_groups_are_found_again_from_the_pictures():
    collection = BUSI(REAL)
    from engine.datasets.look_alikes import look_alikes

    found = look_alikes((read_grey(REAL / file) for file in collection.files), BUSI.limit)
    listed = np.unique(collection.patients, return_inverse=True)[1]
    assert ((found[:, None] == found[None]) == (listed[:, None] == listed[None])).all()


@needs_real
def test_hardly_any_real_lesion_is_cropped_away():
    collection = BUSI(REAL)
    whole = BUSI(REAL, crop="whole")
    lost = []
    for index in collection.annotated("Lesion")[::10]:
        before = whole.mask(index, "Lesion", None)
        after = collection.mask(index, "Lesion", None)
        lost.append(1 - (0 if after is None else after.sum()) / before.sum())
    assert np.mean(lost) < 0.02 and max(lost) < 0.5


@needs_real
def test_real_calipers_and_letters_are_found():
    collection = BUSI(REAL, crop="whole")
    index = int(np.flatnonzero(collection.files == "benign/benign (1).png")[0])
    share = [collection.marks(i).mean() for i in collection.annotated("Lesion")[::12]]
    assert 0.2 < np.mean(np.array(share) > 3e-4) < 0.7 and max(share) < 0.06
    assert collection.marks(index).shape == collection.image(index).shape
