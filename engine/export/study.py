"""The study that DICOM objects belong to: the scan's own, or a new one for a picture that came without."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset, config
from pydicom.uid import UID

from engine import __version__
from engine.export.result import NAME, NOTICE, Result
from engine.scan import Scan
from engine.scan.source import SourceSlice

SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
MODALITIES = {"radiograph": "DX", "CT": "CT", "MR": "MR", "ultrasound": "US", "mammogram": "MG", "unknown": "OT"}
SCHEME = "99OTHERWISE"  # of codes that the field has no word for
SERIAL = "none"
UNICODE = "ISO_IR 192"
FIRST_SERIES = 9001  # far from a scanner's own
UNPAIRED = (
    "CHEST",
    "ABDOMEN",
    "HEAD",
    "BRAIN",
    "PELVIS",
    "SKULL",
    "NECK",
    "SPINE",
    "CSPINE",
    "TSPINE",
    "LSPINE",
    "HEART",
)
NOT_IN = (("SR", "BodyPartExamined"), ("DOC", "BodyPartExamined"))
FILES = ("ReferencedInstanceSequence", "SourceInstanceSequence")  # that name files rather than frames


def code(value: str, meaning: str) -> CodedConcept:
    """A concept of our own."""
    return CodedConcept(value[:16], SCHEME, meaning[:64])


def finding_code(finding: str) -> CodedConcept:
    """A finding as a concept: its name stands in the meaning."""
    return code(re.sub(r"\W+", "_", finding.upper())[:16] or "FINDING", finding)


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Where an export belongs.

    Attributes:
        images: for each slice that is exported a data set with what refers to it, without pixels.
        slices: which slices of the scan they are, from 0.
        frames: of images that stand for a frame of a file of several, by the UID that they go by: the file's class and
            UID, and which frame, from 1.
        picture: the picture itself as a secondary capture, for a study of its own; None where the scan has a study.
    """

    images: tuple[Dataset, ...]
    slices: tuple[int, ...]
    frames: Mapping[str, tuple[str, str, int]]
    picture: Dataset | None

    @property
    def is_new(self) -> bool:
        return self.picture is not None


def study_of(result: Result) -> Study:
    """The study of a result: its source's, or a new one where there is none or nothing of the source may be in it."""
    if result.source is None or result.de_identified:
        if result.scan.pixels.ndim != 2:
            raise ValueError("a volume without a study is exported one slice at a time")
        picture = _picture_of_its_own(result)
        return Study((_without_pixels(picture),), (0,), {}, picture)
    there = [(index, one) for index, one in enumerate(result.source.slices) if one is not None]
    images = tuple(_stand_in(one, result.scan, index) for index, one in there)
    frames = {}
    for image, (_, one) in zip(images, there):
        if one.frames > 1:
            of = (str(image.SOPClassUID), str(image.SOPInstanceUID), one.frame + 1)
            image.SOPClassUID, image.SOPInstanceUID = SECONDARY_CAPTURE, hd.UID()  # until `with_frames`
            frames[str(image.SOPInstanceUID)] = of
    return Study(images, tuple(index for index, _ in there), frames, None)


def _stand_in(one: SourceSlice, scan: Scan, index: int) -> Dataset:
    """A data set that stands for a slice of the source study: what was kept of its header, as a single frame."""
    dataset = Dataset()
    with config.disable_value_validation():
        for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
            setattr(dataset, name, "")
        dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
        dataset.Modality = MODALITIES[scan.kind]
        for name, words in one.header.items():
            if name == "NumberOfFrames":
                continue
            try:
                setattr(dataset, name, list(words) if len(words) > 1 else words[0])
                _ = dataset[name].value  # a value that its kind does not allow is found out here
                if dataset[name].VR in ("US", "SS", "UL"):
                    setattr(dataset, name, int(words[0]))
            except Exception:  # an element that is not as the standard has it is left out
                if name in dataset:
                    del dataset[name]
    if dataset.PatientSex not in ("M", "F", "O", ""):
        dataset.PatientSex = ""
    _place(dataset, scan, index)
    dataset.SamplesPerPixel = 1
    dataset.BitsAllocated = 16
    return dataset


