"""A trained discrepancy map looks at a scan: its counterpart of the other class, every pixel of the difference, and how
sure it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.model_configuration import ModelConfiguration
from engine.datasets.crop import CROPS, Crop, on_the_scan
from engine.explanation import Explanation, Path
from engine.methods.map_translation.train import map_size, translated
from engine.networks.precision import suited_to
from engine.networks.weights import with_weights
from engine.ood import TENSORS, OutOfDistributionDetector
from engine.preprocessing import enlarged
from engine.registry import Model
from engine.scan import Scan
from engine.training.calibration import FAINTEST

BATCH = 8  # pictures that go through the network at once; the layers of more do not fit the processor's cache
STEPS = np.arange(0, 1.51, 0.25, dtype=np.float32)  # a of `translated`
FULL = int(np.flatnonzero(STEPS == 1)[0])
Net = TypeVar("Net", bound=nn.Module)
WIDE = 16  # channels of the first layer from which bfloat16 is quicker; the probability then moves by less than 0.01


@dataclass(frozen=True, kw_only=True)
class MapTranslationConfiguration(ModelConfiguration[Any]):
    """The configuration of a map that makes an abnormal picture normal, or one of another class.

    Attributes:
        contrast_class: the finding that its pictures without the own one had instead; None where these were normal.
        crop: finds the part of a scan that the network gets to see.
        cut: |M| above which a pixel counts as changed, in the network's units.
        slope, middle: of the logistic function of the logarithm of a map's size.

    Raises:
        ValueError: also for other than one finding.
    """

    contrast_class: str | None
    crop: Callable[[np.ndarray], Crop]
    cut: float
    slope: float
    middle: float

    def __post_init__(self):
        super().__post_init__()
        if len(self.findings) != 1:
            raise ValueError(f"one finding is told from another class, not {len(self.findings)}")

    @classmethod
    def fields_of(cls, config: Mapping[str, Any], sizes: Callable[..., Any]) -> dict[str, Any]:
        return super().fields_of(config, sizes) | {
            "contrast_class": config.get("contrast_class"),
            "crop": CROPS[config["crop"]],
            "cut": float(config["cut"]),
            "slope": float(config["calibration"]["slope"]),
            "middle": float(config["calibration"]["middle"]),
        }


class DiscrepancyModel(Model, Generic[Net]):
    """An opened checkpoint of a method that learns x- = x+ + M(x+) for one finding.

    Neither CX-GAN nor VA-GAN holds a classifier. The probability here is a logistic function of the logarithm of the
    map's size, fitted on validation pictures: what would have to change is the only ground on which a picture is
    called.

    Args:
        title: of the method, for messages.
        architecture: dataclass of the network's sizes, `size` among them; `network` in the configuration holds them.
        generator: makes the map generator of an architecture.
        arranged: (map generator, precision) -> the same function, arranged for looking at pictures.

    Attributes:
        net: the map generator as it was trained, float32.
        fast: the same as `arranged` for this device; what every answer comes from.
        crop: finds the part of a scan that the network gets to see.
        contrast_class: the finding that its pictures without the own one had instead; None where these were normal.
        other: what the other class is called in a sentence.
        cut: |M| above which a pixel counts as changed, in the network's units (`measures.fixed_cut`).
    """

    def __init__(
        self,
        title: str,
        architecture: Callable[..., Any],
        generator: Callable[[Any], Net],
        arranged: Callable[[Net, torch.dtype], Callable[[Tensor], Tensor]],
        checkpoint: Checkpoint,
        device: str,
    ):
        self.title, self.checkpoint, self.device = title, checkpoint, torch.device(device)
        try:
            config = MapTranslationConfiguration.of(checkpoint.config, architecture)
            self.findings, self.preprocessing = config.findings, config.preprocessing
            self.kind, self.contrast_class, self.change_limit = config.kind, config.contrast_class, config.change_limit
            self.other = "normal" if config.contrast_class is None else config.contrast_class.lower()
            self.thresholds, (self.limit,) = np.array(config.thresholds, np.float32), config.limits
            self.cut, self.crop, self.slope, self.middle = config.cut, config.crop, config.slope, config.middle
            weights = checkpoint.weights()
            self.detector = OutOfDistributionDetector.from_tensors(
                {k: weights.pop(k).numpy() for k in [*weights] if k.startswith(TENSORS)}
            )
            self.net = with_weights(
                lambda: generator(config.network), {k.removeprefix("net."): v for k, v in weights.items()}
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole {title} ({error}); save it again with engine train."
            ) from error
        self.net.to(self.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.fast = arranged(self.net, suited_to(self.device, config.network.width, WIDE))

    def map_of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared pictures (B, 1, size, size) on the device: maps M(x) of the same shape and probabilities
        (B,), float32.
        """
        change = self.fast(x)
        return change, self.probability_of(change)

    def probability_of(self, change: Tensor) -> Tensor:
        """Maps (B, 1, size, size) to probabilities (B,)."""
        return torch.sigmoid(self.slope * ((map_size(change) + FAINTEST).log() - self.middle))

    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """The part of a scan that the network sees, (size, size) float32; see `Model`."""
        pixels = self.pixels_of(scan)
        return self.preprocessing.apply(self.crop(pixels).cut(pixels))

    @torch.inference_mode()
    def run_network(self, prepared: np.ndarray) -> None:
        self.net(self._tensor(prepared))

    @torch.inference_mode()
    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(prepared)[:, None].to(self.device, memory_format=torch.channels_last)
        return self.map_of(x)[1][:, None].cpu().numpy()

    @torch.inference_mode()
    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        started = time.perf_counter()
        chosen = self.finding_indices(findings)
        picture = self.preprocess(scan)
        maps, along = self.forward(picture[None])
        drawn, probabilities = maps[0], along[0]
        crop = self.crop(scan.pixels)
        placed = on_the_scan(drawn, crop)
        units = self.preprocessing.scan_units(crop.cut(scan.pixels))
        change = placed * units
        coarse = cv2.resize(scan.pixels, placed.shape[::-1], interpolation=cv2.INTER_AREA)
        moved = np.stack([crop.in_scan_units(coarse, a * change) for a in STEPS])  # (K, h, w)
        evidence = placed / (2 * self.preprocessing.value_range)
        records = [
            Explanation(
                scan_sha256=scan.sha256,
                checkpoint_sha256=self.checkpoint.sha256,
                checkpoint_identity=self.checkpoint.identity,
                finding=self.findings[c],
                probability=float(probabilities[0]),
                threshold=float(self.thresholds[0]),
                attribution=enlarged(evidence, scan.pixels.shape),
                attribution_unit=f"of the grey range, towards {self.other}",
                attribution_limit=self.limit,
                evidence=evidence,
                counterfactual=(scan.pixels + enlarged(moved[FULL], scan.pixels.shape)).astype(np.float32),
                path=Path(
                    STEPS,
                    probabilities.astype(np.float32),
                    moved,
                    crop.span(2 * self.preprocessing.value_range * units),
                    self.change_limit,
                ),
                in_distribution=(self.detector.score(picture), self.detector.limit),
                seconds=time.perf_counter() - started,
                both_signs=True,
                contrast_class=self.contrast_class,
            )
            for c in chosen
        ]
        if progress:
            for done in range(len(records)):
                progress(done + 1, len(records))
        return records

    @torch.inference_mode()
    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        self.finding_indices([*amounts])
        x = self._tensor(self.preprocess(scan))
        change, probability = self.map_of(x)
        for amount in amounts.values():
            probability = self.map_of(translated(x, change, amount))[1]
        return {self.findings[0]: float(probability)}

    @torch.inference_mode()
    def forward(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepared pictures (B, size, size): their maps, of the same shape, and probabilities (B, K) at
        each of `STEPS`.
        """
        maps, paths = [], []
        for some in torch.from_numpy(pictures)[:, None].split(BATCH):
            x = some.to(self.device, memory_format=torch.channels_last)
            change, probability = self.map_of(x)
            frames = torch.cat([translated(x, change, float(a)) for a in STEPS[1:]])  # ((K - 1) B, 1, size, size)
            along = [probability, *(self.map_of(part)[1] for part in frames.split(BATCH))]
            maps.append(change[:, 0].cpu())
            paths.append(torch.cat(along).reshape(len(STEPS), len(x)).T.cpu())
        return torch.cat(maps).numpy(), torch.cat(paths).numpy()

    def _tensor(self, picture: np.ndarray) -> Tensor:
        return torch.from_numpy(picture)[None, None].to(self.device, memory_format=torch.channels_last)
