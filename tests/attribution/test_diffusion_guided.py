"""Guided diffusion: the answer moves towards what is asked for, the same each time, and what is said already stays."""

import numpy as np
import pytest
import torch

from engine.attribution import diffusion_guided
from engine.attribution.diffusion_guided import DiffusionGuidedRival
from engine.attribution.rivals import BlackBox, RivalExplainer
from engine.methods.cit_lr.produce import tiny
from engine.networks.autoencoder import Autoencoder
from engine.registry import open_generator


class Brightness(torch.nn.Module):
    """One finding: how bright the whole picture is."""

    def forward(self, x):
        return 20 * x.mean(dim=(1, 2, 3))[:, None]


@pytest.fixture(scope="module")
def explainer(tmp_path_factory):
    generator = open_generator(tiny(tmp_path_factory.mktemp("generator") / "tiny"), "cpu")
    box = BlackBox(Brightness(), Autoencoder(1, 1), ("Bright",), np.array([0.5]), generator.preprocessing)
    return RivalExplainer(DiffusionGuidedRival(generator), box)


def pictures(explainer):
    shape = (2, explainer.side, explainer.side)
    return np.random.default_rng(0).uniform(-0.3, 0.5, shape).astype(np.float32)


def test_the_answer_moves_towards_what_is_asked_for(explainer, monkeypatch):
    monkeypatch.setattr(diffusion_guided, "MASK", 0.0)  # a network that learned nothing changes everything a little
    x = pictures(explainer)
    less, more = (explainer.explain(x, 0, present=present).counterfactuals for present in (False, True))
    before = explainer.predict(x)
    assert (explainer.predict(less) < before).all() and (explainer.predict(more) > explainer.predict(less)).all()
    assert np.array_equal(less, explainer.explain(x, 0).counterfactuals), "the same each time"


def test_a_mask_that_nothing_passes_leaves_the_picture(explainer, monkeypatch):
    monkeypatch.setattr(diffusion_guided, "MASK", 1e6)
    x = pictures(explainer)
    assert np.allclose(explainer.explain(x, 0).counterfactuals, x, atol=1e-3)
