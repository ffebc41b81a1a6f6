"""Eq. 2 in a latent space: what is moved, what stays, and the gradient through it by every distance."""

import pytest
import torch
import torch.nn.functional as F
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from engine.methods.causal_alignment.alignment import InnerProblem, align
from engine.methods.causal_alignment.latent import LatentPictures, LatentSpace
from tests.methods.causal_alignment.test_alignment import checked, classifier, pictures

EXACT = {"tolerance": 1e-7, "iterations": 20_000, "solves": 400, "residual": 1e-10}


def latent_space(seed=0):
    torch.manual_seed(seed)
    space = LatentSpace(2, 2).double()
    x = torch.rand(16, 1, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(60):
            space.encode(x)  # so that the running means are those of the pictures
            space.decode(space.encode(x))
    return space.eval().requires_grad_(False)


def term(net, x, region, problem, relative=True):
    def cross_entropy(points, rows):
        odds = net(points)[1]
        return bce(odds, torch.ones_like(odds), reduction="none")

    return align(cross_entropy, x, region, problem, relative, LatentPictures.of(latent_space(), x))


def test_a_latent_that_stays_leaves_its_picture_as_it_is():
    x, _ = pictures()
    latent = LatentPictures.of(latent_space(), x)
    assert latent.z_0.shape == (3, 2, 4, 4)
    assert torch.allclose(latent.pictures(latent.z_0[1:], torch.tensor([1, 2])), x[1:], atol=1e-12)


def test_the_latent_is_standard_over_the_pictures_it_learned_from():
    z = latent_space().encode(
        torch.rand(16, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    assert z.mean().abs() < 0.3 and 0.7 < z.std() < 1.4


def test_it_learns_to_say_pictures():
    torch.manual_seed(0)
    space, x = LatentSpace(4, 4), F.interpolate(torch.randn(16, 1, 4, 4), 16, mode="bilinear") * 0.5
    optimiser, losses = torch.optim.Adam(space.parameters(), 1e-2), []
    for _ in range(60):
        optimiser.zero_grad()
        loss = F.l1_loss(space(x), x)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("distance", "alpha"), [("squared_l2", 0.2), ("scaled_squared_l2", 0.2), ("l1", 0.05), ("scaled_l1", 0.05)]
)
@pytest.mark.parametrize("relative", [True, False])
def test_the_gradient_is_that_of_finite_differences_in_8_directions(distance, alpha, relative):
    net, (x, region) = classifier(1, 0), pictures(1, count=2)
    scale = torch.rand((2, 4, 4), dtype=torch.float64) + 0.5 if distance.startswith("scaled") else None
    problem = InnerProblem(alpha, distance, scale=scale, damping=1e-9 if distance.endswith("l1") else 0.0, **EXACT)
    here = checked(net, lambda: term(net, x, region, problem, relative))
    assert float(here.loss.detach()) > 0 and 0 < here.share < 1
