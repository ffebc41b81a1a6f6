"""Tiny checkpoints for tests of the pages: random weights, said to come from a collection, and calling
every scan like it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.checkpoints.metrics import Metrics
from engine.registry import method


def tiny(
    folder: Path,
    method_name: str = "attri_net",
    *,
    collection: str = "chestxray8",
    kind: str = "radiograph",
    metrics: Metrics | None = None,
    **more,
) -> Checkpoint:
    """A tiny checkpoint of the method `method_name`, whose out-of-distribution limit no scan exceeds; `more` goes to
    the method's own `tiny`.
    """
    with TemporaryDirectory() as scratch:
        made = _tiny(Path(scratch) / "tiny", method_name, more)
        weights = made.weights()
    residual = float(weights["out_of_distribution.numbers"][0])
    weights["out_of_distribution.numbers"] = np.array([residual, 1e9], np.float32)
    data = {**made.config.get("data", {}), "collection": collection, "kind": kind}
    return save_checkpoint(
        folder,
        method=method_name,
        config={**made.config, "data": data},
        weights=weights,
        card=made.card,
        metrics=metrics,
    )


def _tiny(folder: Path, method_name: str, more: dict) -> Checkpoint:
    if not more:
        return method(method_name).tiny(folder)
    from engine.methods.attri_net.produce import tiny as of_attri_net

    return of_attri_net(folder, **more)
