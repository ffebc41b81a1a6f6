"""The gradient penalty and the critic of whole pictures."""

import pytest
import torch

from engine.networks.critic import Critic, gradient_penalty


def test_the_critic_has_the_parameters_of_va_gan_and_one_number_a_picture():
    critic = Critic(16)
    assert sum(p.numel() for p in critic.parameters()) == 1_757_249
    assert critic(torch.zeros(3, 1, 48, 48)).shape == (3,)


def unit_slope(u):
    """A critic whose gradient has norm 1 on every picture."""
    weights = torch.linspace(-1, 1, u[0].numel(), dtype=u.dtype).view_as(u[0])
    return (u * weights / weights.norm()).sum(dim=(1, 2, 3))


def test_a_critic_of_unit_slope_pays_no_penalty_whatever_the_batch():
    for batch in (1, 4):
        a, b = torch.randn(2, batch, 1, 6, 6, dtype=torch.float64)
        position = torch.rand(batch, 1, 1, 1, dtype=torch.float64)
        assert gradient_penalty(unit_slope, a, b, position).item() == pytest.approx(0, abs=1e-10)


def test_the_penalty_is_taken_per_picture_and_averaged():
    factors = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    a, b = torch.randn(2, 3, 1, 6, 6, dtype=torch.float64)
    penalty = gradient_penalty(lambda u: unit_slope(u) * factors, a, b, torch.rand(3, 1, 1, 1, dtype=torch.float64))
    assert penalty.item() == pytest.approx((1 + 0 + 4) / 3)


def test_the_penalty_is_asked_between_a_real_negative_and_a_counterfactual():
    asked = []
    negative, counterfactual = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)

    def critic(u):
        asked.append(u.detach().clone())
        return u.square().sum(dim=(1, 2, 3))

    gradient_penalty(critic, negative, counterfactual, torch.tensor([1.0, 0.25]).view(2, 1, 1, 1))
    assert torch.equal(asked[0][0], negative[0])
    assert torch.equal(asked[0][1], torch.full((1, 2, 2), 0.75))


def test_the_penalty_teaches_the_critic_and_not_the_generator():
    weight = torch.tensor(3.0, requires_grad=True)
    counterfactual = torch.ones(1, 1, 2, 2, requires_grad=True)
    gradient_penalty(
        lambda u: weight * u.sum(dim=(1, 2, 3)), torch.zeros(1, 1, 2, 2), counterfactual, torch.full((1, 1, 1, 1), 0.5)
    ).backward()
    assert weight.grad.item() == pytest.approx(2 * (3 * 2 - 1) * 2)  # d/dw (2 w - 1)^2: four pixels, norm 2 w
    assert counterfactual.grad is None
