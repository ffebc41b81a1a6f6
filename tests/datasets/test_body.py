"""The body mask: on drawn films whose body is known, and on real ones."""

import cv2
import numpy as np
import pytest

from engine.datasets.body import body_mask
from tests.places import REAL_SCANS

REAL = REAL_SCANS / "nih1000"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real films are not at {REAL}")


def drawn_film(size=256, noise=0.0):
    """A grey trunk with two dark lungs on black air, smooth like a film; the film (size, size) in 0 to 1
    and the trunk.
    """
    film = np.zeros((size, size), np.float32)
    unit = size / 256
    cv2.ellipse(film, (size // 2, int(150 * unit)), (int(95 * unit), int(130 * unit)), 0, 0, 360, 0.7, -1)
    trunk = film > 0
    for x in (88, 168):
        cv2.ellipse(film, (int(x * unit), int(130 * unit)), (int(28 * unit), int(60 * unit)), 0, 0, 360, 0.05, -1)
    film = cv2.GaussianBlur(film, (0, 0), 1.5 * unit)
    return film + np.random.default_rng(0).normal(0, noise, film.shape).astype(np.float32), trunk


def written(film, text, corner):
    """`film` with white text on it, and the text's pixels."""
    canvas = np.zeros(film.shape, np.uint8)
    cv2.putText(canvas, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1)
    return np.where(canvas > 0, np.float32(1), film), canvas > 0


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize(("factor", "offset"), [(1, 0), (255, 0), (30000, -2000), (0.001, 5)])
@pytest.mark.parametrize("size", [96, 128, 256, 900])
def test_the_trunk_is_found_in_any_grey_range_and_size(size, factor, offset):
    film, trunk = drawn_film(size, noise=0.01)
    assert overlap(body_mask(film * factor + offset), trunk) > 0.95


def test_dark_lungs_are_inside_the_body():
    film, _trunk = drawn_film()
    assert body_mask(film)[100:160, 80:96].all()


def test_letters_beside_the_body_are_not_the_patient():
    film, trunk = drawn_film()
    labelled, letters = written(film, "PORTABLE", (3, 16))
    mask = body_mask(labelled)
    assert overlap(mask, body_mask(film)) > 0.97
    assert mask[letters & ~trunk].mean() < 0.1


def test_letters_on_the_body_are_not_the_patient():
    film, trunk = drawn_film()
    film, letters = written(film, "AP", (118, 240))
    mask = body_mask(film)
    assert mask[letters].mean() < 0.1
    assert (~mask & trunk).sum() < 4 * letters.sum() + 0.03 * trunk.sum()


def test_a_large_bright_organ_stays():
    film, _trunk = drawn_film()
    cv2.ellipse(film, (140, 180), (40, 35), 0, 0, 360, 1.0, -1)
    film = cv2.GaussianBlur(film, (0, 0), 1.5)
    assert body_mask(film)[150:210, 110:170].all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_border_of_one_grey_is_not_the_patient(value):
    full = np.tile(np.linspace(0.6, 0.8, 256, dtype=np.float32)[:, None], (1, 256))  # a body that fills the picture
    for x in (88, 168):
        cv2.ellipse(full, (x, 130), (28, 60), 0, 0, 360, 0.2, -1)
    full[:14] = full[-14:] = full[:, :14] = full[:, -14:] = value
    mask = body_mask(full)
    assert not mask[:12].any() and not mask[-12:].any() and not mask[:, :12].any() and not mask[:, -12:].any()
    assert mask[20:-20, 20:-20].all()


def test_a_constant_picture_is_all_body():
    assert body_mask(np.full((40, 60), 7.0, np.float32)).all()


def test_the_mask_has_the_pictures_shape_and_the_picture_is_left_alone():
    film = drawn_film()[0][:, :200].copy()
    before = film.copy()
    mask = body_mask(film)
    assert mask.shape == (256, 200) and mask.dtype == bool and (film == before).all()
    with pytest.raises(ValueError, match=r"must have shape \(H, W\), got"):
        body_mask(np.zeros((2, 8, 8), np.float32))


@needs_real
def test_on_real_films_the_chest_is_kept_and_black_corners_are_not():
    kept, shares = [], []
    for path in sorted((REAL / "images").glob("*.png"))[::16]:
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32)
        mask = body_mask(film)
        kept.append(mask[110:250, 80:240].mean())
        shares.append(mask.mean())
        black = film <= 1
        black[20:-20, 20:-20] = False
        assert mask[black].sum() < 0.02 * mask.size
    assert min(kept) > 0.95 and np.mean(kept) > 0.995
    assert min(shares) > 0.5
