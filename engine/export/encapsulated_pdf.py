"""The PDF of a session inside its study: a DICOM encapsulated PDF."""

from __future__ import annotations

import highdicom as hd
from highdicom.base import SOPClass
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from engine.export.result import NAME, Result
from engine.export.session_pdf import session_pdf
from engine.export.study import Study, belongs_to, device, finished, maker

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"


def encapsulated_pdf(result: Result, study: Study) -> Dataset:
    """The session's PDF, in the study of the scan."""
    image, pdf = study.images[0], session_pdf(result)
    made = SOPClass(
        sop_class_uid=SOP_CLASS,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **belongs_to(image),
        **maker(5),
        **device(),
    )
    made.ConversionType = "WSD"
    made.ContentDate, made.ContentTime = made.InstanceCreationDate, made.InstanceCreationTime
    made.AcquisitionDateTime = ""
    known = "" if result.source is None else result.source.burned_in
    made.BurnedInAnnotation = (
        known or "YES"
    )  # its pictures are the scan's, of which nobody says that nothing is written
    made.DocumentTitle = f"What {result.model.title} says of a scan"[:1024]
    made.ConceptNameCodeSequence = [hd.sr.CodedConcept("18748-4", "LN", "Diagnostic imaging study")]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    made.EncapsulatedDocumentLength = len(pdf)
    made.SourceInstanceSequence = [_reference(study.images[0])]
    made.Manufacturer = NAME
    made.ReferringPhysicianName = image.ReferringPhysicianName  # as it stands there
    return finished(made, result, study, "Session")


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item
