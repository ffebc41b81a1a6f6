"""Scan: one picture or volume in the scanner's own units, and the one error for files that hold none."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

KINDS = ("radiograph", "CT", "MR", "ultrasound", "mammogram", "unknown")
SPACING_AT = ("patient", "detector")
SMALLEST_SIDE = 16  # pixels; anything smaller is an icon, and no network here takes it
TAG_NAMES = (
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "PatientSex",
    "PatientAge",
    "PhotometricInterpretation",
    "Manufacturer",
)


class UnreadableScan(ValueError):
    """A file that holds no usable scan; str() is one sentence that says what is wrong and what would work."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What was scanned, and nothing about whom. Make one with `Scan.of` or `read_scan`.

    Attributes:
        pixels: (H, W) or (S, H, W) float32, read-only, finite, in the scanner's own units; bright is dense.
        kind: one of KINDS.
        spacing_mm: (row, column) millimetres between pixel centres, or None where the file does not say.
        spacing_at: one of SPACING_AT: where `spacing_mm` is measured. A projection shows the patient larger than it is, so
            millimetres at the detector (or on the film that was digitised) are not millimetres of the patient.
        pixel_aspect: height of a pixel over its width; known to some files that do not know millimetres.
        remarks: what a reader must know of how the file was read, a few words each; empty for most.
        window: (centre, width) to start with, in the units of `pixels`; width is above 0. It never changes pixels.
        sha256: of shape and pixels: the identity used by every cache and every record.
        bits: bits stored per pixel in the file.
        tags: from TAG_NAMES only, short and printable.

    Raises:
        UnreadableScan: when a field is not as described.
    """

    pixels: np.ndarray
    kind: str
    spacing_mm: tuple[float, float] | None
    window: tuple[float, float]
    sha256: str
    bits: int
    tags: Mapping[str, str]
    spacing_at: str = "patient"
    pixel_aspect: float = 1.0
    remarks: tuple[str, ...] = ()

    def __post_init__(self):
        pixels = self.pixels
        if pixels.ndim not in (2, 3) or pixels.dtype != np.float32:
            raise UnreadableScan(f"A scan must be (H, W) or (S, H, W) float32, got {pixels.shape} {pixels.dtype}.")
        if min(pixels.shape[-2:]) < SMALLEST_SIDE or pixels.shape[0] < 1:
            height, width = pixels.shape[-2:]
            raise UnreadableScan(
                f"The picture is {width} x {height} pixels; send one of at least {SMALLEST_SIDE} x {SMALLEST_SIDE}."
            )
        if not all(np.isfinite(slab).all() for slab in (pixels if pixels.ndim == 3 else pixels[None])):
            raise UnreadableScan("The picture holds values that are not finite numbers; export it again without them.")
        if self.kind not in KINDS:
            raise UnreadableScan(f"The kind of a scan must be one of {', '.join(KINDS)}, got {self.kind!r}.")
        if self.spacing_mm is not None and not (
            len(self.spacing_mm) == 2 and all(math.isfinite(step) and step > 0 for step in self.spacing_mm)
        ):
            raise UnreadableScan(
                f"Pixel spacing must be two positive numbers, (row, column) in millimetres, or None, got {self.spacing_mm}."
            )
        if self.spacing_at not in SPACING_AT:
            raise UnreadableScan(f"Spacing is measured at one of {', '.join(SPACING_AT)}, got {self.spacing_at!r}.")
        if not (math.isfinite(self.pixel_aspect) and self.pixel_aspect > 0):
            raise UnreadableScan(f"The aspect of a pixel must be a positive number, got {self.pixel_aspect}.")
        centre, width = self.window
        if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
            raise UnreadableScan(f"A window must be a finite centre and a width above 0, got {self.window}.")
        if unknown := set(self.tags) - set(TAG_NAMES):
            raise UnreadableScan(f"Tags outside the allowed list: {', '.join(sorted(unknown))}.")

    @classmethod
    def of(
        cls,
        pixels: np.ndarray,
        kind: str = "radiograph",
        spacing_mm: tuple[float, float] | None = None,
        window: tuple[float, float] | None = None,
        bits: int = 8,
        tags: Mapping[str, str] | None = None,
        spacing_at: str = "patient",
        pixel_aspect: float | None = None,
        remarks: Sequence[str] = (),
    ) -> Scan:
        """A checked scan with its identity and, without a `window`, a default one.

        Args:
            pixels: (H, W) or (S, H, W), any real type; copied, so that no one can change them behind the identity.
            spacing_mm: (row, column), also of a volume; three numbers are refused, since nothing here tells their order.
            pixel_aspect: by default what `spacing_mm` gives, else 1.
        """
        pixels = np.array(pixels, dtype=np.float32, order="C")
        pixels.setflags(write=False)
        spacing_mm = None if spacing_mm is None else tuple(map(float, spacing_mm))
        if pixel_aspect is None:
            known = (
                spacing_mm is not None and len(spacing_mm) == 2 and min(spacing_mm) > 0 and max(spacing_mm) < math.inf
            )
            pixel_aspect = spacing_mm[0] / spacing_mm[1] if known else 1.0
        return cls(
            pixels=pixels,
            kind=kind,
            spacing_mm=spacing_mm,
            window=default_window(pixels, bits) if window is None else (float(window[0]), float(window[1])),
            sha256=identity(pixels),
            bits=int(bits),
            tags=dict(tags or {}),
            spacing_at=spacing_at,
            pixel_aspect=float(pixel_aspect),
            remarks=tuple(remarks),
        )


def identity(pixels: np.ndarray) -> str:
    """sha256 of the shape and the little-endian float32 values."""
    digest = hashlib.sha256(repr(tuple(map(int, pixels.shape))).encode())
    digest.update(np.ascontiguousarray(pixels, dtype="<f4").data)
    return digest.hexdigest()


def sample(pixels: np.ndarray, count: int = 1_000_000) -> np.ndarray:
    """(n,) values on a regular grid through `pixels`; all of them up to `count`."""
    flat = pixels.reshape(-1)
    return flat[:: max(1, flat.size // count)]


def default_window(pixels: np.ndarray, bits: int) -> tuple[float, float]:
    """0 to 255 for 8-bit pictures, which were windowed when they were made; else from the 0.5th to the 99.5th percentile."""
    low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (np.nan, np.nan)
    if not np.isfinite(high - low):
        return 0.0, 1.0  # of pixels that no scan may hold
    if bits <= 8 and 0 <= low and 1 < high <= 255:
        return 127.5, 255.0
    robust = np.percentile(sample(pixels), (0.5, 99.5))
    if robust[1] > robust[0]:
        low, high = map(float, robust)
    return (low + high) / 2, max(high - low, 1e-6)


def frame(scan: Scan, index: int) -> Scan:
    """Slice `index` of a volume as an (H, W) scan with an identity of its own; a flat scan has the one slice 0.

    Raises:
        IndexError: outside 0 .. S - 1.
    """
    count = 1 if scan.pixels.ndim == 2 else len(scan.pixels)
    if not 0 <= index < count:
        raise IndexError(f"slice {index} of a scan that has slices 0 to {count - 1}")
    if scan.pixels.ndim == 2:
        return scan
    pixels = scan.pixels[index].copy()
    pixels.setflags(write=False)
    return replace(scan, pixels=pixels, sha256=identity(pixels))
