"""What an attribution method for any classifier is, and how one joins: one file, one decorated class."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from engine.attribution.explainer import Explained, PreparedPictures
from engine.classifiers.small import with_shuffled_weights
from engine.discovery import import_all
from engine.metrics.measure import NotMeasurable
from engine.networks.autoencoder import Autoencoder
from engine.preprocessing import Preprocessing

BATCH = 16  # pictures that are explained together
_rivals: dict[str, Rival] = {}


@dataclass(frozen=True)
class BlackBox:
    """The classifier that is explained, and what else a method may use.

    Attributes:
        classifier: (B, 1, s, s) to log-odds (B, C), in evaluation mode, its parameters without gradients. Those that
            look at its last features want `features`, a flat sequence with a ReLU at its end, and `weigh`, a linear
            layer on their means.
        autoencoder: of the same pictures; None where there is none.
        findings, thresholds: (C,).
        preparation: how its pictures are made.
    """

    classifier: nn.Module
    autoencoder: Autoencoder | None
    findings: Sequence[str]
    thresholds: np.ndarray
    preparation: Preprocessing


class Rival(ABC):
    """An attribution method.

    Attributes:
        name: of its file.
        title: as a reader knows it.
        paper: author and year.
        counterfactuals: whether it changes the picture until the classifier says otherwise, in both directions.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    counterfactuals: ClassVar[bool] = False

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        """Maps (B, s, s) of pictures (B, 1, s, s) for log-odds `c`; what speaks for the finding is positive."""
        raise NotImplementedError(f"{self.name} makes counterfactuals; its maps are what these change")

    def changed(self, box: BlackBox, x: Tensor, c: int, present: bool) -> Tensor:
        """Pictures (B, 1, s, s) of which the classifier says that finding `c` is present, or absent."""
        raise NotImplementedError(f"{self.name} makes no counterfactuals")


def rival(method: type[Rival]) -> type[Rival]:
    """Class decorator: the method joins the tables."""
    if method.name in _rivals:
        raise ValueError(f"two attribution methods are called {method.name!r}")
    _rivals[method.name] = method()
    return method


def rivals() -> Mapping[str, Rival]:
    """Every attribution method, by name."""
    import_all("engine.attribution")
    return dict(sorted(_rivals.items()))


class RivalExplainer(PreparedPictures):
    """An attribution method on one classifier, as an explainer.

    Raises:
        NotMeasurable: a method that needs an autoencoder where there is none.
    """

    def __init__(self, method: Rival, box: BlackBox):
        if method.counterfactuals and box.autoencoder is None:
            raise NotMeasurable(f"{method.title} needs an autoencoder of the films")
        self.method, self.box, self.name = method, box, method.title
        self.findings, self.thresholds, self.preparation = list(box.findings), box.thresholds, box.preparation
        self.side, self.span = box.preparation.size, 2 * box.preparation.value_range
        self.counterfactuals = self.adds = method.counterfactuals

    @torch.no_grad()
    def predict(self, pictures: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(np.asarray(pictures, np.float32))[:, None].split(64)
        return torch.cat([torch.sigmoid(self.box.classifier(part)) for part in parts]).numpy()

    def explain(self, pictures: np.ndarray, c: int, present: bool = False) -> Explained:
        if present and not self.adds:
            raise NotMeasurable(f"{self.name} makes no counterfactuals")
        maps, changed = [], []
        for x in torch.from_numpy(np.asarray(pictures, np.float32))[:, None].split(BATCH):
            if self.counterfactuals:
                other = self.method.changed(self.box, x, c, present).detach().clamp(-1, 1)
                maps.append((other - x).abs()[:, 0])
                changed.append(other[:, 0])
            else:
                maps.append(self.method.maps(self.box, x, c).detach())
        drawn = torch.cat(maps).numpy().astype(np.float32)
        return Explained(drawn, torch.cat(changed).numpy().astype(np.float32) if changed else None)

    def randomised(self, seed: int) -> RivalExplainer:
        ignorant = with_shuffled_weights(self.box.classifier, seed)
        return RivalExplainer(self.method, replace(self.box, classifier=ignorant))
