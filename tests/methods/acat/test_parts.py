"""Territories by name on a scan: nearly those that the phantom was drawn with; and the tree of regions."""

import numpy as np
import pytest

from engine.datasets.head_ct import COVERED_MM
from engine.datasets.stroke_phantom import TERRITORIES
from engine.methods.acat.parts import ATTENTION, brain_of, territories_of
from engine.methods.acat.produce import tiny
from engine.preprocessing import Preprocessing
from engine.regions import strongest_places
from engine.registry import open_model
from engine.scan import Scan
from tests.datasets.test_stroke_phantom import write_atlas
from tests.methods.acat.small import heads


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    write_atlas(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTHERWISE_CACHE", str(folder / "cache"))
        yield heads(folder)


def test_the_side_of_a_territory_is_right_and_mostly_its_name(collection):
    prep, agreed = Preprocessing(32, fixed=collection.grey_range), []
    for index in range(6):
        prepared = prep.apply_volume(collection.image(index), 3)
        true, named = collection.territory_map(index), territories_of(prepared, 0.9, COVERED_MM / 3)
        assert named is not None
        both = (true > 0) & (named > 0)
        assert both.sum() > 0.5 * (true > 0).sum()
        agreed.append(float((true == named)[both].mean()))
        sides = (true[both] > 3) == (named[both] > 3)
        assert sides.mean() > 0.9
    assert np.mean(agreed) > 0.6


def test_what_holds_no_brain_has_no_territories():
    assert brain_of(np.full((3, 32, 32), 0.9, np.float32), 0.9) is None
    assert territories_of(np.full((3, 32, 32), -0.9, np.float32), 0.9, 10.0) is None


def test_an_explanation_names_territories_and_attention(collection, tmp_path):
    checkpoint = tiny(tmp_path / "tiny")
    model = open_model(checkpoint, "cpu")
    model.preprocessing = Preprocessing(16, fixed=collection.grey_range)
    scan = Scan.of(collection.image(0), kind="CT")
    (record,) = model.explain(scan)
    named = {part.name: part for part in record.regions.parts}
    assert {*ATTENTION} == {name.removesuffix(" attention") for name in named} - {*TERRITORIES}
    assert {*TERRITORIES} <= {*named} and 0 < sum(named[name].score for name in TERRITORIES) <= 1
    assert all(part.mask.shape == scan.pixels.shape for part in named.values())
    (strongest, share), *_ = strongest_places(record.regions)
    assert share == named[strongest].score == max(named[name].score for name in TERRITORIES)
