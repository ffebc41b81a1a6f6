"""From any scanner's units to the network's range, and back, without the display window."""

import numpy as np
import pytest

from engine.preprocessing import Preprocessing, enlarged, enlarged_volume, plane_at


@pytest.fixture
def chest():
    """(90, 70) smooth with noise, 12-bit units."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:90, :70]
    return (2000 + 900 * np.sin(rows / 17) * np.cos(columns / 11) + random.normal(0, 40, (90, 70))).astype(np.float32)


@pytest.mark.parametrize("percentile", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("value_range", [0.5, 0.9])
def test_percentiles_land_on_the_ends_and_nothing_beyond(chest, percentile, value_range):
    prepared = Preprocessing(48, percentile, value_range)
    out = prepared.apply(chest)
    assert out.shape == (48, 48) and out.dtype == np.float32
    assert out.min() == pytest.approx(-value_range) and out.max() == pytest.approx(value_range)
    low, high = prepared.ends(prepared.resized(chest))
    assert [low, high] == pytest.approx(np.percentile(prepared.resized(chest), [percentile, 100 - percentile]))
    at_the_ends = np.isclose(np.abs(out), value_range).mean()
    assert at_the_ends == pytest.approx(2 * percentile / 100, abs=0.002)


def test_head_room_is_left_under_the_tanh(chest):
    assert np.abs(Preprocessing(48).apply(chest)).max() <= 0.9 + 1e-6


@pytest.mark.parametrize(("gain", "offset"), [(3, 100), (0.001, 0), (257, -32768), (16, 0)])
def test_units_do_not_matter(chest, gain, offset):
    same = Preprocessing(48).apply(chest * np.float32(gain) + np.float32(offset))
    assert np.allclose(same, Preprocessing(48).apply(chest), atol=1e-4)


def test_turning_the_grey_scale_over_turns_the_result_over(chest):
    assert np.allclose(Preprocessing(48).apply(4095 - chest), -Preprocessing(48).apply(chest), atol=1e-4)


def test_one_unit_of_the_network_is_worth_so_many_of_the_scans(chest):
    prepared = Preprocessing(48)
    out, resized = prepared.apply(chest), prepared.resized(chest)
    inside = np.abs(out) < 0.89
    slope = np.polyfit(out[inside], resized[inside], 1)[0]
    assert prepared.scan_units(chest) == pytest.approx(slope, rel=1e-3)
    assert prepared.scan_units(chest * 3 + 100) == pytest.approx(3 * prepared.scan_units(chest), rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 255.0, -1024.0, 65535.0])
def test_a_picture_of_one_grey_is_prepared_without_a_crash(value):
    prepared = Preprocessing(32)
    out = prepared.apply(np.full((40, 50), value, np.float32))
    assert np.allclose(out, -0.9, atol=0.02)  # rounding is not stretched into a picture
    assert np.isfinite(prepared.scan_units(np.full((40, 50), value, np.float32)))


def test_a_nearly_empty_picture_falls_back_to_its_extremes():
    speck = np.zeros((32, 32), np.float32)
    speck[3, 4] = 200
    out = Preprocessing(32).apply(speck)
    assert out[3, 4] == pytest.approx(0.9) and out.min() == pytest.approx(-0.9)


def test_a_picture_in_tiny_units_is_still_a_picture(chest):
    assert np.allclose(Preprocessing(48).apply(chest * np.float32(1e-9)), Preprocessing(48).apply(chest), atol=1e-4)


@pytest.mark.parametrize("shape", [(37, 61), (16, 400), (512, 512), (48, 48), (20, 20)])
def test_any_shape_becomes_the_square_that_the_network_wants(shape):
    flat = np.full(shape, 7, np.float32)
    assert Preprocessing(48).resized(flat).shape == (48, 48)
    assert np.allclose(Preprocessing(48).resized(flat), 7)


def test_shrinking_averages_and_does_not_alias():
    stripes = np.zeros((96, 96), np.float32)
    stripes[::2] = 10
    assert np.allclose(Preprocessing(48).resized(stripes), 5)


def test_the_scan_itself_is_left_alone(chest):
    before = chest.copy()
    Preprocessing(90).apply(chest)
    Preprocessing(48).apply(chest)
    assert np.array_equal(chest, before)


@pytest.mark.parametrize("shape", [(37, 61), (64, 64), (8, 8), (300, 20)])
def test_a_map_that_is_enlarged_keeps_its_values(shape):
    assert np.allclose(enlarged(np.full((8, 8), -0.25, np.float32), shape), -0.25)
    ramp = np.tile(np.linspace(-1, 1, 8, dtype=np.float32), (8, 1))
    large = enlarged(ramp, shape)
    assert large.shape == shape and large.dtype == np.float32
    assert large.min() >= -1 and large.max() <= 1
    assert large.mean() == pytest.approx(0, abs=0.02)  # the middle stays in the middle
    assert (np.diff(large, axis=1) >= -1e-6).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": 32.0},
        {"size": "32"},
        {"percentile": 50},
        {"percentile": -1},
        {"value_range": 1.0},
        {"value_range": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Preprocessing(**{"size": 32, **wrong})


@pytest.mark.parametrize("shape", [(32,), (3, 40, 50), (40, 50, 3), (32, 32, 32), (1, 32, 32)])
def test_what_is_not_two_dimensional_is_refused_by_name(shape):
    array = np.zeros(shape, np.float32)
    for do in (
        Preprocessing(32).apply,
        Preprocessing(32).resized,
        Preprocessing(32).scan_units,
        lambda a: enlarged(a, (60, 80)),
    ):
        with pytest.raises(ValueError, match=r"\(H, W\)"):
            do(array)
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        enlarged(np.zeros((8, 8), np.float32), (3, 60, 80))


def test_a_map_of_a_volume_is_enlarged_along_all_three_axes():
    slices, rows, columns = np.mgrid[0:4, 0:6, 0:8].astype(np.float32)
    grid = 100 * slices + 10 * rows + columns
    out = enlarged_volume(grid, (8, 6, 16))
    assert out.shape == (8, 6, 16) and out.dtype == np.float32
    assert np.array_equal(enlarged_volume(grid, grid.shape), grid)
    assert out[2, 3, 4] == pytest.approx(100 * 0.75 + 30 + 1.75)  # half-pixel centres: 2.5 / 2 - 0.5 and 4.5 / 2 - 0.5
    assert np.array_equal(out[0, :, ::15], grid[0][:, [0, -1]]) and np.array_equal(out[-1, :, 0], grid[-1, :, 0])
    assert np.array_equal(enlarged_volume(grid[:1], (3, 6, 8)), np.stack([grid[0]] * 3))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: enlarged_volume(np.zeros((8, 8), np.float32), (3, 60, 80)),
        lambda: enlarged_volume(np.zeros((2, 8, 8), np.float32), (60, 80)),
        lambda: plane_at(np.zeros((2, 8, 8), np.float32), 3, 3),
        lambda: plane_at(np.zeros((2, 8, 8), np.float32), -1, 3),
    ],
)
def test_a_volume_without_its_third_axis_is_refused(ask):
    with pytest.raises(ValueError, match="volume"):
        ask()
