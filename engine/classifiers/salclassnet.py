"""SalClassNet (Murabito et al. 2018): the saliency map is one more channel of the picture.

As Fontanella et al. 2023 do (appendix E), with ACAT's maps in place of a saliency network, for which there are no maps
of where people looked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.classifiers.steered import SteeredClassifier, with_more_inputs
from engine.methods.acat.network import Baseline


class SalClassNet(SteeredClassifier):
    """The first convolution reads picture and saliency; at the start it takes no notice of the saliency."""

    reads_saliency = True

    def __init__(self, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int):
        super().__init__(backbone, classes, half_brain, **sizes)
        where, name = self._first_convolution()
        layer = getattr(where, name)
        assert isinstance(layer, nn.Conv2d), "a backbone begins with a convolution"
        setattr(where, name, with_more_inputs(layer, 1))

    def _first_convolution(self) -> tuple[nn.Module, str]:
        """What holds the first convolution of the backbone, and its name there."""
        path = next(name for name, layer in self.stages.named_modules() if isinstance(layer, nn.Conv2d))
        holder, _, name = path.rpartition(".")
        return self.stages.get_submodule(holder), name

    def start_from(self, baseline: Baseline) -> None:
        own, theirs = self.state_dict(), baseline.state_dict()
        path = next(name for name, value in theirs.items() if value.shape != own[name].shape)
        widened = torch.cat([theirs[path], torch.zeros_like(own[path][:, theirs[path].shape[1] :])], 1)
        self.load_state_dict(theirs | {path: widened})

    def first(self, pictures: Tensor, saliency: Tensor | None) -> Tensor:
        assert saliency is not None, "it is read"
        return torch.cat([pictures, saliency], 1)
