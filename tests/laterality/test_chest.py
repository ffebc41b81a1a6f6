"""The check of chest films: odd in the film, silent about what it does not know, and as good as its card says."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
import torch

from engine.datasets.phantom.collection import Phantom
from engine.laterality.chest import SHIPPED, ChestCheck, chest_check, is_frontal_chest, prepared, score
from engine.laterality.training import OddNetwork, middles
from engine.scan import Scan
from tests.places import REAL_SCANS

CHEST = {"BodyPartExamined": "CHEST", "ViewPosition": "PA"}


@pytest.fixture(scope="module")
def random_network():
    torch.manual_seed(3)
    return OddNetwork().eval()


def weights_of(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def test_the_app_computes_what_was_trained(random_network):
    films = np.random.default_rng(1).normal(0, 0.3, (4, 64, 64)).astype(np.float32)
    with torch.no_grad():
        theirs = random_network(torch.from_numpy(films)[:, None]).numpy()
    ours = [score(film, weights_of(random_network)) for film in films]
    assert ours == pytest.approx(theirs, abs=1e-4) and max(map(abs, ours)) > 1e-3


def test_a_mirrored_film_has_the_opposite_score(random_network):
    pixels = np.random.default_rng(2).random((200, 170)).astype(np.float32)
    weights = weights_of(random_network)
    assert score(prepared(pixels), weights) == pytest.approx(-score(prepared(pixels[:, ::-1]), weights), abs=1e-4)


def test_training_and_app_see_the_same_of_a_film():

    film = Phantom(1, seed=5, size=320).image(0)
    low, high = np.percentile(film, (1, 99))
    small = np.clip((cv2.resize(film, (128, 128), interpolation=cv2.INTER_AREA) - low) / (high - low), 0, 1)
    seen = middles(torch.from_numpy(small.astype(np.float32))[None, None])[0, 0].numpy()
    assert np.abs(seen - prepared(film)).mean() < 0.02


@pytest.mark.parametrize(
    ("kind", "tags", "shape", "known"),
    [
        ("radiograph", CHEST, (64, 64), True),
        ("radiograph", {"BodyPartExamined": "CHEST", "ViewPosition": "AP"}, (64, 64), True),
        ("radiograph", {"BodyPartExamined": "CHEST"}, (64, 64), True),
        ("radiograph", {"BodyPartExamined": "CHEST", "ViewPosition": "LL"}, (64, 64), False),
        ("radiograph", {"BodyPartExamined": "CHEST", "ViewPosition": "LATERAL"}, (64, 64), False),
        ("radiograph", {"BodyPartExamined": "TIBIA"}, (64, 64), False),
        ("radiograph", {}, (64, 64), False),
        ("radiograph", CHEST, (3, 64, 64), False),
        ("CT", {"BodyPartExamined": "CHEST"}, (64, 64), False),
        ("unknown", {}, (64, 64), False),
    ],
)
def test_it_knows_frontal_films_of_a_chest_only(kind, tags, shape, known):
    scan = Scan.of(np.zeros(shape), kind, tags=tags)
    assert is_frontal_chest(scan) == known
    if not known:
        always = ChestCheck({}, 1e9, (1, 1, 1), (1, 1, 1), 1)
        assert always.score(scan) is None and not always.looks_mirrored(scan)


@pytest.fixture(scope="module")
def check():
    found = chest_check()
    assert found is not None, f"{SHIPPED} holds the check"
    return found


def test_what_ships_says_how_good_it_is(check):
    card = (SHIPPED / "card.md").read_text()
    for value, low, high in (check.specificity, check.sensitivity):
        assert 0 < low <= value <= high <= 1 and f"{value:.3f} | {low:.3f} to {high:.3f}" in card
    assert "python -m engine laterality" in card and "dextrocardia" in card and check.limit < 0
    assert (SHIPPED / "weights.safetensors").stat().st_size < 1 << 20


def test_a_drawn_film_and_its_like_raise_no_alarm(check):
    phantom = Phantom(12, seed=2, size=256)
    assert not any(check.looks_mirrored(Scan.of(phantom.image(k), "radiograph", tags=CHEST)) for k in range(12))
    noise = np.random.default_rng(0).random((80, 80))
    for pixels in (noise, np.ones((80, 80)), np.add.outer(np.arange(80.0), np.zeros(80))):
        assert not check.looks_mirrored(Scan.of(pixels, "radiograph", tags=CHEST)), "what has no side"


def test_the_sample_film_is_the_right_way_round_and_its_mirror_image_is_not(check):
    from pydicom.data import get_testdata_file

    from engine.scan import read_scan

    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    if path is None:
        pytest.skip("the sample film comes with pydicom-data")
    with open(path, "rb") as file:
        scan = read_scan(file.read())
    assert check.score(scan) > 0 and not check.looks_mirrored(scan)
    mirrored = Scan.of(scan.pixels[:, ::-1], scan.kind, tags=scan.tags)
    assert check.score(mirrored) == pytest.approx(-check.score(scan), abs=1e-3)


@pytest.mark.skipif(not (REAL_SCANS / "nih1000").is_dir(), reason="the films lie beside the project")
def test_real_films_are_told_from_their_mirror_images(check):
    """It was trained on these; how it does on others stands on its card."""
    folder = REAL_SCANS / "nih1000"
    with open(folder / "Data_Entry_2017_v2020.csv", newline="") as file:
        names = [row["Image Index"] for row in csv.DictReader(file)][::12]
    films = [cv2.imread(str(folder / "images" / name), cv2.IMREAD_GRAYSCALE) for name in names]
    scans = [Scan.of(film, "radiograph", tags=CHEST) for film in films if film is not None]
    scores = np.array([check.score(scan) for scan in scans])
    assert len(scores) > 50 and np.mean(scores < check.limit) <= 0.02 and np.mean(-scores < check.limit) > 0.8
