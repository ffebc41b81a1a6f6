"""The classifiers that Liu et al. 2025 compare with, trained alike and measured like causal alignment itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from engine.classifiers.bagnet import BagNetRecipe
from engine.classifiers.counterfactual_augmentation import CounterfactualAugmentationRecipe
from engine.classifiers.input_gradients import InputGradientRecipe
from engine.classifiers.interpretable_cnn import InterpretableRecipe
from engine.classifiers.multi_task import MultiTaskRecipe
from engine.classifiers.oracle import OracleRecipe
from engine.datasets.collection import Collection
from engine.files import write_whole
from engine.methods.causal_alignment.evaluate import region_rows
from engine.methods.causal_alignment.pictures import operating_point
from engine.methods.causal_alignment.presets import Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe
from engine.metrics.measure import Measure
from engine.training.loop import Machine, best_weights, train_in

ORACLE = "oracle, shown the region alone"
RECIPES: Mapping[str, tuple[str, type[RegionRecipe]]] = {  # as a reader sees it -> its folder and its recipe
    "Ross et al., input gradients": ("input-gradients", InputGradientRecipe),
    "Zhang et al., ICNN": ("icnn", InterpretableRecipe),
    "Brendel and Bethge, BagNet": ("bagnet", BagNetRecipe),
    "Rieger et al., multi-task": ("multi-task", MultiTaskRecipe),
    "Chang et al., augmentation": ("augmentation", CounterfactualAugmentationRecipe),
    ORACLE: ("oracle", OracleRecipe),
}
ROWS = "rows.json"


def measured(
    names: Sequence[str],
    collection: Collection,
    preset: Preset,
    folder: Path,
    machine: Machine,
    seed: int,
    train: bool,
) -> dict[str, list[Measure]]:
    """Measures on the test part by name, of those of `names` that are trained or may be.

    Args:
        preset: of causal alignment, whose sizes, schedule and pictures all share; its alignment takes no part.
        folder: where trainings and finished measures are kept, one folder a classifier.
        train: whether to train, or go on with a stopped training, what is missing.
    """
    found = {}
    for name in names:
        where, recipe_class = folder / RECIPES[name][0], RECIPES[name][1]
        recipe = recipe_class(collection, preset, seed)  # type: ignore[call-arg]  # each takes these three
        settings = _settings(recipe, preset, seed)
        rows = _stored(where / ROWS, settings)
        if rows is None and train:
            fabric = train_in(recipe, where, machine)
            recipe.net.load_state_dict({k.removeprefix("net."): v for k, v in best_weights(where).items()})
            net, test = recipe.net.eval(), collection.split("test")
            threshold = operating_point(net, recipe.pictures, fabric.device)
            rows, _, _ = region_rows(net, recipe.pictures, test, fabric.device, threshold, collection.findings[0])
            text = json.dumps({"settings": settings, "rows": [row.row() for row in rows]})
            write_whole(where / ROWS, text + "\n")
        if rows is not None:
            found[name] = rows
    return found


def _settings(recipe: RegionRecipe, preset: Preset, seed: int) -> dict:
    """What two trainings must share to have the same measures, ready for JSON."""
    test, collection = recipe.collection.split("test"), recipe.collection
    parts = (collection.labels[test], collection.patients[test])
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
    return json.loads(json.dumps(asdict(preset) | {"seed": seed, "test": digest, "options": dict(collection.options)}))


def _stored(path: Path, settings: dict) -> list[Measure] | None:
    """The measures that a training with the same settings has left."""
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    return [Measure.of_row(row) for row in stored["rows"]] if stored["settings"] == settings else None
