"""The worked examples of CONTRIBUTING.md work as they stand there."""

import re
import shutil
import subprocess
import sys
from importlib import import_module

import cv2
import numpy as np
import pytest

import engine.datasets
import engine.methods
import engine.metrics
from engine import discovery, registry
from engine.checkpoints import limits
from engine.datasets import registry as collections
from engine.metrics.measure import metrics
from engine.scan import Scan
from tests.places import ROOT

BLOCKS = dict(
    re.findall(
        r"^`(\S+\.py)`\n\n```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M | re.S
    )
)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The examples' files in a folder of their own, where the engine's packages look as well; nothing of them stays."""
    registry.methods(), collections.collections()  # found before the examples can be, which register below
    for path, text in BLOCKS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    for package in (engine.methods, engine.datasets, engine.metrics):
        folder = tmp_path / package.__name__.replace(".", "/")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.setattr(registry, "_methods", dict(registry._methods))
    monkeypatch.setattr(limits, "_limits", dict(limits._limits))
    monkeypatch.setattr(collections, "_registered", dict(collections._registered))
    discovery.declared.cache_clear()
    yield tmp_path
    discovery.declared.cache_clear()
    for name in [name for name in sys.modules if re.search(r"\.(brightness|two_folders|centre_distance)\b", name)]:
        del sys.modules[name]


def test_the_method_explains_a_scan(written):
    import_module("engine.methods.brightness")
    entry = registry.method("brightness")
    model = registry.open_model(entry.tiny(written / "tiny"), "cpu")
    scan = Scan.of(np.linspace(0, 255, 40 * 30, dtype=np.float32).reshape(40, 30), "radiograph")
    (record,) = model.explain(scan)
    assert record.attribution.shape == (40, 30)
    assert record.probability == pytest.approx(float(model.predict_proba(scan)[0]))


def test_the_dataset_opens_its_folder(written, tmp_path):
    import_module("engine.datasets.two_folders")
    for number in range(10):
        folder = tmp_path / "root" / ("with" if number % 2 else "without")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), np.full((20, 30), 20 * number, np.uint8))
    collection = collections.open_collection("two_folders", tmp_path / "root")
    assert collection.labels.sum() == 5 and collection.image(0, 16).shape == (16, 16)
    assert sum(len(collection.split(part)) for part in ("train", "validation", "test")) == 10
    with pytest.raises(collections.UnusableCollection):
        collections.open_collection("two_folders", tmp_path / "nothing")


def test_the_metric_measures(written):
    assert "centre_distance" in metrics() and "engine.metrics.centre_distance" not in sys.modules
    example = import_module("engine.metrics.centre_distance")
    maps, masks = np.zeros((4, 9, 9)), np.zeros((4, 9, 9), bool)
    maps[:, 4, 4], masks[:, 3:6, 3:6] = 1, True
    assert example.centre_distance(maps, masks).value == 0
    assert example.centre_distance(np.roll(maps, 3, axis=2), masks).value == pytest.approx(3 / 9)


def test_the_page_shows_what_is_installed(written):
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_file(str(written / "pages" / "findings.py"), default_timeout=120).run()
    assert not at.exception and at.title[0].value == "Findings" and at.subheader


def test_the_examples_keep_the_rules_that_they_are_shown_under(written):
    shutil.copy(ROOT / "pyproject.toml", written)
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", "--config", "pyproject.toml", *BLOCKS]
        command += ["--config", "lint.isort.known-first-party = ['engine', 'pages']"] if words == ["check"] else []
        ended = subprocess.run(command, cwd=written, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr
