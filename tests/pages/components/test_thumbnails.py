"""A small picture inside the page's own HTML: it has words for who does not see it, and is bounded."""

import re
from base64 import b64decode

import cv2
import numpy as np

from engine.scan import Scan
from pages.components.thumbnails import LONGEST, figure


def drawn(shape, cam, **more):
    pixels = np.random.default_rng(0).normal(0, 100, shape).astype(np.float32)
    html = figure(Scan.of(pixels, kind="CT", window=(0.0, 400.0)), cam, "where it looks for 'margin'", **more)
    data = re.search(r"base64,([^']+)'", html).group(1)
    return html, cv2.imdecode(np.frombuffer(b64decode(data), np.uint8), cv2.IMREAD_COLOR).astype(int)


def test_a_large_scan_is_made_small_and_a_small_one_enlarged():
    assert max(drawn((900, 600), np.zeros((8, 8), np.float32))[1].shape) == LONGEST
    assert drawn((60, 60), np.zeros((8, 8), np.float32))[1].shape == (240, 240, 3)


def test_only_where_the_map_is_strong_is_colour():
    cam = np.zeros((8, 8), np.float32)
    cam[0, 0] = 1
    html, picture = drawn((64, 64), cam)
    assert picture[4, 4, 2] > picture[4, 4, 0] + 60 and (picture[200, 200] == picture[200, 200, 0]).all()
    assert "alt='where it looks for &#x27;margin&#x27;'" in html


def test_other_pixels_can_stand_in_the_scans_stead():
    cam = np.zeros((8, 8), np.float32)
    assert drawn((64, 64), cam, pixels=np.full((64, 64), 1000, np.float32))[1].min() == 255
