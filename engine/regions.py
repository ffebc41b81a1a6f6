"""The tree of an explanation in a hierarchy: the image, its attributes, and the diagnoses that they speak for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

LEVELS = ("image", "attribute", "diagnosis")


@dataclass(frozen=True, eq=False)
class Region:
    """A named part of an explanation in a hierarchy: the image has attributes, an attribute speaks for diagnoses.

    Attributes:
        name: what it is called; different for all parts of one region.
        level: one of LEVELS; the parts of a region are of the next one.
        score: what the model gives it, finite, on the scale that the method states.
        mask: where it is, bool, read-only, (H, W) or (S, H, W) on the scan's own grid; None for what has no place, and
            in a record without its large pictures.
        parts: the regions below it.
        counterfactual: the score that it has in the counterfactual; None where the method gives none.
        is_place: it is a place in the body, and its score the share of the evidence that lies in it.

    Raises:
        ValueError: when a field is not as described.
    """

    name: str
    level: str
    score: float
    mask: np.ndarray | None = None
    parts: tuple[Region, ...] = ()
    counterfactual: float | None = None
    is_place: bool = False

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"a region must have a name, got {self.name!r}")
        if self.level not in LEVELS:
            raise ValueError(
                f"the level of region {self.name!r} must be one of {', '.join(LEVELS)}, got {self.level!r}"
            )
        if not np.isfinite(self.score):
            raise ValueError(f"the score of region {self.name!r} must be finite, got {self.score}")
        if self.counterfactual is not None and not np.isfinite(self.counterfactual):
            raise ValueError(
                f"the counterfactual score of region {self.name!r} must be finite, got {self.counterfactual}"
            )
        if self.mask is not None:
            if self.mask.dtype != bool or self.mask.ndim not in (2, 3):
                raise ValueError(
                    f"the mask of region {self.name!r} must be (H, W) or (S, H, W) bool, got {self.mask.shape} "
                    f"{self.mask.dtype}"
                )
            mask = self.mask.copy()
            mask.setflags(write=False)
            object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "parts", tuple(self.parts))
        below = LEVELS[LEVELS.index(self.level) + 1 :][:1]
        for part in self.parts:
            if (part.level,) != below:
                raise ValueError(
                    f"the parts of region {self.name!r} must be of level {below[0] if below else 'none'}, got "
                    f"{part.name!r} of level {part.level}"
                )
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names):
            raise ValueError(f"the parts of region {self.name!r} must have different names, got {', '.join(names)}")

    def walk(self) -> Iterator[Region]:
        """This region and all below it, each before its parts."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def masks(self) -> list[np.ndarray]:
        """The masks of the regions that have one, in the order of `walk`."""
        return [region.mask for region in self.walk() if region.mask is not None]

    def without_masks(self) -> Region:
        """The same tree, of names and scores only."""
        return replace(self, mask=None, parts=tuple(part.without_masks() for part in self.parts))

    def record(self) -> dict:
        """The tree ready for JSON; `mask` is a place in `masks`, null for what has none; `counterfactual` stands where
        there is one.
        """
        places = {id(region): place for place, region in enumerate(r for r in self.walk() if r.mask is not None)}

        def region_record(region: Region) -> dict:
            otherwise = region.counterfactual
            return {
                "name": region.name,
                "level": region.level,
                "score": round(float(region.score), 6),
                **({} if otherwise is None else {"counterfactual": round(float(otherwise), 6)}),
                "mask": places.get(id(region)),
                "parts": [region_record(part) for part in region.parts],
            }

        return region_record(self)


def strongest_places(regions: Region | None, most: int = 2, least: float = 0.1) -> list[tuple[str, float]]:
    """Places by name that hold the largest shares of the evidence, and those shares, in [0, 1].

    Args:
        most: of them. least: a share below which none is named.
    """
    if regions is None:
        return []
    shares = [(part.name, part.score) for part in regions.parts if part.is_place and part.score >= least]
    return sorted(shares, key=lambda place: -place[1])[:most]


def places_in_words(regions: Region | None) -> str:
    """Where most of the evidence lies, in a sentence; "" where no place is named."""
    named = [f"{name} ({100 * share:.0f} %)" for name, share in strongest_places(regions)]
    return f"Most of the evidence lies in {' and '.join(named)}." if named else ""
