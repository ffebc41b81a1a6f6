"""Real chests: lungs are found, tumours are kept off, noise is measured."""

import numpy as np
import pytest

from engine.datasets.chest_cts import KEEP_OFF_MM, SOURCES, chest
from engine.datasets.collection import UnusableCollection
from tests.datasets.lidc_small import write_chests


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("chests")
    write_chests(root)
    return root


def test_both_lungs_are_found_with_their_vessels(root):
    found = chest(SOURCES[0], root)
    assert found.hu.shape == found.lung.shape and found.thickness_mm == 10.0  # averaged in pairs
    assert found.lung[:, 40, 40].all() and found.lung[:, 40, 140].all() and found.lung[:, 62, 43].all()
    assert not found.lung[:, 60, 90].any() and not found.lung[:, 2, 2].any()


def test_no_nodule_may_lie_near_a_tumour(root):
    found = chest(SOURCES[1], root)
    assert not found.lung[6, 25:40, 25:40].any() and found.lung[6, 33, 36 + int(KEEP_OFF_MM) + 3]
    assert found.lung[0, 33, 33]  # 30 mm below


def test_noise_is_measured_in_soft_tissue(root):
    found = chest(SOURCES[2], root)
    assert found.noise_hu == pytest.approx(8, rel=0.25) and found.noise_reach_mm < 0.45  # white noise


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(UnusableCollection, match="pyradiomics-3.0.1"):
        chest(SOURCES[1], tmp_path)


def test_soft_tissue_that_differs_is_no_noise(root):
    assert np.isfinite(chest(SOURCES[0], root).noise_hu)
