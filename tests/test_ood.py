"""Scans like those of the training are let pass, others are marked."""

import numpy as np
import pytest

from engine.ood import SIDE, OutOfDistributionDetector, thumbnails
from engine.preprocessing import Preprocessing

SIZE = 32


@pytest.fixture(scope="module")
def chests():
    """(900, 32, 32) as a network sees them: two dark lungs of any size and place above a bright belly, and a shadow."""
    random, prepared = np.random.default_rng(0), Preprocessing(SIZE)
    rows, columns = np.mgrid[-1:1:48j, -1:1:48j]

    def chest():
        x, y, wide, tall = random.normal((0, 0, 0.3, 0.55), (0.06, 0.06, 0.03, 0.06))
        body = 1 / (1 + np.exp((np.abs(columns - x) - random.normal(0.85, 0.05)) * 20))
        lungs = sum(
            np.exp(-((((columns - x - side * 0.4) / wide) ** 2 + ((rows - y) / tall) ** 2) ** 2)) for side in (-1, 1)
        )
        shadow = random.uniform(0, 0.4) * np.exp(
            -((columns - random.uniform(-0.5, 0.5)) ** 2 + (rows - random.uniform(-0.5, 0.5)) ** 2) / 0.03
        )
        belly = 0.4 * np.clip(rows - y, 0, 1)
        return prepared.apply(
            (body + belly - 0.7 * lungs + shadow + random.normal(0, 0.03, rows.shape)).astype(np.float32)
        )

    return np.stack([chest() for _ in range(900)])


@pytest.fixture(scope="module")
def learned(chests):
    return OutOfDistributionDetector.of(chests[:400], chests[400:600])


def share_beyond(detector, pictures):
    return np.mean([detector.score(picture) > detector.limit for picture in pictures])


def test_training_pictures_score_about_one(learned, chests):
    assert np.mean([learned.score(picture) for picture in chests[:400]]) == pytest.approx(1, abs=0.05)


def test_nearly_all_unseen_pictures_of_the_same_kind_are_let_pass(learned, chests):
    assert share_beyond(learned, chests[400:600]) == pytest.approx(0.01, abs=0.005)  # the limit is set on these
    assert share_beyond(learned, chests[600:]) <= 0.03


def strange(chests):
    random = np.random.default_rng(0)
    ramp = np.tile(np.linspace(-0.9, 0.9, SIZE, dtype=np.float32), (SIZE, 1))
    board = np.where(np.add.outer(np.arange(SIZE) // 4, np.arange(SIZE) // 4) % 2, 0.9, -0.9).astype(np.float32)
    return {
        "noise": random.uniform(-0.9, 0.9, chests.shape).astype(np.float32),
        "turned over": -chests,
        "upside down": chests[:, ::-1],
        "on its side": np.rot90(chests, axes=(1, 2)),
        "blank": Preprocessing(SIZE).apply(np.full((SIZE, SIZE), 255, np.float32))[None],
        "half black": np.where(np.arange(SIZE) < SIZE // 2, -0.9, 0.9)
        .astype(np.float32)[None, None]
        .repeat(SIZE, axis=1),
        "ramp": ramp[None],
        "board": board[None],
        "magnified": np.kron(chests[:, 8:16, 8:16], np.ones((4, 4), np.float32)),
    }


@pytest.mark.parametrize("name", ["noise", "turned over", "on its side", "blank", "half black", "ramp", "board"])
def test_other_pictures_are_marked(learned, chests, name):
    assert share_beyond(learned, strange(chests)[name][-60:]) >= 0.98


@pytest.mark.parametrize("name", ["upside down", "magnified"])
def test_most_pictures_of_a_chest_shown_wrongly_are_marked(learned, chests, name):
    assert share_beyond(learned, strange(chests)[name][-60:]) >= 0.5


def test_what_is_saved_scores_the_same(learned, chests):
    again = OutOfDistributionDetector.from_tensors({"net.bias": np.zeros(3), **learned.tensors()})
    assert again.limit == pytest.approx(learned.limit)
    for picture in chests[:5]:
        assert again.score(picture) == pytest.approx(learned.score(picture), rel=1e-5)


def test_half_precision_moves_no_picture_by_more_than_a_hundredth(learned, chests):
    half = {key: value.astype(np.float16) if value.ndim >= 2 else value for key, value in learned.tensors().items()}
    rounded = OutOfDistributionDetector.from_tensors({key: value.astype(np.float32) for key, value in half.items()})
    for picture in chests[:10]:
        assert rounded.score(picture) == pytest.approx(learned.score(picture), rel=0.01)


def test_few_training_pictures_still_give_a_finite_limit(chests):
    few = OutOfDistributionDetector.of(chests[:3], chests[3:5])
    assert np.isfinite(few.limit) and np.isfinite(few.score(chests[6]))


def test_thumbnails_keep_the_mean_and_have_one_size(chests):
    small = thumbnails(chests[:4])
    assert small.shape == (4, SIDE * SIDE) and small.dtype == np.float32
    assert np.allclose(small.mean(axis=1), chests[:4].mean(axis=(1, 2)), atol=0.02)


@pytest.mark.parametrize("shape", [(40, 50), (2, 3, 40, 50), (0, 40, 50)])
def test_thumbnails_are_made_of_pictures_only(shape):
    with pytest.raises(ValueError, match="picture"):
        thumbnails(np.zeros(shape, np.float32))
