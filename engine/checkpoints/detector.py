"""Is this scan like those a checkpoint was trained on, asked of the checkpoint's files without opening its network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from safetensors import safe_open

from engine.checkpoints.format import WEIGHTS, Checkpoint
from engine.configuration import tensor_name
from engine.datasets import draws_its_own
from engine.ood import TENSORS, OutOfDistributionDetector
from engine.preprocessing import Preprocessing


@dataclass(frozen=True)
class CheckpointDetector:
    """The detector of one checkpoint with the preprocessing that stands before it: it is asked without opening the
    network.

    Attributes:
        crop: a name in `engine.datasets.crop.CROPS`, "" for a checkpoint that is shown the whole scan.
        preprocessing: of the checkpoint.
        detector: of the checkpoint.
        slices: that a checkpoint of volumes reads; 0 for one of pictures.
    """

    crop: str
    preprocessing: Preprocessing
    detector: OutOfDistributionDetector
    slices: int = 0

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> CheckpointDetector | None:
        """None for a checkpoint that holds no detector: what it was trained on is not known.

        Raises:
            RefusedCheckpoint: its weights have changed since it was checked.
        """
        with safe_open(checkpoint.folder / WEIGHTS, "numpy") as file:
            names = file.keys()  # the file itself cannot be walked through
            if not any(tensor_name(name).startswith(TENSORS) for name in names):
                return None
        config, detector = checkpoint.config, OutOfDistributionDetector.from_tensors(checkpoint.arrays())
        preprocessing, slices = Preprocessing(**config["preprocessing"]), int(config.get("slices", 0))
        return cls(config.get("crop", ""), preprocessing, detector, slices)

    def score(self, pixels: np.ndarray) -> tuple[float, float]:
        """(score, limit) of (H, W) float32 in the scan's units, as in `Explanation.in_distribution`; of (S, H, W), with
        rising slices, for a checkpoint of volumes.
        """
        if self.slices and pixels.ndim == 3:
            return self.detector.score_volume(self.preprocessing.apply_volume(pixels, self.slices)), self.detector.limit
        if self.crop:
            from engine.datasets.crop import CROPS  # needs SciPy

            pixels = CROPS[self.crop](pixels).cut(pixels)
        return self.detector.score(self.preprocessing.apply(pixels)), self.detector.limit


def only_drawn(checkpoint: Checkpoint, drawn_by: str = "") -> bool:
    """Whether a checkpoint has seen drawn pictures only and the scan is a person's: then no score makes the two alike.

    Args:
        drawn_by: the collection that drew the scan, "" for a scan of a person. One that puts lesions into films of
            persons draws persons.
    """
    return not (drawn_by and draws_its_own(drawn_by)) and draws_its_own(checkpoint.collection)
