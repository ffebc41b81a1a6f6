"""Pneumonia drawn into real chests: half of the patients, true counterfactuals, and nothing else changed."""

import numpy as np
import pytest

from engine.datasets.lung_phantom import CHESTS, SIZES, LungPhantom, part_of
from tests.datasets.lidc_small import write_chests


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("lung")
    write_chests(root)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTHERWISE_CACHE", str(root / "cache"))
        yield LungPhantom(60, size=64, slices=6, root=root)


def test_a_patient_depends_on_the_seed_and_the_index_alone(phantom):
    fewer, other = (LungPhantom(8, seed=seed, size=64, slices=6, root=phantom._root) for seed in (1, 2))
    assert np.array_equal(fewer.image(3), phantom.image(3)) and not np.array_equal(other.image(3), phantom.image(3))
    assert np.array_equal(fewer.labels, phantom.labels[:8])


def test_nothing_but_the_opacities_differs_from_the_true_counterfactual(phantom):
    for index in np.flatnonzero(phantom.labels[:, 0])[:6]:
        ill = phantom.image(int(index))
        healthy = phantom.counterfactual(int(index), without=("Pneumonia",))
        mask, lung = phantom.mask(int(index), "Pneumonia", 64), phantom.organ(int(index))
        change = ill - healthy
        assert change.min() >= -1 and (change[mask] > 50).all() and mask.any()  # whole HU
        assert (change > 1)[~lung].sum() <= 0.1 * (change > 1).sum()  # the soft edge of the lungs
        assert change[~mask].max(initial=0) <= 61


def test_a_healthy_patient_can_fall_ill_and_an_ill_one_stays_as_he_is_when_nothing_is_asked(phantom):
    healthy = int(np.flatnonzero(phantom.labels[:, 0] == 0)[0])
    with_ = phantom.counterfactual(healthy, with_=("Pneumonia",))
    assert (with_ - phantom.image(healthy)).max() > 60
    assert np.array_equal(phantom.counterfactual(healthy, without=("Pneumonia",)), phantom.image(healthy))
    assert phantom.mask(healthy, "Pneumonia", 64) is None
    with pytest.raises(ValueError, match="findings must be"):
        phantom.counterfactual(healthy, without="Pneumonia")


def test_test_patients_have_a_chest_that_nothing_learned_from(phantom):
    chests = phantom.attributes["chest"]
    assert set(chests[phantom.split("test")]) == {"lung2"}
    learned = np.concatenate([phantom.split("train"), phantom.split("validation")])
    assert set(chests[learned]) == set(CHESTS["train"])
    shares = [np.mean([part_of(5, i) == part for i in range(3000)]) for part in ("train", "validation", "test")]
    assert np.allclose(shares, (0.6, 0.1, 0.3), atol=0.03)


def test_larger_sizes_change_more(phantom):
    sizes, ill = phantom.attributes["lesion_size"], phantom.labels[:, 0] == 1
    assert set(sizes[ill]) <= set(SIZES) and set(sizes[~ill]) == {""}
    voxels = [
        np.mean([phantom.mask(int(i), "Pneumonia", 64).sum() for i in np.flatnonzero(sizes == size)])
        for size in (SIZES[0], SIZES[3])
    ]
    assert voxels[1] > 4 * voxels[0]


@pytest.mark.parametrize("options", [{"count": 0}, {"size": 8}, {"slices": 0}])
def test_sizes_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        LungPhantom(**{"count": 4, **options})
