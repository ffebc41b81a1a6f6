"""A U-Net taught on true pairs: the ceiling of what pictures allow, no method of a paper."""

from __future__ import annotations

from engine.registry import Method, register


@register
class SupervisedMethod(Method):
    """The ceiling: shown every training picture's true counterfactual, which no labelled collection has.

    Recovery reads against it.
    """

    name = "supervised"
    title = "U-Net taught on true pairs"
    paper = "no paper: the ceiling"
    kinds = ("radiograph", "unknown")
    signed = True
    counterfactuals = True
    has_centres = False
    made_pairs = True
    evidence_name = "change taken away"
