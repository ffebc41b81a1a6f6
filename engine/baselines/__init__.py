"""What the papers compare themselves with; VA-GAN makes counterfactuals of its own and so joins the app as a method."""

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
        from engine.baselines.va_gan import Architecture, MapGenerator, folded
        from engine.discrepancy.model import DiscrepancyModel

        return DiscrepancyModel(self.title, Architecture, MapGenerator, folded, checkpoint, device)

    def presets(self):
        from engine.baselines.va_gan import PRESETS

        return PRESETS

    def train(self, job):
        from engine.baselines.va_gan import PRESETS, VaGanRecipe
        from engine.discrepancy.producing import produce

        return produce(job, self, PRESETS, VaGanRecipe)

    def evaluate(self, model, collection, indices):
        from engine.discrepancy.measures import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.baselines.va_gan import Architecture, MapGenerator
        from engine.discrepancy.producing import tiny

        return tiny(folder, self.name, MapGenerator(Architecture(size=32, width=4)))


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
        from engine.baselines.supervised_model import SupervisedModel

        return SupervisedModel(checkpoint, device)

    def presets(self):
        from engine.baselines.supervised import PRESETS

        return PRESETS

    def train(self, job):
        from engine.baselines.supervised_model import produce

        return produce(job, self)

    def evaluate(self, model, collection, indices):
        from engine.baselines.supervised_model import evaluate

        return evaluate(model, collection, indices)

    def tiny(self, folder: Path):
        from engine.baselines.supervised_model import tiny

        return tiny(folder, self.name)
