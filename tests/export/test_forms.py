"""One record, many forms: each opens elsewhere, belongs to the scan's study, and says what made it."""

import csv
import io
import json
import shutil
import warnings
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from PIL import Image
from pydicom.data import get_testdata_file
from pypdf import PdfReader

from engine.export import forms
from engine.export.annotations import run_lengths
from engine.export.forms import DICOM, FORMS, MARKER, OWN_STUDY, export, write_export
from engine.export.result import NOTICE
from engine.export.validation import MISSING, validate
from engine.files import UnwritableFile
from engine.metrics.agreement import strongest
from engine.scan import Scan, frame
from tests.export import results

needs_validator = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason=MISSING)
FLAT = Scan.of(np.random.default_rng(2).integers(0, 256, (40, 50)), "unknown")


def _film():
    return results.result(*results.opened(results.radiograph()))


def _sample():
    return results.result(*results.opened(Path(get_testdata_file("RG1_UNCR.dcm", download=False)).read_bytes()))


def _ct_volume():
    return results.result(*results.opened(results.ct_files()))


def _ct_slice():
    scan, source = results.opened(results.ct_files())
    return results.result(frame(scan, 2), source.at(2))


def _frames():
    scan, source = results.opened(Path(get_testdata_file("emri_small.dcm", download=False)).read_bytes())
    return results.result(frame(scan, 4), source.at(4))


