"""Which slices form a volume, in which order, and what is wrong with them: by position, never by name or number."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.scan.geometry import slice_step, volume_affine

PARALLEL = 0.5  # degrees: slices that are turned further against each other are not parallel
HERE = 0.01  # mm: slices that are no further apart lie in one place
SAME_PLACE = 0.01  # and of the distance between slices
EVEN = 0.1  # of the distance between slices: further from its place no slice of an even stack lies
UPRIGHT = 0.5  # degrees between the step from slice to slice and the normal: more is a tilted gantry
MOST_MISSING = 0.25  # of the places: where more are empty the slices count as unevenly spaced
FEW = 3  # slices that are turned against a larger stack and are no volume of their own
PHASES = ("image_type", "echo", "b_value", "temporal", "acquisition", "stack", "trigger")  # in the order of trial
NAMES = {
    "image_type": "kinds of picture",
    "echo": "echoes",
    "b_value": "diffusion weightings",
    "temporal": "phases",
    "acquisition": "acquisitions",
    "stack": "stacks",
    "trigger": "trigger times",
}


@dataclass(frozen=True)
class Slice:
    """What a header says of one slice, or of one frame of a file of many.

    Attributes:
        series: the same for all slices of a series, and of no other.
        shape: (rows, columns).
        position: ImagePositionPatient, (x, y, z) of the first pixel's centre in millimetres (LPS); None where not said.
        orientation: ImageOrientationPatient: the direction in which columns are counted, then rows.
        spacing_mm: (row, column) between pixel centres, in the patient.
        localiser: whether it is a scout view, on which the others were planned.
        phase: by the names in PHASES, what tells repeated slices of one place apart.
        number: InstanceNumber, which orders nothing but repeated slices.
        content: a digest of the pixels; "" where it is not known.
    """

    series: str
    shape: tuple[int, int]
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing_mm: tuple[float, float] | None = None
    localiser: bool = False
    phase: tuple[tuple[str, str], ...] = ()
    number: int = 0
    content: str = ""

    @property
    def axes(self) -> np.ndarray:
        """(2, 3): the directions in which columns and rows are counted; of a slice that says its orientation."""
        return np.reshape(self.orientation or (0.0,) * 6, (2, 3))


@dataclass(frozen=True)
class Stack:
    """Slices of one volume.

    Attributes:
        order: S places in the list of slices that was given, along the normal; None for a slice that is missing.
        affine: (4, 4), see `Scan`; None for slices that are uneven, shifted against each other, or a single one.
        between_mm: from each slice to the next; None as for the affine.
        remarks: what is not as it should be, a few words each.
    """

    order: tuple[int | None, ...]
    affine: np.ndarray | None = None
    between_mm: float | None = None
    remarks: tuple[str, ...] = ()


def arrange(slices: Sequence[Slice]) -> tuple[list[Stack], list[str]]:
    """The volumes and single pictures in `slices`, the largest first, and a sentence about each thing that is wrong.

    Slices without a position are single pictures. Localisers are left out where there is anything else.
    """
    notes: list[str] = []
    placed = [
        index for index, slice_ in enumerate(slices) if slice_.position is not None and slice_.orientation is not None
    ]
    stacks = [
        Stack((index,)) for index, slice_ in enumerate(slices) if slice_.position is None or slice_.orientation is None
    ]
    scouts = [index for index in placed if slices[index].localiser]
    if scouts and len(scouts) < len(slices):
        notes.append(f"{_count(len(scouts), 'localiser was', 'localisers were')} left out.")
        placed = [index for index in placed if not slices[index].localiser]
    groups: dict[tuple, list[int]] = defaultdict(list)
    for index in placed:
        groups[slices[index].series, slices[index].shape, _rounded(slices[index].spacing_mm)].append(index)
    for group in groups.values():
        parallel = sorted(_parallel(slices, group), key=len, reverse=True)
        largest = parallel[0]
        for turned in parallel[1:]:
            if len(turned) < FEW and len(largest) >= 2 * FEW:
                angle = _angle(_normal(slices[turned[0]]), _normal(slices[largest[0]]))
                notes.append(
                    f"{_count(len(turned), 'slice is', 'slices are')} tilted by {angle:.0f} degrees against the other"
                    f" {len(largest)} of the series and {'was' if len(turned) == 1 else 'were'} left out."
                )
            else:
                stacks += _stacks(slices, turned, notes)
        stacks += _stacks(slices, largest, notes)
    stacks.sort(key=lambda stack: -len(stack.order))
    if len({slice_.series for slice_ in slices if not slice_.localiser}) > 1 and len(stacks) > 1:
        volumes = sum(len(stack.order) > 1 for stack in stacks)
        if volumes > 1:
            notes.insert(0, f"These slices belong to {len(groups)} series; each is opened by itself.")
    return stacks, notes


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _rounded(spacing_mm: tuple[float, float] | None) -> tuple[float, ...]:
    return tuple(round(step, 3) for step in spacing_mm or ())


def _normal(slice_: Slice) -> np.ndarray:
    """(3,) unit vector at right angles to rows and columns."""
    along = np.cross(*slice_.axes)
    return along / max(float(np.linalg.norm(along)), 1e-12)


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between two unit vectors, 0 to 180."""
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))


