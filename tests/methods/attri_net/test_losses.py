"""Eq. 1 to 6 of Sun et al. 2025 against numbers worked out by hand, and their gradients against finite differences."""

import pytest
import torch

from engine.methods.attri_net.losses import (
    adversarial_loss,
    centre_loss,
    critic_loss,
    guidance_loss,
    sparsity_loss,
)


def of(*values):
    """One picture (1, 1, 1, len(values))."""
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def test_the_critic_prefers_real_negatives_eq_1():
    assert critic_loss(torch.tensor([1.0, 3.0]), torch.tensor([5.0, -1.0, 2.0])).item() == pytest.approx(-2 + 2)
    assert critic_loss(torch.tensor([4.0]), torch.tensor([1.0])).item() == -3


def test_the_generator_wants_what_the_critic_does_not_eq_2():
    scores = torch.tensor([5.0, -1.0])
    assert adversarial_loss(scores).item() == -2
    assert critic_loss(torch.zeros(1), scores).item() == -adversarial_loss(scores).item()


def test_sparsity_counts_changes_of_negatives_twice_eq_3():
    negative, positive = of(1.0, -3.0), of(0.5, -0.5)
    assert sparsity_loss(negative, positive).item() == pytest.approx(2 * 2 + 1 * 0.5)
    assert sparsity_loss(negative, positive, alpha_0=0, alpha_1=4).item() == pytest.approx(2)
    assert sparsity_loss(0 * negative, 0 * positive).item() == 0


def test_centres_are_half_a_squared_distance_away_eq_5():
    negative = torch.cat([of(1.0, 2.0), of(3.0, 2.0)])
    centre_negative = torch.cat([of(0.0, 0.0), of(3.0, 0.0)])  # squared distances 5 and 4
    positive, centre_positive = torch.cat([of(1.0, 1.0)] * 2), torch.cat([of(0.0, 1.0), of(1.0, 4.0)])  # 1 and 9
    assert centre_loss(negative, positive, centre_negative, centre_positive).item() == pytest.approx(
        0.5 * 4.5 + 0.5 * 5
    )
    assert centre_loss(negative, positive, negative, positive).item() == 0


def test_guidance_is_the_share_of_the_map_outside_the_mask_eq_6():
    maps = torch.cat([of(1.0, -3.0, 0.0, 4.0), of(-2.0, 2.0, 2.0, 2.0)])
    masks = torch.cat([of(1.0, 1.0, 0.0, 0.0), of(1.0, 0.0, 0.0, 0.0)])
    assert guidance_loss(maps, masks).item() == pytest.approx((0.5 + 0.75) / 2)
    assert guidance_loss(maps, torch.ones_like(masks)).item() == pytest.approx(0)
    assert guidance_loss(5 * maps, masks).item() == pytest.approx(guidance_loss(maps, masks).item())


def test_an_empty_map_has_a_finite_guidance_gradient():
    maps = torch.zeros(1, 1, 4, 4, requires_grad=True)
    guidance_loss(maps, torch.ones(1, 1, 4, 4)).backward()
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_of_sparsity_centres_and_guidance_are_right(seed):
    draw = torch.Generator().manual_seed(seed)

    def some(*shape):  # away from 0, where |M| has no slope
        values = torch.rand(shape, dtype=torch.float64, generator=draw)
        return (values + 0.2) * torch.where(torch.rand(shape, generator=draw) < 0.5, -1.0, 1.0)

    negative, positive = (some(2, 1, 3, 3).requires_grad_() for _ in range(2))
    centres = some(2, 1, 3, 3), some(2, 1, 3, 3)
    mask = (some(2, 1, 3, 3) > 0).double()
    assert torch.autograd.gradcheck(sparsity_loss, (negative, positive))
    assert torch.autograd.gradcheck(lambda n, p: centre_loss(n, p, *centres), (negative, positive))
    assert torch.autograd.gradcheck(lambda p: guidance_loss(p, mask), (positive,))
