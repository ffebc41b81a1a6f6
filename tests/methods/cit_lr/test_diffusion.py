"""The noise schedule, and DDIM's steps there and back."""

import pytest
import torch

from engine.methods.cit_lr.diffusion import Diffusion


def test_noise_of_a_standard_normal_stays_standard_normal():
    z, noise = torch.randn(2, 4000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    for t in (0, 500, 999):
        assert Diffusion().noised(z, torch.full((4000,), t), noise).std().item() == pytest.approx(1, abs=0.05)


def test_little_of_a_picture_is_left_at_the_end_and_all_before_the_first_step():
    kept = Diffusion().kept()
    assert kept[0] == 1 and kept[-1] < 0.01 and (kept.diff() < 0).all()


def test_a_smaller_reach_ends_earlier():
    assert Diffusion(reach=0.2, hops=4).path().tolist() == [0, 50, 100, 150, 200]


def exact(diffusion):
    """The noise in z for pictures that are N(2, 0.25): E[noise | z_t] in closed form."""
    kept = diffusion.kept()

    def noise_in(z, t):
        a = kept[t + 1][:, None].float()
        return (1 - a).sqrt() * (z - a.sqrt() * 2) / (a * 0.25 + 1 - a)

    return noise_in


def test_the_way_home_retraces_the_way_there():
    d = Diffusion(hops=200)
    z = 2 + 0.5 * torch.randn(500, 1, generator=torch.Generator().manual_seed(1))
    noise = d.away(z, exact(d))
    assert torch.allclose(d.home(noise, exact(d)), z, atol=0.02)


def test_pictures_of_a_known_distribution_end_as_its_standard_noise_and_noise_comes_home_as_such_pictures():
    d = Diffusion(hops=200)
    z = 2 + 0.5 * torch.randn(4000, 1, generator=torch.Generator().manual_seed(2))
    noise, left = d.away(z, exact(d)), 2 * float(d.kept()[-1]) ** 0.5  # what is left of the mean
    assert noise.mean().item() == pytest.approx(left, abs=0.05) and noise.std().item() == pytest.approx(1, abs=0.1)
    home = d.home(left + torch.randn(4000, 1, generator=torch.Generator().manual_seed(3)), exact(d))
    assert home.mean().item() == pytest.approx(2, abs=0.1) and home.std().item() == pytest.approx(0.5, abs=0.1)


def test_a_mended_hop_retraces_better_than_one_that_is_not():
    z = 2 + 0.5 * torch.randn(500, 1, generator=torch.Generator().manual_seed(4))
    off = []
    for mends in (0, 1, 2):
        d = Diffusion(hops=20, mends=mends)
        off.append((d.home(d.away(z, exact(d)), exact(d)) - z).abs().max().item())
    assert off[0] > 3 * off[1] > 9 * off[2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"reach": 0}, {"reach": 1.5}, {"hops": 0}, {"reach": 0.01, "hops": 20}, {"first_beta": 0.1, "last_beta": 0.01}, {"hops": 3.5},
        {"mends": -1}, {"mends": 10**9},
    ],
)  # fmt: skip
def test_schedules_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="betas|reach|mends"):
        Diffusion(**wrong)