def _parallel(slices: Sequence[Slice], group: list[int]) -> list[list[int]]:
    """The group in parts within which rows and columns run the same way."""
    parts: list[list[int]] = []
    for index in group:
        axes = slices[index].axes
        for part in parts:
            others = slices[part[0]].axes
            if all(_angle(_unit(axis), _unit(other)) <= PARALLEL for axis, other in zip(axes, others, strict=True)):
                part.append(index)
                break
        else:
            parts.append([index])
    return parts


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _stacks(slices: Sequence[Slice], group: list[int], notes: list[str]) -> list[Stack]:
    """The volumes in parallel slices of one series: one, unless the same places were scanned again and again."""
    along = _heights(slices, group)
    group = sorted(group, key=lambda index: (along[index], slices[index].number))
    group, copies = _without_copies(slices, group, along)
    if len(group) > 1 and along[group[-1]] - along[group[0]] < HERE:
        order = sorted(group, key=lambda index: (*_times(slices[index]), slices[index].number))
        return [Stack(tuple(order), remarks=(f"one slice {len(order)} times, no volume",))]
    remarks = [f"{_count(copies, 'slice was', 'slices were')} there twice, the copies were left out"] if copies else []
    parts, what = _told_apart(slices, group, along)
    if len(parts) > 1:
        notes.append(f"The series holds {len(parts)} {what} of the same region; each is opened by itself.")
    return [
        replace(stack, remarks=(*remarks, *stack.remarks))
        for stack in (_stack(slices, part, _heights(slices, part)) for part in parts)
    ]


def _heights(slices: Sequence[Slice], group: Sequence[int]) -> dict[int, float]:
    """Millimetres along the common normal."""
    normal = _normal(slices[group[0]])
    return {index: float(np.asarray(slices[index].position) @ normal) for index in group}


def _without_copies(slices: Sequence[Slice], group: list[int], along: dict[int, float]) -> tuple[list[int], int]:
    """The sorted group without slices that repeat one of the same place pixel by pixel, and how many those were."""
    kept, seen = [], set()
    for index in group:
        key = round(along[index], 2), slices[index].content
        if not slices[index].content or key not in seen:
            kept.append(index)
        seen.add(key)
    return kept, len(group) - len(kept)


def _collide(group: list[int], along: dict[int, float]) -> bool:
    """Whether two slices lie in one place."""
    heights = np.sort([along[index] for index in group])
    steps = np.diff(heights)
    if not len(steps):
        return False
    apart = steps[steps > HERE]
    return bool((steps <= max(HERE, SAME_PLACE * float(np.median(apart)) if len(apart) else HERE)).any())


def _told_apart(slices: Sequence[Slice], group: list[int], along: dict[int, float]) -> tuple[list[list[int]], str]:
    """The group in parts that have one slice in each place, and what the parts are called."""
    if not _collide(group, along):
        if _uneven(group, along):
            parts = _parts(group, lambda index: dict(slices[index].phase).get("acquisition", ""))
            if len(parts) > 1 and all(len(part) > 1 and not _uneven(part, along) for part in parts):
                return parts, NAMES["acquisition"]
        return [group], ""
    for name in PHASES:
        parts = _parts(group, lambda index, name=name: dict(slices[index].phase).get(name, ""))
        if len(parts) > 1 and not any(_collide(part, along) for part in parts):
            return parts, NAMES[name]
    parts = _parts(group, lambda index: slices[index].phase)
    if len(parts) > 1 and not any(_collide(part, along) for part in parts):
        return parts, "phases"
    places = Counter(round(along[index], 2) for index in group)
    if len(set(places.values())) == 1 and len(places) > 1:
        rank: Counter = Counter()
        ranks = {}
        for index in sorted(group, key=lambda index: slices[index].number):
            place = round(along[index], 2)
            ranks[index] = rank[place]
            rank[place] += 1
        return _parts(group, ranks.__getitem__), "repetitions"
    return [group], ""


