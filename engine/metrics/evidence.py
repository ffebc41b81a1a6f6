"""Sums over a weighted map: how much evidence it holds, and what share of it lies inside a region."""

from __future__ import annotations

import numpy as np


def positive_energy(evidence: np.ndarray) -> np.ndarray:
    """Sum of the positive part of each map, (..., h, w) -> (...) float64; the negative part is set to 0, as the
    authors' code does.
    """
    return np.maximum(np.asarray(evidence, dtype=np.float64), 0).sum(axis=(-2, -1))


def share_inside(energy: np.ndarray, region: np.ndarray) -> float | None:
    """Share of a non-negative map that lies inside a region; None when the map is all zero.

    Shape:
        energy (h, w), finite and not negative; region (h, w) bool.
    """
    energy, region = np.asarray(energy, dtype=np.float64), np.asarray(region)
    if energy.ndim != 2 or energy.shape != region.shape:
        raise ValueError(f"map and region must share one (h, w), got {energy.shape} and {region.shape}")
    if region.dtype != bool:
        raise ValueError(f"region must be bool, got {region.dtype}")
    if not np.isfinite(energy).all() or energy.min() < 0:
        raise ValueError("a map must be finite and not negative")
    total = energy.sum()
    return None if total == 0 else float(energy[region].sum() / total)
