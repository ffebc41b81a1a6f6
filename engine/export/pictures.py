"""Maps and scans as pictures: the only place outside the browser where their numbers become grey and colour."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.errors import UsageError
from engine.explanation import Explanation, full_step
from engine.export.result import NOTICE, FindingResult, Result
from engine.preprocessing import enlarged, two_dimensional

LARGEST_SIDE = 1200  # pixels of one panel of a sheet
STRIP = 30  # pixels above a panel, at a panel height of 512


def png(picture: np.ndarray) -> bytes:
    """(H, W) or (H, W, 3) BGR uint8 as the bytes of a PNG file.

    Raises:
        UsageError: OpenCV cannot write a picture of that size.
    """
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise UsageError(f"a picture of {picture.shape[1]} x {picture.shape[0]} pixels cannot be written as PNG.")
    return data.tobytes()


def shown(pixels: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """(H, W) in scan units through a window (centre, width) to uint8; a volume is refused with a ValueError."""
    two_dimensional(pixels, "a picture")
    centre, width = window
    return np.clip((pixels - centre) / width * 255 + 127.5, 0, 255).astype(np.uint8)


def overlaid(grey: np.ndarray, attribution: np.ndarray, limit: float) -> np.ndarray:
    """(H, W) uint8 under a signed map on the fixed scale +-limit, orange for and blue against; (H, W, 3) BGR uint8."""
    two_dimensional(attribution, "a map")
    strength = np.clip(np.abs(attribution) / limit, 0, 1)[..., None] * 0.75
    colour = np.where(attribution[..., None] >= 0, (60.0, 146.0, 232.0), (240.0, 155.0, 91.0))
    return (grey[..., None] * (1 - strength) + colour * strength).astype(np.uint8)


def without(record: Explanation, pixels: np.ndarray) -> np.ndarray | None:
    """(H, W) float32: the scan with the finding taken away fully, in its units; None where the method makes none."""
    if record.counterfactual is not None:
        return record.counterfactual
    if record.path is None:
        return None
    change = record.path.changes[full_step(record.path.steps)]
    return pixels + enlarged(change, pixels.shape)


def panels(result: Result, finding: FindingResult) -> list[tuple[str, np.ndarray]]:
    """(what it is, (h, w, 3) BGR uint8) of one finding: the scan, the map over it with its boxes, the scan without the
    finding; in the aspect of its pixels, at most LARGEST_SIDE a side.
    """
    scan, record = result.scan, finding.record
    grey = shown(scan.pixels, scan.window)
    marked = overlaid(grey, finding.map, record.attribution_limit)
    width = max(1, round(max(grey.shape) / 400))
    for top, left, bottom, right in finding.boxes:
        cv2.rectangle(marked, (left, top), (right - 1, bottom - 1), (255, 255, 255), width)
    made = [
        ("Scan", cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)),
        (
            f"{record.finding}, orange for, blue against, to {record.attribution_limit:.2g} {record.attribution_unit}",
            marked,
        ),
    ]
    other = without(record, scan.pixels)
    if other is not None:
        words = f"Without {record.finding.lower()}"
        if record.contrast_class is not None:
            words = f"With {record.contrast_class.lower()} instead"
        made.append((words, cv2.cvtColor(shown(other, scan.window), cv2.COLOR_GRAY2BGR)))
    height, across = grey.shape[0] * scan.pixel_aspect, grey.shape[1]
    scale = min(1.0, LARGEST_SIDE / max(height, across))
    size = max(16, round(across * scale)), max(16, round(height * scale))
    return [(words, cv2.resize(picture, size, interpolation=cv2.INTER_AREA)) for words, picture in made]


def sheet(result: Result) -> np.ndarray:
    """(h, w, 3) RGB uint8: a row of panels for each finding, with what the model says of it and the notice."""
    rows = []
    for finding in result.positive or result.findings[:1]:
        record = finding.record
        pictures = panels(result, finding)
        strip = max(14, round(STRIP * pictures[0][1].shape[0] / 512))
        row = [np.concatenate([labelled(words, strip, picture.shape[1]), picture]) for words, picture in pictures]
        said = f"{record.finding}: {record.probability:.2f}, operating point {record.threshold:.2f}"
        whole = np.concatenate(row, axis=1)
        rows.append(np.concatenate([whole, labelled(said, strip, whole.shape[1])]))
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    strip = max(14, round(0.02 * width))
    foot = f"{NOTICE}. {result.model.title}, {result.model.name}, identity {result.model.identity[:12]}."
    return np.concatenate([*rows, labelled(foot, strip, width)])[..., ::-1].copy()


def labelled(words: str, height: int, width: int) -> np.ndarray:
    """(height, width, 3) BGR uint8: words on black, made smaller where they would not fit."""
    size = max(8, round(0.62 * height))
    while size > 8 and ImageFont.load_default(size).getlength(words) > width - 8:
        size -= 1
    strip = Image.new("L", (width, height), 0)
    ImageDraw.Draw(strip).text((4, height / 2), words, fill=230, font=ImageFont.load_default(size), anchor="lm")
    return np.repeat(np.asarray(strip)[..., None], 3, axis=2)
