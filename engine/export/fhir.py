"""Findings as FHIR R4B: an Observation each, and a DiagnosticReport over them, in one Bundle."""

from __future__ import annotations

from typing import Any

from fhir.resources.R4B.bundle import Bundle

from engine.export.result import NAME, NOTICE, FindingResult, Result
from engine.export.study import Study

SYSTEM = "https://otherwise.invalid/fhir"  # of codes and identifiers that the field has no address for
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def fhir_bundle(result: Result, study: Study) -> str:
    """A Bundle of type collection as JSON, checked by fhir.resources; all resources are preliminary.

    Raises:
        ValueError: what was made is no FHIR.
    """
    device = _device(result)
    subject, imaging = _subject(result, study), _imaging_study(study)
    observations = [
        _observation(result, one, number, subject, imaging) for number, one in enumerate(result.findings, 1)
    ]
    report = {
        "resourceType": "DiagnosticReport",
        "id": "report",
        "status": "preliminary",
        "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}]},
        "subject": subject,
        "imagingStudy": [imaging],
        "result": [{"reference": f"Observation/{one['id']}"} for one in observations],
        "conclusion": f"{NOTICE}. {_conclusion(result)}",
        **({} if result.de_identified else {"issued": result.when.isoformat(timespec="seconds")}),
    }
    entries = [device, *observations, report]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"{SYSTEM}/{one['resourceType']}/{one['id']}", "resource": one} for one in entries],
    }
    return Bundle.model_validate(bundle).model_dump_json(indent=2, exclude_none=True) + "\n"


def _device(result: Result) -> dict[str, Any]:
    model = result.model
    return {
        "resourceType": "Device",
        "id": "model",
        "identifier": [{"system": f"{SYSTEM}/identity", "value": model.identity}],
        "status": "active",
        "manufacturer": NAME,
        "deviceName": [{"name": model.name, "type": "model-name"}, {"name": model.title, "type": "other"}],
        "version": [{"value": result.settings["version"]}],
        "note": [{"text": f"{NOTICE}. {'; '.join(f'{name}: {words}' for name, words in result.settings.items())}"}],
    }


def _subject(result: Result, study: Study) -> dict[str, Any]:
    image = study.images[0]
    if result.source is None or result.de_identified or not image.PatientID:
        return {"display": "A patient who is not named"}
    identifier: dict[str, Any] = {"value": str(image.PatientID)}
    return {"type": "Patient", "identifier": identifier}


def _imaging_study(study: Study) -> dict[str, Any]:
    uid = str(study.images[0].StudyInstanceUID)
    return {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}}


def _observation(result: Result, finding: FindingResult, number: int, subject: dict, imaging: dict) -> dict[str, Any]:
    record = finding.record
    call = ("POS", "Positive") if record.positive else ("NEG", "Negative")
    where = "; ".join(f"rows {t} to {b}, columns {l} to {r}" for t, l, b, r in finding.boxes)  # noqa: E741
    share = {"system": "http://unitsofmeasure.org", "code": "1", "unit": "probability"}
    return {
        "resourceType": "Observation",
        "id": f"finding-{number}",
        "status": "preliminary",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "imaging",
                        "display": "Imaging",
                    }
                ]
            }
        ],
        "code": {"text": record.finding},
        "subject": subject,
        "derivedFrom": [imaging],
        "device": {"reference": "Device/model"},
        "valueQuantity": {"value": round(float(record.probability), 6), **share},
        "referenceRange": [
            {
                "high": {"value": round(float(record.threshold), 6), **share},
                "text": "negative up to the operating point",
            }
        ],
        "interpretation": [{"coding": [{"system": INTERPRETATION, "code": call[0], "display": call[1]}]}],
        "note": [{"text": f"{NOTICE}." + (f" Strongest part of the map: {where} (pixels)." if where else "")}],
    }


def _conclusion(result: Result) -> str:
    said = [
        f"{one.finding} {one.probability:.2f} ({'positive' if one.positive else 'negative'})"
        for one in result.explanations
    ]
    return f"{result.model.name} says: {', '.join(said)}."
