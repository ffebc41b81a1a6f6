"""Counterfactuals of Eq. 2: minima, each by itself, sparse with l1."""

import pytest
import torch
from torch import nn

from engine.methods.causal_alignment.counterfactual import minimise, minimise_l1
from engine.methods.causal_alignment.distances import (
    l1,
    median_absolute_deviation,
    scaled_l1,
    scaled_squared_l2,
    squared_l2,
    standard_deviation,
)
from tests.methods.causal_alignment.test_implicit import ALPHA, image_problem, objective_of


def test_the_minimum_of_a_quadratic_is_found_exactly():
    torch.manual_seed(0)
    factor = torch.randn(3, 5, 5, dtype=torch.float64)
    h, centre = factor @ factor.mT + torch.eye(5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)

    def objective(x, rows):
        d = x - centre[rows]
        return 0.5 * (d * (h[rows] @ d[..., None])[..., 0]).sum(1)

    solution = minimise(
        objective, torch.zeros(3, 5, dtype=torch.float64), curvature=1.0, tolerance=1e-9, max_iterations=200
    )
    assert torch.allclose(solution.x, centre, atol=1e-8) and solution.gradient_norm.max() <= 1e-9


def test_a_picture_is_solved_the_same_alone_and_in_a_batch():
    net, x, target, _ = image_problem(3)
    parameters = dict(net.named_parameters())
    whole = minimise(
        objective_of(net, parameters, x, target), x, curvature=2 * ALPHA, tolerance=1e-9, max_iterations=300
    )
    alone = minimise(
        objective_of(net, parameters, x[2:3], target[2:3]),
        x[2:3],
        curvature=2 * ALPHA,
        tolerance=1e-9,
        max_iterations=300,
    )
    assert torch.allclose(whole.x[2:3], alone.x, atol=1e-7)


def test_a_counterfactual_lowers_the_objective_and_leans_to_the_target():
    net, x, target, _ = image_problem(4)
    objective = objective_of(net, dict(net.named_parameters()), x, target)
    rows = torch.arange(len(x))
    solution = minimise(objective, x, curvature=2 * ALPHA)
    assert (objective(solution.x, rows) < objective(x, rows)).all()
    before, after = (net(p).softmax(1).gather(1, target[:, None]) for p in (x, solution.x))
    assert (after > before).all()


def test_float32_arrives_within_its_rounding():
    net, x, target, _ = image_problem(5)
    net.float()
    x = x.float()
    solution = minimise(
        objective_of(net, dict(net.named_parameters()), x, target),
        x,
        curvature=2 * ALPHA,
        tolerance=1e-5,
        max_iterations=200,
    )
    assert solution.gradient_norm.max() <= 1e-4


def test_l1_of_a_quadratic_is_soft_thresholding():
    goal = torch.tensor([[1.0, -0.3, 0.05, -2.0]], dtype=torch.float64)
    solution = minimise_l1(
        lambda x, rows: 0.5 * (x - goal).square().sum(1), torch.zeros(1, 4, dtype=torch.float64), 0.1, tolerance=1e-10
    )
    assert torch.allclose(solution.x, torch.tensor([[0.9, -0.2, 0.0, -1.9]], dtype=torch.float64), atol=1e-8)
    assert solution.active.tolist() == [[True, True, False, True]]


def test_l1_changes_fewer_pixels_than_l2():
    net, x, target, _ = image_problem(6)

    def cross_entropy(points, rows):
        return nn.functional.cross_entropy(net(points), target[rows], reduction="none")

    sparse = minimise_l1(cross_entropy, x, 0.02, tolerance=1e-6)
    smooth = minimise(objective_of(net, dict(net.named_parameters()), x, target), x, curvature=2 * ALPHA)
    changed = [int(((s.x - x).abs() > 1e-3).sum()) for s in (sparse, smooth)]
    assert 0 < changed[0] < changed[1] / 2


def test_distances_by_hand():
    x, x_0 = torch.tensor([[1.0, -2.0], [0.0, 0.5]]), torch.zeros(2, 2)
    scale = torch.tensor([1.0, 4.0])
    assert squared_l2(x, x_0).tolist() == [5.0, 0.25] and l1(x, x_0).tolist() == [3.0, 0.5]
    assert scaled_squared_l2(x, x_0, scale).tolist() == [2.0, 0.0625] and scaled_l1(x, x_0, scale).tolist() == [
        1.5,
        0.125,
    ]


def test_scales_of_a_pixel_that_never_varies_are_positive():
    pictures = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 6.0]])
    assert median_absolute_deviation(pictures).tolist() == pytest.approx([1e-3, 1.0])
    assert standard_deviation(pictures)[0] == pytest.approx(1e-3)
