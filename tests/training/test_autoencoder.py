"""An autoencoder of any make learns the pictures of a collection, and goes on where it was stopped."""

import torch
from torch import nn

from engine.networks.films import Films
from engine.preprocessing import Preprocessing
from engine.training.autoencoder import AutoencoderRecipe, Preset
from engine.training.loop import Machine, best_weights, run
from tests.classifiers.test_resnet50 import Halves


class Shrunk(nn.Module):
    """Pictures through one convolution each way."""

    def __init__(self, width, latent):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, latent, 4, 4), nn.ConvTranspose2d(latent, 1, 4, 4))

    def forward(self, x):
        return self.body(x)


def test_what_is_made_is_trained_and_a_resumed_training_is_the_same(tmp_path):
    collection, preset = Halves(), Preset(width=1, latent=2, steps=4, validate_every=2, batch=4)
    films = Films(collection, Preprocessing(32))

    def recipe(steps=4):
        made = AutoencoderRecipe(collection, films, preset, 3, Shrunk)
        made.steps = steps
        return made

    fabric = Machine("cpu").fabric(tmp_path)
    run(recipe(), tmp_path / "whole", fabric)
    half = recipe()
    half.before = half.step

    def stopping(step, fabric):
        if step == 2:
            raise KeyboardInterrupt
        return half.before(step, fabric)

    half.step = stopping
    try:
        run(half, tmp_path / "halves", fabric, save_every_s=0)
    except KeyboardInterrupt:
        pass
    run(recipe(), tmp_path / "halves", fabric, resume=True)
    whole, halves = best_weights(tmp_path / "whole"), best_weights(tmp_path / "halves")
    assert {*whole} == {"body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"}
    assert all(torch.allclose(whole[name], halves[name], atol=1e-6) for name in whole)
