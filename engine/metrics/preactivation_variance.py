"""How much the pre-activations of a network's layers vary within a scan: what noise at the input can grow to (Table 3
of Fontanella et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, Sample

METRICS = ("preactivation_variance",)


@torch.no_grad()
def preactivation_variance(
    layers: Sequence[nn.Module],
    forward: Callable[[Tensor], object],
    scans: Sequence[Tensor],
    finding: str = "",
    variant: str = "",
    groups: Groups = None,
) -> list[Measure]:
    """One row a layer: the variance of what it puts out over channels and places of one scan, its mean over scans.

    Args:
        layers: convolutions or linear layers, whose output is the pre-activation.
        forward: a pass of the network over one scan.
        scans: N of them, as `forward` takes them.
        variant: stands before the layer's number in the row's.
    """
    found: list[list[float]] = [[] for _ in layers]

    def noted(k: int) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, out: found[k].append(float(out.float().var()))

    hooks = [layer.register_forward_hook(noted(k)) for k, layer in enumerate(layers)]
    try:
        for scan in scans:
            forward(scan)
    finally:
        for hook in hooks:
            hook.remove()
    rows = []
    for k, values in enumerate(found, 1):
        variances = np.array(values)
        rows.append(
            Measure(
                "preactivation_variance",
                finding,
                float(variances.mean()),
                *mean_interval(variances, groups),
                n=len(variances),
                variant=f"{variant}, layer {k}",
                sample=Sample(variances, None if groups is None else np.asarray(groups)),
            )
        )
    return rows
