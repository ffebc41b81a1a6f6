"""ROAD: the value of pytorch-grad-cam's ROADCombined, and imputed pixels that follow their surroundings."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import ROADCombined
from torch import nn

from engine.metrics.measure import NotMeasurable
from engine.metrics.road import imputed, road

SIDE = 24


class Bright(nn.Module):
    """One score: how bright the upper left corner is."""

    def forward(self, x):
        return torch.sigmoid(8 * x[:, :, :8, :8].mean(dim=(1, 2, 3)) - 4)[:, None]


def pictures(n=3, seed=0):
    random = np.random.default_rng(seed)
    x = random.uniform(0, 0.3, (n, SIDE, SIDE)).astype(np.float32)
    x[:, :8, :8] += 0.6
    maps = random.uniform(0, 0.5, x.shape).astype(np.float32)
    maps[:, :8, :8] += 0.5
    return x, maps


def test_it_is_the_roadcombined_of_pytorch_grad_cam():
    x, maps = pictures()
    model = Bright()
    ours = road(x, maps, lambda some: model(torch.from_numpy(some)[:, None])[:, 0].numpy())
    theirs = ROADCombined(percentiles=[20, 40, 60, 80])(
        torch.from_numpy(x)[:, None], maps, [lambda out: out[0]] * len(x), model
    )
    assert ours.value == pytest.approx(float(np.mean(theirs)), abs=0.004)  # their noise has no seed
    assert ours.value > 0.1 and ours.chance == 0


def test_a_map_turned_round_has_the_opposite_sign():
    x, maps = pictures()
    predict = lambda some: Bright()(torch.from_numpy(some)[:, None])[:, 0].numpy()
    assert road(x, -maps, predict).value == pytest.approx(-road(x, maps, predict).value, abs=0.004)


def test_what_is_missing_is_taken_from_around_it():
    slope = np.linspace(0, 1, SIDE, dtype=np.float32)[None].repeat(SIDE, 0)
    kept = np.ones_like(slope, bool)
    kept[5:15, 5:15] = False
    assert np.abs(imputed(slope, kept) - slope).max() < 0.05
    assert np.array_equal(imputed(slope, kept), imputed(slope, kept))


def test_no_picture_is_said():
    with pytest.raises(NotMeasurable):
        road(np.empty((0, 4, 4)), np.empty((0, 4, 4)), lambda x: x)
