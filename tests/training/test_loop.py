"""A run can be killed, stopped, resumed and shared by several processes, and ends with the same weights."""

import json
import os
import signal

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from engine.files import unfinished
from engine.training import loop
from engine.training.loop import BEST, STATE, Machine, Recipe, Stopped, UnusableRun, best_weights, facts_of, run, shard

CPU = Machine("cpu")


class Line(Recipe):
    """Fits a line, by Adam, to points that depend on (seed, step) only."""

    def __init__(self, steps=6, validate_every=2, seed=1, inputs=3, rate=0.1, scores=None):
        self.seed, self.steps, self.validate_every, self.rate = seed, steps, validate_every, rate
        torch.manual_seed(seed)
        self.line = nn.Linear(inputs, 1)
        self.optimiser = torch.optim.Adam(self.line.parameters(), lr=rate)
        self.scores = scores
        self.before_step = lambda step: None

    def modules(self):
        return {"line": self.line}

    def optimisers(self):
        return {"line": self.optimiser}

    def settings(self):
        return {"rate": self.rate}

    def step(self, step, fabric):
        self.before_step(step)
        x = torch.from_numpy(self.draw("points", step).normal(size=(8, self.line.in_features)).astype(np.float32))
        self.optimiser.zero_grad()
        loss = (self.line(x)[:, 0] - x.sum(dim=1) - 1).square().mean()
        fabric.backward(loss)
        self.optimiser.step()
        return {"square": float(loss.detach())}

    def validate(self, fabric):
        if self.scores:
            return {"score": self.scores.pop(0)}
        return {"score": -float((self.line.weight - 1).square().sum().detach())}

    def weights_to_keep(self):
        return {f"line.{key}": value for key, value in self.line.state_dict().items()}


def trained(recipe, folder, **options):
    return run(recipe, folder, CPU.fabric(folder), **options)


def weights(recipe):
    return {key: value.clone() for key, value in recipe.line.state_dict().items()}


class Killed(BaseException):
    """Stands for the moment at which a process is gone: nothing is saved on the way out."""


def killed_before(step):
    def before(now):
        if now == step:
            raise Killed

    return before


def test_the_same_seed_gives_the_same_weights(tmp_path):
    first, second, other = Line(), Line(), Line(seed=2)
    for name, recipe in (("a", first), ("b", second), ("c", other)):
        trained(recipe, tmp_path / name)
    assert torch.equal(first.line.weight, second.line.weight)
    assert not torch.equal(first.line.weight, other.line.weight)


def test_random_numbers_depend_on_seed_stream_and_step_and_on_nothing_else():
    recipe = Line()
    first = recipe.draw("critic 1", 5).random(4)
    recipe.draw("critic 0", 5).random(100)
    assert np.array_equal(recipe.draw("critic 1", 5).random(4), first)
    for other in (recipe.draw("critic 2", 5), recipe.draw("critic 1", 6), Line(seed=2).draw("critic 1", 5)):
        assert not np.array_equal(other.random(4), first)


