"""BraTS in both public layouts, written here as miniature volumes: orientation, full-brain slices, outlines
and parts.
"""

import nibabel
import numpy as np
import pytest

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.brats import BraTS

SHAPE = (40, 48, 30)  # the published 240 x 240 x 155, smaller; first axis to the patient's left, second to the back
AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])


def volumes(seed):
    """FLAIR of a ball-like brain and outlines of a tumour at the patient's left front, in slices 12 to 16."""
    x, y, z = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    brain = ((x - 20) / 16) ** 2 + ((y - 24) / 20) ** 2 + ((z - 15) / 13) ** 2 <= 1
    flair = brain * (200 + np.random.default_rng(seed).integers(0, 50, SHAPE))
    tumour = (x >= 26) & (x < 31) & (y >= 14) & (y < 20) & (z >= 12) & (z < 17)
    return (flair + 300 * tumour).astype(np.int16), (tumour * 4).astype(np.uint8)


def write_patient(parent, name, seed=0, ending=".nii.gz", seg="{}_seg", affine=AFFINE):
    folder = parent / name
    folder.mkdir(parents=True)
    flair, outlines = volumes(seed)
    for modality in ("flair", "t1", "t1ce", "t2"):
        nibabel.save(nibabel.Nifti1Image(flair, affine), folder / f"{name}_{modality}{ending}")
    nibabel.save(nibabel.Nifti1Image(outlines, affine), folder / f"{seg.format(name)}{ending}")
    return folder


def test_2017_has_grades_and_2020_has_not(tmp_path):
    write_patient(tmp_path / "2017" / "HGG", "Brats17_2013_10_1")
    write_patient(tmp_path / "2017" / "LGG", "Brats17_2013_0_1")
    write_patient(tmp_path / "2020", "BraTS20_Training_001", ending=".nii")
    write_patient(tmp_path / "2020", "BraTS20_Training_355", ending=".nii", seg="W39_1998.09.19_Segm")
    (tmp_path / "2020" / "survival_info.csv").write_text("")
    older, newer = (
        open_collection("brats", tmp_path / "2017", every=1),
        open_collection("brats", tmp_path / "2020", every=1),
    )
    assert set(older.attributes["grade"]) == {"HGG", "LGG"} and set(newer.attributes["grade"]) == {""}
    assert set(newer.patients) == {"BraTS20_Training_001", "BraTS20_Training_355"}
    assert len(older) == len(newer) and older.findings == ("Tumour",) and older.kind == "MR"


def test_slices_show_the_full_brain_and_are_labelled_by_the_outlines(tmp_path):
    write_patient(tmp_path, "BraTS20_Training_001")
    collection = BraTS(tmp_path, every=1)
    areas = (volumes(0)[0] > 0).sum(axis=(0, 1))
    assert collection.slices.tolist() == np.flatnonzero(areas >= 0.9 * areas.max()).tolist()
    assert (collection.labels[:, 0] == ((collection.slices >= 12) & (collection.slices < 17))).all()
    assert len(BraTS(tmp_path, every=3)) == -(-len(collection) // 3)
    assert len(BraTS(tmp_path, every=1, least_brain="0.5")) > len(collection)


@pytest.mark.parametrize("affine", [AFFINE, np.diag([1.0, 1.0, 1.0, 1.0])])
def test_the_nose_is_up_and_the_patients_left_is_on_the_right_in_any_stored_order(tmp_path, affine):
    write_patient(tmp_path, "BraTS20_Training_001", affine=affine)
    collection = BraTS(tmp_path, every=1)
    index = int(collection.annotated("Tumour")[0])
    mask = collection.mask(index, "Tumour", None)
    assert collection.image(index).shape == mask.shape == (48, 40) and mask.sum() == 30
    rows, columns = np.nonzero(mask)
    stored_left_back = affine[0, 0] < 0  # first axis to the left and second to the back, as published
    expected = ((14, 19), (26, 30)) if stored_left_back else ((28, 33), (9, 13))
    assert ((rows.min(), rows.max()), (columns.min(), columns.max())) == expected
    assert collection.image(index)[mask].min() >= 500 > collection.image(index)[~mask].max()


def test_sizes_masks_and_brain_agree(tmp_path):
    write_patient(tmp_path, "BraTS20_Training_001")
    collection = BraTS(tmp_path, every=1)
    index = int(collection.annotated("Tumour")[0])
    normal = int(np.flatnonzero(collection.labels[:, 0] == 0)[0])
    assert (
        collection.image(index, 64).shape
        == collection.mask(index, "Tumour", 64).shape
        == collection.body(index, 64).shape
        == (64, 64)
    )
    assert collection.mask(index, "Tumour", 64).mean() == pytest.approx(30 / (48 * 40), rel=0.25)
    assert collection.mask(normal, "Tumour", 64) is None and collection.regions(normal, "Tumour", 64) == []
    assert (collection.body(index) == (collection.image(index) > 0)).all()


def test_parts_are_made_of_whole_patients(tmp_path):
    for i in range(10):
        write_patient(tmp_path, f"BraTS20_Training_{i:03d}", seed=i)
    collection = BraTS(tmp_path)
    owners = [set(collection.patients[collection.split(name)]) for name in SPLITS[:3]]
    assert [len(o) for o in owners] == [7, 1, 2] and len(set.union(*owners)) == 10
    with pytest.raises(ValueError, match="split must be one of"):
        collection.split("dev")


def write_a_series(folder):
    several = nibabel.Nifti1Image(np.zeros((4, 4, 4, 2), np.int16), AFFINE)
    nibabel.save(several, folder / f"{folder.name}_flair.nii.gz")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / f"{folder.name}_seg.nii.gz").unlink(), "has no BraTS20_Training_001_seg.nii.gz"),
        (
            lambda folder: (folder / f"{folder.name}_flair.nii.gz").write_bytes(b"no volume"),
            "cannot be read as a NIfTI volume",
        ),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "holds no patients"),
        (write_a_series, "one volume"),
    ],
)
def test_a_folder_that_lacks_something_says_what(tmp_path, spoil, sentence):
    spoil(write_patient(tmp_path, "BraTS20_Training_001"))
    with pytest.raises(UnusableCollection, match=sentence):
        BraTS(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"modality": "pd"}, "modality must be one of flair, t1, t1ce, t2"),
        ({"findings": ("Oedema",)}, "labelled for Tumour only"),
        ({"least_brain": 0}, "least_brain must lie above 0"),
        ({"every": 0}, "every be at least 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(tmp_path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        BraTS(tmp_path, **options)
    with pytest.raises(UnusableCollection, match="is not a folder"):
        BraTS(tmp_path / "nowhere")
