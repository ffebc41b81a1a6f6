"""Promises of series of DICOM slices: order by position, Hounsfield units, and each disorder named."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from engine.scan import UnreadableScan, read_volume, read_volumes
from tests.scan.files import body, dicom, png
from tests.scan.series_files import AXIAL, SAGITTAL, SPACING, START, STEP, ct_slice, enhanced, head, series, shuffled

HEAD = head()
AFFINE = [[0, 0, SPACING[1], START[0]], [0, SPACING[0], 0, START[1]], [STEP, 0, 0, START[2]], [0, 0, 0, 1]]


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def folder_of(files, path):
    for place, data in enumerate(files):
        (path / f"{chr(120 - place)}.bin").write_bytes(data)
    return path


def as_folder(files, path):
    return folder_of(files, path)


def as_zip(files, path):
    return zipped({f"scan/{place}": data for place, data in enumerate(files)})


def as_files(files, path):
    return list(files)


@pytest.mark.parametrize("source", [as_folder, as_zip, as_files])
def test_slices_are_sorted_by_position_and_rescaled_one_by_one(source, tmp_path):
    found = read_volumes(source(shuffled(series(HEAD)), tmp_path))
    (scan,) = found.scans
    assert np.array_equal(scan.pixels, HEAD)
    assert scan.kind == "CT" and scan.remarks == () and found.notes == ()
    assert scan.spacing_mm == pytest.approx((STEP, *SPACING))
    assert np.allclose(scan.affine, AFFINE)


def test_slices_run_along_the_normal_whatever_the_plane():
    position = [
        (50 + 3 * place, -40, 90) for place in range(len(HEAD))
    ]  # the normal of SAGITTAL points to the right: -x
    (scan,) = read_volumes([ct_slice(one, at, SAGITTAL) for one, at in zip(HEAD, position, strict=True)]).scans
    assert np.array_equal(scan.pixels, HEAD[::-1])
    assert np.allclose(scan.affine @ (0, 0, 0, 1), (50 + 3 * (len(HEAD) - 1), -40, 90, 1))
    assert np.allclose(
        scan.affine @ (1, 2, 4, 1) - scan.affine @ (0, 0, 0, 1), (-3, 4 * SPACING[1], -2 * SPACING[0], 0)
    )


def test_an_oblique_series_keeps_its_geometry():
    turn = np.radians(20)
    row, column = np.array([1, 0, 0.0]), np.array([0, np.cos(turn), np.sin(turn)])
    normal = np.cross(row, column)
    files = [ct_slice(one, START + 2.0 * place * normal, (*row, *column)) for place, one in enumerate(HEAD)]
    (scan,) = read_volumes(shuffled(files)).scans
    assert np.array_equal(scan.pixels, HEAD) and scan.remarks == ()
    assert np.allclose(scan.affine[:3, 0], 2 * normal, atol=1e-4)
    assert np.allclose(scan.affine[:3, 1], SPACING[0] * column, atol=1e-6)


@pytest.mark.parametrize("gone", [(4,), (4, 5), (2, 9)])
def test_a_missing_slice_keeps_its_place_and_is_named(gone):
    files = [file for place, file in enumerate(series(HEAD)) if place not in gone]
    (scan,) = read_volumes(shuffled(files)).scans
    assert scan.pixels.shape == HEAD.shape and np.allclose(scan.affine, AFFINE)
    kept = [place for place in range(len(HEAD)) if place not in gone]
    assert np.array_equal(scan.pixels[kept], HEAD[kept])
    assert all((scan.pixels[place] == HEAD[kept].min()).all() for place in gone)
    (remark,) = scan.remarks
    assert "missing" in remark and all(str(place + 1) in remark for place in gone)


def test_copies_of_a_slice_are_left_out_and_counted():
    files = series(HEAD)
    (scan,) = read_volumes([*files, files[3], files[7], files[7]]).scans
    assert np.array_equal(scan.pixels, HEAD) and np.allclose(scan.affine, AFFINE)
    assert scan.remarks == ("3 slices were there twice, the copies were left out",)


def test_of_a_slice_scanned_again_the_later_one_is_shown():
    again = ct_slice(HEAD[5] + 7, (START[0], START[1], START[2] + 5 * STEP), InstanceNumber=99)
    (scan,) = read_volumes([again, *series(HEAD)]).scans
    assert np.array_equal(scan.pixels[5], HEAD[5] + 7) and np.array_equal(scan.pixels[6], HEAD[6])
    assert scan.remarks == ("1 place was scanned twice, the later slice is shown",)


def test_a_slice_tilted_against_the_others_is_left_out():
    turn = np.radians(12)
    tilted = ct_slice(HEAD[0], (0, 0, 0), (1, 0, 0, 0, np.cos(turn), np.sin(turn)))
    found = read_volumes([*series(HEAD), tilted])
    assert np.array_equal(found.scans[0].pixels, HEAD) and len(found.scans) == 1
    assert len(found.notes) == 1 and "tilted by 12 degrees" in found.notes[0]


def test_a_tilted_gantry_is_named_and_its_shear_stands_in_the_affine():
    (scan,) = read_volumes(shuffled(series(HEAD, step=(0, 0.6, STEP)))).scans
    assert np.array_equal(scan.pixels, HEAD)
    assert np.allclose(scan.affine[:3, 0], (0, 0.6, STEP))
    assert scan.remarks == ("gantry tilted by 13 degrees",)


def test_uneven_slices_have_no_third_axis_in_millimetres():
    heights = np.cumsum([0, 2, 2, 2, 2, 2, 2, 5, 5, 5, 5, 5])
    files = [ct_slice(one, (0, 0, height)) for one, height in zip(HEAD, heights, strict=True)]
    (scan,) = read_volumes(shuffled(files)).scans
    assert np.array_equal(scan.pixels, HEAD) and scan.affine is None
    assert scan.spacing_mm == (None, *SPACING)
    assert scan.remarks == ("uneven: its slices lie 2 to 5 mm apart",)


def test_a_mixed_folder_gives_a_volume_for_each_series():
    other = (HEAD[:7] + 9)[:, ::-1]
    found = read_volumes(shuffled([*series(HEAD), *series(other, SeriesInstanceUID="1.2.4")]))
    assert [len(scan.pixels) for scan in found.scans] == [12, 7]
    assert np.array_equal(found.scans[0].pixels, HEAD) and np.array_equal(found.scans[1].pixels, other)
    assert len(found.notes) == 1 and "2 series" in found.notes[0]


def test_two_patients_whose_series_have_one_number_are_not_mixed():
    files = [*series(HEAD, PatientID="A"), *series(HEAD + 5, PatientID="B")]
    assert [scan.pixels.shape for scan in read_volumes(shuffled(files)).scans] == [HEAD.shape] * 2


def test_two_acquisitions_of_one_region_are_two_volumes():
    files = [*series(HEAD, AcquisitionNumber=1), *series(HEAD + 50, AcquisitionNumber=2)]
    found = read_volumes(shuffled(files))
    assert {int(scan.pixels.sum()) for scan in found.scans} == {int(HEAD.sum()), int(HEAD.sum()) + 50 * HEAD.size}
    assert len(found.notes) == 1 and "2 acquisitions" in found.notes[0]
    with pytest.raises(UnreadableScan, match=r"2 scans.*12 slices"):
        read_volume(files)
    assert read_volume(files, which=1).pixels.shape == HEAD.shape


def test_an_acquisition_number_for_each_slice_splits_nothing():
    files = [ct_slice(one, (0, 0, 2 * place), AcquisitionNumber=place + 1) for place, one in enumerate(HEAD)]
    assert np.array_equal(read_volume(shuffled(files)).pixels, HEAD)


def test_phases_are_told_apart_also_where_only_their_numbers_do():
    files = series(HEAD) + [
        ct_slice(one + 80, (START[0], START[1], START[2] + STEP * place), InstanceNumber=100 + place)
        for place, one in enumerate(HEAD)
    ]
    found = read_volumes(shuffled(files))
    assert {float(scan.pixels.max()) for scan in found.scans} == {float(HEAD.max()), float(HEAD.max()) + 80}
    assert "2 repetitions" in found.notes[0]


def test_a_localiser_is_left_out_of_its_series_and_shown_when_it_is_all_there_is():
    scout = ct_slice(HEAD[0], (0, 0, 0), SAGITTAL, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    found = read_volumes([scout, *series(HEAD)])
    assert np.array_equal(found.scans[0].pixels, HEAD) and len(found.scans) == 1
    assert found.notes == ("1 localiser was left out.",)
    assert read_volume([scout]).pixels.shape == HEAD.shape[1:]


def test_slices_of_another_size_are_a_volume_of_their_own():
    files = [*series(HEAD), *series(head(5, 40, 40))]
    assert [scan.pixels.shape for scan in read_volumes(files).scans] == [HEAD.shape, (5, 40, 40)]


def test_radiographs_and_pictures_among_slices_stay_pictures():
    films = [dicom(body()), png(body(50, 60).astype(np.uint16))]
    found = read_volumes([*films, *series(HEAD)])
    assert [scan.pixels.shape for scan in found.scans] == [HEAD.shape, (40, 50), (50, 60)]


def test_what_is_no_scan_is_left_out_with_its_reason():
    found = read_volumes([b"position,file\n1,2\n" * 10, *series(HEAD)])
    assert np.array_equal(found.scans[0].pixels, HEAD)
    assert len(found.notes) == 1 and "1 file was left out" in found.notes[0] and "text file" in found.notes[0]
    with pytest.raises(UnreadableScan, match="text file"):
        read_volumes([b"position,file\n1,2\n" * 10])


def test_an_empty_slice_at_the_end_refuses_nothing():
    volume = HEAD.copy()
    volume[0] = -1000
    assert np.array_equal(read_volume(series(volume)).pixels, volume)


@pytest.mark.parametrize("places", [range(12), range(11, -1, -1), [5, 0, 11, 3, 4, 1, 2, 10, 9, 8, 7, 6]])
def test_the_frames_of_an_enhanced_file_are_sorted_too(places):
    scan = read_volume(enhanced(HEAD, list(places)))
    assert np.array_equal(scan.pixels, HEAD) and scan.kind == "CT" and scan.remarks == ()
    assert np.allclose(scan.affine, AFFINE) and scan.spacing_mm == pytest.approx((STEP, *SPACING))


def test_a_frame_that_is_missing_from_an_enhanced_file_is_named():
    scan = read_volume(enhanced(HEAD, [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]))
    assert scan.pixels.shape == HEAD.shape and "missing" in scan.remarks[0]


def test_frames_without_positions_keep_their_order():
    film = read_volume(dicom(np.stack([body(), body()[::-1]]), Modality="US"))
    assert np.array_equal(film.pixels, [body(), body()[::-1]]) and film.affine is None


def test_one_slice_alone_is_a_picture():
    scan = read_volume([ct_slice(HEAD[6], START)])
    assert np.array_equal(scan.pixels, HEAD[6]) and scan.spacing_mm == pytest.approx(SPACING)


def test_a_volume_in_one_process_is_the_same():
    files = series(HEAD)
    assert read_volumes(files, in_process=True).scans[0].sha256 == read_volumes(files).scans[0].sha256


def test_orientation_is_the_same_within_rounding():
    files = [ct_slice(one, (0, 0, 2 * place), np.add(AXIAL, 1e-4 * (place % 2))) for place, one in enumerate(HEAD)]
    assert np.array_equal(read_volume(files).pixels, HEAD)
