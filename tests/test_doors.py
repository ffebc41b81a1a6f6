"""What a command is to write is looked at before the work: names, folders, findings that make file names, and a disk
that fills up.
"""

import errno
import json
import os
import re

import cv2
import numpy as np
import onnx
import pytest

from engine import files
from engine.methods.onnx.tiny import CARD, network
from tests.places import ROOT

FINDINGS = ["A+", "A-"]


@pytest.fixture
def film(tmp_path):
    cv2.imwrite(str(tmp_path / "film.png"), np.random.default_rng(0).integers(0, 256, (50, 40)).astype(np.uint8))
    return tmp_path / "film.png"


@pytest.fixture
def adopted(tmp_path, engine):
    onnx.save(network(outputs=2), tmp_path / "theirs.onnx")
    (tmp_path / "card.json").write_text(json.dumps({**CARD, "findings": FINDINGS}))
    code, _, err = engine(
        "adopt",
        tmp_path / "theirs.onnx",
        "--card",
        tmp_path / "card.json",
        "--name",
        "theirs",
        "--out",
        tmp_path / "out",
    )
    assert code == 0, err
    return tmp_path / "out" / "theirs"


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "", ".hidden", "x" * 81, "a b", "é", "a\nb"])
@pytest.mark.parametrize(
    "command", [["train", "attri_net", "--data", "phantom"], ["adopt", "file.onnx", "--card", "card.json"]]
)
def test_a_name_that_is_a_path_is_refused_before_anything_is_made(command, name, engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = engine(*command, "--name", name, "--out", tmp_path / "out")
    assert code == 1 and "letters, digits, dots" in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--out", "--json"])
def test_a_name_that_no_disk_takes_is_refused_before_the_work(option, engine, film, adopted, tmp_path):
    given = {"--out": tmp_path / "why", "--json": tmp_path / "rows.json"} | {option: tmp_path / ("n" * 300)}
    words = [word for pair in given.items() for word in pair]
    code, out, err = engine("explain", film, "--checkpoint", adopted, *words)
    assert code == 1 and "at most 255" in err and err.count("\n") == 1 and not out
    assert not (tmp_path / "why").exists()


def test_the_longest_name_that_a_disk_takes_is_written(engine, film, adopted, tmp_path):
    code, _, err = engine(
        "explain",
        film,
        "--checkpoint",
        adopted,
        "--out",
        tmp_path / ("o" * 255),
        "--json",
        tmp_path / ("n" * 250 + ".json"),
    )
    assert code == 0, err
    assert json.loads((tmp_path / ("n" * 250 + ".json")).read_text())["rows"]


def test_findings_that_differ_in_a_sign_have_files_of_their_own(engine, film, adopted, tmp_path):
    code, _, err = engine("explain", film, "--checkpoint", adopted, "--out", tmp_path / "why")
    assert code == 0, err
    stems = files.file_stems(FINDINGS)
    for finding in FINDINGS:
        assert (tmp_path / "why" / f"{stems[finding]}.npz").is_file() and (
            tmp_path / "why" / f"{stems[finding]}_evidence.png"
        ).is_file()
    code, _, err = engine("explain", film, "--checkpoint", adopted, "--out", tmp_path / "one", "--finding", "A-")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(
        [f"{stems['A-']}.npz", f"{stems['A-']}_evidence.png", "explanation.json"]
    )


@pytest.fixture
def full(monkeypatch):
    """full(n): the n-th file that is written, counted from 0, and all after it find no room."""

    def at(count):
        calls, kept = iter(range(10_000)), os.fsync

        def limited(fd):
            if next(calls) >= count:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            kept(fd)

        monkeypatch.setattr(os, "fsync", limited)

    return at


@pytest.mark.parametrize("count", range(5))
def test_explaining_onto_a_full_disk_is_one_sentence_and_leaves_nothing(count, full, engine, film, adopted, tmp_path):
    full(count)
    code, out, err = engine("explain", film, "--checkpoint", adopted, "--out", tmp_path / "new" / "why")
    assert code == 1 and err.startswith("engine: The disk is full") and err.count("\n") == 1 and not out
    assert not (tmp_path / "new").exists()


def test_an_explanation_that_stood_there_is_not_mixed_with_the_next(full, engine, film, adopted, tmp_path):
    why = tmp_path / "why"
    assert engine("explain", film, "--checkpoint", adopted, "--out", why)[0] == 0
    before = {path.name: path.read_bytes() for path in why.iterdir()}
    full(2)
    assert engine("explain", film, "--checkpoint", adopted, "--out", why)[0] == 1
    assert {path.name: path.read_bytes() for path in why.iterdir()} == before


def test_a_picture_that_cannot_be_encoded_is_said(engine, film, adopted, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, None))
    code, _, err = engine("explain", film, "--checkpoint", adopted, "--out", tmp_path / "why")
    assert code == 1 and "cannot be written as PNG" in err and not (tmp_path / "why").exists()


@pytest.mark.parametrize("count", range(3))
def test_a_checkpoint_or_a_caution_on_a_full_disk_leaves_what_was_there(count, full, engine, adopted, tmp_path):
    def folder():
        return {
            str(path.relative_to(tmp_path)): path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()
        }

    before = folder()
    full(count)
    code, _, err = engine(
        "adopt",
        tmp_path / "theirs.onnx",
        "--card",
        tmp_path / "card.json",
        "--name",
        "second",
        "--out",
        tmp_path / "out",
    )
    assert code == 1 and "The disk is full" in err and err.count("\n") == 1 and folder() == before
    if count < 2:
        full(count)
        code, _, err = engine("caution", adopted, "Shows little.")
        assert code == 1 and "The disk is full" in err and err.count("\n") == 1 and folder() == before


def test_a_caution_is_written_and_taken_back(engine, adopted):
    before = (adopted / "config.json").read_bytes(), (adopted / "card.md").read_bytes()
    assert engine("caution", adopted, "Shows little.")[0] == 0
    assert "Shows little." in (adopted / "card.md").read_text()
    assert engine("caution", adopted, "")[0] == 0
    assert ((adopted / "config.json").read_bytes(), (adopted / "card.md").read_bytes()) == before
    assert sorted(path.name for path in adopted.iterdir()) == [
        "card.md",
        "config.json",
        "metrics.json",
        "weights.safetensors",
    ]
    assert [path.name for path in adopted.parent.iterdir()] == ["theirs"]


def test_nothing_in_the_engine_writes_a_file_but_through_one_door():
    """`engine.files` is the one place that opens a file to write; whatever else does is not whole when it is killed."""
    root = ROOT / "engine"
    writes = re.compile(
        r"\.write_text\(|\.write_bytes\(|imwrite\(|save_file\(|savez?(_compressed)?\(str|\bopen\([^)]*[\"'][wax]b?[\"']"
    )
    found = {path.name for path in sorted(root.rglob("*.py")) if writes.search(path.read_text(encoding="utf-8"))}
    assert found == {"files.py", "server.py"}  # the second writes to /proc, about itself
