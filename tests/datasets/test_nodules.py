"""A nodule looks as it was rated, and as large as it was outlined."""

import numpy as np
import pytest

from engine.datasets.lidc_annotations import RATINGS, Contour, Nodule, Reading
from engine.datasets.nodules import MARGIN_MM, STEP_MM, draw, middle_outline, middle_z, noise_like
from tests.datasets.lidc_small import BENIGN, disc

LUNG = -860.0


def nodule(radius=10.0, holes=(), **ratings):
    rated = dict.fromkeys(RATINGS, 3) | BENIGN | ratings
    contours = [Contour(z, disc(100, 100, radius).astype(np.float32), True) for z in (0.0, 2.0, 4.0)]
    contours += [Contour(2.0, disc(100, 100, r).astype(np.float32), False) for r in holes]
    return Nodule("p", "s", 0.7, 2.0, False, (Reading(rated, tuple(contours)),) * 2)


def in_lung(drawn):
    side = len(drawn.cover)
    return drawn.on(np.full((side, side), LUNG, np.float32), np.ones((side, side), np.float32), np.zeros((side, side)))


def drawn(seed=0, **given):
    return draw(nodule(**given), 2.0, np.random.default_rng(seed))


def profile(picture):
    """Mean HU by distance from the middle in mm."""
    y, x = np.indices(picture.shape) - (np.array(picture.shape) - 1)[:, None, None] / 2
    distance = np.hypot(y, x).astype(int)
    return np.bincount(distance.ravel(), picture.ravel()) / np.bincount(distance.ravel())


def test_the_outline_is_as_large_as_it_was_drawn():
    share = middle_outline(nodule(radius=10), 2.0)
    area = share.sum() * STEP_MM**2
    assert area == pytest.approx(np.pi * (9.5 * 0.7) ** 2, rel=0.06)  # contours run through the first pixels outside
    assert not share[: int(MARGIN_MM / STEP_MM) - 2].any()


def test_a_hole_is_no_nodule():
    assert middle_outline(nodule(radius=10, holes=(4,)), 0.5).max() == 1
    middle = middle_outline(nodule(radius=10, holes=(4,)), 0.5)
    assert middle[len(middle) // 2, len(middle) // 2] == 0


def test_the_middle_slice_is_that_of_the_outlines():
    assert middle_z(nodule()) == 2.0


def test_solid_tissue_ground_glass_and_calcium_have_their_attenuation():
    middle = {name: profile(in_lung(drawn(**rated)))[:3].mean() for name, rated in {
        "solid": {"texture": 5, "subtlety": 5}, "glass": {"texture": 1, "subtlety": 5},
        "calcium": {"calcification": 3, "subtlety": 5}}.items()}  # fmt: skip
    assert -60 < middle["solid"] < 110
    assert LUNG + 120 < middle["glass"] < -350
    assert middle["calcium"] > 180


def test_an_ill_defined_margin_is_wider_than_a_sharp_one():
    def width(margin):
        grey = (profile(in_lung(drawn(margin=margin, subtlety=5)))[:20] - LUNG) / -LUNG
        return float(((grey > 0.1) & (grey < 0.8)).sum())

    assert width(1) > width(3) >= width(5)


def test_spicules_reach_beyond_the_outline():
    def beyond(spiculation):
        picture = drawn(spiculation=spiculation, subtlety=5)
        y, x = np.indices(picture.cover.shape) - (len(picture.cover) - 1) / 2
        return float(picture.cover[np.hypot(y, x) > 9].sum())

    assert beyond(5) > beyond(3) > beyond(1)


def test_lobules_move_the_edge():
    def roundness(lobulation):
        cover = drawn(lobulation=lobulation, margin=5, subtlety=5).cover > 0.5
        y, x = np.indices(cover.shape) - (len(cover) - 1) / 2
        distance = np.hypot(y, x)
        return float(distance[cover].max() - distance[~cover].min())

    assert roundness(5) > roundness(1) + 0.5


def test_a_subtle_nodule_has_less_contrast():
    assert profile(in_lung(drawn(subtlety=1)))[0] < profile(in_lung(drawn(subtlety=5)))[0] - 200


def test_malignancy_is_never_drawn():
    assert np.array_equal(in_lung(drawn(malignancy=1)), in_lung(drawn(malignancy=5)))


def test_ground_glass_lets_vessels_show_and_nothing_leaves_the_lung():
    picture, side = drawn(texture=1), len(drawn(texture=1).cover)
    vessel = np.full((side, side), LUNG, np.float32)
    vessel[side // 2] = 40
    shown = picture.on(vessel, np.ones((side, side), np.float32), np.zeros((side, side)))
    assert shown[side // 2, side // 2] == 40
    assert np.array_equal(picture.on(vessel, np.zeros((side, side), np.float32), np.zeros((side, side))), vessel)


def test_noise_has_the_deviation_that_was_asked_for():
    noise = noise_like(12.0, 0.7, 64, np.random.default_rng(0))
    assert (
        noise.std() == pytest.approx(12, rel=0.01)
        and np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] > 0.4
    )
