"""Smoothed noise with or without bright shapes: the synthetic pictures of VA-GAN and CX-GAN, their masks and true
counterfactuals.

Two recipes, both from white Gaussian noise, smoothed (sigma 2.5 px) and rescaled to a standard deviation of 50 in each
picture:

`va-gan` (Baumgartner et al. 2018): 112 px; a diseased picture carries a 20 x 20 square in the centre and a second one
32 px to the lower right or to the upper left of it, moved by -5 to 4 px along each axis. Both add 100, two standard
deviations of the noise, so brightness alone does not show them: on this fixed scale the best single threshold reaches
IoU 0.30 (Dice 0.46) with the pixels of all test pictures pooled, and a mean IoU of 0.38 over the diseased ones alone.
This is the benchmark.

`cx-gan` (section 4.1.1 of the CX-GAN paper): 128 px; no centre square; one disc of radius 8, 40 px to the upper left or
lower right, moved by up to 5 px along each axis. The effect, 500, stands in the authors' script and not in the paper,
and the script does not apply the movement that the paper describes; here it is applied. Ten standard deviations tell
every pixel: one threshold reaches a mean IoU of 0.999 over the diseased pictures, on this fixed scale as well as after
the per-picture scaling from minimum to maximum that the authors use. The recipe tells no methods apart; it serves to
stand beside their Table 1.

Scaling each picture by its own extremes also darkens the background of diseased pictures (from -0.02 to -0.40 on
`cx-gan`), a shortcut. Here every picture of a recipe is divided by one constant, `Recipe.scale`, so that values lie in
[-1, 1]: the 10000 pictures of seed 1 reach from -0.91 to 0.90.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from engine.datasets.collection import SPLITS, Collection
from engine.datasets.pictures import resized
from engine.datasets.registry import register_collection

FINDINGS = ("Lesion",)
NOISE = 50.0  # standard deviation of each picture's background, before the scale
SMOOTHING = 2.5  # pixels
KERNEL = 21  # pixels: four standard deviations to each side
PLACES = ("lower right", "upper left")
PERIOD = 25  # pictures in a row: 16 train, 4 validation, 5 test, as 20 % test and 20 % of the rest
TOPICS = ("background", "place")
MOST = 1_000_000  # pictures; their numbers have six digits


@dataclass(frozen=True)
class Recipe:
    """How a diseased picture is drawn.

    Attributes:
        size: side in pixels.
        effect: what a shape adds to the noise, before the scale.
        radius: half the side of a square, or the radius of a disc, in pixels.
        disc: discs instead of squares.
        distance: of the moved shape's centre from the picture's, along each axis, in pixels.
        nearest, furthest: bounds of its random movement along each axis, both included, in pixels.
        centred: whether a second, unmoved shape stands in the centre.
        scale: what noise and effect are divided by.
    """

    size: int
    effect: float
    radius: int
    disc: bool
    distance: int
    nearest: int
    furthest: int
    centred: bool
    scale: float


RECIPES = {
    "va-gan": Recipe(112, 100.0, 10, False, 32, -5, 4, True, 400.0),
    "cx-gan": Recipe(128, 500.0, 8, True, 40, -5, 5, False, 800.0),
}


@register_collection(
    "vagan_synthetic",
    title="synthetic pictures",
    kind="unknown",
    terms="Drawn by `engine/datasets/vagan_synthetic.py` after Baumgartner et al. 2018; no patient. "
    "Apache-2.0, as this project.",
    needs_folder=False,
)
class VAGANSynthetic(Collection):
    """`count` pictures: every second one is diseased, by turns with the moved shape at the lower right and the upper
    left.

    Picture i depends on the recipe, the seed and i alone, so a larger count keeps every picture and its part.

    Args:
        count: how many, at most a million; 10000 in both papers.
        seed: another seed, other pictures.
        recipe: "va-gan" or "cx-gan".
        findings: the one finding, "Lesion"; there is no other.

    Attributes:
        recipe: the `Recipe`; `recipe.size` is the side in pixels at which pictures are drawn.
        attributes: ``place`` ("lower right", "upper left", "" in normal pictures).
        grey_range: the values that a network's range should span, five standard deviations below the noise's mean and
            three above the shapes'.
    """

    has_counterfactuals = True

    def __init__(
        self, count: int = 10000, seed: int = 1, recipe: str = "va-gan", findings: Sequence[str] = FINDINGS
    ) -> None:
        if recipe not in RECIPES:
            raise ValueError(f"recipe must be one of {', '.join(RECIPES)}, got {recipe!r}")
        if not 1 <= count <= MOST:
            raise ValueError(f"count must be at least 1 and at most {MOST}, got {count}")
        if tuple(findings) != FINDINGS:
            raise ValueError(f"the synthetic pictures are labelled for {FINDINGS[0]} only, got {', '.join(findings)}")
        self.recipe, self.seed, self.findings = RECIPES[recipe], seed, FINDINGS
        self.grey_range = (-5 * NOISE / self.recipe.scale, (self.recipe.effect + 3 * NOISE) / self.recipe.scale)
        index = np.arange(count)
        self.labels = (index % 2).astype(np.float32)[:, None]
        self.attributes = {"place": np.where(index % 2, np.array(PLACES)[index // 2 % 2], "")}
        self.patients = np.array([f"{recipe}-{seed}-{i:06d}" for i in index])

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(H, W) float32 in [-1, 1] on the recipe's fixed scale; (size, size) when `size` is given."""
        return self.counterfactual(index, size)

    def counterfactual(
        self, index: int, size: int | None = None, *, without: Names[str] = (), with_: Names[str] = ()
    ) -> np.ndarray:
        """The picture from the same noise without, or with, its lesion: (H, W) float32 as `image`.

        Args:
            without: ("Lesion",) takes it away; changes nothing in a normal picture.
            with_: ("Lesion",) adds it where this picture would have had it; changes nothing in a diseased one.
        """
        for names in (without, with_):
            if isinstance(names, str) or set(names) - set(FINDINGS):
                raise ValueError(f"findings must be a collection of names out of {', '.join(FINDINGS)}; got {names!r}")
        if without and with_:
            raise ValueError("cannot both add and take away Lesion")
        picture = self._background(index)
        if (self.labels[index, 0] or with_) and not without:
            picture = picture + np.float32(self.recipe.effect / self.recipe.scale) * self._shapes(index)
        return picture if size is None or size == self.recipe.size else resized(picture, size)

    def pictures(self, indices: Iterable[int], size: int | None = None) -> np.ndarray:
        """(n, H, W) float32, one picture for each index."""
        return np.stack([self.image(int(i), size) for i in indices])

    def lesion(self, index: int, finding: str = "Lesion", size: int | None = None) -> np.ndarray:
        """Where the shapes are, (H, W) bool; all False in a normal picture."""
        self._check(finding)
        side = size or self.recipe.size
        if not self.labels[index, 0]:
            return np.zeros((side, side), bool)
        shapes = self._shapes(index)
        return (shapes if side == self.recipe.size else resized(shapes, side)) >= 0.5

    def lesions(self, indices: Iterable[int], size: int | None = None) -> np.ndarray:
        """(n, H, W) bool, one mask for each index."""
        return np.stack([self.lesion(int(i), size=size) for i in indices])

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the pictures whose lesion is known: all that have one."""
        self._check(finding)
        return np.flatnonzero(self.labels[:, 0])

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        return self.lesion(index, finding, size) if self.labels[index, 0] else None

    def split(self, name: str) -> np.ndarray:
        """64 % train, 16 % validation, 20 % test by the index, half of each diseased."""
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        turn = np.arange(len(self)) % PERIOD
        return np.flatnonzero(
            {"train": turn < 16, "validation": (turn >= 16) & (turn < 20), "test": turn >= 20, "all": turn >= 0}[name]
        )

    def _noise(self, index: int, topic: str) -> np.random.Generator:
        counter = np.array([0, 0, 0, TOPICS.index(topic)], np.uint64)
        return np.random.Generator(np.random.Philox(key=np.array([self.seed, index], np.uint64), counter=counter))

    def _background(self, index: int) -> np.ndarray:
        side = self.recipe.size
        white = self._noise(index, "background").standard_normal((side, side), dtype=np.float32)
        smooth = cv2.GaussianBlur(white, (KERNEL, KERNEL), SMOOTHING, borderType=cv2.BORDER_REFLECT)
        return smooth * np.float32(NOISE / self.recipe.scale / smooth.std())

    def _shapes(self, index: int) -> np.ndarray:
        """(H, W) float32: 1 on the shapes that this picture has, or would have."""
        recipe = self.recipe
        side = recipe.size
        towards = 1 if index // 2 % 2 == 0 else -1  # lower right, else upper left, as in `attributes`
        movement = self._noise(index, "place").integers(recipe.nearest, recipe.furthest, 2, endpoint=True)
        centres = [side // 2 + towards * recipe.distance + movement] + (
            [np.full(2, side // 2)] if recipe.centred else []
        )
        where = np.zeros((side, side), np.float32)
        rows, columns = np.ogrid[:side, :side]
        for row, column in centres:
            if recipe.disc:
                where[(rows - row) ** 2 + (columns - column) ** 2 < recipe.radius**2] = 1
            else:
                where[row - recipe.radius : row + recipe.radius, column - recipe.radius : column + recipe.radius] = 1
        return where

    @staticmethod
    def _check(finding: str) -> None:
        if finding not in FINDINGS:
            raise ValueError(f"finding must be one of {', '.join(FINDINGS)}, got {finding!r}")
