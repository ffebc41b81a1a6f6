"""Where a classifier of causal alignment looks for its diagnosis and for each attribute, also with a symbol beside the
lesion, and how much of its answer the attributes account for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from engine.datasets.crop import on_the_scan
from engine.datasets.symbols import KINDS, draw_symbol
from engine.look import PRESENT, AttributeEffect, Look, attribute_effects
from engine.methods.causal_alignment.ccce import DiagnosisTable
from engine.methods.causal_alignment.network import grad_cam
from engine.methods.causal_alignment.pictures import on_pictures
from engine.scan import Scan

if TYPE_CHECKING:
    from engine.methods.causal_alignment.explain import CausalAlignmentModel


def symbol_kind(config: Mapping) -> str:
    """The kind of symbol that the training pictures carried, "none" without any."""
    kind = str(config.get("data", {}).get("options", {}).get("symbol", "none"))
    return kind if kind in KINDS else "none"


def with_symbol(model: CausalAlignmentModel, cut: np.ndarray, value: str) -> np.ndarray:
    """What the network gets to see of a scan, (h, w), with the symbol in its first corner, as in training.

    Raises:
        ValueError: the checkpoint was trained without symbols, or another value.
    """
    kind = symbol_kind(model.checkpoint.config)
    if kind == "none":
        raise ValueError(f"{model.checkpoint.name} was trained without symbols.")
    black, white = model.preprocessing.fixed or (float(cut.min()), float(cut.max()))
    return draw_symbol(cut, None, kind, value, white=white, black=black)


def look(model: CausalAlignmentModel, scan: Scan | np.ndarray, symbol: str = "") -> Look:
    """What the model says of the scan, with a value of its symbol drawn into what it sees where one is named."""
    pixels = model.pixels_of(scan)
    crop = model.crop_of(pixels)
    cut = crop.cut(pixels)
    x = model.preprocessing.apply(with_symbol(model, cut, symbol) if symbol else cut)
    batch = torch.from_numpy(x)[None, None].to(model.device)
    with torch.no_grad():
        odds, diagnosis = model.net(batch)
    p, values = float(torch.sigmoid(diagnosis)[0]), torch.sigmoid(odds)[0].cpu().tolist()
    threshold = float(model.thresholds[0])

    def cam(towards: bool, attribute: int | None) -> np.ndarray:
        sign = torch.ones(1, device=model.device) if towards else -torch.ones(1, device=model.device)
        fine = on_pictures(grad_cam(model.net, batch, sign, attribute), len(x))[0].cpu().numpy()
        placed = on_the_scan(fine, crop)
        return (placed / max(float(placed.max()), 1e-12)).astype(np.float32)

    return Look(
        finding=model.findings[0],
        probability=p,
        threshold=threshold,
        cam=cam(p > threshold, None),
        attributes=dict(zip(model.concepts, values, strict=True)),
        attribute_cams={name: cam(value > PRESENT, k) for k, (name, value) in enumerate(zip(model.concepts, values))},
    )


def effects(model: CausalAlignmentModel, values: Mapping[str, float]) -> list[AttributeEffect]:
    """CCCE of every set of at most three attributes on the answer that these values give, most first.

    Raises:
        ValueError: the classifier has no attributes, or one is missing.
    """
    positive = model.predict_from_attributes(values) > float(model.thresholds[0])

    @torch.inference_mode()
    def diagnose(several: Sequence[Mapping[str, float]]) -> list[float]:
        a = torch.tensor([[one[c] for c in model.concepts] for one in several], dtype=torch.float32)
        return torch.sigmoid(model.net.diagnose(a.to(model.device))).cpu().tolist()

    found, table = attribute_effects(diagnose, values, positive), _table(model)
    if table is None:
        return found
    person = [int(values[c] > PRESENT) for c in model.concepts]
    place = {name: k for k, name in enumerate(model.concepts)}
    return [replace(e, in_ratings=table.ccce(person, int(positive), [place[n] for n in e.attributes])) for e in found]


def _table(model: CausalAlignmentModel) -> DiagnosisTable | None:
    counts = model.checkpoint.config.get("diagnosis_table")
    if counts is None or not model.concepts:
        return None
    try:
        return DiagnosisTable.of_counts(model.concepts, counts["cases"], counts["positives"])
    except (KeyError, TypeError, ValueError):
        return None
