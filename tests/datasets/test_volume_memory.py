"""Volumes of files, their slabs, and the memory of them."""

import nibabel
import numpy as np
import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.volume_memory import VolumeMemory, evenly, read_ct, read_outline


def test_slabs_are_means_of_equal_parts_and_the_nearest_slices_where_there_are_few():
    ramp = np.arange(12, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    assert evenly(ramp, 4)[:, 0, 0].tolist() == [1, 4, 7, 10]
    assert evenly(ramp, 12)[:, 0, 0].tolist() == list(range(12))
    assert evenly(ramp[:2], 4)[:, 0, 0].tolist() == [0, 0, 1, 1]
    uneven = evenly(ramp[:7], 3)[:, 0, 0]
    assert len(uneven) == 3 and (np.diff(uneven) > 0).all()


def test_a_volume_is_read_once_and_given_away_as_a_copy():
    memory, read = VolumeMemory(), []

    def volume():
        read.append(1)
        return np.full((3, 64, 64), -500.4, np.float32)

    first = memory.resized(0, 32, volume)
    first[:] = 0
    again = memory.resized(0, 32, volume)
    assert len(read) == 1 and again.shape == (3, 32, 32) and again.dtype == np.float32 and (again == -500).all()
    tight = VolumeMemory(limit_bytes=1)
    tight.resized(0, 32, volume)
    tight.resized(0, 32, volume)
    assert len(read) == 3 and tight.used_bytes == 0


def test_files_that_are_no_volume_are_named(tmp_path):
    with pytest.raises(UnusableCollection, match="missing"):
        read_ct(tmp_path / "gone.nii.gz")
    (tmp_path / "bad.nii.gz").write_bytes(b"not a volume")
    with pytest.raises(UnusableCollection, match=r"bad\.nii\.gz"):
        read_ct(tmp_path / "bad.nii.gz")


def test_slices_run_from_the_feet_up_rows_to_the_back_columns_to_the_left(tmp_path):
    ras = np.random.default_rng(0).integers(0, 60, (40, 36, 5)).astype(np.int16)  # to the right, the front, the head
    ras[35, 30, 4] = 700
    nibabel.save(nibabel.Nifti1Image(ras, np.diag([1.0, 1.0, 3.0, 1.0])), tmp_path / "one.nii.gz")
    volume = read_ct(tmp_path / "one.nii.gz")
    assert volume.shape == (5, 36, 40) and np.argwhere(volume == 700).tolist() == [[4, 5, 4]]
    nibabel.save(nibabel.Nifti1Image((ras == 700).astype(np.int16), np.diag([1.0, 1.0, 3.0, 1.0])), tmp_path / "o.nii")
    assert np.argwhere(read_outline(tmp_path / "o.nii")).tolist() == [[4, 5, 4]]
    (tmp_path / "bad.nii.gz").write_bytes(b"no outline")
    with pytest.raises(UnusableCollection, match="cannot be read as an outline"):
        read_outline(tmp_path / "bad.nii.gz")
