"""The same-patient score: 1 for a film that resembles its own, one half by chance."""

import numpy as np
import pytest

from engine.metrics.measure import NotMeasurable
from engine.metrics.same_patient import same_patient

RANDOM = np.random.default_rng(5)
BUILDS = RANDOM.standard_normal((12, 6, 6)).repeat(8, 1).repeat(8, 2)  # one coarse build a patient
PATIENTS = np.array([f"p{k}" for k in range(12)])


def films(noise=0.2):
    return (BUILDS + noise * RANDOM.standard_normal(BUILDS.shape)).astype(np.float32)


def test_a_film_like_its_own_is_known_again_whatever_its_contrast():
    row = same_patient(3 * films() + 40, PATIENTS, films(), PATIENTS, before=films())
    assert row.value == 1 and row.n == 12 and row.remark.startswith("1.000")


def test_a_film_like_nobodys_is_known_by_chance():
    values = [same_patient(RANDOM.standard_normal((12, 48, 48)), PATIENTS, films(), PATIENTS).value for _ in range(12)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_chance_stays_one_half_where_a_patient_has_many_films():
    gallery, owners = np.concatenate([films() for _ in range(6)]), np.tile(PATIENTS, 6)
    values = [same_patient(RANDOM.standard_normal((12, 48, 48)), PATIENTS, gallery, owners).value for _ in range(12)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_patients_with_one_film_are_left_out():
    row = same_patient(films(), PATIENTS, films()[:7], PATIENTS[:7])
    assert row.n == 7
    with pytest.raises(NotMeasurable, match="second film"):
        same_patient(films(), PATIENTS, films(), np.array([f"q{k}" for k in range(12)]))