def _mammogram():
    elements = {"Modality": "MG", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2", "BodyPartExamined": "BREAST"}
    return results.result(*results.opened(results.radiograph(**elements, ImageLaterality="L", ViewPosition="CC")))


def _picture():
    return results.result(FLAT)


def _fractions():
    return results.result(Scan.of(FLAT.pixels / 700 - 0.1, "ultrasound", spacing_mm=(0.2, 0.3)))


def _volume_without_a_study():
    return results.result(Scan.of(np.random.default_rng(3).normal(size=(5, 30, 40)), "MR"))


SOURCES = {
    one.__name__[1:]: one
    for one in (
        _film,
        _sample,
        _ct_volume,
        _ct_slice,
        _frames,
        _mammogram,
        _picture,
        _fractions,
        _volume_without_a_study,
    )
}
WITH_A_STUDY = ("film", "sample", "ct_volume", "ct_slice", "frames", "mammogram")
_made = {}


def made(name, de_identified=False):
    """(the result, its exported files) of a source; made once."""
    if (name, de_identified) not in _made:
        result = SOURCES[name]()
        _made[name, de_identified] = result, export(result, de_identified=de_identified)
    return _made[name, de_identified]


def dataset(exported, name):
    return pydicom.dcmread(io.BytesIO(exported.files[name]))


def objects(exported):
    return {name: dataset(exported, name) for name in exported.files if name.endswith(".dcm")}


def _words(part):
    for element in part:
        if element.VR == "SQ":
            for item in element.value:
                yield from _words(item)
        elif not isinstance(element.value, bytes):
            yield str(element.value)


def texts(exported):
    """What each file says to whoever searches it for words."""
    said = {}
    for name, data in exported.files.items():
        if name.endswith(".pdf"):
            said[name] = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
        elif name.endswith(".dcm"):
            opened = pydicom.dcmread(io.BytesIO(data))
            said[name] = " ".join(_words(opened))
            if "EncapsulatedDocument" in opened:
                pages = PdfReader(io.BytesIO(opened.EncapsulatedDocument)).pages
                said[name] += " ".join(page.extract_text() for page in pages)
        elif name.endswith(".webp"):
            with Image.open(io.BytesIO(data)) as moving:
                said[name] = moving.info["xmp"].decode()
        else:
            said[name] = data.decode()
    return said


def test_every_form_is_made_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exported = export(_film())
    names = {
        "segmentation.dcm",
        "drawn.dcm",
        "map_effusion.dcm",
        "report.dcm",
        "presentation_state.dcm",
        "secondary_capture.dcm",
    }
    assert set(exported.files) == names | {
        "session_pdf.dcm",
        "session.pdf",
        "animation_effusion.webp",
        "annotations.coco.json",
        "annotations.csv",
        "fhir.json",
        "export.json",
    }
    assert exported.notes == ()


@needs_validator
@pytest.mark.parametrize("de_identified", [False, True], ids=["as it is", "de-identified"])
@pytest.mark.parametrize("name", SOURCES)
def test_dciodvfy_finds_no_error_and_no_warning_that_is_not_accepted(name, de_identified):
    for file, data in made(name, de_identified)[1].files.items():
        if file.endswith(".dcm"):
            verdict = validate(data)
            assert verdict.errors == () and verdict.warnings == (), file


@needs_validator
def test_the_validator_would_find_an_error():
    broken = dataset(made("film")[1], "segmentation.dcm")
    del broken.SegmentSequence
    file = io.BytesIO()
    broken.save_as(file)
    assert validate(file.getvalue()).errors


@pytest.mark.parametrize("name", WITH_A_STUDY)
def test_objects_belong_to_the_study_of_the_scan_and_refer_to_its_files(name):
    result, exported = made(name)
    first = result.source.first
    known = {one.text("SOPInstanceUID") for one in result.source.slices}
    for file, opened in objects(exported).items():
        assert opened.StudyInstanceUID == first.text("StudyInstanceUID"), file
        assert str(opened.PatientName or "") == first.text("PatientName"), file
        assert opened.PatientID == first.text("PatientID") and opened.SeriesInstanceUID != first.text(
            "SeriesInstanceUID"
        )
        referred = set()

        def walk(part, referred=referred):
            for element in part:
                if element.keyword == "ReferencedSOPInstanceUID":
                    referred.add(element.value)
                for item in element.value if element.VR == "SQ" else ():
                    walk(item)

        walk(opened)
        assert referred <= known and (referred or file == "secondary_capture.dcm"), file
    assert "picture.dcm" not in exported.files


def test_a_frame_of_a_file_of_several_is_referred_to_by_its_number():
    _, exported = made("frames")
    report = hd.sr.srread(io.BytesIO(exported.files["report.dcm"]))
    regions = report.content.get_planar_roi_measurement_groups()
    frames = {
        tuple(np.atleast_1d(item.ReferencedFrameNumber))
        for item in _references(report)
        if "ReferencedFrameNumber" in item
    }
    assert regions and frames == {(5,)}
    segments = dataset(exported, "segmentation.dcm")
    frames = {item.get("ReferencedFrameNumber") for item in _references(segments) if "ReferencedFrameNumber" in item}
    assert frames == {5}


def _references(part):
    for element in part:
        for item in element.value if element.VR == "SQ" else ():
            if "ReferencedSOPInstanceUID" in item:
                yield item
            yield from _references(item)


def test_a_picture_without_a_study_gets_one_of_its_own_and_says_so():
    result, exported = made("picture")
    opened = objects(exported)
    picture = opened["picture.dcm"]
    assert OWN_STUDY in exported.notes
    assert {one.StudyInstanceUID for one in opened.values()} == {picture.StudyInstanceUID}
    assert np.array_equal(picture.pixel_array, result.scan.pixels)
    segments = hd.seg.segread(io.BytesIO(exported.files["segmentation.dcm"]))
    assert [uid for _, _, uid in segments.get_source_image_uids()] == [picture.SOPInstanceUID]
    assert json.loads(exported.files[MARKER])["study"]["of_its_own"] is True


def test_a_picture_of_fractions_keeps_its_values():
    result, exported = made("fractions")
    picture = dataset(exported, "picture.dcm")
    values = picture.pixel_array * float(picture.RescaleSlope) + float(picture.RescaleIntercept)
    step = np.ptp(result.scan.pixels) / 65535
    assert np.abs(values - result.scan.pixels).max() <= step


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in ("ct_volume", "volume_without_a_study")])
def test_the_segmentation_holds_the_strongest_tenth_of_positive_calls(name):
    result, exported = made(name)
    segments = hd.seg.segread(io.BytesIO(exported.files["segmentation.dcm"]))
    (positive,) = result.positive
    assert segments.number_of_segments == 1 and segments.get_segment_description(1).segment_label.startswith("Effusion")
    assert np.array_equal(segments.pixel_array.reshape(result.scan.pixels.shape) > 0, positive.region)
    assert np.array_equal(positive.region, strongest(positive.map))


def test_a_volumes_segmentation_and_map_hold_every_slice_in_its_place():
    result, exported = made("ct_volume")
    (positive,) = result.positive
    segments = hd.seg.segread(io.BytesIO(exported.files["segmentation.dcm"]))
    geometry = segments.get_volume_geometry()
    assert geometry is not None and np.allclose(sorted(geometry.spacing), sorted(result.scan.spacing_mm), atol=1e-4)
    volume = segments.get_volume(combine_segments=True)
    assert volume.array.sum() == positive.region.sum() > 0
    at = np.argwhere(volume.array)[0]
    point = volume.affine @ [*at, 1]
    index = np.rint(np.linalg.inv(result.scan.affine) @ point)[:3].astype(int)
    assert positive.region[tuple(index)]
    maps = hd.pm.ParametricMap.from_dataset(dataset(exported, "map_effusion.dcm"))
    stored = np.frombuffer(maps.FloatPixelData, np.float32).reshape(positive.map.shape)
    assert sorted(stored.max(axis=(1, 2))) == pytest.approx(sorted(positive.map.max(axis=(1, 2))))
    assert any("of slice 2" in note for note in exported.notes)


