"""Energy at the strides' frequencies: 1 for maps without fingerprint, far above for a checkerboard, whatever the films
are like.
"""

import cv2
import numpy as np
import pytest
import torch

from engine.metrics.measure import NotMeasurable
from engine.metrics.stride_energy import stride_energy
from engine.networks.enlarging import ResizeConvolution


def smooth(count=24, side=96, sigma=5.0, seed=0):
    noise = np.random.default_rng(seed).normal(size=(count, side, side)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(n, (0, 0), sigma) + 0.02 * n for n in noise])


@pytest.mark.parametrize("sigma", [0.1, 1.5, 5.0, 12.0])
def test_a_map_without_grid_scores_one(sigma):
    row = stride_energy(smooth(sigma=sigma), smooth(seed=1))
    assert row.value == pytest.approx(1, abs=0.25) and row.low < row.value < row.high and row.chance == 1


@pytest.mark.parametrize("period", [2, 4])
def test_a_checkerboard_is_seen(period):
    maps = smooth()
    rows, columns = np.mgrid[:96, :96]
    grid = 1 + 0.8 * ((rows % period == 0) & (columns % period == 0))
    assert stride_energy(maps * grid, smooth(seed=1)).value > 1.8


def test_what_the_films_have_themselves_is_no_fault_of_the_map():
    rows, columns = np.mgrid[:96, :96]
    grid = 1 + 0.3 * ((rows % 2 == 0) & (columns % 2 == 0))
    assert stride_energy(smooth() * grid, smooth(seed=1) * grid).value == pytest.approx(1, abs=0.3)


def test_a_transposed_convolution_leaves_a_grid_and_a_resized_one_none():
    torch.manual_seed(0)
    hidden = torch.from_numpy(smooth(96, 48).reshape(24, 4, 48, 48)).float()
    transposed, resized = torch.nn.ConvTranspose2d(4, 1, 4, 2, 1, bias=False), ResizeConvolution(4, 1)
    films = smooth(seed=1)
    with torch.no_grad():
        marked, clean = (stride_energy(layer(hidden)[:, 0].numpy(), films).value for layer in (transposed, resized))
    assert marked > 3
    assert clean < 1.2


def test_what_cannot_be_measured_says_so():
    with pytest.raises(NotMeasurable, match="no map"):
        stride_energy([], [])
    with pytest.raises(NotMeasurable, match="too small"):
        stride_energy(np.ones((2, 16, 16)), np.ones((2, 16, 16)))
    with pytest.raises(NotMeasurable, match="no power"):
        stride_energy(np.zeros((2, 96, 96)), smooth(2))
