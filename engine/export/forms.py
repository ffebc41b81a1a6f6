"""Every form in which a result leaves, by name; asking for some of them writes files that belong together."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset

from engine.export.animation import animation
from engine.export.annotations import annotations_csv, coco
from engine.export.deidentification import burned_in_warning, de_identify, without_names
from engine.export.drawn_segmentation import drawn_segmentations
from engine.export.encapsulated_pdf import encapsulated_pdf
from engine.export.everything import everything_json
from engine.export.fhir import fhir_bundle
from engine.export.parametric_map import parametric_map
from engine.export.presentation_state import presentation_states
from engine.export.result import Result
from engine.export.secondary_capture import secondary_capture
from engine.export.segmentation import NothingToExport, segmentation
from engine.export.session_pdf import session_pdf
from engine.export.structured_report import structured_report
from engine.export.study import Study, study_of, volume_of
from engine.files import file_stems, staged

FORMS = {  # name: what a reader calls it
    "seg": "DICOM segmentation",
    "map": "DICOM parametric map",
    "sr": "DICOM structured report (TID 1500)",
    "gsps": "DICOM presentation state",
    "sc": "DICOM secondary capture",
    "dicom-pdf": "DICOM encapsulated PDF",
    "pdf": "PDF of the session",
    "animation": "Animation of the change, WebP",
    "coco": "Annotations, COCO",
    "csv": "Annotations, CSV",
    "fhir": "FHIR Observation and DiagnosticReport",
    "json": "Everything, JSON",
}
DICOM = ("seg", "map", "sr", "gsps", "sc", "dicom-pdf")
OF_VOLUMES = ("seg", "map")  # that hold every slice; the others are of one
OWN_STUDY = (
    "The scan came without a study of its own. What is exported belongs to a new study, and picture.dcm is the picture "
    "that it refers to."
)
MARKER = "export.json"  # written last where it is asked for


@dataclass(frozen=True)
class Exported:
    """Files that belong together.

    Attributes:
        files: name to content.
        notes: what must be said of them, a sentence each.
    """

    files: dict[str, bytes]
    notes: tuple[str, ...]


def export(
    result: Result,
    forms: Sequence[str] = tuple(FORMS),
    de_identified: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """The result in each of the forms.

    Args:
        forms: names in FORMS.
        de_identified: leave out whoever it is of, see `engine.export.deidentification`.
        progress: called with (done, all) after each form.

    Raises:
        ValueError: an unknown form.
    """
    if unknown := [form for form in forms if form not in FORMS]:
        raise ValueError(f"there is no form {unknown[0]!r}; there are {', '.join(FORMS)}.")
    result = without_names(result) if de_identified else result
    whole, flat, notes = _places(result)
    study = study_of(flat)
    files: dict[str, bytes] = {}
    if study.picture is not None and any(form in DICOM or form in ("fhir", "json") for form in forms):
        files["picture.dcm"] = _bytes(study.picture, result)
        for at, picture in study.drawn_pictures.items():
            files[f"picture_slice_{at:04d}.dcm"] = _bytes(picture, result)
        if not de_identified:
            notes.append(OWN_STUDY)
    if de_identified and (warning := burned_in_warning(result)):
        notes.append(warning)
    for done, form in enumerate(forms, 1):
        if form == "json":
            continue
        of, within = (whole, study_of(whole)) if form in OF_VOLUMES and whole is not flat else (flat, study)
        try:
            files |= _MAKERS[form](of, within)
        except NothingToExport as reason:
            notes.append(str(reason))
        if form == "seg":
            files |= _drawn(result, flat, study, notes)
        if progress:
            progress(done, len(forms))
    if "json" in forms:
        files[MARKER] = everything_json(flat, study, tuple(notes)).encode()
        if progress:
            progress(len(forms), len(forms))
    return Exported(files, tuple(notes))


def write_export(folder: Path, exported: Exported) -> None:
    """Writes the files, all of them or none.

    Raises:
        UnwritableFile: nothing was written.
    """
    with staged(folder, marker=MARKER if MARKER in exported.files else None) as put:
        for name, data in exported.files.items():
            put(name, data)


def _places(result: Result) -> tuple[Result, Result, list[str]]:
    """(what holds every slice, what is of one picture, notes). Of a volume that has no place in a study's space both
    are of its slice with most of the maps.
    """
    if result.scan.pixels.ndim == 2:
        return result, result, []
    flat, index = result.picture()
    has_place = result.source is not None and not result.de_identified and result.scan.affine is not None
    has_place = has_place and "FrameOfReferenceUID" in study_of(result).images[0]
    what = "all but the segmentation and the maps are" if has_place else "what is exported is"
    return (
        (result if has_place else flat),
        flat,
        [f"Of the volume, {what} of slice {index}, which has most of the maps."],
    )


def _bytes(dataset: Dataset, result: Result) -> bytes:
    if result.de_identified:
        dataset = de_identify(dataset)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _drawn(whole: Result, flat: Result, study: Study, notes: list[str]) -> dict[str, bytes]:
    """What readers drew, a file or several; and what of it is in no DICOM object."""
    made = drawn_segmentations(flat, study)
    inside = volume_of(flat) is not None
    lost = [one for one in whole.annotations if one.axis != 0 and not inside]
    lost += [one for one in whole.annotations if one.axis == 0 and one.slice not in study.drawn]
    if lost:
        words = "One drawing lies" if len(lost) == 1 else f"{len(lost)} drawings lie"
        notes.append(f"{words} on a plane or slice without an image of its own, and stands in CSV and JSON only.")
    return {
        f"drawn{'' if number == 1 else f'_{number}'}.dcm": _bytes(dataset, flat)
        for number, dataset in enumerate(made, 1)
    }


def _maps(result: Result, study: Study) -> dict[str, bytes]:
    stems = file_stems([one.record.finding for one in result.findings])
    chosen = result.positive or result.findings[:1]
    return {
        f"map_{stems[one.record.finding]}.dcm": _bytes(parametric_map(result, study, one, number), result)
        for number, one in enumerate(chosen, 1)
        if np.ptp(one.map) > 0 or len(chosen) == 1
    }


def _states(result: Result, study: Study) -> dict[str, bytes]:
    made = {}
    for at, state in presentation_states(result, study).items():
        end = f"_slice_{at:04d}" if made and at is not None else ""
        made[f"presentation_state{end}.dcm"] = _bytes(state, result)
    return made


def _animations(result: Result) -> dict[str, bytes]:
    stems = file_stems([one.record.finding for one in result.findings])
    made = {
        f"animation_{stems[one.record.finding]}.webp": animation(result, one)
        for one in result.positive or result.findings[:1]
    }
    files = {name: data for name, data in made.items() if data is not None}
    if not files:
        raise NothingToExport("This method makes no counterfactual, so there is no change to animate.")
    return files


_MAKERS: dict[str, Callable[[Result, Study], dict[str, bytes]]] = {
    "seg": lambda result, study: {"segmentation.dcm": _bytes(segmentation(result, study), result)},
    "map": _maps,
    "sr": lambda result, study: {"report.dcm": _bytes(structured_report(result, study), result)},
    "gsps": lambda result, study: _states(result, study),
    "sc": lambda result, study: {"secondary_capture.dcm": _bytes(secondary_capture(result, study), result)},
    "dicom-pdf": lambda result, study: {"session_pdf.dcm": _bytes(encapsulated_pdf(result, study), result)},
    "pdf": lambda result, study: {"session.pdf": session_pdf(result)},
    "animation": lambda result, study: _animations(result),
    "coco": lambda result, study: {"annotations.coco.json": coco(result).encode()},
    "csv": lambda result, study: {"annotations.csv": annotations_csv(result).encode()},
    "fhir": lambda result, study: {"fhir.json": fhir_bundle(result, study).encode()},
}