def test_the_parametric_map_holds_the_maps_own_values():
    result, exported = made("film")
    maps = hd.pm.ParametricMap.from_dataset(dataset(exported, "map_effusion.dcm"))
    stored = np.frombuffer(maps.FloatPixelData, np.float32).reshape(result.scan.pixels.shape)
    assert np.array_equal(stored, result.findings[0].map) and stored.min() < 0 < stored.max()


def test_the_structured_report_holds_probability_operating_point_and_boxes():
    result, exported = made("film")
    report = hd.sr.srread(io.BytesIO(exported.files["report.dcm"])).content
    groups = report.get_planar_roi_measurement_groups()
    first = groups[0]
    values = [measurement.value for measurement in first.get_measurements()]
    assert values == pytest.approx([0.8, 0.4])
    (top, left, bottom, right) = result.findings[0].boxes[0]
    corners = first.roi.value
    assert (corners[:, 0].min(), corners[:, 1].min()) == (left, top)
    assert (corners[:, 0].max(), corners[:, 1].max()) == (right, bottom)
    drawn = [group for group in groups if "Dr " in group.tracking_identifier]
    assert len(drawn) == 4  # a length encloses nothing
    assert {tuple(c) for c in drawn[0].roi.value} == {(6, 5), (20, 5), (20, 15), (6, 15)}
    others = report.get_image_measurement_groups()
    assert [group.get_measurements()[0].value for group in others] == pytest.approx([0.1])


def test_the_presentation_state_has_a_layer_for_the_model_and_one_for_readers():
    _, exported = made("film")
    state = dataset(exported, "presentation_state.dcm")
    assert [layer.GraphicLayer for layer in state.GraphicLayerSequence] == ["MODEL", "READER"]
    said = [text.UnformattedTextValue for one in state.GraphicAnnotationSequence for text in one.TextObjectSequence]
    assert "Effusion 0.80" in said and any(NOTICE in words for words in said)
    assert "Laterality" not in state  # there is one chest
    assert dataset(made("mammogram")[1], "presentation_state.dcm").Laterality == "L"


def test_the_secondary_capture_shows_scan_map_and_scan_without():
    result, exported = made("film")
    opened = dataset(exported, "secondary_capture.dcm")
    height, width = result.scan.pixels.shape
    assert opened.PhotometricInterpretation == "RGB" and opened.pixel_array.shape[1] == 3 * width
    assert opened.pixel_array.shape[0] > height


@pytest.mark.parametrize("name", SOURCES)
def test_every_form_names_model_identity_settings_and_the_notice(name):
    result, exported = made(name)
    for file, said in texts(exported).items():
        if file == "picture.dcm":
            continue
        said = " ".join(said.split())
        assert "esearch use only" in said, file
        if file == "secondary_capture.dcm":  # they stand in the picture
            continue
        assert result.model.identity[:12] in said or result.model.identity in said.replace(" ", ""), file
        assert "attri-net-test" in said, file


def test_a_secondary_capture_says_the_model_in_its_header_too():
    opened = dataset(made("film")[1], "secondary_capture.dcm")
    assert "attri-net-test" in opened.DerivationDescription and results.IDENTITY in opened.DerivationDescription


def test_coco_has_every_region_where_it_was_drawn():
    result, exported = made("film")
    written = json.loads(exported.files["annotations.coco.json"])
    (image,) = written["images"]
    assert (image["height"], image["width"]) == result.scan.pixels.shape
    names = {category["id"]: category["name"] for category in written["categories"]}
    by_author = [(one["author"], names[one["category_id"]], one["bbox"]) for one in written["annotations"]]
    top, left, bottom, right = result.findings[0].boxes[0]
    assert ("model", "Effusion", [left, top, right - left, bottom - top]) in by_author
    assert ("Dr Grün", "Effusion", [6, 5, 14, 10]) in by_author
    box = next(one for one in written["annotations"] if one["author"] == "Dr Grün")
    assert box["area"] == 140 and len(box["segmentation"][0]) == 8
    brush = next(one for one in written["annotations"] if one["kind"] == "brush")
    assert brush["area"] == 10 and brush["iscrowd"] == 1
    height, width = brush["segmentation"]["size"]
    flat = np.repeat(np.arange(len(brush["segmentation"]["counts"])) % 2, brush["segmentation"]["counts"])
    mask = flat.reshape((height, width), order="F")
    assert mask.sum() == 10 and mask[3:5, 4:9].all()


