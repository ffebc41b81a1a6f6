"""A discrepancy model on scans that are cropped before it sees them: what is beside the crop stays as it is."""

import numpy as np
import pytest

from engine.checkpoints.format import RefusedCheckpoint, save_checkpoint
from engine.methods.cx_gan import CxGanMethod
from engine.preprocessing import enlarged
from engine.registry import UnsuitableScan, open_model
from engine.scan import Scan


@pytest.fixture
def opened(tmp_path):
    """config changes -> the tiny CX-GAN with them."""
    tiny = CxGanMethod().tiny(tmp_path / "tiny")

    def make(**changes):
        saved = save_checkpoint(
            tmp_path / "-".join(changes),
            method="cx_gan",
            config={**tiny.config, **changes},
            weights=tiny.weights(),
            card=tiny.card,
        )
        return open_model(saved, "cpu")

    return make


def head(height=160, width=120):
    """A bright ellipse, off the middle, on a black slice."""
    y, x = np.mgrid[:height, :width]
    inside = ((y - 70) / 50) ** 2 + ((x - 65) / 40) ** 2 < 1
    return np.where(inside, 120 + 60 * np.sin(y / 7) * np.cos(x / 9), 0).astype(np.float32)


def test_nothing_beside_the_head_changes(opened):
    scan = Scan.of(head(), kind="MR")
    (record,) = opened(crop="head").explain(scan)
    assert np.array_equal(record.attribution, enlarged(record.evidence, scan.pixels.shape))
    change = np.abs(record.counterfactual - scan.pixels)
    assert change[60:80, 50:80].max() > 0 and change[:8].max() == 0 and change[140:].max() == 0


def test_a_shifted_head_is_explained_alike(opened):
    model, picture = opened(crop="head"), head()
    (one,) = model.explain(Scan.of(picture, kind="MR"))
    (other,) = model.explain(Scan.of(np.pad(picture, ((9, 0), (13, 4))), kind="MR"))
    assert other.probability == pytest.approx(one.probability, abs=0.02)


def test_a_levelled_head_is_explained_in_the_scan_s_own_grid_and_units(opened):
    model, picture = (
        opened(
            crop="levelled-head", preprocessing={"size": 32, "percentile": 1.0, "value_range": 0.9, "fixed": [0, 1]}
        ),
        head(),
    )
    (one,) = model.explain(Scan.of(picture, kind="MR"))
    (other,) = model.explain(Scan.of(16 * picture - 1024, bits=16, kind="MR"))
    assert other.probability == pytest.approx(one.probability, abs=1e-3)
    change, its_change = one.counterfactual - picture, other.counterfactual - (16 * picture - 1024)
    assert np.abs(change).max() > 1 and np.abs(its_change - 16 * change).max() < 0.05 * np.abs(its_change).max()
    assert change[:8].max() == 0 and change[140:].max() == 0
    assert np.abs(change).max() <= np.ptp(picture)


def test_training_and_explaining_see_one_picture(opened, tmp_path):
    import cv2

    from engine.datasets.brain_mri import BrainMRI

    (tmp_path / "slices" / "Training" / "no_tumor").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "slices" / "Training" / "no_tumor" / "image(1).jpg"), head().astype(np.uint8))
    collection = BrainMRI(tmp_path / "slices")
    model = opened(
        crop=collection.crop,
        preprocessing={"size": 32, "percentile": 1.0, "value_range": 0.9, "fixed": collection.grey_range},
    )
    trained_on = model.preprocessing.apply(collection.image(0, 32))
    assert np.array_equal(model.preprocess(Scan.of(collection.scan_pixels(0), kind="MR")), trained_on)


def test_a_checkpoint_takes_its_own_kind_of_scan_and_scans_that_do_not_say(opened):
    model = opened(data={"collection": "busi", "kind": "ultrasound", "guidance": "none"})
    model.predict_proba(Scan.of(head(), kind="ultrasound"))
    model.predict_proba(Scan.of(head(), kind="unknown"))
    with pytest.raises(UnsuitableScan, match="trained on scans of kind ultrasound, this one is of kind MR"):
        model.predict_proba(Scan.of(head(), kind="MR"))


def test_an_unknown_crop_is_refused(opened):
    with pytest.raises(RefusedCheckpoint, match="not a whole CX-GAN"):
        opened(crop="banana")


def test_a_larger_map_never_speaks_against_the_finding(opened):
    import torch

    model = opened(calibration={"slope": 2.0, "middle": -2.0})
    sizes = torch.linspace(0, 1, 20)[:, None, None, None].expand(20, 1, 4, 4)
    told = model.probability_of(sizes)
    assert bool((told.diff() > 0).all())


def test_what_is_measured_after_translation_is_what_the_slider_shows(opened):
    """One rule, `translated`: a map that leads out of the range is clipped by none of the two."""
    import torch

    from engine.methods.map_translation.evaluate import look

    class Bright:
        def image(self, index, size=None):
            return np.where(np.arange(size)[:, None] < size // 2, 250.0, 5.0).astype(np.float32) * np.ones(
                (1, size), np.float32
            )

    model = opened(calibration={"slope": 1.0, "middle": -1.0})
    model.fast = lambda x: 0.7 * x + 0.05 * x.mean(dim=(1, 2, 3), keepdim=True)
    picture = model.preprocessing.apply(Bright().image(0, model.preprocessing.size))
    _, along = model.forward(picture[None])
    seen = look(model, Bright(), np.array([0]))
    assert np.abs(seen.pictures + seen.maps).max() > 1
    assert seen.after_map[0] == pytest.approx(float(along[0, 4]), abs=1e-6)
    again = model.probability_of(model.fast(torch.from_numpy(picture)[None, None] * 1.7))
    assert float(along[0, 4]) == pytest.approx(float(again), abs=1e-2)
