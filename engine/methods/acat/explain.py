"""A checkpoint of ACAT that answers for volumes: probabilities, latent counterfactuals, saliency and attention."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.explanation import CHANGE_LIMIT, Explanation, Path
from engine.methods.acat.counterfactual import NEGATIVE, LatentCounterfactuals, Search, latent_counterfactuals
from engine.methods.acat.maps import saliency_of
from engine.methods.acat.oriented import Orientation
from engine.methods.acat.parts import parts_of
from engine.methods.acat.train import Architecture, Networks
from engine.networks.fused import fused
from engine.networks.weights import with_weights
from engine.ood import TENSORS, OutOfDistributionDetector
from engine.preprocessing import Preprocessing, enlarged_volume
from engine.registry import Model
from engine.scan import Scan

MOST_SLICES = 256


class ACATModel(Model):
    """ACAT on one device.

    The saliency that steers the network comes from the baseline's counterfactuals, the counterfactual that is shown
    from the network itself, with that saliency held.

    Raises:
        RefusedCheckpoint: configuration or weights are not whole.
    """

    batch = 8

    def __init__(self, checkpoint: Checkpoint, device: str):
        config = checkpoint.config
        self.checkpoint, self.device, self.findings = checkpoint, device, tuple(config["findings"])
        try:
            architecture = Architecture(**config["network"])
            self.preprocessing = Preprocessing(**config["preprocessing"])
            self.slices, self.search = int(config["slices"]), Search(**config["search"])
            if self.preprocessing.size != architecture.size:
                raise ValueError("the sizes of network and preprocessing differ")
            if len(self.findings) != 1 or not 1 <= self.slices <= MOST_SLICES:
                raise ValueError(f"ACAT knows one finding and 1 to {MOST_SLICES} slices")
            self.thresholds = np.array([config["thresholds"][finding] for finding in self.findings], np.float32)
            self.limit = float(config["scales"][self.findings[0]])
            self.change_limit = float(config.get("change_limit", CHANGE_LIMIT))
            self.kind = str(config.get("data", {}).get("kind", "unknown"))
            weights = checkpoint.weights()
            detector = {name: weights.pop(name).numpy() for name in [*weights] if name.startswith(TENSORS)}
            self.detector = OutOfDistributionDetector.from_tensors(detector) if detector else None
            self.nets = fused(with_weights(partial(Networks, architecture), weights)).to(device)
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole ACAT ({error}); save it again with engine train."
            ) from error
        self.architecture = architecture

    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """The volume as the network sees it, (slices, size, size) float32; see `Model`."""
        pixels = self.pixels_of(scan)
        return self.preprocessing.apply_volume(Orientation.of(scan).apply(pixels), self.slices)

    def saliency(self, volume: Tensor) -> Tensor:
        """What steers the network, (B, S, H, W) in [0, 1], from the baseline's counterfactuals of (B, S, H, W)."""
        return saliency_of(self.nets.baseline, self.nets.autoencoder, volume, self.search)[0]

    @torch.no_grad()
    def classes(self, volume: Tensor, saliency: Tensor) -> Tensor:
        """Probabilities of every class, (B, K)."""
        return self.nets.acat(volume, saliency).exp()

    def counterfactuals(self, volume: Tensor, saliency: Tensor, keep_path: bool = False) -> LatentCounterfactuals:
        """Of ACAT itself, its saliency held while its input changes, both (B, S, H, W)."""
        nets = self.nets
        return latent_counterfactuals(nets.acat, nets.autoencoder, volume, self.search, keep_path, saliency)

    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        volume = torch.from_numpy(prepared).to(self.device)
        said = self.classes(volume, self.saliency(volume))
        return (1 - said[:, :1]).cpu().numpy()

    def _seen(self, prepared: np.ndarray) -> tuple[Tensor, Tensor]:
        """A volume (S, H, W) and its saliency, (1, S, H, W) both, on the device."""
        volume = torch.from_numpy(prepared[None]).to(self.device)
        return volume, self.saliency(volume)

    def _along(self, frames: Tensor, saliency: Tensor) -> np.ndarray:
        """The finding's probability of frames (K, S, H, W), (K,) float32."""
        parts = [1 - self.classes(part, saliency.expand(len(part), -1, -1, -1))[:, 0] for part in frames.split(8)]
        return torch.cat(parts).cpu().numpy().astype(np.float32)

    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        started, chosen, prepared = time.perf_counter(), self.finding_indices(findings), self.preprocess(scan)
        if not chosen:
            return []
        orientation, shape = Orientation.of(scan), scan.pixels.shape
        volume, steer = self._seen(prepared)
        found = self.counterfactuals(volume, steer, keep_path=True)
        assert found.path is not None, "it was asked for"
        taken = max(int(found.steps[NEGATIVE, 0]), 1)
        frames = found.path[: taken + 1, NEGATIVE, 0]
        if len(frames) == 1:
            frames = frames.repeat(2, 1, 1, 1)  # already without the finding
        along = self._along(frames, steer)
        units = self._units(orientation.apply(scan.pixels))
        span = 2 * self.preprocessing.value_range
        evidence = (found.pictures[:, 0] - volume[0]).abs().mean(0).cpu().numpy() / span
        changes = (frames - frames[:1]).cpu().numpy() * np.float32(units)
        here, drawn = orientation.undo(evidence), orientation.undo(changes)
        attribution = enlarged_volume(here, shape)
        record = Explanation(
            scan_sha256=scan.sha256,
            checkpoint_sha256=self.checkpoint.sha256,
            checkpoint_identity=self.checkpoint.identity,
            finding=self.findings[0],
            probability=float(along[0]),
            threshold=float(self.thresholds[0]),
            attribution=attribution,
            attribution_unit="of the grey range",
            attribution_limit=self.limit,
            evidence=here,
            counterfactual=scan.pixels + enlarged_volume(drawn[-1], shape),
            path=Path(np.linspace(0, 1, len(frames), dtype=np.float32), along, drawn, span * units, self.change_limit),
            in_distribution=self.alike(prepared),
            seconds=time.perf_counter() - started,
            regions=parts_of(self, scan, orientation, volume, steer, evidence, float(along[0])),
        )
        if progress:
            progress(1, 1)
        return [record]

    def alike(self, prepared: np.ndarray) -> tuple[float, float] | None:
        """(score, limit) of a prepared volume (S, H, W), see `Explanation.in_distribution`; None without a detector."""
        return None if self.detector is None else (self.detector.score_volume(prepared), self.detector.limit)

    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        self.finding_indices([*amounts])
        volume, steer = self._seen(self.preprocess(scan))
        amount = sum(amounts.values())
        if amount:
            found = self.counterfactuals(volume, steer)
            volume = volume + amount * (found.pictures[NEGATIVE] - volume)
        return {self.findings[0]: float(self._along(volume, steer)[0])}

    def _units(self, pixels: np.ndarray) -> float:
        """How many of the scan's units one unit of the network's range stands for, of a volume (S, H, W)."""
        low, high = self.preprocessing.ends(self.preprocessing.volume(pixels, self.slices))
        return (high - low) / (2 * self.preprocessing.value_range)


def open_model(checkpoint: Checkpoint, device: str) -> ACATModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return ACATModel(checkpoint, device)
