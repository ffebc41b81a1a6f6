"""Training the check of chest films, on few films and for few steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.laterality.chest import ChestCheck
from engine.laterality.training import (
    OddNetwork,
    cross_validated,
    fitted,
    folds_of,
    limit_of,
    measured,
    save,
    varied,
)


@pytest.fixture(scope="module")
def films():
    """A bright heart on the picture's right, somewhere."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[:128, :128] / 128
    blobs = [
        np.exp(-((x - random.uniform(0.6, 0.7)) ** 2 + (y - random.uniform(0.5, 0.6)) ** 2) / 0.02) for _ in range(40)
    ]
    noise = random.normal(0, 0.05, (40, 128, 128))
    return torch.from_numpy(np.clip(np.stack(blobs) + noise, 0, 1).astype(np.float32))[:, None]


def test_the_network_is_odd():
    torch.manual_seed(0)
    network, films = OddNetwork().eval(), torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network(films), -network(films.flip(-1)), atol=1e-5)


def test_it_learns_on_which_side_the_heart_lies_and_measures_it_by_patient(films, tmp_path):
    patients = np.repeat(np.arange(20), 2).astype(str)
    found = cross_validated(films, patients, steps=25)
    assert found.n == 40 and (found.scores > 0).mean() > 0.9
    save(tmp_path, fitted(films, 25), found, "python -m engine laterality --root DIR", "Drawn.")
    check = ChestCheck.read(tmp_path)
    assert check.limit == found.limit and check.specificity == found.specificity and check.films == 40
    assert "| specificity |" in (tmp_path / "card.md").read_text()


def test_no_patient_is_in_two_folds():
    patients = np.random.default_rng(0).integers(0, 30, 200).astype(str)
    fold = folds_of(patients)
    assert set(fold) == set(range(5))
    assert all(len(set(fold[patients == patient])) == 1 for patient in set(patients))


def test_the_limit_is_chosen_on_other_films_than_those_that_are_counted():
    fold = np.repeat(np.arange(5), 100)
    scores = np.full(500, 5.0)
    scores[fold == 0] = -9  # all of one fold look mirrored, and no other film does
    found = measured(scores, fold, np.arange(500).astype(str))
    assert found.specificity[0] == pytest.approx(0.8) and found.specificity[1] < 0.8 < found.specificity[2]
    assert found.sensitivity[0] == 0, "the limits that those films give the other folds are too far"
    assert limit_of(np.full(50, 3.0)) < 0, "a film that looks as films do is never said to look mirrored"


def test_films_are_varied_but_never_mirrored(films):
    seen = varied(films, torch.Generator().manual_seed(0))
    right, left = seen[..., 32:].mean((1, 2, 3)), seen[..., :32].mean((1, 2, 3))
    assert seen.shape == (40, 1, 64, 64) and (right > left).all()
