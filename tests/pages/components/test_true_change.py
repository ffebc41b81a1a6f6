"""The truth beside a drawn scan: of one finding, and of several taken away together."""

import numpy as np
import pytest

from engine.datasets.phantom.collection import Phantom
from pages.components import open_scans

PATIENT = "Phantom patient 7"


@pytest.fixture(scope="module")
def phantom():
    index, _ = open_scans.PATIENTS[PATIENT]
    return Phantom(index + 1, seed=open_scans.PHANTOM_SEED, size=open_scans.PHANTOM_SIZE), index


def test_several_findings_are_taken_away_together_and_not_summed(phantom):
    drawn, index = phantom
    opened = open_scans.drawn(PATIENT)
    several = ("Effusion", "Cardiomegaly", "Edema")
    assert set(several) <= set(opened.truth)
    together = open_scans.true_change(opened, *several)
    assert np.array_equal(opened.scan.pixels + together, drawn.counterfactual(index, without=several))
    assert not np.allclose(together, sum(open_scans.true_change(opened, finding) for finding in several))


def test_the_order_of_findings_and_those_that_are_absent_change_nothing():
    opened = open_scans.drawn(PATIENT)
    absent = next(finding for finding in ("Consolidation", "Atelectasis") if finding not in opened.truth)
    one = open_scans.true_change(opened, "Effusion", "Edema")
    assert open_scans.true_change(opened, "Edema", absent, "Effusion") is one  # the very same, so that it is sent once
    assert not open_scans.true_change(opened, absent).any()


def test_the_truth_of_a_drawn_head_is_a_volume():
    for name in open_scans.HEADS:
        opened = open_scans.drawn(name)
        change = open_scans.true_change(opened, "Infarct")
        assert opened.truth == ("Infarct",) and opened.drawn_by == "stroke_phantom"
        assert change.shape == opened.scan.pixels.shape and change.any()
        assert not open_scans.true_change(opened, "Effusion").any()
