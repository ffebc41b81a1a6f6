"""A trained CIT-LR generator shows the same patients under every value of an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.bias.interventions import Counterfactuals, Interventions
from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.old_rows import measure_of
from engine.datasets.collection import Collection
from engine.methods.cit_lr.diffusion import Diffusion
from engine.methods.cit_lr.network import Architecture, Networks
from engine.methods.cit_lr.sampling import Sampler
from engine.methods.cit_lr.training_data import encoded
from engine.metrics.measure import Measure
from engine.networks.precision import bfloat16_in_hardware
from engine.networks.weights import with_weights
from engine.preprocessing import Preprocessing, enlarged

BATCH = 16  # patients at once
POOLED = 3  # the representation is averaged to a grid of so many cells a side


@dataclass(frozen=True)
class Sampled:
    """Prepared pictures (n, size, size) in [-value_range, value_range] and what they became.

    Attributes:
        base: through the autoencoder and back.
        changed: (n, m, size, size), under each value.
        noise: (n, latent, h, w) the disentangled representation.
    """

    base: np.ndarray
    changed: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class CitLrConfiguration:
    """The configuration of a generator.

    Attributes:
        findings: what its collection is labelled with.
        network: sizes of its networks.
        preprocessing: to pictures of that size.
        attributes: attribute -> its values, which it can change.
        diffusion: how it samples.
        perturbation_scale: of the disentangler.
        guidance: one number an attribute, finite.
        quality: attribute -> what was measured of it when it was made.

    Raises:
        ValueError: sizes that do not fit, or guidance that is not finite.
    """

    findings: tuple[str, ...]
    network: Architecture
    preprocessing: Preprocessing
    attributes: Mapping[str, tuple[str, ...]]
    diffusion: Diffusion
    perturbation_scale: float
    guidance: tuple[float, ...]
    quality: Mapping[str, list[Measure]]

    def __post_init__(self):
        if self.preprocessing.size != self.network.size:
            raise ValueError(f"pictures of {self.preprocessing.size} pixels for networks of {self.network.size}")
        if not np.isfinite(self.guidance).all():
            raise ValueError(f"guidance must be finite, got {self.guidance}")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> CitLrConfiguration:
        """From config.json as `engine.configuration` checked it.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: a part is missing, or is not what it should be.
        """
        findings = tuple(config["findings"])
        attributes = {str(name): tuple(map(str, values)) for name, values in config["attributes"].items()}
        return cls(
            findings=findings,
            network=Architecture(**config["network"]),
            preprocessing=Preprocessing(**config["preprocessing"]),
            attributes=attributes,
            diffusion=Diffusion(**config["diffusion"]),
            perturbation_scale=float(config["perturbation_scale"]),
            guidance=tuple(float(config["guidance"][name]) for name in attributes),
            quality={
                name: [measure_of(row, findings, attributes) for row in rows]
                for name, rows in config["quality"].items()
            },
        )


class DiffusionInterventions(Interventions):
    """An opened checkpoint of CIT-LR.

    What changes between its pictures is added to the film as it is, enlarged to the film's own grid: x + D(z_a) -
    D(E(x)). So detail that the autoencoder cannot say stays, in the null intervention as in the others.

    Args:
        checkpoint: its configuration is a `CitLrConfiguration`.
        device: "cpu" or "cuda".

    Attributes:
        precision: of the denoiser: bfloat16 where the processor has it in hardware.
    """

    exact = False

    def __init__(self, checkpoint: Checkpoint, device: str):
        self.checkpoint, self.name, self.device = checkpoint, checkpoint.name, torch.device(device)
        self.collection = checkpoint.collection
        try:
            config = CitLrConfiguration.of(checkpoint.config)
            self.findings, self.preprocessing = config.findings, config.preprocessing
            self.attributes, self.diffusion, self.quality = config.attributes, config.diffusion, config.quality
            self.nets = with_weights(
                lambda: Networks(config.network, config.attributes, config.findings, config.perturbation_scale),
                checkpoint.weights(),
            )
            self.nets.guidance = config.guidance
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole CIT-LR ({error}); save it again with engine train."
            ) from error
        self.size = config.network.size
        self.nets.to(self.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.precision = torch.bfloat16 if self.device.type == "cuda" or bfloat16_in_hardware() else torch.float32
        self.nets.denoiser.to(self.precision)

    def codes(self, collection: Collection, indices: np.ndarray) -> np.ndarray:
        """(n, K + C) int64, see `encoded`."""
        return encoded(collection, indices, self.attributes, self.findings)

    def counterfactuals(self, collection, indices, attribute, progress=None, seed=0, size=None) -> Counterfactuals:
        """As `Interventions.counterfactuals`; nothing in it is random."""
        values, size, k = self.values_of(attribute), size or self.size, [*self.attributes].index(attribute)
        original = np.stack([collection.image(int(i), size) for i in indices]).astype(np.float32)
        codes = self.codes(collection, indices)
        pictures = {value: np.empty_like(original) for value in values}
        noise = []
        for start in range(0, len(indices), BATCH):
            chosen = slice(start, start + BATCH)
            prepared = np.stack([self.preprocessing.apply(film) for film in original[chosen]])
            found = self.sampled(prepared, codes[chosen], k)
            noise.append(found.noise)
            for n, film in enumerate(original[chosen]):
                units = self.preprocessing.scan_units(film)
                for m, value in enumerate(values):
                    change = enlarged((found.changed[n, m] - found.base[n]) * np.float32(units), film.shape)
                    pictures[value][start + n] = film + change
            if progress:
                progress(min(start + BATCH, len(indices)), len(indices))
        pooled = F.adaptive_avg_pool2d(torch.from_numpy(np.concatenate(noise)), POOLED).flatten(1).numpy()
        return Counterfactuals(attribute, values, collection.attributes[attribute][indices], original, pictures, pooled)

    def target_codes(self, codes: np.ndarray, attribute: int) -> np.ndarray:
        """(n, m, K + C): `codes` (n, K + C) with every value of the attribute in turn."""
        m = len([*self.attributes.values()][attribute])
        target_codes = np.repeat(codes[:, None], m, 1)
        target_codes[:, range(m), attribute] = np.arange(m)
        return target_codes

    def sampled(self, prepared: np.ndarray, codes: np.ndarray, attribute: int) -> Sampled:
        """Pictures under every value of one attribute.

        Args:
            prepared: (n, size, size) in [-value_range, value_range]; codes: (n, K + C), their own; attribute: which of
                the K.
        """
        target_codes = self.target_codes(codes, attribute)
        n, m = target_codes.shape[:2]
        sampler = Sampler(self.nets, self.diffusion)
        x, own = self._tensor(prepared[:, None]), torch.from_numpy(codes).to(self.device)
        with torch.inference_mode():
            z = self.nets.autoencoder.encode(x)
            noise = self.nets.perturbation(sampler.noise_of(z, own, attribute))
            targets = torch.from_numpy(target_codes.reshape(n * m, -1)).to(self.device)
            changed = sampler.picture_of(noise.repeat_interleave(m, 0), targets, attribute)
            drawn = self.nets.autoencoder.decode(torch.cat([z, changed])).clamp(-1, 1)[:, 0].cpu().numpy()
        return Sampled(drawn[:n], drawn[n:].reshape(n, m, *drawn.shape[1:]), noise.float().cpu().numpy())

    def oracle_answers(self, prepared: np.ndarray) -> tuple[Mapping[str, np.ndarray], np.ndarray, np.ndarray]:
        """What the oracle classifier, trained on real pictures only, predicts for prepared pictures (n, size, size).

        Returns:
            attribute -> (n,) str; (n, C) probabilities of the findings; (n, k) features.
        """
        predicted: dict[str, list] = {name: [] for name in self.attributes}
        findings, features = [], []
        with torch.inference_mode():
            for start in range(0, len(prepared), 64):
                seen = self.nets.oracle.features(self._tensor(prepared[start : start + 64, None]))
                logits, odds = self.nets.oracle.on(seen)
                for (name, values), logit in zip(self.attributes.items(), logits):
                    predicted[name].append(np.array(values)[logit.argmax(1).cpu().numpy()])
                findings.append(torch.sigmoid(odds).cpu().numpy())
                features.append(seen.float().cpu().numpy())
        return (
            {name: np.concatenate(parts) for name, parts in predicted.items()},
            np.concatenate(findings),
            np.concatenate(features),
        )

    def _tensor(self, pictures: np.ndarray | Sequence) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(pictures, np.float32)).to(self.device)
        return x.to(memory_format=torch.channels_last)


def open_generator(checkpoint: Checkpoint, device: str) -> DiffusionInterventions:
    """The interventions of `checkpoint`, on `device` ("cpu", "cuda")."""
    return DiffusionInterventions(checkpoint, device)
