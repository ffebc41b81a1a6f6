"""The detector that a checkpoint carries is that of its training pictures."""

import numpy as np
import pytest

from engine.checkpoints.changes import with_detector
from engine.checkpoints.detector import CheckpointDetector
from engine.checkpoints.format import examine
from engine.checkpoints.sections import read_card
from engine.commands import detector as command
from engine.datasets import open_collection
from engine.errors import UsageError
from engine.methods.attri_net.produce import tiny
from engine.methods.cit_lr.produce import tiny as tiny_generator
from engine.networks.films import Films
from engine.ood import TENSORS, OutOfDistributionDetector
from engine.preprocessing import Preprocessing
from engine.training.detector import detector_of, detector_tensors

COUNT = 60


@pytest.fixture(scope="module")
def collection():
    return open_collection("phantom", count=COUNT)


def test_it_is_fitted_to_the_training_part_and_its_limit_to_both(collection):
    films = Films(collection, Preprocessing(32))
    training, validation = (films.batch(collection.split(part))[:, 0].numpy() for part in ("train", "validation"))
    fitted = OutOfDistributionDetector.of(training, validation)
    for made in (detector_of(films, collection), detector_tensors(training, validation)):
        assert {k: v.numpy().tolist() for k, v in made.items()} == {k: v.tolist() for k, v in fitted.tensors().items()}


def test_a_checkpoint_gets_another_detector_and_keeps_its_network(tmp_path):
    before = tiny(tmp_path / "tiny")
    network = {k: v for k, v in before.arrays().items() if not k.startswith(TENSORS)}
    tensors = OutOfDistributionDetector.of(*np.random.default_rng(5).uniform(-0.9, 0.9, (2, 40, 32, 32))).tensors()
    after = with_detector(before, tensors, "python -m engine detector tiny")
    again = with_detector(after, tensors, "python -m engine detector tiny")
    assert after.identity != before.identity and again.identity == after.identity
    assert read_card(again.card)["Command"].count("python -m engine detector tiny") == 1
    assert network and all(np.array_equal(again.arrays()[k], v) for k, v in network.items())
    asked = CheckpointDetector.of(again)
    assert asked is not None and asked.detector.limit == pytest.approx(float(tensors[TENSORS + "numbers"][1]))


def test_the_command_learns_from_the_collection_that_the_checkpoint_names(tmp_path, monkeypatch, capsys):
    folder, drawn = tiny(tmp_path / "tiny").folder, open_collection("phantom", count=COUNT)
    monkeypatch.setattr(command, "opened", lambda *_, **__: drawn)
    command.detector(str(folder))
    after = CheckpointDetector.of(examine(folder))
    assert after is not None and f"above {after.detector.limit:.2f}" in capsys.readouterr().out
    scores = [after.score(drawn.image(int(index))) for index in drawn.split("train")]
    assert np.mean([score <= limit for score, limit in scores]) >= 0.9


def test_a_checkpoint_without_a_detector_gets_none(tmp_path):
    with pytest.raises(UsageError, match="has no detector"):
        command.detector(str(tiny_generator(tmp_path / "generator").folder))
