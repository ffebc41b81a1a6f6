"""What a file and a reader say of the sides of a picture, where that contradicts itself or the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.laterality.chest import is_frontal_chest
from engine.scan import Scan

STATEMENTS = ("Laterality", "ImageLaterality", "PatientOrientation")  # elements of DICOM that say a side
MARKER = {"Side marker L": "L", "Side marker R": "R"}  # labels of what a reader draws around a marker that he sees
RIM = 0.06  # of a mammogram's width, at each edge
CLEAR = 0.3  # more of one edge than of the other is breast, where a chest wall is
OTHER = {"L": "right", "R": "left"}
NAMED = {"L": "left", "R": "right"}


@dataclass(frozen=True)
class SeenMarker:
    """A side marker that a reader saw in the picture.

    Attributes:
        side: "L" or "R", as it is written there.
        across: of its middle, as a share of the picture's width.
    """

    side: str
    across: float


def contradictions(scan: Scan, stated: Mapping[str, Sequence[str]], seen: Sequence[SeenMarker] = ()) -> list[str]:
    """A sentence on each contradiction; none for a picture of which the file says nothing.

    Args:
        scan: a picture as it is stored, which is how it is shown.
        stated: the words of STATEMENTS that the file has, see `engine.scan.source.SourceSlice.header`.
        seen: markers that a reader saw.
    """
    if scan.pixels.ndim != 2:
        return []
    found = []
    sides = {name: _first(stated, name) for name in ("Laterality", "ImageLaterality")}
    if {*sides.values()} == {"L", "R"}:
        found.append(
            f"The file names both sides: its series is of the {NAMED[sides['Laterality']]}, its picture of the "
            f"{NAMED[sides['ImageLaterality']]}."
        )
    across, down = (*stated.get("PatientOrientation", ()), "", "")[:2]
    if is_frontal_chest(scan):
        found += _of_a_chest(across.upper(), seen)
    elif scan.kind == "mammogram":
        found += _of_a_breast(scan, across.upper(), down.upper(), sides["ImageLaterality"] or sides["Laterality"])
    return found


def confirmed(scan: Scan, seen: Sequence[SeenMarker]) -> bool:
    """Whether a reader saw a marker of a chest film where it belongs: the patient's left on the picture's right."""
    return is_frontal_chest(scan) and bool(seen) and not any(_mirrored(marker) for marker in seen)


def _mirrored(marker: SeenMarker) -> bool:
    return (marker.across < 0.5) == (marker.side == "L")


def _of_a_chest(across: str, seen: Sequence[SeenMarker]) -> list[str]:
    found = []
    if across.startswith("R"):
        found.append("The file says that the picture's right is the patient's right, as in a mirrored film.")
    for marker in {marker.side: marker for marker in seen if _mirrored(marker)}.values():
        found.append(f"The marker {marker.side} was seen on the picture's {NAMED[marker.side]}, as in a mirrored film.")
    return found


def _of_a_breast(scan: Scan, across: str, down: str, side: str) -> list[str]:
    found = []
    wall = chest_wall(scan.pixels)
    said = {"A": "left", "P": "right"}.get(across[:1], "")
    if wall and said and wall != said:
        found.append(
            f"The file says that the chest wall lies on the picture's {said}, but the breast reaches its {wall} edge, "
            "as in a mirrored picture."
        )
    named = [letter for letter in down if letter in "LR"]
    if side and named and named[0] == side:
        found.append(
            f"The file says that this is the {NAMED[side]} breast, but its orientation is that of the {OTHER[side]} "
            "one, or upside down."
        )
    return found


def chest_wall(pixels: np.ndarray) -> str:
    """On which edge of a mammogram (H, W) the breast ends: "left", "right", or "" where that is not clear."""
    low, high = np.percentile(pixels[::8, ::8], (1, 99))
    inside = pixels[::8] > low + 0.12 * (high - low)
    rim = max(1, round(RIM * pixels.shape[1]))
    skipped = max(1, rim // 6)  # the very edge is often a frame
    left, right = inside[:, skipped:rim].mean(), inside[:, -rim:-skipped].mean()
    if abs(left - right) < CLEAR:
        return ""
    return "left" if left > right else "right"


def _first(stated: Mapping[str, Sequence[str]], name: str) -> str:
    word = next(iter(stated.get(name, ())), "").strip().upper()
    return word if word in NAMED else ""
