"""Attri-Net (Sun et al. 2025, MELBA 3): class-specific counterfactual attribution maps, classified linearly."""

from __future__ import annotations

from engine.registry import Method, register


@register
class AttriNetMethod(Method):
    """Inherently interpretable: the maps that are shown are what the linear classifiers see."""

    name = "attri_net"
    title = "Attri-Net"
    paper = "Sun et al. 2025"
    kinds = ("radiograph", "unknown")
    signed = True
    counterfactuals = True
    has_centres = True
    made_pairs = True
    evidence_name = "weighted map"
