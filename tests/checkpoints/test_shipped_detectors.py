"""The shipped checkpoints' detectors know noise and smooth pictures from what they were trained on."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.checkpoints.detector import CheckpointDetector
from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.datasets import UnusableCollection, open_collection, registered_collection
from engine.datasets.crop import CROPS
from engine.ood import FLOOR, kept_share, middle_slices
from tests.places import REAL_SCANS

FOLDERS = {
    "chestxray8": REAL_SCANS / "nih1000",
    "busi": REAL_SCANS / "busi",
    "brain_mri": REAL_SCANS / "brain_mri",
    **({"lidc_implants": Path(os.environ["OTHERWISE_CHESTS"])} if os.environ.get("OTHERWISE_CHESTS") else {}),
}  # OTHERWISE_CHESTS names a folder with the archives of `lidc_implants`
DRAWN = {"phantom": {"count": 24}, "vagan_synthetic": {}}


def detector(name):
    """(the shipped checkpoint, its detector), or a skipped test where it has none."""
    checkpoint = open_checkpoint(name)
    if (found := CheckpointDetector.of(checkpoint)) is None:
        pytest.skip("a checkpoint without a detector")
    return checkpoint, found


def kept(detector, pixels):
    """`kept_share` of a scan as the checkpoint's network sees it."""
    if pixels.ndim == 3:
        prepared = detector.preprocessing.apply_volume(pixels, detector.slices)
        return min(kept_share(prepared[place]) for place in middle_slices(len(prepared)))
    cut = CROPS[detector.crop](pixels).cut(pixels) if detector.crop else pixels
    return kept_share(detector.preprocessing.apply(cut))


def noises(side):
    """Uniform noise, normal noise and, where they are smaller than what a thumbnail shows, specks: (side, side)
    float32, grey values of eight bits.
    """
    random = np.random.default_rng(side)
    yield random.integers(0, 256, (side, side)).astype(np.float32)
    yield np.clip(random.normal(128, 40, (side, side)), 0, 255).round().astype(np.float32)
    if side >= 160:
        yield np.where(random.random((side, side)) < 0.01, 255, 0).astype(np.float32)


@pytest.mark.parametrize("side", [24, 40, 64, 79, 100, 200, 512, 1024])
@pytest.mark.parametrize("name", shipped())
def test_noise_is_unlike_films_mr_and_ultrasound(name, side):
    checkpoint, asked = detector(name)
    if checkpoint.config["data"]["kind"] not in ("radiograph", "MR", "ultrasound"):
        pytest.skip("its own training pictures hold noise")
    for pixels in noises(side):
        score, limit = asked.score(pixels)
        assert limit < score < np.inf


def smooth(side):
    """Ramps, a blob, a hollow, a disc and a blurred one: (side, side) float32, grey values from 0 to 255."""
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    bump = np.exp(-4 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))
    disc = np.where(np.hypot(x - 0.5, y - 0.5) < 0.35, 1.0, 0.0)
    pictures = (x, y, 1 - x, 1 - y, (x + y) / 2, bump, 1 - bump, disc, cv2.GaussianBlur(disc, (0, 0), side / 20))
    return [(255 * picture).astype(np.float32) for picture in pictures]


@pytest.mark.parametrize("side", [64, 128, 512])
@pytest.mark.parametrize("name", shipped())
def test_smooth_pictures_are_unlike_whatever_was_learned(name, side):
    _, asked = detector(name)
    for pixels in smooth(side):
        score, limit = asked.score(pixels)
        assert score > limit


@pytest.mark.parametrize("name", shipped())
def test_a_natural_picture_is_unlike_whatever_was_learned(name):
    from skimage import data

    _, asked = detector(name)
    for pixels in (data.camera(), data.coins(), data.page(), data.moon(), data.grass(), data.text(), data.brick()):
        score, limit = asked.score(pixels.astype(np.float32))
        assert score > limit


@pytest.mark.parametrize("name", shipped())
def test_what_a_checkpoint_was_trained_on_keeps_far_more_than_the_floor(name):
    checkpoint, asked = detector(name)
    collection = checkpoint.collection
    if registered_collection(collection).needs_folder:
        folder = FOLDERS.get(collection)
        if folder is None or not folder.is_dir():
            pytest.skip("needs the real scans")
    opened = open_collection(collection, FOLDERS.get(collection), **DRAWN.get(collection, {}))
    test = opened.split("test")
    try:
        scans = [opened.image(int(index)) for index in test[:: max(1, len(test) // 20)][:20]]
    except UnusableCollection as error:
        pytest.skip(str(error))
    assert min(kept(asked, pixels) for pixels in scans) > 1.5 * FLOOR
    assert np.mean([score <= limit for score, limit in map(asked.score, scans)]) >= 0.9


def test_the_sample_film_keeps_far_more_than_the_floor():
    from pages.components.open_scans import sample

    if (opened := sample()) is None:
        pytest.skip("needs pydicom-data")
    _, asked = detector("attri-net-nih")
    assert kept(asked, opened.scan.pixels) > 3 * FLOOR
