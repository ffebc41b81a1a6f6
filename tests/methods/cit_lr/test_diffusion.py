"""The noise schedule, and DDIM's steps there and back."""

import pytest
import torch

from engine.methods.cit_lr.diffusion import Diffusion


def test_noise_of_a_standard_normal_stays_standard_normal():
    z, noise = torch.randn(2, 4000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    for t in (0, 500, 999):
        assert Diffusion().add_noise(z, torch.full((4000,), t), noise).std().item() == pytest.approx(1, abs=0.05)


def test_little_of_a_picture_is_left_at_the_end_and_all_before_the_first_step():
    alphas = Diffusion().alphas_cumprod()
    assert alphas[0] == 1 and alphas[-1] < 0.01 and (alphas.diff() < 0).all()


def test_a_smaller_strength_ends_earlier():
    assert Diffusion(strength=0.2, num_steps=4).timesteps().tolist() == [0, 50, 100, 150, 200]


def exact(diffusion):
    """The noise in z for pictures that are N(2, 0.25): E[noise | z_t] in closed form."""
    alphas = diffusion.alphas_cumprod()

    def noise_in(z, t):
        a = alphas[t + 1][:, None].float()
        return (1 - a).sqrt() * (z - a.sqrt() * 2) / (a * 0.25 + 1 - a)

    return noise_in


def test_the_way_home_retraces_the_way_there():
    d = Diffusion(num_steps=200)
    z = 2 + 0.5 * torch.randn(500, 1, generator=torch.Generator().manual_seed(1))
    noise = d.invert(z, exact(d))
    assert torch.allclose(d.sample(noise, exact(d)), z, atol=0.02)


def test_pictures_of_a_known_distribution_end_as_its_standard_noise_and_noise_comes_home_as_such_pictures():
    d = Diffusion(num_steps=200)
    z = 2 + 0.5 * torch.randn(4000, 1, generator=torch.Generator().manual_seed(2))
    noise, left = d.invert(z, exact(d)), 2 * float(d.alphas_cumprod()[-1]) ** 0.5  # what is left of the mean
    assert noise.mean().item() == pytest.approx(left, abs=0.05) and noise.std().item() == pytest.approx(1, abs=0.1)
    edited = d.sample(left + torch.randn(4000, 1, generator=torch.Generator().manual_seed(3)), exact(d))
    assert edited.mean().item() == pytest.approx(2, abs=0.1) and edited.std().item() == pytest.approx(0.5, abs=0.1)


def test_a_mended_hop_retraces_better_than_one_that_is_not():
    z = 2 + 0.5 * torch.randn(500, 1, generator=torch.Generator().manual_seed(4))
    off = []
    for fixed_point_iterations in (0, 1, 2):
        d = Diffusion(num_steps=20, fixed_point_iterations=fixed_point_iterations)
        off.append((d.sample(d.invert(z, exact(d)), exact(d)) - z).abs().max().item())
    assert off[0] > 3 * off[1] > 9 * off[2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"strength": 0},
        {"strength": 1.5},
        {"num_steps": 0},
        {"strength": 0.01, "num_steps": 20},
        {"first_beta": 0.1, "last_beta": 0.01},
        {"num_steps": 3.5},
        {"fixed_point_iterations": -1},
        {"fixed_point_iterations": 10**9},
    ],
)
def test_schedules_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="betas|strength|fixed_point"):
        Diffusion(**wrong)
