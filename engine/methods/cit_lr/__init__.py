"""CIT-LR: would a model's answer change if only the sex, the scanner or the marker changed? After "AI Alignment in Medical Imaging"."""

from __future__ import annotations

from pathlib import Path

from engine.registry import Generator, register


@register
class CitLrGenerator(Generator):
    """The same patient under another attribute, by a disentangled conditional latent diffusion model."""

    name = "cit_lr"
    title = "CIT-LR"
    paper = "AI Alignment in Medical Imaging 2025"

    def open(self, checkpoint, device):
        from engine.methods.cit_lr.generator import DiffusionInterventions

        return DiffusionInterventions(checkpoint, device)

    def presets(self):
        from engine.methods.cit_lr.material import PRESETS

        return PRESETS

    def train(self, job):
        from engine.methods.cit_lr.produce import produce

        return produce(job)

    def evaluate(self, model, collection, indices):
        from engine.methods.cit_lr.evaluate import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.methods.cit_lr.produce import tiny

        return tiny(folder)
