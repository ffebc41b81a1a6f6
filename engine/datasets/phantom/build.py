"""The measures of one drawn patient's chest, before anything is laid on a film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def bell(rng: np.random.Generator, mean: float, spread: float) -> float:
    """A normal draw, held within two spreads; always takes one number from `rng`."""
    return mean + spread * min(2.0, max(-2.0, rng.standard_normal()))


@dataclass(frozen=True)
class Build:
    """Measures of one chest, in film widths at scale 1; pairs are (patient's right = left of the film,
    patient's left).
    """

    centre: tuple[float, float]
    scale: float
    tilt: float
    lung_width: tuple[float, float]
    apex: float
    shoulder_of_cage: float
    dome: tuple[float, float]
    angle_depth: tuple[float, float]
    air: float
    wall: float
    fat: float
    neck: float
    shoulder: float
    shoulder_slope: float
    arm: tuple[float, float]
    heart_ratio: float
    heart_axis: float
    heart_shift: float
    mediastinum: float
    knob: tuple[float, float, float]
    trachea_shift: float
    rib_spacing: float
    rib_slope: tuple[float, float]
    rib_phase: tuple[float, float]
    rib_strength: float
    clavicle: tuple[float, float, float]
    scapula: float
    spine: float
    breast: tuple[float, float, float, float]
    bubble: tuple[float, float, float] | None
    hilum: float
    vessels: float
    bulk: tuple[float, float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator, sex: str, view: str) -> Build:
        """The same numbers are taken from `rng` in the same order whatever the sex and the view, so either can be
        intervened on.
        """
        man, portable = sex == "M", view == "AP"
        half = bell(rng, 0.362 if man else 0.340, 0.026)
        turn = bell(rng, 0, 0.035)  # rotation about the long axis: one lung looks wider than the other
        apex = bell(rng, 0.085, 0.024) + (0.012 if portable else 0)
        breath = bell(rng, 0.725, 0.045) - (0.060 if portable else 0) - (0 if man else 0.012)
        uneven = bell(rng, 0.018, 0.020)
        depth = bell(rng, 0.105, 0.026) - (0.015 if portable else 0)
        wall = bell(rng, 0.068 if man else 0.060, 0.018)
        fat = abs(bell(rng, 0, 0.16))
        clavicle_drop = bell(rng, 0.085, 0.02) - (0.035 if portable else 0)
        breast = abs(bell(rng, 0.16, 0.06))
        has_bubble = rng.random() < 0.40
        bubble = (bell(rng, 0.13, 0.04), abs(bell(rng, 0.055, 0.018)) + 0.02, bell(rng, 0.36, 0.12))
        return cls(
            centre=(bell(rng, 0.5, 0.038), bell(rng, 0.45, 0.040)),
            scale=bell(rng, 1.0 if not portable else 0.98, 0.105),
            tilt=bell(rng, 0, 0.04 if portable else 0.022),
            lung_width=(half * (1 + turn), half * (1 - turn)),
            apex=apex,
            shoulder_of_cage=bell(rng, 0.36, 0.04),
            dome=(breath, breath + uneven),
            angle_depth=(depth * bell(rng, 1, 0.12), depth * bell(rng, 1, 0.12)),
            air=bell(rng, 0.58, 0.07) - (0.04 if portable else 0),
            wall=wall + 0.05 * fat,
            fat=fat,
            neck=bell(rng, 0.115 if man else 0.095, 0.015) + 0.05 * fat,
            shoulder=bell(rng, 0.055, 0.028),
            shoulder_slope=bell(rng, 0.22, 0.09) - (0.08 if portable else 0),
            arm=(bell(rng, 0.50, 0.03), bell(rng, 0.28, 0.2) - (0.1 if portable else 0)),
            heart_ratio=bell(rng, 0.445, 0.024) * (1.10 if portable else 1.0),
            heart_axis=bell(rng, 0.62, 0.16),
            heart_shift=bell(rng, 0, 0.016) - 0.35 * turn * half,
            mediastinum=bell(rng, 0.050, 0.006) * (1.18 if portable else 1.0),
            knob=(bell(rng, 0.042, 0.006), bell(rng, 0.20, 0.015), bell(rng, 0.036, 0.006)),
            trachea_shift=bell(rng, 0, 0.006) - 0.2 * turn * half,
            rib_spacing=bell(rng, 0.068, 0.005),
            rib_slope=(bell(rng, 0.085, 0.03), bell(rng, 0.20, 0.05)),
            rib_phase=(rng.random(), rng.random()),
            rib_strength=bell(rng, 0.110, 0.03) * (1.0 if man else 0.85),
            clavicle=(clavicle_drop, bell(rng, 0.10, 0.03), bell(rng, 0.012, 0.0018)),
            scapula=bell(rng, 0.275, 0.02) + (0 if portable else 0.075),
            spine=bell(rng, 0.11, 0.03),
            breast=(
                0.0 if man else 1.0,
                breast,
                bell(rng, 0.185, 0.02) + (0.03 if portable else 0),
                bell(rng, -0.02, 0.03),
            ),
            bubble=bubble if has_bubble else None,
            hilum=bell(rng, 0.29, 0.018),
            vessels=bell(rng, 1.0, 0.25),
            bulk=(bell(rng, 0, 0.13), bell(rng, 0, 0.10), bell(rng, 0, 0.07), bell(rng, 0, 0.10)),
        )
