"""Each picture of a collection is read once, prepared, and kept in steps too small to see."""

import numpy as np
import pytest

from engine.datasets.collection import Collection
from engine.networks.films import Films
from engine.preprocessing import Preprocessing


class Album(Collection):
    """Thirty random pictures that count how often each is read."""

    name, findings = "album", ("Edema",)

    def __init__(self):
        self.pictures = np.random.default_rng(0).integers(0, 4096, (30, 40, 50)).astype(np.float32)
        self.labels = np.zeros((30, 1), np.float32)
        self.patients = np.arange(30).astype(str)
        self.attributes = {}
        self.read = np.zeros(30, int)

    def image(self, index, size=None):
        self.read[index] += 1
        return self.pictures[index]

    def split(self, name):
        return np.arange(30)


@pytest.fixture
def films():
    return Films(Album(), Preprocessing(16))


@pytest.mark.parametrize("indices", [[3], [7, 1, 7], range(30), np.array([29, 0])])
def test_a_batch_is_the_prepared_pictures_in_the_order_asked_for(films, indices):
    batch = films.batch(list(indices))
    assert batch.shape == (len(indices), 1, 16, 16) and str(batch.dtype) == "torch.float32"
    step = 2 * 0.9 / 254
    for one, index in zip(batch[:, 0].numpy(), indices):
        prepared = films.preprocessing.apply(films.collection.pictures[index])
        assert np.abs(one - prepared).max() <= step / 2 + 1e-6
        assert np.abs(one).max() <= 0.9 + 1e-6


def test_every_picture_is_read_once(films):
    for _ in range(3):
        films.batch(range(30))
        films.batch([4, 4, 5])
    assert (films.collection.read == 1).all()


def test_a_picture_is_the_same_whoever_asks_first(films):
    other = Films(Album(), Preprocessing(16), threads=1)
    alone = [other.batch([index])[0] for index in range(30)]
    together = films.batch(range(30))
    assert all((one == two).all() for one, two in zip(alone, together))
