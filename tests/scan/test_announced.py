"""A volume is told from its header, before anything of its size is read."""

import gzip

import nibabel
import numpy as np
import pytest
from nibabel.nifti2 import Nifti2Image

from engine.scan.announced import announces_volume
from tests.scan.files import body, dicom, picture, png
from tests.scan.series_files import head, series
from tests.scan.test_volume_files import metaimage, nrrd, turned

HEAD = turned((2, 1, 0), (1, 1, 1))
VALUES = np.zeros((20, 18, 6), np.int16)
SINGLE = np.zeros((20, 18, 1), np.int16)
VOLUMES = {
    "a.nii": nibabel.Nifti1Image(VALUES, np.eye(4)).to_bytes(),
    "a.nii.gz": gzip.compress(nibabel.Nifti1Image(VALUES, np.eye(4)).to_bytes()),
    "two.nii": Nifti2Image(VALUES, np.eye(4)).to_bytes(),
    "cut.nii.gz": gzip.compress(nibabel.Nifti1Image(VALUES, np.eye(4)).to_bytes())[:500],
    "a.nrrd": nrrd(*HEAD),
    "a.mha": metaimage(*HEAD),
    "frames.dcm": dicom(np.stack([body(), body()])),
}
OTHERS = {
    "one slice.nii": nibabel.Nifti1Image(SINGLE, np.eye(4)).to_bytes(),
    "film.dcm": dicom(body()),
    "colour frames.dcm": dicom(np.full((2, 40, 50, 3), 9, np.uint8), samples=3, NumberOfFrames=2),
    "film.png": png(body()),
    "film.jpg": picture(body(top=255, dtype=np.uint8), "JPEG"),
    "nothing.nrrd": b"NRRD0004\n",
    "text.mha": b"NDims = 3\nObjectType = Image\n",
    "empty": b"",
}


@pytest.mark.parametrize("name", VOLUMES)
def test_a_volume_says_so(name, tmp_path):
    (tmp_path / name).write_bytes(VOLUMES[name])
    assert announces_volume(tmp_path / name)
    (tmp_path / "film.png").write_bytes(OTHERS["film.png"])
    assert announces_volume(tmp_path)


@pytest.mark.parametrize("name", OTHERS)
def test_a_picture_and_what_is_damaged_do_not(name, tmp_path):
    (tmp_path / name).write_bytes(OTHERS[name])
    assert not announces_volume(tmp_path / name) and not announces_volume(tmp_path)


def test_a_folder_of_slices_is_a_volume_and_one_of_pictures_is_none(tmp_path):
    for folder in ("slices", "series", "films"):
        (tmp_path / folder).mkdir()
    for place, data in enumerate(series(head(3))):
        (tmp_path / "slices" / f"{place}.dcm").write_bytes(data)
        other = data.replace(b"UI\x06\x001.2.3\0", b"UI\x06\x001.2." + str(place).encode() + b"\0")
        assert place == 3 or other != data
        (tmp_path / "series" / f"{place}.dcm").write_bytes(other)
        (tmp_path / "films" / f"{place}.dcm").write_bytes(dicom(body() + np.uint16(place)))
    assert announces_volume(tmp_path / "slices")
    assert not announces_volume(tmp_path / "series") and not announces_volume(tmp_path / "films")


def test_what_is_not_there_is_no_volume(tmp_path):
    assert not announces_volume(tmp_path / "nowhere.nii") and not announces_volume(tmp_path)
