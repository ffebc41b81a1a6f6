"""The network's fingerprint: how much a map's power stands out at the frequencies of the network's strides."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from engine.metrics.intervals import DRAWS, Groups, bootstrap
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("stride_energy",)
PERIODS = (2, 4)  # pixels: the grids that the generators go through
NEAR = 1.5  # bins around a frequency that belong to it
RING = (4.0, 9.0)  # bins around it that are its neighbours


def stride_energy(
    maps: Pictures,
    films: Pictures,
    finding: str = "",
    groups: Groups = None,
    periods: Sequence[int] = PERIODS,
    draws: int = DRAWS,
    seed: int = 0,
) -> Measure:
    """Power of the maps at the frequencies k / p of the strides p over that of neighbouring frequencies, divided by the
    films' own.

    A checkerboard of period p puts copies of a map's spectrum around (k / p, l / p) cycles a pixel. The power there,
    summed over pictures, is compared with that in a ring around, by the mean of logarithms, so that a spectrum which
    only falls stands out nowhere; over all (k, l) the mean is taken again. Films have some grain of their own at these
    frequencies, hence the division: 1 is what a map without fingerprint scores. n is the number of pictures.

    Args:
        maps, films: (N, H, W) each, the films as the network saw them.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no pictures, maps too small for the rings, or maps or films without any power there.
    """
    if not len(maps):
        raise NotMeasurable(f"{finding or 'all'}: there is no map to look for a grid in")
    maps, films = same_stack(maps=maps, films=films)
    height, width = maps[0].shape
    if min(height, width) < max(periods) * RING[1]:
        raise NotMeasurable(
            f"{finding or 'all'}: maps of {width} x {height} pixels are too small to look for a grid in"
        )
    places = _places(height, width, periods)
    power = [_power(stack, places) for stack in (maps, films)]
    if not all((spectrum.sum(axis=0) > 0).all() for spectrum in power):
        raise NotMeasurable(f"{finding or 'all'}: the maps have no power at the frequencies of a grid")
    ends = np.cumsum([0, *(len(part) for place in places for part in place)])

    def standing_out(summed: np.ndarray) -> np.ndarray:
        """Power (d, bins) of each resample: how much, in logarithms, it stands out at the frequencies of a
        grid, (d,).
        """
        log = np.log(np.maximum(summed, 1e-300))
        means = np.stack(
            [log[:, start:stop].mean(axis=1) for start, stop in itertools.pairwise(ends)], axis=1
        )  # at, beside, at, ...
        return (means[:, ::2] - means[:, 1::2]).mean(axis=1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.exp(standing_out(weights @ power[0]) - standing_out(weights @ power[1]))

    value = float(statistic(np.ones((1, len(maps))))[0])
    return Measure(
        "stride_energy", finding, value, *bootstrap(statistic, len(maps), groups, draws, seed), n=len(maps), chance=1.0
    )


def _places(height: int, width: int, periods: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each frequency of a grid, which bins of a flat `rfft2` belong to it and which are its neighbours."""
    down, across = np.fft.fftfreq(height) * height, np.fft.rfftfreq(width) * width
    points = {(k / p, m / p) for p in periods for k in range(p) for m in range(p // 2 + 1) if (k, m) != (0, 0)}
    found = []
    for y, x in sorted(points):
        off = np.abs(down - y * height)
        off = np.minimum(off, height - off)  # frequencies wrap around
        distance = np.hypot(off[:, None], np.abs(across - x * width)[None, :]).ravel()
        found.append((np.flatnonzero(distance <= NEAR), np.flatnonzero((distance >= RING[0]) & (distance <= RING[1]))))
    return found


def _power(stack: np.ndarray, places: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(N, H, W) to (N, bins): the power of every bin of every place, each picture under a Hann window."""
    window = np.hanning(stack.shape[1] + 2)[1:-1, None] * np.hanning(stack.shape[2] + 2)[None, 1:-1]
    bins = np.concatenate([part for place in places for part in place])
    found = np.empty((len(stack), len(bins)))
    for n, picture in enumerate(stack):
        picture = picture.astype(np.float64)
        found[n] = (np.abs(np.fft.rfft2((picture - picture.mean()) * window)) ** 2).ravel()[bins]
    return found
