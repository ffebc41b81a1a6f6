"""Slices or voxels and what is known of them -> a Scan, without a second copy of its pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.scan.dicom_spacing import UNEVEN_FRAMES
from engine.scan.one_file import refuse_blank
from engine.scan.record import Scan, default_window, identity, sample
from engine.scan.series import Stack
from engine.scan.volume_files import looks_like_ct

FETCHED = 1 << 25  # voxels that are fetched from a worker at a time
TAKEN_FOR_CT = "taken for a CT by its values"
Fetch = Callable[[Sequence[int]], np.ndarray]


def described(scan: Scan) -> str:
    """A scan in a few words: 'CT of 148 slices of 512 x 512, 2 mm apart'."""
    height, width = scan.pixels.shape[-2:]
    kind = scan.kind if scan.kind != "unknown" else "scan" if scan.pixels.ndim == 3 else "picture"
    if scan.pixels.ndim == 2:
        return f"{kind} of {width} x {height}"
    apart = scan.spacing_mm[0] if scan.spacing_mm else None
    return f"{kind} of {len(scan.pixels)} slices of {width} x {height}" + (f", {apart:.3g} mm apart" if apart else "")


def filled(order: Sequence[int | None], shape: tuple[int, ...], fetch: Fetch, most: int = 0) -> np.ndarray:
    """(S, H, W) float32: the slices in order, the missing ones as dark as the darkest of the others.

    Args:
        fetch: (n, H, W) of so many places.
        most: places fetched at a time; 0 for as many as FETCHED allows.
    """
    pixels = np.empty((len(order), shape[-2], shape[-1]), np.float32)
    most = most or max(1, FETCHED // (shape[-2] * shape[-1]))
    present = [(place, index) for place, index in enumerate(order) if index is not None]
    for start in range(0, len(present), most):
        part = present[start : start + most]
        for (place, _), values in zip(part, fetch([index for _, index in part]), strict=True):
            pixels[place] = values
    if len(present) < len(order):
        darkest = min(float(pixels[place].min()) for place, _ in present)
        for place in {place for place, index in enumerate(order) if index is None}:
            pixels[place] = darkest
    return pixels


def volume_scan(pixels: np.ndarray, known: list[dict[str, Any]], stack: Stack) -> Scan:
    """A scan of DICOM slices.

    Args:
        known: the fields of the scan of each slice, or of all of them together.
    """
    middle = known[len(known) // 2]
    window, count = Counter(tuple(known_fields["window"]) for known_fields in known).most_common(1)[0]
    if 2 * count <= len(known):
        window = default_window(pixels, middle["bits"])
    plane = middle["spacing_mm"][-2:] if middle["spacing_mm"] else (None, None)
    spacing = (stack.between_mm, *plane)
    remarks = dict.fromkeys(
        [
            *stack.remarks,
            *(remark for known_fields in known for remark in known_fields["remarks"] if remark != UNEVEN_FRAMES),
        ]
    )
    if len(stack.order) == 1:
        return checked_scan(pixels[0], middle | {"spacing_mm": plane if any(plane) else None, "affine": None})
    changed = {
        "window": window,
        "spacing_mm": spacing if any(spacing) else None,
        "affine": stack.affine,
        "remarks": tuple(remarks),
        "bits": max(known_fields["bits"] for known_fields in known),
    }
    return checked_scan(pixels, middle | changed)


def volume_file_scan(pixels: np.ndarray, known: dict[str, Any]) -> Scan:
    """A scan of a NIfTI, NRRD or MetaImage file, which do not say what made them."""
    ct = looks_like_ct(sample(pixels))
    remarks = (*known["remarks"], *((TAKEN_FOR_CT,) if ct else ()))
    spacing = known["spacing_mm"]
    aspect = spacing[1] / spacing[2] if spacing else 1.0
    fields = {
        "kind": "CT" if ct else "unknown",
        "window": default_window(pixels, known["bits"]),
        "tags": {},
        "pixel_aspect": aspect,
    }
    return checked_scan(pixels, known | fields | {"remarks": remarks})


def checked_scan(pixels: np.ndarray, known: dict[str, Any]) -> Scan:
    """As `scan_of`, of pixels that show something; an UnreadableScan says that they do not."""
    refuse_blank(pixels)
    return scan_of(pixels, known)


def scan_of(pixels: np.ndarray, known: dict[str, Any]) -> Scan:
    """A scan of pixels that are nobody else's, which are not copied: a volume takes a gigabyte."""
    pixels.setflags(write=False)
    if known.get("affine") is not None:
        known = known | {"affine": np.array(known["affine"], np.float64)}
        known["affine"].setflags(write=False)
    return Scan(**known | {"pixels": pixels, "sha256": identity(pixels)})
