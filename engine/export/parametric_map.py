"""A finding's map, in its own units, as a DICOM parametric map."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset

from engine.export.result import FindingResult, Result
from engine.export.study import Study, code, decimal, device, finished, maker

UNITLESS = CodedConcept("1", "UCUM", "no units")


def parametric_map(result: Result, study: Study, finding: FindingResult, number: int = 1) -> Dataset:
    """The whole map of one finding as 32-bit floating point, from -limit (0 for a map without signs) to the limit.

    Args:
        number: of the map among those of one export, from 1.
    """
    record, shape = finding.record, result.scan.pixels.shape[-2:]
    values = finding.map.reshape(-1, *shape)[list(study.slices)].astype(np.float32)
    low, high = float(values.min()), float(values.max())
    limit = float(record.attribution_limit)
    lowest = -limit if low < 0 else 0.0
    mapping = hd.pm.RealWorldValueMapping(
        lut_label=f"MAP{number}"[:16],
        lut_explanation=f"{record.finding}, {record.attribution_unit}"[:64],
        unit=UNITLESS,
        value_range=(min(low, lowest), max(high, limit)),
        slope=1.0,
        intercept=0.0,
        quantity_definition=code("EVIDENCE", f"Evidence, {record.attribution_unit}"),
    )
    made = hd.pm.ParametricMap(
        source_images=[placed(image, result) for image in study.images],
        pixel_array=values,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[
            hd.VOILUTTransformation((lowest + limit) / 2, max(limit - lowest, 1e-6), voi_lut_function="LINEAR_EXACT")
        ],
        content_label="EVIDENCE",
        content_description=f"Evidence for {record.finding}"[:64],
        **maker(100 + number),
        **device(),
    )
    return finished(made, result, study, f"Map of {record.finding}")


def placed(image: Dataset, result: Result) -> Dataset:
    """The image with a frame of reference, which a parametric map must have: its own or, where it has none, one of the
    picture's plane, which says nothing of where that lies in the patient.
    """
    if "FrameOfReferenceUID" in image:
        return image
    copy = Dataset()
    copy.update(image)
    row, column = result.scan.plane_spacing_mm or (result.scan.pixel_aspect, 1.0)
    copy.FrameOfReferenceUID = hd.UID()
    copy.PositionReferenceIndicator = ""
    copy.ImagePositionPatient = [0, 0, 0]
    copy.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    copy.PixelSpacing = [decimal(row), decimal(column)]
    copy.SliceThickness = "1"  # a plane has none, and the element must be there
    return copy
