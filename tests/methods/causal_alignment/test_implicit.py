"""The gradient through a counterfactual: as finite differences of the whole inner problem say, or refused."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from engine.methods.causal_alignment.counterfactual import minimise, minimise_l1
from engine.methods.causal_alignment.distances import squared_l2
from engine.methods.causal_alignment.implicit import UnconvergedCounterfactual, conjugate_gradients, implicit
from engine.methods.causal_alignment.losses import alignment_loss

ALPHA = 0.05


def image_problem(seed: int = 0, size: int = 8, count: int = 4):
    """A small smooth classifier in float64, pictures, targets and regions."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1),
        nn.GroupNorm(2, 4),
        nn.SiLU(),
        nn.Conv2d(4, 6, 3, 2, 1),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 2),
    )
    net.double()
    with torch.no_grad():
        net[-1].weight.mul_(6)
    x = torch.rand(count, 1, size, size, dtype=torch.float64)
    mask = torch.zeros_like(x)
    mask[:, :, 2:6, 3:7] = 1
    return net, x, 1 - net(x).argmax(1), mask


def attribute_problem(seed: int = 0, count: int = 6):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 2)).double()
    with torch.no_grad():
        net[-1].weight.mul_(3)
    a = torch.rand(count, 6, dtype=torch.float64)
    return net, a, 1 - net(a).argmax(1), (torch.arange(6) < 2).double().expand(count, 6)


def objective_of(net, parameters, x, target, alpha=ALPHA):
    def objective(points, rows):
        ce = nn.functional.cross_entropy(functional_call(net, parameters, points), target[rows], reduction="none")
        return ce + alpha * squared_l2(points, x[rows])

    return objective


def solved(net, parameters, x, target, tolerance=1e-10):
    return minimise(
        objective_of(net, parameters, x, target), x, curvature=2 * ALPHA, tolerance=tolerance, max_iterations=500
    )


def weighted_loss(counterfactual, x, mask):
    """Eq. 3 made smooth, so that finite differences may cross no kink of the outer loss."""
    return ((counterfactual - x) * (1 - mask)).square().flatten(1).sum(1).mean()


def directional(net, x, target, mask, find, loss, directions=8, step=1e-6):
    """(implicit, finite difference) of `loss` along random directions of the parameters."""
    parameters = {k: p.detach().clone().requires_grad_() for k, p in net.named_parameters()}
    value = loss(find(parameters), x, mask)
    gradients = torch.autograd.grad(value, list(parameters.values()))
    pairs = []
    for seed in range(directions):
        generator = torch.Generator().manual_seed(seed)
        direction = {k: torch.randn(p.shape, generator=generator, dtype=p.dtype) for k, p in parameters.items()}
        moved = [
            float(
                loss(
                    find({k: (p + sign * step * direction[k]).detach() for k, p in parameters.items()}, False), x, mask
                )
            )
            for sign in (1, -1)
        ]
        pairs.append(
            (
                float(sum((g * d).sum() for g, d in zip(gradients, direction.values()))),
                (moved[0] - moved[1]) / (2 * step),
            )
        )
    return pairs


@pytest.mark.parametrize(
    ("problem", "seed"), [(image_problem, 0), (image_problem, 1), (attribute_problem, 0), (attribute_problem, 1)]
)
@pytest.mark.parametrize("loss", [weighted_loss, alignment_loss])
def test_the_implicit_gradient_is_that_of_finite_differences(problem, seed, loss):
    net, x, target, mask = problem(seed)

    def find(parameters, graph=True):
        solution = solved(net, parameters, x, target)
        assert solution.gradient_norm.max() <= 1e-7
        if not graph:
            return solution.x
        return implicit(
            objective_of(net, parameters, x, target),
            solution,
            tolerance=1e-7,
            relative_residual=1e-8,
            max_iterations=300,
        ).x

    for ours, numeric in directional(net, x, target, mask, find, loss):
        assert ours == pytest.approx(numeric, rel=0.01)


