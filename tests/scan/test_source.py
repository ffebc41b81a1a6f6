"""The study of a scan is kept beside it, and nobody reads it from there by accident."""

import io
import zipfile

import numpy as np
import pytest

from engine.scan import read_scans
from engine.scan.source import read_sources
from tests.export import results
from tests.scan.files import dicom
from tests.scan.series_files import head, series


def sources(source, in_process=True):
    found = read_scans(source)
    return found, read_sources(source, found, in_process)


def test_a_film_has_its_patient_study_and_file():
    _, (source,) = sources(results.radiograph(), in_process=False)
    first = source.first
    assert first.text("PatientName") == "Müller^Anna" and first.text("PatientID") == "MRN-4711"
    assert [first.text(name) for name in results.UIDS] == list(results.UIDS.values())
    assert first.frames == 1 and source.burned_in == ""


def test_its_repr_names_nobody():
    _, (source,) = sources(results.radiograph())
    for said in (repr(source), repr(source.first), str([source])):
        assert not [word for word in results.NAMES if word in said]


def test_nothing_of_it_is_in_the_scan():
    found, _ = sources(results.radiograph())
    assert not [word for word in results.NAMES if word in repr(found.scans[0])]


@pytest.mark.parametrize("form", ["files", "zip", "folder"])
def test_each_slice_of_a_series_has_its_own_file(form, tmp_path):
    names = [f"1.2.9.{place}" for place in range(6)]
    files = [one for place, one in enumerate(series(head(6), **results.PATIENT))]
    order = [3, 0, 5, 1, 4, 2]
    given = [files[place] for place in order]
    positions = [float(results.opened([files[place]])[1].first.header["ImagePositionPatient"][2]) for place in range(6)]
    if form == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for place, data in enumerate(given):
                archive.writestr(f"{place}.dcm", data)
        given = packed.getvalue()
    elif form == "folder":
        for place, data in enumerate(given):
            (tmp_path / f"{place}.dcm").write_bytes(data)
        given = tmp_path
    found, (source,) = sources(given, in_process=False)
    assert len(source.slices) == 6 == len(names)
    assert [float(one.header["ImagePositionPatient"][2]) for one in source.slices] == sorted(positions)
    affine = found.scans[0].affine
    for index, one in enumerate(source.slices):
        assert np.allclose(
            (affine @ [index, 0, 0, 1])[:3], [float(v) for v in one.header["ImagePositionPatient"]], atol=1e-3
        )


def test_a_missing_slice_has_no_file():
    files = series(head(12), **results.PATIENT)
    del files[4]
    found, (source,) = sources(files)
    assert len(found.scans[0].pixels) == 12 == len(source.slices)
    assert [place for place, one in enumerate(source.slices) if one is None] == [4]
    assert source.at(4) is None and source.at(5).first is source.slices[5]


def test_what_came_from_no_dicom_file_or_names_no_study_has_none():
    import cv2

    png = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8))[1].tobytes()
    assert sources(png)[1] == (None,)
    pixels = np.random.default_rng(0).integers(0, 4000, (40, 40)).astype(np.uint16)
    assert sources(dicom(pixels, StudyInstanceUID="not a uid"))[1] == (None,)
    assert sources(results.radiograph(StudyInstanceUID=""))[1] == (None,)


def test_a_value_that_is_far_too_long_is_left_out():
    _, (source,) = sources(results.radiograph(StudyDescription="x" * 5000))
    assert source.first.text("StudyDescription") == "" and source.first.text("PatientID") == "MRN-4711"
