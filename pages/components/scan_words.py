"""What a scan's file tells, in words: its title, its badges, and windows to begin with."""

from __future__ import annotations

import numpy as np

from engine.scan import Scan

KINDS_OF_VOLUMES = {"CT": "CT", "MR": "MR", "ultrasound": "ultrasound"}
CT_WINDOWS = (  # name, level and width in Hounsfield units
    ("Brain", 40.0, 80.0),
    ("Stroke", 32.0, 8.0),
    ("Lung", -600.0, 1500.0),
    ("Bone", 400.0, 1800.0),
    ("Soft tissue", 50.0, 400.0),
)
KINDS = {
    "radiograph": "radiograph",
    "CT": "CT slice",
    "MR": "MR slice",
    "ultrasound": "ultrasound picture",
    "mammogram": "mammogram",
    "unknown": "picture of unstated kind",
}


def scan_title(scan: Scan) -> str:
    """'Chest radiograph, PA', or 'Chest CT' of a volume, from what the file says of itself."""
    part = scan.tags.get("BodyPartExamined", "").lower()
    kind = KINDS[scan.kind] if scan.pixels.ndim == 2 else KINDS_OF_VOLUMES.get(scan.kind, "volume")
    words = f"{part} {kind}".strip() if scan.kind != "unknown" else kind
    view = scan.tags.get("ViewPosition", "")
    return words[0].upper() + words[1:] + (f", {view}" if view else "")


def scan_badges(scan: Scan) -> list[tuple[str, str]]:
    """Size, depth, spacing, and what a reader must know of how the file was read, as the viewer's badges."""
    height, width = scan.pixels.shape[-2:]
    size = (f"{width} x {height}, {scan.bits} bit", "quiet")
    remarks = [(remark, "warn") for remark in scan.remarks]
    if scan.pixels.ndim == 3:
        apart = scan.spacing_mm[0] if scan.spacing_mm else None
        distance = f"{apart:.3g} mm apart" if apart else "distance not known"
        remarks = [(f"{len(scan.pixels)} slices, {distance}", "quiet"), *remarks]
    if scan.plane_spacing_mm is None:
        return [size, ("no pixel spacing", "quiet"), *remarks]
    row, column = scan.plane_spacing_mm
    spacing = f"{row:.3g} mm a pixel" if abs(row - column) < 1e-3 * row else f"{row:.3g} x {column:.3g} mm a pixel"
    return [size, (spacing + measured_at(scan), "quiet"), *remarks]


def measured_at(scan: Scan) -> str:
    """What follows a length in millimetres: nothing where it is of the patient."""
    return " at the detector" if scan.spacing_at == "detector" else ""


def window_presets(scan: Scan) -> list[tuple[str, float, float]]:
    """(name, centre, width): those of CT, in Hounsfield units, and others from the grey levels of the picture or of a
    volume's middle slice; no preset changes a pixel.
    """
    plane = scan.pixels if scan.pixels.ndim == 2 else scan.pixels[len(scan.pixels) // 2]
    step = max(1, int(np.sqrt(plane.size / 250_000)))
    low, dark, bright, high = (float(v) for v in np.percentile(plane[::step, ::step], (1, 5, 60, 99)))
    presets = list(CT_WINDOWS) if scan.kind == "CT" else []
    if high > low:
        presets.append(("1 to 99 %", (low + high) / 2, high - low))
    if scan.kind in ("radiograph", "unknown") and bright > dark:
        presets.append(("Lungs", (dark + bright) / 2, bright - dark))
    return presets
