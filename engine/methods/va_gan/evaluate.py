"""What VA-GAN is measured by: what every map between two classes is."""

from engine.methods.map_translation.evaluate import evaluate

__all__ = ["evaluate"]
