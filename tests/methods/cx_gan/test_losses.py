"""CX-GAN's losses against numbers worked out by hand, and their slopes against finite differences in float64."""

import math

import pytest
import torch

from engine.methods.cx_gan.losses import cycle_loss, discriminator_loss, generator_loss, identity_loss, residual_loss


def test_a_discriminator_that_knows_nothing_pays_two_ln_two():
    assert float(discriminator_loss(torch.zeros(3, 1, 4, 4), torch.zeros(3, 1, 4, 4))) == pytest.approx(2 * math.log(2))


def test_log_odds_of_ln_three_are_a_probability_of_three_quarters():
    real, made = torch.full((2, 1, 3, 3), math.log(3)), torch.full((2, 1, 3, 3), -math.log(3))
    assert float(discriminator_loss(real, made)) == pytest.approx(-2 * math.log(0.75))
    assert float(generator_loss(made)) == pytest.approx(-math.log(0.25))


def test_a_sure_discriminator_still_gives_the_generator_a_slope():
    made = torch.full((1,), -20.0, requires_grad=True)
    generator_loss(made).backward()
    assert float(made.grad) == pytest.approx(-1, abs=1e-6)


def test_distances_are_means_over_pixels():
    start = torch.zeros(2, 1, 4, 4)
    moved = start.clone()
    moved[0, 0, 0, 0] = 3.2
    assert float(cycle_loss(moved, start)) == pytest.approx(0.1)
    assert float(residual_loss(moved, start)) == pytest.approx(0.1)
    assert float(identity_loss(moved)) == pytest.approx(0.1)


@pytest.mark.parametrize("loss", [discriminator_loss, residual_loss, cycle_loss], ids=lambda f: f.__name__)
def test_slopes_agree_with_finite_differences(loss):
    torch.manual_seed(0)
    one, other = (torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(loss, (one, other))
