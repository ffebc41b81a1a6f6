"""What the page shows as a picture that any viewer opens: a DICOM secondary capture."""

from __future__ import annotations

import highdicom as hd
from pydicom import Dataset

from engine.export.pictures import sheet
from engine.export.result import Result
from engine.export.study import Study, belongs_to, finished, maker


def secondary_capture(result: Result, study: Study) -> Dataset:
    """Scan, map and counterfactual of each positive finding side by side, in colour, with the notice burned in."""
    image = study.images[0]
    made = hd.sc.SCImage(
        sheet(result),
        "RGB",
        8,
        "PATIENT",
        manufacturer=maker(4)["manufacturer"],
        **belongs_to(image),
        patient_orientation=("L", "F"),
        **{name: value for name, value in maker(4).items() if name != "manufacturer"},
    )
    made["PatientOrientation"].value = ""  # of panels side by side
    if result.source is not None and result.source.burned_in:
        made.BurnedInAnnotation = result.source.burned_in  # what the file says of writing that names a person
    made.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    made.ReferringPhysicianName = image.ReferringPhysicianName  # as it stands there
    return finished(made, result, study, "Scan, map and scan without")
