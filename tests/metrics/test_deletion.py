"""Deletion and insertion: closed forms for a model that adds up pixels, and the map that knows beats the one that does
not.
"""

import numpy as np
import pytest

from engine.metrics.deletion import blurred, deletion, insertion, most_important_first
from engine.metrics.measure import NotMeasurable

SIDE = 20


def squares(n=6):
    """(n, SIDE, SIDE) dark with one bright square each, and where it is."""
    pictures, masks = np.zeros((n, SIDE, SIDE), np.float32), np.zeros((n, SIDE, SIDE), bool)
    for k in range(n):
        masks[k, k : k + 5, 2 * k : 2 * k + 5] = True
    pictures[masks] = 1.0
    return pictures, masks


def brightness(pictures):
    """A model that says how much bright there is: 1 for a whole square."""
    return np.clip(pictures.astype(np.float64).sum(axis=(1, 2)) / 25, 0, 1)


def test_deletion_follows_its_closed_form():
    """The map is right and the square is a quarter of the first step of one in ten: all of it is gone after one."""
    pictures, masks = squares()
    mean = 25 / SIDE**2
    steps = 4
    kept = [brightness(pictures)[0]]
    for taken in np.linspace(0, SIDE**2, steps + 1)[1:]:
        kept.append(min(1.0, taken * mean / 25))  # the square is gone, and what was taken has the mean
    area = np.trapezoid(kept, dx=1 / steps)
    assert deletion(pictures, masks.astype(np.float32), brightness, steps=steps).value == pytest.approx(area, rel=1e-4)


@pytest.mark.parametrize(("call", "better"), [(deletion, -1), (insertion, 1)])
def test_a_map_that_knows_beats_one_that_does_not(call, better):
    pictures, masks = squares()
    peaked = lambda x: x.max(axis=(1, 2)) * np.clip((x > 0.7).sum(axis=(1, 2)) / 25, 0, 1)
    knows = call(pictures, masks.astype(np.float32), peaked)
    wrong = call(pictures, -masks.astype(np.float32), peaked)
    assert better * (knows.value - wrong.value) > 0.3
    assert knows.low <= knows.value <= knows.high and knows.n == len(pictures)


def test_insertion_of_everything_ends_at_the_picture_itself():
    pictures, masks = squares()
    seen = []
    insertion(pictures[:1], masks[:1].astype(np.float32), lambda x: seen.append(x.copy()) or brightness(x))
    assert np.array_equal(seen[0][-1], pictures[0]) and np.array_equal(seen[0][0], blurred(pictures[0]))


def test_a_flat_map_gives_no_order_of_its_own():
    flat = most_important_first(np.zeros((30, 30)))
    assert sorted(flat) == list(range(900)) and abs(np.corrcoef(flat, np.arange(900))[0, 1]) < 0.1


def test_nothing_to_delete_is_said():
    with pytest.raises(NotMeasurable, match="no picture"):
        deletion(np.empty((0, 4, 4)), np.empty((0, 4, 4)), brightness, "Edema")
