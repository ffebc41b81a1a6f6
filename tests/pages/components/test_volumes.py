"""A method of volumes on the Explain page: asked once for the whole volume, shown slice by slice, as it
declares itself.
"""

from dataclasses import replace

import numpy as np
import pytest

from engine import registry
from engine.preprocessing import plane_at
from engine.registry import open_model, register
from engine.scan import frame
from pages.components import common, volumes, words
from pages.components.explaining import explaining
from pages.components.shelf import Entry, OpenScan
from tests.contract.scans import SLICES, scan_for
from tests.contract.volume_method import FINDINGS, VolumeMethod


@pytest.fixture
def checkpoint(tmp_path):
    register(VolumeMethod)
    volumes._cache.clear()
    yield VolumeMethod().tiny(tmp_path / "tiny")
    del registry._methods[VolumeMethod.name]


class Counted:
    """The model in this process, and how often it was asked."""

    def __init__(self, checkpoint):
        self.model, self.asked = open_model(checkpoint, "cpu"), 0

    def explain(self, scan, progress=None):
        self.asked += 1
        return [record.without_pictures() for record in self.model.explain(scan, progress=progress)]


def test_a_record_of_a_volume_shows_what_lies_on_a_slice(checkpoint):
    scan = scan_for(VolumeMethod(), 40, 48)
    for record in open_model(checkpoint, "cpu").explain(scan):
        for index in range(SLICES):
            flat = volumes.at_slice(record, index, SLICES)
            assert np.array_equal(flat.evidence, plane_at(record.evidence, index, SLICES))
            assert flat.path.changes.shape == (3, 8, 8) and flat.attribution is None
            assert np.array_equal(flat.path.probabilities, record.path.probabilities)


def test_the_page_asks_once_for_all_slices_and_shows_maps_on_each_of_them(checkpoint, monkeypatch):
    opened = OpenScan("a", scan_for(VolumeMethod(), 40, 48))
    model = Counted(checkpoint)
    monkeypatch.setattr(common, "model_of", lambda checkpoint, device: model)
    shown, keys = [], set()
    for index in range(SLICES):
        key, work = explaining(opened, frame(opened.scan, index), checkpoint, "cpu")
        keys.add(key)
        shown.append(work(lambda done, every: None))
    assert model.asked == 1 and len(keys) == 1
    records = {r.finding: r for r in model.model.explain(opened.scan)}
    for explained in shown:
        assert {view.name for view in explained.findings} == {*FINDINGS}
        for view in explained.findings:
            assert view.sequential and view.of_volume
            assert np.array_equal(view.evidence, records[view.name].evidence)
            assert np.allclose(view.changes, records[view.name].path.changes[-1], atol=1e-3)


def test_the_sentence_of_a_volume_names_the_slice_with_the_strongest_evidence(checkpoint):
    scan = scan_for(VolumeMethod(), 40, 48)
    records = [replace(r, probability=0.9) for r in open_model(checkpoint, "cpu").explain(scan)]
    for record in records:
        view = volumes.finding_view(record, scan, (), True, False)
        depth = int(np.argmax(record.evidence.max(axis=(1, 2))))
        shown = [k for k in range(SLICES) if depth / 3 <= (k + 0.5) / SLICES <= (depth + 1) / 3]
        assert any(f"strongest on slice {k + 1} of {SLICES}" in view.sentence for k in shown)
        assert ("changed at a = 1" in dict(view.facts)) and "of the volume" in dict(view.facts)["changed at a = 1"]


def test_a_checkpoint_of_volumes_takes_volumes_of_its_kind_only(checkpoint):
    assert common.takes(checkpoint, "CT", 40) and volumes.explains_whole(checkpoint)
    assert not common.takes(checkpoint, "CT", 1) and not common.takes(checkpoint, "MR", 40)
    assert words.made_for(common.kinds_of(checkpoint), True) == "CT volumes"
    assert words.made_for(("radiograph", "unknown"), False) == "radiographs"


def test_the_thumbnail_of_a_volume_knows_how_many_slices_there_are():
    entry = Entry("a", "a")
    entry.open(OpenScan("a", scan_for(VolumeMethod(), 40, 48, spacing_mm=(2, 1, 1), affine=np.diag([2.0, 1, 1, 1]))))
    assert entry.opened().scan.spacing_mm == (2, 1, 1) and entry.opened().scan.affine[0, 0] == 2
    assert entry.small.slices == entry.opened().slices == SLICES and entry.small.scan.pixels.ndim == 2
