"""A method of CT volumes that exists for the contract alone: unsigned maps, counterfactuals, and a tree of regions."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path as Folder

import numpy as np

from engine.checkpoints.card import placeholder_card
from engine.checkpoints.format import RefusedCheckpoint, save_checkpoint
from engine.explanation import Explanation, Path
from engine.preprocessing import Preprocessing, enlarged_volume, plane_at
from engine.regions import Region
from engine.registry import Method, Model

STEPS = np.array([0, 0.5, 1], np.float32)
FINDINGS = ("Nodule", "Effusion")


@dataclass(frozen=True)
class Architecture:
    """`depth` slices of `size` x `size` cells, each with a weight."""

    depth: int
    size: int

    def __post_init__(self):
        if min(self.depth, self.size) < 1:
            raise ValueError("a volume has cells")


class VolumeModel(Model):
    """Each finding weighs every cell of the volume, darker or brighter than its middle grey."""

    def __init__(self, checkpoint):
        config = checkpoint.config
        self.checkpoint, self.findings = checkpoint, tuple(config["findings"])
        try:
            self.sizes = Architecture(**config["network"])
            self.preprocessing = Preprocessing(**config["preprocessing"])
            if self.preprocessing.size != self.sizes.size:
                raise ValueError("the sizes of network and preprocessing differ")
            self.thresholds = np.array([config["thresholds"][f] for f in self.findings], np.float32)
            self.limits = [float(config["scales"][f]) for f in self.findings]
            weights, grid = checkpoint.weights(), (self.sizes.depth, self.sizes.size, self.sizes.size)
            if [*weights] != ["cells"] or weights["cells"].shape != (len(self.findings), *grid):
                raise ValueError(f"weights must be one tensor of cells {grid} for every finding")
            self.cells = weights["cells"].numpy()  # (C, D, s, s)
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(f"{checkpoint.name} is no whole volume model ({error}); save it again.") from error

    def preprocess(self, scan):
        pixels = self.pixels_of(scan)
        small = np.stack([self.preprocessing.resized(plane) for plane in pixels])
        small = np.stack([plane_at(small, k, self.sizes.depth) for k in range(self.sizes.depth)])
        low, high = self._ends(pixels)
        return np.clip((small - low) / (high - low) - 0.5, -0.5, 0.5).astype(np.float32)

    def _predict(self, prepared):
        odds = np.einsum("cdhw,ndhw->nc", self.cells, prepared, dtype=np.float64)
        return (1 / (1 + np.exp(-odds))).astype(np.float32)

    def explain(self, scan, findings=None, progress=None):
        chosen, x, records = self.finding_indices(findings), self.preprocess(scan), []
        low, high = self._ends(scan.pixels)
        for done, c in enumerate(chosen):
            started = time.perf_counter()
            frames = np.stack([x + a * self._change(x, c) for a in STEPS])
            along = self._predict(frames)[:, c]
            evidence = np.maximum(self.cells[c] * x, 0)
            attribution = enlarged_volume(evidence, scan.pixels.shape)
            changes = STEPS[:, None, None, None] * self._change(x, c) * np.float32(high - low)
            part = Region(self.findings[c], "attribute", float(evidence.sum()), attribution > attribution.mean())
            records.append(
                Explanation(
                    scan_sha256=scan.sha256,
                    checkpoint_sha256=self.checkpoint.sha256,
                    checkpoint_identity=self.checkpoint.identity,
                    finding=self.findings[c],
                    probability=float(along[0]),
                    threshold=float(self.thresholds[c]),
                    attribution=attribution,
                    attribution_unit="log-odds per cell",
                    attribution_limit=self.limits[c],
                    evidence=evidence,
                    counterfactual=scan.pixels + enlarged_volume(changes[-1], scan.pixels.shape),
                    path=Path(STEPS, along, changes, float(high - low)),
                    in_distribution=None,
                    seconds=time.perf_counter() - started,
                    regions=Region("Volume", "image", float(along[0]), None, (part,)),
                )
            )
            if progress:
                progress(done + 1, len(chosen))
        return records

    def predict_counterfactual(self, scan, amounts):
        x = self.preprocess(scan)
        moved = x + sum(
            a * self._change(x, c) for c, a in zip(self.finding_indices([*amounts]), amounts.values(), strict=True)
        )
        (probabilities,) = self._predict(moved[None])
        return {finding: float(p) for finding, p in zip(self.findings, probabilities, strict=True)}

    def _change(self, x, c):
        """What takes the evidence away: each cell that speaks for the finding goes to the middle grey."""
        return np.where(self.cells[c] * x > 0, -x, 0).astype(np.float32)

    def _ends(self, pixels):
        low, high = np.percentile(pixels, (1, 99))
        return (low, high) if high > low else (float(pixels.min()), float(pixels.max()) + 1)


class VolumeMethod(Method):
    """CT volumes only."""

    name = "volume_of_the_contract"
    title = "Volume model"
    paper = "no paper: a test"
    kinds = ("CT",)
    dimensions = 3
    signed = False
    counterfactuals = True
    has_centres = False
    has_regions = True
    evidence_name = "weighted cells"
    trainable = False

    def open(self, checkpoint, device):
        return VolumeModel(checkpoint)

    def tiny(self, folder: Folder):
        sizes = Architecture(depth=3, size=8)
        cells = np.random.default_rng(0).normal(0, 0.3, (len(FINDINGS), 3, 8, 8)).astype(np.float32)
        return save_checkpoint(
            folder,
            method=self.name,
            config={
                "findings": list(FINDINGS),
                "network": asdict(sizes),
                "preprocessing": asdict(Preprocessing(8)),
                "data": {"collection": "none", "kind": "CT"},
                "thresholds": dict.fromkeys(FINDINGS, 0.5),
                "scales": dict.fromkeys(FINDINGS, 0.2),
            },
            weights={"cells": cells},
            card=placeholder_card(),
        )
