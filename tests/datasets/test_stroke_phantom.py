"""Implanted strokes: in their territory, subtle, and with the same head without them; on an ellipsoid in
the atlas's place.
"""

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from engine.datasets import head_ct, stroke_phantom
from engine.datasets.head_ct import Grid, Patient, atlas
from engine.datasets.stroke_phantom import SIZES, TERRITORIES, VOLUMES_ML, case, draw_lesion, rendered, territories

SMALL = Grid(slices=5, size=64, pixel=3.2, spacing=20.0)


def write_atlas(folder):
    """An egg of 32 HU that has two ventricles, where the atlas is looked for."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (150, 190, 160)), indexing="ij")
    hu = np.where(x**2 + y**2 + z**2 < 0.9, 32.0, 0.0)
    hu[((np.abs(x) - 0.12) / 0.06) ** 2 + (y / 0.25) ** 2 + ((z - 0.15) / 0.15) ** 2 < 1] = 8.0
    nibabel.save(nibabel.Nifti1Image(hu.astype(np.float32), np.eye(4)), folder / "ct_brain_atlas_1mm.nii.gz")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with the egg of `write_atlas`."""
    folder = tmp_path_factory.mktemp("atlas")
    write_atlas(folder)
    yield folder
    for cached in (atlas, territories, stroke_phantom._tissue):
        cached.cache_clear()


def test_every_territory_lies_on_its_side_of_the_brain(root):
    labels, x = territories(root), atlas(root).coordinates[0]
    for place, name in enumerate(TERRITORIES):
        there = labels == place + 1
        assert there.sum() > 1000, name
        assert (np.broadcast_to(x, labels.shape)[there] < 0).all() == name.startswith("left")
    assert not labels[~atlas(root).brain].any()


@pytest.mark.parametrize("size", range(4))
def test_a_lesion_has_its_volume_and_stays_in_its_territory(root, size):
    lesion = draw_lesion(np.random.default_rng(size), 0, size, root)
    assert 0.7 * VOLUMES_ML[size][0] < lesion.volume_ml < 1.2 * VOLUMES_ML[size][1]
    middle = ndimage.center_of_mass(lesion.amount)
    assert atlas(root).coordinates[0].ravel()[int(middle[0] * stroke_phantom.STEP)] < 0 and lesion.side == "left"


def test_the_counterfactual_differs_where_the_lesion_is_and_hardly_elsewhere(root):
    patient = Patient.draw(3)
    lesion = draw_lesion(np.random.default_rng(0), 3, SIZES.index("medium"), root)
    found = rendered(patient, (lesion,), SMALL, root)
    change = found.hu - found.healthy
    assert found.mask.any() and -12 < change[found.mask].mean() < -3
    near = ndimage.binary_dilation(found.mask, iterations=4)
    assert np.abs(change[~near]).mean() < 0.5


def test_a_healthy_head_is_its_own_counterfactual(root):
    found = case(0, 4, SMALL, root, present=False)
    assert (
        np.array_equal(found.hu, found.healthy)
        and not found.mask.any()
        and found.side == "none"
        and found.lesions == ()
    )


def test_seeds_give_the_same_patient_and_others_another(root):
    one, again, other = case(1, 5, SMALL, root), case(1, 5, SMALL, root), case(2, 5, SMALL, root)
    assert np.array_equal(one.hu, again.hu) and not np.array_equal(one.hu, other.hu)


def test_a_scan_holds_air_bone_and_brain_in_hounsfield_units(root):
    hu = case(0, 0, SMALL, root).hu
    assert hu.dtype == np.float32 and hu.shape == (5, 64, 64) and np.array_equal(hu, np.round(hu))
    assert hu[:, 0, 0].max() < -900 and hu.max() > 500 and 20 < np.median(hu[2, 24:40, 24:40]) < 40


def test_half_of_the_patients_have_a_stroke(root):
    grid = Grid(slices=1, size=16, pixel=12.0)
    sides = [case(7, index, grid, root).side for index in range(30)]
    assert 7 <= sum(side != "none" for side in sides) <= 23


def test_columns_run_to_the_patients_left_and_rows_to_the_back():
    points = head_ct.Grid(slices=2, size=8).points()
    assert points[0, 0, 0, 0, 0] > points[0, 0, 0, 0, -1] and points[1, 0, 0, 0, 0] > points[1, 0, 0, -1, 0]
    assert points[2, 1, 0, 0, 0] > points[2, 0, 0, 0, 0]
