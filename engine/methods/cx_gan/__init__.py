"""CX-GAN (Zia et al.): this patient's normal counterpart by cycle-consistent translation, and every pixel of the difference."""

from __future__ import annotations

from pathlib import Path

from engine.registry import Method, register


@register
class CxGanMethod(Method):
    """What this scan should look like: a map learned from two piles of pictures, without pixel labels or a classifier."""

    name = "cx_gan"
    title = "CX-GAN"
    paper = "Zia et al. 2023"
    signed = True
    counterfactuals = True
    has_centres = False
    evidence_name = "discrepancy map"
    two_classes = True
    made_pairs = True

    def open(self, checkpoint, device):
        from engine.methods.cx_gan.explain import CxGanModel

        return CxGanModel(checkpoint, device)

    def presets(self):
        from engine.methods.cx_gan.train import PRESETS

        return PRESETS

    def train(self, job):
        from engine.methods.cx_gan.train import PRESETS, CxGanRecipe
        from engine.methods.map_translation.produce import produce

        return produce(job, self, PRESETS, CxGanRecipe)

    def evaluate(self, model, collection, indices):
        from engine.methods.map_translation.evaluate import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.methods.cx_gan.network import Architecture, MapGenerator
        from engine.methods.map_translation.produce import tiny

        return tiny(folder, self.name, MapGenerator(Architecture(size=32, width=4, levels=3, critic_width=4)))
