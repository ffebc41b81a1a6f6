"""Score-CAM (Wang et al. 2020), through pytorch-grad-cam."""

from __future__ import annotations

from pytorch_grad_cam import ScoreCAM
from torch import Tensor

from engine.attribution.last_features import unscaled
from engine.attribution.rivals import BlackBox, Rival, rival


@rival
class ScoreCAMRival(Rival):
    """The last features, each weighed by the answer to the picture seen through it."""

    name = "score_cam"
    title = "Score-CAM"
    paper = "Wang et al. 2020"

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        return unscaled(ScoreCAM, box, x, c)
