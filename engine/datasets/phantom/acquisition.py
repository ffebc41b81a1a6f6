"""From how much the body weakens the beam to the grey levels of a film: beam, scatter, grain, tone, borders, letters
and tubes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from engine.datasets.phantom.anatomy import CANVAS, Chest, film_grid, resized
from engine.datasets.phantom.build import bell

GRAIN = 256  # side of the fixed grid of quantum noise
WEAKENING = 2.3  # natural logarithms of beam lost in one unit of density


@dataclass(frozen=True)
class Exposure:
    """How one film was taken.

    `slant` is the uneven beam across and down; `border` the four collimator edges in film widths.
    """

    centre: float
    latitude: float
    scatter: float
    grain: float
    blur: float
    slant: tuple[float, float]
    border: tuple[float, float, float, float]
    border_turn: float
    border_grey: float
    letter: str
    letter_place: tuple[float, float]
    letter_size: float
    letter_grey: float
    words: bool
    tubes: tuple[bool, bool, bool]

    @classmethod
    def draw(cls, rng: np.random.Generator, view: str) -> Exposure:
        portable = view == "AP"
        edges = np.where(rng.random(4) < (0.22, 0.22, 0.2, 0.3), rng.uniform(0.008, 0.055, 4), -1.0)
        side = rng.random() < 0.75
        high = rng.random()
        x = rng.uniform(0.84, 0.92) if side else rng.uniform(0.05, 0.10)
        y = rng.uniform(0.04, 0.16) if high < 0.8 else rng.uniform(0.45, 0.75)
        chances = rng.random(4)
        return cls(
            centre=bell(rng, 1.28, 0.17) - (0.10 if portable else 0),
            latitude=bell(rng, 0.60, 0.07) * (1.12 if portable else 1),
            scatter=bell(rng, 0.050, 0.012) + (0.035 if portable else 0),
            grain=bell(rng, 0.013, 0.003) * (1.4 if portable else 1),
            blur=bell(rng, 0.0016, 0.0003) + (0.0008 if portable else 0),
            slant=(bell(rng, 0, 0.20), bell(rng, 0, 0.16)),
            border=tuple(edges),
            border_turn=bell(rng, 0, 0.012),
            border_grey=4.0 if rng.random() < 0.85 else 248.0,
            letter="L" if side else "R",
            letter_place=(x, y),
            letter_size=rng.uniform(0.028, 0.042),
            letter_grey=rng.uniform(215, 250),
            words=bool(chances[0] < (0.55 if portable else 0.0)),
            tubes=tuple(chances[1:] < ((0.35, 0.22, 0.40) if portable else (0.07, 0.0, 0.06))),
        )


def tubes(exposure: Exposure, chest: Chest, rng: np.random.Generator) -> np.ndarray | None:
    """Central line, breathing tube and electrode leads as added density, or None when the patient has none."""
    line, windpipe, leads = exposure.tubes
    jitter = rng.normal(0, 1, 24)
    if not any(exposure.tubes):
        return None
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    apex = chest.build.apex

    def trace(u: list[float], v: list[float], tone: int, thickness: int) -> None:
        t = np.linspace(0, len(u) - 1, 24)
        steps = np.arange(len(u))
        points = chest.film(np.interp(t, steps, u), np.interp(t, steps, v))
        kernel = np.array([0.25, 0.5, 0.25])
        for _ in range(6):
            points[1:-1] = points[:-2] * kernel[0] + points[1:-1] * kernel[1] + points[2:] * kernel[2]
        cv2.polylines(canvas, [np.round(points * CANVAS * 16).astype(np.int32)], False, tone, thickness, cv2.LINE_AA, 4)

    if line:
        s = -1 if jitter[0] < 0.5 else 1
        trace(
            [s * 0.16, s * 0.12, -0.03, -0.045, -0.04],
            [apex - 0.08, apex + 0.09, apex + 0.13, apex + 0.22, apex + 0.34 + 0.03 * jitter[1]],
            110,
            2,
        )
    if windpipe:
        c = chest.build.trachea_shift
        trace([c, c, c], [-0.2, apex, apex + 0.17 + 0.02 * jitter[2]], 120, 3)
    if leads:
        for i in range(2 + int(jitter[3] > 0)):
            s = -1 if i % 2 else 1
            u, v = s * (0.22 + 0.05 * jitter[4 + i]), apex + 0.12 + 0.22 * i + 0.05 * jitter[8 + i]
            trace([u, u * 0.8, s * 0.30, s * 0.42], [v, v + 0.2, v + 0.28, v + 0.5 + 0.1 * jitter[12 + i]], 60, 1)
            spot = np.round(chest.film(np.array(u), np.array(v)) * CANVAS * 16).astype(int)
            cv2.circle(canvas, (int(spot[0]), int(spot[1])), int(3.5 * 16), 75, -1, cv2.LINE_AA, 4)
    return resized(canvas, chest.size) * np.float32(1 / 255)


def beam_through(density: np.ndarray, scatter: np.ndarray, exposure: Exposure, grain: np.ndarray) -> np.ndarray:
    """Beer-Lambert, scatter, blur and quantum noise; (n, n) densities to (n, n) grey levels from 0 to 255."""
    size = density.shape[0]
    x, y = film_grid(size)
    beam = np.exp(density * np.float32(-WEAKENING))
    sigma = exposure.blur * size
    if sigma > 0.15:
        beam = cv2.GaussianBlur(beam, (0, 0), sigma)
    beam = beam + scatter
    beam = np.maximum(beam + np.sqrt(beam) * grain * np.float32(exposure.grain), 0.004)
    signal = -np.log(beam)
    signal = signal + np.float32(exposure.slant[0]) * (x - 0.5) + np.float32(exposure.slant[1]) * (y - 0.5)
    return 255 / (1 + np.exp((exposure.centre - signal) * np.float32(1 / exposure.latitude)))


def scattered(trunk: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Light that strays inside the body: broad, and by choice of the model blind to organs and findings."""
    size = trunk.shape[0]
    coarse = cv2.resize(np.exp(trunk * np.float32(-0.5)), (32, 32), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 2.5), (size, size), interpolation=cv2.INTER_CUBIC) * np.float32(
        exposure.scatter * 1.6
    )


