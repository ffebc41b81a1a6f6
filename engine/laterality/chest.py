"""Whether a frontal chest film looks like its mirror image: a small network whose answer turns its sign when the film
is mirrored.

It never says more than that a film looks as mirrored films do; so do the films of people whose heart lies on the right.
The weights that ship, with what was measured, stand in `chest/`; `training.py` made them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import load_file

from engine.preprocessing import two_dimensional
from engine.scan import Scan
from engine.scan.record import sample

SHIPPED = Path(__file__).parent / "chest"
SIDE = 64  # pixels a side of what the network sees
SHOWN = 0.9  # of the film's width and height, around its middle: what lies at the rim is mostly markers
GROUPS = 4
FRONTAL = ("PA", "AP", "")  # what ViewPosition says of a frontal film; "" where the file does not say it
LEAST_SPECIFICITY = 0.99
BLOCKS = ("first", "second", "third")


def prepared(pixels: np.ndarray) -> np.ndarray:
    """(64, 64) float32: the middle of a film (H, W), in shares of its 1st to 99th percentile, less its mean."""
    two_dimensional(pixels, "a film")
    height, width = pixels.shape
    top, left = round(height * (1 - SHOWN) / 2), round(width * (1 - SHOWN) / 2)
    middle = np.ascontiguousarray(pixels[top : height - top, left : width - left], np.float32)
    low, high = np.percentile(sample(pixels, 200_000), (1, 99))
    small = cv2.resize(middle, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = np.clip((small - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    return small - small.mean()


def score(film: np.ndarray, weights: Mapping[str, np.ndarray]) -> float:
    """Above 0 for a film that looks as films do, below 0 for one that looks mirrored, in log-odds.

    Args:
        film: (64, 64), see `prepared`.
        weights: of the network in `training.py`, by its names.
    """
    return _one_way(film, weights) - _one_way(film[:, ::-1], weights)


def _one_way(film: np.ndarray, weights: Mapping[str, np.ndarray]) -> float:
    x = np.maximum(_convolved(film[None], weights["stem.weight"], weights["stem.bias"], stride=2), 0)
    for block in BLOCKS:
        for layer in ("a", "b"):
            name = f"{block}.{layer}"
            x = _convolved(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
            x = np.maximum(_normed(x, weights[f"{name}_norm.weight"], weights[f"{name}_norm.bias"]), 0)
        channels, height, width = x.shape
        x = x.reshape(channels, height // 2, 2, width // 2, 2).max((2, 4))
    return float(x.ravel() @ weights["head.weight"][0] + weights["head.bias"][0])


def _convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1) -> np.ndarray:
    """(O, H, W) of (I, H, W) with (O, I, k, k), zeros around."""
    size = weight.shape[-1]
    around = np.pad(x, ((0, 0), (size // 2, size // 2), (size // 2, size // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(around, (size, size), (1, 2))[:, ::stride, ::stride]
    channels, height, width = windows.shape[:3]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(channels * size * size, height * width)
    return (weight.reshape(len(weight), -1) @ columns).reshape(-1, height, width) + bias[:, None, None]


def _normed(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Group normalisation (Wu and He 2018) of (C, H, W)."""
    groups = x.reshape(GROUPS, -1)
    mean, variance = groups.mean(1, keepdims=True), groups.var(1, keepdims=True)
    normed = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
    return normed * weight[:, None, None] + bias[:, None, None]


@dataclass(frozen=True)
class ChestCheck:
    """The check that ships.

    Attributes:
        weights: of the network.
        limit: below this score, which is negative, a film is said to look mirrored.
        specificity, sensitivity: (value, low, high) on films not trained on, 95 % intervals.
        films: how many those were.
    """

    weights: Mapping[str, np.ndarray]
    limit: float
    specificity: tuple[float, float, float]
    sensitivity: tuple[float, float, float]
    films: int

    @classmethod
    def read(cls, folder: Path) -> ChestCheck:
        """The check in a folder that `python -m engine laterality` wrote."""
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        rates = {name: tuple(found[name][part] for part in ("value", "low", "high")) for name in RATES}
        return cls(load_file(folder / "weights.safetensors"), float(found["limit"]), films=int(found["n"]), **rates)

    @property
    def may_warn(self) -> bool:
        """Whether it is right about films that are not mirrored often enough to speak unasked."""
        return self.specificity[0] >= LEAST_SPECIFICITY

    def score(self, scan: Scan) -> float | None:
        """Of a frontal film of a chest; None for everything else, of which it knows nothing."""
        if not is_frontal_chest(scan):
            return None
        return score(prepared(scan.pixels), self.weights)

    def looks_mirrored(self, scan: Scan) -> bool:
        """Whether a frontal film of a chest looks as mirrored films do."""
        found = self.score(scan)
        return found is not None and found < self.limit


RATES = ("specificity", "sensitivity")


def is_frontal_chest(scan: Scan) -> bool:
    """Whether the file says that it is a film of a chest, and nothing says that it is a lateral one."""
    part = scan.tags.get("BodyPartExamined", "").upper()
    view = scan.tags.get("ViewPosition", "").upper()
    return (
        scan.kind == "radiograph"
        and scan.pixels.ndim == 2
        and ("CHEST" in part or "THORAX" in part)
        and view in FRONTAL
    )


@lru_cache(maxsize=1)
def chest_check() -> ChestCheck | None:
    """The check that ships, None where it is missing."""
    return ChestCheck.read(SHIPPED) if (SHIPPED / "metrics.json").exists() else None
