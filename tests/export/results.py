"""Small results to export: of every kind of source, with a model's findings and what readers said."""

from __future__ import annotations

import io

import numpy as np
from pydicom import dcmread

from engine.explanation import Explanation, Path
from engine.export.result import ModelUsed, Result
from engine.review.records import Annotation, Opinion, Reading, new_id, now
from engine.scan import Scan, read_scans
from engine.scan.source import read_sources
from tests.scan.files import dicom
from tests.scan.series_files import head, series

IDENTITY, WEIGHTS = "b" * 64, "a" * 64
PATIENT = {
    "PatientName": "Müller^Anna",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19400305",
    "PatientSex": "F",
    "StudyDate": "20040826",
    "StudyTime": "185059",
    "StudyID": "S77",
    "StudyDescription": "THORAX OF MUELLER",
    "AccessionNumber": "ACC99",
    "ReferringPhysicianName": "Ward^Doctor",
    "SpecificCharacterSet": "ISO_IR 100",
}
NAMES = ("Müller", "MRN-4711", "19400305", "ACC99", "Ward", "MUELLER", "S77")
UIDS = {
    "StudyInstanceUID": "1.2.826.0.1.5.1",
    "SeriesInstanceUID": "1.2.826.0.1.5.2",
    "SOPInstanceUID": "1.2.826.0.1.5.3",
}


def radiograph(**elements) -> bytes:
    """A film of 60 x 48 of a patient who is named."""
    pixels = np.random.default_rng(1).integers(0, 4000, (60, 48)).astype(np.uint16)
    said = {
        "Modality": "CR",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientOrientation": ["L", "F"],
        "BitsStored": 12,
        "InstanceNumber": 1,
        "SeriesNumber": 3,
    }
    return dicom(pixels, **said | PATIENT | UIDS | elements)


def ct_files(slices: int = 6) -> list[bytes]:
    """A CT series of the same patient, with its place in space and a UID for each file."""
    of = PATIENT | {"FrameOfReferenceUID": "1.2.826.0.1.5.9", "PositionReferenceIndicator": ""}
    files = []
    for place, file in enumerate(series(head(slices), **of), 1):
        dataset = dcmread(io.BytesIO(file))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.5.3.{place}"
        written = io.BytesIO()
        dataset.save_as(written)
        files.append(written.getvalue())
    return files


def opened(source, which: int = 0):
    """(scan, its source) of files."""
    found = read_scans(source)
    return found.scans[which], read_sources(source, found)[which]


def explanation(scan: Scan, finding: str, probability: float, signed: bool = True) -> Explanation:
    """A record whose map has a strong square for the finding, and a weak one against it."""
    evidence = np.zeros((12, 12), np.float32)
    evidence[2:5, 3:6] = 0.5
    if signed:
        evidence[8:10, 1:3] = -0.3
    path = None
    if scan.pixels.ndim == 3:
        evidence = np.stack([evidence * share for share in (0.4, 1.0, 0.1)])
    else:
        changes = np.stack([np.zeros_like(evidence), -100 * evidence])
        path = Path(np.array([0, 1], np.float32), np.array([probability, 0.1], np.float32), changes, 4000.0)
    return Explanation(
        scan_sha256=scan.sha256,
        checkpoint_sha256=WEIGHTS,
        checkpoint_identity=IDENTITY,
        finding=finding,
        probability=probability,
        threshold=0.4,
        attribution=None,
        attribution_unit="log-odds",
        attribution_limit=1.0,
        evidence=evidence,
        counterfactual=None,
        path=path,
        in_distribution=(1.0, 2.0),
        seconds=0.1,
    )


def result(scan: Scan, source=None, probability: float = 0.8, drawn: bool = True) -> Result:
    """Two findings, one of them positive, and what two readers drew and said."""
    annotations, readings, opinions = (), (), ()
    if drawn:
        slice_ = None if scan.pixels.ndim == 2 else 2
        of = {"scan_sha256": scan.sha256, "created": now(), "slice": slice_}
        annotations = (
            Annotation(new_id(), kind="box", points=((5, 6), (15, 20)), reader="Dr Grün", label="Effusion", **of),
            Annotation(new_id(), kind="area", points=((2, 2), (9, 11)), reader="Dr Grün", comment="=1+1", **of),
            Annotation(new_id(), kind="polygon", points=((1, 1), (1, 9), (8, 4)), reader="Dr Rot", **of),
            Annotation(new_id(), kind="brush", points=(), runs=((3, 4, 5), (4, 4, 5)), reader="Dr Rot", **of),
            Annotation(new_id(), kind="length", points=((0, 0), (3, 4)), reader="Dr Rot", **of),
        )
        readings = (Reading(new_id(), scan.sha256, "Dr Grün", "Effusion", 0.7, "before", now()),)
        opinions = (
            Opinion(
                new_id(), scan.sha256, "Dr Rot", IDENTITY, "Effusion", False, now(), probability, 0.4, "It is a fold."
            ),
        )
    model = ModelUsed("attri-net-test", "attri_net", "Attri-Net", IDENTITY, WEIGHTS, "chestxray8", "Read with care.")
    records = (explanation(scan, "Effusion", probability), explanation(scan, "Old fracture", 0.1))
    return Result(scan, model, records, source, annotations, readings, opinions, left_out=("Hernia",))
