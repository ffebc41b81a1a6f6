"""Rows that were written before a row had fields: the fields are those whose words are the row's subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import permutations
from typing import Any

from engine.metrics.measure import ABOUT, Measure, between
from engine.metrics.subjects import CHANGE, FLIPS, MEAN, Variant, subject

ATTRIBUTES = {"sex": ("F", "M"), "view_position": ("AP", "PA"), "marker": ("absent", "present")}
BY_FINDING = (
    "",
    "fixed",
    "otsu",
    "area-matched",
    "of those called",
    "inside",
    "outside",
    "total",
    "inside - outside",
    Variant.WITHOUT,
    Variant.AUC,
)


def measure_of(row: Mapping, findings: Sequence[str], attributes: Mapping[str, Sequence[str]] = ATTRIBUTES) -> Measure:
    """The measure that a row of today, or one that has a subject and no fields, holds.

    A subject that no fields known here give is kept as the variant, so that it is shown as it was.

    Args:
        findings, attributes: of the row's checkpoint.

    Raises:
        ValueError: as `Measure.of_row`.
    """
    if any(name in row for name in ABOUT):
        return Measure.of_row(row)
    said = row.get("subject")
    if not isinstance(said, str):
        raise ValueError("a row has no subject")
    known = _known(tuple(findings), tuple((name, tuple(values)) for name, values in attributes.items()))
    numbers = {
        name: value
        for name, value in row.items()
        if name != "sample" and (value is not None or name in ("low", "high"))
    }
    return Measure.of_row(numbers | dict(known.get(said, (("variant", said),))))


@lru_cache(maxsize=32)
def _known(findings: tuple[str, ...], attributes: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[str, tuple]:
    """Words -> the fields (name, value) that give them."""
    known: dict[str, tuple] = {"all": ()}
    for fields in _fields(findings, dict(attributes)):
        known.setdefault(subject(**fields), tuple(fields.items()))
    return known


def _fields(findings: Sequence[str], attributes: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    for finding in findings:
        yield from ({"finding": finding, "variant": variant} for variant in BY_FINDING)
    for name, values in attributes.items():
        of = {"attribute": name}
        yield from (of | {"variant": variant} for variant in (Variant.NULL, Variant.ALTERNATIVES, MEAN))
        for value in values:
            yield of | {"attribute_value": value}
            yield of | {"attribute_value": value, "variant": Variant.SUBGROUP}
        for finding in findings:
            whose = of | {"finding": finding}
            yield whose | {"variant": Variant.AUC}
            yield whose | {"variant": FLIPS}
            yield from (whose | {"attribute_value": value, "variant": Variant.PROBABILITY} for value in values)
            for pair in permutations(values, 2):
                yield whose | {"attribute_value": between(*pair), "variant": CHANGE}
