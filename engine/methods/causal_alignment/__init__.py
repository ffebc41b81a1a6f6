"""Causal alignment (Liu et al. 2025): a classifier whose counterfactuals stay inside the region that experts marked."""

from __future__ import annotations

from engine.registry import Method, register


@register
class CausalAlignmentMethod(Method):
    """What would have to change for another diagnosis, from image to attributes to diagnosis.

    Its counterfactual has the diagnosis taken away by the smallest change. Its regions are the image, with what
    Grad-CAM shows of the decision, the attributes where the classifier has any, and the diagnosis.
    """

    name = "causal_alignment"
    title = "Causal alignment"
    paper = "Liu et al. 2025"
    signed = True
    counterfactuals = True
    has_centres = False
    has_regions = True
    evidence_name = "change taken away"
