"""A file that does not say what it shows is explained by the checkpoint whose detector finds it alike, and a choice
stays where it was made.
"""

import numpy as np
import pytest

from engine.checkpoints.detector import CheckpointDetector
from engine.scan import Scan
from pages.components import checkpoint_choice, detectors
from pages.components.checkpoint_choice import better, offered, standing, take
from pages.components.shelf import OpenScan
from tests.tiny_checkpoints import tiny


@pytest.fixture(scope="module")
def usable(tmp_path_factory):
    """Checkpoints of films (two), of ultrasound, and of drawn films, by name."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return [
        tiny(folder / "attri-net-films"),
        tiny(folder / "attri-net-films-again", seed=1),
        tiny(folder / "cx-gan-busi", "cx_gan", collection="busi", kind="ultrasound"),
        tiny(folder / "cx-gan-drawn", "cx_gan", collection="phantom"),
    ]


@pytest.fixture
def chosen(monkeypatch):
    state = {}
    monkeypatch.setattr(checkpoint_choice.st, "session_state", state)
    return state


def picture(seed, kind="unknown", drawn_by=""):
    return OpenScan("a", Scan.of(np.random.default_rng(seed).random((40, 40)), kind), drawn_by)


def scores(usable, **found):
    """Scores by identity: `busi=0.5` for the checkpoint of that collection, in shares of its limit; 30 for
    all others.
    """
    return {c.identity: (found.get(c.collection, 30.0), 1.0) for c in usable}


def first(opened, usable, made=None, **found):
    return standing(offered(opened, usable, scores(usable, **found)), made or {}).name


def test_among_checkpoints_for_any_picture_the_one_that_finds_it_alike_comes_first(usable):
    assert first(picture(1), usable) == "attri-net-films"
    assert first(picture(1), usable, busi=0.9) == "cx-gan-busi"
    assert first(picture(1), usable, busi=0.9, chestxray8=0.4) == "attri-net-films"
    assert first(picture(1), usable, busi=0.4, chestxray8=0.9) == "cx-gan-busi"


def test_a_kind_that_the_file_states_counts_more_than_any_detector(usable):
    assert first(picture(1, "radiograph"), usable, busi=0.1) == "attri-net-films"
    assert first(picture(1, "ultrasound"), usable, chestxray8=0.1) == "cx-gan-busi"
    assert first(picture(1, "radiograph", drawn_by="phantom"), usable, chestxray8=0.1) == "cx-gan-drawn"


def test_a_choice_for_a_picture_holds_for_it_and_for_those_found_alike_by_the_same_detector(usable, chosen):
    films, again, busi, drawn = usable
    frame_ = {"busi": 0.5}
    take(offered(picture(1), usable, scores(usable, **frame_)), again)
    made = checkpoint_choice.choices()
    assert first(picture(1), usable, made, **frame_) == again.name
    assert first(picture(2), usable, made, **frame_) == again.name  # found alike by the same detector
    assert first(picture(3), usable, made, chestxray8=0.5) == films.name
    assert first(picture(4), usable, made) == films.name
    take(offered(picture(2), usable, scores(usable, **frame_)), drawn)
    assert first(picture(1), usable, made, **frame_) == again.name  # what was chosen for this very picture stays
    assert first(picture(5), usable, made, **frame_) == drawn.name
    take(offered(picture(6), usable, scores(usable)), busi)
    assert first(picture(6), usable, made) == busi.name and first(picture(7), usable, made) == films.name


def test_a_choice_outlives_a_checkpoint_that_is_opened_later_and_finds_the_picture_alike(usable, chosen):
    films, again, _busi, _drawn = usable
    take(offered(picture(1), [films, again], scores([films, again])), again)
    assert first(picture(1), usable, checkpoint_choice.choices(), busi=0.2) == again.name


def test_what_finds_a_held_back_picture_alike_is_named(usable):
    films, _again, busi, drawn = usable
    alike = offered(picture(1), usable, scores(usable, busi=0.5))
    assert better(alike, films) == busi and better(alike, drawn) == busi and better(alike, busi) is None
    none = offered(picture(1), usable, scores(usable))
    assert better(none, films) is None and better(none, busi) is None


def test_a_detector_is_asked_once_for_each_scan_and_never_for_drawn_films(usable, monkeypatch):
    asked = []
    real = CheckpointDetector.score
    monkeypatch.setattr(CheckpointDetector, "score", lambda self, pixels: asked.append(self) or real(self, pixels))
    scan = Scan.of(np.random.default_rng(9).random((3, 40, 40)), "unknown")
    found = detectors.scores(scan, usable)
    assert {c.name for c in usable if c.identity in found} == {c.name for c in usable[:3]} and len(asked) == 3
    assert detectors.scores(scan, usable) == found == detectors.known_scores(scan.sha256) and len(asked) == 3
    detectors.measure(other := Scan.of(np.random.default_rng(10).random((40, 40)), "unknown"))
    assert {*detectors.known_scores(other.sha256)} >= {*found}
    before = len(asked)
    detectors.scores(other, usable)
    assert len(asked) == before
