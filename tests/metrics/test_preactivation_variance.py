"""The variance of a layer's pre-activations is that of its output, scan by scan."""

import pytest
import torch
from torch import nn

from engine.metrics.preactivation_variance import preactivation_variance


def test_each_layer_has_the_mean_variance_of_its_output():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    scans = [torch.randn(3, 4) for _ in range(5)]
    rows = preactivation_variance([net[0], net[2]], net, scans, "Infarct", "baseline")
    assert [row.variant for row in rows] == ["baseline, layer 1", "baseline, layer 2"]
    wanted = torch.stack([net[0](scan).var() for scan in scans]).mean().detach()
    assert rows[0].value == pytest.approx(float(wanted), rel=1e-5) and rows[0].n == 5
    assert rows[0].low < rows[0].value < rows[0].high


def test_no_hook_outlives_its_use():
    net = nn.Linear(2, 2)
    preactivation_variance([net], net, [torch.zeros(1, 2)])
    assert not net._forward_hooks
