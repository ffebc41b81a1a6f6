"""Pictures with a finding that were made like those without it are found; what says nothing of the making stays."""

import numpy as np
import pytest

from engine.datasets.brain_mri import BrainMRI
from engine.datasets.matching import acquisition, alike
from tests.datasets.test_brain_mri import write_folder


def picture(height=160, width=120, blur=0, seed=0):
    import cv2

    random = np.random.default_rng(seed)
    inside = cv2.ellipse(np.zeros((height, width), np.uint8), (width // 2, height // 2), (40, 50), 0, 0, 360, 1, -1)
    grey = random.uniform(50, 200, (height, width)).astype(np.float32)
    if blur:
        grey = cv2.GaussianBlur(grey, (0, 0), blur)
    return grey * inside, inside > 0


def test_format_and_sharpness_are_seen_and_the_units_are_not():
    plain, inside = picture()
    features = acquisition(plain, inside)
    assert np.allclose(features, acquisition(3 * plain + 7, inside), atol=1e-3)
    assert features[:3] == pytest.approx([np.log(160), np.log(120), 160 / 120])
    blurred = acquisition(*picture(blur=2))
    assert blurred[7] < features[7] - 0.5 and blurred[8] < features[8] - 0.5


def test_partners_are_those_that_are_most_alike():
    features = np.array([[0.0], [10.0], [0.1], [9.8], [5.0], [-30.0]])
    positive = np.array([False, False, True, True, True, True])
    assert alike(features, positive, 1).tolist() == [True, True, True, True, False, False]
    assert alike(features, positive, 5).sum() == 6  # never more than there are


def test_matched_slices_stay_in_their_parts_with_their_groups(tmp_path):
    root = write_folder(tmp_path, each=20)
    whole, some = BrainMRI(root), BrainMRI(root, matched=1)
    healthy = some.attributes["class"] == "no_tumor"
    assert healthy.sum() == 40 and len(some) == 80
    assert len(some.files) == len(some.labels) == len(some.patients)
    of = dict(zip(whole.files, zip(whole.patients, whole.labels[:, 0])))
    assert all(of[f] == (p, label) for f, p, label in zip(some.files, some.patients, some.labels[:, 0]))
    for part in ("train", "validation", "test"):
        assert {*some.files[some.split(part)]} <= {*whole.files[whole.split(part)]}
    with pytest.raises(ValueError, match="matched must lie"):
        BrainMRI(root, matched=-1)
