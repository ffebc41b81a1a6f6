"""What decides a training of causal alignment, and of the classifiers that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from engine.methods.causal_alignment.alignment import DISTANCES, InnerProblem
from engine.methods.causal_alignment.latent import SPACES
from engine.methods.causal_alignment.network import Architecture
from engine.networks.augmentation import Augmentation
from engine.training.presets import at_least_one, not_negative, yes_or_no


@dataclass(frozen=True)
class Preset:
    """What decides a training; rate, weights and the batch of `paper` are those of section 5.1.

    Attributes:
        hierarchical: 1 puts the collection's attributes between image and diagnosis where it has any.
        aligned: pictures of a batch whose counterfactuals are made.
        alpha_image, alpha_attributes: alpha_1 of Eq. 7 (and of Eq. 2) and alpha_2 of Eq. 6, for greys in
            [-value_range, value_range] and attributes in [0, 1].
        alpha_latent: of Eq. 2 for latents, each channel of which has the variance 1.
        lambda_image, lambda_attributes: lambda_1 and lambda_2 of Eq. 5; 0 leaves the term out.
        relative: 1 takes Eq. 3 in shares, see `outside_share`; 0 as printed.
        distance: of Eq. 2, one of `DISTANCES`, for pictures and latents and for attributes.
        space: where the counterfactual pictures of the training are sought, one of `SPACES`.
        autoencoder_steps: of the autoencoder of the latent space, which is trained first and kept with the classifier,
            so that counterfactuals can be sought there; 0 makes none.
        latent_width, latent_channels: of the autoencoder, see `LatentSpace`.
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
    alpha_latent: float = 0.1
    lambda_image: float = 1.0
    lambda_attributes: float = 1.0
    relative: int = 0
    distance: str = "l1"
    space: str = "image"
    autoencoder_steps: int = 0
    latent_width: int = 16
    latent_channels: int = 4
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
        at_least_one(self, "latent_width", "latent_channels")
        not_negative(self, "fading_steps", "damping", "autoencoder_steps")
        yes_or_no(self, "hierarchical", "relative", "keep_last", "balanced", "mirror")
        if self.distance not in DISTANCES:
            raise ValueError(f"distance must be one of {', '.join(DISTANCES)}, got {self.distance!r}.")
        if self.space not in SPACES:
            raise ValueError(f"space must be one of {', '.join(SPACES)}, got {self.space!r}.")
        if self.space == "latent" and not self.autoencoder_steps:
            raise ValueError("the latent space needs an autoencoder; set autoencoder_steps above 0.")
        if min(self.alpha_image, self.alpha_attributes, self.alpha_latent, self.tolerance, self.residual) <= 0:
            raise ValueError("alpha_image, alpha_attributes, alpha_latent, tolerance and residual must be above 0.")
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
    alpha_latent=0.03,
    lambda_image=6.0,
    relative=1,
    distance="squared_l2",
    latent_width=8,
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
