"""The drawn heads of the package: whole, as the phantom draws them, and explained as the tour says."""

import numpy as np
import pytest

from engine.checkpoints.resolve import open_checkpoint
from engine.datasets import UnusableCollection
from engine.datasets.sample_heads import FOLDER, GRID, PATIENTS, SEED, draw, sample_head
from engine.datasets.stroke_scans import StrokePhantom
from engine.registry import open_model
from engine.scan import Scan


@pytest.mark.parametrize("name", PATIENTS)
def test_a_head_holds_air_brain_and_bone_and_its_infarct_is_darker_than_what_was_there(name):
    head = sample_head(name)
    assert head.hu.shape == head.change.shape == (GRID.slices, GRID.size, GRID.size)
    brain = (head.hu > 15) & (head.hu < 50)
    assert 0.1 < brain.mean() < 0.6 and head.hu.min() < -900 and head.hu.max() > 600
    lost = head.change[brain & (head.change != 0)]
    assert lost.size and lost.mean() > 0.5 and (FOLDER / f"head-{name}.npz").stat().st_size < 500_000


def test_the_heads_are_of_the_part_that_nothing_was_trained_on():
    assert set(PATIENTS.values()) <= set(StrokePhantom(seed=SEED).split("test").tolist())


def test_they_are_what_the_phantom_draws(tmp_path):
    try:
        draw(tmp_path)
    except UnusableCollection as error:
        pytest.skip(str(error))
    for name in PATIENTS:
        ours, anew = sample_head(name), sample_head(name, tmp_path)
        assert np.abs(ours.hu - anew.hu).max() <= 1 and np.abs(ours.change - anew.change).max() <= 1


def explained(name):
    head = sample_head(name)
    scan = Scan.of(head.hu, "CT", head.spacing_mm, affine=head.affine)
    return open_model(open_checkpoint("acat-stroke-phantom"), "cpu").explain(scan)[0], head


def places(record):
    return [part.name for part in record.regions.parts if part.is_place]


def test_the_large_infarct_is_called_and_its_territory_named():
    record, head = explained("large")
    assert record.positive and record.like_training and places(record)[0] == "left MCA"
    strong = record.attribution >= np.quantile(record.attribution, 0.98)
    assert (head.change[strong] > 1).mean() > 0.4 > 5 * (head.change > 1).mean()


def test_the_small_one_is_missed_and_the_map_lies_elsewhere():
    record, _ = explained("small")
    assert not record.positive and record.like_training and places(record)[0] == "right MCA"
