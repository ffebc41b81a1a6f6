"""CAM, Grad-CAM, CXPlain and plain intensity on one collection, measured as CX-GAN's own maps are (Table 1
of Zia et al.).
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import safetensors.torch

from engine.attribution import cam as cams
from engine.attribution.cxplain import BATCH, Explainer, cxplain, explainer
from engine.attribution.grad_cam import grad_cam
from engine.attribution.intensity import Intensity
from engine.datasets.collection import Collection
from engine.files import write_whole
from engine.methods.map_translation.evaluate import annotated, compared_with_masks, fixed_cut
from engine.metrics.measure import Measure, collected
from engine.training.loop import Machine

CAM, GRAD_CAM, CXPLAIN, INTENSITY = "CAM", "Grad-CAM", "CXPlain", "plain intensity"
EXPLAINER = "cxplain.safetensors"
LEARNED = 500  # training pictures of each class that plain intensity learns from


def measured(
    collection: Collection, size: int, preset: str, folder: Path, machine: Machine, seed: int, train: bool
) -> dict[str, list[Measure]] | None:
    """IoU, Dice and NCC of each map on the annotated pictures of the test part; None where the classifier is not
    trained and not to be.

    Args:
        size: side of the classifier's input, that of the models compared with.
        folder: where classifier and CXPlain's explainer are kept.
    """
    recipe = cams.trained(collection, size, preset, folder, machine, seed, train)
    if recipe is None:
        return None
    classifier, finding = cast(cams.Classifier, recipe.average), collection.findings[0]
    normal, abnormal = recipe.parts["train"]
    where = folder / EXPLAINER
    if where.is_file():
        net = Explainer()
        net.load_state_dict(safetensors.torch.load_file(where))
        net.eval()
    elif train:
        net = explainer(
            classifier, lambda step: recipe.films.batch(recipe.draw("explainer", step).choice(abnormal, BATCH)), seed
        )
        write_whole(where, safetensors.torch.save(net.state_dict()))
    else:
        return None
    intensity = Intensity(*(recipe.films.batch(pool[:LEARNED]).numpy() for pool in (normal, abnormal)))
    maps = {
        CAM: lambda x: cams.cam(classifier, x),
        GRAD_CAM: lambda x: grad_cam(classifier, x),
        CXPLAIN: lambda x: cxplain(net, x),
        INTENSITY: lambda x: intensity(x[:, 0].numpy()),
    }
    validation = recipe.parts["validation"][1]
    test = collection.split("test")
    chosen, masks = annotated(collection, test, size)
    test = test[chosen]
    rows = {}
    for name, draw in maps.items():
        cut = fixed_cut(collection, validation, _drawn(draw, recipe, validation))
        rows[name], measure, _ = collected()
        compared_with_masks(_drawn(draw, recipe, test), masks, cut, finding, collection.patients[test], measure)
    return rows


def _drawn(draw, recipe, indices: np.ndarray) -> np.ndarray:
    """Maps (N, size, size) of the pictures at `indices`, in batches."""
    parts = [draw(recipe.films.batch(indices[start : start + 32])) for start in range(0, len(indices), 32)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])
