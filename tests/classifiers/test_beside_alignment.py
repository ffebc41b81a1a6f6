"""The classifiers beside causal alignment: each learns as its paper says, and all are measured alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.classifiers.bagnet import BagNet
from engine.classifiers.beside_alignment import ORACLE, RECIPES, measured
from engine.classifiers.counterfactual_augmentation import filled_region, other_background
from engine.classifiers.input_gradients import input_gradient_penalty
from engine.classifiers.interpretable_cnn import InterpretableNetwork, filter_loss, templates
from engine.classifiers.oracle import RegionOnly
from engine.datasets import open_collection
from engine.methods.causal_alignment.network import Architecture
from engine.preprocessing import Preprocessing
from engine.reproduce import alignment
from engine.training.loop import Machine
from tests.methods.causal_alignment.test_train import OPTIONS, SMALL, write_folder


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return open_collection("busi", write_folder(tmp_path_factory.mktemp("busi"), each=40), **OPTIONS)


@pytest.mark.parametrize("name", RECIPES)
def test_each_makes_a_step_whose_losses_reach_all_weights(name, frames):
    recipe = RECIPES[name][1](frames, SMALL, 0)
    batch = recipe.pictures.batch(recipe.draw("batch", 0), 8, SMALL.augmentation, False)
    losses, _ = recipe.losses(batch, 0)
    sum(losses.values()).backward()
    assert "diagnosis" in losses and all(loss.isfinite() for loss in losses.values())
    unreached = [n for n, p in recipe.net.named_parameters() if p.grad is None]
    assert not unreached


@pytest.mark.parametrize("name", RECIPES)
def test_each_learns_what_it_is_shown(name, frames, tmp_path):
    recipe = RECIPES[name][1](frames, replace(SMALL, learning_rate=1e-2), 0)
    fabric = Machine("cpu").fabric(tmp_path)
    losses = [recipe.step(step, fabric)["diagnosis"] for step in range(40)]
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


def test_all_are_measured_alike_and_finished_ones_are_not_trained_again(frames, tmp_path, monkeypatch):
    names = (ORACLE, "Brendel and Bethge, BagNet")
    machine = Machine("cpu")
    assert measured(names, frames, SMALL, tmp_path, machine, 0, train=False) == {}
    rows = measured(names, frames, SMALL, tmp_path, machine, 0, train=True)
    monkeypatch.setattr("engine.training.loop.run", lambda *_, **__: pytest.fail("trained again"))
    assert measured(names, frames, SMALL, tmp_path, machine, 0, train=True) == rows
    assert measured(names, frames, replace(SMALL, batch=6), tmp_path, machine, 0, train=False) == {}
    for name in names:
        assert {row.metric for row in rows[name]} >= {"auc", "accuracy", "cam_precision", "effect"}


def test_the_input_gradient_penalty_is_worked_out_by_hand():
    x = torch.tensor([[[[1.0, 2.0]]]]).requires_grad_()
    odds = (x * torch.tensor([3.0, 5.0])).sum((1, 2, 3))  # slope of log p + log (1 - p): 1 - 2 p
    p = torch.sigmoid(odds.detach())
    found = input_gradient_penalty(odds, x, torch.tensor([[[[1.0, 0.0]]]]))
    assert float(found.detach()) == pytest.approx(float(((1 - 2 * p) * 5) ** 2))


def test_a_patch_of_a_bagnet_sees_15_pixels():
    torch.manual_seed(0)
    net, x = BagNet(Architecture(size=64, width=4)).double(), torch.rand(1, 1, 64, 64, dtype=torch.float64)
    changed = x.clone()
    changed[..., 32, 32] += 1
    moved = (net.features(changed) - net.features(x)).abs().amax(1)[0] > 0
    rows, columns = np.nonzero(moved.numpy())
    assert 0 < np.ptp(rows) + 1 <= 4 and np.ptp(columns) + 1 <= 4  # patches that are 4 pixels apart


def test_a_filter_that_answers_at_one_place_in_some_pictures_has_the_lower_filter_loss():
    patterns = templates(6)
    assert patterns.shape == (37, 6, 6) and (patterns[:-1].flatten(1).max(1).values == 1).all()
    everywhere, at_one_place = torch.full((4, 1, 6, 6), 5.0), torch.zeros(4, 1, 6, 6)
    at_one_place[:2, :, 2, 3] = 500.0
    assert float(filter_loss(at_one_place, patterns)) < float(filter_loss(everywhere, patterns)) - 1e-3
    net = InterpretableNetwork(Architecture(size=32, width=4))
    assert net.features(torch.rand(2, 1, 32, 32)).min() >= 0 and "templates" not in net.state_dict()


def test_pictures_are_made_factual_and_counterfactual():
    x, other = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    region = torch.zeros(2, 1, 4, 4)
    region[..., :2, :2] = 1
    inside, mixed, filled = region.bool(), other_background(x, region, other), filled_region(x, region)
    assert torch.equal(mixed[inside], x[inside]) and torch.equal(mixed[~inside], other[~inside])
    assert torch.equal(filled[~inside], x[~inside])
    assert torch.allclose(filled[0][inside[0]], x[0][~inside[0]].mean().expand(4))


def test_the_oracle_sees_no_symbol(frames):
    pictures, test = RegionOnly(frames, Preprocessing(32)), frames.split("test")
    one, other = (pictures.under(test, value) for value in frames.symbols.values)
    assert np.abs(one - other).max() < 0.2  # no more than the mean grey of the surroundings
    outside = ~pictures.regions(test)
    assert all(np.unique(picture[where]).size == 1 for picture, where in zip(one, outside))


def test_the_table_asks_for_what_is_measured():
    assert {*alignment.BASELINES} == {*RECIPES} and alignment.ORACLE == ORACLE
    seeds = [training.seed for training in alignment.MODELS.values()]
    assert seeds == [42, 43, 44, 42, 42]
