"""MosMedData in its public layout."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.mosmed import MosMed
from tests.datasets.lidc_small import chest_pixels


def save(path: Path, volume: np.ndarray) -> None:
    """(S, H, W) from the feet up, rows to the back, columns to the left, as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ras = volume.transpose(2, 1, 0)[::-1, ::-1]
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(ras), np.diag([1.0, 1.0, 8.0, 1.0])), path)


def write_folder(root: Path, studies: int = 6) -> None:
    number = 0
    for name in ("CT-0", "CT-1", "CT-2", "CT-3"):
        for _ in range(studies):
            number += 1
            volume = chest_pixels(10, number)
            volume[:2] = volume[-1:] = 40  # above and below the lungs
            outline = np.zeros(volume.shape, np.int16)
            if name != "CT-0":
                volume[5, 40:60, 30:50] = -550
                outline[5, 40:60, 30:50] = 1
            save(root / "studies" / name / f"study_{number:04d}.nii.gz", volume)
            if name == "CT-2":
                save(root / "masks" / f"study_{number:04d}_mask.nii.gz", outline)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("mosmed")
    write_folder(root)
    return root


def test_classes_are_those_of_the_paper_and_mild_ones_are_a_choice(root):
    collection = MosMed(root)
    assert sorted(set(collection.attributes["severity"])) == ["CT-0", "CT-2", "CT-3"]
    assert collection.labels[:, 0].tolist() == [0] * 6 + [1] * 12
    assert MosMed(root, mild="positive").labels[:, 0].sum() == 18
    with pytest.raises(ValueError, match="mild must be one of"):
        MosMed(root, mild="negative")


def test_slices_run_evenly_through_the_lungs(root):
    volume = MosMed(root, slices=7).image(7, 64)
    assert volume.shape == (7, 64, 64) and volume[:, 20, 20].max() < -500  # seven of ten slices show lungs


def test_outlines_and_lungs_lie_where_they_are(root):
    collection = MosMed(root, slices=7)
    index = int(collection.annotated("Pneumonia")[0])
    mask = collection.mask(index, "Pneumonia", 64)
    assert mask.any() and mask.sum((1, 2)).argmax() == 3  # the sixth slice, less the two below the lungs
    assert (collection.organ(index, 64) & mask).sum() == mask.sum()
    assert collection.mask(0, "Pneumonia", 64) is None and len(collection.annotated("Pneumonia")) == 6


def test_another_folder_and_a_damaged_study_are_named(root, tmp_path):
    with pytest.raises(UnusableCollection, match="folder that holds studies/"):
        MosMed(tmp_path)
    (tmp_path / "studies" / "CT-0").mkdir(parents=True)
    (tmp_path / "studies" / "CT-0" / "study_0001.nii.gz").write_bytes(b"cut off")
    with pytest.raises(UnusableCollection, match="study_0001"):
        MosMed(tmp_path).image(0)
