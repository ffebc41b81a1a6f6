"""What is exported: one scan, what one checkpoint says of it, and what readers said; every form is made from this."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from engine import __version__
from engine.checkpoints.format import Checkpoint
from engine.explanation import Explanation
from engine.metrics.agreement import TENTH, boxes, strongest
from engine.preprocessing import enlarged, enlarged_volume, plane_at
from engine.registry import method
from engine.review.records import Annotation, Opinion, Reading
from engine.scan import Scan, frame
from engine.scan.source import SourceRecord

NOTICE = "Research use only, not for diagnosis"
NAME = "Otherwise"


@dataclass(frozen=True)
class ModelUsed:
    """Which model said it.

    Attributes:
        name: of the checkpoint. title: of its method, as readers know it.
        identity: of weights and configuration together; weights_sha256: of the weights alone.
        collection: what it was trained on, "" where that is not known. caution: of its card, "" for none.
    """

    name: str
    method: str
    title: str
    identity: str
    weights_sha256: str
    collection: str = ""
    caution: str = ""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> ModelUsed:
        return cls(
            checkpoint.name,
            checkpoint.method,
            method(checkpoint.method).title,
            checkpoint.identity,
            checkpoint.sha256,
            checkpoint.collection,
            checkpoint.caution,
        )


@dataclass(frozen=True)
class FindingResult:
    """One finding as every form writes it.

    Attributes:
        record: of the model.
        map: (H, W) or (S, H, W) float32 on the scan's own grid.
        region: bool, same shape: the strongest tenth of the map's pixels (of a volume's, of each slice where the map
            exceeds the whole volume's cut); of a map of changes, of its size. Empty for a negative call.
        boxes: (top, left, bottom, right) in pixel edges around the parts of `region`; of a picture only.
    """

    record: Explanation
    map: np.ndarray
    region: np.ndarray
    boxes: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """One record, from which every form is made.

    Attributes:
        scan: (H, W), or (S, H, W) for a volume that was explained as a whole.
        model: which said it.
        explanations: what it said, of the findings that are exported.
        source: the study that the scan came from, None for one that came without.
        annotations, readings, opinions: what readers drew and said.
        when: when the export was asked for.
        left_out: findings of which the checkpoint's answer means nothing, see `engine.answers`.
        de_identified: whether nothing of the patient or the study may be in it.
        slice: which slice of a volume `scan` is, from 0; None for a picture and for a volume.
        volume: (S, H, W) that `scan` is a slice of, for what readers drew on its other slices; None where that is not
            at hand. volume_source: the study of the whole volume.
    """

    scan: Scan
    model: ModelUsed
    explanations: tuple[Explanation, ...]
    source: SourceRecord | None = None
    annotations: tuple[Annotation, ...] = ()
    readings: tuple[Reading, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    when: datetime = field(default_factory=lambda: datetime.now(UTC).astimezone())
    left_out: tuple[str, ...] = ()
    de_identified: bool = False
    slice: int | None = None
    volume: Scan | None = None
    volume_source: SourceRecord | None = None

    def __post_init__(self):
        if not self.explanations:
            raise ValueError("there is no finding to export")
        if any(record.scan_sha256 != self.scan.sha256 for record in self.explanations):
            raise ValueError("the explanations are of another scan")
        if any(record.checkpoint_identity != self.model.identity for record in self.explanations):
            raise ValueError("the explanations are of another checkpoint")

    @cached_property
    def findings(self) -> tuple[FindingResult, ...]:
        """What every form writes of each finding."""
        return tuple(_finding_result(record, self.scan) for record in self.explanations)

    @property
    def positive(self) -> tuple[FindingResult, ...]:
        """Those with a region; where no call is positive, none."""
        return tuple(one for one in self.findings if one.region.any())

    @property
    def drawn_on(self) -> dict[int | None, tuple[Annotation, ...]]:
        """What readers drew, by the slice that they drew it on, from 0; None of a picture. What lies across the slices
        of a volume is not in it.
        """
        slices = sorted(
            {one.slice for one in self.annotations if one.axis == 0}, key=lambda at: -1 if at is None else at
        )
        return {at: tuple(one for one in self.annotations if one.slice == at and one.axis == 0) for at in slices}

    @property
    def drawn_across(self) -> tuple[Annotation, ...]:
        """What readers drew on planes across the slices of a volume."""
        return tuple(one for one in self.annotations if one.axis != 0)

    @property
    def settings(self) -> dict[str, str]:
        """How what is exported was computed, in words."""
        return {
            "region": f"strongest {100 * TENTH:.0f} % of the map's pixels, of positive calls",
            "thresholds": ", ".join(f"{one.finding} {one.threshold:.4f}" for one in self.explanations),
            "map units": ", ".join(dict.fromkeys(one.attribution_unit for one in self.explanations)),
            "version": f"{NAME} {__version__}",
        }

    def picture(self) -> tuple[Result, int | None]:
        """(the same of one picture, which slice of a volume that is: the one with most of all maps)."""
        if self.scan.pixels.ndim == 2:
            return self, None
        weight = np.sum([np.abs(one.map).sum(axis=(1, 2), dtype=np.float64) for one in self.findings], axis=0)
        if self.source is not None:
            weight[[one is None for one in self.source.slices]] = -1  # its file is missing
        index = int(np.argmax(weight))
        flat = frame(self.scan, index)
        source = None if self.source is None else self.source.at(index)
        records = tuple(_at_slice(one, flat, index, len(self.scan.pixels)) for one in self.findings)
        of = {"volume": self.scan, "volume_source": self.source}
        return replace(self, scan=flat, explanations=records, source=source, slice=index, **of), index


def _at_slice(finding: FindingResult, flat: Scan, index: int, count: int) -> Explanation:
    """The record of a volume of `count` slices as it is of one of them."""
    record = finding.record
    path = record.path
    if path is not None:
        path = replace(path, changes=np.stack([plane_at(change, index, count) for change in path.changes]))
    return replace(
        record,
        scan_sha256=flat.sha256,
        attribution=None,
        counterfactual=None,
        evidence=finding.map[index],
        path=path,
        regions=None,
    )


def _finding_result(record: Explanation, scan: Scan) -> FindingResult:
    shape = scan.pixels.shape
    values = record.attribution
    if values is None:
        flat = scan.pixels.ndim == 2
        values = enlarged(record.evidence, shape) if flat else enlarged_volume(record.evidence, shape)  # pyright: ignore
    size = np.abs(values) if record.both_signs else values
    region = np.zeros(shape, bool)
    if record.positive and size.max() > 0:
        region = strongest(size.reshape(-1, shape[-1])).reshape(shape) & (size > 0)
    return FindingResult(record, values, region, tuple(boxes(region)) if region.ndim == 2 else ())
