"""Somebody else's model: an ONNX file and a short card, asked from outside, since nothing of it was made here."""

from __future__ import annotations

from pathlib import Path

from engine.registry import Method, register


@register
class ForeignMethod(Method):
    """A black box with probabilities; its map is drawn by hiding one part of the picture after another."""

    name = "foreign"
    title = "ONNX model"
    paper = "made elsewhere"
    signed = True
    counterfactuals = False
    has_centres = False
    evidence_name = "where hiding changes the answer"
    trainable = False
    largest_weights = 500_000_000

    def open(self, checkpoint, device):
        from engine.methods.onnx.explain import ForeignModel

        return ForeignModel(checkpoint, device)

    def presets(self):
        return {}

    def train(self, job):
        raise ValueError("an ONNX model was trained by its maker; bring one in with python -m engine adopt.")

    def evaluate(self, model, collection, indices):
        from engine.methods.onnx.evaluate import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.methods.onnx.tiny import tiny

        return tiny(folder)
