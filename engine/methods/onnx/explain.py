"""Somebody else's model looks at a scan: its probabilities, and where hiding changes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.model_configuration import ModelConfiguration
from engine.explanation import Explanation
from engine.methods.onnx.card import Interface
from engine.methods.onnx.isolated import IsolatedNetwork
from engine.methods.onnx.network import UnusableNetwork
from engine.methods.onnx.occlusion import UNIT, occlusion
from engine.preprocessing import enlarged
from engine.registry import Model, UnsuitableScan
from engine.scan import Scan

FILE = "onnx"  # the tensor that holds the file's bytes


class OnnxConfiguration(ModelConfiguration[Interface]):
    """The configuration of an ONNX model.

    Raises:
        ValueError: also where the network answers for other findings, or is shown pictures in another range.
    """

    def __post_init__(self):
        super().__post_init__()
        if tuple(self.network.findings) != self.findings:
            raise ValueError(f"outputs for {', '.join(self.network.findings)}, but findings {', '.join(self.findings)}")
        if self.preprocessing.value_range != 0.5:
            raise ValueError(f"pictures in the range +-{self.preprocessing.value_range:g}, which must be 0.5")


class ForeignModel(Model):
    """An opened checkpoint whose weights are the bytes of an ONNX file.

    Its training pictures are not known, so it never says whether a scan is like them.

    Raises:
        RefusedCheckpoint: configuration and network do not belong together.
    """

    def __init__(self, checkpoint: Checkpoint, device: str):
        self.checkpoint = checkpoint
        try:
            config = OnnxConfiguration.of(checkpoint.config, Interface)
            self.findings, self.preprocessing, self.kind = config.findings, config.preprocessing, config.kind
            self.thresholds, self.limits = np.array(config.thresholds, np.float32), config.limits
            weights = checkpoint.weights()
            if [*weights] != [FILE] or weights[FILE].dtype != torch.uint8 or weights[FILE].ndim != 1:
                raise ValueError(f"the weights must be one file of bytes called {FILE!r}")
            self.network = IsolatedNetwork(
                weights[FILE].numpy().tobytes(), config.network, device, torch.get_num_threads()
            )
        except UnusableNetwork as reason:
            raise RefusedCheckpoint(f"{checkpoint.name}: {reason}") from reason
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole ONNX model ({error}); bring it in again with engine adopt."
            ) from error

    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """The scan as it is handed on, (size, size) float32 in [-0.5, 0.5]; see `Model`.

        Raises:
            UnsuitableScan: also for grey values that the card's black and white do not fit.
        """
        pixels, fixed = self.pixels_of(scan), self.preprocessing.fixed
        if fixed is not None and np.mean(pixels > fixed[1]) > 0.5:
            raise UnsuitableScan(
                f"{self.checkpoint.name} takes {fixed[1]:g} for white, and most of this scan is brighter; "
                f"export it with grey values from {fixed[0]:g} to {fixed[1]:g}."
            )
        return self.preprocessing.apply(pixels)

    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        """(n, size, size) to (n, C)."""
        try:
            return self.network(prepared)
        except UnusableNetwork as reason:
            raise UnsuitableScan(f"{self.checkpoint.name} gives no answer on this scan: {reason}") from reason

    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        started = time.perf_counter()
        chosen = self.finding_indices(findings)
        picture = self.preprocess(scan)
        probabilities = self._predict(picture[None])[0]
        maps = occlusion(self._predict, picture, progress)
        seconds = time.perf_counter() - started
        return [
            Explanation(
                scan_sha256=scan.sha256,
                checkpoint_sha256=self.checkpoint.sha256,
                checkpoint_identity=self.checkpoint.identity,
                finding=self.findings[c],
                probability=float(probabilities[c]),
                threshold=float(self.thresholds[c]),
                attribution=enlarged(maps[c], scan.pixels.shape),
                attribution_unit=UNIT,
                attribution_limit=self.limits[c],
                evidence=maps[c],
                counterfactual=None,
                path=None,
                in_distribution=None,
                seconds=seconds,
            )
            for c in chosen
        ]


def open_model(checkpoint: Checkpoint, device: str) -> ForeignModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return ForeignModel(checkpoint, device)
