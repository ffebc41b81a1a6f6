"""Training pictures are moved and their tone is bent, within bounds, and their masks move alike."""

import numpy as np
import pytest
import torch

from engine.networks.augmentation import Augmentation, move_masks

REACH = 0.9
ALL = Augmentation(rotate=10, shift=0.1, scale=0.2, gamma=0.5)


@pytest.fixture
def films():
    """(3, 1, 32, 32) smooth pictures that reach both ends of the range."""
    coarse = torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, size=32, mode="bicubic")
    low, high = fine.amin(dim=(1, 2, 3), keepdim=True), fine.amax(dim=(1, 2, 3), keepdim=True)
    return (fine - low) / (high - low) * 2 * REACH - REACH


def draw(*values):
    return torch.tensor([values], dtype=torch.float32)


def test_zeros_leave_a_picture_alone(films):
    moved, _ = Augmentation()(films, torch.rand(3, 5) * 2 - 1, REACH)
    assert torch.allclose(moved, films, atol=1e-5)
    moved, _ = ALL(films, torch.zeros(3, 5), REACH)
    assert torch.allclose(moved, films, atol=1e-5)


def test_what_comes_out_stays_in_the_range_and_keeps_its_shape(films):
    changes = torch.tensor(np.random.default_rng(0).uniform(-1, 1, (3, 5)), dtype=torch.float32)
    moved, grid = ALL(films, changes, REACH)
    assert moved.shape == films.shape and grid.shape == (3, 32, 32, 2)
    assert moved.abs().max() <= REACH + 1e-6
    assert (moved - films).abs().max() > 0.1


def test_each_picture_gets_its_own_change(films):
    changes = torch.zeros(3, 5)
    changes[1] = torch.tensor([1.0, 1, 1, 1, 1])
    moved, _ = ALL(films, changes, REACH)
    assert torch.allclose(moved[[0, 2]], films[[0, 2]], atol=1e-5) and not torch.allclose(moved[1], films[1], atol=0.05)


def test_a_shift_of_a_quarter_moves_by_a_quarter_and_back(films):
    one = films[:1]
    right, _ = Augmentation(shift=0.25)(one, draw(0, 0, 1, 0, 0), REACH)
    assert torch.allclose(right[..., :24], one[..., 8:], atol=1e-4)
    down, _ = Augmentation(shift=0.25)(one, draw(0, 0, 0, -1, 0), REACH)
    assert torch.allclose(down[..., 8:, :], one[..., :24, :], atol=1e-4)


def test_a_quarter_turn_is_a_quarter_turn(films):
    turned, _ = Augmentation(rotate=90)(films[:1], draw(1, 0, 0, 0, 0), REACH)
    clockwise, other = torch.rot90(films[:1], 1, (2, 3)), torch.rot90(films[:1], -1, (2, 3))
    assert min((turned - clockwise).abs().max(), (turned - other).abs().max()) < 1e-3


def test_the_tone_curve_is_bent_between_fixed_ends_and_keeps_the_order_of_greys(films):
    for way in (-1, 1):
        bent, _ = Augmentation(gamma=0.5)(films[:1], draw(0, 0, 0, 0, way), REACH)
        before, after = films[0].flatten(), bent[0].flatten()
        order = before.argsort()
        assert (after[order].diff() >= -1e-5).all()
        assert after[order[0]] == pytest.approx(-REACH, abs=1e-4) and after[order[-1]] == pytest.approx(REACH, abs=1e-4)
        assert (after.mean() < before.mean()) == (way > 0)


def test_masks_move_with_their_pictures(films):
    mask = (films > 0.3).float()
    changes = torch.tensor(np.random.default_rng(1).uniform(-1, 1, (3, 5)), dtype=torch.float32)
    changes[:, 4] = 0
    moved, grid = ALL(films, changes, REACH)
    masks = move_masks(mask, grid)
    inside = (grid.abs() < 1).all(dim=-1)[:, None]
    assert {*masks.unique().tolist()} <= {0.0, 1.0}
    assert (masks.bool() == (moved > 0.3))[inside].float().mean() > 0.95


def test_what_comes_from_beyond_the_border_is_outside_every_mask():
    everywhere = torch.ones(1, 1, 32, 32)
    _, grid = Augmentation(shift=0.5)(everywhere * 0, draw(0, 0, 1, 0, 0), REACH)
    assert move_masks(everywhere, grid)[..., :16].min() == 1 and move_masks(everywhere, grid)[..., 17:].max() == 0
