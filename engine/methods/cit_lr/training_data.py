"""What CIT-LR's generator is trained on and with: settings, and pictures with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from engine.datasets.collection import Collection
from engine.methods.cit_lr.diffusion import Diffusion
from engine.methods.cit_lr.network import Architecture, Networks
from engine.networks.augmentation import Augmentation
from engine.networks.films import Films
from engine.preprocessing import Preprocessing
from engine.training.presets import at_least_one

SENSITIVE = ("sex", "view_position", "marker", "race")  # attributes that are asked about, where a collection has them
FEWEST = 20  # training pictures of a value; rarer ones are left out


@dataclass(frozen=True)
class Preset:
    """Everything that decides a training, but for data and devices.

    Attributes:
        oracle_steps, autoencoder_steps, denoiser_steps, disentangler_steps, beta_vae_steps: of the five phases; the
            third is the longest.
        batch: pictures of a step; the autoencoder takes half as many.
        beta: of the beta-VAE that is measured beside it.
        prior: weight of the autoencoder's divergence from its prior; the authors' 1e-6 on sums.
        dropped: how often the denoiser is not told the value of an attribute or finding, each on its own.
        averaging: decay of the running average of the denoiser's weights.
        perturbation_scale: lambda of the perturbation, in the latent picture's own length.
        information_steps: of the estimator for each of the perturbation (five in the paper).
        disentangled: pictures that the perturbation learns from.
        validated: at most so many validation pictures are looked at.
        first_beta, last_beta, strength, num_steps: of `Diffusion`.
        guidance: of every attribute, see `Sampler`; 0 chooses each attribute's own on validation.
        percentile, value_range: of `Preprocessing`.
    """

    architecture: Architecture = field(default_factory=Architecture)
    oracle_steps: int = 5000
    autoencoder_steps: int = 20_000
    denoiser_steps: int = 100_000
    disentangler_steps: int = 2000
    beta_vae_steps: int = 20_000
    validate_every: int = 500
    batch: int = 32
    oracle_rate: float = 1e-3
    autoencoder_rate: float = 5e-4
    denoiser_rate: float = 3e-4
    disentangler_rate: float = 1e-3
    beta: float = 3.0
    prior: float = 1e-6
    dropped: float = 0.1
    averaging: float = 0.995
    perturbation_scale: float = 0.005
    information_steps: int = 5
    disentangled: int = 4000
    validated: int = 256
    first_beta: float = 0.00085
    last_beta: float = 0.012
    strength: float = 1.0
    num_steps: int = 20
    guidance: float = 0.0
    percentile: float = 1.0
    value_range: float = 0.9
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        at_least_one(
            self,
            "oracle_steps",
            "autoencoder_steps",
            "denoiser_steps",
            "disentangler_steps",
            "beta_vae_steps",
            "validate_every",
            "batch",
            "information_steps",
        )

    @property
    def diffusion(self) -> Diffusion:
        return Diffusion(self.first_beta, self.last_beta, self.strength, self.num_steps)


DEMO = Preset(
    architecture=Architecture(size=96, encoder_width=32, latent=8, width=48, oracle_width=16),
    oracle_steps=2400,
    autoencoder_steps=1800,
    denoiser_steps=10000,
    disentangler_steps=150,
    beta_vae_steps=1200,
    validate_every=250,
    batch=16,
    autoencoder_rate=1e-3,
    disentangled=256,
    validated=96,
    strength=0.8,
    num_steps=8,
)
GPU = replace(
    DEMO,
    architecture=Architecture(size=128, encoder_width=64, latent=8, width=144, oracle_width=32),
    oracle_steps=4000,
    autoencoder_steps=6000,
    denoiser_steps=20_000,
    disentangler_steps=500,
    beta_vae_steps=3000,
    batch=32,
    autoencoder_rate=5e-4,
    disentangled=1024,
    num_steps=12,
)
PRESETS: Mapping[str, Preset] = {"paper": Preset(), "gpu": GPU, "demo": DEMO}


class TrainingData:
    """Pictures with what is known of them.

    Attributes:
        attributes: name to its values, for every one of `SENSITIVE` that the collection knows with two values or more.
        codes: (N, K + C) int64 index of each picture's attribute values, then of its findings, -1 where unknown.
        labels: (N, C) float32, NaN where unknown.

    Raises:
        ValueError: the collection knows no such attribute.
    """

    def __init__(self, collection: Collection, preset: Preset):
        self.collection = collection
        self.films = Films(collection, Preprocessing(preset.architecture.size, preset.percentile, preset.value_range))
        train = collection.split("train")
        self.attributes: dict[str, tuple[str, ...]] = {}
        for name in SENSITIVE:
            values_of = collection.attributes.get(name)
            if values_of is not None:
                values, counts = np.unique(values_of[train], return_counts=True)
                known = tuple(str(v) for v, n in zip(values, counts) if v and n >= FEWEST)
                if len(known) > 1:
                    self.attributes[name] = known
        if not self.attributes:
            raise ValueError(
                f"{collection.name} knows no attribute to intervene on; one of {', '.join(SENSITIVE)} with two values "
                "is needed."
            )
        self.codes = encoded(collection, np.arange(len(collection)), self.attributes, collection.findings)
        self.labels = np.asarray(collection.labels, np.float32)
        self.parts = {part: collection.split(part) for part in ("train", "validation", "test")}


def encoded(
    collection: Collection, indices: np.ndarray, attributes: Mapping[str, Sequence[str]], findings: Sequence[str]
) -> np.ndarray:
    """(n, K + C) int64: which of its values each picture has for each attribute, and 0 or 1 for each finding; -1 where
    the collection does not say, or says something else.
    """
    codes = np.full((len(indices), len(attributes) + len(findings)), -1, np.int64)
    for k, (name, values) in enumerate(attributes.items()):
        values_of = collection.attributes.get(name)
        for code, value in enumerate(values):
            if values_of is not None:
                codes[values_of[indices] == value, k] = code
    for c, finding in enumerate(findings):
        if finding in collection.findings:
            label = collection.labels[indices, list(collection.findings).index(finding)]
            codes[:, len(attributes) + c] = np.where(np.isnan(label), -1, np.nan_to_num(label) > 0.5)
    return codes


@torch.no_grad()
def latents_of(nets: Networks, films: Films, indices: np.ndarray, device: torch.device) -> Tensor:
    """(n, latent, h, w) float32 on the CPU."""
    parts = []
    for start in range(0, len(indices), 64):
        x = films.batch(indices[start : start + 64]).to(device, memory_format=torch.channels_last)
        parts.append(nets.autoencoder.encode(x).cpu())
    return torch.cat(parts)
