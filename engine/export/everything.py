"""Everything of one export as JSON, but for the pictures and what names a person."""

from __future__ import annotations

import json
from dataclasses import asdict

from engine import __version__
from engine.export.result import NOTICE, Result
from engine.export.study import Study
from engine.review.measurements import ScanFacts, measured
from engine.review.records import Annotation, to_json

OF_A_PERSON = ("PatientSex", "PatientAge", "Manufacturer")


def everything_json(result: Result, study: Study, notes: tuple[str, ...] = ()) -> str:
    """{notice, version, made, scan, study, model, settings, findings, annotations, readings, opinions, notes}."""
    scan, image = result.scan, study.images[0]
    tags = {name: value for name, value in scan.tags.items() if not (result.de_identified and name in OF_A_PERSON)}
    written = {
        "notice": NOTICE,
        "version": __version__,
        "made": None if result.de_identified else result.when.isoformat(timespec="seconds"),
        "de_identified": result.de_identified,
        "scan": scan.record() | {"tags": tags},
        "study": {
            "of_its_own": study.is_new,
            "StudyInstanceUID": str(image.StudyInstanceUID),
            "SeriesInstanceUID": str(image.SeriesInstanceUID),
            "SOPInstanceUID": [
                study.frames.get(str(one.SOPInstanceUID), ("", str(one.SOPInstanceUID)))[1] for one in study.images
            ],
        },
        "model": {
            "name": result.model.name,
            "method": result.model.method,
            "title": result.model.title,
            "identity": result.model.identity,
            "weights_sha256": result.model.weights_sha256,
            "collection": result.model.collection,
            "caution": result.model.caution,
        },
        "settings": result.settings,
        "findings": [one.record.record() | {"boxes": [list(box) for box in one.boxes]} for one in result.findings],
        "left_out": list(result.left_out),
        "annotations": [to_json(one) | {"measurements": _measurements(result, one)} for one in result.annotations],
        "readings": [to_json(one) for one in result.readings],
        "opinions": [to_json(one) for one in result.opinions],
        "notes": list(notes),
    }
    return json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _measurements(result: Result, one: Annotation) -> list[dict]:
    """What is measured on a drawing, mean and deviation too; nothing where the slice that it lies on is not at hand."""
    scan = result.volume or result.scan
    if (one.slice is None) != (scan.pixels.ndim == 2):
        return []
    return [asdict(number) for number in measured(one, ScanFacts.of(scan), scan.pixels)]
