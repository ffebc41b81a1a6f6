"""The study that DICOM objects belong to: the scan's own, or a new one for a picture that came without."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset, config
from pydicom.uid import UID

from engine import __version__
from engine.export.result import NAME, NOTICE, Result
from engine.scan import Scan, frame
from engine.scan.source import SourceRecord, SourceSlice

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
        drawn: the image of each slice that a reader drew on, None for a picture; of a slice whose file is missing
            there is none.
        drawn_pictures: pictures in the new study of those slices that are not `picture`, by slice.
    """

    images: tuple[Dataset, ...]
    slices: tuple[int, ...]
    frames: Mapping[str, tuple[str, str, int]]
    picture: Dataset | None
    drawn: Mapping[int | None, Dataset] = field(default_factory=dict)
    drawn_pictures: Mapping[int, Dataset] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        return self.picture is not None

    @property
    def evidence(self) -> list[Dataset]:
        """Every image that something of an export is about, each once."""
        return list({str(one.SOPInstanceUID): one for one in (*self.images, *self.drawn.values())}.values())


def study_of(result: Result) -> Study:
    """The study of a result: its source's, or a new one where there is none or nothing of the source may be in it."""
    elsewhere = _other_slices(result)
    if result.source is None or result.de_identified:
        if result.scan.pixels.ndim != 2:
            raise ValueError("a volume without a study is exported one slice at a time")
        picture = _picture_of_its_own(result.scan, result)
        others = {
            at: _picture_of_its_own(flat, result, picture, number) for number, (at, flat) in enumerate(elsewhere, 2)
        }
        image = _without_pixels(picture)
        drawn = {at: image for at in result.drawn_on if at == result.slice}
        drawn |= {at: _without_pixels(other) for at, other in others.items()}
        return Study((image,), (0,), {}, picture, drawn, others)
    frames: dict[str, tuple[str, str, int]] = {}
    images = stand_ins(result.source, result.scan, frames)
    drawn: dict[int | None, Dataset] = {}
    if result.scan.pixels.ndim == 3:
        drawn = {at: images[at] for at in result.drawn_on if at is not None and at in images}
    else:
        drawn = {at: images[0] for at in result.drawn_on if at == result.slice}
        for at, flat in elsewhere:
            of = None if result.volume_source is None else result.volume_source.at(at)
            if of is not None:
                drawn[at] = stand_ins(of, flat, frames)[0]
    return Study(tuple(images.values()), tuple(images), frames, None, drawn)


def volume_of(result: Result) -> tuple[Scan, dict[int, Dataset], dict[str, tuple[str, str, int]]] | None:
    """The volume that a result is of, or of a slice of, where its slices have a place in its study's space: (volume,
    data sets that stand for its slices, `Study.frames` of them); None for any other.
    """
    flat = result.scan.pixels.ndim == 2
    volume, source = (result.volume, result.volume_source) if flat else (result.scan, result.source)
    if volume is None or source is None or volume.affine is None or result.de_identified:
        return None
    frames: dict[str, tuple[str, str, int]] = {}
    images = stand_ins(source, volume, frames)
    return (volume, images, frames) if "FrameOfReferenceUID" in next(iter(images.values())) else None


def stand_ins(source: SourceRecord, scan: Scan, frames: dict[str, tuple[str, str, int]]) -> dict[int, Dataset]:
    """A data set for each slice that is there, by its place; `frames` is given those that stand for a frame."""
    images: dict[int, Dataset] = {}
    for index, one in enumerate(source.slices):
        if one is None:
            continue
        image = images[index] = _stand_in(one, scan, index)
        if one.frames > 1:
            of = (str(image.SOPClassUID), str(image.SOPInstanceUID), one.frame + 1)
            image.SOPClassUID, image.SOPInstanceUID = SECONDARY_CAPTURE, hd.UID()  # until `with_frames`
            frames[str(image.SOPInstanceUID)] = of
    return images


def _other_slices(result: Result) -> list[tuple[int, Scan]]:
    """The slices that readers drew on beside the one that is exported, as pictures."""
    if result.scan.pixels.ndim == 3 or result.volume is None:
        return []
    count = len(result.volume.pixels)
    return [
        (at, frame(result.volume, at)) for at in result.drawn_on if at is not None and at != result.slice and at < count
    ]


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


def _picture_of_its_own(scan: Scan, result: Result, beside: Dataset | None = None, number: int = 1) -> Dataset:
    """The picture as 16 bits of grey, in a study and of a patient of its own, named by the pixels' hash.

    Args:
        beside: the picture in whose study and series it lies; None for a study of its own.
        number: of the picture in its series.
    """
    when = result.when
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
        study_instance_uid=hd.UID() if beside is None else beside.StudyInstanceUID,
        series_instance_uid=hd.UID() if beside is None else beside.SeriesInstanceUID,
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=number,
        manufacturer=NAME,
        patient_id=f"{NAME.upper()}-{scan.sha256[:12]}" if beside is None else beside.PatientID,
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


def belongs_to(image: Dataset) -> dict[str, Any]:
    """The patient and the study of an image, for objects that take them one by one."""
    return {
        "study_instance_uid": image.StudyInstanceUID,
        "patient_id": image.PatientID,
        "patient_name": str(image.PatientName or ""),
        "patient_birth_date": image.PatientBirthDate,
        "patient_sex": image.PatientSex or None,
        "accession_number": image.AccessionNumber or None,
        "study_id": image.StudyID or None,
        "study_date": image.StudyDate or None,
        "study_time": image.StudyTime or None,
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
