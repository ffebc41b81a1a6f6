"""What a model and its readers say as a DICOM structured report: TID 1500, with a box for each region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset

from engine import __version__
from engine.export.result import NAME, NOTICE, FindingResult, Result
from engine.export.study import Study, code, finding_code, finished, maker
from engine.review.records import Annotation

PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
LANGUAGE = CodedConcept("en", "RFC5646", "English")
PROBABILITY, THRESHOLD = code("PROBABILITY", "Probability of finding"), code("THRESHOLD", "Operating point")
CALL, POSITIVE, NEGATIVE = code("CALL", "Call"), code("POSITIVE", "Positive"), code("NEGATIVE", "Negative")
USE, RESEARCH = code("INTENDED_USE", "Intended use"), code("RESEARCH_ONLY", NOTICE)
COMMENT = code("COMMENT", "Label of the reader")
NO_UNITS = CodedConcept("1", "UCUM", "no units")


def structured_report(result: Result, study: Study) -> Dataset:
    """One measurement group a box of a positive finding, one for a finding without a box, one for each region that a
    reader drew, which refers to the slice that it was drawn on.
    """
    groups = [group for finding in result.findings for group in _of_finding(result, study, finding)]
    for at, image in study.drawn.items():
        groups += [_of_reader(image, one) for one in result.drawn_on[at] if outline(one) is not None]
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_device_context=hd.sr.ObserverContext(
                CodedConcept("121007", "DCM", "Device"),
                hd.sr.DeviceObserverIdentifyingAttributes(
                    uid=hd.UID(), name=result.model.name, manufacturer_name=NAME, model_name=result.model.title
                ),
            )
        ),
        procedure_reported=PROCEDURE,
        imaging_measurements=groups,
        title=CodedConcept("126000", "DCM", "Imaging Measurement Report"),
        language_of_content_item_and_descendants=hd.sr.LanguageOfContentItemAndDescendants(LANGUAGE),
        referenced_images=study.evidence if "FrameOfReferenceUID" in study.images[0] else None,
    )
    made = hd.sr.ComprehensiveSR(
        evidence=study.evidence,
        content=report,
        is_complete=True,
        is_final=False,
        is_verified=False,
        **maker(2),
    )
    made.ManufacturerModelName, made.SoftwareVersions = NAME, __version__
    made.SeriesDate, made.SeriesTime = made.ContentDate, made.ContentTime
    return finished(made, result, study, "Findings")


def _algorithm(result: Result) -> hd.sr.AlgorithmIdentification:
    settings = [f"{name}: {words}"[:1000] for name, words in result.settings.items()]
    return hd.sr.AlgorithmIdentification(
        name=result.model.name,
        version=result.model.identity,
        parameters=[f"method: {result.model.title}", *settings, f"use: {NOTICE}"],
        family=CodedConcept("123109", "DCM", "Artificial Intelligence"),
        manufacturer=NAME,
    )


def _of_finding(result: Result, study: Study, finding: FindingResult) -> Sequence[Any]:
    record = finding.record
    said = {
        "finding_type": finding_code(record.finding),
        "algorithm_id": _algorithm(result),
        "measurements": [
            hd.sr.Measurement(PROBABILITY, round(float(record.probability), 4), NO_UNITS),
            hd.sr.Measurement(THRESHOLD, round(float(record.threshold), 4), NO_UNITS),
        ],
        "qualitative_evaluations": [
            hd.sr.QualitativeEvaluation(CALL, POSITIVE if record.positive else NEGATIVE),
            hd.sr.QualitativeEvaluation(USE, RESEARCH),
        ],
    }
    if not finding.boxes:
        tracking = hd.sr.TrackingIdentifier(hd.UID(), record.finding)
        return [hd.sr.MeasurementsAndQualitativeEvaluations(tracking_identifier=tracking, **said)]
    return [
        hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), f"{record.finding} {number}"),
            referenced_region=_region(study.images[0], box_outline(*box)),
            **said,
        )
        for number, box in enumerate(finding.boxes, 1)
    ]


def _of_reader(image: Dataset, one: Annotation) -> Any:
    corners = outline(one)
    assert corners is not None
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), f"{one.label or one.kind} of {one.reader}"),
        referenced_region=_region(image, corners),
        finding_type=finding_code(one.label or "Region of a reader"),
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(COMMENT, code("LABEL", one.label or one.kind)),
            hd.sr.QualitativeEvaluation(USE, RESEARCH),
        ],
    )


def _region(image: Dataset, corners: np.ndarray) -> hd.sr.ImageRegion:
    return hd.sr.ImageRegion(
        graphic_type="POLYLINE",
        graphic_data=corners,
        source_image=hd.sr.SourceImageForRegion(str(image.SOPClassUID), str(image.SOPInstanceUID)),
    )


def box_outline(top: float, left: float, bottom: float, right: float) -> np.ndarray:
    """(5, 2): (column, row) of a closed box, in image coordinates as DICOM counts them."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], np.float64)


def outline(one: Annotation) -> np.ndarray | None:
    """(n, 2): (column, row) of the closed outline of what a reader drew; None for what encloses nothing or has no
    outline.
    """
    if one.kind in ("box", "area"):
        (top, left), (bottom, right) = one.points
        if one.kind == "box":
            return box_outline(top, left, bottom, right)
        turn = np.linspace(0, 2 * np.pi, 65)
        rows, columns = (top + bottom) / 2, (left + right) / 2
        return np.stack(
            [columns + (right - left) / 2 * np.cos(turn), rows + (bottom - top) / 2 * np.sin(turn)], axis=1
        ).round(2)
    if one.kind in ("polygon", "freehand"):
        points = np.array([*one.points, one.points[0]], np.float64)
        return points[:, ::-1].copy()
    if one.kind == "brush":
        rows = [row for row, _, _ in one.runs]
        lefts, rights = [left for _, left, _ in one.runs], [left + count for _, left, count in one.runs]
        return box_outline(min(rows), min(lefts), max(rows) + 1, max(rights))
    return None
