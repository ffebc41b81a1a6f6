"""The map of a black box: it finds the place that matters, with its sign, and asks for all findings at once."""

import numpy as np
import pytest

from engine.methods.onnx.occlusion import BATCH, blurred, occlusion


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Corner:
    """Says "bright" from the brightness of the top left tenth, "dark" from its darkness, and "nothing" from nothing."""

    def __init__(self):
        self.asked = []

    def __call__(self, pictures):
        self.asked.append(len(pictures))
        light = 10 * pictures[:, :6, :6].mean(axis=(1, 2))
        return np.stack([sigmoid(light), sigmoid(-light), np.full(len(pictures), 0.3)], axis=1).astype(np.float32)


def picture(side=60):
    grey = np.full((side, side), -0.2, np.float32)
    grey[:6, :6] = 0.4
    return grey


def test_hiding_what_the_model_looks_at_costs_what_it_is_worth():
    maps = occlusion(Corner(), picture())
    worth = 10 * (0.4 - blurred(picture())[:6, :6].mean())  # the corner's log-odds above those of what is left of it
    assert maps.shape == (3, 60, 60) and maps.dtype == np.float32
    assert maps[0, 0, 0] == pytest.approx(worth, rel=0.01)  # one window covers the corner pixel, and hides all of it
    assert worth > 2 and maps[0].argmax() == 0 and not maps[0, 20:, 20:].any()


def test_blurring_leaves_no_detail_and_no_new_edge():
    fine = np.indices((60, 60)).sum(axis=0) % 2 - 0.5
    assert np.abs(blurred(fine)).max() < 0.01
    assert np.allclose(blurred(np.full((60, 60), 0.3)), 0.3)


def test_what_speaks_against_a_finding_is_negative_and_what_plays_no_part_is_zero():
    maps = occlusion(Corner(), picture())
    assert np.allclose(maps[1], -maps[0], atol=1e-3) and not maps[2].any()


def test_all_findings_are_asked_at_once_in_full_batches_with_progress():
    model, told = Corner(), []
    occlusion(model, picture(), progress=lambda done, every: told.append((done, every)))
    assert sum(model.asked) == 1 + 11 * 11 and max(model.asked) == BATCH
    assert told == [(k + 1, len(model.asked)) for k in range(len(model.asked))]


@pytest.mark.parametrize("side", [16, 17, 32, 59, 61, 100])
def test_every_pixel_of_every_size_is_hidden_at_least_once(side):
    told, whole = [], np.random.default_rng(side).uniform(-0.5, 0.5, (side, side)).astype(np.float32)
    untouched = lambda x: 0.1 + 0.8 * (x == whole).all(axis=(1, 2))[:, None]
    assert (occlusion(untouched, whole, progress=lambda *now: told.append(now)) > 1).all()
    assert told[-1][0] == told[-1][1] == len(told)


def test_a_saturated_answer_stays_finite():
    assert np.isfinite(occlusion(lambda x: np.ones((len(x), 1)), picture())).all()
