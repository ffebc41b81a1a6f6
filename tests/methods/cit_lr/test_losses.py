"""The losses of the generator."""

import math

import pytest
import torch

from engine.methods.cit_lr.losses import information_bound, noise_loss, prior_loss, reconstruction_loss, similarity


def test_a_perfect_reconstruction_costs_nothing():
    x = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert reconstruction_loss(x, x).item() == pytest.approx(0, abs=1e-5)
    assert reconstruction_loss(x.roll(3, -1), x).item() > reconstruction_loss(x + 0.01, x).item()


def test_similarity_agrees_with_a_kept_library():
    from skimage.metrics import structural_similarity

    a, b = torch.rand(2, 1, 1, 40, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    _, theirs = structural_similarity(
        a[0, 0].numpy(), b[0, 0].numpy(), data_range=2, win_size=7, use_sample_covariance=False, full=True
    )
    assert similarity(a, b).item() == pytest.approx(theirs[3:-3, 3:-3].mean(), abs=1e-6)


def test_the_prior_costs_nothing_where_the_posterior_is_the_prior():
    zero = torch.zeros(3, 4, 2, 2)
    assert prior_loss(zero, zero).item() == 0
    assert prior_loss(torch.ones_like(zero), zero).item() == pytest.approx(0.5 * 16)


def test_the_bound_reaches_the_true_information_of_two_normals():
    draw = torch.Generator().manual_seed(2)
    rho, n = 0.8, 200_000
    x, y = torch.randn(2, n, dtype=torch.float64, generator=draw)
    y = rho * x + math.sqrt(1 - rho**2) * y

    def best(x, y):  # log density ratio
        return -0.5 * math.log(1 - rho**2) - (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * (1 - rho**2))

    shuffled = y[torch.randperm(n, generator=draw)]
    assert information_bound(best(x, y), best(x, shuffled)).item() == pytest.approx(
        -0.5 * math.log(1 - rho**2), abs=0.02
    )


def test_the_bound_is_zero_for_an_estimator_that_knows_nothing_and_never_above_what_there_is():
    assert information_bound(torch.full((8,), 3.0), torch.full((8,), 3.0)).item() == pytest.approx(0, abs=1e-6)
    draw = torch.Generator().manual_seed(3)
    t = torch.randn(100_000, generator=draw)
    assert (
        information_bound(t, torch.randn(100_000, generator=draw)).item() <= 0.02
    )  # nothing to be known: joint and marginal alike


def test_slopes_agree_with_finite_differences():
    a, b = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    assert torch.autograd.gradcheck(information_bound, (a.requires_grad_(), b.requires_grad_()))
    assert torch.autograd.gradcheck(noise_loss, (a, b))
    assert torch.autograd.gradcheck(prior_loss, (a[None], b[None]))