def _place(dataset: Dataset, scan: Scan, index: int) -> None:
    """Where the slice lies in the patient: of a volume as it was read, else as its header says; no frame of reference
    where that is not known.
    """
    if scan.affine is not None:
        affine = np.asarray(scan.affine, np.float64)
        dataset.ImagePositionPatient = [decimal(v) for v in (affine @ (index, 0, 0, 1))[:3]]
        along = [affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in (2, 1)]
        dataset.ImageOrientationPatient = [decimal(v) for v in np.concatenate(along)]
    spacing = scan.plane_spacing_mm
    if "PixelSpacing" in dataset:
        del dataset.PixelSpacing  # what counts is how the scan was read
    if spacing is not None and scan.spacing_at == "patient":
        dataset.PixelSpacing = [decimal(v) for v in spacing]
        if scan.spacing_mm is not None and len(scan.spacing_mm) == 3 and scan.spacing_mm[0]:
            dataset.SliceThickness = decimal(scan.spacing_mm[0])
    known = all(name in dataset for name in ("ImagePositionPatient", "ImageOrientationPatient")) and spacing is not None
    if "FrameOfReferenceUID" in dataset and not (known and scan.spacing_at == "patient"):
        del dataset.FrameOfReferenceUID
    if "FrameOfReferenceUID" in dataset and "SliceThickness" not in dataset:
        dataset.SliceThickness = "1"  # must be there; the file does not say it
    if "FrameOfReferenceUID" not in dataset:
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PositionReferenceIndicator", "PixelSpacing"):
            if name in dataset:
                del dataset[name]


def decimal(value: float) -> str:
    """A number as DS has it, at most 16 letters."""
    words = f"{value:.10g}"
    return words if len(words) <= 16 else f"{value:.8g}"


def _picture_of_its_own(result: Result) -> Dataset:
    """The picture as 16 bits of grey, in a study and of a patient of its own, named by the pixels' hash."""
    scan, when = result.scan, result.when
    low, high = float(scan.pixels.min()), float(scan.pixels.max())
    whole = bool((scan.pixels == np.rint(scan.pixels)).all()) and high - low <= 65535 and low >= 0
    slope = 1.0 if whole else (high - low) / 65535
    offset = 0.0 if whole else low
    stored = np.rint((scan.pixels - offset) / slope).clip(0, 65535).astype(np.uint16)
    spacing = scan.plane_spacing_mm if scan.spacing_at == "patient" else None
    made = hd.sc.SCImage(
        stored,
        "MONOCHROME2",
        16,
        "PATIENT",
        study_instance_uid=hd.UID(),
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=NAME,
        patient_id=f"{NAME.upper()}-{scan.sha256[:12]}",
        patient_name="",
        patient_birth_date="",
        patient_sex="",
        study_id="1",
        study_date=when.date(),
        study_time=when.time().replace(microsecond=0),
        patient_orientation=("L", "F"),
        pixel_spacing=spacing,
    )
    made["PatientOrientation"].value = ""
    made.RescaleSlope, made.RescaleIntercept, made.RescaleType = decimal(slope), decimal(offset), "US"
    made.WindowCenter, made.WindowWidth = decimal(scan.window[0]), decimal(scan.window[1])
    if scan.window[1] < 1:
        made.VOILUTFunction = "LINEAR_EXACT"  # another would be 1 at least
    made.SpecificCharacterSet = UNICODE
    made.StudyDescription = "A picture that came without a study"
    made.SeriesDescription = "The picture as it was read"
    made.ImageComments = NOTICE
    made.Modality = MODALITIES[scan.kind]
    part = scan.tags.get("BodyPartExamined", "")
    if part:
        made.BodyPartExamined = part
    if part not in UNPAIRED:
        made.Laterality = ""
    return made


def _without_pixels(dataset: Dataset) -> Dataset:
    copy = Dataset()
    left_out = ("PixelData", "PixelSpacing")  # spacing without a place in space says nothing to those that refer to it
    copy.update({element.tag: element for element in dataset if element.keyword not in left_out})
    return copy


