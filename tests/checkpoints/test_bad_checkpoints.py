"""A checkpoint whose configuration is wrong anywhere is refused with a sentence, and never breaks what lists it for
everybody.
"""

import copy
import json
import re
import shutil

import numpy as np
import pytest

from engine.checkpoints.format import RefusedCheckpoint, examine
from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.registry import UnsuitableScan, open_model, trained
from engine.scan import Scan
from tests.contract.test_contract import film

WRONG = (
    None,
    True,
    -1,
    0,
    3.5,
    1e308,
    "words",
    "",
    [],
    [1],
    ["words"],
    [[1]],
    {},
    {"words": 1},
    {"kind": ["words"]},
    10**400,
)
METHODS = sorted(trained())


@pytest.fixture(scope="module", params=METHODS)
def whole(request, tmp_path_factory):
    """A small checkpoint with random weights of a method."""
    return trained()[request.param].tiny(tmp_path_factory.mktemp(request.param) / "tiny").folder


def places(value, path=()):
    """Every place in a configuration; of lists the first, of objects all."""
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*path, name))


def changed(config, path, value):
    config = copy.deepcopy(config)
    part = config
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return config


def asked(folder):
    """Lists it, opens it and, where it judges scans, asks it."""
    checkpoint = examine(folder)
    json.dumps(checkpoint.config), checkpoint.identity, checkpoint.caution
    model = (
        open_model(checkpoint, "cpu")
        if hasattr(trained()[checkpoint.method], "counterfactuals")
        else trained()[checkpoint.method].open(checkpoint, "cpu")
    )
    if not hasattr(model, "probabilities"):
        return
    kind = checkpoint.config.get("data", {}).get("kind", "unknown")
    try:
        p = model.predict_proba(Scan.of(film(40, 50), kind=kind))
    except UnsuitableScan:
        return
    assert np.isfinite(p).all() and (p >= 0).all() and (p <= 1).all()


def test_whatever_is_wrong_in_a_configuration_is_one_sentence(whole, tmp_path):
    folder = tmp_path / whole.name
    shutil.copytree(whole, folder)
    config, chance = json.loads((folder / "config.json").read_text()), np.random.default_rng(0)
    asked(folder)
    refused = 0
    for path in places(config):
        for place in chance.permutation(len(WRONG))[: len(WRONG) if len(path) == 1 else 3]:
            (folder / "config.json").write_text(json.dumps(changed(config, path, WRONG[place])))
            try:
                asked(folder)
            except RefusedCheckpoint as refusal:
                refused += 1
                assert "\n" not in str(refusal) and len(str(refusal)) < 600 and str(refusal).endswith("."), (
                    path,
                    WRONG[place],
                )
            except Exception as error:
                pytest.fail(f"{'.'.join(map(str, path))} = {WRONG[place]!r:.60} let {error!r} escape")
    assert refused > 50


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": ["phantom", "radiograph"]}, "object under data"),
        ({"data": {"kind": ["radiograph"]}}, "'kind' under data as text"),
        ({"data": {"kind": "photograph"}}, "one of radiograph, CT"),
        ({"data": {"collection": None}}, "'collection' under data as text"),
        ({"data": {"options": ["count=6000"]}}, "options under data as numbers or text"),
        ({"data": {"options": {"count": [6000]}}}, "options under data as numbers or text"),
        ({"findings": [], "thresholds": {}}, "at least one finding"),
        ({"findings": [f"f{n}" for n in range(1001)]}, "at most 1000"),
        ({"findings": ["a\nb"]}, "findings as names"),
        ({"scales": {"Effusion": 0}}, "scale above 0"),
        ({"scales": [1.0]}, "object under scales"),
        ({"attributes": {"sex": "F"}}, "values of 'sex'"),
        ({"preprocessing": {"size": "96"}}, "preprocessing that is none"),
        ({"preprocessing": {"size": 96, "sharpen": 1}}, "preprocessing that is none"),
        ({"preprocessing": {"size": 96, "fixed": [1, 0]}}, "fixed grey values must rise"),
        ({"training": {"rate": 10**400}}, "too large"),
        ({"training": json.loads("[" * 12 + "]" * 12)}, "object under training"),
        ({"training": {"a": json.loads("[" * 12 + "]" * 12)}}, "nested more than 8 deep"),
    ],
)
def test_what_pages_read_of_a_configuration_is_checked_at_the_door(changes, words, tmp_path):
    folder = trained()["attri_net"].tiny(tmp_path / "tiny").folder
    config = {**json.loads((folder / "config.json").read_text()), **changes}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RefusedCheckpoint, match=words):
        examine(folder)


@pytest.mark.parametrize("fault", ["another shape", "no numbers", "whole numbers", "a spread of zero", "one number"])
def test_a_likeness_of_another_shape_is_refused(fault, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = trained()["attri_net"].tiny(tmp_path / "tiny").folder
    arrays = load_file(folder / "weights.safetensors")
    changes = {
        "another shape": {"out_of_distribution.mean": np.zeros(100, np.float32)},
        "no numbers": {
            "out_of_distribution.components": np.zeros((0, 576), np.float32),
            "out_of_distribution.spread": np.zeros(0, np.float32),
        },
        "whole numbers": {"out_of_distribution.mean": np.zeros(576, np.int32)},
        "a spread of zero": {"out_of_distribution.spread": np.zeros_like(arrays["out_of_distribution.spread"])},
        "one number": {"out_of_distribution.numbers": np.ones(1, np.float32)},
    }
    before = json.loads((folder / "config.json").read_text())["weights_sha256"]
    save_file({**arrays, **changes[fault]}, folder / "weights.safetensors")
    import hashlib

    after = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    for name in ("config.json", "card.md"):
        (folder / name).write_text(re.sub(before, after, (folder / name).read_text()))
    with pytest.raises(RefusedCheckpoint, match="holds an unusable out-of-distribution detector"):
        examine(folder)


def test_bad_checkpoints_are_listed_and_good_ones_beside_them_open(tmp_path, monkeypatch):
    for name in ("good", "bad", "worse"):
        trained()["attri_net"].tiny(tmp_path / name)
    config = json.loads((tmp_path / "bad" / "config.json").read_text())
    (tmp_path / "bad" / "config.json").write_text(json.dumps({**config, "data": ["a list"]}))
    (tmp_path / "worse" / "config.json").unlink()
    (tmp_path / "worse" / "config.json").symlink_to("config.json")
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    assert shipped() == ["bad", "good", "worse"]
    assert open_checkpoint("good").name == "good"
    for name in ("bad", "worse"):
        with pytest.raises(RefusedCheckpoint):
            open_checkpoint(name)
