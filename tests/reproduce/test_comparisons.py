"""Methods side by side: each is measured once, found again by the same code, and what is missing is said."""

from dataclasses import replace

import numpy as np
import pytest

from engine.attribution import explainer, latents, rivals
from engine.classifiers import small
from engine.datasets.phantom.collection import Phantom
from engine.datasets.selected_findings import SelectedFindings
from engine.metrics.subjects import MEAN_OVER_FINDINGS
from engine.networks.augmentation import Augmentation
from engine.ood import TENSORS
from engine.registry import method
from engine.reproduce import comparisons
from engine.reproduce.comparisons import COMPARISONS, MOST, RANDOM, compared, means, network_identity
from engine.training.loop import Machine

CPU = Machine("cpu")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two quick attribution methods on a classifier that hardly learned, and no checkpoint."""
    preset = small.Preset(size=32, steps=2, validate_every=2, batch=8, augmentation=Augmentation(rotate=0, gamma=0.1))
    monkeypatch.setitem(small.PRESETS, "demo", preset)
    monkeypatch.setitem(latents.PRESETS, "demo", latents.Preset(width=2, latent=2, steps=2, validate_every=2, batch=4))
    chosen = {name: rivals.rivals()[name] for name in ("grad_cam", "latent_shift")}
    monkeypatch.setattr(rivals, "rivals", lambda: chosen)
    monkeypatch.setattr(comparisons, "shipped", lambda: [])
    monkeypatch.setitem(MOST, "demo", 2)


@pytest.fixture
def films():
    return SelectedFindings(Phantom(count=60, size=32), ("Edema", "Effusion"))


def test_each_method_is_measured_once_and_found_again(films, tmp_path):
    steps = []
    found, missing = compared(
        "methods-phantom", "demo", films, CPU, tmp_path, True, lambda done, total: steps.append((done, total))
    )
    assert [entrant.name for entrant in found] == ["Grad-CAM", "latent shift"] and not missing
    assert steps == [(1, 2), (2, 2)]
    file = tmp_path / "methods-phantom" / "latent-shift.json"
    before = file.stat().st_mtime_ns
    again, missing = compared("methods-phantom", "demo", films, CPU, tmp_path, False)
    assert file.stat().st_mtime_ns == before and not missing
    assert [row.row() for row in again[1].rows] == [row.row() for row in found[1].rows]
    rows = means(found)
    assert {row.model for row in rows} == {"Grad-CAM", "latent shift"}
    assert RANDOM == explainer.RANDOM and not [row for row in rows if RANDOM in row.variant]
    assert {row.variant for row in rows if row.metric == "composition"} == {
        f"{MEAN_OVER_FINDINGS}, after 1 round",
        f"{MEAN_OVER_FINDINGS}, after 10 rounds",
    }
    assert len({row.about for row in rows}) == len(rows)
    assert {"road", "recovery", "hit_rate"} <= {row.metric for row in rows}
    assert not [row for row in rows if row.metric == "recovery" and row.model == "Grad-CAM"]


def test_other_code_or_other_films_are_measured_anew(films, tmp_path, monkeypatch):
    compared("methods-phantom", "demo", films, CPU, tmp_path, True)
    monkeypatch.setattr(comparisons, "_code", lambda *_: "other")
    found, missing = compared("methods-phantom", "demo", films, CPU, tmp_path, False)
    assert not found and len(missing) == 2 and all("not measured yet" in reason for reason in missing)


def test_a_classifier_that_is_not_there_is_said(films, tmp_path):
    found, missing = compared("methods-phantom", "demo", films, CPU, tmp_path, False)
    assert not found and "classifier is not trained" in missing[0]


def test_shipped_checkpoints_take_part_where_the_films_have_their_findings(monkeypatch):
    monkeypatch.undo()
    taking = {c.name for c in comparisons._checkpoints(COMPARISONS["methods-phantom"])}
    assert {"attri-net-phantom", "cx-gan-phantom", "va-gan-phantom"} <= taking
    assert not {"invariance-phantom", "attri-net-nih", "cx-gan-busi"} & taking
    assert {"attri-net-nih"} <= {c.name for c in comparisons._checkpoints(COMPARISONS["methods-implants"])}


def test_a_detector_that_is_fitted_again_makes_no_other_explainer(tmp_path):
    from engine.checkpoints.format import save_checkpoint

    made = method("attri_net").tiny(tmp_path / "tiny")
    weights = made.weights()

    def saved(name, changed):
        parts = {"method": made.method, "config": made.config, "card": made.card}
        return network_identity(save_checkpoint(tmp_path / name, weights=weights | changed, **parts))

    detector, other = f"{TENSORS}mean", sorted(name for name in weights if name.startswith("net."))[0]
    assert saved("same", {}) == saved("fitted", {detector: weights[detector] + 1})
    assert saved("again", {}) != saved("trained", {other: weights[other] + 1})


def test_every_comparison_is_of_findings_that_its_films_can_have():
    from engine.datasets.implant_lesions import LESIONS

    assert {*COMPARISONS["methods-implants"].findings} <= {*LESIONS}
    assert np.all([replace(c).note for c in COMPARISONS.values()])
