"""What readers drew comes out on the slice that they drew it on, in every form that has slices."""

import csv
import io
import json
import shutil
from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
import pytest

from engine.export import drawn_segmentation
from engine.export.forms import export
from engine.export.result import Result
from engine.export.validation import MISSING, validate
from engine.review.measurements import mask_of
from engine.review.records import Annotation, new_id, now
from engine.scan import Scan, frame
from tests.export import results

FORMS = ["seg", "sr", "gsps", "coco", "csv", "json"]


def drawn(scan, kind="box", at=0, points=((5, 6), (15, 20)), **more):
    return Annotation(new_id(), scan.sha256, kind, points, "Dr Grün", now(), slice=at, **more)


def on_slices(scan):
    """A box on the first slice, an ellipse on the third, a brush on the fifth, a polygon across all."""
    return (
        drawn(scan, at=0, label="Nodule"),
        drawn(scan, "area", 2, ((2, 2), (9, 11)), label="Nodule"),
        drawn(scan, "brush", 4, (), runs=((3, 4, 5), (4, 4, 5))),
        drawn(scan, "box", 7, ((1, 2), (4, 9)), axis=1, label="Vessel"),
    )


def whole():
    """A CT volume that was explained as a whole."""
    scan, source = results.opened(results.ct_files())
    return replace(results.result(scan, source), annotations=on_slices(scan)), scan, source


def of_a_slice(with_source=True):
    """The fourth slice of it, which a method of pictures explained."""
    scan, source = results.opened(results.ct_files())
    flat = frame(scan, 3)
    made = results.result(flat, source.at(3) if with_source else None, drawn=False)
    more = {"slice": 3, "volume": scan, "volume_source": source if with_source else None}
    return replace(made, annotations=on_slices(scan), **more), scan, source


MADE = {"a whole volume": whole, "a slice of one": of_a_slice}


@pytest.fixture(scope="module", params=MADE)
def exported(request):
    result, scan, source = MADE[request.param]()
    return result, scan, source, export(result, FORMS)


def test_the_segmentation_holds_every_drawing_on_its_slices(exported):
    result, scan, source, made = exported
    segments = hd.seg.segread(io.BytesIO(made.files["drawn.dcm"]))
    labels = [segments.get_segment_description(n).segment_label for n in segments.segment_numbers]
    assert labels == ["1 Nodule of Dr Grün", "2 Nodule of Dr Grün", "3 brush of Dr Grün", "4 Vessel of Dr Grün"]
    tracked = [segments.get_segment_description(n).tracking_id for n in segments.segment_numbers]
    assert tracked == [one.id for one in result.annotations]
    volume = segments.get_volume().array > 0  # (slices, rows, columns, segments)
    assert segments.get_segment_description(1).algorithm_type.value == "MANUAL"
    expected = np.zeros((*scan.pixels.shape, 4), bool)
    for segment, one in enumerate(result.annotations):
        if one.axis == 0:
            expected[one.slice, ..., segment] = mask_of(one, scan.pixels.shape[1:])
        else:
            expected[:, one.slice, :, segment] = mask_of(one, (len(scan.pixels), scan.pixels.shape[2]))
    uids = [slice_.text("SOPInstanceUID") for slice_ in source.slices]
    referred = set()
    for at in range(len(scan.pixels)):
        try:
            plane = segments.get_pixels_by_source_instance([uids[at]], assert_missing_frames_are_empty=True)[0] > 0
        except KeyError:
            plane = np.zeros_like(expected[at])
        assert np.array_equal(plane, expected[at]), at
        referred |= {at} if plane.any() else set()
    assert referred == {0, 1, 2, 3, 4} and volume.sum() == expected.sum()


def test_report_and_presentation_state_refer_to_the_slice_that_was_drawn_on(exported):
    _, _, source, made = exported
    uids = {slice_.text("SOPInstanceUID"): at for at, slice_ in enumerate(source.slices)}
    report = hd.sr.srread(io.BytesIO(made.files["report.dcm"]))
    found = {}
    for group in report.content.get_planar_roi_measurement_groups():
        region = group.roi
        at = uids[region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
        name = str(group.tracking_identifier)
        found.setdefault(at, []).append((name, region.value.min(axis=0).tolist()))
    readers = {at: places for at, named in found.items() if (places := [p for n, p in named if "Dr Grün" in n])}
    assert {at: len(places) for at, places in readers.items()} == {0: 1, 2: 1, 4: 1}
    assert readers[0] == [[6.0, 5.0]] and readers[4] == [[4.0, 3.0]]
    on = []
    for name, data in made.files.items():
        if not name.startswith("presentation_state"):
            continue
        for item in pydicom.dcmread(io.BytesIO(data)).GraphicAnnotationSequence:
            if item.GraphicLayer == "READER":
                on.append(uids[item.ReferencedImageSequence[0].ReferencedSOPInstanceUID])
                assert name.endswith(f"_slice_{on[-1]:04d}.dcm") or name == "presentation_state.dcm"
    assert sorted(on) == [0, 2, 4]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason=MISSING)
def test_dciodvfy_finds_no_error_in_them(exported):
    for name, data in exported[3].files.items():
        if name.endswith(".dcm"):
            verdict = validate(data)
            assert verdict.errors == () and verdict.warnings == (), name