def maker(number: int) -> dict[str, Any]:
    """The arguments that every highdicom object takes: series and instance of its own, and what made it."""
    return {
        "series_instance_uid": hd.UID(),
        "series_number": FIRST_SERIES + number,
        "sop_instance_uid": hd.UID(),
        "instance_number": 1,
        "manufacturer": NAME,
    }


def device() -> dict[str, Any]:
    """The rest of them, for those that take it."""
    return {"manufacturer_model_name": NAME, "software_versions": __version__, "device_serial_number": SERIAL}


def algorithm(result: Result) -> hd.AlgorithmIdentificationSequence:
    """Which model, as segments and maps name it."""
    model = result.model
    return hd.AlgorithmIdentificationSequence(
        name=model.name[:64],
        family=CodedConcept("123109", "DCM", "Artificial Intelligence"),
        version=model.identity[:16],
        source=NAME,
        parameters={"method": model.title, "identity": model.identity, **result.settings, "use": NOTICE},
    )


def series_words(result: Result, what: str) -> str:
    """A description of at most 64 letters, which says the notice."""
    return f"{what}, {result.model.title}. {NOTICE}"[:64]


def finished(dataset: Dataset, result: Result, study: Study, what: str) -> Dataset:
    """The same with what every object says: its series' description, the model, the notice, the side of the body."""
    image = study.images[0]
    dataset.SpecificCharacterSet = UNICODE
    dataset.SeriesDescription = series_words(result, what)
    model = result.model
    if dataset.Modality in ("SEG", "OT") or "PixelData" in dataset or "FloatPixelData" in dataset:
        dataset.ContentQualification = "RESEARCH"
        dataset.DerivationDescription = (
            f"{NOTICE}. {model.title}, {model.name}, identity {model.identity}; "
            f"{'; '.join(f'{name}: {words}' for name, words in result.settings.items())}"
        )[:1024]
    if "FrameOfReferenceUID" not in dataset and dataset.Modality in ("SEG", "OT", "DX"):
        dataset.PatientOrientation = image.get("PatientOrientation", "") or ""
    if dataset.Modality not in ("SEG", "SR", "DOC") and image.get("BodyPartExamined", "") not in UNPAIRED:
        side = image.get("Laterality", "") or image.get("ImageLaterality", "") or ""
        dataset.Laterality = side if side in ("L", "R") else ""  # empty: of a body part that may have two, not known
    for name in ("StudyDescription", "PatientAge", "BodyPartExamined"):
        if name in image and name not in dataset and (dataset.Modality, name) not in NOT_IN:
            setattr(dataset, name, image[name].value)
    dataset.file_meta.ImplementationVersionName = f"{NAME.upper()} {__version__}"[:16]
    return _with_frames(dataset, study) if study.frames else dataset


def _with_frames(dataset: Dataset, study: Study) -> Dataset:
    """The same with every reference to an image that stands for a frame turned into one to that frame of its file."""

    def walk(part: Dataset, of_series: bool = False) -> None:
        of = study.frames.get(str(part.get("ReferencedSOPInstanceUID", "")))
        if of is not None:
            part.ReferencedSOPClassUID, part.ReferencedSOPInstanceUID, part.ReferencedFrameNumber = of
        for element in part:
            if element.VR != "SQ":
                continue
            for item in cast(Sequence[Dataset], element.value):
                walk(item, element.keyword == "ReferencedSeriesSequence")
            if element.keyword in FILES or (of_series and element.keyword == "ReferencedSOPSequence"):
                element.value = _each_once(element.value)

    walk(dataset)
    return dataset


def _each_once(items: Sequence[Dataset]) -> list[Dataset]:
    """One item a file, without frame numbers."""
    once = {str(item.ReferencedSOPInstanceUID): item for item in items}
    for item in once.values():
        if "ReferencedFrameNumber" in item:
            del item.ReferencedFrameNumber
    return list(once.values())
