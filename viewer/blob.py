"""What the viewer shows, checked, and packed for its way to the browser.

The header goes as JSON. Every array goes by itself, as little-endian bytes, and is fetched only by a view that does not
have it yet. An entry of `header["arrays"]` says of each: `dtype` ('u2', 'i2' or 'f4'), `shape`, `scale` and `zero`, so
that value = stored * scale + zero keeps the unit of what was packed, and the `digest` by which a view knows it again.
A volume is fetched in as many `parts` as it has slices (viewer/volume.py).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from viewer.volume import MapVolume, VolumePixels

LARGEST_AMOUNT = 1.5
VISIBLE_CHANGE = 0.0125  # of the grey range: below it a pixel does not count as changed
BADGE_KINDS = ("quiet", "good", "warn", "bad")


@dataclass(frozen=True)
class TrustView:
    """How far to trust a counterfactual, step by step of its slider.

    Attributes:
        steps: (K,) rising from 0, K at least 2.
        similarity: (K,) the SSIM of the scan and of the scan so changed, at most 1.
        likeness: (K,) the distance of the changed scan from the training pictures, in shares of the limit; None where
            it is not known.
        record: in words, how near the model has come to the truth for this finding.
    """

    steps: np.ndarray
    similarity: np.ndarray
    likeness: np.ndarray | None
    record: str

    def __post_init__(self):
        if len(self.steps) < 2 or self.steps[0] != 0 or not np.all(np.diff(self.steps) > 0):
            raise ValueError(f"steps of trust must rise from 0, got {self.steps}")
        for name in ("similarity", "likeness"):
            values = getattr(self, name)
            if values is not None and (np.shape(values) != np.shape(self.steps) or not np.isfinite(values).all()):
                raise ValueError(f"{name} must hold one finite number a step, got {values}")


@dataclass(frozen=True)
class FindingView:
    """One finding of one explanation, as the viewer shows it.

    Attributes:
        name: as the model calls it; unique among the findings of a view.
        probability, threshold: in [0, 1]; the call is positive strictly above the threshold (the operating point).
        verdict: plain words under the bar, for example 'above its operating point (0.47)'.
        sentence: one sentence of plain language, shown while the finding is selected.
        evidence: (h, w) float32, signed, on the model's own grid, which covers the whole scan; enlarged bilinearly.
            (s, h, w) for a volume that the model reads as a whole.
        evidence_limit: the colour bar runs from -limit to +limit, in `evidence_unit`.
        steps, probabilities: (K,) the counterfactual slider, rising from 0 to at most 1.5, and the model's probability
            there.
        changes: in the scan's units. (h, w): the frame at a is scan + a * change.
            (K, h, w): the frame at steps[k] is scan + changes[k], interpolated between.
            (s, h, w) or (K, s, h, w) where the evidence is (s, h, w).
            Steps, probabilities and changes are None together where a method offers no counterfactual.
        facts: what stands beside the slider, as (label, value).
        trust: how far to trust the counterfactual; None where nothing is said of that.
        sequential: the evidence has no sign; its colour bar runs from 0 to the limit.
        counterfactual: the title of the scan at a, where it is another than 'Without' and the name.
        evidence_title: of the panel that shows the evidence, where it is another than 'Evidence for' and the name.
        truth: (h, w), what the true counterfactual adds to the scan at a = 1, in its units, where that is known;
            (s, h, w) of a volume.
        unsure: the answer means nothing: its verdict and sentence are shown, and no number, bar, map or slider.
    """

    name: str
    probability: float
    threshold: float
    verdict: str
    sentence: str
    evidence: np.ndarray
    evidence_limit: float
    evidence_unit: str
    steps: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    changes: np.ndarray | None = None
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    sequential: bool = False
    unsure: bool = False
    counterfactual: str = ""
    evidence_title: str = ""
    truth: np.ndarray | None = None
    trust: TrustView | None = None

    def __post_init__(self):
        if not self.name:
            raise ValueError("a finding needs a name")
        for what, value in (("probability", self.probability), ("threshold", self.threshold)):
            if not 0 <= value <= 1:
                raise ValueError(f"{what} of {self.name} must lie in [0, 1], got {value}")
        axes = 3 if self.of_volume else 2
        _check_picture(f"evidence of {self.name}", self.evidence, axes)
        _check_limit(f"evidence_limit of {self.name}", self.evidence_limit)
        if self.truth is not None:
            _check_picture(f"truth of {self.name}", self.truth, axes)
        path = (self.steps, self.probabilities, self.changes)
        if any(part is None for part in path):
            if any(part is not None for part in path):
                raise ValueError(f"steps, probabilities and changes of {self.name} come together or not at all")
            return
        steps, probabilities = np.asarray(self.steps), np.asarray(self.probabilities)
        if steps.ndim != 1 or len(steps) < 2 or probabilities.shape != steps.shape:
            raise ValueError(
                f"steps and probabilities of {self.name} must share one (K,) with K >= 2, got {steps.shape} and "
                f"{probabilities.shape}"
            )
        if steps[0] != 0 or not np.all(np.diff(steps) > 0) or steps[-1] > LARGEST_AMOUNT + 1e-6:
            raise ValueError(f"steps of {self.name} must rise from 0 to at most {LARGEST_AMOUNT}, got {steps}")
        if not np.all((probabilities >= 0) & (probabilities <= 1)):
            raise ValueError(f"probabilities of {self.name} must lie in [0, 1]")
        changes = np.asarray(self.changes)
        if changes.ndim == axes + 1:
            if len(changes) != len(steps):
                raise ValueError(
                    f"changes of {self.name} must hold one frame a step, got {len(changes)} for {len(steps)} steps"
                )
            changes = changes.reshape(-1, *changes.shape[2:])
        _check_picture(f"changes of {self.name}", changes, axes)
        if self.of_volume and changes.shape[-2:] != self.evidence.shape[-2:]:
            raise ValueError(
                f"changes of {self.name} must have shape and grid of its evidence, {self.evidence.shape}, got "
                f"{changes.shape}"
            )

    @property
    def of_volume(self) -> bool:
        """Whether it is about a volume as a whole."""
        return np.ndim(self.evidence) == 3


@dataclass(frozen=True)
class BlankFindings:
    """Findings of which nothing is shown, or nothing yet: their names stand in the list, and the panels are there, with
    the scan in them.

    Attributes:
        names: in the order of the list.
        words: on the panels and cards, for example 'working'.
        sentence: what the reader should know meanwhile.
        counterfactuals: whether there will be panels for the scan without a finding, and a slider.
        truth: whether there will be panels for the true counterfactual.
    """

    names: Sequence[str]
    words: str
    sentence: str = ""
    counterfactuals: bool = True
    truth: bool = False


@dataclass(frozen=True)
class PanelView:
    """One of several linked panels: a picture, a map, or a map over a picture.

    Attributes:
        title, subtitle: what is shown, written on the panel.
        base: (H, W) float32 or None; all panels of a view cover the same frame.
        map: (h, w) float32 or None, enlarged bilinearly over the frame.
        map_limit, map_unit: the colour bar runs from -limit (0 when `sequential`) to +limit.
        window: (centre, width) for `base`; None takes its full range.
        sequential: the map has no sign.
        alt: what a screen reader says; the title when empty.
    """

    title: str
    subtitle: str = ""
    base: np.ndarray | None = None
    map: np.ndarray | None = None
    map_limit: float = 1.0
    map_unit: str = ""
    window: tuple[float, float] | None = None
    sequential: bool = False
    alt: str = ""

    def __post_init__(self):
        if self.base is None and self.map is None:
            raise ValueError(f"panel {self.title!r} needs a base or a map")
        if self.base is not None:
            _check_picture(f"base of panel {self.title!r}", self.base)
        if self.map is not None:
            _check_picture(f"map of panel {self.title!r}", self.map)
            _check_limit(f"map_limit of panel {self.title!r}", self.map_limit)
        if self.window is not None:
            check_window(self.window)


@dataclass(frozen=True, eq=False)
class PriorView:
    """An earlier scan of the same patient, on the grid of the one that is shown.

    Attributes:
        pixels: (H, W) float32, in its own units.
        window: (centre, width) to start with, in those units.
        title: of its panel.
        note: how the two were brought together.
    """

    pixels: np.ndarray
    window: tuple[float, float]
    title: str = "Prior"
    note: str = ""

    def __post_init__(self):
        _check_picture("the prior", self.pixels)
        check_window(self.window)


def check_window(window: tuple[float, float]) -> None:
    """Raises ValueError unless `window` is (centre, width) with a positive width."""
    centre, width = window
    if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
        raise ValueError(f"window must be (centre, width) with a width above 0, got {tuple(window)}")


def full_window(pixels: np.ndarray) -> tuple[float, float]:
    """(centre, width) that shows every value of `pixels`."""
    low, high = float(pixels.min()), float(pixels.max())
    return (low + high) / 2, max(high - low, 1e-6)


def _check_picture(what: str, picture: np.ndarray, axes: int = 2) -> None:
    picture = np.asarray(picture)
    if picture.ndim != axes or min(picture.shape[-2:]) < 2 or not len(picture):
        shape = "(h, w)" if axes == 2 else "(s, h, w)"
        raise ValueError(f"{what} must have shape {shape}, at least 2 x 2, got {picture.shape}")
    if not np.isfinite(picture).all():
        raise ValueError(f"{what} must be finite")


def _check_limit(what: str, limit: float) -> None:
    if not (math.isfinite(limit) and limit > 0):
        raise ValueError(f"{what} must be above 0, got {limit}")


class BadState(ValueError):
    """What came back from the browser is not something this view could have sent."""


def checked_state(raw: object, names: Iterable[str], picture: str = "") -> dict:
    """What the browser sent, if it is {'picture': this one, 'finding': a known name, 'amounts': {known name: a in [0,
    1.5]}}.

    Returns:
        {'finding', 'amounts'} of it.

    Raises:
        BadState: for anything else. A browser's word is never repaired, and what was chosen on one picture is not taken
            for another.
    """
    names = list(names)
    if not isinstance(raw, Mapping) or set(raw) != {"picture", "finding", "amounts"}:
        raise BadState("expected 'picture', 'finding' and 'amounts'")
    finding, amounts = raw["finding"], raw["amounts"]
    if raw["picture"] != picture:
        raise BadState("that was about another picture")
    if not names:
        if finding is not None or amounts != {}:
            raise BadState("there is no finding to choose")
        return {"finding": None, "amounts": {}}
    if not isinstance(finding, str) or finding not in names:
        raise BadState("unknown finding")
    if not isinstance(amounts, Mapping) or not set(amounts) <= set(names):
        raise BadState("unknown finding among the amounts")
    for amount in amounts.values():
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount <= LARGEST_AMOUNT:
            raise BadState(f"an amount must be a number from 0 to {LARGEST_AMOUNT}")
    return {"finding": finding, "amounts": {name: float(amounts[name]) for name in names if name in amounts}}


class Packer:
    """Collects the arrays of one view."""

    def __init__(self):
        self._arrays: list[tuple[str, np.ndarray | VolumePixels, bool]] = []

    def _add(self, dtype: str, array: np.ndarray | VolumePixels, volume: bool) -> int:
        self._arrays.append((dtype, array if isinstance(array, VolumePixels) else np.asarray(array), volume))
        return len(self._arrays) - 1

    def pixels(self, pixels: np.ndarray | VolumePixels) -> int:
        """Takes a picture or a volume, to be sent in 16 bits; whole numbers that fit are kept exactly.

        Returns its place among the arrays.
        """
        return self._add("u2", pixels, isinstance(pixels, VolumePixels))

    def map(self, values: np.ndarray, volume: bool = False) -> int:
        """Takes a signed map, to be sent as it is, in 32 bits."""
        return self._add("f4", values, volume)

    def change(self, values: np.ndarray, volume: bool = False) -> int:
        """Takes one or several signed frames, to be sent in 16 bits, with zero kept exactly zero."""
        return self._add("i2", values, volume)

    def holds_the_same(self, other: Packer) -> bool:
        """Whether both hold the very same arrays, in the same order: a comparison that costs nothing."""
        ours, theirs = self._arrays, other._arrays
        return len(ours) == len(theirs) and all(
            a is b and s == t for (s, a, _), (t, b, _) in zip(ours, theirs, strict=True)
        )

    def arrays(self) -> tuple[list[dict], list[bytes | VolumePixels | MapVolume]]:
        """An entry of every array, and its bytes; a volume has them by its slices."""
        entries, chunks = [], []
        for dtype, array, volume in self._arrays:
            if volume:
                chunk = array if isinstance(array, VolumePixels) else MapVolume(array, dtype)
                entry = {"scale": chunk.scale, "zero": chunk.zero, "digest": chunk.digest, "parts": len(chunk)}
            else:
                stored, scale, zero = _ENCODERS[dtype](array)
                chunk = np.ascontiguousarray(stored, dtype=f"<{dtype}").tobytes()
                digest = hashlib.blake2b(chunk, digest_size=12).hexdigest()
                entry = {"scale": scale, "zero": zero, "digest": digest}
            chunks.append(chunk)
            entries.append({"dtype": dtype, "shape": list(array.shape), **entry})
        return entries, chunks


def _as_pixels(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    low, high = float(values.min()), float(values.max())
    whole = high - low <= 65535 and bool((values == np.rint(values)).all())
    scale = 1.0 if whole else max(high - low, 1e-12) / 65535
    return np.rint((values - np.float32(low)) * np.float32(1 / scale)), scale, low


def _as_change(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    scale = max(float(values.max()), -float(values.min()), 1e-12) / 32767
    return np.rint(values * np.float32(1 / scale)), scale, 0.0


_ENCODERS = {"u2": _as_pixels, "i2": _as_change, "f4": lambda values: (values, 1.0, 0.0)}


def unpacked(entry: Mapping, chunk: bytes) -> np.ndarray:
    """One array in its own units: what the browser sees."""
    return np.frombuffer(chunk, dtype=f"<{entry['dtype']}").reshape(entry["shape"]) * entry["scale"] + entry["zero"]
