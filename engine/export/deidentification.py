"""De-identification of what is exported, by the Basic Application Level Confidentiality Profile of DICOM PS3.15 E.

What is exported without identity belongs to a new study whose UIDs are all new, so nothing of the source's header is in
it. On top of that every attribute in the profile's table is treated as the table says, but for those that hold nothing
but what this program wrote (`OURS`): the profile's options of clean descriptors, structured content and graphics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import cast

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from highdicom.sr import CodedConcept
from pydicom import Dataset

from engine.export.result import Result

EDITION = "dicomfields_2026c"
CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113103", "Clean Graphics Option"),
    ("113104", "Clean Structured Content Option"),
    ("113105", "Clean Descriptors Option"),
)
METHOD = "PS3.15 E basic profile; UIDs are new; pixels are not cleaned"
OURS = frozenset(
    "ContentSequence GraphicAnnotationSequence EncapsulatedDocument SeriesDescription StudyDescription ImageComments "
    "ContributionDescription DeviceSerialNumber UnformattedTextValue DocumentTitle AcquisitionContextSequence "
    "ReferencedImageSequence SourceImageSequence SourceInstanceSequence".split()
)
MUST_BE = ("PresentationCreationDate", "PresentationCreationTime")  # in their objects: a dummy rather than nothing
DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000", "PN": "Anonymous", "LO": "ANONYMOUS", "SH": "NONE"}
LOOK = "De-identification does not remove it: look at every picture before you pass it on."
BURNED_IN = {
    "YES": f"The file says that writing which names a person is burned into the picture. {LOOK}",
    "": f"Nobody says whether writing that names a person is burned into the picture. {LOOK}",
    "NO": "",
}
NEVER = "1900-01-01T00:00:00.000000Z"


@cache
def _actions() -> dict[tuple[int, int], str]:
    """Tag to the profile's action: 'D_TAGS' (a dummy), 'Z_TAGS' (empty), 'X_TAGS' (removed), 'U_TAGS' (a new UID)..."""
    table = dicom_anonymization_database_selector(EDITION)
    return {tag: action for action, tags in table.items() if action != "ALL_TAGS" for tag in tags if len(tag) == 2}


def without_names(result: Result) -> Result:
    """The same result marked as without identity: readers numbered rather than named, no dates, no free words."""
    known = {one.finding for one in result.explanations}
    said = (*result.annotations, *result.readings, *result.opinions)
    number = {name: f"Reader {place}" for place, name in enumerate(sorted({one.reader for one in said}), 1)}
    return replace(
        result,
        annotations=tuple(
            replace(
                one,
                reader=number[one.reader],
                comment="",
                created=NEVER,
                label=one.label if one.label in known else "",
            )
            for one in result.annotations
        ),
        readings=tuple(replace(one, reader=number[one.reader], created=NEVER) for one in result.readings),
        opinions=tuple(
            replace(one, reader=number[one.reader], created=NEVER, reason="removed" if one.reason else "")
            for one in result.opinions
        ),
        de_identified=True,
    )


def de_identify(dataset: Dataset) -> Dataset:
    """The same data set, treated by the profile and with its codes; it must be of a new study."""
    _walk(dataset)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = METHOD
    dataset.DeidentificationMethodCodeSequence = [CodedConcept(value, "DCM", meaning) for value, meaning in CODES]
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    return dataset


def _walk(part: Dataset) -> None:
    for element in list(part):
        action = _actions().get((element.tag.group, element.tag.elem))
        if action is not None and element.keyword not in OURS:
            if action == "X_TAGS" and element.keyword not in MUST_BE:
                del part[element.tag]
                continue
            if action in ("X_TAGS", "D_TAGS", "Z_D_TAGS", "X_D_TAGS") and element.VR != "SQ":
                element.value = DUMMIES.get(element.VR, "")
            elif action in ("Z_TAGS", "X_Z_TAGS", "X_Z_D_TAGS") and element.VR != "SQ":
                element.value = ""
        if element.VR == "SQ":
            for item in cast(Sequence[Dataset], element.value):
                _walk(item)


def burned_in_warning(result: Result) -> str:
    """What must be said of writing in the picture when it leaves without names; "" where there is none to fear."""
    return BURNED_IN[result.source.burned_in if result.source is not None else ""]
