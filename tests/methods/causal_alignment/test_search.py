"""How the counterfactuals of a trained classifier are sought: what a configuration may say, and what comes of it."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from engine.methods.causal_alignment.network import Architecture, CausalAlignmentNetwork
from engine.methods.causal_alignment.search import CounterfactualSearch, SearchConfiguration
from tests.methods.causal_alignment.test_latent import latent_space

FIRST = {"alpha_image": 0.05, "alpha_attributes": 0.1}


def search(config, **parts):
    torch.manual_seed(0)
    net = CausalAlignmentNetwork(2, Architecture(size=16, width=4, halvings=1, hidden=4)).eval().requires_grad_(False)
    latent = latent_space().float()
    with torch.no_grad():
        net.image.last.weight.mul_(10)
        latent.autoencoder.decoder[-1].weight.mul_(4)
    return CounterfactualSearch(net, config, latent, **parts)


def test_what_the_first_version_did_not_say_is_as_it_was():
    assert SearchConfiguration.of(FIRST) == SearchConfiguration(0.05, 0.1, 0.1, "squared_l2", "image", None)
    both = SearchConfiguration.of(FIRST | {"space": "latent", "latent": {"width": 2, "channels": 3}})
    assert both.latent == (2, 3) and both.spaces == ("image", "latent")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"alpha_latent": 0}, "above 0"),
        ({"distance": "l3"}, "no distance 'l3'"),
        ({"space": "wavelet"}, "no space 'wavelet'|in no space"),
        ({"space": "latent"}, "has no autoencoder"),
        ({"latent": {"width": 0, "channels": 2}}, "whole numbers"),
        ({"latent": {"width": 2, "channels": 1e9}}, "whole numbers"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(said, words):
    with pytest.raises(ValueError, match=words):
        SearchConfiguration.of(FIRST | said)


@pytest.mark.parametrize("distance", ["squared_l2", "scaled_squared_l2", "l1", "scaled_l1"])
@pytest.mark.parametrize("space", ["image", "latent"])
def test_a_picture_is_moved_towards_the_attributes_of_the_diagnosis_that_is_wanted(distance, space):
    config = SearchConfiguration(0.01, 0.01, 0.01, distance, "image", (2, 2))
    scale = torch.full((1, 16, 16), 0.8) if distance.startswith("scaled") else None
    seeking = search(config, scale=scale, attribute_scale=None if scale is None else torch.full((2,), 0.9))
    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1)) - 0.5
    y = torch.tensor([0.0, 1.0])
    wanted = seeking.attributes(torch.sigmoid(seeking.net(x)[0]), y)
    otherwise, solution = seeking.pictures(x, y, space)
    before, after = (bce(seeking.net(p)[0], wanted, reduction="none").sum(1) for p in (x, otherwise))
    assert otherwise.shape == x.shape and solution.gradient_norm.isfinite().all() and (after < before).all()
    here, there = (seeking.net.diagnose(a) for a in (torch.sigmoid(seeking.net(x)[0]), wanted))
    assert there[0] < here[0] and there[1] > here[1]


def test_a_scale_is_that_of_the_space_of_the_training_alone():
    config = SearchConfiguration(0.01, 0.01, 0.01, "scaled_l1", "image", (2, 2))
    seeking = search(config, scale=torch.ones(1, 16, 16))
    assert seeking._problem(0.1, seeking.scale).distance == "scaled_l1" and seeking._problem(0.1, None).distance == "l1"
