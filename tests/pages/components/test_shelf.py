"""What is kept of a reader's scans: every value, within a budget, and no longer than was said."""

import cv2
import numpy as np
import pytest

from engine.scan import Scan
from pages.components.shelf import SHORT_BREAK, SMALL, Entry, OpenScan, Packed, Shelves

RNG = np.random.default_rng(4)
HOUR = 3600.0


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def entry(name="Film 1", side=64):
    made = Entry(name, name)
    made.open(OpenScan(name, Scan.of(RNG.integers(0, 4096, (side, side)), "radiograph")))
    made.pack()
    made.done.set()
    return made


def shelves(limit=1e9, retention=HOUR):
    clock = Clock()
    return Shelves(limit, retention, clock), clock


@pytest.mark.parametrize(
    ("pixels", "halved"),
    [
        (RNG.integers(0, 4096, (31, 17)), True),
        (RNG.integers(-1024, 3071, (3, 20, 20)), True),
        (RNG.integers(0, 2, (20, 20)) * 65535 - 30000, True),
        (RNG.integers(0, 2, (20, 20)) * 65536, False),
        (RNG.random((20, 20)), False),
        (RNG.integers(0, 200, (20, 20)) + 2.0**24, False),
    ],
)
def test_a_packed_scan_comes_back_to_the_last_bit(pixels, halved):
    spacing = (0.5, 0.7) if pixels.ndim == 2 else (None, 0.5, 0.7)
    scan = Scan.of(pixels, "CT", spacing_mm=spacing, window=(40, 400), tags={"Modality": "CT"})
    packed = Packed.of(scan)
    back = packed.scan()
    assert packed.nbytes == scan.pixels.nbytes // (2 if halved else 1)
    assert np.array_equal(back.pixels, scan.pixels) and not back.pixels.flags.writeable
    assert {k: v for k, v in vars(back).items() if k != "pixels"} == {
        k: v for k, v in vars(scan).items() if k != "pixels"
    }


def test_a_volume_is_shown_before_it_is_packed_and_the_browser_sees_no_difference():
    """What was fetched of the volume as it was read, and what is fetched after it was packed, are one volume."""
    scan = Scan.of(RNG.integers(-1024, 3071, (5, 20, 24)), "CT")
    made = Entry("a", "a")
    made.open(OpenScan("a", scan))
    assert made.packed.scan().pixels is scan.pixels, "no copy, no conversion"
    before = made.packed.volume
    made.pack()
    after = made.packed.volume
    assert made.nbytes - len(made.thumbnail) == scan.pixels.nbytes // 2
    assert [before.part(k) for k in range(5)] == [after.part(k) for k in range(5)]
    names = ("dtype", "shape", "scale", "zero", "digest", "low", "high")
    assert [getattr(before, name) for name in names] == [getattr(after, name) for name in names]


@pytest.mark.parametrize("shape", [(64, 64), (900, 300), (300, 3000), (7, 120, 200)])
def test_a_thumbnail_is_small_and_keeps_the_shape(shape):
    made = Entry("a", "a")
    made.open(OpenScan("a", Scan.of(RNG.integers(0, 4096, shape), "radiograph")))
    picture = cv2.imdecode(np.frombuffer(made.thumbnail, np.uint8), cv2.IMREAD_UNCHANGED)
    assert max(picture.shape) == SMALL and min(picture.shape) >= 16
    assert (picture.shape[0] > picture.shape[1]) == (shape[-2] > shape[-1])


def test_two_pages_of_one_browser_share_a_shelf_and_two_browsers_do_not():
    kept, _ = shelves()
    assert kept.of("one", "a") is kept.of("one", "b")
    assert kept.of("one", "a") is not kept.of("two", "c")


def test_without_retention_or_cookie_every_session_has_its_own():
    kept, _ = shelves(retention=0)
    assert kept.of("one", "a") is not kept.of("one", "b") and kept.of("one", "a") is kept.of("one", "a")
    kept, _ = shelves()
    assert kept.of(None, "a") is not kept.of(None, "b")


@pytest.mark.parametrize(("retention", "after"), [(HOUR, HOUR), (0, SHORT_BREAK)])
def test_a_shelf_goes_when_its_reader_has_been_away_for_the_retention(retention, after):
    kept, clock = shelves(retention=retention)
    kept.of("one", "a").add(entry())
    kept.sweep(lambda session: True)
    clock.now = 10 * HOUR
    kept.sweep(lambda session: True)  # a page that stays open is not away
    kept.sweep(lambda session: False)
    clock.now += after - 1
    kept.sweep(lambda session: False)
    assert kept.nbytes > 0
    clock.now += 1
    kept.sweep(lambda session: False)
    assert kept.nbytes == 0 and kept.of("one", "a").entries == {}


def test_who_comes_back_in_time_finds_everything_and_the_clock_starts_anew():
    kept, clock = shelves()
    shelf = kept.of("one", "a")
    shelf.add(entry())
    kept.sweep(lambda session: False)
    clock.now = HOUR - 1
    assert kept.of("one", "b") is shelf
    kept.sweep(lambda session: session == "b")
    clock.now = 2 * HOUR
    kept.sweep(lambda session: False)
    clock.now = 3 * HOUR - 1
    kept.sweep(lambda session: False)
    assert len(kept.of("one", "c").entries) == 1


def test_those_who_left_first_make_room_and_those_who_are_here_never_do():
    one = entry().nbytes
    kept, clock = shelves(limit=3.5 * one)
    first, second, here = kept.of("first", "a"), kept.of("second", "b"), kept.of("here", "c")
    for time, shelf, session in ((0, first, "a"), (1, second, "b")):
        shelf.add(entry())
        clock.now = time
        kept.sweep(lambda name, session=session: name > session)
    here.add(entry())
    assert kept.has_room(here, one // 2) and kept.nbytes == 3 * one
    assert kept.has_room(here, int(0.75 * one)) and kept.nbytes == 2 * one
    assert kept.of("second", "b") is second and kept.of("first", "a") is not first
    assert not kept.has_room(second, int(1.6 * one)), "neither is away now"


def test_one_reader_has_half_of_the_memory_at_most():
    one = entry().nbytes
    kept, _ = shelves(limit=4 * one)
    shelf = kept.of("one", "a")
    shelf.add(entry())
    assert kept.has_room(shelf, one) and not kept.has_room(shelf, one + 1)


def test_a_list_is_shown_to_its_own_reader_only():
    kept, _ = shelves()
    shelf = kept.of("one", "a")
    assert kept.by_token(shelf.token, "one") is shelf
    assert (
        kept.by_token(shelf.token, "two") is None
        and kept.by_token(shelf.token, None) is None
        and kept.by_token("x", "one") is None
    )
