"""The training of causal alignment: the diagnosis and the attributes, and Algorithm 1 of Liu et al. 2025 for both
levels of the hierarchy.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import data_settings
from engine.methods.causal_alignment.alignment import DISTANCES, Alignment, InnerProblem, align, nothing
from engine.methods.causal_alignment.ccce import DiagnosisTable
from engine.methods.causal_alignment.distances import median_absolute_deviation, standard_deviation
from engine.methods.causal_alignment.losses import attribute_loss
from engine.methods.causal_alignment.network import Architecture, CausalAlignmentNetwork, RegionClassifier
from engine.methods.causal_alignment.pictures import RegionBatch, RegionPictures, on_plain_background, symbol_scores
from engine.networks.augmentation import Augmentation
from engine.preprocessing import Preprocessing
from engine.training.loop import PictureRecipe, descend, follow, total
from engine.training.presets import at_least_one, not_negative, yes_or_no

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Preset:
    """What decides a training; rate, weights and the batch of `paper` are those of section 5.1.

    Attributes:
        hierarchical: 1 puts the collection's attributes between image and diagnosis where it has any.
        aligned: pictures of a batch whose counterfactuals are made.
        alpha_image, alpha_attributes: alpha_1 of Eq. 7 (and of Eq. 2) and alpha_2 of Eq. 6, for greys in
            [-value_range, value_range] and attributes in [0, 1].
        lambda_image, lambda_attributes: lambda_1 and lambda_2 of Eq. 5; 0 leaves the term out.
        relative: 1 takes Eq. 3 in shares, see `outside_share`; 0 as printed.
        distance: of Eq. 2, one of `DISTANCES`.
        masked_steps: first steps, in which only the marked region is shown, on a plain background.
        fading_steps: after these, in which the background comes.
        rising_steps: in which the alignment's weight rises from nothing.
        tolerance, iterations, solves, residual, damping: see `InnerProblem`.
        falling: share of the steps, at the end, in which the learning rate falls to nothing.
        averaging: decay of the running average of the weights that is kept.
        keep_last: 1 keeps the last weights, 0 those that scored best on validation.
        balanced: 1 weighs both diagnoses alike.
        mirror: 1 mirrors every second picture left to right.
    """

    architecture: Architecture = field(default_factory=Architecture)
    hierarchical: int = 1
    steps: int = 600
    validate_every: int = 50
    batch: int = 128
    aligned: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    alpha_image: float = 0.01
    alpha_attributes: float = 0.0005
    lambda_image: float = 1.0
    lambda_attributes: float = 1.0
    relative: int = 0
    distance: str = "l1"
    masked_steps: int = 0
    fading_steps: int = 0
    rising_steps: int = 1
    tolerance: float = 1e-3
    iterations: int = 200
    solves: int = 20
    residual: float = 1e-2
    damping: float = 1e-2
    falling: float = 0.0
    averaging: float = 0.0
    keep_last: int = 1
    balanced: int = 1
    mirror: int = 0
    percentile: float = 1.0
    value_range: float = 0.9
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        at_least_one(self, "steps", "validate_every", "batch", "aligned", "rising_steps", "iterations", "solves")
        not_negative(self, "learning_rate", "weight_decay", "lambda_image", "lambda_attributes", "masked_steps")
        not_negative(self, "fading_steps", "damping")
        yes_or_no(self, "hierarchical", "relative", "keep_last", "balanced", "mirror")
        if self.distance not in DISTANCES:
            raise ValueError(f"distance must be one of {', '.join(DISTANCES)}, got {self.distance!r}.")
        if min(self.alpha_image, self.alpha_attributes, self.tolerance, self.residual) <= 0:
            raise ValueError("alpha_image, alpha_attributes, tolerance and residual must be above 0.")
        if not 0 <= self.falling <= 1 or not 0 <= self.averaging < 1:
            raise ValueError(
                f"falling must lie in [0, 1] and averaging in [0, 1), got {self.falling} and {self.averaging}."
            )
        if self.aligned > self.batch:
            raise ValueError(f"aligned must be at most the batch of {self.batch}, got {self.aligned}.")

    def problem(self, alpha: float, scale: Tensor | None = None) -> InnerProblem:
        """Eq. 2 with this preset's settings."""
        return InnerProblem(
            alpha, self.distance, self.tolerance, self.iterations, self.solves, self.residual, self.damping, scale
        )


SMALL = Preset(
    architecture=Architecture(size=64, width=16, halvings=2),
    steps=1200,
    validate_every=100,
    batch=32,
    aligned=8,
    learning_rate=2e-3,
    weight_decay=1e-3,
    alpha_image=0.03,
    alpha_attributes=0.05,
    lambda_image=6.0,
    relative=1,
    distance="squared_l2",
    masked_steps=300,
    fading_steps=100,
    tolerance=3e-3,
    iterations=30,
    solves=10,
    residual=3e-2,
    damping=0.0,
    falling=0.4,
    averaging=0.98,
    mirror=1,
    augmentation=Augmentation(rotate=10, shift=0.04, scale=0.1, gamma=0.3),
)
GPU = Preset(**{**vars(SMALL), "architecture": Architecture(size=96, width=32), "batch": 64, "aligned": 32})
PRESETS: Mapping[str, Preset] = {"paper": Preset(), "gpu": GPU, "demo": SMALL}