def quantum_noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size) float32, standard normal on a fixed grid; averaging it down makes small pictures smoother, as on a
    scanner.
    """
    swift = np.random.Generator(
        np.random.SFC64(rng.integers(0, 2**32, 4))
    )  # seeded by the patient's counter; twice as fast
    return resized(swift.standard_normal((GRAIN, GRAIN), dtype=np.float32), size)


def finish(picture: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Collimator borders and lead letters over an exposed film, in place of what lay there."""
    size = picture.shape[0]
    if max(exposure.border) > 0:
        x, y = film_grid(size)
        turn = np.float32(exposure.border_turn)
        p, q = x - 0.5 + turn * (y - 0.5), y - 0.5 - turn * (x - 0.5)
        left, right, top, bottom = (np.float32(e) for e in exposure.border)
        inside = np.minimum(np.minimum(p + 0.5 - left, 0.5 - p - right), np.minimum(q + 0.5 - top, 0.5 - q - bottom))
        open_ = np.clip(inside * np.float32(size / 1.6) + 0.5, 0, 1)
        picture = picture * open_ + np.float32(exposure.border_grey) * (1 - open_)
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    scale = exposure.letter_size * CANVAS / 22
    at = (int(exposure.letter_place[0] * CANVAS), int((exposure.letter_place[1] + exposure.letter_size) * CANVAS))
    cv2.putText(canvas, exposure.letter, at, cv2.FONT_HERSHEY_DUPLEX, scale, 255, 1, cv2.LINE_AA)
    if exposure.words:
        x = min(at[0], CANVAS - 36) if at[0] > CANVAS // 2 else at[0]
        cv2.putText(canvas, "AP", (x + 6, at[1] + 20), cv2.FONT_HERSHEY_SIMPLEX, 0.23, 255, 1, cv2.LINE_AA)
        cv2.putText(canvas, "PORTABLE", (x - 8, at[1] + 31), cv2.FONT_HERSHEY_SIMPLEX, 0.23, 255, 1, cv2.LINE_AA)
    ink = np.clip(resized(canvas, size) * np.float32(1 / 255), 0, 1)
    return picture + ink * np.maximum(np.float32(exposure.letter_grey) - picture, 0)


def mark_ink(text: str, place: tuple[float, float], height: float, size: int) -> np.ndarray:
    """Coverage of burned-in `text`, (size, size) float32 from 0 to 1; `place` is its upper left corner, `height` that
    of a capital.
    """
    fine = 2 * CANVAS
    canvas = np.zeros((fine, fine), np.uint8)
    scale = height * fine / 21.5
    base = (int(place[0] * fine), int((place[1] + height) * fine))
    cv2.putText(canvas, text, base, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(2, round(height * fine / 6)), cv2.LINE_AA)
    return np.clip(resized(canvas, size) * np.float32(1 / 255), 0, 1)
