"""Marks burned into ultrasound frames: letters, crosses and dotted lines are found, tissue is left alone."""

import cv2
import numpy as np
import pytest

from engine.datasets.marks import burned_in


def tissue(seed=0, height=320, width=384):
    """Speckle with bright, thin, gently bent echoes across it, 0 to 230."""
    random = np.random.default_rng(seed)
    speckle = cv2.GaussianBlur(random.rayleigh(1.0, (height, width)).astype(np.float32), (0, 0), 1.5)
    picture = 60 * speckle
    for y in range(30, height, 45):
        line = np.stack([np.arange(width), y + 12 * np.sin(np.arange(width) / 60 + y)], axis=1).round().astype(np.int32)
        cv2.polylines(picture, [line.reshape(-1, 1, 2)], False, 190.0, 3)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1.2), 0, 230)


def marked(draw, seed=0):
    """A frame with what `draw` puts on it, and where that is."""
    ink = np.zeros((320, 384), np.uint8)
    draw(ink)
    return np.where(ink > 0, np.maximum(ink, tissue(seed)), tissue(seed)).astype(np.float32), ink > 100


def letters(ink):
    cv2.putText(ink, "LT AXILLA", (40, 290), cv2.FONT_HERSHEY_DUPLEX, 0.5, 255, 1, cv2.LINE_AA)


def calipers(ink):
    for x, y in ((100, 97), (260, 142)):
        cv2.line(ink, (x - 5, y), (x + 5, y), 255, 1)
        cv2.line(ink, (x, y - 5), (x, y + 5), 255, 1)
    for share in np.linspace(0, 1, 33):
        cv2.circle(ink, (round(100 + 160 * share), round(97 + 45 * share)), 0, 200, -1)


@pytest.mark.parametrize("draw", [letters, calipers])
@pytest.mark.parametrize("unit", [1.0, 4096.0])
def test_what_is_drawn_is_found_and_little_else(draw, unit):
    picture, ink = marked(draw)
    found = burned_in(picture * unit)
    assert found[ink].mean() > 0.8
    near = cv2.dilate(ink.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    assert (found & ~near).mean() < 0.002


@pytest.mark.parametrize("seed", range(3))
def test_tissue_without_marks_is_left_alone(seed):
    assert burned_in(tissue(seed)).mean() < 0.002


def test_the_mask_has_the_frames_own_size():
    picture, ink = marked(letters)
    large = cv2.resize(picture, (768, 640), interpolation=cv2.INTER_CUBIC)
    found = burned_in(large)
    assert found.shape == (640, 768) and found[cv2.resize(ink.astype(np.uint8), (768, 640)) > 0].mean() > 0.7


def test_a_constant_frame_has_no_marks_and_a_volume_is_refused():
    assert not burned_in(np.full((64, 64), 7.0)).any()
    with pytest.raises(ValueError, match=r"shape \(H, W\)"):
        burned_in(np.zeros((2, 64, 64)))
