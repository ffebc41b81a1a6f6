"""What a reader draws, measures and decides: the records that the store keeps, pages show and exports write.

Coordinates are those of the scan's own pixel grid: (row, column), where (0, 0) is the outer corner of the first pixel,
so that pixel [r, c] spans rows r to r + 1 and columns c to c + 1, and its middle is (r + 0.5, c + 0.5). That is what
COCO and DICOM's image coordinates mean too, with the two axes in the other order.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

KINDS = ("box", "polygon", "freehand", "brush", "length", "angle", "area")
REGION_KINDS = ("box", "polygon", "freehand", "brush", "area")  # those that enclose pixels
STATES = ("draft", "submitted", "accepted", "returned")
STAGES = ("before", "after")
AIDS = ("pictures", "words")
POINTS = {"box": (2, 2), "area": (2, 2), "length": (2, 2), "angle": (3, 3), "polygon": (3, 20_000)}
POINTS["freehand"], POINTS["brush"] = POINTS["polygon"], (0, 0)
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
MOST_RUNS = 200_000
FARTHEST = 1_000_000.0  # pixels from the corner; no scan is larger
LONGEST_LABEL, LONGEST_COMMENT, LONGEST_READER = 200, 4000, 80  # characters

Point = tuple[float, float]  # (row, column)
Run = tuple[int, int, int]  # (row, first column, how many pixels)


class UnusableRecord(ValueError):
    """A field that is not as its record describes it; the message is one sentence."""


def new_id() -> str:
    """The id of a new record: 32 hexadecimal digits, drawn at random."""
    return uuid.uuid4().hex


def now() -> str:
    """The time in UTC, as records write it: 2026-11-28T09:15:00.000000Z."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Annotation:
    """One thing that a reader drew on a scan.

    Attributes:
        id: 32 hexadecimal digits, see `new_id`; it stays while the annotation is edited.
        scan_sha256: of the scan (of the whole volume, where it has slices). Nothing else says whose picture it is.
        kind: one of KINDS. `area` is an ellipse whose pixels' mean and deviation are measured.
        points: (row, column) each. Of a box and an ellipse two opposite corners of the box around it, the smaller row
            and column first; of a polygon and a freehand outline its corners, without the first one again; of a length
            its ends; of an angle one side's end, the corner, the other side's end; none of a brush.
        runs: of a brush the pixels it covers, (row, first column, how many), by row and column, none touching another;
            else none.
        slice: which slice of a volume, from 0, along `axis`; None of a picture.
        axis: of a volume's (S, H, W), the one that `slice` counts; `points` are on the other two, in their order.
        label: what it shows: a finding or the reader's own words; may be empty.
        comment: the reader's own words; may be empty.
        reader: the name that the reader gave. It is not verified.
        created: when it was first drawn, see `now`.
        revision: 1 for a new one, and one more for each save that changed it.
        state: one of STATES.

    Raises:
        UnusableRecord: when a field is not as described.
    """

    id: str
    scan_sha256: str
    kind: str
    points: tuple[Point, ...]
    reader: str
    created: str
    runs: tuple[Run, ...] = ()
    slice: int | None = None
    axis: int = 0
    label: str = ""
    comment: str = ""
    revision: int = 1
    state: str = "draft"

    def __post_init__(self):
        _check_identity(self)
        _require(self.kind in KINDS, f"The kind of an annotation must be one of {', '.join(KINDS)}.", self.kind)
        object.__setattr__(self, "points", _points(self.points))
        object.__setattr__(self, "runs", _runs(self.runs))
        fewest, most = POINTS[self.kind]
        if not fewest <= len(self.points) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise UnusableRecord(f"An annotation of kind {self.kind} has {wanted} points, got {len(self.points)}.")
        if (self.kind == "brush") != bool(self.runs):
            raise UnusableRecord("A brush covers at least one pixel, and only a brush has runs of pixels.")
        if self.kind in ("box", "area"):
            (top, left), (bottom, right) = self.points
            _require(top < bottom and left < right, "A box needs its smaller row and column first.", self.points)
        if self.slice is not None:
            _require(_whole(self.slice) and self.slice >= 0, "A slice is a whole number from 0.", self.slice)
        _require(self.axis in (0, 1, 2), "An axis of a volume is 0, 1 or 2.", self.axis)
        _require(self.slice is not None or self.axis == 0, "Only a volume's annotation has an axis.", self.axis)
        _check_text("label", self.label, LONGEST_LABEL)
        _check_text("comment", self.comment, LONGEST_COMMENT)
        _require(_whole(self.revision) and self.revision >= 1, "A revision is a whole number from 1.", self.revision)
        _require(self.state in STATES, f"The state must be one of {', '.join(STATES)}.", self.state)

    @property
    def encloses(self) -> bool:
        """Whether it marks pixels, and so has a mask; a length and an angle do not."""
        return self.kind in REGION_KINDS

    def moved_to(self, state: str) -> Annotation:
        """The same in another state."""
        return replace(self, state=state)


