"""Lesions in real films: the truth is the film, lesions stay in the chest and follow physics, and no held-back patient
teaches.
"""

import cv2
import numpy as np
import pytest

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets import implants as module
from engine.datasets.chestxray8 import KNOWN_FINDINGS, ChestXray8
from engine.datasets.implant_lesions import AIRSPACE, LESIONS, Lesion, film_with
from engine.datasets.implants import Implants
from engine.datasets.lung_fields import lung_fields
from tests.datasets.test_chestxray8 import write_folder
from tests.places import REAL_SCANS

REAL = REAL_SCANS / "nih1000"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real films are not at {REAL}")
ALL = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion")


def chest(size=192):
    """(size, size) uint8: two dark lungs beside a heart, in a bright body before black."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    grey = np.where((np.abs(columns) < 0.8) & (rows > -0.75), 0.75, 0.02)
    for middle in (-0.4, 0.4):
        grey -= 0.5 * np.exp(-(((columns - middle) / 0.22) ** 4) - ((rows + 0.05) / 0.5) ** 4)
    grey += 0.05 * np.sin(rows * 40) * (np.abs(columns) < 0.7)  # ribs
    return np.clip(255 * grey + np.random.default_rng(0).normal(0, 2, grey.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("films")
    write_folder(root, patients=50, grey=chest())
    return root


@pytest.fixture(scope="module")
def made(folder):
    return Implants(folder, ALL, copies=6)


def test_only_films_without_findings_are_used_and_as_often_as_asked(folder, made):
    films = ChestXray8(folder, KNOWN_FINDINGS)
    normal = set(films.pictures[~films.labels.any(axis=1)].tolist())
    assert {picture.split("#")[0] for picture in made.pictures} == normal
    assert len(made) == 6 * len(normal) and made.labels.dtype == np.float32
    shares = made.labels.mean(axis=0)
    assert (shares > 0.08).all() and (shares < 0.45).all() and (made.labels.sum(axis=1) == 0).any()


def test_parts_are_those_of_the_films(folder, made):
    films = ChestXray8(folder, KNOWN_FINDINGS)
    for name in ("train", "validation", "test"):
        assert set(made.patients[made.split(name)]) <= set(films.patients[films.split(name)])
    assert np.array_equal(np.sort(np.concatenate([made.split(name) for name in SPLITS[:3]])), made.split("all"))


def test_without_all_its_findings_a_patient_is_the_real_film(made):
    for index in range(12):
        film = made._whole.image(int(made._film[index]), 96)
        assert np.array_equal(made.counterfactual(index, 96, without=ALL), film)
        if not made.labels[index].any():
            assert np.array_equal(made.image(index, 96), film)


@pytest.mark.parametrize("finding", LESIONS)
def test_every_lesion_changes_the_film_within_the_chest(folder, finding):
    made = Implants(folder, (finding,), copies=8)
    changes = [
        np.abs(made.counterfactual(i, 128, with_=(finding,)) - made.counterfactual(i, 128, without=(finding,)))
        for i in range(16)
    ]
    body = (chest(128) > 60).astype(np.uint8)
    near = cv2.dilate(body, np.ones((9, 9), np.uint8)).astype(bool)
    assert sum(change.max() > 3 for change in changes) >= 14
    for change in changes:
        assert change[~near].sum() <= 0.02 * change.sum() + 1e-3
        assert change.mean() < 25


@pytest.mark.parametrize("finding", [f for f in LESIONS if f != "Cardiomegaly"])
def test_lesions_are_denser_than_air_and_no_denser_than_the_mediastinum(folder, finding):
    made = Implants(folder, (finding,), copies=4)
    for index in range(8):
        before, after = (
            made.counterfactual(index, 128, without=(finding,)),
            made.counterfactual(index, 128, with_=(finding,)),
        )
        assert (after - before).mean() >= 0
        low, high = np.percentile(before, (1, 99))
        grown = after > before + 5
        assert not grown.any() or cv2.GaussianBlur(after, (0, 0), 3)[grown].max() < low + 1.05 * (high - low)


def test_taking_one_finding_away_leaves_the_others(made):
    index = next(i for i in range(len(made)) if {2, 4} <= set(np.flatnonzero(made.labels[i])))
    both = [f for f, has in zip(ALL, made.labels[index]) if has]
    one_by_one = made.counterfactual(index, 96, without=both[:1])
    assert not np.array_equal(one_by_one, made.image(index, 96))
    assert not np.array_equal(one_by_one, made.counterfactual(index, 96, without=both))
    assert np.array_equal(made.counterfactual(index, 96, without=both[:1], with_=()), one_by_one)


def test_a_patient_is_the_same_whatever_else_is_asked_for(folder, made):
    alone, again = Implants(folder, ("Effusion",), copies=2), Implants(folder, ALL, copies=6)
    for index in range(6):
        assert np.array_equal(made.image(index, 64), again.image(index, 64))
        assert np.array_equal(
            alone.counterfactual(index, 64, with_=("Effusion",)),
            made.counterfactual(index, 64, without=[f for f in ALL if f != "Effusion"], with_=("Effusion",)),
        )
    assert not np.array_equal(
        made.image(0, 64), Implants(folder, ALL, copies=1, seed=2).counterfactual(0, 64, with_=("Effusion",))
    )


def test_a_patient_has_the_same_lesion_at_every_size(made):
    index = int(made.annotated("Effusion")[0])
    small, large = (made.image(index, s) - made.counterfactual(index, s, without=("Effusion",)) for s in (96, 192))
    smaller = cv2.resize(large, (96, 96), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), smaller.ravel())[0, 1] > 0.95


def test_masks_are_where_the_film_changes(made):
    index = int(made.annotated("Consolidation")[0])
    mask = made.mask(index, "Consolidation", 96)
    change = np.abs(made.image(index, 96) - made.counterfactual(index, 96, without=("Consolidation",)))
    assert mask.dtype == bool and 0 < mask.mean() < 0.3 and change[mask].min() >= change[~mask].max()
    absent = int(np.flatnonzero(made.labels[:, ALL.index("Consolidation")] == 0)[0])
    assert made.mask(absent, "Consolidation", 96) is None


def test_a_film_has_one_air_space_finding_at_most(folder):
    made = Implants(folder, ("Pneumonia", "Consolidation", "Infiltration", "Effusion"), copies=20)
    counts = made.labels[:, :3].sum(axis=1)
    assert counts.max() == 1 and counts.mean() > 0.4 and set(made.family) == set(AIRSPACE)


def test_scatter_and_air_decide_how_much_a_lesion_shows():
    picture, full = chest(128).astype(np.float32), np.zeros((128, 128), np.float32)
    lungs = lung_fields(picture)
    full[30:100, 20:108] = 0.8
    change = film_with(picture, lungs, [Lesion(fill=lambda shape: full)]) - picture
    lung, heart = change[50:70, 32:45], change[50:70, 60:68]
    assert lung.mean() > 30 and abs(heart.mean()) < 8  # air is filled; the heart holds none
    half = film_with(picture, lungs, [Lesion(fill=lambda shape: full / 2)]) - picture
    assert 0.4 < half[50:70, 32:45].mean() / lung.mean() < 0.7


def test_both_lungs_are_found_on_their_sides():
    lungs = lung_fields(chest().astype(np.float32))
    assert 0.05 < lungs.left.mean() < 0.2 and 0.05 < lungs.right.mean() < 0.2
    assert lungs.extent(lungs.left)[2] <= 0.5 <= lungs.extent(lungs.right)[0]
    assert lung_fields(np.full((64, 64), 7, np.float32)) is None


def test_what_cannot_be_made_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="no film can be given Hernia"):
        Implants(folder, ("Hernia",))
    with pytest.raises(ValueError, match="copies must be at least 1"):
        Implants(folder, ALL, copies=0)
    with pytest.raises(ValueError, match="both add and take away Effusion"):
        Implants(folder, ALL, copies=1).counterfactual(0, 64, without=("Effusion",), with_=("Effusion",))
    write_folder(tmp_path, patients=5)  # one grey value: no lungs
    with pytest.raises(UnusableCollection, match="both lungs"):
        Implants(tmp_path)


def test_places_without_the_package_have_the_published_shape(folder, monkeypatch):
    monkeypatch.setattr("engine.datasets.chestxray8._packaged_boxes", list)
    made = open_collection("implants", folder, findings=("Cardiomegaly",), copies=1)
    places = made._places["Cardiomegaly"]
    assert len(places) == 1000
    low, middle, high = module.PUBLISHED["Cardiomegaly"][2]
    assert np.allclose(np.percentile([p.width for p in places], (10, 50, 90)), (low, middle, high), atol=0.02)


@needs_real
def test_most_real_films_without_findings_can_be_used():
    made = Implants(REAL, ALL, copies=1)
    assert len(made) > 300
    held = set(ChestXray8(REAL).patients[ChestXray8(REAL).split("test")])
    assert not held & set(made.patients[made.split("train")])
    changed = [
        made.image(int(i), 128) - made.counterfactual(int(i), 128, without=ALL)
        for i in np.flatnonzero(made.labels.any(axis=1))[:20]
    ]
    assert sum(np.abs(change).max() > 10 for change in changed) >= 17
