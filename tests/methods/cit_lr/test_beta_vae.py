"""The beta-VAE draws a picture under another attribute from what it knows of the picture but the attribute."""

import pytest
import torch

from engine.methods.cit_lr.beta_vae import LATENT, BetaVAE


def pictures(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bars of a height of their own on a ground that is bright under code 1 and dark under code 0."""
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 2, (count, 1), generator=random)
    x = (codes[:, :, None, None] - 0.5).float().expand(-1, -1, 32, 32).clone()
    for one, height in zip(x, torch.randint(4, 28, (count,), generator=random)):
        one[:, :height, 12:20] = 0
    return x, codes


@pytest.fixture(scope="module")
def learned():
    torch.manual_seed(0)
    net = BetaVAE(32, 8, (2,))
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for step in range(250):
        x, codes = pictures(16, step)
        loss = net.loss(x, codes, torch.randn(16, LATENT), beta=5.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval()


@torch.no_grad()
def test_the_ground_follows_the_code_and_the_bar_stays(learned):
    x, codes = pictures(32, 10_000)
    z, _ = learned.encode(x, codes)
    other = learned.decode(z, 1 - codes)
    wanted = torch.where(x == 0, 0.0, -x)
    assert (other - wanted).abs().mean() < 0.12 < (other - x).abs().mean()


def test_an_unknown_value_is_none_of_the_known_ones():
    torch.manual_seed(0)
    net = BetaVAE(32, 8, (2, 2)).eval()
    z = torch.randn(1, LATENT)
    drawn = [net.decode(z, torch.tensor([[code, 0]])) for code in (0, 1, -1)]
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_a_heavier_beta_never_makes_the_bound_smaller():
    torch.manual_seed(0)
    net, (x, codes), noise = BetaVAE(32, 8, (2,)), pictures(4, 1), torch.randn(4, LATENT)
    assert net.loss(x, codes, noise, beta=4.0) > net.loss(x, codes, noise, beta=1.0)
