"""Scans like those of the training are let pass, others are marked."""

from dataclasses import replace

import numpy as np
import pytest

from engine.ood import FLOOR, SIDE, TENSORS, OutOfDistributionDetector, kept_share, thumbnails
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
    assert share_beyond(learned, chests[400:600]) <= 0.03
    assert 0 < share_beyond(learned, chests[600:]) <= 0.03


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


SIDES = (96, 112, 160, 240)  # of pictures in the network's range


def noise(side, seed=0):
    """(side, side) uniform in the network's range."""
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (side, side)).astype(np.float32)


@pytest.mark.parametrize("side", [48, 120, 240])
def test_a_thumbnail_keeps_of_white_noise_one_part_in_as_many_pixels_as_it_averages(side):
    assert kept_share(noise(side)) == pytest.approx((SIDE / side) ** 2, rel=0.2)


@pytest.mark.parametrize("side", SIDES)
def test_a_thumbnail_keeps_nearly_all_of_what_is_smooth_or_flat(side):
    rows, columns = np.mgrid[-0.9 : 0.9 : side * 1j, -0.9 : 0.9 : side * 1j].astype(np.float32)
    assert kept_share(rows * columns) > 0.95 and kept_share(np.cos(2 * rows)) > 0.95
    assert kept_share(np.full((side, side), 0.3, np.float32)) == 1


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("contrast", [1.0, 0.1])
def test_noise_on_a_black_ground_keeps_no_more_than_noise_alone(side, contrast):
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    disc = np.where(np.hypot(x, y) < 0.8, 0.1 + 0.8 * contrast * noise(side), -0.9).astype(np.float32)
    assert thumbnails(disc[None]).var() > 0.4 * disc.var() and kept_share(disc) < FLOOR / 1.5


def test_a_share_is_the_same_in_any_units():
    picture = noise(100) + np.linspace(-1, 1, 100, dtype=np.float32)
    assert 0.2 < kept_share(picture) < 0.9
    assert kept_share(40 * picture - 1000) == pytest.approx(kept_share(picture), rel=1e-3)


def test_what_the_thumbnail_does_not_show_cannot_be_alike(chests):
    """A picture of the training's own, drowned in a grid so fine that its thumbnail stays as it was."""
    fine = np.stack([Preprocessing(96).apply(chest) for chest in chests[:300]])
    learned = OutOfDistributionDetector.of(fine[:200], fine[200:])
    assert learned.floor == FLOOR
    grid = np.where(np.indices((96, 96)).sum(axis=0) % 2, 5.0, -5.0).astype(np.float32)
    drowned = fine[0] + grid
    assert np.allclose(thumbnails(drowned[None]), thumbnails(fine[:1]), atol=1e-4)
    assert learned.score(fine[0]) <= learned.limit < learned.score(drowned) < np.inf
    assert learned.score(grid) > learned.limit and np.isfinite(learned.score(grid))


def test_pictures_that_are_noise_themselves_stay_alike_where_they_were_learned():
    pictures = np.stack([noise(120, seed) for seed in range(120)])
    learned = OutOfDistributionDetector.of(pictures[:60], pictures[60:])
    again = OutOfDistributionDetector.from_tensors(learned.tensors())
    assert 0 < learned.floor < 0.03 and again.floor == pytest.approx(learned.floor)
    assert share_beyond(again, pictures[60:]) <= 0.05


def test_what_was_saved_before_there_was_a_floor_has_the_usual_one(learned, chests):
    saved = learned.tensors()
    before = OutOfDistributionDetector.from_tensors({**saved, TENSORS + "numbers": saved[TENSORS + "numbers"][:2]})
    assert before.floor == FLOOR and before.textures is None
    of_thumbnails = replace(learned, textures=None)
    assert before.score(chests[0]) == pytest.approx(of_thumbnails.score(chests[0]), rel=1e-5)


SMOOTH = {  # what a thumbnail of some tissue comes near to
    "ramp to the right": lambda x, y: x,
    "ramp down": lambda x, y: y,
    "ramp across": lambda x, y: (x + y) / 2,
    "blob": lambda x, y: 2 * np.exp(-2 * (x**2 + y**2)) - 1,
    "hollow": lambda x, y: 1 - 2 * np.exp(-2 * (x**2 + y**2)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_pictures_are_unlike_tissue_of_every_shape(name):
    """Tissue whose thumbnails are as varied as smooth pictures are: its speckle and edges tell the two apart."""
    random = np.random.default_rng(1)
    x, y = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-1, 1, 96))

    def tissue():
        waves = [random.normal(size=4) for _ in range(4)]
        slow = sum(height * np.cos(2 * right * x + 2 * down * y + 3 * start) for height, right, down, start in waves)
        return Preprocessing(96).apply((slow + 0.3 * random.normal(size=x.shape)).astype(np.float32))

    pictures = np.stack([tissue() for _ in range(200)])
    learned = OutOfDistributionDetector.of(pictures[:120], pictures[120:])
    asked = Preprocessing(96).apply(SMOOTH[name](x, y).astype(np.float32))
    assert replace(learned, textures=None, limit=4.0).score(asked) <= 4.0  # thumbnails alone would let it pass
    assert learned.score(asked) > 1.2 * learned.limit
    assert share_beyond(learned, pictures[120:]) <= 0.03


@pytest.mark.parametrize("side", [24, 40, 64, 79])
def test_noise_that_is_smaller_than_the_network_sees_is_unlike(chests, side):
    fine = np.stack([Preprocessing(96).apply(chest) for chest in chests[:300]])
    learned = OutOfDistributionDetector.of(fine[:200], fine[200:])
    asked = Preprocessing(96).apply(noise(side, 5))
    assert learned.score(asked) > 1.2 * learned.limit


def test_textures_are_saved_in_half_precision_too(learned, chests):
    assert learned.textures is not None
    saved = {k: v.astype(np.float16) if v.ndim >= 2 else v for k, v in learned.tensors().items()}
    again = OutOfDistributionDetector.from_tensors({k: v.astype(np.float32) for k, v in saved.items()})
    assert again.textures is not None and again.textures.weight == pytest.approx(learned.textures.weight)


@pytest.mark.parametrize(
    ("changed", "word"),
    [("texture_mean", "texture mean"), ("texture_whitening", "texture whitening"), ("numbers", "weight of textures")],
)
def test_textures_that_are_none_are_refused(learned, changed, word):
    saved = dict(learned.tensors())
    saved[TENSORS + changed] = (
        np.append(saved[TENSORS + "numbers"][:3], np.float32(0)) if changed == "numbers" else np.zeros(3, np.float32)
    )
    with pytest.raises(ValueError, match=word):
        OutOfDistributionDetector.from_tensors(saved)


@pytest.mark.parametrize("floor", [-0.1, 1.1, float("nan")])
def test_a_floor_that_is_no_share_is_refused(learned, floor):
    saved = learned.tensors()
    numbers = np.append(saved[TENSORS + "numbers"][:2], np.float32(floor))
    with pytest.raises(ValueError, match="floor must lie in"):
        OutOfDistributionDetector.from_tensors({**saved, TENSORS + "numbers": numbers})
