"""Scan: one picture or volume in the scanner's own units, and the one error for files that hold none."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.scan.geometry import checked_affine

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
        spacing_mm: millimetres between pixel centres along every axis of `pixels`: (row, column), of a volume (slice,
            row, column). None for an axis of which the file does not say it, and None altogether where it says nothing;
            row and column are known together or not at all.
        spacing_at: one of SPACING_AT: where `spacing_mm` is measured. A projection shows the patient larger than it is,
            so millimetres at the detector (or on the film that was digitised) are not millimetres of the patient.
        pixel_aspect: height of a pixel over its width; known to some files that do not know millimetres.
        affine: (4, 4) float64, read-only, of a volume whose file says where it lies in the patient, else None:
            ``affine @ (slice, row, column, 1)`` is (x, y, z, 1) of a voxel's centre in millimetres (LPS: x towards the
            patient's left, y towards the back, z towards the head).
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
    spacing_mm: tuple[float | None, ...] | None
    window: tuple[float, float]
    sha256: str
    bits: int
    tags: Mapping[str, str]
    spacing_at: str = "patient"
    pixel_aspect: float = 1.0
    remarks: tuple[str, ...] = ()
    affine: np.ndarray | None = None

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
        if self.spacing_mm is not None:
            _check_spacing(self.spacing_mm, pixels.ndim)
        if self.spacing_at not in SPACING_AT:
            raise UnreadableScan(f"Spacing is measured at one of {', '.join(SPACING_AT)}, got {self.spacing_at!r}.")
        if not (math.isfinite(self.pixel_aspect) and self.pixel_aspect > 0):
            raise UnreadableScan(f"The aspect of a pixel must be a positive number, got {self.pixel_aspect}.")
        if self.affine is not None:
            _check_affine(self.affine, self.spacing_mm, pixels.ndim)
        centre, width = self.window
        if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
            raise UnreadableScan(f"A window must be a finite centre and a width above 0, got {self.window}.")
        if unknown := set(self.tags) - set(TAG_NAMES):
            raise UnreadableScan(f"Tags outside the allowed list: {', '.join(sorted(unknown))}.")

    def record(self) -> dict:
        """The scan without its pixels, as plain JSON types."""
        return {
            "sha256": self.sha256,
            "kind": self.kind,
            "shape": list(self.pixels.shape),
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
            "spacing_at": self.spacing_at,
            "affine": None if self.affine is None else self.affine.tolist(),
            "remarks": list(self.remarks),
            "bits": self.bits,
            "window": list(self.window),
            "tags": dict(self.tags),
        }

    @property
    def plane_spacing_mm(self) -> tuple[float, float] | None:
        """(row, column) millimetres between the pixel centres of a picture or of each slice; None where
        they are not known.
        """
        if self.spacing_mm is None:
            return None
        row, column = self.spacing_mm[-2:]
        return None if row is None or column is None else (row, column)

    @classmethod
    def of(
        cls,
        pixels: np.ndarray,
        kind: str = "radiograph",
        spacing_mm: Sequence[float | None] | None = None,
        window: tuple[float, float] | None = None,
        bits: int = 8,
        tags: Mapping[str, str] | None = None,
        spacing_at: str = "patient",
        pixel_aspect: float | None = None,
        remarks: Sequence[str] = (),
        affine: np.ndarray | None = None,
        given: bool = False,
    ) -> Scan:
        """A checked scan with its identity and, without a `window`, a default one.

        Args:
            pixels: (H, W) or (S, H, W), any real type; copied, so that no one can change them behind the identity.
            spacing_mm: (row, column), of a volume (slice, row, column); None for an axis that is not known.
            pixel_aspect: by default what `spacing_mm` gives, else 1.
            affine: (4, 4), of a volume only; copied.
            given: `pixels` are nobody else's and need not be copied; a volume then takes half the memory.
        """
        pixels = (np.asarray if given else np.array)(pixels, dtype=np.float32, order="C")
        pixels.setflags(write=False)
        if spacing_mm is not None:
            spacing_mm = tuple(None if step is None else float(step) for step in spacing_mm)
            spacing_mm = None if all(step is None for step in spacing_mm) else spacing_mm
        if pixel_aspect is None:
            row, column = (spacing_mm[-2], spacing_mm[-1]) if spacing_mm and len(spacing_mm) > 1 else (None, None)
            pixel_aspect = 1.0
            if row is not None and column is not None and min(row, column) > 0 and max(row, column) < math.inf:
                pixel_aspect = row / column
        if affine is not None:
            affine = np.array(affine, np.float64)
            affine.setflags(write=False)
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
            affine=affine,
        )


def _check_spacing(spacing_mm: tuple[float | None, ...], axes: int) -> None:
    known = [step for step in spacing_mm if step is not None]
    plane = spacing_mm[-2:]
    if (
        len(spacing_mm) != axes
        or not known
        or not all(math.isfinite(step) and step > 0 for step in known)
        or plane.count(None) == 1
    ):
        axes_of_it = "(row, column)" if axes == 2 else "(slice, row, column)"
        raise UnreadableScan(
            f"Pixel spacing must be positive numbers, {axes_of_it} in millimetres, with None for what is not known, "
            f"got {spacing_mm}."
        )


def _check_affine(affine: np.ndarray, spacing_mm: tuple[float | None, ...] | None, axes: int) -> None:
    if axes != 3:
        raise UnreadableScan("Only a volume has an affine; leave it out of a single picture.")
    try:
        checked_affine(affine, spacing_mm)
    except ValueError as error:
        raise UnreadableScan(f"The affine of a volume must {error}.") from None


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
    """0 to 255 for 8-bit pictures, which were windowed when they were made; else from the 0.5th to the
    99.5th percentile.
    """
    low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (np.nan, np.nan)
    if not np.isfinite(high - low):
        return 0.0, 1.0  # of pixels that no scan may hold
    if bits <= 8 and low >= 0 and 1 < high <= 255:
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
    return replace(scan, pixels=pixels, sha256=identity(pixels), spacing_mm=scan.plane_spacing_mm, affine=None)
