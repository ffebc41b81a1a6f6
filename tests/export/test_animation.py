"""The moving picture of a counterfactual: there and back, endless, and nothing where there is none."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from engine.explanation import Path
from engine.export.animation import FRAMES, HOLD_MS, LARGEST_SIDE, STEP_MS, animation, at
from engine.export.forms import export
from tests.export import results


@pytest.fixture(scope="module")
def result():
    made = results.result(*results.opened(results.radiograph()))
    plain = [replace(one, path=replace(one.path, changes=30 * one.path.changes)) for one in made.explanations]
    return replace(made, explanations=tuple(plain))  # a change that every frame shows: equal frames are joined


def frames_of(data):
    with Image.open(io.BytesIO(data)) as moving:
        assert moving.format == "WEBP" and moving.info["loop"] == 0
        for k in range(moving.n_frames):
            moving.seek(k)
            moving.load()
            yield moving.info["duration"], np.asarray(moving.convert("L"), np.float32)


def test_it_goes_there_and_back_and_holds_at_both_ends(result):
    times, pictures = zip(*frames_of(animation(result, result.findings[0])), strict=True)
    assert len(pictures) > 1.5 * FRAMES and max(pictures[0].shape) <= LARGEST_SIDE * 1.1
    assert sum(times) == 2 * HOLD_MS + (2 * FRAMES - 2) * STEP_MS  # frames that are equal are joined
    height = int(len(pictures[0]) * 0.6)  # above what is written
    from_start = [np.abs(picture[:height] - pictures[0][:height]).mean() for picture in pictures]
    middle = int(np.argmax(times[1:-1])) + 1
    assert from_start[middle] > 0.9 * max(from_start) and from_start[1] < from_start[middle] / 3
    assert from_start[-1] < from_start[middle] / 3


def test_between_two_steps_it_is_between_them():
    path = Path(
        np.array([0, 0.5, 1], np.float32),
        np.array([0.9, 0.5, 0.1], np.float32),
        np.stack([np.full((2, 2), v, np.float32) for v in (0, 10, 40)]),
        100.0,
    )
    for amount, value, probability in ((0, 0, 0.9), (0.25, 5, 0.7), (0.75, 25, 0.3), (1, 40, 0.1), (1.5, 40, 0.1)):
        change, p = at(path, amount)
        assert change.shape == (2, 2) and np.allclose(change, value) and p == pytest.approx(probability)


def test_a_method_without_counterfactuals_says_so(result):
    still = tuple(replace(one, path=None, counterfactual=None) for one in result.explanations)
    still = replace(result, explanations=still)
    assert animation(still, still.findings[0]) is None
    done = export(still, ["animation"])
    assert not done.files and done.notes[-1].startswith("This method makes no counterfactual")


def test_it_is_one_of_the_forms(result):
    files = export(result, ["animation"]).files
    assert files and all(name.startswith("animation_") and name.endswith(".webp") for name in files)
