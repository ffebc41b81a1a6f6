"""Scans for the contract, made from what a method declares: of a kind that it takes, a picture or a volume."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.registry import Method
from engine.scan import Scan

SLICES = 5


def film(height: int, width: int, low: float = 0.0, high: float = 255.0, seed: int = 0) -> np.ndarray:
    """(height, width) float32, a dark chest in a bright body, whole grey values between low and high."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = 0.8 - 0.5 * np.exp(-((np.abs(columns) - 0.4) ** 2 / 0.05 + rows**2 / 0.3)) + 0.1 * columns
    picture = np.clip(picture + random.normal(0, 0.03, (height, width)), 0, 1)
    return np.rint(low + picture * (high - low)).astype(np.float32)


def volume(height: int, width: int, low: float = 0.0, high: float = 255.0, seed: int = 0) -> np.ndarray:
    """(SLICES, height, width) float32, the chest growing fainter from slice to slice."""
    planes = [film(height, width, seed=SLICES * seed + k) * (1 - 0.1 * k) / 255 for k in range(SLICES)]
    return np.rint(low + np.stack(planes) * (high - low)).astype(np.float32)


def pixels_for(method: Method, height: int, width: int, low: float = 0.0, high: float = 255.0, seed: int = 0):
    """(height, width), or (SLICES, height, width) for a method of volumes, float32."""
    return (film if method.dimensions == 2 else volume)(height, width, low, high, seed)


def kind_for(method: Method) -> str:
    """A kind that the method takes: the first that it names, radiographs where it names none."""
    return next((kind for kind in method.kinds if kind != "unknown"), "unknown" if method.kinds else "radiograph")


def scan_of(method: Method, pixels: np.ndarray, **fields) -> Scan:
    """A scan of `pixels` that the method takes; `fields` as for `Scan.of`."""
    return Scan.of(pixels, **{"kind": kind_for(method), **fields})


def scan_for(method: Method, height: int, width: int, low=0.0, high=255.0, seed: int = 0, **fields) -> Scan:
    """A scan that the method takes, made of `pixels_for`."""
    return scan_of(method, pixels_for(method, height, width, low, high, seed), **fields)


def _spaced(method: Method) -> Scan:
    spacing = (0.2, 0.3) if method.dimensions == 2 else (2.5, 0.2, 0.3)
    affine = None if method.dimensions == 2 else np.diag([*spacing, 1.0])
    return scan_for(method, 64, 64, -1024, 3071, bits=12, spacing_mm=spacing, affine=affine)


def _constant(method: Method, value: float, side: int) -> np.ndarray:
    return np.full_like(pixels_for(method, side, side), value)


def _nearly_blank(method: Method) -> Scan:
    pixels = _constant(method, 0, 62)
    pixels[..., 30:32, 30:32] = 255
    return scan_of(method, pixels)


SCANS: dict[str, Callable[[Method], Scan]] = {
    "odd": lambda m: scan_for(m, 37, 61),
    "square": lambda m: scan_for(m, 512, 512),
    "sixteen bits": lambda m: scan_for(m, 120, 90, 0, 65535, bits=16),
    "signed": _spaced,
    "turned over": lambda m: scan_of(
        m, 4095 - pixels_for(m, 75, 50, 0, 4095), bits=12, tags={"PhotometricInterpretation": "MONOCHROME1"}
    ),
    "smallest": lambda m: scan_for(m, 16, 16),
    "narrow": lambda m: scan_for(m, 16, 300),
    "blank": lambda m: scan_of(m, _constant(m, 200, 40)),
    "nearly blank": _nearly_blank,
    "of a kind that the file does not say": lambda m: scan_for(m, 50, 50, kind="unknown"),
}
