"""The real recipe: what a batch holds, what each step changes, and that kills, restarts and processes leave
no trace.
"""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch

from engine.datasets.guidance import Guidance
from engine.datasets.phantom.collection import Marker, Phantom
from engine.methods.attri_net.train import PRESETS, AttriNetRecipe, Preset
from engine.training.loop import STATE, Machine, UnusableRun, facts_of, run
from engine.training.presets import with_changes
from tests.methods.attri_net.small import PATIENTS, SCHEDULE, SMALL, DrawnOnce, beginning, patients, preset, recipe
from tests.places import ROOT


@pytest.fixture(scope="module")
def fabric(tmp_path_factory):
    return Machine("cpu").fabric(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return beginning(tmp_path_factory.mktemp("start") / "tiny")


def begun(start, guidance=None, **changes):
    made = recipe(guidance, **changes)
    made.start_from(start.weights())
    return made


def state_of(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def changed(module, before):
    return {key for key, value in module.state_dict().items() if not torch.equal(value, before[key])}


def test_a_batch_holds_positives_and_negatives_of_the_finding_that_its_task_names(fabric):
    made = recipe(pairs=6, findings_at_once=3)
    chosen = []
    films = made.films.batch
    made.films.batch = lambda indices: chosen.append(np.array(indices)) or films(indices)
    for step in range(4):
        chosen.clear()
        batch = made.batch("generator", step, fabric)
        negatives, positives = chosen
        labels, task = made.collection.labels, batch.task.numpy()
        assert (labels[negatives, task] == 0).all() and (labels[positives, task] == 1).all()
        assert {*negatives, *positives} <= {*made.collection.split("train")}
        assert sorted(task) == sorted([(3 * step + k) % 5 for k in (0, 1, 2)] * 2)
        assert batch.negative.shape == batch.positive.shape == (6, 1, 32, 32)
        assert batch.positive.abs().max() <= made.preset.value_range + 1e-6


def test_one_step_of_the_papers_schedule_visits_every_finding(fabric):
    made = AttriNetRecipe(patients(), Preset(architecture=preset().architecture))
    critics = [made.batch(f"critic {k}", 7, fabric).task for k in range(made.preset.critic_steps)]
    assert {int(task.unique()) for task in critics} == {0, 1, 2, 3, 4}


def test_pictures_without_a_known_label_are_in_neither_half(fabric):
    collection = Phantom(PATIENTS)
    collection.labels[::3] = np.nan
    made = AttriNetRecipe(collection, preset())
    for present, absent in zip(made.present, made.absent):
        assert not {*present, *absent} & {*range(0, PATIENTS, 3)}


def test_a_batch_is_the_same_whatever_was_drawn_before(fabric):
    made = recipe()
    first = made.batch("critic 1", 3, fabric)
    made.batch("critic 0", 2, fabric)
    again = made.batch("critic 1", 3, fabric)
    assert torch.equal(first.positive, again.positive) and torch.equal(first.negative, again.negative)
    assert not torch.equal(first.positive, made.batch("critic 1", 4, fabric).positive)


def test_a_step_moves_every_part_and_the_average_follows(fabric, start):
    made = begun(start)
    before = {name: state_of(module) for name, module in made.modules().items()}
    losses = made.step(0, fabric)
    assert set(losses) == {"critic", "adversarial", "classification", "sparsity", "centres"}
    assert all(np.isfinite(value) for value in losses.values())
    for name, module in made.modules().items():
        assert len(changed(module, before[name])) > 0.9 * len(before[name]), name
    for key, value in made.average.state_dict().items():
        expected = (
            0.1 * before["average"][key] + 0.9 * made.net.state_dict()[key]
        )  # decay (1 + 0) / (10 + 0) at the start
        assert torch.allclose(value, expected, atol=1e-6), key


def test_each_optimiser_moves_its_own_part_only(fabric, start):
    made = begun(start)
    before = {name: state_of(module) for name, module in made.modules().items()}
    made._critic_step(made.batch("critic 0", 0, fabric), 0, 0, fabric, made.optimisers()["critic"])
    assert not changed(made.net, before["net"]) and changed(made.critic, before["critic"])
    critic = state_of(made.critic)
    made._classifier_step(made.batch("classifier 1", 0, fabric), fabric, made.optimisers()["classifiers"])
    assert changed(made.net, before["net"]) == {"classifiers.weight", "classifiers.bias"}
    made._generator_step(made.batch("generator", 0, fabric), 0, fabric, made.optimisers())
    assert not changed(made.critic, critic)
    assert {key.split(".")[0] for key in changed(made.net, before["net"])} == {"generator", "classifiers", "centres"}
    assert all(parameter.requires_grad for parameter in (*made.net.parameters(), *made.critic.parameters()))


def test_the_critic_learns_to_tell_negatives_from_counterfactuals(fabric, start):
    made = begun(start, learning_rate=3e-3)
    batch = made.batch("critic 0", 0, fabric)
    scores = [made._critic_step(batch, 0, 0, fabric, made.optimisers()["critic"]) for _ in range(25)]
    assert np.mean(scores[-5:]) < np.mean(scores[:5]) - 0.05


def test_classifiers_learn_from_the_maps(fabric, start):
    made = begun(start, classifier_rate=0.3)
    maps, task = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)), torch.zeros(8, dtype=torch.long)
    present = torch.tensor([0, 1] * 4)
    maps[present == 1] -= 0.3
    for _ in range(60):
        made._classify(maps, task, present, fabric, made.optimisers()["classifiers"])
    assert torch.equal(made.net.classifiers(maps, task) > 0, present.bool())