@pytest.mark.parametrize("moment", [1, 3, 5])
def test_a_killed_run_resumes_to_the_weights_of_one_that_was_not(tmp_path, moment):
    whole, broken, resumed = Line(), Line(), Line()
    best = trained(whole, tmp_path / "whole")
    broken.before_step = killed_before(moment)
    with pytest.raises(Killed):
        trained(broken, tmp_path / "broken", save_every_s=0)
    assert facts_of(tmp_path / "broken")["step"] == moment
    assert trained(resumed, tmp_path / "broken", resume=True) == best
    assert all(torch.equal(value, weights(whole)[key]) for key, value in weights(resumed).items())
    for key, value in best_weights(tmp_path / "whole").items():
        assert torch.equal(best_weights(tmp_path / "broken")[key], value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_saves_and_says_how_to_go_on(tmp_path, number):
    stopped, resumed, whole = Line(), Line(), Line()
    handler = signal.getsignal(number)
    stopped.before_step = lambda step: os.kill(os.getpid(), number) if step == 2 else None
    with pytest.raises(Stopped, match="stopped after step 3; --resume goes on from there"):
        trained(stopped, tmp_path / "run")
    assert signal.getsignal(number) is handler
    assert facts_of(tmp_path / "run")["step"] == 3
    trained(resumed, tmp_path / "run", resume=True)
    trained(whole, tmp_path / "whole")
    assert torch.equal(resumed.line.weight, whole.line.weight)


def test_a_finished_run_that_is_resumed_changes_nothing(tmp_path):
    best = trained(Line(), tmp_path)
    state = (tmp_path / STATE).read_bytes()
    assert trained(Line(), tmp_path, resume=True) == best
    assert (tmp_path / STATE).read_bytes() == state


def test_a_run_has_ended_at_its_last_step_or_when_its_patience_is_over(tmp_path):
    assert not loop.ended_in(Line(), tmp_path / "none")
    loop.train_in(Line(steps=4), tmp_path / "run", CPU)
    assert loop.ended_in(Line(steps=4), tmp_path / "run") and not loop.ended_in(Line(steps=6), tmp_path / "run")
    loop.train_in(Line(steps=6), tmp_path / "run", CPU)  # goes on
    assert facts_of(tmp_path / "run")["step"] == 6
    tired = Line(steps=20, validate_every=1, scores=[0.9, 0.1, 0.1, 0.1])
    tired.patience = 2
    loop.train_in(tired, tmp_path / "tired", CPU)
    assert facts_of(tmp_path / "tired")["step"] == 3 and loop.ended_in(tired, tmp_path / "tired")


def test_a_finished_run_can_be_given_more_steps(tmp_path):
    longer, whole = Line(steps=10), Line(steps=10)
    trained(Line(steps=6), tmp_path / "run")
    trained(longer, tmp_path / "run", resume=True)
    trained(whole, tmp_path / "whole")
    assert torch.equal(longer.line.weight, whole.line.weight)


class Clock:
    """A clock that a test sets; `time.sleep` and the rest stay."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


def test_a_training_ends_when_its_minutes_are_over_with_a_validation_and_can_be_given_more(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)

    def a_minute_each(step):
        clock.now += 60

    short, again, longer, whole = (Line(steps=8, validate_every=8) for _ in range(4))
    for recipe in (short, again, longer):
        recipe.before_step = a_minute_each
    best = trained(short, tmp_path / "run", minutes=3)
    assert (facts_of(tmp_path / "run")["step"], facts_of(tmp_path / "run")["seconds"]) == (3, 180)
    assert best["step"] == 3 and torch.equal(best_weights(tmp_path / "run")["line.weight"], short.line.weight)
    assert trained(again, tmp_path / "run", resume=True, minutes=3) == best and clock.now == 180
    trained(longer, tmp_path / "run", resume=True, minutes=100)
    trained(whole, tmp_path / "whole")
    assert torch.equal(longer.line.weight, whole.line.weight)


def test_resuming_where_nothing_was_begun_begins(tmp_path):
    assert trained(Line(), tmp_path, resume=True)["step"] > 0


def test_the_best_validation_is_kept_and_not_the_last(tmp_path):
    recipe, seen = Line(scores=[0.2, 0.9, 0.5]), {}
    recipe.before_step = lambda step: seen.setdefault(step, weights(recipe))
    assert trained(recipe, tmp_path) == {"score": 0.9, "step": 4}
    assert torch.equal(best_weights(tmp_path)["line.weight"], seen[4]["weight"])
    assert not torch.equal(best_weights(tmp_path)["line.weight"], recipe.line.weight)


def test_a_run_is_not_begun_where_one_is(tmp_path):
    trained(Line(), tmp_path)
    with pytest.raises(UnusableRun, match="add --resume to go on with it, or choose another folder"):
        trained(Line(), tmp_path)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Line(seed=2), "was started with seed 1, not 2"),
        (Line(rate=0.5), "was started with another rate"),
        (Line(inputs=4), "made with other settings"),
    ],
)
def test_a_run_does_not_resume_with_another_seed_or_settings(tmp_path, other, words):
    trained(Line(), tmp_path)
    with pytest.raises(UnusableRun, match=words) as refused:
        trained(other, tmp_path, resume=True)
    assert "\n" not in str(refused.value)


def test_a_setting_that_makes_no_difference_may_be_another_on_resuming(tmp_path):
    trained(Line(steps=4), tmp_path)
    other = Line(steps=6, rate=0.5)
    other.indifferent = ("rate",)
    trained(other, tmp_path, resume=True)


def test_a_run_saved_before_settings_were_kept_still_resumes(tmp_path):
    trained(Line(steps=4), tmp_path)
    tensors, facts = safetensors.torch.load_file(tmp_path / STATE), facts_of(tmp_path)
    del facts["settings"]
    safetensors.torch.save_file(tensors, tmp_path / STATE, metadata={"facts": json.dumps(facts)})
    trained(Line(steps=6), tmp_path, resume=True)


@pytest.mark.parametrize(("sizes", "fits"), [({"width": 4}, True), ({"width": 8}, False)])
def test_a_run_of_before_a_size_came_into_being_still_resumes(tmp_path, sizes, fits):
    first, later = Line(steps=4), Line(steps=6)
    first.settings = lambda: {"architecture": sizes}
    later.settings = lambda: {"architecture": {"width": 4, "spatial": 7}}
    trained(first, tmp_path)
    if fits:
        trained(later, tmp_path, resume=True)
    else:
        with pytest.raises(UnusableRun, match="another architecture"):
            trained(later, tmp_path, resume=True)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-7], lambda data: b"\x00" * len(data)])
def test_a_damaged_state_is_refused_in_a_sentence(tmp_path, damage):
    trained(Line(), tmp_path)
    (tmp_path / STATE).write_bytes(damage((tmp_path / STATE).read_bytes()))
    with pytest.raises(UnusableRun, match="damaged"):
        trained(Line(), tmp_path, resume=True)


@pytest.mark.parametrize("file", [STATE, BEST])
def test_a_write_that_fails_leaves_the_earlier_file_whole(tmp_path, file, monkeypatch):
    trained(Line(steps=2), tmp_path)
    before = (tmp_path / file).read_bytes()

    def cut_off(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.files.os.fsync", cut_off)
    with pytest.raises(OSError, match="The disk is full"):
        trained(Line(steps=8, scores=[9.0, 9.5, 9.9]), tmp_path, resume=True)
    assert (tmp_path / file).read_bytes() == before
    assert facts_of(tmp_path)["step"] == 2 and not [path for path in tmp_path.iterdir() if unfinished(path)]


def test_seconds_of_a_resumed_run_are_those_of_both_parts(tmp_path):
    trained(Line(steps=2), tmp_path)
    first = facts_of(tmp_path)["seconds"]
    trained(Line(steps=4), tmp_path, resume=True)
    assert facts_of(tmp_path)["seconds"] > first > 0


def test_what_is_logged_can_be_read_back(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(Line(), tmp_path)
    events = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert {"loss/square", "validation/score"} <= {*events.Tags()["scalars"]}
    assert [event.step for event in events.Scalars("validation/score")] == [1, 3, 5]


class Several:
    """What `shard` asks of a fabric."""

    def __init__(self, rank, size):
        self.global_rank, self.world_size = rank, size


def test_shards_are_equal_and_make_up_the_batch():
    batch = np.arange(12)
    for size in (1, 2, 3, 4):
        parts = [batch[shard(12, Several(rank, size))] for rank in range(size)]
        assert len({len(part) for part in parts}) == 1
        assert np.array_equal(np.concatenate(parts), batch)
    with pytest.raises(ValueError, match="a batch of 5 cannot be shared by 2 processes"):
        shard(5, Several(0, 2))
