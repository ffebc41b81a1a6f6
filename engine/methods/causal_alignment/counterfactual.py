"""Counterfactual generation, Eq. 2 of Liu et al. 2025: x* = argmin_x L_ce(f(x), y*) + alpha d(x, x_0), every picture a
problem of its own.

A smooth distance is minimised by L-BFGS, l1 by proximal gradient steps. The authors take 200 steps of Adam, which ends
so far from the minimum that the gradient through it has the wrong sign; how close x* is stands in every `Solution`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Objective = Callable[[Tensor, Tensor], Tensor]  # (x (m, ...), rows (m,) of the batch) -> (m,)


@dataclass(frozen=True)
class Solution:
    """Where an inner problem ended.

    Attributes:
        x: (n, ...) the minimisers, without graph.
        gradient_norm: (n,) the Euclidean norm of grad_x T at x; for l1 that of the smallest subgradient.
        iterations: (n,) steps taken.
        active: (n, ...) of bool, the elements that may move with the parameters: all of them for a smooth distance, for
            l1 those with x != x_0.
    """

    x: Tensor
    gradient_norm: Tensor
    iterations: Tensor
    active: Tensor


def minimise(
    objective: Objective,
    x_0: Tensor,
    *,
    curvature: float,
    tolerance: float = 1e-6,
    max_iterations: int = 100,
    memory: int = 10,
) -> Solution:
    """L-BFGS on many independent problems at once, each with its own step length; those that have arrived leave the
    batch.

    Args:
        objective: T for the rows of the batch that are asked for, smooth in x.
        x_0: (n, ...) where to start.
        curvature: of the distance, 2 alpha for alpha times `squared_l2`; its inverse is the first guess of the inverse
            Hessian, since the Hessian is that plus the cross-entropy's, which has a low rank.
        tolerance: of |grad T|.
        memory: pairs of steps and gradient changes kept.
    """
    shape = x_0.shape
    x = x_0.detach().clone().flatten(1)  # (n, d)
    rows = torch.arange(len(x), device=x.device)  # still on their way

    def evaluated(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            value = objective(points.view(-1, *shape[1:]), rows)
            (gradient,) = torch.autograd.grad(value.sum(), points)
        return value.detach(), gradient

    value, gradient = evaluated(x, rows)
    norms, taken = gradient.norm(dim=1), torch.zeros(len(x), dtype=torch.long, device=x.device)
    history: list[tuple[Tensor, Tensor, Tensor]] = []  # s (m, d), y (m, d), 1 / s.y (m,), 0 where the pair is of no use
    for _ in range(max_iterations):
        moving = norms[rows] > tolerance
        if not moving.all():
            rows, value, gradient = rows[moving], value[moving], gradient[moving]
            history = [(s[moving], y[moving], rho[moving]) for s, y, rho in history]
        if not len(rows):
            break
        direction = -_inverse_hessian(gradient, history, 1 / curvature)
        slope = (direction * gradient).sum(1)
        uphill = slope >= 0
        direction[uphill], slope[uphill] = -gradient[uphill], -gradient[uphill].square().sum(1)
        step, new_value, new_gradient = _backtracked(evaluated, x[rows], rows, value, direction, slope)
        if not (step > 0).any():
            break  # nothing moves: the rounding of the numbers is reached
        s, y = step[:, None] * direction, new_gradient - gradient
        curved = (s * y).sum(1)
        useful = curved > 1e-10 * s.norm(dim=1) * y.norm(dim=1)
        history = [
            *history[-memory + 1 :],
            (s, y, torch.where(useful, 1 / curved.clamp_min(torch.finfo(x.dtype).tiny), torch.zeros_like(curved))),
        ]
        x[rows] += s
        value, gradient = new_value, new_gradient
        norms[rows], taken[rows] = gradient.norm(dim=1), taken[rows] + 1
        stuck = step == 0
        if stuck.any():
            keep = ~stuck
            rows, value, gradient = rows[keep], value[keep], gradient[keep]
            history = [(s[keep], y[keep], rho[keep]) for s, y, rho in history]
    return Solution(x.view(shape), norms, taken, torch.ones(shape, dtype=torch.bool, device=x.device))


def _inverse_hessian(gradient: Tensor, history: list[tuple[Tensor, Tensor, Tensor]], first: float) -> Tensor:
    """The two-loop recursion of L-BFGS, (m, d)."""
    q, weights = gradient.clone(), []
    for s, y, rho in reversed(history):
        a = rho * (s * q).sum(1)
        weights.append(a)
        q -= a[:, None] * y
    q *= first
    for (s, y, rho), a in zip(history, reversed(weights), strict=True):
        q += (a - rho * (y * q).sum(1))[:, None] * s
    return q


def _backtracked(evaluated, x: Tensor, rows: Tensor, value: Tensor, direction: Tensor, slope: Tensor, most: int = 20):
    """Steps that lower every value enough (Armijo's rule), 0 where none does; with the values and gradients there."""
    step = torch.ones_like(value)
    slack = 10 * torch.finfo(value.dtype).eps * value.abs()
    new_value, new_gradient = evaluated(x + direction, rows)
    bad = ~(new_value <= value + 1e-4 * step * slope + slack)
    for _ in range(most - 1):
        if not bad.any():
            return step, new_value, new_gradient
        t, rise = step[bad], new_value[bad] - value[bad]
        shorter = -slope[bad] * t.square() / (2 * (rise - slope[bad] * t))  # the parabola's lowest point
        step[bad] = torch.where(shorter.isfinite(), torch.minimum(torch.maximum(shorter, 0.1 * t), 0.5 * t), 0.1 * t)
        new_value[bad], new_gradient[bad] = evaluated(x[bad] + step[bad][:, None] * direction[bad], rows[bad])
        bad = ~(new_value <= value + 1e-4 * step * slope + slack)
    if bad.any():
        step[bad] = 0.0
        new_value[bad], new_gradient[bad] = evaluated(x[bad], rows[bad])
    return step, new_value, new_gradient


def minimise_l1(
    cross_entropy: Objective,
    x_0: Tensor,
    alpha: float | Tensor,
    *,
    tolerance: float = 1e-6,
    max_iterations: int = 2000,
    step: float = 1.0,
) -> Solution:
    """FISTA with restarts: x* = argmin L_ce + sum_k alpha_k |x_k - x_0k|, sparse as the paper wants it.

    Args:
        alpha: the weight, or one an element (alpha / MAD for the scaled l1).
        step: length of the first step; it is halved in each picture where the cross-entropy is steeper than that.
    """
    x = x_0.detach().clone()
    spread = (-1, *[1] * (x.ndim - 1))
    alpha = torch.as_tensor(alpha, dtype=x.dtype, device=x.device).expand(x.shape[1:])
    rows = torch.arange(len(x), device=x.device)
    lengths = torch.full((len(x),), float(step), dtype=x.dtype, device=x.device)
    norms = torch.full_like(lengths, float("inf"))
    taken = torch.zeros(len(x), dtype=torch.long, device=x.device)
    ahead, momentum = x.clone(), torch.ones_like(lengths)

    def evaluated(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            value = cross_entropy(points, rows)
            (gradient,) = torch.autograd.grad(value.sum(), points)
        return value.detach(), gradient

    for _ in range(max_iterations):
        value, gradient = evaluated(ahead[rows], rows)
        new = slope = gradient  # set by the first try
        for _ in range(30):
            t = lengths[rows].view(spread)
            move = ahead[rows] - t * gradient - x_0[rows]
            new = x_0[rows] + move.sign() * (move.abs() - t * alpha).clamp_min(0)  # soft thresholding about x_0
            change = new - ahead[rows]
            bound = (
                value + (gradient * change).flatten(1).sum(1) + change.square().flatten(1).sum(1) / (2 * lengths[rows])
            )
            there, slope = evaluated(new, rows)
            steep = there > bound + 10 * torch.finfo(x.dtype).eps * value.abs()
            if not steep.any():
                break
            lengths[rows[steep]] /= 2
        grown = (1 + (1 + 4 * momentum[rows].square()).sqrt()) / 2
        onward = (momentum[rows] - 1) / grown
        contrast_class = ((ahead[rows] - new) * (new - x[rows])).flatten(1).sum(
            1
        ) > 0  # the momentum points uphill: start it anew
        grown, onward = torch.where(contrast_class, 1.0, grown), torch.where(contrast_class, 0.0, onward)
        ahead[rows] = new + onward.view(spread) * (new - x[rows])
        x[rows], momentum[rows] = new, grown
        norms[rows] = _subgradient(slope, new - x_0[rows], alpha).flatten(1).norm(dim=1)
        taken[rows] += 1
        rows = rows[norms[rows] > tolerance]
        if not len(rows):
            break
    return Solution(x, norms, taken, x != x_0)


def _subgradient(gradient: Tensor, change: Tensor, alpha: Tensor) -> Tensor:
    """The smallest element of the subdifferential of L_ce + sum alpha |x - x_0|."""
    at_rest = gradient.sign() * (gradient.abs() - alpha).clamp_min(0)
    return torch.where(change == 0, at_rest, gradient + alpha * change.sign())
