"""The regions of positive calls as a DICOM segmentation."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset

from engine.export.result import Result
from engine.export.study import Study, algorithm, device, finding_code, finished, maker

CATEGORY = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")


class NothingToExport(ValueError):
    """A form that would hold nothing; the message says why in one sentence."""


def segmentation(result: Result, study: Study) -> Dataset:
    """A binary segmentation with one segment for each positive finding.

    Raises:
        NothingToExport: no call is positive.
    """
    findings = result.positive
    if not findings:
        raise NothingToExport("No call is positive, so there is no region to segment.")
    shape = result.scan.pixels.shape[-2:]
    mask = np.stack([one.region.reshape(-1, *shape)[list(study.slices)] for one in findings], axis=-1)  # (S, H, W, C)
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"{one.record.finding}: strongest tenth"[:64],
            segmented_property_category=CATEGORY,
            segmented_property_type=finding_code(one.record.finding),
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm(result),
            tracking_uid=hd.UID(),
            tracking_id=one.record.finding,
        )
        for number, one in enumerate(findings, 1)
    ]
    made = hd.seg.Segmentation(
        source_images=list(study.images),
        pixel_array=mask.astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=segments,
        content_label="EVIDENCE",
        content_description="Where the model looked",
        **maker(1),
        **device(),
    )
    return finished(made, result, study, "Where the model looked")
