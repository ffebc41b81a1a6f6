"""What the supervised U-Net is measured by."""

from engine.methods.supervised.explain import evaluate

__all__ = ["evaluate"]
