"""python -m engine index: an index that the app opens, and one sentence for what cannot be indexed."""

import subprocess
import sys

import pytest

from engine.similar.index import open_index
from tests.places import ROOT
from tests.tiny_checkpoints import tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "attri-net-one"
    tiny(folder)
    return folder


def run(*words, cwd):
    command = [sys.executable, "-m", "engine", "index", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=None, check=False)


def test_it_writes_an_index_and_says_what_it_holds(checkpoint, tmp_path):
    done = run(
        "--checkpoint",
        checkpoint,
        "--data",
        "phantom",
        "--option",
        "count=60",
        "--most",
        5,
        "--out",
        tmp_path,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.iterdir()
    index = open_index(folder)
    assert len(index) == 5 and "5 cases of" in done.stdout and index.collection == "phantom"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--data", "phantom", "--split", "dev"), "split is one of"),
        (("--data", "stroke_phantom"), "learns from single pictures"),
        (("--data", "vagan_synthetic"), "is labelled for none"),
    ],
)
def test_what_cannot_be_indexed_is_said_in_a_sentence(checkpoint, tmp_path, words, sentence):
    done = run("--checkpoint", checkpoint, *words, "--out", tmp_path, cwd=ROOT)
    assert done.returncode != 0 and sentence in done.stderr and "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())
