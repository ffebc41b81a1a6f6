"""CX-GAN (Zia et al.): this patient's normal counterpart by cycle-consistent translation, and every pixel
of the difference.
"""

from __future__ import annotations

from engine.registry import Method, register


@register
class CxGanMethod(Method):
    """This scan's normal counterpart: a map learned from two sets of pictures, without pixel labels or a
    classifier.
    """

    name = "cx_gan"
    title = "CX-GAN"
    paper = "Zia et al. 2023"
    signed = True
    counterfactuals = True
    has_centres = False
    evidence_name = "discrepancy map"
    two_classes = True
    made_pairs = True
