"""ACAT (Fontanella et al. 2023): latent counterfactuals become saliency maps, and saliency maps steer attention at
three scales.
"""

from __future__ import annotations

from engine.registry import Method, register


@register
class ACATMethod(Method):
    """Volumes of computed tomography and magnetic resonance."""

    name = "acat"
    title = "ACAT"
    paper = "Fontanella et al. 2023"
    kinds = ("CT", "MR", "unknown")
    dimensions = 3
    signed = False
    counterfactuals = True
    has_centres = False
    has_regions = True
    evidence_name = "what either class would change"
