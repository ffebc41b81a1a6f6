"""A U-Net taught on true pairs: the ceiling of what pictures allow, no method of a paper."""

from __future__ import annotations

from pathlib import Path

from engine.registry import Method, register


@register
class SupervisedMethod(Method):
    """The ceiling: shown every training picture's true counterfactual, which no labelled collection has. Recovery reads against it."""

    name = "supervised"
    title = "U-Net taught on true pairs"
    paper = "no paper: the ceiling"
    kinds = ("radiograph", "unknown")
    signed = True
    counterfactuals = True
    has_centres = False
    made_pairs = True
    evidence_name = "change taken away"

    def open(self, checkpoint, device):
        from engine.methods.supervised.explain import SupervisedModel

        return SupervisedModel(checkpoint, device)

    def presets(self):
        from engine.methods.supervised.train import PRESETS

        return PRESETS

    def train(self, job):
        from engine.methods.supervised.explain import produce

        return produce(job, self)

    def evaluate(self, model, collection, indices):
        from engine.methods.supervised.explain import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.methods.supervised.explain import tiny

        return tiny(folder, self.name)
