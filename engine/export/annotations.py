"""Regions of a model and of its readers as COCO's JSON and as CSV, in pixels of the scan."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from engine.export.result import NOTICE, Result
from engine.export.structured_report import box_outline, outline
from engine.review.records import Annotation

COLUMNS: tuple[str, ...] = tuple(
    "id author label kind top left bottom right points slice axis comment state created probability threshold "
    "scan_sha256 checkpoint checkpoint_identity settings notice".split()
)
ANSWERS = "=+-@\t\r"  # first letters that a spreadsheet would compute


@dataclass(frozen=True, eq=False)
class Drawn:
    """One region or measurement of either.

    Attributes:
        slice: of a volume, from 0.
        author: "model", or a reader's name.
        corners: (n, 2): (column, row), closed where it encloses something.
        annotation: of a reader, else None.
        probability, threshold: of the model, else None.
    """

    id: str
    author: str
    label: str
    kind: str
    corners: np.ndarray
    slice: int | None = None
    annotation: Annotation | None = None
    probability: float | None = None
    threshold: float | None = None

    @property
    def encloses(self) -> bool:
        return self.annotation is None or self.annotation.encloses

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(top, left, bottom, right)."""
        left, top = self.corners.min(axis=0)
        right, bottom = self.corners.max(axis=0)
        return float(top), float(left), float(bottom), float(right)


def drawn(result: Result) -> list[Drawn]:
    """The boxes of the model, then what readers drew."""
    found = [
        Drawn(
            f"model {one.record.finding} {number}",
            "model",
            one.record.finding,
            "box",
            box_outline(*box),
            result.slice,
            None,
            float(one.record.probability),
            float(one.record.threshold),
        )
        for one in result.findings
        for number, box in enumerate(one.boxes, 1)
    ]
    return [*found, *map(of_reader, result.annotations)]


def _named(result: Result) -> str:
    """The sha256 of the whole scan, whose slices are counted."""
    return (result.volume or result.scan).sha256


def of_reader(one: Annotation) -> Drawn:
    """What a reader drew."""
    corners = outline(one)
    if corners is None:
        corners = np.array(one.points, np.float64)[:, ::-1]
    return Drawn(one.id, one.reader, one.label, one.kind, corners, one.slice, one)


def coco(result: Result) -> str:
    """COCO's object detection format: the scan as an image (of a volume each slice with a region), a category for each
    label, what encloses something as annotations.
    """
    height, width = result.scan.pixels.shape[-2:]
    across = [one.id for one in result.annotations if one.axis != 0]
    regions = [one for one in drawn(result) if one.encloses and one.id not in across]
    slices = sorted({one.slice for one in regions}, key=lambda index: -1 if index is None else index) or [result.slice]
    labels = list(
        dict.fromkeys([*(one.finding for one in result.explanations), *(one.label or one.kind for one in regions)])
    )
    model = result.model
    written = {
        "info": {
            "description": f"Regions of {model.name} and its readers. {NOTICE}.",
            "date_created": "" if result.de_identified else result.when.isoformat(timespec="seconds"),
            "checkpoint": model.name,
            "checkpoint_identity": model.identity,
            "settings": result.settings,
            "notice": NOTICE,
        },
        "licenses": [],
        "images": [
            {
                "id": number,
                "width": width,
                "height": height,
                "file_name": f"{_named(result)}{'' if index is None else f'_{index:04d}'}.png",
            }
            for number, index in enumerate(slices, 1)
        ],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels, 1)],
        "annotations": [
            coco_annotation(
                number, one, slices.index(one.slice) + 1, labels.index(one.label or one.kind) + 1, (height, width)
            )
            for number, one in enumerate(regions, 1)
        ],
    }
    return json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def coco_annotation(number: int, one: Drawn, image: int, category: int, shape: tuple[int, int]) -> dict[str, Any]:
    """The entry of what encloses something, on an image of `shape` (rows, columns)."""
    top, left, bottom, right = one.bounds
    brush = one.annotation is not None and one.annotation.kind == "brush"
    area = abs(float(cv2.contourArea(one.corners.astype(np.float32))))
    segmentation: Any = [one.corners[:-1].ravel().round(3).tolist()]
    if brush and one.annotation is not None:
        area = float(sum(count for *_, count in one.annotation.runs))
        segmentation = {"size": list(shape), "counts": run_lengths(one.annotation, shape)}
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [left, top, right - left, bottom - top],
        "area": area,
        "segmentation": segmentation,
        "iscrowd": int(brush),
        "author": one.author,
        "kind": one.kind,
        **({} if one.probability is None else {"score": round(one.probability, 6)}),
    }


def run_lengths(one: Annotation, shape: tuple[int, int]) -> list[int]:
    """A brush as COCO's uncompressed run lengths, down the columns, those outside first."""
    mask = np.zeros(shape, np.uint8)
    for row, left, count in one.runs:
        mask[row : row + 1, left : left + count] = 1
    flat = np.concatenate([[0], mask.ravel(order="F")])
    edges = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()


def annotations_csv(result: Result) -> str:
    """One line a region or measurement, in COLUMNS; numbers are pixels of the scan."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in drawn(result):
        top, left, bottom, right = one.bounds
        note = one.annotation
        row = {
            "id": one.id,
            "author": one.author,
            "label": one.label,
            "kind": one.kind,
            "top": top,
            "left": left,
            "bottom": bottom,
            "right": right,
            "points": json.dumps(one.corners[:, ::-1].tolist()),
            "slice": "" if one.slice is None else one.slice,
            "axis": 0 if note is None else note.axis,
            "comment": "" if note is None else note.comment,
            "state": "" if note is None else note.state,
            "created": "" if note is None else note.created,
            "probability": "" if one.probability is None else round(one.probability, 6),
            "threshold": "" if one.threshold is None else round(one.threshold, 6),
            "scan_sha256": _named(result),
            "checkpoint": result.model.name,
            "checkpoint_identity": result.model.identity,
            "settings": "; ".join(f"{name}: {words}" for name, words in result.settings.items()),
            "notice": NOTICE,
        }
        writer.writerow({name: literal(value) for name, value in row.items()})
    return text.getvalue()


def literal(value: object) -> object:
    """Words that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] and value[0] in ANSWERS else value