@dataclass(frozen=True)
class Measurement:
    """One number that is measured on an annotation (`engine.review.measurements.measured`).

    Attributes:
        name: "length", "angle", "area", "mean" or "deviation".
        value: in `unit`; finite.
        unit: "mm", "mm²", "px", "px²", "°", "HU" for a CT, or "grey levels": the scan's own units.
        at: "patient" or "detector" for millimetres: where they hold (`Scan.spacing_at`); empty for other units.
    """

    name: str
    value: float
    unit: str
    at: str = ""

    def __post_init__(self):
        _require(math.isfinite(self.value), "A measurement must be finite.", self.value)

    def words(self) -> str:
        """For example "12.3 mm at the detector"."""
        return f"{self.value:.4g} {self.unit}" + (" at the detector" if self.at == "detector" else "")


@dataclass(frozen=True)
class Reading:
    """What a reader thinks of one finding on one scan, before or after the model's answer is revealed.

    Attributes:
        id: 32 hexadecimal digits.
        scan_sha256: of the scan.
        reader: the name that the reader gave. It is not verified.
        finding: its name, as the checkpoint writes it.
        confidence: in [0, 1], that the finding is there; above 0.5 the reader calls it present.
        stage: one of STAGES: before or after the reveal.
        created: when, see `now`.
        region: id of the annotation that shows where; empty where none was drawn.
        aids: what the reveal showed besides the model's answer, of AIDS, in their order; empty before the reveal, and
            for an answer without explanation.
        checkpoint_identity: of the checkpoint whose answer is revealed (`Checkpoint.identity`); empty where none is.
        probability, threshold: that model's answer and operating point, kept with the reading; None where none is, and
            where its answer means nothing.
        truth: whether the finding is there, where that is known (a phantom, a labelled collection); else None.
        saw_model: whether a model's answer of this scan was shown to the reader before this first reading.

    Raises:
        UnusableRecord: when a field is not as described.
    """

    id: str
    scan_sha256: str
    reader: str
    finding: str
    confidence: float
    stage: str
    created: str
    region: str = ""
    aids: tuple[str, ...] = ()
    checkpoint_identity: str = ""
    probability: float | None = None
    threshold: float | None = None
    truth: bool | None = None
    saw_model: bool = False

    def __post_init__(self):
        _check_identity(self)
        _check_text("finding", self.finding, LONGEST_LABEL)
        _require(bool(self.finding), "A reading names a finding.", self.finding)
        _require(_share(self.confidence), "A confidence lies in [0, 1].", self.confidence)
        _require(self.stage in STAGES, f"A stage is one of {', '.join(STAGES)}.", self.stage)
        object.__setattr__(self, "aids", tuple(aid for aid in AIDS if aid in self.aids))
        _require(not (self.aids and self.stage == "before"), "Before the reveal nothing is shown.", self.aids)
        _require(self.region == "" or _is_id(self.region), "A region is the id of an annotation.", self.region)
        for value in (self.probability, self.threshold):
            _require(value is None or _share(value), "A probability lies in [0, 1].", value)
        _require(
            (self.probability is None) == (self.threshold is None),
            "A model's answer comes with its operating point.",
            (self.probability, self.threshold),
        )
        _require(self.truth in (None, True, False), "What is true is known, or None.", self.truth)
        _require(isinstance(self.saw_model, bool), "A reader has seen the model, or not.", self.saw_model)

    @property
    def present(self) -> bool:
        """Whether the reader calls the finding present."""
        return self.confidence > 0.5

    @property
    def model_present(self) -> bool | None:
        """Whether the model calls it present; None where there is no model's answer."""
        return None if self.probability is None or self.threshold is None else self.probability > self.threshold


@dataclass(frozen=True)
class Opinion:
    """Whether a reader agrees with what a model says of one finding on one scan.

    Attributes:
        id: 32 hexadecimal digits.
        scan_sha256: of the scan.
        reader: the name that the reader gave. It is not verified.
        checkpoint_identity: `Checkpoint.identity`.
        finding: its name.
        agrees: with the model's call.
        reason: the reader's own words; a disagreement has one.
        created: when, see `now`.
        probability, threshold: what the model said, and its operating point.

    Raises:
        UnusableRecord: when a field is not as described.
    """

    id: str
    scan_sha256: str
    reader: str
    checkpoint_identity: str
    finding: str
    agrees: bool
    created: str
    probability: float
    threshold: float
    reason: str = ""

    def __post_init__(self):
        _check_identity(self)
        _check_text("finding", self.finding, LONGEST_LABEL)
        _check_text("reason", self.reason, LONGEST_COMMENT)
        _require(bool(self.finding), "An opinion names a finding.", self.finding)
        _require(_is_hash(self.checkpoint_identity), "An opinion names a checkpoint.", self.checkpoint_identity)
        _require(isinstance(self.agrees, bool), "A reader agrees or does not.", self.agrees)
        _require(self.agrees or bool(self.reason.strip()), "Say why you disagree.", self.reason)
        _require(_share(self.probability) and _share(self.threshold), "A probability lies in [0, 1].", self.probability)


