"""A trained Attri-Net looks at a scan: local explanations, counterfactual paths and class centres (3.6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.model_configuration import ModelConfiguration
from engine.explanation import ClassCentres, Explanation, Path
from engine.methods.attri_net.fast import FastAttriNet, suited_precision
from engine.methods.attri_net.network import HIGHEST, Architecture, AttriNet
from engine.networks.weights import with_weights
from engine.ood import TENSORS, OutOfDistributionDetector
from engine.preprocessing import enlarged
from engine.registry import Model
from engine.scan import Scan

STEPS = np.arange(0, 1.51, 0.25, dtype=np.float32)  # a of x + a M(x)
EVIDENCE_UNIT = "log-odds per cell"


class AttriNetModel(Model):
    """An opened Attri-Net checkpoint.

    Args:
        checkpoint: its configuration is a `ModelConfiguration` with an `Architecture` as network.
        device: "cpu" or "cuda".

    Attributes:
        precision: of M's layers, chosen once: bfloat16 for a network of the paper's width on a CPU that has it in
            hardware (probabilities within 0.01 of float32), else float32.
    """

    batch = 16

    def __init__(self, checkpoint: Checkpoint, device: str):
        self.checkpoint, self.device = checkpoint, torch.device(device)
        try:
            config = ModelConfiguration.of(checkpoint.config, Architecture)
            self.findings, self.preprocessing = config.findings, config.preprocessing
            self.kind, self.change_limit = config.kind, config.change_limit
            self.thresholds, self.limits = (np.array(part, np.float32) for part in (config.thresholds, config.limits))
            weights = checkpoint.weights()
            self.detector = OutOfDistributionDetector.from_tensors(
                {k: weights.pop(k).numpy() for k in [*weights] if k.startswith(TENSORS)}
            )
            own = {k.removeprefix("net."): v for k, v in weights.items()}
            self.net = with_weights(lambda: AttriNet(config.findings, config.network), own)
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole Attri-Net ({error}); save it again with engine train."
            ) from error
        self.net.to(self.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.precision = suited_precision(self.device, self.net.architecture)
        self._fast = FastAttriNet(self.net, self.precision)

    def every_task(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared pictures (B, 1, size, size) on the device: maps (B, C, size, size) and log-odds (B, C), float32."""
        return self._fast.every_task(x)

    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """A radiograph as the network sees it, (size, size) float32; see `Model`."""
        return self.preprocessing.apply(self.pixels_of(scan))

    def forward(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Attribution maps (C, size, size) and probabilities (C,) of one prepared picture."""
        maps, logits = self.every_task(self._tensor(picture[None]))
        return maps[0].cpu().numpy(), torch.sigmoid(logits[0]).cpu().numpy()

    @torch.inference_mode()
    def run_network(self, prepared: np.ndarray) -> None:
        self.net.every_task(self._tensor(prepared[None]))

    @torch.inference_mode()
    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        return torch.sigmoid(self.every_task(self._tensor(prepared))[1]).cpu().numpy()

    @torch.inference_mode()
    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        picture = self.preprocess(scan)
        units = self.preprocessing.scan_units(scan.pixels)
        alike = self.detector.score(picture), self.detector.limit
        chosen = self.finding_indices(findings)
        x = self._tensor(picture[None])
        opened = self._fast.opened(x)
        records = []
        for done, c in enumerate(chosen):
            started = time.perf_counter()
            change, logit = self._fast.task(x, c, opened)  # M_c(x), (1, 1, s, s)
            evidence = self.net.classifiers.weighted(change, torch.tensor([c], device=self.device))[0, 0].cpu().numpy()
            probabilities = np.concatenate([torch.sigmoid(logit).cpu().numpy(), self._along(x, change, c)])
            drawn = change[0, 0].cpu().numpy() * units
            records.append(
                Explanation(
                    scan_sha256=scan.sha256,
                    checkpoint_sha256=self.checkpoint.sha256,
                    checkpoint_identity=self.checkpoint.identity,
                    finding=self.findings[c],
                    probability=float(probabilities[0]),
                    threshold=float(self.thresholds[c]),
                    attribution=enlarged(evidence, scan.pixels.shape),
                    attribution_unit=EVIDENCE_UNIT,
                    attribution_limit=float(self.limits[c]),
                    evidence=evidence,
                    counterfactual=scan.pixels + enlarged(drawn, scan.pixels.shape),
                    path=Path(
                        STEPS,
                        probabilities.astype(np.float32),
                        STEPS[:, None, None] * drawn,
                        2 * self.preprocessing.value_range * units,
                        self.change_limit,
                    ),
                    in_distribution=alike,
                    seconds=time.perf_counter() - started,
                )
            )
            if progress:
                progress(done + 1, len(chosen))
        return records

    @torch.inference_mode()
    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        picture = self.preprocess(scan)
        maps, _ = self.forward(picture)
        changed = picture + sum(
            a * maps[c] for c, a in zip(self.finding_indices([*amounts]), amounts.values(), strict=True)
        )
        _, probabilities = self.forward(np.clip(changed, -HIGHEST, HIGHEST).astype(np.float32))
        return {finding: float(p) for finding, p in zip(self.findings, probabilities)}

    def centres(self) -> list[ClassCentres]:
        values = self.net.centres.value.cpu().numpy()
        weights, biases = self.net.classifiers.weight.cpu().numpy(), self.net.classifiers.bias.cpu().numpy()
        limit = float(np.quantile(np.abs(values), 0.999)) or 1e-6
        return [
            ClassCentres(finding, values[c, 1], values[c, 0], weights[c], float(biases[c]), limit)
            for c, finding in enumerate(self.findings)
        ]

    def _along(self, x: Tensor, change: Tensor, c: int) -> np.ndarray:
        """The model's own probability at every step after the first."""
        steps = torch.from_numpy(STEPS[1:]).to(x)[:, None, None, None]
        frames = (x + steps * change).clamp(-HIGHEST, HIGHEST).to(memory_format=torch.channels_last)
        _, logits = self._fast.task(frames, c)
        return torch.sigmoid(logits).cpu().numpy()

    def _tensor(self, pictures: np.ndarray) -> Tensor:
        return torch.from_numpy(pictures)[:, None].to(self.device, memory_format=torch.channels_last)


def open_model(checkpoint: Checkpoint, device: str) -> AttriNetModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return AttriNetModel(checkpoint, device)
