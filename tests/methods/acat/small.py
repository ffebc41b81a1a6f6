"""A few drawn heads of few small slices, and settings that train on them in seconds."""

from __future__ import annotations

from engine.datasets import open_collection
from engine.datasets.collection import Collection

CHANGES = {
    "size": "32",
    "width": "4",
    "autoencoder_width": "4",
    "latent": "2",
    "slices": "3",
    "baseline_steps": "4",
    "autoencoder_steps": "2",
    "attention_steps": "2",
    "validate_every": "2",
    "batch": "4",
    "slice_batch": "4",
    "steps": "2",
}


def heads(root) -> Collection:
    """40 heads of 3 slices of 32 x 32, in the atlas that lies in `root`."""
    return open_collection("stroke_phantom", root, count=40, size=32, slices=3)
