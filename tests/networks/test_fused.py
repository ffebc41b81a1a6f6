"""Folding batch normalisation away: the same answers and gradients, from a copy."""

import pytest
import torch
from torch import nn

from engine.methods.acat.network import ACAT, Baseline
from engine.networks.autoencoder import Autoencoder
from engine.networks.fused import fused


def settled(network, *inputs):
    """In evaluation mode, with statistics and scales that are not those of the start."""
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.2)
    network.train()(*inputs)
    return network.eval()


VOLUME = torch.rand(2, 3, 32, 32)


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (Baseline("seven_layers", 4, True, width=4), (VOLUME,)),
        (Baseline("small_resnet", 2, width=4), (VOLUME,)),
        (Baseline("resnet50", 2), (VOLUME,)),
        (ACAT("seven_layers", 4, True, width=4), (VOLUME, VOLUME.flip(0))),
        (Autoencoder(4, 2), (VOLUME.flatten(0, 1)[:, None],)),
    ],
    ids=["halves", "residual", "resnet50", "acat", "autoencoder"],
)
def test_a_folded_network_says_the_same(network, inputs):
    network = settled(network, *inputs)
    folded = fused(network)
    x = [part.clone().requires_grad_() for part in inputs]
    expected, found = network(*x), folded(*x)
    assert torch.allclose(found, expected, atol=1e-4)
    wanted = torch.autograd.grad(expected.square().sum(), x[0])[0]
    made = torch.autograd.grad(found.square().sum(), x[0])[0]
    assert torch.allclose(made, wanted, atol=1e-3 * float(wanted.abs().max()))
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
