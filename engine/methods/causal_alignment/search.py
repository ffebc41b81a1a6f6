"""Counterfactuals of a trained classifier: attributes by Eq. 6 of Liu et al. 2025, pictures by Eq. 7 or 2, sought among
pictures or in a latent space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.methods.causal_alignment.alignment import DISTANCES, InnerProblem
from engine.methods.causal_alignment.counterfactual import Solution
from engine.methods.causal_alignment.latent import SPACES, LatentPictures, LatentSpace
from engine.methods.causal_alignment.network import CausalAlignmentNetwork

SEARCH = {"tolerance": 1e-5, "iterations": 200, "damping": 1e-2}  # of a counterfactual that is shown; nothing is solved
LARGEST_LATENT = 256  # channels


@dataclass(frozen=True)
class SearchConfiguration:
    """How counterfactuals are sought.

    Attributes:
        alpha_image, alpha_latent: of Eq. 7 (or Eq. 2) among pictures and in the latent space.
        alpha_attributes: of Eq. 6.
        distance: one of `DISTANCES`. space: one of `SPACES`, in which it was trained.
        latent: width and channels of the autoencoder, None without one.

    Raises:
        ValueError: another distance or space, a weight or size that cannot be.
    """

    alpha_image: float
    alpha_attributes: float
    alpha_latent: float = 0.1
    distance: str = "squared_l2"
    space: str = "image"
    latent: tuple[int, int] | None = None

    def __post_init__(self):
        if min(self.alpha_image, self.alpha_attributes, self.alpha_latent) <= 0:
            raise ValueError("the weights of its distances are above 0")
        if self.distance not in DISTANCES or self.space not in SPACES:
            raise ValueError(f"it knows no distance {self.distance!r} in no space {self.space!r}")
        if self.space == "latent" and self.latent is None:
            raise ValueError("its latent space has no autoencoder")
        if self.latent is not None and not all(type(n) is int and 1 <= n <= LARGEST_LATENT for n in self.latent):
            raise ValueError(f"width and channels of an autoencoder are whole numbers from 1 to {LARGEST_LATENT}")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> SearchConfiguration:
        """From the part of config.json that is called `counterfactual`; what the first version did not say is as it
        was then.
        """
        sizes = config.get("latent") if isinstance(config, Mapping) else None
        if not isinstance(config, Mapping) or not isinstance(sizes, Mapping | None):
            raise ValueError("what it says of counterfactuals, and of their latent space, has names")
        return cls(
            float(config["alpha_image"]),
            float(config["alpha_attributes"]),
            float(config.get("alpha_latent", 0.1)),
            str(config.get("distance", "squared_l2")),
            str(config.get("space", "image")),
            None if sizes is None else (sizes["width"], sizes["channels"]),
        )

    @property
    def spaces(self) -> tuple[str, ...]:
        """Those in which counterfactuals can be sought."""
        return SPACES[: 1 if self.latent is None else 2]


@dataclass(frozen=True)
class CounterfactualSearch:
    """A classifier, and how its counterfactuals are sought.

    Attributes:
        net: in evaluation mode. latent: the autoencoder, None without one.
        scale: of each pixel or number of the latent, for a scaled distance in the space of the training.
        attribute_scale: of each attribute.
    """

    net: CausalAlignmentNetwork
    config: SearchConfiguration
    latent: LatentSpace | None = None
    scale: Tensor | None = None
    attribute_scale: Tensor | None = None

    def attributes(self, a: Tensor, y: Tensor) -> Tensor:
        """a* of Eq. 6 for attributes (n, p) in [0, 1] and wanted diagnoses (n,), in [0, 1]."""

        def cross_entropy(points: Tensor, rows: Tensor) -> Tensor:
            return F.binary_cross_entropy_with_logits(self.net.diagnose(points), y[rows], reduction="none")

        problem = self._problem(self.config.alpha_attributes, self.attribute_scale)
        return problem.solve(cross_entropy, a).x.clamp(0, 1)

    def pictures(self, x: Tensor, y: Tensor, space: str) -> tuple[Tensor, Solution]:
        """x* of pictures (n, 1, s, s) for wanted diagnoses (n,), and where the search ended."""
        wanted = None
        if self.net.attributes:
            with torch.no_grad():
                a = torch.sigmoid(self.net(x)[0])
            wanted = torch.cat([self.attributes(row[None], goal[None]) for row, goal in zip(a, y)])

        def cross_entropy(points: Tensor, rows: Tensor) -> Tensor:
            attributes, odds = self.net(points)
            if wanted is None:
                return F.binary_cross_entropy_with_logits(odds, y[rows], reduction="none")
            return F.binary_cross_entropy_with_logits(attributes, wanted[rows], reduction="none").sum(1)

        scale = self.scale if space == self.config.space else None
        if space == "image":
            solution = self._problem(self.config.alpha_image, scale).solve(cross_entropy, x)
            return solution.x, solution
        assert self.latent is not None, "checked where the space is chosen"
        moved = LatentPictures.of(self.latent, x)
        solution = self._problem(self.config.alpha_latent, scale).solve(moved.objective(cross_entropy), moved.z_0)
        with torch.no_grad():
            return moved.pictures(solution.x, torch.arange(len(x), device=x.device)), solution

    def _problem(self, alpha: float, scale: Tensor | None) -> InnerProblem:
        distance = self.config.distance if scale is not None else self.config.distance.removeprefix("scaled_")
        return InnerProblem(alpha, distance, scale=scale, **SEARCH)
