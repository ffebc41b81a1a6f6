"""The chest of one drawn patient: where everything lies, and how much it weakens the beam."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from engine.datasets.phantom.build import Build

Part = tuple[tuple[slice, slice], np.ndarray]  # rows and columns of a film, and what lies there; elsewhere it is zero
CANVAS = (
    256  # side of the fixed grid on which thin things (vessels, tubes, letters) are drawn, whatever the picture's size
)


def ramp(distance: np.ndarray, width: float) -> np.ndarray:
    """0 outside (distance < 0), 1 inside, smooth over `width` around the border."""
    t = distance * np.float32(1 / width)
    t += np.float32(0.5)
    t.clip(0, 1, out=t)
    smooth = t * np.float32(-2)
    smooth += np.float32(3)
    smooth *= t
    smooth *= t
    return smooth


@lru_cache(maxsize=16)
def film_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres (x, y) of a (size, size) film, in film widths from the upper left corner."""
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(centres, centres)
    x.flags.writeable = y.flags.writeable = False
    return x, y


class Chest:
    """A `Build` laid on a film of (size, size) pixels; every field is (size, size) float32.

    Attributes:
        u, v: across (patient's left positive) and down, in the patient's own frame.
        side: bool, True on the patient's left; a: distance from the midline.
        cage, floor: distance inside the rib cage, and above the diaphragm; negative outside.
        lung: 0 to 1, how much of the pixel is lung field.
        air: thickness of air in the healthy lungs.
        heart: 1 - radius of the heart, positive inside.
    """

    def __init__(self, build: Build, size: int, heart_growth: float = 0.0, raised: tuple[float, float] = (0.0, 0.0)):
        self.build, self.size = build, size
        x, y = film_grid(size)
        cos, sin = np.cos(build.tilt) / build.scale, np.sin(build.tilt) / build.scale
        dx, dy = x - np.float32(build.centre[0]), y - np.float32(build.centre[1])
        self.u = dx * np.float32(cos) + dy * np.float32(sin)
        self.v = dy * np.float32(cos) - dx * np.float32(sin) + np.float32(0.45)
        self.side = self.u > 0
        self.a = np.abs(self.u)
        self.raised = raised
        self._lungs()
        self._heart(heart_growth)

    def pair(self, values: tuple[float, float]) -> np.ndarray:
        """(right, left) laid on the film."""
        return np.where(self.side, np.float32(values[1]), np.float32(values[0]))

    def film(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Points (...,) of the patient's frame as (..., 2) of the film, in film widths."""
        build = self.build
        cos, sin = np.cos(build.tilt) * build.scale, np.sin(build.tilt) * build.scale
        w = np.asarray(v) - 0.45
        return np.stack([u * cos - w * sin + build.centre[0], u * sin + w * cos + build.centre[1]], axis=-1)

    def around(self, u: tuple[float, float], v: tuple[float, float]) -> tuple[slice, slice]:
        """Rows and columns of the film that hold all of the patient's rectangle from u[0] to u[1] and v[0] to v[1]."""
        build, size = self.build, self.size
        cos, sin = math.cos(build.tilt) * build.scale * size, math.sin(build.tilt) * build.scale * size
        corners = [(p, q - 0.45) for p in u for q in v]
        columns = [p * cos - w * sin + build.centre[0] * size for p, w in corners]
        rows = [p * sin + w * cos + build.centre[1] * size for p, w in corners]

        def around(ends: list[float]) -> slice:
            return slice(max(0, math.floor(min(ends)) - 1), max(0, math.ceil(max(ends)) + 1))

        return around(rows), around(columns)

    def _lungs(self) -> None:
        build, a, v = self.build, self.a, self.v
        self.width = self.pair(build.lung_width)
        a0 = 0.44 * self.width
        da = a - a0
        below = np.maximum(v - build.shoulder_of_cage - 0.05, 0)
        lateral = (self.width - a0) * (1 + 0.10 * below)
        self.lateral = lateral
        radius = np.where(da > 0, lateral, 1.45 * a0)
        top = build.shoulder_of_cage + 0.05
        dv = np.maximum(top - v, 0) * np.float32(1 / (top - build.apex))
        out = np.maximum(np.abs(da) / radius, np.float32(1e-6))
        root = np.sqrt(dv)
        rho = np.sqrt(np.exp(2.1 * np.log(out)) + dv * root * np.sqrt(root))  # exponents 2.1 across, 1.75 up
        self.cage = (1 - rho) * np.float32(0.19)
        across = np.clip(da / lateral, -1, 1.3)
        drop = np.where(da > 0, self.pair(build.angle_depth), np.float32(0.045)) * across * across
        self.dome_line = self.pair(build.dome) + drop
        lift = self.pair(self.raised)
        self.floor = self.dome_line - lift * np.maximum(1 - across * across, 0) - v
        self.lung = ramp(self.cage, 0.012) * ramp(self.floor, 0.010) * ramp(a - 0.028, 0.03)
        depth = np.sqrt(np.clip(self.cage * np.float32(1 / 0.13), 0.0, 1.0)) * np.clip(0.72 + self.floor * 1.2, 0, 1)
        self.air = self.lung * (0.25 + 0.75 * depth) * np.float32(build.air)

    def _heart(self, growth: float) -> None:
        """Two overlapping ellipses on the diaphragm; `growth` 0.3 makes the same heart 30 % wider."""
        build = self.build
        k = build.heart_ratio * sum(build.lung_width) / 0.29 * (1 + growth)  # 1: a heart 0.29 film widths across
        tall = build.heart_ratio * sum(build.lung_width) / 0.29 * (1 + 0.55 * growth)
        bottom = 0.5 * sum(build.dome) + 0.035
        u = self.u - np.float32(build.heart_shift)
        lv_u, lv_v = u - np.float32(0.053 * k), self.v - np.float32(bottom - 0.118 * tall)
        cos, sin = np.float32(np.cos(build.heart_axis)), np.float32(np.sin(build.heart_axis))
        p, q = lv_u * cos + lv_v * sin, lv_v * cos - lv_u * sin
        left = (p / (0.148 * k)) ** 2 + (q / (0.106 * tall)) ** 2
        ra_u, ra_v = u + np.float32(0.030 * k), self.v - np.float32(bottom - 0.138 * tall)
        right = (ra_u / (0.072 * k)) ** 2 + (ra_v / (0.130 * tall)) ** 2
        wa_u, wa_v = u - np.float32(0.026 * k), self.v - np.float32(bottom - 0.235 * tall / (1 + 0.4 * growth))
        waist = (wa_u / (0.080 * k)) ** 2 + (wa_v / (0.120 * tall)) ** 2
        held = [np.maximum(r2, np.float32(0.02)) for r2 in (left, right, waist)]
        near = np.asarray(sum(1 / (r2 * r2 * r2) for r2 in held))
        self.heart = 1 - cv2.pow(near, -1 / 6)  # the three flow into each other

    def ribs(self) -> Part:
        """Posterior and anterior arcs as two periodic functions of a bent phase, from 0 to about 1.5."""
        build, top = self.build, self.build.shoulder_of_cage + 0.05
        half_width = 1.12 * max(build.lung_width)  # here and 1.14 up the cage ends, with the margin that the arcs have
        where = self.around((-half_width, half_width), (top - 1.14 * (top - build.apex), 2))
        v = self.v[where]
        r = (self.a[where] / self.width[where]).clip(0, 1.15)
        spacing = build.rib_spacing * (0.86 + 0.22 * np.clip(v, 0, 1))
        r2 = r * r
        back = (v - build.rib_slope[0] * (r2 * r2 * 1.7 - 0.25 * r)) / spacing + build.rib_phase[0]
        front = (v + build.rib_slope[1] * r - 0.10 * r2 * r2) / spacing * 0.94 + build.rib_phase[1]
        inside = ramp(self.cage[where] + 0.012, 0.02) * (1 - 0.75 * ramp(-self.floor[where], 0.05))

        def arcs(phase: np.ndarray, breadth: float) -> np.ndarray:
            c = np.cos(phase * np.float32(2 * np.pi))
            body = ramp(c - breadth, 0.7)
            return body * (
                1.35 - 0.6 * np.clip((c - breadth) * 1.1, 0, 1)
            )  # cortex: the borders are denser than the middle

        edge = 0.6 + 0.9 * r2 * r
        return where, inside * (arcs(back, 0.25) * edge * 0.85 + arcs(front, 0.12) * ramp(r - 0.48, 0.3) * 0.62)

    def clavicles(self) -> Part:
        build = self.build
        drop, rise, thick = build.clavicle
        middle, half_width = build.apex + drop - 0.02, 1.2 * thick + 0.005
        where = self.around((-0.45, 0.45), (middle - 1.2 * rise - 0.045 - half_width, middle + 0.045 + half_width))
        a, v = self.a[where], self.v[where]
        t = np.clip((a - 0.03) / 0.38, 0, 1.2)
        line = build.apex + drop - rise * t + 0.045 * np.sin(t * 5.5) - 0.02
        d = np.abs(v - line)
        length = ramp(a - 0.028, 0.02) * ramp(0.43 - a, 0.04)
        core = thick * (0.85 + 0.45 * np.abs(t - 0.5))
        return where, length * (ramp(core - d, 0.009) - 0.35 * ramp(core * 0.45 - d, 0.01))

    def shoulder_bones(self) -> Part:
        """Blade of the scapula with its bright rim, and the head of the humerus."""
        build = self.build
        where = self.around((-0.7, 0.7), (build.apex + 0.015, 0.52))
        a, v = self.a[where], self.v[where]
        edge = a - (build.scapula + 0.28 * (0.30 - v))
        blade = ramp(edge, 0.012) * ramp(0.13 - edge, 0.06) * ramp(v - build.apex - 0.03, 0.03) * ramp(0.46 - v, 0.12)
        rim = np.exp(-(((edge - 0.008) / 0.009) ** 2)) * blade
        hu, hv = a - 0.465, v - (build.apex + 0.075)
        head = ramp(0.05 - np.sqrt(hu * hu + hv * hv), 0.012)
        return where, 0.06 * blade + 0.05 * rim + 0.13 * head

    def trunk(self) -> np.ndarray:
        """Soft tissue without the organs: thickness of neck, shoulders, chest wall, arms and belly."""
        build, a, v = self.build, self.a, self.v
        beyond = np.maximum(a - build.neck, 0)
        top = (
            build.shoulder
            + build.shoulder_slope * beyond
            - 0.16 * np.exp(-beyond / 0.035)
            + 0.6 * beyond * beyond * beyond
        )
        upper = ramp(v - np.where(a < build.neck, -9, top), 0.02)
        border = self.width + build.wall + 0.12 * np.exp(-(((v - 0.10) / 0.13) ** 2)) + 0.04 * np.maximum(v - 0.6, 0)
        torso = ramp(border - a, 0.014)
        middle = build.arm[0] + build.arm[1] * np.maximum(v - 0.12, 0)
        arm = ramp(0.075 - np.abs(a - middle), 0.016) * ramp(v - 0.05, 0.05)
        round_ = np.sqrt(np.clip(1.06 - (a / border) ** 2, 0, 1))
        belly = ramp(-self.floor, 0.022) * ramp(self.cage + 0.05, 0.05)
        inside = torso * (0.46 + (0.52 + 0.5 * build.fat) * round_ + 0.26 * belly) + (1 - torso) * arm * 0.62
        neck = 1 - 1.2 * np.clip(0.1 - v, 0, 0.3)
        outward, down, across, hilar = (
            build.bulk
        )  # muscle and fat: thicker outwards, downwards, to one side, around the hila
        r = a / self.width
        w = (v - 0.4) * 2
        near = np.exp(-(((r - 0.3) / 0.28) ** 2) - ((v - build.apex - build.hilum) / 0.17) ** 2)
        shape = 1 + outward * np.minimum(r * r, 1.2) + down * w + across * self.u * 2 + hilar * near
        return upper * inside * neck * np.clip(shape, 0.6, 1.5)

    def breasts(self) -> Part | None:
        """None in men; a mound with a crescent lower border in women."""
        amount, size, away, sag = self.build.breast
        if not amount:
            return None
        broad, tall = 0.75 * size + 0.03, 0.85 * size + 0.02
        half_width = away + 1.05 * broad
        where = self.around((-half_width, half_width), (0.60 + sag - 1.05 / 0.65 * tall, 0.60 + sag + 1.05 * tall))
        p = (self.a[where] - away) / broad
        q = (self.v[where] - (0.60 + sag)) / tall
        q = np.where(q < 0, q * 0.65, q)
        r = 1 - np.sqrt(p * p + q * q)
        return where, ramp(r, 0.10) * (0.35 + 0.65 * np.clip(r + q * 0.45, 0, 1)) * np.float32(0.10 + 1.0 * size)

    def centre_line(self) -> Part:
        """Mediastinum, aorta, windpipe and spine, all of which lie within 0.2 of the midline."""
        build, where = self.build, self.around((-0.2, 0.2), (-1, 2))
        u, v, floor = self.u[where], self.v[where], self.floor[where]
        w = u - np.float32(0.5 * build.heart_shift)
        half = build.mediastinum * (1 + 0.35 * ramp(v - build.apex - 0.26, 0.22) + 0.25 * ramp(build.apex - v, 0.1))
        column = 0.33 * ramp(half - np.abs(w), 0.042) * ramp(floor + 0.02, 0.05)
        across, down, radius = build.knob
        ku, kv = u - across - build.heart_shift, v - (build.apex + down)
        knob = 0.20 * ramp(1 - np.sqrt((ku / radius) ** 2 + (kv / (1.25 * radius)) ** 2), 0.35)
        lower = np.where(kv > 0, np.float32(1), np.float32(0))
        aorta = 0.10 * lower * ramp(radius * 0.6 - np.abs(u - 0.042 + 0.05 * kv), 0.014) * ramp(floor, 0.04)
        t = u - np.float32(build.trachea_shift)
        carina = build.apex + 0.255
        spread = np.maximum(v - carina, 0)
        branch = np.abs(np.abs(t) - 0.75 * spread)
        tube = ramp(np.where(spread > 0, np.float32(0.010), np.float32(0.0145)) - branch, 0.008) * ramp(
            carina + 0.07 - v, 0.04
        )
        bones = 0.80 + 0.20 * np.cos(v * np.float32(2 * np.pi / 0.047))
        ridge = ramp(0.036 - np.abs(u), 0.020) * bones
        process = np.exp(-np.minimum((u / 0.006) ** 2, 60)) * np.clip(bones * 2 - 1, 0, 1) * 0.3
        return where, column + knob + aorta - 0.13 * tube + build.spine * (ridge + process)

    def heart_shadow(self) -> np.ndarray:
        body = ramp(self.heart, 0.07)
        depth = np.sqrt(np.clip(self.heart * 2 - self.heart * self.heart, 0, 1))
        return (
            body
            * (0.25 + 0.32 * depth)
            * (1 - 0.8 * ramp(-self.floor, 0.03))
            * (0.1 + 0.9 * ramp(self.v - self.build.apex - 0.32, 0.26))
        )

    def stomach(self) -> Part | None:
        """The air bubble under the left dome, or None."""
        if self.build.bubble is None:
            return None
        across, radius, amount = self.build.bubble
        broad, tall, middle = radius * 1.35, 0.8 * radius, self.build.dome[1] + 0.018 + 0.75 * radius
        where = self.around(
            (across - 1.15 * broad, across + 1.15 * broad), (middle - 1.15 * tall, middle + 1.15 * tall)
        )
        p = (self.u[where] - across) / broad
        q = (self.v[where] - middle) / tall
        return where, -amount * ramp(1 - np.sqrt(p * p + q * q), 0.3) * ramp(-self.floor[where] - 0.008, 0.01) * ramp(
            0.35 - q, 0.25
        )

    def vessel_tree(self, rng: np.random.Generator) -> np.ndarray:
        """Branching vessels from both hila, (size, size) from 0 to 1."""
        build = self.build
        canvas = np.zeros((CANVAS, CANVAS), np.uint8)
        trunks = 7
        side = np.repeat([-1.0, 1.0], trunks)
        spread = np.tile(np.linspace(-1.35, 1.40, trunks), 2)
        angle = spread + rng.normal(0, 0.12, 2 * trunks)
        start = side * (0.058 + 0.01 * rng.standard_normal(2 * trunks)), build.apex + build.hilum + 0.05 * spread
        length = np.where(spread > 0.6, 0.080, 0.060) * rng.uniform(0.7, 1.3, 2 * trunks)
        for thickness, tone in ((4, 190), (3, 115), (2, 85), (1, 100), (1, 78)):
            count, out = len(angle), 0.5 * length * side
            bend = angle + 0.16 * rng.standard_normal(count)
            angle = angle + 0.10 * rng.standard_normal(count)
            u, v = np.empty((count, 3)), np.empty((count, 3))
            u[:, 0], v[:, 0] = start
            u[:, 1], v[:, 1] = u[:, 0] + out * np.cos(bend), v[:, 0] + 0.5 * length * np.sin(bend)
            u[:, 2], v[:, 2] = u[:, 1] + out * np.cos(angle), v[:, 1] + 0.5 * length * np.sin(angle)
            points = np.rint(self.film(u, v) * (CANVAS * 16)).astype(np.int32)
            cv2.polylines(canvas, list(points), False, tone, thickness, cv2.LINE_AA, 4)
            start, side = (np.repeat(u[:, 2], 2), np.repeat(v[:, 2], 2)), np.repeat(side, 2)
            fork = (0.15 + 0.35 * rng.random((count, 2))) * (-1.0, 1.0)
            angle = (angle[:, None] + fork).ravel()
            length = (length[:, None] * (0.55 + 0.43 * rng.random((count, 2)))).ravel()
        return resized(cv2.GaussianBlur(canvas, (3, 3), 0.7), self.size) * np.float32(1 / 255)


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    """(size, size) float32; averaged when shrunk, so that thin things fade instead of breaking up."""
    if picture.shape[0] != size:
        way = cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_CUBIC
        picture = cv2.resize(picture, (size, size), interpolation=way)
    return picture.astype(np.float32, copy=False)


def cloud(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth random field with about `cells` bumps across; standard normal at its nodes."""
    return resized(rng.standard_normal((cells, cells)).astype(np.float32), size)
