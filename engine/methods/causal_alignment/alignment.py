"""One alignment term of Algorithm 1 of Liu et al. 2025: counterfactuals by Eq. 2, what they change outside the marked
region by Eq. 3, and its gradient through them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from engine.methods.causal_alignment.counterfactual import Objective, Solution, minimise, minimise_l1
from engine.methods.causal_alignment.distances import scaled_squared_l2, squared_l2
from engine.methods.causal_alignment.implicit import SolveReport, implicit
from engine.methods.causal_alignment.latent import LatentPictures
from engine.methods.causal_alignment.losses import alignment_loss, outside_share

DISTANCES = ("squared_l2", "scaled_squared_l2", "l1", "scaled_l1")


@dataclass(frozen=True)
class InnerProblem:
    """How Eq. 2 is solved.

    Attributes:
        alpha: weight of the distance.
        distance: one of `DISTANCES`.
        tolerance: |grad T| at which the minimum counts as reached; what is further off takes no part in the loss.
        iterations: of the search, at most.
        solves: iterations of the conjugate gradients, at most.
        residual: relative, at which these stop.
        damping: of the Hessian; l1 needs some, since it has no curvature of its own.
        scale: of each element, (...) as one picture: its standard deviation for "scaled_squared_l2", its median
            absolute deviation for "scaled_l1"; None for the others.

    Raises:
        ValueError: an unknown distance, or a scaled one without a scale, or l1 without damping.
    """

    alpha: float
    distance: str = "squared_l2"
    tolerance: float = 1e-3
    iterations: int = 50
    solves: int = 20
    residual: float = 1e-2
    damping: float = 0.0
    scale: Tensor | None = None

    def __post_init__(self):
        if self.distance not in DISTANCES:
            raise ValueError(f"distance must be one of {', '.join(DISTANCES)}, got {self.distance!r}.")
        if self.distance.startswith("scaled") and self.scale is None:
            raise ValueError(f"{self.distance} needs the scale of each element.")
        if self.distance.endswith("l1") and self.damping <= 0:
            raise ValueError(f"{self.distance} has no curvature; give damping above 0.")

    def solve(self, cross_entropy: Objective, x_0: Tensor) -> Solution:
        """x* for every row of x_0 (n, ...), see `Solution`."""
        ends = {"tolerance": self.tolerance, "max_iterations": self.iterations}
        if self.distance.endswith("l1"):
            alpha = self.alpha if self.scale is None else self.alpha / self.scale
            return minimise_l1(cross_entropy, x_0, alpha, **ends)
        least = 1.0 if self.scale is None else float((1 / self.scale).min())
        return minimise(self.objective(cross_entropy, x_0), x_0, curvature=2 * self.alpha * least, **ends)

    def objective(self, cross_entropy: Objective, x_0: Tensor) -> Objective:
        """T of Eq. 2; of l1 the cross-entropy alone, which is all of its curvature."""
        if self.distance.endswith("l1"):
            return cross_entropy

        def smooth(x: Tensor, rows: Tensor) -> Tensor:
            far = squared_l2(x, x_0[rows]) if self.scale is None else scaled_squared_l2(x, x_0[rows], self.scale)
            return cross_entropy(x, rows) + self.alpha * far

        return smooth


@dataclass
class Alignment:
    """What an alignment term came to.

    Attributes:
        loss: its value with its graph; 0 where no counterfactual has arrived.
        share: of the change of those that have, how much lies outside the region, their mean.
        arrived: share of the counterfactuals that have reached their minimum and so take part.
        gradient_norm: the largest |grad T| of those that take part.
        iterations: of the search, their mean.
        solves: of the linear solves, filled in by the backward pass.
    """

    loss: Tensor
    share: float
    arrived: float
    gradient_norm: float
    iterations: float
    solves: SolveReport = field(default_factory=SolveReport)


def nothing(like: Tensor) -> Alignment:
    """The term of a batch without anything to align."""
    return Alignment(like.new_zeros(()), float("nan"), 0.0, float("nan"), 0.0)


def align(
    cross_entropy: Callable[[Tensor, Tensor], Tensor],
    x_0: Tensor,
    region: Tensor,
    problem: InnerProblem,
    relative: bool = True,
    latent: LatentPictures | None = None,
) -> Alignment:
    """Counterfactuals of x_0, and what they change outside the region.

    Args:
        cross_entropy: L_ce(f_theta(x), y*) of the rows of the batch that are asked for.
        x_0: (n, ...). region: broadcasts to it, 1 inside.
        relative: the share of the change that lies outside (`outside_share`), which a network cannot lower by growing
            insensitive everywhere; else Eq. 3 as printed.
        latent: x_0 in the latent space in which the counterfactuals are sought; what they change is that of the
            pictures that are decoded. None seeks them among the pictures themselves.
    """
    x_0 = x_0.detach()
    moved = x_0 if latent is None else latent.z_0
    cross_entropy = cross_entropy if latent is None else latent.objective(cross_entropy)
    solution = problem.solve(cross_entropy, moved)
    arrived = solution.gradient_norm <= problem.tolerance
    steps, share_arrived = float(solution.iterations.float().mean()), float(arrived.float().mean())
    if not arrived.any():
        return Alignment(x_0.new_zeros(()), float("nan"), 0.0, float("nan"), steps)
    rows = torch.nonzero(arrived)[:, 0]
    kept = replace(
        solution,
        x=solution.x[rows],
        gradient_norm=solution.gradient_norm[rows],
        iterations=solution.iterations[rows],
        active=solution.active[rows],
    )
    objective, start, inside = problem.objective(cross_entropy, moved), x_0[rows], region.expand_as(x_0)[rows]
    found = implicit(
        lambda x, some: objective(x, rows[some]),
        kept,
        tolerance=problem.tolerance,
        damping=problem.damping,
        relative_residual=problem.residual,
        max_iterations=problem.solves,
    )
    otherwise = found.x if latent is None else latent.pictures(found.x, rows)
    share = outside_share(otherwise, start, inside)
    loss = share if relative else alignment_loss(otherwise, start, inside)
    return Alignment(loss, float(share.detach()), share_arrived, float(kept.gradient_norm.max()), steps, found.report)
