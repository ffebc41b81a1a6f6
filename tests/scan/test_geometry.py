import json

import numpy as np
import pytest

from engine.scan import Scan, frame, read_scan
from engine.scan.dicom import read_dicom
from engine.scan.geometry import slice_step, volume_affine
from tests.scan.files import body, dicom, item

VOLUME = np.stack([body(20, 24) // (k + 1) for k in range(4)])
AXIAL = ["1", "0", "0", "0", "1", "0"]  # columns towards the patient's left, rows towards the back
CORONAL = ["1", "0", "0", "0", "0", "-1"]  # columns towards the left, rows towards the feet


def volume(positions, orientation=AXIAL, measures=None, shared=True, **elements) -> bytes:
    """A multi-frame file, its plane geometry in the functional groups, each frame's place in its own."""
    measures = {"PixelSpacing": ["0.5", "0.25"]} if measures is None else measures
    groups = {"PixelMeasuresSequence": [item(**measures)]}
    turned = {"PlaneOrientationSequence": [item(ImageOrientationPatient=orientation)]} if orientation else {}
    each = [
        item(PlanePositionSequence=[item(ImagePositionPatient=list(map(str, place)))], **({} if shared else turned))
        for place in positions
    ]
    return dicom(
        VOLUME[: max(len(positions), 2)],
        Modality="CT",
        SharedFunctionalGroupsSequence=[item(**groups, **(turned if shared else {}))],
        PerFrameFunctionalGroupsSequence=each or None,
        **elements,
    )


def place(scan, slice, row, column):
    return (scan.affine @ (slice, row, column, 1))[:3].tolist()


@pytest.mark.parametrize("shared", [True, False])
def test_an_axial_volume_knows_where_its_voxels_lie(shared):
    scan = read_scan(volume([(-10, -20, 5 + 3 * k) for k in range(4)], shared=shared))
    assert scan.pixels.shape == (4, 20, 24) and scan.kind == "CT"
    assert scan.spacing_mm == pytest.approx((3, 0.5, 0.25))
    assert place(scan, 0, 0, 0) == [-10, -20, 5]
    assert place(scan, 2, 4, 8) == pytest.approx([-10 + 8 * 0.25, -20 + 4 * 0.5, 5 + 2 * 3])
    assert not scan.affine.flags.writeable and scan.remarks == ()


def test_a_coronal_volume_that_runs_backwards_keeps_its_order():
    scan = read_scan(volume([(1, 2 - 4 * k, 3) for k in range(3)], CORONAL))
    assert place(scan, 1, 2, 4) == pytest.approx([1 + 4 * 0.25, 2 - 4, 3 - 2 * 0.5])
    assert scan.spacing_mm == pytest.approx((4, 0.5, 0.25))


def test_a_tilted_gantry_shifts_each_slice():
    tilt = np.deg2rad(20)
    turned = [1, 0, 0, 0, np.cos(tilt), np.sin(tilt)]
    affine = volume_affine([(0, 0, 5 * k) for k in range(6)], [turned], (0.5, 0.5))
    assert np.allclose(affine @ (2, 0, 0, 1), (0, 0, 10, 1))
    assert np.allclose(affine @ (0, 2, 0, 1), (0, np.cos(tilt), np.sin(tilt), 1))


def test_positions_written_with_few_digits_are_still_even():
    steps = slice_step([(0, 0, round(0.625 * k, 1)) for k in range(40)])
    assert steps == pytest.approx((0, 0, 0.625), abs=0.01)


@pytest.mark.parametrize(
    ("positions", "between", "remark"),
    [
        ([(0, 0, z) for z in (0, 3, 9, 12)], None, "not evenly spaced"),
        ([(0, 0, 0)] * 4, None, ""),  # a series in time
        ([(0, 0, z) for z in (0, 3, 0, 3)], None, "not evenly spaced"),
        ([(0, 0, 3 * k) for k in range(3)] + [(0, 0, 1e300)], None, "not evenly spaced"),
    ],
)
def test_slices_that_are_no_even_stack_have_no_affine(positions, between, remark):
    scan = read_dicom(volume(positions))
    assert scan.affine is None and scan.spacing_mm == (between, 0.5, 0.25)
    assert remark in " ".join(scan.remarks) and bool(remark) == bool(scan.remarks)


@pytest.mark.parametrize(
    "orientation",
    [None, ["1", "0", "0", "1", "0", "0"], ["0"] * 6, ["2", "0", "0", "0", "2", "0"], ["1", "0", "0"]],
)
def test_an_orientation_that_is_none_leaves_the_spacing_and_no_affine(orientation):
    scan = read_dicom(volume([(0, 0, 3 * k) for k in range(4)], orientation))
    assert scan.affine is None and scan.spacing_mm == (3, 0.5, 0.25)


def test_slices_that_lie_in_their_own_plane_have_no_affine():
    assert read_dicom(volume([(3 * k, 0, 0) for k in range(4)])).affine is None


def test_slices_that_turn_about_an_axis_have_no_affine():
    around = [[np.cos(a), np.sin(a), 0, 0, 0, -1] for a in np.linspace(0, 1, 4)]
    assert volume_affine([(0, 0, 3 * k) for k in range(4)], around, (1, 1)) is None


@pytest.mark.parametrize(
    ("measures", "spacing"),
    [
        ({"PixelSpacing": ["0.5", "0.25"], "SpacingBetweenSlices": "2"}, (2, 0.5, 0.25)),
        ({"PixelSpacing": ["0.5", "0.25"], "SpacingBetweenSlices": "-2"}, (2, 0.5, 0.25)),
        ({"PixelSpacing": ["0.5", "0.25"], "SpacingBetweenSlices": "0"}, (None, 0.5, 0.25)),
        ({"PixelSpacing": ["0.5", "0.25"], "SliceThickness": "2"}, (None, 0.5, 0.25)),  # no distance between slices
        ({"SpacingBetweenSlices": "2"}, (2, None, None)),
        ({}, None),
    ],
)
def test_without_positions_the_file_may_still_say_the_distance(measures, spacing):
    scan = read_dicom(volume([], measures=measures))
    assert scan.affine is None and scan.spacing_mm == spacing
    assert scan.plane_spacing_mm == (None if spacing is None or spacing[1] is None else spacing[1:])


def test_millimetres_at_a_detector_place_nothing_in_the_patient():
    scan = read_dicom(volume([(0, 0, 3 * k) for k in range(4)], measures={}, ImagerPixelSpacing=["0.2", "0.1"]))
    assert scan.spacing_at == "detector" and scan.affine is None


def test_a_slice_of_a_volume_has_the_spacing_of_its_plane_and_no_affine():
    whole = read_scan(volume([(0, 0, 3 * k) for k in range(4)]))
    one = frame(whole, 2)
    assert one.spacing_mm == (0.5, 0.25) and one.affine is None and one.pixel_aspect == whole.pixel_aspect == 2


def test_many_frames_with_their_places_cost_no_more_than_they_may():
    count = 1000
    each = [item(PlanePositionSequence=[item(ImagePositionPatient=["0", "0", str(k)])]) for k in range(count)]
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=["1", "1"])],
        PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)],
    )
    stored = np.tile(body(16, 16), (count, 1, 1))
    scan = read_dicom(dicom(stored, PerFrameFunctionalGroupsSequence=each, SharedFunctionalGroupsSequence=[shared]))
    assert scan.spacing_mm == (1, 1, 1) and place(scan, count - 1, 0, 0) == [0, 0, count - 1]


def test_a_made_volume_takes_its_affine_and_gives_it_to_json():
    affine = np.array([[0, 0, 0.5, 1], [0, 0.5, 0, 2], [2.0, 0, 0, 3], [0, 0, 0, 1]])
    scan = Scan.of(VOLUME, "CT", spacing_mm=(2, 0.5, 0.5), affine=affine)
    affine[0, 0] = 9
    assert place(scan, 1, 0, 0) == [1, 2, 5] and json.loads(json.dumps(scan.affine.tolist()))[2] == [2.0, 0, 0, 3]
