"""The change that takes a finding away, as a picture that moves: for a slide."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

import cv2
import numpy as np
from PIL import Image

from engine.explanation import Path
from engine.export.pictures import labelled, shown
from engine.export.result import NOTICE, FindingResult, Result
from engine.preprocessing import enlarged

FRAMES = 16  # there, and as many back
HOLD_MS, STEP_MS = 900, 70  # at either end, and of each frame between
LARGEST_SIDE = 640  # pixels
QUALITY = 80


def animation(result: Result, finding: FindingResult) -> bytes | None:
    """An endless WebP: the scan, the scan without the finding, and back, with the amount and the model's probability
    written under it; None where the method makes no counterfactual.
    """
    record, scan = finding.record, result.scan
    if record.path is None:
        return None
    steps = 0.5 - 0.5 * np.cos(np.pi * np.arange(FRAMES + 1) / FRAMES)  # slow at both ends
    height, width = scan.pixels.shape[0] * scan.pixel_aspect, scan.pixels.shape[1]
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    strip = max(16, round(0.035 * size[1]))
    frames = []
    for amount in steps:
        change, probability = at(record.path, float(amount))
        pixels = scan.pixels + enlarged(change, scan.pixels.shape)
        grey = cv2.resize(shown(pixels, scan.window), size, interpolation=cv2.INTER_AREA)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        words = f"Without {record.finding.lower()}, a = {amount:.2f}: p {probability:.2f}"
        if record.contrast_class is not None:
            words = f"With {record.contrast_class.lower()} instead, a = {amount:.2f}: p {probability:.2f}"
        foot = f"{NOTICE}. {result.model.name}, {result.model.identity[:12]}"
        whole = np.concatenate([picture, labelled(words, strip, size[0]), labelled(foot, strip, size[0])])
        frames.append(Image.fromarray(whole[..., ::-1].copy()))
    there_and_back = [*frames, *frames[-2:0:-1]]
    times = [STEP_MS] * len(there_and_back)
    times[0] = times[FRAMES] = HOLD_MS
    file = io.BytesIO()
    there_and_back[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=there_and_back[1:],
        duration=times,
        loop=0,
        quality=QUALITY,
        xmp=_description(result),
    )
    return file.getvalue()


def _description(result: Result) -> bytes:
    """An XMP packet that says what made the picture, for whom the words under it are cut off."""
    settings = "; ".join(f"{name}: {value}" for name, value in result.settings.items())
    words = f"{NOTICE}. {result.model.title}, {result.model.name}, identity {result.model.identity}; {settings}"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description rdf:about=""><dc:description><rdf:Alt>'
        f'<rdf:li xml:lang="x-default">{escape(words)}</rdf:li></rdf:Alt></dc:description></rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def at(path: Path, amount: float) -> tuple[np.ndarray, float]:
    """What the scan turns into at `amount`, (h, w) in its units on the model's grid, and the probability there: linear
    between the steps of the path.
    """
    above = int(np.clip(np.searchsorted(path.steps, amount), 1, len(path.steps) - 1))
    low, high = float(path.steps[above - 1]), float(path.steps[above])
    share = min(max((amount - low) / (high - low), 0.0), 1.0)
    change = (1 - share) * path.changes[above - 1] + share * path.changes[above]
    probability = (1 - share) * path.probabilities[above - 1] + share * path.probabilities[above]
    return change.astype(np.float32), float(probability)
