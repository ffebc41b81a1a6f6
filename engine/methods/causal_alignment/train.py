"""The training of causal alignment: the diagnosis and the attributes, and Algorithm 1 of Liu et al. 2025 for both
levels of the hierarchy.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.alignment import Alignment, align, nothing
from engine.methods.causal_alignment.ccce import DiagnosisTable
from engine.methods.causal_alignment.distances import median_absolute_deviation, standard_deviation
from engine.methods.causal_alignment.latent import LatentPictures, LatentSpace
from engine.methods.causal_alignment.losses import attribute_loss
from engine.methods.causal_alignment.network import CausalAlignmentNetwork
from engine.methods.causal_alignment.pictures import RegionBatch, on_plain_background
from engine.methods.causal_alignment.presets import PRESETS, Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe

__all__ = ["PRESETS", "CausalAlignmentRecipe", "Preset"]


class CausalAlignmentRecipe(RegionRecipe):
    """Eq. 5: cross-entropy of diagnosis and attributes, and the alignment of both levels.

    Attributes:
        latent: the trained autoencoder in whose space counterfactual pictures are sought where the preset says so; in
            evaluation mode, its parameters without gradients.

    Raises:
        ValueError: as `RegionRecipe`.
    """

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        self.concepts = tuple(collection.concepts) if preset.hierarchical else ()
        torch.manual_seed(seed)
        self.network = CausalAlignmentNetwork(len(self.concepts), preset.architecture)
        super().__init__(collection, preset, self.network, seed)
        self.causal, self.attribute_weights, self.table = None, None, None
        if self.concepts:
            train = self.pictures.train
            a, y = collection.concept_labels[train], collection.labels[train, 0]
            causal = np.zeros_like(collection.concept_labels)
            self.table = DiagnosisTable.fit(self.concepts, a, y)
            causal[train] = self.table.causal_attributes(a, y)
            self.causal = torch.from_numpy(causal)
            present = np.clip(a.mean(0), 0.02, 0.98)
            self.attribute_weights = torch.tensor(np.stack([0.5 / (1 - present), 0.5 / present]), dtype=torch.float32)
        self.latent: LatentSpace | None = None
        self._scales: dict[str, Tensor] = {}

    def scale(self, of: str) -> Tensor | None:
        """Of a scaled distance that of each number over the training pictures; None for the other distances.

        Args:
            of: "image", "latent" or "attributes".
        """
        if not self.preset.distance.startswith("scaled"):
            return None
        if of not in self._scales:
            measure = median_absolute_deviation if self.preset.distance.endswith("l1") else standard_deviation
            self._scales[of] = measure(self._numbers(of), least=0.02 if of == "image" else 0.1)
        return self._scales[of]

    @torch.no_grad()
    def _numbers(self, of: str) -> Tensor:
        """(n, ...) of all training pictures."""
        train = self.pictures.train
        if of == "attributes":
            return torch.from_numpy(self.collection.concept_labels[train]).float()
        x = self.films.batch(train)
        if of == "image":
            return x
        space = self._space()
        device = next(space.parameters()).device
        return torch.cat([space.encode(some.to(device)).cpu() for some in x.split(64)])

    def _space(self) -> LatentSpace:
        if self.latent is None:
            raise ValueError("the autoencoder of the latent space is trained before the classifier.")
        return self.latent

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        p = self.preset
        shown = (step - p.masked_steps) / p.fading_steps if p.fading_steps else float(step >= p.masked_steps)
        x = on_plain_background(batch.x, batch.region, min(max(shown, 0.0), 1.0))
        attributes, odds = self.net(x)
        losses, said = {"diagnosis": self.diagnosis_loss(odds, batch.y)}, {}
        if self.concepts:
            assert batch.concepts is not None, "the pictures of a collection with concepts have them"
            weights = self.attribute_weights
            losses["attributes"] = attribute_loss(
                attributes, batch.concepts, None if weights is None else weights.to(odds)
            )
        rise = min(1.0, (step - p.masked_steps + 1) / p.rising_steps)
        if rise <= 0:
            return losses, said
        target = None
        if self.concepts and p.lambda_attributes:
            term, target = self._align_attributes(torch.sigmoid(attributes), batch)
            losses["attribute alignment"] = rise * p.lambda_attributes * term.loss
            said |= {"attribute share outside": term.share}
        if p.lambda_image:
            term = self._align_image(x, batch, target)
            losses["image alignment"] = rise * p.lambda_image * term.loss
            said |= {"share outside": term.share, "arrived": term.arrived, "iterations": term.iterations}
        return losses, said

    def _align_attributes(self, a: Tensor, batch: RegionBatch) -> tuple[Alignment, Tensor]:
        """Eq. 6 for the batch, and a* in [0, 1] of the pictures whose counterfactual image is made."""
        assert self.causal is not None, "only with concepts"
        a, y = a.detach(), 1 - batch.y
        scale = self.scale("attributes")
        problem = self.preset.problem(self.preset.alpha_attributes, None if scale is None else scale.to(a))

        def cross_entropy(values: Tensor, rows: Tensor) -> Tensor:
            return F.binary_cross_entropy_with_logits(self.network.diagnose(values), y[rows], reduction="none")

        causal = self.causal[batch.indices].to(a)
        rows = torch.nonzero(causal.any(1))[:, 0]  # a case that nothing accounts for teaches nothing here
        target = problem.solve(cross_entropy, a).x.clamp(0, 1)
        if not len(rows):
            return nothing(a), target

        def of_rows(values: Tensor, some: Tensor) -> Tensor:
            return cross_entropy(values, rows[some])

        return align(of_rows, a[rows], causal[rows], problem, bool(self.preset.relative)), target

    def _align_image(self, x: Tensor, batch: RegionBatch, target: Tensor | None) -> Alignment:
        """Eq. 7 towards the counterfactual attributes, or Eq. 2 towards the other diagnosis where there are none."""
        p = self.preset
        chosen = torch.nonzero(batch.region.flatten(1).any(1))[: p.aligned, 0]  # pictures with a region
        if not len(chosen):
            return nothing(x)

        def cross_entropy(points: Tensor, rows: Tensor) -> Tensor:
            attributes, odds = self.net(points)
            if target is None:
                return F.binary_cross_entropy_with_logits(odds, 1 - batch.y[chosen[rows]], reduction="none")
            wanted = target[chosen[rows]]
            return F.binary_cross_entropy_with_logits(attributes, wanted, reduction="none").sum(1)

        latent = LatentPictures.of(self._space().to(x.device), x[chosen]) if p.space == "latent" else None
        scale = self.scale(p.space)
        problem = p.problem(p.alpha_image if latent is None else p.alpha_latent, None if scale is None else scale.to(x))
        return align(cross_entropy, x[chosen], batch.region[chosen], problem, bool(p.relative), latent)
