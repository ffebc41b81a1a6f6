"""A trained supervised U-Net looks at a scan: the change that it would take away, and how sure it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.model_configuration import ModelConfiguration
from engine.explanation import Explanation, Path
from engine.methods.supervised.train import HIGHEST, Architecture, SupervisedUNet
from engine.networks.weights import with_weights
from engine.ood import TENSORS, OutOfDistributionDetector
from engine.preprocessing import enlarged
from engine.registry import Model
from engine.scan import Scan
from engine.training.calibration import FAINTEST

BATCH = 8
STEPS = np.arange(0, 1.51, 0.25, dtype=np.float32)  # a of x + a M(x)


@dataclass(frozen=True, kw_only=True)
class SupervisedConfiguration(ModelConfiguration[Architecture]):
    """The configuration of a supervised U-Net.

    Attributes:
        calibration: (C, 2) slope and middle of the logistic function of the logarithm of a map's size.
    """

    calibration: tuple[tuple[float, float], ...]

    @classmethod
    def fields_of(cls, config: Mapping[str, Any], sizes: Callable[..., Architecture]) -> dict[str, Any]:
        calibration = []
        for finding in config["findings"]:
            slope, middle = config["calibration"][finding]
            calibration.append((float(slope), float(middle)))
        return super().fields_of(config, sizes) | {"calibration": tuple(calibration)}


class SupervisedModel(Model):
    """An opened checkpoint; its configuration is a `SupervisedConfiguration`.

    The probability of a finding is a logistic function of the logarithm of its map's size, fitted on validation
    pictures.
    """

    def __init__(self, checkpoint: Checkpoint, device: str):
        self.checkpoint, self.device = checkpoint, torch.device(device)
        try:
            config = SupervisedConfiguration.of(checkpoint.config, Architecture)
            self.findings, self.preprocessing = config.findings, config.preprocessing
            self.kind, self.change_limit = config.kind, config.change_limit
            self.thresholds, self.limits = (np.array(part, np.float32) for part in (config.thresholds, config.limits))
            self.calibration = torch.tensor(config.calibration, dtype=torch.float32, device=self.device)  # (C, 2)
            weights = checkpoint.weights()
            self.detector = OutOfDistributionDetector.from_tensors(
                {k: weights.pop(k).numpy() for k in [*weights] if k.startswith(TENSORS)}
            )
            self.net = with_weights(
                lambda: SupervisedUNet(len(config.findings), config.network),
                {k.removeprefix("net."): v for k, v in weights.items()},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole supervised U-Net ({error}); save it again with engine train."
            ) from error
        self.net.to(self.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def map_of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared pictures (B, 1, size, size): maps (B, C, size, size) and probabilities (B, C), float32."""
        maps = self.net(x)
        return maps, torch.sigmoid(
            self.calibration[:, 0] * ((map_sizes(maps) + FAINTEST).log() - self.calibration[:, 1])
        )

    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """The scan as the network sees it, (size, size) float32; see `Model`."""
        return self.preprocessing.apply(self.pixels_of(scan))

    @torch.inference_mode()
    def forward(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepared pictures (B, size, size): maps (B, C, size, size) and probabilities (B, C)."""
        found = [self.map_of(some.to(self.device)) for some in torch.from_numpy(pictures)[:, None].split(BATCH)]
        maps, probabilities = (torch.cat(parts).cpu().numpy() for parts in zip(*found))
        return maps, probabilities

    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        return self.forward(prepared)[1]

    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        started, chosen, picture = time.perf_counter(), self.finding_indices(findings), self.preprocess(scan)
        units, span = self.preprocessing.scan_units(scan.pixels), 2 * self.preprocessing.value_range
        (maps,), (probabilities,) = self.forward(picture[None])
        records = []
        for done, c in enumerate(chosen):
            frames = np.clip(picture + STEPS[1:, None, None] * maps[c], -HIGHEST, HIGHEST).astype(np.float32)
            along = np.concatenate([probabilities[c : c + 1], self.forward(frames)[1][:, c]])
            drawn, evidence = maps[c] * units, -maps[c] / span
            records.append(
                Explanation(
                    scan_sha256=scan.sha256,
                    checkpoint_sha256=self.checkpoint.sha256,
                    checkpoint_identity=self.checkpoint.identity,
                    finding=self.findings[c],
                    probability=float(probabilities[c]),
                    threshold=float(self.thresholds[c]),
                    attribution=enlarged(evidence, scan.pixels.shape),
                    attribution_unit="of the grey range, that is taken away",
                    attribution_limit=float(self.limits[c]),
                    evidence=evidence,
                    counterfactual=(scan.pixels + enlarged(drawn, scan.pixels.shape)).astype(np.float32),
                    path=Path(
                        STEPS, along.astype(np.float32), STEPS[:, None, None] * drawn, span * units, self.change_limit
                    ),
                    in_distribution=(self.detector.score(picture), self.detector.limit),
                    seconds=time.perf_counter() - started,
                    both_signs=True,
                )
            )
            if progress:
                progress(done + 1, len(chosen))
        return records

    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        picture = self.preprocess(scan)
        (maps,), _ = self.forward(picture[None])
        changed = picture + sum(
            a * maps[c] for c, a in zip(self.finding_indices([*amounts]), amounts.values(), strict=True)
        )
        _, (probabilities,) = self.forward(np.clip(changed, -HIGHEST, HIGHEST).astype(np.float32)[None])
        return {finding: float(p) for finding, p in zip(self.findings, probabilities)}


def map_sizes(maps: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C): the root mean square."""
    return maps.float().square().mean(dim=(2, 3)).sqrt()


def open_model(checkpoint: Checkpoint, device: str) -> SupervisedModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return SupervisedModel(checkpoint, device)
