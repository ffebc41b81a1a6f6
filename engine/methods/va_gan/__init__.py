"""VA-GAN (Baumgartner et al. 2018): a map to any normal picture, the baseline of CX-GAN."""

from __future__ import annotations

from pathlib import Path

from engine.registry import Method, register


@register
class VaGanMethod(Method):
    """A map to any normal picture, not to this patient's: the baseline that CX-GAN's cycle is to improve on."""

    name = "va_gan"
    title = "VA-GAN"
    paper = "Baumgartner et al. 2018"
    signed = True
    counterfactuals = True
    has_centres = False
    evidence_name = "discrepancy map"
    two_classes = True

    def open(self, checkpoint, device):
        from engine.methods.map_translation.explain import DiscrepancyModel
        from engine.methods.va_gan.train import Architecture, MapGenerator, folded

        return DiscrepancyModel(self.title, Architecture, MapGenerator, folded, checkpoint, device)

    def presets(self):
        from engine.methods.va_gan.train import PRESETS

        return PRESETS

    def train(self, job):
        from engine.methods.map_translation.produce import produce
        from engine.methods.va_gan.train import PRESETS, VaGanRecipe

        return produce(job, self, PRESETS, VaGanRecipe)

    def evaluate(self, model, collection, indices):
        from engine.methods.map_translation.evaluate import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.methods.map_translation.produce import tiny
        from engine.methods.va_gan.train import Architecture, MapGenerator

        return tiny(folder, self.name, MapGenerator(Architecture(size=32, width=4)))