def test_guidance_pulls_the_maps_of_positives_inside_their_masks(fabric, start):
    class LeftHalf:
        name = "left half"

        def annotated(self, finding):
            return ()

        def mask(self, index, finding, size):
            mask = np.zeros((size, size), np.float32)
            mask[:, : size // 2] = 1
            return mask

    made = begun(
        start, guidance=LeftHalf(), learning_rate=3e-3, lambda_cl=0.0, lambda_ad=0.0, lambda_re=0.0, lambda_ct=0.0
    )
    batch = made.batch("generator", 0, fabric)
    outside = [made._generator_step(batch, 0, fabric, made.optimisers())["guidance"] for _ in range(12)]
    assert outside[-1] < 0.8 * outside[0]


def test_annotated_pictures_are_drawn_as_often_as_asked_and_masks_move_with_their_pictures(fabric):
    made = recipe(Guidance(patients(), "mixed"), annotated_share=1.0)
    allowed = {finding: {*made.guidance.annotated(finding).tolist()} for finding in made.collection.findings}
    drawn = []
    films = made.films.batch
    made.films.batch = lambda indices: drawn.append(np.array(indices)) or films(indices)
    for step in range(5):
        drawn.clear()
        batch = made.batch("generator", step, fabric)
        for index, task in zip(drawn[1], batch.task.tolist()):
            own = allowed[made.collection.findings[task]]
            assert index in own or not own
        assert batch.guidance.shape == batch.positive.shape and batch.guidance.min() >= 0 and batch.guidance.max() <= 1
    assert made.batch("critic 0", 0, fabric).guidance is None


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.checkpoints.resolve import open_checkpoint
from engine.training.loop import Machine, run
from tests.methods.attri_net.small import recipe
made, folder = recipe(), Path(sys.argv[1])
made.start_from(open_checkpoint(sys.argv[2]).weights())
step = made.step
made.step = lambda now, fabric: os.kill(os.getpid(), signal.SIGKILL) if now == 3 else step(now, fabric)
run(made, folder, Machine("cpu").fabric(folder), save_every_s=0)
"""


def elsewhere(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=280
    )


def test_a_run_ended_by_sigkill_resumes_to_the_same_weights(tmp_path, start):
    ended = elsewhere("-c", KILLED, tmp_path / "killed", start.folder)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert facts_of(tmp_path / "killed")["step"] == 3
    resumed, whole = begun(start), begun(start)
    for made, folder in ((resumed, "killed"), (whole, "whole")):
        run(made, tmp_path / folder, Machine("cpu").fabric(tmp_path / folder), resume=True)
    for name, module in whole.modules().items():
        twin = resumed.modules()[name].state_dict()
        for key, value in module.state_dict().items():
            assert torch.equal(value, twin[key]), f"{name} {key}"


def test_two_processes_end_with_the_weights_of_one(tmp_path, start):
    """The command line starts the second process itself, shares every batch, and saves one checkpoint."""
    steps = {**SMALL, **SCHEDULE, "steps": 3, "findings_at_once": 2}
    changes = [word for name, value in steps.items() for word in ("--set", f"{name}={value}")]
    ended = elsewhere(
        "-m",
        "engine",
        "train",
        "attri_net",
        "--data",
        "phantom",
        "--option",
        f"count={PATIENTS}",
        "--device",
        "cpu",
        "--devices",
        2,
        "--name",
        "pair",
        "--runs",
        tmp_path,
        "--out",
        tmp_path / "out",
        "--start-from",
        start.folder,
        *changes,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(re.findall("^# pair", ended.stdout, re.M)) == 1  # one of the two prints the card
    assert (tmp_path / "out" / "pair" / "weights.safetensors").is_file()
    alone = AttriNetRecipe(
        patients(), with_changes(PRESETS["demo"], {name: str(value) for name, value in steps.items()})
    )
    alone.start_from(start.weights())
    run(alone, tmp_path / "alone", Machine("cpu").fabric(tmp_path / "alone"))
    together = safetensors.torch.load_file(tmp_path / "pair" / STATE)
    single = safetensors.torch.load_file(tmp_path / "alone" / STATE)
    assert together.keys() == single.keys()
    begin = start.weights()
    moved = 0.0
    for key, value in single.items():
        if key.startswith("module/"):
            assert torch.allclose(together[key], value, atol=1e-4), key
            moved = max(moved, float((value - begin.get("net." + key.removeprefix("module/net/"), value)).abs().max()))
    assert moved > 1e-3


def test_a_run_does_not_resume_with_other_settings_but_with_more_steps(tmp_path, start):
    run(begun(start, steps=1), tmp_path, Machine("cpu").fabric(tmp_path))
    with pytest.raises(UnusableRun, match="started with another learning_rate; use the same"):
        run(begun(start, steps=1, learning_rate=2e-4), tmp_path, Machine("cpu").fabric(tmp_path), resume=True)
    with pytest.raises(UnusableRun, match="started with another guidance"):
        run(
            begun(start, guidance=Guidance(patients()), steps=1), tmp_path, Machine("cpu").fabric(tmp_path), resume=True
        )
    for other in (DrawnOnce(PATIENTS, marker=Marker(text="CXR-ROOM1")), DrawnOnce(PATIENTS, seed=2)):
        marked = begun(start, steps=2)
        marked.collection = other
        with pytest.raises(UnusableRun, match=r"started with another data set \(its options, labels"):
            run(marked, tmp_path, Machine("cpu").fabric(tmp_path), resume=True)
    run(begun(start, steps=2), tmp_path, Machine("cpu").fabric(tmp_path), resume=True)
    assert facts_of(tmp_path)["step"] == 2


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_finding_that_is_never_or_always_there_is_refused_before_training(part):
    collection = Phantom(PATIENTS)
    collection.labels[collection.split(part), 2] = 0
    with pytest.raises(ValueError, match="Consolidation"):
        AttriNetRecipe(collection, preset())


def test_settings_from_the_command_line_reach_their_place_in_any_order():
    changes = {"pool": "8", "size": "32", "critic_layers": "4", "lambda_gd": "7", "rotate": "3", "steps": "5"}
    for order in (changes, dict(reversed(changes.items()))):
        made = with_changes(PRESETS["demo"], order)
        assert made.architecture.size == 32 and made.architecture.pool == 8
        assert (made.lambda_gd, made.augmentation.rotate, made.steps) == (7.0, 3.0, 5)
    assert with_changes(PRESETS["demo"], {}) == PRESETS["demo"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stepz": "4"}, "no setting is called 'stepz'; there are .*steps"),
        ({"architecture": "4"}, "no setting is called 'architecture'"),
        ({"steps": "four"}, "steps takes a number, got 'four'"),
        ({"steps": "0.5"}, "steps takes a number"),
        ({"steps": "0"}, "steps must be at least 1"),
        ({"validate_every": "-1"}, "validate_every must be at least 1"),
        ({"size": "32"}, "multiple of 4 and of pool"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_a_sentence(changes, words):
    with pytest.raises(ValueError, match=words):
        with_changes(PRESETS["demo"], changes)


def test_the_paper_preset_is_the_paper():
    paper = PRESETS["paper"]
    assert (paper.architecture.size, paper.steps, paper.pairs, paper.learning_rate, paper.critic_steps) == (
        320,
        100_000,
        4,
        1e-4,
        5,
    )
    assert (paper.lambda_cl, paper.lambda_re, paper.lambda_ct, paper.lambda_gd, paper.penalty) == (
        100,
        100,
        0.01,
        30,
        10,
    )