@dataclass(frozen=True)
class Assignment:
    """A scan that a reader is to read.

    Attributes:
        id: 32 hexadecimal digits.
        scan_sha256: of the scan.
        assignee: who is to read it, by the name that readers give. It is not verified.
        reader: who assigned it, likewise.
        created: when, see `now`.

    Raises:
        UnusableRecord: when a field is not as described.
    """

    id: str
    scan_sha256: str
    assignee: str
    reader: str
    created: str

    def __post_init__(self):
        _check_identity(self)
        if checked_reader(self.assignee) != self.assignee:
            raise UnusableRecord("A reader's name has no blanks around it.")


Record = Annotation | Reading | Opinion | Assignment
Kept = TypeVar("Kept", Annotation, Reading, Opinion, Assignment)


def to_json(record: Record) -> dict[str, Any]:
    """The fields of a record, ready for JSON; `from_json` gives it back."""
    return {field.name: _listed(getattr(record, field.name)) for field in fields(record)}


def from_json(kind: type[Kept], data: Mapping[str, Any]) -> Kept:
    """A record from what `to_json` made of one.

    Raises:
        UnusableRecord: a field is missing, is not known, or is not as described.
    """
    known = {field.name for field in fields(kind)}
    if not isinstance(data, Mapping) or set(data) - known:
        raise UnusableRecord(f"The fields of {kind.__name__.lower()} are {', '.join(sorted(known))}.")
    try:
        return kind(**data)
    except TypeError as error:
        raise UnusableRecord(f"This is no {kind.__name__.lower()} ({str(error)[:200]}).") from None


def checked_reader(name: str) -> str:
    """The name that a reader gives, without blanks around it.

    Raises:
        UnusableRecord: it is empty, too long, or holds what cannot be printed.
    """
    name = " ".join(name.split()) if isinstance(name, str) else ""
    if not name or len(name) > LONGEST_READER or not name.isprintable():
        raise UnusableRecord(f"A reader's name has 1 to {LONGEST_READER} characters that can be printed.")
    return name


def _require(right: bool, sentence: str, value: object) -> None:
    if not right:
        raise UnusableRecord(f"{sentence.rstrip('.')}, got {value!r:.80}.")


def _check_identity(record: Record) -> None:
    _require(_is_id(record.id), "An id has 32 hexadecimal digits.", record.id)
    _require(_is_hash(record.scan_sha256), "A scan is named by 64 hexadecimal digits.", record.scan_sha256)
    if checked_reader(record.reader) != record.reader:
        raise UnusableRecord("A reader's name has no blanks around it.")
    timed = isinstance(record.created, str) and re.fullmatch(TIME, record.created) is not None
    _require(timed, "A time reads like 2026-11-28T09:15:00.000000Z.", record.created)


def _check_text(name: str, text: object, longest: int) -> None:
    if not isinstance(text, str) or len(text) > longest:
        raise UnusableRecord(f"A {name} is text of at most {longest} characters.")
    if not text.replace("\n", " ").replace("\t", " ").isprintable():
        raise UnusableRecord(f"A {name} holds only what can be printed.")


def _points(points: Sequence[Sequence[float]]) -> tuple[Point, ...]:
    try:
        pairs = tuple((float(row), float(column)) for row, column in points)
    except (TypeError, ValueError, OverflowError):
        raise UnusableRecord("Points are pairs of numbers, (row, column).") from None
    if not all(math.isfinite(value) and abs(value) <= FARTHEST for pair in pairs for value in pair):
        raise UnusableRecord("Points are finite numbers, and within a scan.")
    return pairs


def _runs(runs: Sequence[Sequence[int]]) -> tuple[Run, ...]:
    if not isinstance(runs, Sequence) or len(runs) > MOST_RUNS:
        raise UnusableRecord(f"A brush has at most {MOST_RUNS} runs of pixels.")
    checked: list[Run] = []
    for run in runs:
        if not isinstance(run, Sequence) or len(run) != 3 or not all(_whole(part) for part in run):
            raise UnusableRecord("A run is three whole numbers: row, first column, how many pixels.")
        row, column, count = run
        before = checked[-1] if checked else (-1, 0, 0)
        after_it = row > before[0] or (row == before[0] and column > before[1] + before[2])
        if row < 0 or column < 0 or count < 1 or column + count > FARTHEST or row > FARTHEST or not after_it:
            raise UnusableRecord("Runs lie within the scan, by row and column, and none touches another.")
        checked.append((row, column, count))
    return tuple(checked)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _listed(value: Any) -> Any:
    return [_listed(part) for part in value] if isinstance(value, tuple) else value
