"""LIME (Ribeiro et al. 2016), through Captum, over pieces that follow the picture's edges."""

from __future__ import annotations

from captum.attr import Lime
from torch import Tensor

from engine.attribution.rivals import BlackBox, Rival, rival
from engine.attribution.segments import SAMPLES, by_pieces


@rival
class LimeRival(Rival):
    """The weights of a sparse linear model of the log-odds, on pictures with some pieces hidden."""

    name = "lime"
    title = "LIME"
    paper = "Ribeiro et al. 2016"

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        method = Lime(box.classifier)
        return by_pieces(
            lambda picture, grey, mask: method.attribute(
                picture, grey, target=c, feature_mask=mask, n_samples=SAMPLES, perturbations_per_eval=64
            ),
            x,
        )
