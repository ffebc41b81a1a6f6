"""A trained classifier of causal alignment looks at a scan: diagnosis, attributes, and what would have to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.model_configuration import ModelConfiguration
from engine.datasets.crop import CROPS, Crop, on_the_scan
from engine.explanation import Explanation, Path
from engine.look import AttributeEffect, Look
from engine.methods.causal_alignment.latent import LatentSpace
from engine.methods.causal_alignment.look import effects, look
from engine.methods.causal_alignment.network import Architecture, CausalAlignmentNetwork
from engine.methods.causal_alignment.pictures import looked_at
from engine.methods.causal_alignment.search import CounterfactualSearch, SearchConfiguration
from engine.metrics.cam_precision import SHARE_OF_LARGEST
from engine.networks.weights import with_weights
from engine.ood import TENSORS, OutOfDistributionDetector
from engine.preprocessing import enlarged
from engine.regions import Region
from engine.registry import Model, UnsuitableScan
from engine.scan import Scan

BATCH = 8
STEPS = np.arange(0, 1.51, 0.25, dtype=np.float32)  # a of x + a (x* - x)
FULL = 4  # of them, the step at which a is 1
MOST_CONCEPTS = 100


@dataclass(frozen=True, kw_only=True)
class AlignmentConfiguration(ModelConfiguration[Architecture]):
    """The configuration of a classifier of causal alignment.

    Attributes:
        concepts: the p attributes between image and diagnosis, none for a plain classifier.
        search: how the counterfactuals that are shown are sought.
        crop: finds the part of a scan that the network gets to see.
    """

    crop: Callable[[np.ndarray], Crop]
    concepts: tuple[str, ...] = ()
    search: SearchConfiguration

    def __post_init__(self):
        super().__post_init__()
        if len(self.findings) != 1:
            raise ValueError(f"it has one diagnosis, got {len(self.findings)}")
        if len({*self.concepts}) != len(self.concepts) or len(self.concepts) > MOST_CONCEPTS:
            raise ValueError(f"its attributes have different names, and there are at most {MOST_CONCEPTS}")

    @classmethod
    def fields_of(cls, config: Mapping[str, Any], sizes: Callable[..., Architecture]) -> dict[str, Any]:
        concepts = config["concepts"]
        if not isinstance(concepts, list) or not all(isinstance(c, str) and c.strip() for c in concepts):
            raise ValueError("concepts is a list of names")
        return super().fields_of(config, sizes) | {
            "concepts": tuple(concepts),
            "crop": CROPS[config.get("crop", "whole")],  # those of the first version saw whole pictures
            "search": SearchConfiguration.of(config["counterfactual"]),
        }


class CausalAlignmentModel(Model):
    """An opened checkpoint; its configuration is an `AlignmentConfiguration`.

    Attributes:
        concepts: the p attributes that can be set by hand, none for a classifier without.
        space: in which counterfactuals are sought; `in_space` gives the same model in another.
    """

    def __init__(self, checkpoint: Checkpoint, device: str):
        self.checkpoint, self.device = checkpoint, torch.device(device)
        try:
            self.config = config = AlignmentConfiguration.of(checkpoint.config, Architecture)
            self.findings, self.preprocessing, self.concepts = config.findings, config.preprocessing, config.concepts
            self.kind, self.change_limit = config.kind, config.change_limit
            self.thresholds, self.limits = (np.array(part, np.float32) for part in (config.thresholds, config.limits))
            weights = checkpoint.weights()
            self.detector = OutOfDistributionDetector.from_tensors(
                {k: weights.pop(k).numpy() for k in [*weights] if k.startswith(TENSORS)}
            )
            scales = [weights.pop(name, None) for name in ("scale", "attribute_scale")]
            of_latent = {k.removeprefix("latent."): weights.pop(k) for k in [*weights] if k.startswith("latent.")}
            self.net = with_weights(
                lambda: CausalAlignmentNetwork(len(config.concepts), config.network),
                {k.removeprefix("net."): v for k, v in weights.items()},
            )
            sizes = config.search.latent
            latent = None if sizes is None else with_weights(lambda: LatentSpace(*sizes), of_latent)
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole classifier of causal alignment ({error}); save it again with engine "
                "train."
            ) from error
        for network in (self.net, *([] if latent is None else [latent])):
            network.to(self.device).eval().requires_grad_(False)
        scale, attribute_scale = (None if part is None else part.float().to(self.device) for part in scales)
        self.search = CounterfactualSearch(self.net, config.search, latent, scale, attribute_scale)
        self.space, self.spaces = config.search.space, config.search.spaces

    def in_space(self, space: str) -> CausalAlignmentModel:
        if space not in self.spaces:
            raise UnsuitableScan(
                f"{self.checkpoint.name} seeks counterfactuals in {' or '.join(self.spaces)} space, not in {space}."
            )
        other = copy(self)
        other.space = space
        return other

    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """The part of a scan that the network sees, (size, size) float32; see `Model`."""
        pixels = self.pixels_of(scan)
        return self.preprocessing.apply(self.crop_of(pixels).cut(pixels))

    def crop_of(self, pixels: np.ndarray) -> Crop:
        """What of a scan is seen; a picture of the network's own size was cut before, as collections give it."""
        size = self.preprocessing.size
        return (CROPS["whole"] if pixels.shape == (size, size) else self.config.crop)(pixels)

    @torch.inference_mode()
    def forward(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepared pictures (B, size, size): attributes (B, p) and probabilities (B, 1), in [0, 1]."""
        found = [self.net(some.to(self.device)) for some in torch.from_numpy(pictures)[:, None].split(BATCH)]
        attributes, odds = (torch.cat(parts).cpu() for parts in zip(*found, strict=True))
        return torch.sigmoid(attributes).numpy(), torch.sigmoid(odds)[:, None].numpy()

    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        return self.forward(prepared)[1]

    def predict_attributes(self, scan: Scan | np.ndarray) -> dict[str, float]:
        """Each attribute's probability, as the classifier reads it from the scan; empty where it has none."""
        ((values,), _) = self.forward(self.preprocess(scan)[None])
        return {concept: float(value) for concept, value in zip(self.concepts, values, strict=True)}

    @torch.inference_mode()
    def predict_from_attributes(self, values: Mapping[str, float]) -> float:
        """The probability of the diagnosis with every attribute set by hand.

        Args:
            values: attribute -> value in [0, 1], all of `concepts`.

        Raises:
            ValueError: the classifier has no attributes, one is missing or unknown, or a value lies outside [0, 1].
        """
        if not self.concepts:
            raise ValueError(
                f"{self.checkpoint.name} goes from the image to the diagnosis; it has no attributes to set."
            )
        if {*values} != {*self.concepts}:
            raise ValueError(f"set {', '.join(self.concepts)}, each once; got {', '.join(values) or 'none'}.")
        if not all(0 <= value <= 1 for value in values.values()):
            raise ValueError("an attribute is a probability from 0 to 1.")
        a = torch.tensor([[values[c] for c in self.concepts]], dtype=torch.float32, device=self.device)
        return float(torch.sigmoid(self.net.diagnose(a))[0])

    def look(self, scan: Scan | np.ndarray, symbol: str = "") -> Look:
        return look(self, scan, symbol)

    def attribute_effects(self, values: Mapping[str, float]) -> list[AttributeEffect]:
        return effects(self, values)

    def attribute_counterfactual(self, values: Mapping[str, float], present: bool = False) -> dict[str, float]:
        """a* of Eq. 6: the nearest attributes with which the diagnosis would be there (`present`) or not, in [0, 1]."""
        a = torch.tensor([[values[c] for c in self.concepts]], dtype=torch.float32, device=self.device)
        wanted = torch.full((1,), float(present), device=self.device)
        (found,) = self.search.attributes(a, wanted).cpu().tolist()
        return dict(zip(self.concepts, found, strict=True))

    def counterfactuals(self, pictures: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x* of Eq. 7 by the attributes' a* of Eq. 6, or of Eq. 2 without attributes, sought in `space`.

        Args:
            pictures: (n, size, size) prepared. targets: (n,) of 0 and 1, the diagnosis wanted instead.

        Returns:
            (n, size, size) float32, and (n,) |grad T| there: small where the minimum was reached.
        """
        found, norms = [], []
        for start in range(0, len(pictures), BATCH):
            some = slice(start, start + BATCH)
            x = torch.from_numpy(pictures[some])[:, None].to(self.device)
            y = torch.from_numpy(np.asarray(targets[some], np.float32)).to(self.device)
            otherwise, solution = self.search.pictures(x, y, self.space)
            found.append(otherwise[:, 0].cpu().numpy())
            norms.append(solution.gradient_norm.cpu().numpy())
        return np.concatenate(found), np.concatenate(norms)

    def cams(self, pictures: np.ndarray) -> np.ndarray:
        """Grad-CAM of each decision at the operating point, (n, size, size), not negative."""
        return looked_at(self.net, pictures, self.device, float(self.thresholds[0]))[1]

    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        started, chosen, picture = time.perf_counter(), self.finding_indices(findings), self.preprocess(scan)
        crop, span = self.crop_of(scan.pixels), 2 * self.preprocessing.value_range
        units = self.preprocessing.scan_units(crop.cut(scan.pixels))
        records = []
        for done, c in enumerate(chosen):
            ((otherwise,), _) = self.counterfactuals(picture[None], np.zeros(1))
            change = otherwise - picture
            frames = (picture + STEPS[:, None, None] * change).astype(np.float32)
            attributes, along = self.forward(frames)
            placed = on_the_scan(change, crop)
            coarse = cv2.resize(scan.pixels, placed.shape[::-1], interpolation=cv2.INTER_AREA)
            moved = np.stack([crop.in_scan_units(coarse, a * placed * units) for a in STEPS])  # (K, h, w)
            evidence = -placed / span
            records.append(
                Explanation(
                    scan_sha256=scan.sha256,
                    checkpoint_sha256=self.checkpoint.sha256,
                    checkpoint_identity=self.checkpoint.identity,
                    finding=self.findings[c],
                    probability=float(along[0, 0]),
                    threshold=float(self.thresholds[c]),
                    attribution=enlarged(evidence, scan.pixels.shape),
                    attribution_unit="of the grey range, that is taken away",
                    attribution_limit=float(self.limits[c]),
                    evidence=evidence,
                    counterfactual=(scan.pixels + enlarged(moved[FULL], scan.pixels.shape)).astype(np.float32),
                    path=Path(STEPS, along[:, 0], moved, crop.span(span * units), self.change_limit),
                    in_distribution=(self.detector.score(picture), self.detector.limit),
                    seconds=time.perf_counter() - started,
                    both_signs=True,
                    regions=self._regions(picture, attributes[0], float(along[0, 0]), crop),
                )
            )
            if progress:
                progress(done + 1, len(chosen))
        return records

    def _regions(self, picture: np.ndarray, values: np.ndarray, p: float, crop: Crop) -> Region:
        """The image, its attributes, and under each the diagnosis.

        The image's score is the probability of the diagnosis, and its mask is where Grad-CAM exceeds half of its
        largest value. An attribute's score is its probability, beside that in the counterfactual; the diagnosis below
        it has how much of the probability goes when this attribute alone has its counterfactual value.
        """
        cam = crop.put_back(self.cams(picture[None])[0])
        mask = cam > SHARE_OF_LARGEST * float(cam.max()) if cam.max() > 0 else None
        seen = {concept: float(value) for concept, value in zip(self.concepts, values, strict=True)}
        wanted = self.attribute_counterfactual(seen) if seen else {}
        parts = []
        for concept, value in seen.items():
            without = self.predict_from_attributes(seen | {concept: wanted[concept]})
            below = Region(self.findings[0], "diagnosis", p - without)
            parts.append(Region(concept, "attribute", value, None, (below,), wanted[concept]))
        return Region("Image", "image", p, mask, tuple(parts))

    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        picture, (finding,) = self.preprocess(scan), self.findings
        self.finding_indices([*amounts])
        ((otherwise,), _) = self.counterfactuals(picture[None], np.zeros(1))
        moved = picture + amounts.get(finding, 0.0) * (otherwise - picture)
        return {finding: float(self.forward(moved.astype(np.float32)[None])[1][0, 0])}


def open_model(checkpoint: Checkpoint, device: str) -> CausalAlignmentModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return CausalAlignmentModel(checkpoint, device)
