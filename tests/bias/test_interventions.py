"""The same patients otherwise: what the phantom's own structural model hands to the bias test."""

import numpy as np
import pytest

from engine.bias.interventions import Counterfactuals, StructuralInterventions, open_interventions
from engine.datasets.phantom.collection import SMALLEST, Marker, Phantom
from engine.datasets.selected_findings import SelectedFindings
from engine.datasets.two_class import TwoClass
from engine.datasets.vagan_synthetic import VAGANSynthetic


@pytest.fixture(scope="module")
def phantom():
    return Phantom(24, seed=5, size=32, marker=Marker())


@pytest.fixture(scope="module")
def found(phantom):
    return StructuralInterventions(phantom).counterfactuals(phantom, np.arange(20), "sex")


def test_the_null_intervention_is_the_film_itself_and_the_other_is_not(found):
    assert np.array_equal(found.picked(found.pictures, own=True), found.original)
    other = found.picked(found.pictures, own=False)
    assert (np.abs(other - found.original).max((1, 2)) > 1).all()


def test_what_is_known_besides_the_attribute_does_not_give_it_away(phantom):
    given = StructuralInterventions(phantom)
    z = given.counterfactuals(phantom, np.arange(6), "sex").representation
    turned = Phantom(24, seed=5, size=32, marker=Marker())
    turned.attributes["sex"] = np.where(phantom.attributes["sex"] == "F", "M", "F")
    assert np.allclose(given.counterfactuals(turned, np.arange(6), "sex").representation, z, atol=1e-2)


def test_a_marker_is_put_on_and_taken_off(phantom):
    marked = np.flatnonzero(phantom.marked)
    assert len(marked)
    found = StructuralInterventions(phantom).counterfactuals(phantom, marked, "marker")
    assert set(found.factual) == {"present"}
    changed = np.abs(found.pictures["present"] - found.pictures["absent"])[0]
    ink = phantom.marker_mask(None)
    assert changed[ink].max() > 10 and changed[~ink].max() < changed[ink].max() / 5
    plain = Phantom(3, size=32)
    with pytest.raises(ValueError, match="it can change sex, view_position"):
        StructuralInterventions(plain).counterfactuals(plain, np.arange(3), "marker")


def test_films_come_in_the_size_that_is_asked_for(phantom):
    found = StructuralInterventions(phantom).counterfactuals(phantom, np.arange(2), "sex", size=48)
    assert found.original.shape == found.pictures["F"].shape == (2, 48, 48)
    assert np.array_equal(found.original[1], phantom.image(1, 48))
    tiny = StructuralInterventions(phantom).counterfactuals(phantom, np.arange(1), "sex", size=8)
    assert tiny.original.shape == (1, SMALLEST, SMALLEST)


def test_two_classes_of_a_choice_of_findings_are_drawn_films_still(phantom):
    two = TwoClass(SelectedFindings(phantom, ("Edema", "Effusion")), "Edema", "Effusion")
    assert two.whole is phantom and open_interventions(two).name == "structural"


def test_a_choice_of_findings_leaves_the_structural_model_open(phantom):
    chosen = SelectedFindings(phantom, ("Edema",))
    told = []
    found = open_interventions(chosen, "structural").counterfactuals(
        chosen, np.arange(3), "view_position", lambda *step: told.append(step)
    )
    assert found.values == ("AP", "PA") and told == [(1, 3), (2, 3), (3, 3)]


def test_without_a_generator_only_drawn_films_can_be_changed(phantom, tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    assert open_interventions(phantom).exact
    with pytest.raises(ValueError, match="no generator trained on vagan_synthetic is installed"):
        open_interventions(VAGANSynthetic(4))
    with pytest.raises(ValueError, match="only drawn films have a structural model"):
        open_interventions(VAGANSynthetic(4), "structural")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pictures": {"F": np.zeros((3, 8, 8))}}, "for two or more values"),
        ({"pictures": {"F": np.zeros((3, 8, 8)), "M": np.zeros((3, 8, 9))}}, "pictures under sex M"),
        ({"factual": np.array(["F", "M", "X"])}, "'X'"),
        ({"representation": np.zeros((2, 4))}, r"representation must have shape \(3, k\)"),
        ({"original": np.zeros((2, 8, 8))}, "original must have shape"),
    ],
)
def test_alternatives_that_do_not_fit_together_are_refused(change, words):
    whole = {
        "attribute": "sex",
        "values": ("F", "M"),
        "factual": np.array(["F", "M", "F"]),
        "original": np.zeros((3, 8, 8)),
        "pictures": {"F": np.zeros((3, 8, 8)), "M": np.zeros((3, 8, 8))},
        "representation": np.zeros((3, 4)),
    }
    with pytest.raises(ValueError, match=words):
        Counterfactuals(**{**whole, **change})
