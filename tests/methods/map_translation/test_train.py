"""CX-GAN, whole and cascaded, and VA-GAN: every part learns, runs resume exactly, and several processes are one."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from engine.datasets.phantom.collection import Phantom
from engine.datasets.selected_findings import SelectedFindings
from engine.methods.cx_gan.network import Architecture
from engine.methods.cx_gan.train import PRESETS, CxGanRecipe, History, Preset
from engine.methods.map_translation.train import DiscrepancyRecipe
from engine.training.loop import STATE, Machine, UnusableRun, facts_of, run
from engine.training.presets import with_changes
from tests.methods.map_translation.small import RECIPES, cx_gan, pictures, va
from tests.places import ROOT

CPU = Machine("cpu")


def weights(recipe):
    return {
        f"{name}.{key}": value.clone()
        for name, module in recipe.modules().items()
        for key, value in module.state_dict().items()
    }


@pytest.mark.parametrize("name", RECIPES)
def test_every_part_that_should_learn_moves(name, tmp_path):
    recipe = RECIPES[name]()
    before = weights(recipe)
    run(recipe, tmp_path / "run", CPU.fabric(tmp_path))
    after = weights(recipe)
    still = {
        key.rsplit(".", 2)[0]
        for key in before
        if before[key].is_floating_point() and torch.equal(before[key], after[key])
    }
    learned = [key for key in before if key.endswith("weight") and not torch.equal(before[key], after[key])]
    assert len(learned) > 10 and not any("last" in key for key in still if "average" not in key), still
    assert all(torch.isfinite(value).all() for value in after.values() if value.is_floating_point())


class Killed(BaseException):
    """Stands for the moment at which a process is gone."""


@pytest.mark.parametrize("name", RECIPES)
def test_a_killed_run_that_is_resumed_ends_with_the_same_weights(name, tmp_path):
    whole = RECIPES[name]()
    run(whole, tmp_path / "whole", CPU.fabric(tmp_path))
    killed = RECIPES[name]()

    def dies(at, fabric, goes_on=killed.step):
        if at == whole.steps // 2 + 1:
            raise Killed
        return goes_on(at, fabric)

    killed.step = dies
    with pytest.raises(Killed):
        run(killed, tmp_path / "killed", CPU.fabric(tmp_path), save_every_s=0)
    again = RECIPES[name]()
    run(again, tmp_path / "killed", CPU.fabric(tmp_path), resume=True)
    expected = weights(whole)
    assert all(torch.equal(value, expected[key]) for key, value in weights(again).items())


def test_two_processes_end_with_the_weights_of_one(tmp_path):
    settings = {
        "size": 32,
        "width": 4,
        "levels": 3,
        "critic_width": 4,
        "steps": 3,
        "validate_every": 3,
        "patience": 0,
        "pairs": 4,
        "history": 3,
        "validated": 4,
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "engine",
            "train",
            "cx_gan",
            "--data",
            "vagan_synthetic",
            "--option",
            "count=100",
            "--device",
            "cpu",
            "--devices",
            "2",
            "--name",
            "pair",
            "--runs",
            str(tmp_path),
            "--out",
            str(tmp_path / "out"),
            *words,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stderr
    alone = CxGanRecipe(
        pictures(), with_changes(PRESETS["demo"], {name: str(value) for name, value in settings.items()})
    )
    run(alone, tmp_path / "alone", CPU.fabric(tmp_path / "alone"))
    together, single = (safetensors.torch.load_file(tmp_path / name / STATE) for name in ("pair", "alone"))
    assert together.keys() == single.keys()
    for key, value in single.items():
        if key.startswith("module/"):
            assert torch.allclose(together[key].float(), value.float(), atol=1e-4), key


def test_va_gan_is_not_shared_by_two_processes():
    class Two:
        world_size = 2

    with pytest.raises(ValueError, match="trains on one device"):
        va().step(0, Two())


def test_training_ends_when_patience_does(tmp_path):
    recipe = cx_gan(steps=50, validate_every=1, patience=3)
    recipe.validate = lambda fabric: {"score": 0.0}
    assert run(recipe, tmp_path / "run", CPU.fabric(tmp_path))["step"] == 1
    assert facts_of(tmp_path / "run")["step"] == 4


def test_the_cascade_leaves_its_map_alone_until_the_pairs_are_there(tmp_path):
    recipe = RECIPES["cascaded"]()
    fabric = CPU.fabric(tmp_path)
    before = {k: v.clone() for k, v in recipe.nets.abnormal_to_normal.state_dict().items()}
    recipe.step(0, fabric)
    assert all(torch.equal(v, before[k]) for k, v in recipe.nets.abnormal_to_normal.state_dict().items())
    translator = {k: v.clone() for k, v in recipe.nets.translate.state_dict().items()}
    recipe.step(5, fabric)
    assert not all(torch.equal(v, before[k]) for k, v in recipe.nets.abnormal_to_normal.state_dict().items())
    assert all(torch.equal(v, translator[k]) for k, v in recipe.nets.translate.state_dict().items())


def test_no_map_is_judged_or_given_up_before_the_cascade_has_pairs(tmp_path):
    recipe = cx_gan(cascaded=1, first_phase=0.75, steps=8, validate_every=1, patience=2)
    best = run(recipe, tmp_path / "run", CPU.fabric(tmp_path))
    assert facts_of(tmp_path / "run")["step"] == 8 and best["step"] > 6 and best["score"] > -1
    with pytest.raises(UnusableRun, match="another steps"):  # its phases are shares of all steps
        run(cx_gan(cascaded=1, first_phase=0.75, steps=16), tmp_path / "run", CPU.fabric(tmp_path), resume=True)


def test_a_cascade_whose_map_does_not_improve_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(DiscrepancyRecipe, "validate", lambda self, fabric: {"score": 0.0})
    recipe = cx_gan(cascaded=1, first_phase=0.5, steps=12, validate_every=1, patience=2)
    assert run(recipe, tmp_path / "run", CPU.fabric(tmp_path))["step"] == 7  # the first of the second phase
    assert facts_of(tmp_path / "run")["step"] == 9


def test_the_history_shows_every_second_picture_of_earlier_steps():
    history, random = History(10, 8), np.random.default_rng(0)
    first = torch.arange(10.0).view(10, 1, 1, 1).expand(10, 1, 8, 8).contiguous()
    assert torch.equal(history(first, random), first)  # it fills up first
    later = torch.full((400, 1, 8, 8), 99.0) + torch.arange(400.0).view(-1, 1, 1, 1)
    shown = history(later, random)
    old = (shown != later).flatten(1).any(1).float().mean()
    assert 0.4 < float(old) < 0.6


def test_a_history_of_nothing_shows_what_is_new():
    made = torch.rand(4, 1, 8, 8)
    assert torch.equal(History(0, 8)(made, np.random.default_rng(0)), made)


def test_batches_hold_normal_pictures_first_and_abnormal_ones_second(tmp_path):
    recipe = va()
    normal, abnormal = recipe.batch("map", 0, CPU.fabric(tmp_path))
    assert normal.shape == abnormal.shape == (4, 1, 32, 32)
    assert (
        float(abnormal[:, :, 13:19, 13:19].mean()) > float(normal[:, :, 13:19, 13:19].mean()) + 0.15
    )  # the centre square
    assert float(normal.abs().max()) <= 0.9


def test_more_than_one_finding_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="choose one with --finding"):
        CxGanRecipe(Phantom(40), Preset(architecture=Architecture(size=32, width=4, levels=3, critic_width=4)))


def test_one_finding_of_several_is_a_column_with_its_own_truth():
    whole = Phantom(20, size=64)
    one = SelectedFindings(whole, ("Effusion",))
    assert one.labels.shape == (20, 1) and np.array_equal(
        one.labels[:, 0], whole.labels[:, list(whole.findings).index("Effusion")]
    )
    index = int(np.flatnonzero(one.labels[:, 0])[0])
    assert np.array_equal(one.image(index, 64), whole.image(index, 64))
    assert not np.array_equal(one.counterfactual(index, 64, without=("Effusion",)), one.image(index, 64))
    with pytest.raises(ValueError, match="not for Gout"):
        SelectedFindings(whole, ("Gout",))


def test_validation_rewards_a_map_that_leads_to_normal(tmp_path):
    recipe, fabric = cx_gan(), CPU.fabric(tmp_path)
    untrained = recipe.validate(fabric)
    truth = {}
    for index in range(len(pictures())):
        film, normal = pictures().image(index, 32), pictures().counterfactual(index, 32, without=("Lesion",))
        truth[recipe.films.batch([index])[0, 0].numpy().tobytes()] = (
            (normal - film) * 0.9 / recipe.films.preprocessing.fixed[1]
        )

    class Knows(torch.nn.Module):
        def forward(self, x):
            known = [truth.get(one[0].numpy().tobytes(), np.zeros((32, 32), np.float32)) for one in x]
            return torch.from_numpy(np.stack(known))[:, None].float()

    recipe.average = Knows()
    recipe.reconstruction = lambda abnormal, generated_normal: abnormal
    told = recipe.validate(fabric)
    assert told["separation"] == 1 and told["left"] == 0 and told["score"] > untrained["score"]


@pytest.mark.parametrize("name", RECIPES)
def test_rates_fall_in_the_last_share_of_the_steps_only(name):
    recipe = RECIPES[name]()
    recipe.preset, recipe.steps = replace(recipe.preset, falling=0.4), 10
    full = recipe.optimisers()[next(iter(recipe.optimisers()))].param_groups[0]["lr"]
    rates = []
    for step in range(10):
        recipe.pace(step)
        rates.append(
            next(group["lr"] / full for group in recipe.optimisers()[next(iter(recipe.optimisers()))].param_groups)
        )
    assert rates == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_wasserstein_critics_learn_and_a_killed_run_goes_on_the_same(tmp_path):
    preset = replace(cx_gan().preset, wasserstein=1, critic_steps=2, steps=4)
    whole = CxGanRecipe(pictures(), preset)
    before = weights(whole)
    run(whole, tmp_path / "whole", CPU.fabric(tmp_path))
    assert not torch.equal(before["nets.normal.0.weight"], weights(whole)["nets.normal.0.weight"])
    first = CxGanRecipe(pictures(), replace(preset, steps=2))
    run(first, tmp_path / "parts", CPU.fabric(tmp_path))
    second = CxGanRecipe(pictures(), preset)
    run(second, tmp_path / "parts", CPU.fabric(tmp_path), resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole).values(), weights(second).values()))
