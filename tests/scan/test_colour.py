"""A picture that had colours says that it is shown in grey; one that was only stored as colours does not."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from engine.scan import read_scan
from engine.scan.colour import SHARE, TURNED_GREY, has_colour


def fan():
    """(H, W, 3) uint8: a grey ultrasound fan with a small coloured box, as Doppler draws it."""
    y, x = np.mgrid[:240, :320]
    grey = (120 + 80 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    picture = np.stack([grey] * 3, axis=-1)
    picture[100:112, 150:170] = (200, 30, 40)
    return picture


def grey_fan():
    picture = fan()
    return np.stack([picture[..., 0]] * 3, axis=-1)


def stored(picture, form, **options):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, **options)
    return file.getvalue()


def png_16_bit(picture):
    return cv2.imencode(".png", picture.astype(np.uint16) * 257)[1].tobytes()


FORMS = {
    "PNG": lambda picture: stored(picture, "PNG"),
    "PNG with alpha": lambda picture: stored(np.dstack([picture, np.full(picture.shape[:2], 9, np.uint8)]), "PNG"),
    "PNG of 16 bits": png_16_bit,
    "JPEG": lambda picture: stored(picture, "JPEG", quality=60),
    "TIFF": lambda picture: stored(picture, "TIFF"),
    "TIFF, LZW": lambda picture: stored(picture, "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("form", FORMS)
def test_colours_are_said_in_a_remark_and_grey_stored_as_colours_is_not(form):
    assert read_scan(FORMS[form](fan())).remarks == (TURNED_GREY,)
    assert read_scan(FORMS[form](grey_fan())).remarks == ()


@pytest.mark.parametrize(
    "name", ["examples_rgb_color.dcm", "examples_ybr_color.dcm", "examples_palette.dcm", "SC_rgb_jpeg_gdcm.dcm"]
)
def test_dicom_of_colours_says_so_whatever_way_they_are_stored(name):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not in this version of pydicom")
    assert TURNED_GREY in read_scan(Path(path).read_bytes()).remarks


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_dicom_of_greys_says_nothing_of_colour(name):
    assert TURNED_GREY not in read_scan(Path(get_testdata_file(name, download=False)).read_bytes()).remarks


def test_what_a_lossy_coder_leaves_is_no_colour_and_neither_is_a_single_pixel():
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.integers(0, 250, (200, 200, 1)), 3, axis=2)
    assert not has_colour(grey + rng.integers(0, 5, grey.shape), 255)
    few = grey.copy()
    few[0, : int(SHARE * grey[..., 0].size)] = (255, 0, 0)
    assert not has_colour(few, 255)
    few[1, :9] = (255, 0, 0)
    assert has_colour(few, 255)


def test_luminance_with_flat_differences_is_grey():
    picture = np.full((20, 20, 3), 128)
    picture[..., 0] = np.arange(20)
    assert not has_colour(picture, 255, luminance_first=True)
    picture[3:9, 3:9, 2] = 180
    assert has_colour(picture, 255, luminance_first=True)
