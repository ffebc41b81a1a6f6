"""Maps that a classifier's are compared with: each finds a bright square that decides the answer, and is measured like
CX-GAN's own.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from engine.attribution import cam as cams
from engine.attribution import cxplain as explaining
from engine.attribution import maps
from engine.attribution.cam import Architecture, Classifier, cam
from engine.attribution.cxplain import PATCHES, cxplain, explainer, importance
from engine.attribution.grad_cam import grad_cam
from engine.attribution.intensity import Intensity
from engine.reproduce.tables import MAPS
from engine.training.loop import Machine
from tests.methods.map_translation.small import pictures

SIDE = 56


@pytest.fixture
def bright():
    """A classifier that answers by nothing but how much bright there is."""
    net = Classifier(Architecture(size=SIDE, width=4, levels=1))
    mean = nn.Conv2d(1, 1, 3, 1, 1)
    nn.init.constant_(mean.weight, 1 / 9)
    nn.init.zeros_(mean.bias)
    net.features, net.weigh = nn.Sequential(mean, nn.ReLU()), nn.Linear(1, 1)
    nn.init.constant_(net.weigh.weight, 60.0)
    nn.init.constant_(net.weigh.bias, -1.0)
    return net.eval().requires_grad_(False)


def squares(count, seed=0):
    """(count, 1, SIDE, SIDE) with one bright patch each, and where it is, (count,) as the number of a patch."""
    where = np.random.default_rng(seed).integers(0, PATCHES**2, count)
    x, wide = torch.full((count, 1, SIDE, SIDE), -0.2), SIDE // PATCHES
    for n, (i, j) in enumerate(np.column_stack(np.unravel_index(where, (PATCHES, PATCHES)))):
        x[n, 0, wide * i : wide * (i + 1), wide * j : wide * (j + 1)] = 0.9
    return x, where


def strongest(drawn):
    """The patch of the strongest pixel of each map."""
    rows, columns = np.unravel_index(drawn.reshape(len(drawn), -1).argmax(1), drawn.shape[1:])
    return rows // (SIDE // PATCHES) * PATCHES + columns // (SIDE // PATCHES)


@pytest.mark.parametrize("draw", [cam, grad_cam], ids=["CAM", "Grad-CAM"])
def test_a_classifier_s_map_lies_where_its_answer_comes_from(draw, bright):
    x, where = squares(6)
    drawn = draw(bright, x)
    assert drawn.shape == (6, SIDE, SIDE) and drawn.min() >= 0
    assert np.array_equal(strongest(drawn), where)
    inside = x[:, 0].numpy() > 0
    assert drawn[inside].sum() > 0.6 * drawn.sum()


def test_hiding_what_decides_matters_most_and_hiding_nothing_matters_alike(bright):
    x, where = squares(4)
    shares = importance(bright, x)
    assert torch.allclose(shares.sum(1), torch.ones(4)) and np.array_equal(shares.argmax(1).numpy(), where)
    flat = importance(bright, torch.zeros(1, 1, SIDE, SIDE))
    assert torch.allclose(flat, torch.full_like(flat, 1 / PATCHES**2), atol=1e-6)


def test_a_second_network_learns_to_say_what_decides(bright, monkeypatch):
    monkeypatch.setattr(explaining, "STEPS", 50)
    net = explainer(bright, lambda step: squares(4, seed=step)[0], seed=1)
    x, where = squares(12, seed=10_000)
    off = [
        np.abs(np.subtract(divmod(said, PATCHES), divmod(true, PATCHES))).max()
        for said, true in zip(strongest(cxplain(net, x)), where)
    ]
    assert np.mean(np.array(off) <= 1) >= 0.75  # that patch or its neighbour, of 196


@pytest.mark.parametrize("side", [1, -1], ids=["brighter", "darker"])
def test_plain_intensity_learns_on_which_side_the_abnormal_lies(side):
    draw = np.random.default_rng(0)
    normal, abnormal = (draw.normal(0, 0.1, (20, 16, 16)) for _ in range(2))
    abnormal[:, 4:8, 4:8] += 0.8 * side
    learned = Intensity(normal, abnormal)
    drawn = learned(np.array([[[0.8, 0.0, -0.8]]], np.float32))[0, 0]
    assert (drawn[1 - side] > 0.7) and drawn[1 + side] == 0


def test_all_of_them_are_measured_as_the_maps_of_a_method_are(tmp_path, monkeypatch):
    short = replace(
        cams.PRESETS["demo"], architecture=Architecture(width=4, levels=2), steps=2, validate_every=1, pairs=2
    )
    monkeypatch.setitem(cams.PRESETS, "demo", short)
    monkeypatch.setattr(explaining, "STEPS", 2)
    arguments = (pictures(), 32, "demo", tmp_path / "cam", Machine("cpu"), 1)
    assert maps.measured(*arguments, train=False) is None
    rows = maps.measured(*arguments, train=True)
    assert set(rows) == set(MAPS)
    for found in rows.values():
        assert {"iou", "dice", "ncc"} == {row.metric for row in found}
        assert {"Lesion, fixed", "Lesion, otsu", "Lesion, area-matched"} == {
            row.subject for row in found if row.metric == "iou"
        }
    again = maps.measured(*arguments, train=False)
    assert [row.value for row in again["CXPlain"]] == [row.value for row in rows["CXPlain"]]
