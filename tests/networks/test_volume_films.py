"""Volumes in memory: those of the collection in the network's range, whatever the order they are asked in."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.networks.volume_films import VolumeFilms
from engine.preprocessing import Preprocessing


class Volumes(SimpleNamespace):
    name, dimensions, single_slices = "volumes", 3, False

    def image(self, index):
        return np.random.default_rng(index).uniform(0, 100, (5, 24, 30)).astype(np.float32)


def test_a_batch_holds_the_volumes_asked_for_in_that_order():
    prep = Preprocessing(16, fixed=(0.0, 100.0))
    films = VolumeFilms(Volumes(), prep, 3)
    batch = films.batch([4, 1, 4])
    assert batch.shape == (3, 3, 16, 16) and bool((batch[0] == batch[2]).all())
    for k, index in enumerate((4, 1)):
        wanted = prep.apply_volume(Volumes().image(index), 3)
        assert np.abs(batch[k].numpy() - wanted).max() <= 0.5 * prep.value_range / 127 + 1e-6


def test_pictures_are_refused():
    with pytest.raises(ValueError, match="volumes are needed"):
        VolumeFilms(SimpleNamespace(name="films", dimensions=2), Preprocessing(16), 3)
