"""Crops: the head and the beam are found, what is cut can be put back, and greys can be levelled and brought back."""

import cv2
import numpy as np
import pytest

from engine.datasets.crop import CROPS, Levels, beam_crop, head_crop, head_mask, levelled_head_crop, whole_crop


def slice_with_head(height=200, width=240, centre=(90, 130), axes=(40, 60), grain=2.0, background=8.0, seed=0):
    """A bright ellipse with a dark hole (a ventricle) on faint noise, and where the ellipse is."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    inside = ((y - centre[0]) / axes[0]) ** 2 + ((x - centre[1]) / axes[1]) ** 2 <= 1
    picture = background + random.normal(0, grain, (height, width)) + 90 * inside
    picture[centre[0] - 6 : centre[0] + 6, centre[1] - 6 : centre[1] + 6] = background
    return picture.astype(np.float32), inside


def agreement(a, b):
    return (a & b).sum() / (a | b).sum()


def test_the_head_is_found_with_its_dark_holes_in_any_unit():
    picture, head = slice_with_head()
    for unit in (1, 37.0, 0.001):
        assert agreement(head_mask(picture * unit + 5 * unit), head) > 0.95


def test_a_drawn_frame_is_no_head():
    picture, head = slice_with_head()
    picture[:2] = picture[-2:] = picture[:, :2] = picture[:, -2:] = 250
    assert agreement(head_mask(picture), head) > 0.9


def test_where_no_head_stands_out_everything_is_kept():
    assert head_mask(np.zeros((40, 60), np.float32)).all()


@pytest.mark.parametrize("shape", [(300, 240), (200, 400)])
def test_the_same_head_looks_the_same_wherever_it_lies_in_the_picture(shape):
    here, _ = slice_with_head()
    there, _ = slice_with_head(*shape, centre=(110, 120), grain=4, background=30, seed=3)
    views = []
    for picture, background in ((here, 8), (there, 30)):
        view = cv2.resize(head_crop(picture).cut(picture), (64, 64), interpolation=cv2.INTER_AREA)
        views.append((view - background) / 90)
    assert np.abs(views[0] - views[1]).mean() < 0.03


def test_beside_the_head_and_in_the_corners_there_is_one_grey():
    picture, head = slice_with_head(grain=6)
    crop = head_crop(picture)
    view = crop.cut(picture)
    beside = view == np.float32(crop.fill)
    assert view.shape == (crop.height, crop.width) and crop.height == crop.width
    assert beside[:3].all() and beside[-3:].all() and 0.3 < beside.mean() < 0.7
    assert crop.cut_mask(head).sum() == head.sum()  # nothing of this head was lost


def test_a_square_may_reach_beyond_the_picture():
    picture, _ = slice_with_head(height=90, centre=(45, 120), axes=(44, 80))
    crop = head_crop(picture)
    assert crop.top < 0 and crop.height > 90
    assert (crop.cut(picture)[: -crop.top] == np.float32(crop.fill)).all()
    assert crop.put_back(np.ones((32, 32))).shape == picture.shape


@pytest.mark.parametrize("name", CROPS)
def test_a_map_is_put_back_where_it_was_cut_from(name):
    picture, head = slice_with_head()
    crop = CROPS[name](picture)
    back = crop.put_back(crop.cut_mask(head).astype(np.float32))
    assert back.dtype == np.float32 and agreement(back > 0.5, head & crop.seen) > 0.97
    assert (back[~crop.seen] == 0).all()


def test_cropping_takes_the_pixels_and_no_other_size():
    picture, _ = slice_with_head()
    crop = whole_crop(picture)
    assert (crop.cut(picture) == picture).all()
    with pytest.raises(ValueError, match=r"found on a scan of shape \(200, 240\), got \(10, 10\)"):
        crop.cut(np.zeros((10, 10)))
    with pytest.raises(ValueError, match="at least 16 x 16"):
        head_crop(np.zeros((3, 200, 200)))


def frame(wedge=0, height=240, width=320, seed=0):
    """Speckle, black in triangles `wedge` pixels wide and twice as high in the upper corners."""
    picture = np.random.default_rng(seed).gamma(4, 25, (height, width)).astype(np.float32) + 12
    y, x = np.mgrid[:height, :width]
    for across in (x, width - 1 - x):
        picture[across < wedge - y / 2] = 0
    return picture


def test_the_rim_of_a_frame_is_taken_off_and_nothing_else():
    crop = beam_crop(frame())
    assert (crop.top, crop.left, crop.height, crop.width) == (10, 6, 225, 308)


def test_the_black_wedges_of_a_fan_are_mostly_taken_off():
    picture = frame(wedge=60)
    before, after = (picture == 0).mean(), (beam_crop(picture).cut(picture) == 0).mean()
    assert after < 0.2 * before
    assert beam_crop(picture).width > 0.6 * 320


def test_a_deep_shadow_takes_no_more_than_a_fifth_of_each_side():
    picture = frame()
    picture[:, :200] = 0
    assert beam_crop(picture).left == 64


def test_levels_keep_the_order_and_come_back():
    picture, head = slice_with_head()
    levels = Levels.of(picture, head)
    flat = levels.apply(picture)
    assert flat.min() == 0 and flat.max() == 1
    assert np.histogram(flat[head], 8, (0, 1))[0] / head.sum() == pytest.approx(1 / 8, abs=0.02)
    assert np.corrcoef(np.argsort(np.argsort(picture[head])), flat[head])[0, 1] > 0.99
    assert np.allclose(levels.undo(flat)[head], picture[head], atol=1e-3)


def test_levels_do_not_see_brightness_contrast_or_gamma():
    picture, head = slice_with_head()
    other = (picture - picture.min() + 1) ** 0.7 * 13 + 4
    assert np.allclose(Levels.of(other, head).apply(other), Levels.of(picture, head).apply(picture), atol=0.02)


def test_levels_of_few_greys_still_rise():
    picture = np.repeat([0.0, 0, 0, 1, 1, 2], 50).reshape(20, 15)
    levels = Levels.of(picture, np.ones(picture.shape, bool))
    assert levels.apply(np.array([0.0, 1, 2])).tolist() == sorted(levels.apply(np.array([0.0, 1, 2])).tolist())
    assert np.allclose(levels.undo(levels.apply(picture)), picture)
    assert np.isfinite(Levels.of(np.ones((4, 4)), np.ones((4, 4), bool)).apply(np.ones((4, 4)))).all()
    with pytest.raises(ValueError, match="at least one pixel"):
        Levels.of(picture, np.zeros(picture.shape, bool))


def test_a_levelled_head_keeps_the_order_of_greys_in_whatever_units():
    picture, head = slice_with_head()
    crop, plain = levelled_head_crop(picture), head_crop(picture)
    view = crop.cut(picture)
    assert (crop.seen == plain.seen).all() and (view[~crop.cut_mask(crop.seen)] == 0).all()
    inside = crop.cut_mask(head)
    assert (
        np.corrcoef(np.argsort(np.argsort(plain.cut(picture)[inside])), np.argsort(np.argsort(view[inside])))[0, 1]
        > 0.99
    )
    for other in (picture * 16 - 1024, picture * 0.1):
        assert np.abs(levelled_head_crop(other).cut(other) - view).mean() < 0.02


def test_a_change_of_levels_comes_back_in_the_scan_s_units_and_within_its_greys():
    picture, head = slice_with_head()
    crop = levelled_head_crop(picture * 10 + 100)
    pixels, change = picture * 10 + 100, np.where(head, 0.2, 0).astype(np.float32)
    moved = crop.in_scan_units(pixels, change)
    assert moved.dtype == np.float32 and (moved[~head] == 0).all() and moved.min() >= 0
    assert (
        np.abs(crop.levels.apply(pixels + moved) - np.minimum(crop.levels.apply(pixels) + change, 1))[crop.seen].max()
        < 1e-3
    )
    assert (pixels + crop.in_scan_units(pixels, 5 * change))[head].max() <= pixels[crop.seen].max() + 1e-2
    plain = head_crop(picture)
    assert np.array_equal(plain.in_scan_units(picture, change), change)
