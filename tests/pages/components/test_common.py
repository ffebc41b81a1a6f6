"""What every page says of a job that failed, and how it calls a checkpoint."""

import json
from types import SimpleNamespace

import pytest

from engine.registry import UnsuitableScan, trained
from pages.components import common
from pages.components.common import complaint, label


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("", "at work; the log says more."),
        ("the scan is still open", "at work; the scan is still open, and the log says more."),
    ],
)
def test_a_failure_promises_only_what_the_page_has(kept, said):
    words = complaint(SimpleNamespace(error=RuntimeError("inside")), kept)
    assert words.endswith(said) and "inside" not in words


def test_a_refusal_is_told_as_it_is():
    assert complaint(SimpleNamespace(error=UnsuitableScan("one picture is needed."))) == "one picture is needed."


@pytest.mark.parametrize(
    ("method", "name", "said"),
    [
        ("cx_gan", "cx-gan-busi", "CX-GAN, BUSI"),
        ("cx_gan", "cx-gan-brain-mri-dense", "CX-GAN, brain MRI dense"),
        ("attri_net", "attri-net-nih", "Attri-Net, NIH"),
        ("attri_net", "attri-net-business", "Attri-Net, business"),
        ("attri_net", "attri-net", "Attri-Net"),
    ],
)
def test_a_checkpoint_is_called_as_people_write_it(method, name, said):
    assert label(SimpleNamespace(method=method, name=name)) == said


def test_a_bad_checkpoint_is_listed_with_its_reason_beside_good_ones(tmp_path, monkeypatch):
    for name in ("good", "bad"):
        trained()["attri_net"].tiny(tmp_path / name)
    config = json.loads((tmp_path / "bad" / "config.json").read_text())
    (tmp_path / "bad" / "config.json").write_text(json.dumps({**config, "data": ["phantom"]}))
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    bad, good = common.everything()
    assert (bad.name, bad.reason) == ("bad", "The config.json of bad must hold an object under data.")
    assert common.usable() == [good] and common.kinds_of(good) and common.trained_on(good) == "phantom"


@pytest.mark.parametrize(
    ("collection", "kind", "taken"),
    [
        ("vagan_synthetic", "unknown", {"unknown"}),
        ("brain_mri", "MR", {"MR", "unknown"}),
        ("elsewhere", "unknown", {"CT", "MR", "unknown"}),
    ],
)
def test_drawn_pictures_of_nothing_in_particular_are_no_training_for_scans_of_a_scanner(collection, kind, taken):
    config = {"data": {"collection": collection, "kind": kind}}
    checkpoint = SimpleNamespace(method="cx_gan", collection=collection, config=config)
    assert {k for k in ("CT", "MR", "unknown") if common.takes(checkpoint, k, 1)} == taken
