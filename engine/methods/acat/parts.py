"""Where ACAT looked, in words: the vascular territories of the head, and its attention masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from engine.datasets.head_ct import BOX, COVERED_MM
from engine.datasets.stroke_phantom import TERRITORIES, territory_at
from engine.methods.acat.oriented import Orientation
from engine.preprocessing import enlarged_volume
from engine.regions import Region
from engine.scan import Scan

if TYPE_CHECKING:
    from engine.methods.acat.explain import ACATModel

ATTENTION = ("early", "middle", "late", "fused")
TOP = 0.95  # quantile above which a voxel belongs to a mask, as in the paper's Fig. 2
MOST_VOXELS = 1 << 25  # of a scan, for which masks on its own grid are given
INSIDE = 0.97  # of the network's range: what is beyond is fluid and air below, bone above
WIDEST_MM = 18.0  # above the anterior commissure, where an axial slice of the brain is largest
SMALLEST_BRAIN = 0.05  # of a volume


def brain_of(prepared: np.ndarray, value_range: float) -> np.ndarray | None:
    """(S, H, W) of bool, filled slice by slice: the largest part between fluid and bone; None where there is none.

    Args:
        prepared: (S, H, W) in [-value_range, value_range], of a range that ends with fluid and above any brain.
    """
    soft = np.abs(prepared) < INSIDE * value_range
    soft = ndimage.binary_opening(soft, np.ones((1, 3, 3), bool))
    labels, count = cast(tuple[np.ndarray, int], ndimage.label(soft))  # the stub allows a bare count
    if not count:
        return None
    largest = labels == 1 + np.argmax(ndimage.sum_labels(soft, labels, range(1, count + 1)))
    closed = (np.asarray(ndimage.binary_closing(plane, iterations=2)) for plane in largest)
    filled = np.stack([np.asarray(ndimage.binary_fill_holes(plane)) for plane in closed])
    return filled if filled.mean() > SMALLEST_BRAIN else None


def territories_of(prepared: np.ndarray, value_range: float, between_mm: float) -> np.ndarray | None:
    """(S, H, W) uint8: 1 + the place in `TERRITORIES`, 0 outside; None where no brain is found.

    The brain's box in the plane is that of the atlas, and its largest slice lies `WIDEST_MM` above the commissure: a
    rough fit, that names a territory and measures nothing.

    Args:
        prepared: see `brain_of`; slices rise, rows run to the back, columns to the left.
        between_mm: between its slices.
    """
    brain = brain_of(prepared, value_range)
    if brain is None:
        return None
    rows, columns = (np.flatnonzero(brain.any(axes)) for axes in ((0, 2), (0, 1)))
    x = BOX[0, 1] - (BOX[0, 1] - BOX[0, 0]) * _share(np.arange(brain.shape[2]), columns)
    y = BOX[1, 1] - (BOX[1, 1] - BOX[1, 0]) * _share(np.arange(brain.shape[1]), rows)
    z = WIDEST_MM + between_mm * (np.arange(len(brain)) - int(brain.sum((1, 2)).argmax()))
    named = territory_at(x[None, None, :], y[None, :, None], z[:, None, None])
    return np.where(brain, named, 0).astype(np.uint8)


def _share(places: np.ndarray, covered: np.ndarray) -> np.ndarray:
    return (places - covered[0]) / max(covered[-1] - covered[0], 1)


@torch.no_grad()
def parts_of(
    model: ACATModel,
    scan: Scan,
    orientation: Orientation,
    volume: Tensor,
    steer: Tensor,
    evidence: np.ndarray,
    probability: float,
) -> Region:
    """The image with its territories, each with its share of the evidence, and the four attention masks, each with its
    mean; masks on the scan's own grid hold the evidence's, or the attention's, strongest 5 %.

    Args:
        volume, steer: (1, S, H, W) as the network reads them. evidence: (S, H, W) on the same grid.
        probability: of the finding.
    """
    _, masks, _ = model.nets.acat.explained(volume, steer)
    shape, large = scan.pixels.shape, scan.pixels.size > MOST_VOXELS

    def on_scan(strong: np.ndarray) -> np.ndarray | None:
        return None if large else enlarged_volume(orientation.undo(strong.astype(np.float32)), shape) > 0.5

    parts = []
    named = _territories(model, scan, orientation, volume[0].cpu().numpy())
    total = float(evidence.sum())
    if named is not None and total > 0:
        strong = evidence >= np.quantile(evidence, TOP)
        shares = {name: float(evidence[named == k].sum()) / total for k, name in enumerate(TERRITORIES, 1)}
        for name, share in sorted(shares.items(), key=lambda item: -item[1]):
            parts.append(
                Region(
                    name, "attribute", share, on_scan(strong & (named == 1 + TERRITORIES.index(name))), is_place=True
                )
            )
    for name, mask in zip(ATTENTION, masks, strict=True):
        whole = torch.nn.functional.interpolate(mask, tuple(volume.shape[-2:]), mode="bilinear")[0].cpu().numpy()
        strong = whole > np.quantile(whole, TOP)
        parts.append(Region(f"{name} attention", "attribute", float(whole.mean()), on_scan(strong)))
    return Region("Volume", "image", probability, None, tuple(parts))


def _territories(model: ACATModel, scan: Scan, orientation: Orientation, prepared: np.ndarray) -> np.ndarray | None:
    """Territories of a head; None for scans of what is no head, or without known attenuation."""
    if not model.architecture.half_brain or model.preprocessing.fixed is None:
        return None
    spacing = scan.spacing_mm[orientation.order[0]] if scan.spacing_mm else None
    depth = scan.pixels.shape[orientation.order[0]]
    return territories_of(
        prepared, model.preprocessing.value_range, (spacing * depth if spacing else COVERED_MM) / len(prepared)
    )
