"""DICOM files of a download: found, read, and refused in a sentence."""

import numpy as np
import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.dicom_files import folders, headers, read, read_any
from tests.scan.series_files import ct_slice, head


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.dcm").write_bytes(ct_slice(head()[6], (0, 0, 5)))
    (tmp_path / "a" / "b" / "2.dcm").write_bytes(b"no picture")
    (tmp_path / "a" / "notes.txt").write_text("")
    return tmp_path


def test_folders_are_those_that_hold_files(root):
    assert folders(root) == [root / "a" / "b"]


def test_headers_are_of_dicom_files_only(root):
    ((path, header),) = headers(root / "a" / "b", ["ImagePositionPatient"])
    assert path.name == "1.dcm" and float(header.ImagePositionPatient[2]) == 5


def test_a_file_is_read_in_its_units_and_a_damaged_one_is_named(root):
    assert np.array_equal(read(root / "a" / "b" / "1.dcm").pixels, head()[6])
    with pytest.raises(UnusableCollection, match=r"2\.dcm cannot be read"):
        read(root / "a" / "b" / "2.dcm")


def test_an_outline_is_read_though_it_is_no_scan(root):
    drawn = np.zeros((40, 40))
    drawn[10:20, 10:20] = 255
    path = root / "a" / "outline.dcm"
    path.write_bytes(ct_slice(drawn, (0, 0, 0)))
    assert np.array_equal(read_any(path), drawn)
    with pytest.raises(UnusableCollection, match="outline.dcm cannot be read"):
        read(path)
    with pytest.raises(UnusableCollection, match=r"2\.dcm cannot be read"):
        read_any(root / "a" / "b" / "2.dcm")
