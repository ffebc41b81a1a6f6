"""VA-GAN (Baumgartner et al. 2018): a map to any normal picture, the baseline of CX-GAN."""

from __future__ import annotations

from engine.registry import Method, register


@register
class VaGanMethod(Method):
    """A map to any normal picture, not to this patient's: the baseline that CX-GAN's cycle is to improve on."""

    name = "va_gan"
    title = "VA-GAN"
    paper = "Baumgartner et al. 2018"
    signed = True
    counterfactuals = True
    has_centres = False
    evidence_name = "discrepancy map"
    two_classes = True