def _parts(group: list[int], key: Callable[[int], object]) -> list[list[int]]:
    parts: dict[object, list[int]] = defaultdict(list)
    for index in group:
        parts[key(index)].append(index)
    return list(parts.values())


def _uneven(group: list[int], along: dict[int, float]) -> bool:
    """Whether steps differ, other than by slices that are missing."""
    heights = np.sort([along[index] for index in group])
    return len(heights) > 2 and _places(heights) is None


def _places(heights: np.ndarray) -> np.ndarray | None:
    """(n,) whole steps from the first of ascending `heights`; None where they are no whole steps or too many miss."""
    steps = np.diff(heights)
    if not len(steps) or steps.min() <= HERE:
        return None
    step = float(np.median(steps))
    places = np.rint((heights - heights[0]) / step)
    if places[-1] > 0:
        step = float(heights[-1] - heights[0]) / float(places[-1])
        places = np.rint((heights - heights[0]) / step)
    even = np.abs((heights - heights[0]) - places * step).max() <= EVEN * step
    missing = 1 - len(heights) / (places[-1] + 1)
    return places.astype(int) if even and np.diff(places).min() == 1 and missing <= MOST_MISSING else None


def _stack(slices: Sequence[Slice], group: list[int], along: dict[int, float]) -> Stack:
    """One volume of parallel slices, sorted by their place along the normal."""
    if len(group) == 1:
        return Stack((group[0],))
    remarks = []
    if _collide(group, along):  # what nothing tells apart: of each place the slice that was made last
        last = {}
        for index in sorted(group, key=lambda index: (_acquired(slices[index]), slices[index].number)):
            last[round(along[index], 2)] = index
        dropped = len(group) - len(last)
        remarks.append(f"{_count(dropped, 'place was', 'places were')} scanned twice, the later slice is shown")
        group = list(last.values())
    group = sorted(group, key=along.__getitem__)
    heights = np.asarray([along[index] for index in group])
    positions = np.asarray([slices[index].position for index in group], np.float64)
    places = _places(heights)
    if places is None:
        steps = np.diff(heights)
        if len(steps):
            remarks.append(f"uneven: its slices lie {steps.min():.3g} to {steps.max():.3g} mm apart")
        return Stack(tuple(group), remarks=tuple(remarks))
    order: list[int | None] = [None] * (int(places[-1]) + 1)
    for place, index in zip(places, group, strict=True):
        order[place] = index
    full = np.stack([np.interp(np.arange(len(order)), places, positions[:, axis]) for axis in range(3)], axis=1)
    step = slice_step(full.tolist())
    if missing := [str(place + 1) for place, index in enumerate(order) if index is None]:
        which = ", ".join(missing[:4]) + (" ..." if len(missing) > 4 else "")
        remarks.append(
            f"{_count(len(missing), 'slice is', 'slices are')} missing and stand empty: {which} of {len(order)}"
        )
    if step is None:
        remarks.append("its slices are shifted against each other")
        return Stack(tuple(order), remarks=tuple(remarks))
    tilt = _angle(_unit(step), _normal(slices[group[0]]))
    if tilt > UPRIGHT:
        remarks.append(f"gantry tilted by {tilt:.0f} degrees")
    spacing = slices[group[0]].spacing_mm
    orientation = slices[group[0]].axes.reshape(-1).tolist()
    affine = None if spacing is None else volume_affine(full.tolist(), [orientation], spacing)
    return Stack(tuple(order), affine, float(np.linalg.norm(step)), tuple(remarks))


def _times(slice_: Slice) -> tuple[float, ...]:
    """What orders repeated slices of one place."""
    phase = dict(slice_.phase)
    return tuple(_number(phase.get(name, "")) for name in ("temporal", "trigger", "acquisition"))


def _number(words: str) -> float:
    try:
        return float(words)
    except ValueError:
        return 0.0


def _acquired(slice_: Slice) -> float:
    return _number(dict(slice_.phase).get("acquisition", ""))
