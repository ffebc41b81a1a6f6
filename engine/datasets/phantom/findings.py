"""The five findings of a drawn chest: who has them, where they lie, and how much air they replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.datasets.phantom.anatomy import Chest, cloud, ramp
from engine.datasets.phantom.build import bell

FINDINGS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion")

# How much each finding owes to two latent illnesses (failing heart, infection); the rest is its own noise.
LOADINGS = {
    "Atelectasis": (0.20, 0.60),
    "Cardiomegaly": (0.75, 0.00),
    "Consolidation": (0.10, 0.75),
    "Edema": (0.80, 0.15),
    "Effusion": (0.55, 0.45),
}
# Present when the liability, a standard normal, is above this: about 31 % of patients, 34 % for effusion.
PREVALENCE_LIMIT = {"Atelectasis": 0.50, "Cardiomegaly": 0.50, "Consolidation": 0.50, "Edema": 0.50, "Effusion": 0.40}
FAINTEST = 0.12  # severity runs from here, barely visible, to 1, obvious


def draw_illness(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """(5,) presence bool, (5,) severity that each finding has or would have, and how ill the patient is
    (standard normal).
    """
    latent = rng.standard_normal(2)
    own = rng.standard_normal(5)
    chance = rng.random(5)
    present = np.zeros(5, bool)
    severity = np.zeros(5)
    for i, finding in enumerate(FINDINGS):
        load = np.array(LOADINGS[finding])
        liability = load @ latent + np.sqrt(1 - load @ load) * own[i]
        present[i] = liability > PREVALENCE_LIMIT[finding]
        severity[i] = FAINTEST + (1 - FAINTEST) * chance[i] ** 0.55
    return present, severity, float(latent.sum() / np.sqrt(2))


@dataclass(frozen=True)
class Course:
    """Where and how each finding would show in this patient, whether or not it is there. Pairs are (right, left)."""

    effusion_share: tuple[float, float]
    effusion_height: tuple[float, float]
    effusion_climb: tuple[float, float]
    patches: np.ndarray  # (3, 6): side, height in the lung, way out from the midline, radius, flatness, turn
    collapses: np.ndarray  # (2, 6): side, height, way out, length, thickness, turn
    wedge: bool
    haze_balance: float
    haze_extent: float
    haze_drop: float
    heart_part: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Course:
        which = rng.random()
        strong, weak = rng.uniform(0.75, 1.0), rng.uniform(0.3, 0.9)
        share = (
            (strong, weak)
            if which < 0.2
            else (weak, strong)
            if which < 0.35
            else (strong, 0.0)
            if which < 0.70
            else (0.0, strong)
        )
        patches = np.stack(
            [
                np.where(rng.random(3) < 0.5, -1.0, 1.0),
                rng.uniform(0.18, 0.88, 3),
                rng.uniform(0.32, 0.80, 3),
                rng.uniform(0.060, 0.105, 3) * np.array([1, 0.75, 0.7]),
                rng.uniform(0.65, 1.45, 3),
                rng.uniform(0, np.pi, 3),
            ],
            axis=1,
        )
        patches[1:, 0] = np.where(rng.random(2) < [1.1, 0.5], patches[0, 0], -patches[0, 0])
        patches = patches[: 1 + int(rng.random() < 0.45) + int(rng.random() < 0.25)]
        collapses = np.stack(
            [
                np.where(rng.random(2) < 0.5, -1.0, 1.0),
                rng.uniform(0.45, 0.93, 2),
                rng.uniform(0.40, 0.72, 2),
                rng.uniform(0.060, 0.105, 2),
                rng.uniform(0.0095, 0.016, 2),
                rng.normal(0.0, 0.30, 2),
            ],
            axis=1,
        )
        collapses = collapses[: 1 + int(rng.random() < 0.4)]
        return cls(
            effusion_share=share,
            effusion_height=(rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2)),
            effusion_climb=(rng.uniform(0.05, 0.11), rng.uniform(0.05, 0.11)),
            patches=patches,
            collapses=collapses,
            wedge=bool(rng.random() < 0.45),
            haze_balance=bell(rng, 0, 0.35),
            haze_extent=bell(rng, 0.150, 0.028),
            haze_drop=bell(rng, 0.04, 0.055),
            heart_part=bell(rng, 1, 0.08),
        )

    def heart_growth(self, severity: float) -> float:
        """By what share a heart is widened."""
        return (0.14 + 0.31 * severity) * self.heart_part if severity else 0.0

    def raised(self, severity: float) -> tuple[float, float]:
        """How far collapse pulls up the two halves of the diaphragm, in film widths."""
        lift = [0.0, 0.0]
        if severity:
            lift[int(self.collapses[0, 0] > 0)] = 0.008 + (0.038 if self.wedge else 0.016) * severity
        return lift[0], lift[1]


class Opacities:
    """Share of the lung's air that each finding replaces, every field (size, size) float32 from 0 to 1, exactly 0 far
    from the finding.
    """

    def __init__(self, chest: Chest, course: Course, texture: Mapping[str, np.ndarray]):
        self.chest, self.course, self.texture = chest, course, texture

    def of(self, finding: str, severity: float) -> np.ndarray:
        """`finding` is one of `FINDINGS` without Cardiomegaly, which replaces no air."""
        draw = {
            "Atelectasis": self.atelectasis,
            "Consolidation": self.consolidation,
            "Edema": self.edema,
            "Effusion": self.effusion,
        }
        return np.minimum(draw[finding](np.float32(severity)), 1)

    def _place(self, side: float, height: float, out: float) -> tuple[float, float]:
        """A spot of the lung as (u, v): height 0 apex, 1 dome; out 0 midline, 1 chest wall."""
        build = self.chest.build
        left = int(side > 0)
        narrowing = 0.62 + 0.38 * min(1.0, height / 0.4)
        return side * out * build.lung_width[left] * narrowing, build.apex + height * (build.dome[left] - build.apex)

    def consolidation(self, severity: np.float32) -> np.ndarray:
        """Soft-edged airspace patches, pierced by dark branching bronchi."""
        chest, total = self.chest, np.zeros_like(self.chest.u)
        for side, height, out, radius, flat, turn in self.course.patches.tolist():
            u0, v0 = self._place(side, height, out)
            du, dv = chest.u - np.float32(u0), chest.v - np.float32(v0)
            cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            extent = radius * (0.75 + 0.35 * severity)
            p, q = (du * cos + dv * sin) / (extent * flat**0.5), (dv * cos - du * sin) * (flat**0.5 / extent)
            r = np.sqrt(p * p + q * q) + 0.30 * self.texture["edge"]
            hilum_u = chest.u - np.float32(side * 0.05)
            bearing = np.arctan2(chest.v - np.float32(chest.build.apex + chest.build.hilum), side * hilum_u)
            bronchi = np.clip(np.cos(bearing * 11 + 1.6 * self.texture["edge"]) * 4 - 3, 0, 1)
            patch = ramp(1.0 - r, 0.75) * (1 - 0.36 * bronchi) * (1 + 0.10 * self.texture["fine"])
            total = np.maximum(total, np.where(np.sign(side) * chest.u > 0, patch, 0))
        return np.clip(total * (0.46 + 0.44 * severity), 0, 0.95)

    def atelectasis(self, severity: np.float32) -> np.ndarray:
        """Plates, and in some patients a wedge of collapsed lobe with a sharp border."""
        chest, total = self.chest, np.zeros_like(self.chest.u)
        for side, height, out, length, thickness, turn in self.course.collapses.tolist():
            u0, v0 = self._place(side, height, out)
            du, dv = (chest.u - np.float32(u0)) * np.float32(side), chest.v - np.float32(v0)
            cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            p, q = du * cos + dv * sin, dv * cos - du * sin
            q = q + 1.2 * p * p
            half = thickness * (0.75 + 0.55 * severity)
            half = half * np.clip(1.15 - 0.6 * np.abs(p) / length + 0.25 * self.texture["edge"], 0.35, 1.4)
            plate = ramp(half - np.abs(q), 0.017) * ramp(length * (0.8 + 0.4 * severity) - np.abs(p), 0.07)
            total = np.maximum(total, np.where(np.float32(side) * chest.u > 0, plate, 0))
        total = total * (0.62 + 0.33 * severity)
        if self.course.wedge:
            side, height, _, _, _, turn = self.course.collapses[0].tolist()
            outward = chest.u * np.float32(side)
            left = int(side > 0)
            fall = chest.build.dome[left] - chest.v
            extent = (0.11 + 0.10 * severity) * (1.35 - height * 0.5)
            slope = np.float32(1.15 + 0.6 * turn)
            inside = np.minimum(extent * 1.5 - outward - fall * slope, 0.30 * extent + 0.10 - fall * 0.55)
            wedge = ramp(inside, 0.016) * ramp(outward, 0.01) * (0.45 + 0.40 * severity)
            total = np.maximum(total, wedge)
        return np.clip(total, 0, 0.95)

    def edema(self, severity: np.float32) -> np.ndarray:
        """Haze around both hila that thins outwards, mottled, with short lines at the outer bases."""
        chest, course = self.chest, self.course
        build = chest.build
        du = chest.a - np.float32(0.085)
        dv = chest.v - np.float32(build.apex + build.hilum + course.haze_drop)
        extent = course.haze_extent * (0.85 + 0.3 * severity)
        r = np.sqrt((du / extent) ** 2 + (dv / (1.25 * extent)) ** 2) + 0.18 * self.texture["edge"]
        wings = ramp(1.05 - r, 1.2)
        balance = 1 + course.haze_balance * np.where(chest.side, np.float32(1), np.float32(-1))
        mottle = 1 + 0.30 * self.texture["fine"] + 0.12 * self.texture["patchy"]
        outer = (
            ramp(chest.a / chest.width - 0.72, 0.12)
            * ramp(chest.v - build.dome[0] + 0.20, 0.05)
            * ramp(build.dome[0] + 0.05 - chest.v, 0.05)
        )
        lines = outer * np.clip(
            np.cos(chest.v * np.float32(2 * np.pi / 0.024) + 1.5 * self.texture["edge"]) * 2 - 0.8, 0, 1
        )
        return np.clip(wings * mottle * balance * (0.20 + 0.36 * severity) + lines * (0.16 + 0.16 * severity), 0, 0.9)

    def effusion(self, severity: np.float32) -> np.ndarray:
        """Fluid with a concave upper border that climbs along the chest wall and fills the costophrenic angle."""
        chest, course = self.chest, self.course
        share = chest.pair(course.effusion_share)
        floor = chest.pair(chest.build.dome) - chest.v
        r = np.clip(chest.a / chest.width, 0, 1)
        level = share * chest.pair(course.effusion_height) * (0.012 + 0.19 * severity * severity + 0.02 * severity)
        climb = chest.pair(course.effusion_climb) * (0.55 + 0.9 * severity) * (0.4 + 0.6 * share)
        r2 = r * r
        surface = level - 0.028 + climb * r2 * r2
        fluid = ramp(surface - floor, 0.030)
        return np.where(share > 0, fluid, 0) * np.float32(0.90)


def textures(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Random fields shared by lung and findings, the same whichever findings are there."""
    return {
        "edge": 0.7 * cloud(rng, size, 9) + 0.4 * cloud(rng, size, 20),
        "patchy": cloud(rng, size, 16),
        "fine": 0.6 * cloud(rng, size, 36) + 0.5 * cloud(rng, size, 64),
    }