class RegionRecipe(PictureRecipe):
    """A classifier of one finding on pictures whose region an expert marked: what all that stand in one table share.

    A subclass says what is learned from a batch.

    Args:
        collection: with one finding; its pictures carry `symbols` or none.
        net: the classifier.

    Raises:
        ValueError: another number of findings, or fewer training pictures than a batch.
    """

    def __init__(self, collection: Collection, preset: Preset, net: RegionClassifier, seed: int = 42):
        if len(collection.findings) != 1:
            raise ValueError(
                f"causal alignment learns one diagnosis, got {', '.join(collection.findings)}; name one with --finding."
            )
        self.collection, self.preset, self.seed = collection, preset, seed
        self.steps, self.validate_every, self.keep_last = preset.steps, preset.validate_every, bool(preset.keep_last)
        self.net, self.average = net, deepcopy(net)
        self.pictures = RegionPictures(
            collection,
            Preprocessing(preset.architecture.size, preset.percentile, preset.value_range, collection.grey_range),
        )
        self.films = self.pictures.films
        labels = collection.labels[self.pictures.train, 0]
        self.positive_weight = float((labels == 0).sum() / max((labels == 1).sum(), 1)) if preset.balanced else 1.0
        if len(self.pictures.train) < preset.batch:
            raise ValueError(
                f"a batch of {preset.batch} needs as many training pictures; there are {len(self.pictures.train)}."
            )
        self._optimiser = torch.optim.AdamW(net.parameters(), lr=preset.learning_rate, weight_decay=preset.weight_decay)

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What is learned from a batch, and what else is logged."""
        return {"diagnosis": self.diagnosis_loss(self.net(batch.x)[1], batch.y)}, {}

    def diagnosis_loss(self, odds: Tensor, y: Tensor) -> Tensor:
        """Binary cross-entropy, both diagnoses weighing alike where the preset says so."""
        return F.binary_cross_entropy_with_logits(odds, y, pos_weight=odds.new_tensor(self.positive_weight))

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net, "average": self.average}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"net": self._optimiser}

    def weights_to_keep(self) -> dict[str, Tensor]:
        return {f"net.{k}": v for k, v in self.average.state_dict().items()}

    def settings(self) -> dict:
        chosen = {k: v for k, v in asdict(self.preset).items() if k not in ("steps", "validate_every", "falling")}
        return chosen | {"findings": list(self.collection.findings)} | data_settings(self.collection)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        try:
            for network in (self.net, self.average):
                network.load_state_dict({k.removeprefix("net."): v for k, v in weights.items() if k.startswith("net.")})
        except RuntimeError as error:
            raise ValueError("the weights to start from are of another network; train with its settings.") from error

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        if fabric.world_size > 1:
            raise ValueError("causal alignment trains on one device; leave --devices out.")
        p = self.preset
        share = min(1.0, (self.steps - step) / (p.falling * self.steps)) if p.falling else 1.0
        for group in self._optimiser.param_groups:
            group["lr"] = p.learning_rate * max(share, 0.02)
        batch = self.pictures.batch(self.draw("batch", step), p.batch, p.augmentation, bool(p.mirror)).to(fabric.device)
        losses, said = self.losses(batch, step)
        descend(total(losses), self._optimiser, fabric, longest=5.0)
        follow(self.average, self.net, p.averaging, step)
        return {name: float(loss.detach()) for name, loss in losses.items()} | said

    def validate(self, fabric: Fabric) -> dict[str, float]:
        """On validation pictures with random symbols: AUC, accuracy at even odds, CAM precision, and decisions that
        flip with the symbol; the score is the mean of AUC and precision.
        """
        self.average.to(fabric.device).eval()
        scores = symbol_scores(self.average, self.pictures, self.collection.split("validation"), fabric.device)
        return {"score": (scores["auc"] + scores["cam_precision"]) / 2, **scores}


class CausalAlignmentRecipe(RegionRecipe):
    """Eq. 5: cross-entropy of diagnosis and attributes, and the alignment of both levels.

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
        self.scale = self._scale()

    def _scale(self) -> Tensor | None:
        if not self.preset.distance.startswith("scaled"):
            return None
        pictures = self.films.batch(self.pictures.train)
        measure = median_absolute_deviation if self.preset.distance.endswith("l1") else standard_deviation
        return measure(pictures, least=0.02)

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
        a, y, problem = a.detach(), 1 - batch.y, self.preset.problem(self.preset.alpha_attributes)
        if problem.scale is not None or problem.distance != "squared_l2":
            problem = InnerProblem(problem.alpha, tolerance=problem.tolerance, iterations=problem.iterations)

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

        problem = p.problem(p.alpha_image, None if self.scale is None else self.scale.to(x))
        return align(cross_entropy, x[chosen], batch.region[chosen], problem, bool(p.relative))
