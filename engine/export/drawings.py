"""What readers drew on any number of scans, without a model: COCO's JSON, and CSV with everything that is measured."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence

import numpy as np

from engine.export.annotations import coco_annotation, literal, of_reader
from engine.export.result import NOTICE
from engine.review.cases import Case
from engine.review.measurements import box_around, measured
from engine.review.records import UnusableRecord

COLUMNS: tuple[str, ...] = tuple(
    "scan_sha256 id reader label kind slice axis top left bottom right points comment created revision state length "
    "angle area unit at mean deviation grey notice".split()
)


def cases_coco(cases: Sequence[Case]) -> str:
    """COCO's object detection format: an image for each scan, or slice of one, with a region on it, a category for each
    label. An image is named by the sha256 of its scan's pixels. What was drawn across a volume's slices is in the CSV
    only.

    Raises:
        UnusableRecord: of a scan with regions it is not known how large it is.
    """
    images: dict[tuple[str, int | None], dict] = {}
    labels: dict[str, int] = {}
    entries = []
    for case in cases:
        for one in case.annotations:
            if not one.encloses or one.axis != 0:
                continue
            if case.facts is None:
                raise UnusableRecord(f"How large the scan {case.scan_sha256[:12]} is was not kept with its drawings.")
            (height, width), _ = case.facts.plane()
            name = f"{case.scan_sha256}{'' if one.slice is None else f'_{one.slice:04d}'}.png"
            image = images.setdefault(
                (case.scan_sha256, one.slice),
                {"id": len(images) + 1, "width": width, "height": height, "file_name": name},
            )
            category = labels.setdefault(one.label or one.kind, len(labels) + 1)
            entry = coco_annotation(len(entries) + 1, of_reader(one), image["id"], category, (height, width))
            entries.append({**entry, "state": one.state, "comment": one.comment})
    written = {
        "info": {"description": f"What readers drew. {NOTICE}.", "notice": NOTICE},
        "licenses": [],
        "images": list(images.values()),
        "categories": [{"id": number, "name": label} for label, number in labels.items()],
        "annotations": entries,
    }
    return json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def cases_csv(cases: Sequence[Case], pixels: Callable[[str], np.ndarray | None] | None = None) -> str:
    """One line a drawing, in COLUMNS: places in pixels of the scan, what is measured in `unit`.

    Args:
        pixels: gives those of the scan of a sha256, (H, W) or (S, H, W), for mean and deviation, which are empty where
            it gives None; asked once a case, so that one scan at a time need be in memory.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for case in cases:
        of_scan = pixels(case.scan_sha256) if pixels is not None and case.facts is not None else None
        for one in case.annotations:
            top, left, bottom, right = box_around(one)
            row: dict[str, object] = {
                **{"scan_sha256": case.scan_sha256, "id": one.id, "reader": one.reader, "label": one.label},
                **{"kind": one.kind, "slice": "" if one.slice is None else one.slice, "axis": one.axis},
                **{"top": top, "left": left, "bottom": bottom, "right": right},
                **{"points": json.dumps(one.points or one.runs), "comment": one.comment, "created": one.created},
                **{"revision": one.revision, "state": one.state, "notice": NOTICE},
            }
            if case.facts is not None:
                for number in measured(one, case.facts, of_scan):
                    row[number.name] = round(number.value, 6)
                    if number.name in ("length", "area"):
                        row |= {"unit": number.unit, "at": number.at}
                    elif number.name == "mean":
                        row["grey"] = number.unit
            writer.writerow({name: literal(value) for name, value in row.items()})
    return text.getvalue()
