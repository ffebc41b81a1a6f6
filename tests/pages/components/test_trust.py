"""How far to trust a counterfactual: the same film scores 1, a spoilt one less, and the record is the card's."""

from dataclasses import replace

import numpy as np
import pytest

from engine.explanation import Explanation, Path
from engine.metrics.measure import Measure
from engine.scan import Scan
from pages.components.trust import measured_recovery, trust
from viewer import TrustView

STEPS = np.arange(0, 1.51, 0.25, dtype=np.float32)


def explained(change, scan):
    path = Path(STEPS, np.linspace(0.9, 0.1, 7).astype(np.float32), STEPS[:, None, None] * change, 250.0)
    return Explanation(
        scan.sha256, "a" * 64, "b" * 64, "Edema", 0.9, 0.5, np.zeros(scan.pixels.shape, np.float32), "unit", 1.0,
        change, scan.pixels.copy(), path, (0.5, 1.0), 0.1,
    )  # fmt: skip


@pytest.fixture
def scan():
    return Scan.of(np.random.default_rng(0).uniform(0, 250, (64, 48)).astype(np.float32), kind="radiograph")


def test_no_change_is_the_same_film_and_more_change_less_so(scan):
    still = trust(explained(np.zeros((32, 32), np.float32), scan), scan, (), None)
    assert still.similarity == pytest.approx(1) and still.likeness is None
    assert still.steps.tolist() == [0, 0.5, 1, 1.5]
    noise = np.random.default_rng(1).normal(0, 60, (32, 32)).astype(np.float32)
    spoilt = trust(explained(noise, scan), scan, (), None)
    assert spoilt.similarity[0] == 1 and (np.diff(spoilt.similarity) < 0).all()


def test_a_volume_is_as_alike_as_its_slices_are_on_average():
    volume = Scan.of(np.random.default_rng(0).uniform(0, 250, (6, 40, 40)).astype(np.float32), kind="CT")
    change = np.zeros((3, 32, 32), np.float32)
    change[0] = np.random.default_rng(1).normal(0, 60, (32, 32))
    path = Path(STEPS, np.linspace(0.9, 0.1, 7).astype(np.float32), STEPS[:, None, None, None] * change, 250.0)
    record = replace(explained(np.zeros((40, 40), np.float32), Scan.of(volume.pixels[0])), path=path)
    found = trust(record, volume, (), None)
    assert found.similarity[0] == 1 and 0.6 < found.similarity[-1] < 0.95 and (np.diff(found.similarity) < 0).all()


def test_the_detector_is_asked_of_the_changed_film(scan):
    seen = []

    def likeness(pixels):
        seen.append(float(pixels.mean()))
        return float(len(seen)), 2.0

    found = trust(explained(np.full((32, 32), 40, np.float32), scan), scan, (), likeness)
    assert found.likeness.tolist() == [0.5, 1, 1.5, 2]
    assert np.diff(seen) == pytest.approx(20, abs=0.1)


def test_the_record_is_the_cards_with_its_interval():
    row = lambda value: [Measure("recovery", "Edema", value, value - 0.05, value + 0.05, 200)]
    assert measured_recovery("Edema", row(0.13)) == "brings 13 % (8 to 18) of the true change, in tests"
    assert measured_recovery("Edema", row(-0.2)).startswith("comes no nearer the truth than no change")
    assert measured_recovery("Edema", row(-4.7)) == (
        "ends 5.7 times as far from the truth as no change would, in tests (5.7 to 5.8)"
    )
    of_several = [replace(one, variant="ACAT") for one in row(0.13)]
    assert measured_recovery("Edema", of_several) == "was never measured against a true one"
    assert measured_recovery("Edema", of_several, "ACAT").startswith("brings 13 %")
    assert measured_recovery("Effusion", row(0.13)) == "was never measured against a true one"


def test_steps_that_do_not_rise_and_numbers_that_are_missing_are_refused():
    with pytest.raises(ValueError, match="rise"):
        TrustView(np.array([0, 0.0]), np.ones(2), None, "")
    with pytest.raises(ValueError, match="one finite number"):
        TrustView(np.array([0, 1.0]), np.ones(3), None, "")