def test_run_lengths_begin_with_what_lies_outside():
    from engine.review.records import Annotation, new_id, now

    corner = Annotation(new_id(), "c" * 64, "brush", (), "Dr Rot", now(), runs=((0, 0, 1),))
    assert run_lengths(corner, (2, 3)) == [0, 1, 5]


def test_the_table_of_annotations_has_a_line_each_and_no_formula():
    result, exported = made("film")
    rows = list(csv.DictReader(io.StringIO(exported.files["annotations.csv"].decode())))
    assert len(rows) == len(result.findings[0].boxes) + len(result.annotations)
    assert {row["kind"] for row in rows} == {"box", "area", "polygon", "brush", "length"}
    assert "'=1+1" in {row["comment"] for row in rows}
    assert {row["scan_sha256"] for row in rows} == {result.scan.sha256}


def test_fhir_is_valid_and_has_an_observation_for_each_finding():
    result, exported = made("film")
    bundle = Bundle.model_validate_json(exported.files["fhir.json"])
    kinds = [entry.resource.get_resource_type() for entry in bundle.entry]
    assert kinds == ["Device", "Observation", "Observation", "DiagnosticReport"]
    first, second = (entry.resource for entry in bundle.entry[1:3])
    assert float(first.valueQuantity.value) == pytest.approx(0.8) and first.status == "preliminary"
    assert [one.interpretation[0].coding[0].code for one in (first, second)] == ["POS", "NEG"]
    assert first.subject.identifier.value == "MRN-4711"
    assert results.UIDS["StudyInstanceUID"] in first.derivedFrom[0].identifier.value
    assert len(bundle.entry[3].resource.result) == len(result.explanations)


@pytest.mark.parametrize("name", ["film", "ct_volume"])
def test_only_dicom_and_fhir_say_whose_scan_it_is(name):
    for file, said in texts(made(name)[1]).items():
        if not file.endswith(".dcm") and file != "fhir.json":
            assert not [word for word in results.NAMES if word in said], file


@pytest.mark.parametrize("name", ["film", "ct_volume", "mammogram"])
def test_nothing_of_patient_study_or_readers_is_left_in_a_de_identified_export(name):
    result, exported = made(name, de_identified=True)
    known = {
        word for one in result.source.slices for word in (one.text("SOPInstanceUID"), one.text("StudyInstanceUID"))
    }
    for file, said in texts(exported).items():
        data = exported.files[file]
        for word in (*results.NAMES, *known, "Grün", "Dr Rot", "It is a fold"):
            if len(word) > 4:
                assert word not in said and word.encode() not in data and word.encode("latin-1") not in data, (
                    file,
                    word,
                )
    for file, opened in objects(exported).items():
        assert opened.PatientIdentityRemoved == "YES" and not opened.PatientBirthDate, file
        codes = [item.CodeValue for item in opened.DeidentificationMethodCodeSequence]
        assert codes[0] == "113100" and opened.get("StudyDate", "") == "", file
    assert "Reader 1" in exported.files["annotations.csv"].decode()


@pytest.mark.parametrize(("said", "warned"), [("YES", "The file says"), ("NO", ""), (None, "Nobody says")])
def test_burned_in_text_is_warned_about_when_names_are_left_out(said, warned):
    elements = {} if said is None else {"BurnedInAnnotation": said}
    result = results.result(*results.opened(results.radiograph(**elements)))
    notes = " ".join(export(result, ["sc"], de_identified=True).notes)
    assert (warned in notes and "look at every picture" in notes) if warned else "burned" not in notes
    capture = dataset(export(result, ["sc"]), "secondary_capture.dcm")
    assert capture.get("BurnedInAnnotation") == said


def test_without_a_positive_call_there_is_no_segmentation_and_that_is_said():
    result = results.result(*results.opened(results.radiograph()), probability=0.2)
    exported = export(result, ["seg", "sr", "gsps", "map", "coco"])
    assert "segmentation.dcm" not in exported.files and "No call is positive" in exported.notes[0]
    assert {"report.dcm", "presentation_state.dcm", "map_effusion.dcm"} <= set(exported.files)


def test_an_unknown_form_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no form 'hl7'; there are seg, map"):
        export(results.result(FLAT), ["hl7"])


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    exported = export(results.result(FLAT), ["csv", "json"])
    write_export(tmp_path / "out", exported)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(exported.files)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.files.os.fsync", full)
    with pytest.raises(UnwritableFile, match="disk is full"):
        write_export(tmp_path / "other", exported)
    assert not (tmp_path / "other").exists()


def test_progress_is_told_of_every_form():
    told = []
    export(results.result(FLAT), ["csv", "coco", "json"], progress=lambda done, every: told.append((done, every)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_what_is_dicom_is_a_form_and_made():
    assert set(DICOM) < set(FORMS) and set(forms._MAKERS) | {"json"} == set(FORMS)
