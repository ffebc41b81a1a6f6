"""What a row is about, in words made from its fields; nothing reads a field back out of these words."""

from __future__ import annotations

from enum import StrEnum


class Variant(StrEnum):
    """Variants whose words need other fields of the row; every other variant stands in the words as it is."""

    AUC = "AUC"
    PROBABILITY = "probability"
    WITHOUT = "pictures without it"
    NULL = "null intervention"
    ALTERNATIVES = "alternatives"
    LEFT_ALONE = "pictures left as they are"
    SUBGROUP = "subgroup"
    SUBGROUP_OF_SOME = "subgroup, some findings"
    CHANGE_WITH_TRACES = "mean change of the probability, traces not subtracted"
    EQUIVALENCE = "equivalence"
    SHOWN = "shown by the pictures"
    SHOWN_HOLM = "shown by the pictures, Holm"
    TRACE = "trace of the generator"


MEAN, MEAN_OVER_FINDINGS = (
    "mean",
    "mean over findings",
)  # of the findings' AUCs, and of what was measured finding by finding
CHANGE, FLIPS = "mean change of the probability", "decisions that flip"
MEAN_MOVE = "mean absolute change of the probability"  # beside the mean change, in which changes of both signs cancel
NULL_CHANGE = "mean |change| of the probability when nothing is changed"
NULL_FLIPS = "decisions that flip when nothing is changed"
HOLM = "Holm"

_DETAIL = {
    Variant.AUC: "AUC of {finding}",
    Variant.PROBABILITY: "probability of {finding}, {attribute} {attribute_value}",
    Variant.WITHOUT: "pictures without {finding}",
    Variant.LEFT_ALONE: "pictures left as they are, {attribute}",
    Variant.SUBGROUP: "{spaced} {attribute_value}",
    Variant.SUBGROUP_OF_SOME: "{spaced} {attribute_value} ({finding} only)",
    Variant.CHANGE_WITH_TRACES: "mean change of the probability, {attribute_value}, traces not subtracted",
    Variant.EQUIVALENCE: "mean change of the probability, {attribute_value}: not smaller than {hundredths:g} of 100",
    Variant.SHOWN: "pictures show no more than {hundredths:.3g} of 100",
    Variant.SHOWN_HOLM: "pictures show no more than {hundredths:.3g} of 100, Holm",
    Variant.TRACE: "trace of the generator under {attribute_value}",
}
_WHOLE = {
    **dict.fromkeys((Variant.AUC, Variant.NULL, Variant.ALTERNATIVES), "{of}{detail}"),
    **dict.fromkeys((Variant.PROBABILITY, Variant.WITHOUT, Variant.LEFT_ALONE), "{detail}"),
    **dict.fromkeys((Variant.SUBGROUP, Variant.SUBGROUP_OF_SOME), "{detail}"),
    Variant.TRACE: "{finding}: {detail}",
}


def detail(
    finding: str = "", attribute: str = "", attribute_value: str = "", variant: str = "", limit: float | None = None
) -> str:
    """What is left to say of a row below a title that names its finding and attribute; "" where that says it all."""
    if variant in _DETAIL:
        return _DETAIL[Variant(variant)].format(
            finding=finding,
            attribute=attribute,
            attribute_value=attribute_value,
            spaced=attribute.replace("_", " "),
            hundredths=100 * (limit or 0.0),
        )
    return ", ".join(filter(None, (variant, attribute_value))) if finding else variant


def subject(
    finding: str = "",
    attribute: str = "",
    attribute_value: str = "",
    variant: str = "",
    model: str = "",
    limit: float | None = None,
) -> str:
    """What a row is about: "Edema", "sex F", "Edema, otsu", "Edema by sex: decisions that flip"; "all" without any.

    Args:
        model: stands before the rest where rows of several models stand in one table.
        limit: in (0, 1), for a variant that asks whether it is exceeded.
    """
    more = detail(finding, attribute, attribute_value, variant, limit)
    if variant in _WHOLE:
        of = f"{attribute}: " if attribute else ""
        words = _WHOLE[Variant(variant)].format(finding=finding, attribute=attribute, of=of, detail=more)
    elif finding and attribute:
        words = f"{finding} by {attribute}" + (f": {more}" if more else "")
    else:
        head = finding or " ".join(filter(None, (attribute, attribute_value)))
        words = ", ".join(filter(None, (head, more)))
    return f"{model}: {words or 'all'}" if model else words or "all"
