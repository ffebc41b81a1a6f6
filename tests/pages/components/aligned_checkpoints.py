"""Tiny checkpoints of causal alignment for the pages: one with alignment and its twin without, trained with symbols."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.methods.causal_alignment.ccce import DiagnosisTable
from tests.methods.causal_alignment.test_latent import latent_space
from tests.tiny_checkpoints import tiny


def aligned(
    folder: Path, with_alignment: bool = True, symbol: str = "plus_minus", seed: int = 0, latent: bool = False
) -> Checkpoint:
    """Attributes margin and spiculation, CT slices; every scan is like its training.

    Args:
        latent: with an autoencoder, in whose space counterfactuals can be sought.
    """
    made = tiny(folder, "causal_alignment", collection="lidc_implants", kind="CT")
    a, y = np.random.default_rng(seed).integers(0, 2, (80, 2)), np.arange(80) % 2
    config = {
        **made.config,
        "data": {**made.config["data"], "options": {"symbol": symbol}},
        "training": {"lambda_image": 6.0 if with_alignment else 0.0},
        "diagnosis_table": DiagnosisTable.fit(made.config["concepts"], a, y).counts(),
    }
    weights = made.weights()
    if latent:
        config["counterfactual"] = {**made.config["counterfactual"], "latent": {"width": 2, "channels": 2}}
        weights |= {f"latent.{name}": value for name, value in latent_space().float().state_dict().items()}
    return save_checkpoint(
        folder, method="causal_alignment", config=config, weights=weights, card=made.card, metrics=made.metrics
    )
