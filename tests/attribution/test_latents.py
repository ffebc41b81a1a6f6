"""The autoencoder of a collection's films: it learns to say them, and is found again."""

import cv2
import torch

from engine.attribution.latents import Preset, trained, typical_size
from engine.networks.films import Films
from engine.preprocessing import Preprocessing
from engine.training.loop import Machine
from tests.classifiers.test_resnet50 import Halves

SHORT = Preset(width=4, latent=2, steps=60, validate_every=30, batch=8, learning_rate=5e-3)


class Smooth(Halves):
    """Films without grain, of which a coarse grid says nearly all."""

    def image(self, index, size=None):
        return cv2.GaussianBlur(super().image(index, size), (0, 0), 4)


def test_it_says_films_better_than_one_grey_and_is_found_again(tmp_path):
    collection = Smooth()
    films = Films(collection, Preprocessing(32))
    assert trained(collection, films, SHORT, tmp_path, Machine("cpu"), 1, train=False) is None
    net = trained(collection, films, SHORT, tmp_path, Machine("cpu"), 1, train=True)
    x = films.batch(collection.split("test"))
    with torch.no_grad():
        wrong = (net(x) - x).abs().mean()
    assert wrong < 0.7 * (x.mean() - x).abs().mean()
    again = trained(collection, films, SHORT, tmp_path, Machine("cpu"), 1, train=False)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values()))


def test_the_typical_size_is_the_root_mean_square_and_never_nothing():
    z = torch.stack([torch.full((2, 3, 3), 2.0), torch.zeros(2, 3, 3)])
    assert torch.allclose(typical_size(z).flatten(), torch.tensor([2.0, 1e-6]))
