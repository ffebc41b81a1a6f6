"""One scan as an index holds it: its evidence maps on a coarse grid, and its embedding in the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from engine.explanation import Explanation
from engine.registry import Model
from engine.scan import Scan

if TYPE_CHECKING:
    from torch import nn

GRID = 16  # cells a side that an evidence map is compared on


@dataclass(frozen=True)
class Description:
    """What a checkpoint makes of one scan.

    Attributes:
        probabilities: (C,) float32.
        evidence: (C, GRID, GRID) float32, means over cells, in the unit of the checkpoint's maps.
        embedding: (d,) float32: what the layer with the coarsest grid gives for this scan, averaged over the grid;
            empty for a model whose network cannot be looked into.
        layer: the name of that layer; "" without one.
    """

    probabilities: np.ndarray
    evidence: np.ndarray
    embedding: np.ndarray
    layer: str


def on_grid(evidence: np.ndarray) -> np.ndarray:
    """(h, w), or (s, h, w) of a volume, whose slices are averaged, to (GRID, GRID) float32."""
    flat = evidence.mean(axis=0) if evidence.ndim == 3 else evidence
    shrinks = min(flat.shape) >= GRID
    return cv2.resize(
        flat.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


def describe(model: Model, scan: Scan, layer: str | None = None) -> Description:
    """What `model` makes of a scan.

    Args:
        layer: whose output is the embedding, as an index says it; None chooses.

    Raises:
        UnsuitableScan: as `Model.explain`.
        ValueError: the network has no such layer.
    """
    return of_records(model, scan, model.explain(scan), layer)


def of_records(model: Model, scan: Scan, records: list[Explanation], layer: str | None = None) -> Description:
    """The same where the scan has been explained already."""
    by_finding = {record.finding: record for record in records}
    ordered = [by_finding[finding] for finding in model.findings]
    embedding, chosen = embed(model, model.preprocess(scan), layer)
    return Description(
        np.array([record.probability for record in ordered], np.float32),
        np.stack([on_grid(record.evidence) for record in ordered]),
        embedding,
        chosen,
    )


def embed(model: Model, prepared: np.ndarray, layer: str | None = None) -> tuple[np.ndarray, str]:
    """The embedding (d,) float32 of a scan as `Model.preprocess` gives it, and the layer that it comes from.

    While the model answers, the output (n, d, h, w) of one convolution is averaged over its grid and over the n times
    that it is asked: that with the coarsest grid, of these the one with most channels, of these the last. Layers that
    collapse the grid to one place are left out: their output is an answer rather than a picture of the scan.
    """
    seen: dict[str, list[np.ndarray]] = {}
    grids: dict[str, tuple[int, int]] = {}
    hooks = []

    def watch(name: str):
        def seen_here(_module, _inputs, output) -> None:
            if output.ndim < 4 or output.shape[-1] * output.shape[-2] == 1:
                return
            channels = output.detach().float().movedim(1, -1)
            means = seen.pop(name, [])  # put last again: the order is that of the last call
            seen[name] = [*means, channels.reshape(-1, channels.shape[-1]).mean(0).cpu().numpy()]
            grids[name] = (int(output.shape[-1] * output.shape[-2]), -channels.shape[-1])

        return seen_here

    for name, module in _convolutions(model):
        if layer is None or name == layer:
            hooks.append(module.register_forward_hook(watch(name)))
    if layer and not hooks:
        raise ValueError(f"{model.checkpoint.name} has no layer {layer!r}; build the index again.")
    try:
        if hooks:
            model.run_network(prepared)
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        return np.zeros(0, np.float32), ""
    coarsest = min(grids.values())
    chosen = [name for name in seen if grids[name] == coarsest][-1]
    return np.stack(seen[chosen]).mean(axis=0, dtype=np.float32), chosen


def _convolutions(model: Model) -> Iterator[tuple[str, nn.Module]]:
    """Every convolution in what the model holds, by a name that is the same whenever the checkpoint is opened."""
    from torch import nn

    seen: set[int] = set()
    queue: list[tuple[str, object]] = [(name, value) for name, value in sorted(vars(model).items())]
    while queue:
        path, value = queue.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, nn.Module):
            for name, module in value.named_modules():
                seen.add(id(module))
                if isinstance(module, (nn.Conv2d, nn.Conv3d)):
                    yield f"{path}.{name}", module
        elif type(value).__module__.startswith("engine.methods"):
            queue += [(f"{path}.{name}", part) for name, part in sorted(getattr(value, "__dict__", {}).items())]
        elif isinstance(value, (list, tuple)) and len(value) < 64:
            queue += [(f"{path}.{place}", part) for place, part in enumerate(value)]
        elif isinstance(value, dict) and len(value) < 64:
            queue += [(f"{path}.{name}", part) for name, part in value.items()]
