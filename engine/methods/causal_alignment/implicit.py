"""The gradient through x*, by the implicit function theorem and conjugate gradients (section 4.2 of Liu et al. 2025).

At the minimum grad_x T(x*, theta) = 0, so d x* / d theta = -H^-1 d(grad_x T) / d theta, Eq. 4, with H = grad_x grad_x
T. A loss L of x* needs only v = H^-1 dL/dx*, one linear system a picture, and then the gradient of -v . grad_x T(x*,
theta) for theta. Products with H are exact (the derivative of a gradient), where the paper takes finite differences.
The theorem holds at the minimum only: an x* whose gradient is not small is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.methods.causal_alignment.counterfactual import Objective, Solution


class UnconvergedCounterfactual(ValueError):
    """An inner problem that has not arrived at its minimum; the gradient through it would be meaningless."""


@dataclass
class SolveReport:
    """What the last linear solve did: largest relative residual, most iterations, and pictures whose Hessian was not
    positive.
    """

    residual: float = 0.0
    iterations: int = 0
    indefinite: int = 0


@dataclass
class ImplicitCounterfactual:
    """x* with its dependence on the parameters.

    Attributes:
        x: (n, ...) equal to the solution; its backward pass solves the linear systems.
        report: filled in by the backward pass.
    """

    x: Tensor
    report: SolveReport = field(default_factory=SolveReport)


def implicit(
    objective: Objective,
    solution: Solution,
    *,
    tolerance: float = 1e-4,
    damping: float = 0.0,
    relative_residual: float = 1e-3,
    max_iterations: int = 50,
) -> ImplicitCounterfactual:
    """Ties a solution of `minimise` or `minimise_l1` to whatever parameters `objective` holds.

    Args:
        objective: T; for l1 the cross-entropy alone does, since l1 has no curvature on the active set.
        tolerance: the largest |grad T| that counts as a minimum.
        damping: added to the Hessian's diagonal. For l1 it must be above zero: there H is the cross-entropy's alone,
            which is singular.
        relative_residual: where conjugate gradients stop.

    Raises:
        UnconvergedCounterfactual: says how far off the worst picture is.
    """
    worst = float(solution.gradient_norm.max()) if len(solution.gradient_norm) else 0.0
    if not worst <= tolerance:
        late = int((~(solution.gradient_norm <= tolerance)).sum())
        raise UnconvergedCounterfactual(
            f"{late} of {len(solution.x)} counterfactuals have not converged: |grad T| is {worst:.1e} where "
            f"{tolerance:.1e} is wanted; take more iterations or a larger alpha."
        )
    x = solution.x.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(
            objective(x, torch.arange(len(x), device=x.device)).sum(), x, create_graph=True
        )
    active = solution.active.to(x.dtype)
    report = SolveReport()  # by itself: what `solve` holds must not lead back to x, or neither is ever freed

    def hessian_product(v: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(gradient, x, v * active, retain_graph=True)
        return product * active + damping * v

    def solve(right: Tensor) -> Tensor:
        v, done = conjugate_gradients(hessian_product, right * active, relative_residual, max_iterations)
        report.residual, report.iterations, report.indefinite = done.residual, done.iterations, done.indefinite
        return v

    return ImplicitCounterfactual(solution.x - _Solve.apply(gradient, solve), report)


class _Solve(torch.autograd.Function):
    """Forward 0, since grad_x T is 0 at the minimum; backward H^-1 times what comes in (H is symmetric)."""

    @staticmethod
    def forward(ctx, gradient: Tensor, solve: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.solve = solve
        return torch.zeros_like(gradient)

    @staticmethod
    def backward(ctx, *upstream: Tensor):
        with torch.enable_grad():
            return ctx.solve(*upstream).detach(), None


@torch.no_grad()
def conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Tensor, relative_residual: float = 1e-3, max_iterations: int = 50
) -> tuple[Tensor, SolveReport]:
    """v with H v = right, for every picture of (n, ...) at once.

    Args:
        product: v -> H v, linear, symmetric and one picture at a time.

    A picture along whose search direction H is not positive stops there and is counted.
    """
    shape = (-1, *[1] * (right.ndim - 1))
    dot = lambda a, b: (a * b).flatten(1).sum(1)
    v, residual = torch.zeros_like(right), right.clone()
    p, size = residual.clone(), dot(residual, residual)
    goal = relative_residual**2 * size
    going, indefinite = size > 0, torch.zeros(len(right), dtype=torch.bool, device=right.device)
    iterations = 0
    while going.any() and iterations < max_iterations:
        with torch.enable_grad():
            hp = product(p).detach()
        curved = dot(p, hp)
        indefinite |= going & (curved <= 0)
        going &= curved > 0
        alpha = torch.where(going, size / curved, 0.0).view(shape)
        v += alpha * p
        residual -= alpha * hp
        new = dot(residual, residual)
        p = residual + torch.where(going, new / size, 0.0).view(shape) * p
        size = torch.where(going, new, size)
        going &= size > goal
        iterations += 1
    start = dot(right, right)
    share = torch.where(start > 0, (size / start.clamp_min(torch.finfo(right.dtype).tiny)).sqrt(), 0.0)
    return v, SolveReport(float(share.max()) if len(share) else 0.0, iterations, int(indefinite.sum()))
