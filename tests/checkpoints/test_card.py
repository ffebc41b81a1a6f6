"""A card says for whom, from what, by which command, how well, and for whom less well; without that nothing opens."""

import numpy as np
import pytest

from engine.checkpoints.card import card, chest_subgroups, metrics_of, placeholder_card
from engine.checkpoints.format import CARD_SECTIONS, RefusedCheckpoint, save_checkpoint
from engine.checkpoints.sections import read_card
from engine.datasets.collection import Collection
from engine.metrics.measure import Measure
from engine.registry import methods


class Ward(Collection):
    """Forty patients with two findings, as much of a collection as a card asks for."""

    name = "ward"
    findings = ("Edema", "Effusion")

    def __init__(self, **attributes):
        random = np.random.default_rng(0)
        self.labels = random.integers(0, 2, (40, 2)).astype(np.float32)
        self.labels[0, 0] = np.nan
        self.patients = np.array([f"{i // 2:03d}" for i in range(40)])  # two films each
        self.attributes = attributes

    def image(self, index, size=None):
        raise NotImplementedError

    def split(self, part):
        return {"train": np.arange(20), "validation": np.arange(20, 30), "test": np.arange(30, 40)}[part]


ROWS = [
    Measure("auc", "Edema", 0.8123, 0.7, 0.9, 10, chance=0.5),
    Measure("recovery", "Edema", 0.25, None, None, 4),
]


SUBGROUPS = [
    Measure("auc", "", 0.75, 0.6, 0.9, 20, chance=0.5, attribute="sex", attribute_value="F", variant="subgroup")
]


def written(subgroups=SUBGROUPS):
    parts = {
        "title": "small: a method on ward",
        "intended": "Teaching.",
        "terms": "Nobody's data.",
        "collection": Ward(),
        "seed": 42,
        "guidance": "none",
        "command": "python -m engine train",
        "hardware": "one abacus; 3 minutes for 4 steps",
        "metrics": metrics_of(Ward(), ROWS, ["Gout cannot be measured"], subgroups),
    }
    return card(**parts)


def test_a_card_has_every_section_but_the_hash():
    sections = read_card(written())
    assert {*CARD_SECTIONS} - {*sections} == {"Weights"}
    assert all(sections.values())
    assert "TODO" not in written()


def test_a_card_says_who_was_in_which_part_and_what_they_had():
    text = written()
    assert "train 20, validation 10, test 10" in text  # pictures
    assert "train 10, validation 5, test 5" in text  # patients
    assert "Seed 42" in text and "python -m engine train" in read_card(text)["Command"]
    labels = Ward().labels
    assert f"Edema {int(np.nansum(labels[:, 0]))}, Effusion {int(labels[:, 1].sum())}" in text


def test_a_card_gives_every_measure_with_its_interval_and_every_remark():
    metrics = read_card(written())["Metrics"]
    assert "| auc | Edema | 0.812 | 0.700 to 0.900 | 10 | 0.500 |" in metrics
    assert "| recovery | Edema | 0.250 | - | 4 | - |" in metrics
    assert "- Gout cannot be measured" in metrics


def test_a_card_without_subgroups_says_why():
    assert "not known" in read_card(written(subgroups=[]))["Subgroups"]


@pytest.mark.parametrize("name", sorted(methods()))
def test_a_written_card_opens_with_its_checkpoint_and_one_that_lacks_a_section_does_not(name, tmp_path):
    tiny = methods()[name].tiny(tmp_path / "tiny")
    parts = {"method": name, "config": tiny.config, "weights": tiny.weights()}
    assert tiny.sha256  # of other bytes than the next, or of the same
    saved = save_checkpoint(tmp_path / "saved", card=written(), **parts)
    assert saved.sha256 in read_card(saved.card)["Weights"]
    without = written().replace("## Subgroups", "## Something else")
    with pytest.raises(RefusedCheckpoint, match="Subgroups"):
        save_checkpoint(tmp_path / "lacking", card=without, **parts)


def test_a_draft_is_complete_and_claims_nothing():
    sections = read_card(placeholder_card())
    assert {*sections} == {*CARD_SECTIONS} - {"Weights"}
    assert all("no claim" in text for text in sections.values())


def test_subgroups_are_measured_where_both_classes_are_and_unknown_values_are_no_group():
    sex = np.array(["F", "M"] * 18 + ["", "", "", ""])
    view = np.array(["PA"] * 39 + ["AP"])  # one film is no group
    ward, indices = Ward(sex=sex, view_position=view), np.arange(40)
    rows = chest_subgroups(ward, indices, np.nan_to_num(ward.labels))
    assert [row.subject.split(" (")[0] for row in rows] == ["sex F", "sex M", "view position PA"]
    assert all(row.metric == "auc" and row.value == 1 for row in rows)
    assert rows[0].n == 18


def test_a_subgroup_that_lacks_a_class_names_the_findings_that_were_measured():
    ward = Ward(sex=np.array(["F", "M"] * 20))
    ward.labels[::2, 1] = 0
    rows = chest_subgroups(ward, np.arange(40), np.random.default_rng(1).random((40, 2)))
    assert rows[0].subject == "sex F (Edema only)" and rows[1].subject == "sex M"


def test_a_collection_without_attributes_has_no_subgroups():
    assert chest_subgroups(Ward(), np.arange(40), np.zeros((40, 2))) == []
