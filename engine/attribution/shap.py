"""SHAP (Lundberg and Lee 2017), Kernel SHAP through Captum, over pieces that follow the picture's edges."""

from __future__ import annotations

from captum.attr import KernelShap
from torch import Tensor

from engine.attribution.rivals import BlackBox, Rival, rival
from engine.attribution.segments import SAMPLES, by_pieces


@rival
class ShapRival(Rival):
    """Shapley values of the log-odds, as Kernel SHAP estimates them."""

    name = "shap"
    title = "SHAP"
    paper = "Lundberg and Lee 2017"

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        method = KernelShap(box.classifier)
        return by_pieces(
            lambda picture, grey, mask: method.attribute(
                picture, grey, target=c, feature_mask=mask, n_samples=SAMPLES, perturbations_per_eval=64
            ),
            x,
        )
