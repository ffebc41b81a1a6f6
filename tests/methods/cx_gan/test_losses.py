"""CX-GAN's losses against numbers worked out by hand, and their slopes against finite differences in float64."""

import math

import pytest
import torch

from engine.methods.cx_gan.losses import cycle_loss, identity_loss, real_or_made, residual_loss, taken_for_real


def test_a_discriminator_that_knows_nothing_pays_two_ln_two():
    assert float(real_or_made(torch.zeros(3, 1, 4, 4), torch.zeros(3, 1, 4, 4))) == pytest.approx(2 * math.log(2))


def test_log_odds_of_ln_three_are_a_probability_of_three_quarters():
    real, made = torch.full((2, 1, 3, 3), math.log(3)), torch.full((2, 1, 3, 3), -math.log(3))
    assert float(real_or_made(real, made)) == pytest.approx(-2 * math.log(0.75))
    assert float(taken_for_real(made)) == pytest.approx(-math.log(0.25))


def test_a_sure_discriminator_still_gives_the_generator_a_slope():
    made = torch.full((1,), -20.0, requires_grad=True)
    taken_for_real(made).backward()
    assert float(made.grad) == pytest.approx(-1, abs=1e-6)


def test_distances_are_means_over_pixels():
    start = torch.zeros(2, 1, 4, 4)
    moved = start.clone()
    moved[0, 0, 0, 0] = 3.2
    assert float(cycle_loss(moved, start)) == pytest.approx(0.1)
    assert float(residual_loss(moved, start)) == pytest.approx(0.1)
    assert float(identity_loss(moved)) == pytest.approx(0.1)


@pytest.mark.parametrize("loss", [real_or_made, residual_loss, cycle_loss], ids=lambda f: f.__name__)
def test_slopes_agree_with_finite_differences(loss):
    torch.manual_seed(0)
    one, other = (torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(loss, (one, other))
