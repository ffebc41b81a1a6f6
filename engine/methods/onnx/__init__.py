"""Somebody else's model: an ONNX file and a short card, asked from outside, since nothing of it was made here."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.format import Checkpoint
from engine.registry import Method, register


@register
class ForeignMethod(Method):
    """A black box with probabilities; its map is drawn by hiding one part of the picture after another."""

    name = "onnx"
    title = "ONNX model"
    paper = "made elsewhere"
    signed = True
    counterfactuals = False
    has_centres = False
    evidence_name = "where hiding changes the answer"
    trainable = False
    largest_weights = 500_000_000

    def tiny(self, folder: Path) -> Checkpoint:
        from engine.methods.onnx.tiny import tiny

        return tiny(folder)
