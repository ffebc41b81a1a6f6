"""Attri-Net (Sun et al. 2025, MELBA 3): class-specific counterfactual attribution maps, classified linearly."""

from __future__ import annotations

from pathlib import Path

from engine.registry import Method, register


@register
class AttriNetMethod(Method):
    """Inherently interpretable: the maps that are shown are what the linear classifiers see."""

    name = "attri_net"
    title = "Attri-Net"
    paper = "Sun et al. 2025"
    kinds = ("radiograph", "unknown")
    signed = True
    counterfactuals = True
    has_centres = True
    made_pairs = True
    evidence_name = "weighted map"

    def open(self, checkpoint, device):
        from engine.methods.attri_net.explain import AttriNetModel

        return AttriNetModel(checkpoint, device)

    def presets(self):
        from engine.methods.attri_net.train import PRESETS

        return PRESETS

    def train(self, job):
        from engine.methods.attri_net.produce import produce

        return produce(job)

    def evaluate(self, model, collection, indices):
        from engine.methods.attri_net.evaluate import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.methods.attri_net.produce import tiny

        return tiny(folder)