def test_the_implicit_gradient_is_that_of_an_unrolled_solution():
    net, x, target, mask = image_problem(2)
    parameters = {k: p.detach().clone().requires_grad_() for k, p in net.named_parameters()}
    objective = objective_of(net, parameters, x, target, alpha=1.0)
    solution = minimise(objective, x, curvature=2.0, tolerance=1e-10, max_iterations=500)
    rows = torch.arange(len(x))
    unrolled = solution.x.clone().requires_grad_()  # steps that stay where they are, but whose derivative builds up
    for _ in range(300):
        (gradient,) = torch.autograd.grad(objective(unrolled, rows).sum(), unrolled, create_graph=True)
        unrolled = unrolled - 0.1 * gradient
    assert gradient.norm() < 1e-7
    expected = torch.autograd.grad(weighted_loss(unrolled, x, mask), list(parameters.values()))
    found = implicit(objective, solution, relative_residual=1e-8, max_iterations=300)
    ours = torch.autograd.grad(weighted_loss(found.x, x, mask), list(parameters.values()))
    for a, b in zip(ours, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-9)
    assert found.report.residual <= 1e-8 and found.report.indefinite == 0


def test_an_unconverged_counterfactual_is_refused():
    net, x, target, _ = image_problem()
    parameters = dict(net.named_parameters())
    early = minimise(objective_of(net, parameters, x, target), x, curvature=2 * ALPHA, tolerance=1e-8, max_iterations=2)
    with pytest.raises(UnconvergedCounterfactual, match="have not converged"):
        implicit(objective_of(net, parameters, x, target), early, tolerance=1e-6)


def test_a_solution_with_no_number_is_refused():
    net, x, target, _ = image_problem()
    solution = minimise(objective_of(net, dict(net.named_parameters()), x, target), x, curvature=2 * ALPHA)
    solution.gradient_norm[1] = float("nan")
    with pytest.raises(UnconvergedCounterfactual):
        implicit(objective_of(net, dict(net.named_parameters()), x, target), solution)


def test_l1_changes_few_elements_and_moves_them_with_the_parameters():
    """On the active set the minimum moves as finite differences say, where the cross-entropy curves enough
    to hold it.
    """
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 2)).double()
    with torch.no_grad():
        net[0].weight.mul_(2.0)
        net[2].weight.mul_(2.0)
    x = torch.randn(3, 12, dtype=torch.float64)
    target = 1 - net(x).argmax(1)
    mask = torch.zeros_like(x)
    ridge = 0.02  # holds the elements that the cross-entropy does not curve in

    def smooth(parameters):
        def objective(points, rows):
            ce = nn.functional.cross_entropy(functional_call(net, parameters, points), target[rows], reduction="none")
            return ce + ridge * squared_l2(points, x[rows])

        return objective

    def find(parameters, graph=True):
        solution = minimise_l1(smooth(parameters), x, 0.1, tolerance=1e-9, max_iterations=20000)
        assert solution.gradient_norm.max() <= 1e-8
        assert 0 < solution.active.sum() < 0.7 * solution.active.numel()
        if not graph:
            return solution.x
        return implicit(smooth(parameters), solution, tolerance=1e-8, relative_residual=1e-10, max_iterations=200).x

    for ours, numeric in directional(net, x, target, mask, find, weighted_loss, step=1e-6):
        assert ours == pytest.approx(numeric, rel=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_conjugate_gradients_solve_each_picture_by_itself(seed):
    torch.manual_seed(seed)
    factor = torch.randn(4, 7, 7, dtype=torch.float64)
    h = factor @ factor.mT + 0.5 * torch.eye(7, dtype=torch.float64)
    right = torch.randn(4, 7, dtype=torch.float64)
    v, report = conjugate_gradients(lambda p: (h @ p[..., None])[..., 0], right, 1e-10, 50)
    assert torch.allclose(v, torch.linalg.solve(h, right[..., None])[..., 0], rtol=1e-7)
    assert report.residual <= 1e-10 and report.iterations <= 20


def test_a_hessian_that_is_not_positive_is_counted():
    v, report = conjugate_gradients(lambda p: p * torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), torch.ones(2, 2))
    assert report.indefinite == 1 and torch.allclose(v[0], torch.ones(2)) and torch.equal(v[1], torch.zeros(2))
