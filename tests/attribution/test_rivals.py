"""Attribution methods: each finds what decides the answer of a classifier that is known by hand, whichever pictures are
explained together; a counterfactual turns the answer, both ways.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import IntegratedGradients
from pytorch_grad_cam import GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from engine.attribution.grad_cam_plus_plus import GradCAMPlusPlusRival
from engine.attribution.integrated_gradients import IntegratedGradientsRival
from engine.attribution.rivals import BlackBox, RivalExplainer, rivals
from engine.attribution.segments import pieces
from engine.metrics.measure import NotMeasurable
from engine.networks.autoencoder import Autoencoder
from engine.preprocessing import Preprocessing

SIDE = 32
METHODS = rivals()
EXPECTED = (
    "grad_cam grad_cam_plus_plus guided_backpropagation integrated_gradients latent_gradient latent_shift lime "
    "score_cam shap"
)


class Bright(nn.Module):
    """Two findings: something bright on the left, something bright on the right."""

    def __init__(self):
        super().__init__()
        conv = nn.Conv2d(1, 2, 3, 1, 1)
        nn.init.constant_(conv.weight, 1 / 9)
        nn.init.constant_(conv.bias, -0.2)
        self.features = nn.Sequential(conv, nn.ReLU())
        self.sides = torch.zeros(2, SIDE, SIDE)
        self.sides[0, :, : SIDE // 2] = self.sides[1, :, SIDE // 2 :] = 1
        self.weigh = nn.Linear(2, 2)
        self.weigh.weight.data, self.weigh.bias.data = 80 * torch.eye(2), torch.full((2,), -1.5)

    def forward(self, x):
        return self.weigh((self.features(x) * self.sides).mean(dim=(2, 3)))


class Coarse(Autoencoder):
    """Keeps of a picture what a grid a quarter as fine holds."""

    def encode(self, x):
        return F.avg_pool2d(x, 4)

    def decode(self, z):
        return F.interpolate(z, scale_factor=4, mode="nearest")


@pytest.fixture
def box():
    net = Bright().eval().requires_grad_(False)
    return BlackBox(net, Coarse(1, 1).eval(), ("Left", "Right"), np.array([0.5, 0.5]), Preprocessing(SIDE))


def pictures(n=3):
    """(n, SIDE, SIDE) with a bright square on either side; where each is, (n, 2, SIDE, SIDE)."""
    x = np.random.default_rng(0).uniform(-0.3, -0.1, (n, SIDE, SIDE)).astype(np.float32)
    where = np.zeros((n, 2, SIDE, SIDE), bool)
    for k in range(n):
        where[k, 0, 4 + 4 * k : 12 + 4 * k, 4:12] = where[k, 1, 16 - 4 * k : 24 - 4 * k, 20:28] = True
    x[where.any(axis=1)] += 1.0
    return x, where


def test_a_method_joins_by_its_file():
    assert {*EXPECTED.split()} <= {*METHODS}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_one_file_and_says_whose_it_is(name):
    method = METHODS[name]
    assert (Path(__file__).parents[2] / "engine" / "attribution" / f"{name}.py").is_file()
    assert method.name == name and method.title and method.paper[-4:].isdigit()


@pytest.mark.parametrize("name", METHODS)
def test_a_map_lies_where_the_answer_comes_from(name, box):
    x, where = pictures()
    found = RivalExplainer(METHODS[name], box).explain(x, 1)
    assert found.maps.shape == x.shape and np.isfinite(found.maps).all()
    for evidence, squares in zip(found.maps, where):
        inside = np.clip(evidence, 0, None)
        assert squares.any(axis=0).ravel()[inside.argmax()], "the strongest point lies in a square"
        # without places in its features, a map from the last features cannot tell one square from the other
        of_features = METHODS[name].name in ("grad_cam_plus_plus", "score_cam")
        share = inside[squares.any(axis=0) if of_features else squares[1]].sum() / inside.sum()
        assert share > (0.5 if of_features else 0.4), f"{share:.2f}"


@pytest.mark.parametrize("name", METHODS)
def test_a_picture_is_explained_the_same_alone_and_among_others(name, box):
    x, _ = pictures()
    explainer = RivalExplainer(METHODS[name], box)
    together, alone = explainer.explain(x, 0).maps[2], explainer.explain(x[2:], 0).maps[0]
    assert np.allclose(together, alone, atol=1e-3 * max(np.abs(alone).max(), 1e-6))
    assert not any(module._forward_hooks for module in box.classifier.modules()), "no hook outlives its use"


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.counterfactuals])
def test_a_counterfactual_turns_the_answer_and_back(name, box):
    x, _ = pictures()
    explainer = RivalExplainer(METHODS[name], box)
    assert (explainer.predict(x) > 0.5).all()
    without = explainer.explain(x, 0).counterfactuals
    assert (explainer.predict(without)[:, 0] < 0.5).all() and (explainer.predict(without)[:, 1] > 0.5).all()
    assert np.abs(without - x)[:, :, SIDE // 2 + 2 :].max() < 0.05, "the other side is left alone"
    again = explainer.explain(without, 0, present=True).counterfactuals
    assert (explainer.predict(again)[:, 0] > 0.5).all()


def test_what_makes_no_counterfactuals_says_so_and_what_needs_an_autoencoder_asks_for_it(box):
    x, _ = pictures(1)
    explainer = RivalExplainer(METHODS["lime"], box)
    assert explainer.explain(x, 0).counterfactuals is None
    with pytest.raises(NotMeasurable, match="no counterfactuals"):
        explainer.explain(x, 0, present=True)
    bare = BlackBox(box.classifier, None, box.findings, box.thresholds, box.preparation)
    with pytest.raises(NotMeasurable, match="needs an autoencoder"):
        RivalExplainer(METHODS["latent_shift"], bare)


def test_integrated_gradients_add_up_to_the_answer(box):
    x = torch.from_numpy(pictures()[0])[:, None]
    found = IntegratedGradientsRival().maps(box, x, 0)
    grey = x.mean(dim=(1, 2, 3), keepdim=True).expand_as(x)
    gained = box.classifier(x)[:, 0] - box.classifier(grey)[:, 0]
    assert torch.allclose(found.sum(dim=(1, 2)), gained, rtol=0.05)
    assert torch.allclose(IntegratedGradients(box.classifier).attribute(x, grey, target=0, n_steps=32)[:, 0], found)


def test_grad_cam_plus_plus_is_the_librarys_without_its_scaling(box):
    x = torch.from_numpy(pictures()[0])[:, None]
    ours = GradCAMPlusPlusRival().maps(box, x, 0).numpy()
    with GradCAMPlusPlus(box.classifier, [box.classifier.features[-1]]) as library:
        theirs = library(x.clone().requires_grad_(), [ClassifierOutputTarget(0)] * len(x))
    scaled = (ours - ours.min(axis=(1, 2), keepdims=True)) / np.ptp(ours, axis=(1, 2), keepdims=True)
    assert np.allclose(scaled, theirs, atol=1e-3)


def test_shuffled_weights_answer_otherwise(box):
    x, _ = pictures()
    box.classifier.features[0].weight.data[:] = torch.linspace(-1, 1, 18).view(2, 1, 3, 3)
    explainer = RivalExplainer(METHODS["integrated_gradients"], box)
    assert not np.allclose(explainer.randomised(0).explain(x, 0).maps, explainer.explain(x, 0).maps)


def test_pieces_cover_a_picture_without_gaps():
    found = pieces(pictures(1)[0][0])
    assert found.shape == (SIDE, SIDE) and set(np.unique(found)) == set(range(found.max() + 1)) and found.max() > 5
