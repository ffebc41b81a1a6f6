"""A symbol drawn into every picture of a collection, which coincides with the diagnosis in training and is random in
validation and test (section 5.1 and appendix C.3 of Liu et al. 2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

KINDS = {"none": (), "plus_minus": ("-", "+"), "intensity": ("grey", "white")}  # option -> values without, with finding
GRID = 96  # the authors draw on pictures of 96 pixels; all lengths below are theirs on that grid
HALF, HALF_THICKNESS, FROM_EDGE, CLEARANCE = 5.0, 2.0, 10.0, 5.0
GREY = 0.5  # of the way from black to white, the darker value of "intensity"


@dataclass(frozen=True, eq=False)
class Symbols:
    """Which symbol every picture of a collection carries.

    Attributes:
        kind: "plus_minus" ("+" or "-") or "intensity" (a white or a grey square).
        finding: what the symbol coincides with in training.
        values: the two values, of pictures without and with the finding.
        coinciding: (N,) bool, the pictures whose symbol follows the label; that of the others is drawn at random.
        names: (N,) what the random symbol is drawn from, so that it is the same in whatever company a picture comes.
        labels: (N,) 1 with the finding, 0 or NaN without.
        white: the grey of the symbol.
        seed: of the random symbols.
        black: the darkest grey of a picture.
    """

    kind: str
    finding: str
    coinciding: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    white: float
    seed: int
    black: float = 0.0

    @property
    def values(self) -> tuple[str, str]:
        return KINDS[self.kind]  # type: ignore[return-value]  # never made for "none"

    def at_random(self, index: int) -> str:
        """The value that picture `index` has where its label takes no part."""
        seed = [self.seed, *str(self.names[index]).encode()]
        return self.values[int(np.random.default_rng(seed).random() < 0.5)]

    def of(self, index: int) -> str:
        """The value that picture `index` carries."""
        return self.values[int(self.labels[index] == 1)] if self.coinciding[index] else self.at_random(index)

    def all(self) -> np.ndarray:
        """(N,) str, the values of all pictures."""
        return np.array([self.of(index) for index in range(len(self.names))], str)

    def drawn(self, picture: np.ndarray, region: np.ndarray | None, value: str) -> np.ndarray:
        """A picture with the symbol in the first corner that is clear of the marked region.

        Args:
            picture: (H, W), left as it is.
            region: (H, W) bool, what an expert marked; None where nothing is.
            value: one of `values`.

        Raises:
            ValueError: another value.
        """
        return draw_symbol(picture, region, self.kind, value, white=self.white, black=self.black)

    def mask(self, shape: tuple[int, ...], region: np.ndarray | None) -> np.ndarray:
        """Where the symbols of `drawn` may differ, or lie: their square, bool of `shape`."""
        found = np.zeros(shape, bool)
        found[_places(shape, region)[0]] = True
        return found


def draw_symbol(
    picture: np.ndarray, region: np.ndarray | None, kind: str, value: str, *, white: float, black: float
) -> np.ndarray:
    """A picture (H, W) with one value of a symbol; see `Symbols.drawn`."""
    values = KINDS[kind]
    if value not in values:
        raise ValueError(f"a symbol is {' or '.join(values)}, got {value!r}.")
    place, bar, arm = _places(picture.shape, region)
    marked = picture.copy()
    if kind == "intensity":
        share = 1.0 if value == values[1] else GREY
        marked[place] = black + share * (white - black)
        return marked
    marked[bar] = white
    if value == values[1]:
        marked[arm] = white
    return marked


def symbols_for(
    kind: str,
    *,
    finding: str,
    labels: np.ndarray,
    names: np.ndarray,
    parts: Mapping[str, np.ndarray],
    white: float,
    seed: int,
    black: float = 0.0,
) -> Symbols | None:
    """The symbols of a collection; None for "none".

    Args:
        kind: one of `KINDS`.
        labels: (N,) of `finding`.
        white, black: the brightest and the darkest grey of a picture, in its units.
        parts: "train" holds the indices of the pictures whose symbol coincides with the label.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"symbol must be one of {', '.join(KINDS)}, got {kind!r}.")
    if kind == "none":
        return None
    coinciding = np.zeros(len(labels), bool)
    coinciding[parts["train"]] = True
    return Symbols(kind, finding, coinciding, names, labels, white, seed, black)


def _places(shape: tuple[int, ...], region: np.ndarray | None) -> tuple[tuple, tuple, tuple]:
    """Index expressions of the whole square, of the bar and of the arm across it, on a picture (H, W)."""
    units = [length / GRID for length in shape]
    centre = _corner(shape, units, region)

    def along(axis: int, half: float) -> slice:
        reach = max(1, round((2 * half + 1) * units[axis]))  # of an odd number of pixels on the authors' grid
        start = round(centre[axis] - reach / 2)
        return slice(max(start, 0), max(start, 0) + reach)

    thick = HALF_THICKNESS - 0.5  # four pixels
    long = (along(0, HALF), along(1, HALF))
    return long, (along(0, thick), long[1]), (long[0], along(1, thick))


def _corner(shape: tuple[int, ...], units: list[float], region: np.ndarray | None) -> tuple[float, float]:
    """The symbol's centre in the first corner where region and symbol keep `CLEARANCE`, else where they meet least."""
    centres, meets = [], []
    reach = HALF + CLEARANCE
    for bottom, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        centre = tuple(
            length - FROM_EDGE * unit if far else FROM_EDGE * unit
            for length, unit, far in zip(shape, units, (bottom, right))
        )
        near = tuple(
            slice(max(round(c - reach * unit), 0), max(round(c + reach * unit), 1)) for c, unit in zip(centre, units)
        )
        centres.append(centre)
        meets.append(0 if region is None else int(region[near].sum()))
    return centres[int(np.argmin(meets))]
