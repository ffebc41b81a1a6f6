"""What a bias report may conclude of a finding, what must be said with it, and why there is sometimes no verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether the answer about a finding depends on the attribute."""

    DEPENDS = "depends"
    NO_SIGN = "no sign of it"
    CANNOT_TELL = "cannot tell"


class Degree(StrEnum):
    """What must be said with `Verdict.DEPENDS`."""

    BARELY = "barely"
    A_LITTLE = "a little"
    BY_THE_PICTURES = "by the pictures"


class Mark(StrEnum):
    """What a number says of how far the pictures can be trusted."""

    GOOD = "good"
    BAD = "bad"
    QUIET = "quiet"


class Why(StrEnum):
    """Why there is no verdict."""

    NOT_JUDGED = "not judged yet"
    NOT_TESTABLE = "the test could not be done"
    QUALITY_UNKNOWN = "the quality of the pictures was not measured"
    NOT_EFFECTIVE = "too few pictures show the value that was asked for"
    FINDINGS_FADE = "the pictures do not keep the findings"
    NULL_FLIPS = "decisions change with nothing changed"
    LITTLE_OVERLAP = "the rest of the picture gives the attribute away"
    TOO_FEW = "the pictures move the answer, but are too few for the test"
    NOT_CONFIRMED = "the pictures move the answer, but the test does not confirm it"
    NOT_BOUNDED = "the change may be larger than the margin"


@dataclass(frozen=True)
class Reason:
    """Why there is no verdict, and the same with its numbers as a sentence for a reader."""

    why: Why
    words: str


NOT_JUDGED = Reason(Why.NOT_JUDGED, "not judged yet")