def test_tables_name_slice_axis_and_the_volume(exported):
    _, scan, _, made = exported
    rows = list(csv.DictReader(io.StringIO(made.files["annotations.csv"].decode())))
    assert {(row["kind"], row["slice"], row["axis"]) for row in rows if row["author"] == "Dr Grün"} == {
        ("box", "0", "0"),
        ("area", "2", "0"),
        ("brush", "4", "0"),
        ("box", "7", "1"),
    }
    assert {row["scan_sha256"] for row in rows} == {scan.sha256}
    written = json.loads(made.files["export.json"])["annotations"]
    for one, entry in zip(on_slices(scan), written, strict=True):
        found = {number["name"]: number["value"] for number in entry["measurements"]}
        plane = np.take(scan.pixels, one.slice, axis=one.axis)
        inside = plane[mask_of(one, plane.shape)].astype(np.float64)
        assert found["mean"] == pytest.approx(inside.mean()) and found["deviation"] == pytest.approx(inside.std())
    coco = json.loads(made.files["annotations.coco.json"])
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    of = {names[one["image_id"]] for one in coco["annotations"] if one["author"] == "Dr Grün"}
    assert of == {f"{scan.sha256}_{at:04d}.png" for at in (0, 2, 4)}


@pytest.mark.parametrize("de_identified", [False, True], ids=["no study", "de-identified"])
def test_without_a_study_every_slice_that_was_drawn_on_is_a_picture_of_the_new_one(de_identified):
    result, scan, _ = of_a_slice(with_source=de_identified)
    made = export(result, FORMS, de_identified=de_identified)
    opened = {name: pydicom.dcmread(io.BytesIO(data)) for name, data in made.files.items() if name.endswith(".dcm")}
    pictures = {at: opened[f"picture_slice_{at:04d}.dcm"] for at in (0, 2, 4)}
    assert len({one.StudyInstanceUID for one in opened.values()}) == 1
    assert len({one.SeriesInstanceUID for one in (opened["picture.dcm"], *pictures.values())}) == 1
    for at, picture in pictures.items():
        values = picture.pixel_array * float(picture.RescaleSlope) + float(picture.RescaleIntercept)
        assert np.abs(values - scan.pixels[at]).max() <= np.ptp(scan.pixels[at]) / 65535 + 1e-3
    found = {}
    for name in ("drawn.dcm", "drawn_2.dcm", "drawn_3.dcm"):
        segments = hd.seg.segread(io.BytesIO(made.files[name]))
        (uid,) = {uid for _, _, uid in segments.get_source_image_uids()}
        found[uid] = int((segments.pixel_array > 0).sum())
    by_slice = {one.slice: mask_of(one, scan.pixels.shape[1:]).sum() for one in result.annotations if one.axis == 0}
    assert found == {pictures[at].SOPInstanceUID: by_slice[at] for at in (0, 2, 4)}
    assert any("One drawing lies on a plane or slice without an image" in note for note in made.notes)


def test_drawings_leave_without_a_positive_call_too():
    scan, source = results.opened(results.radiograph())
    made = export(results.result(scan, source, probability=0.2), ["seg"])
    assert set(made.files) == {"drawn.dcm"} and any("No call is positive" in note for note in made.notes)
    assert set(export(results.result(scan, source, drawn=False), ["seg"]).files) == {"segmentation.dcm"}


def test_boxes_of_one_reader_and_label_stay_apart_also_where_they_overlap():
    scan = Scan.of(np.zeros((40, 50)), "mammogram")
    line = replace(drawn(scan, "length"), slice=None)
    boxes = [replace(drawn(scan, points=((5 + n, 6), (15 + n, 20))), slice=None) for n in (0, 3)]
    made = export(replace(results.result(scan, drawn=False), annotations=(boxes[0], line, boxes[1])), ["seg"])
    segments = hd.seg.segread(io.BytesIO(made.files["drawn.dcm"]))
    labels = [segments.get_segment_description(n).segment_label for n in segments.segment_numbers]
    assert labels == ["1 box of Dr Grün", "3 box of Dr Grün"], "the number is the drawing's among all that was drawn"
    (uid,) = {uid for _, _, uid in segments.get_source_image_uids()}
    planes = segments.get_pixels_by_source_instance([uid])[0]
    for segment, one in enumerate(boxes):
        assert np.array_equal(planes[..., segment] > 0, mask_of(one, (40, 50)))


def test_many_labels_on_large_pictures_go_into_several_files(monkeypatch):
    scan = Scan.of(np.zeros((40, 50)), "mammogram")
    monkeypatch.setattr(drawn_segmentation, "MOST_BYTES", 3 * 40 * 50)
    boxes = tuple(replace(drawn(scan, at=0, label=f"L{n}"), slice=None) for n in range(7))
    made = export(replace(results.result(scan, drawn=False), annotations=boxes), ["seg"])
    counts = [hd.seg.segread(io.BytesIO(made.files[f"drawn{end}.dcm"])).number_of_segments for end in ("", "_2", "_3")]
    assert counts == [3, 3, 1]


def test_a_drawing_on_a_slice_whose_file_is_missing_is_said():
    result, _, source = of_a_slice()
    gone = replace(source, slices=(None, *source.slices[1:]))
    made = export(replace(result, volume_source=gone), ["sr", "seg"])
    assert any("without an image of its own" in note for note in made.notes)
    assert isinstance(result, Result)
