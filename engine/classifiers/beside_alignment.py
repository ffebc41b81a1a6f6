"""The classifiers that Liu et al. 2025 compare with, trained alike and measured like causal alignment itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from engine.classifiers.bagnet import BagNetRecipe
from engine.classifiers.counterfactual_augmentation import CounterfactualAugmentationRecipe
from engine.classifiers.finished import digest, keep, kept
from engine.classifiers.input_gradients import InputGradientRecipe
from engine.classifiers.interpretable_cnn import InterpretableRecipe
from engine.classifiers.multi_task import MultiTaskRecipe
from engine.classifiers.oracle import OracleRecipe
from engine.datasets.collection import Collection
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
        stored = kept(where / ROWS, settings, "rows")
        rows = None if stored is None else [Measure.of_row(row) for row in stored]
        if rows is None and train:
            fabric = train_in(recipe, where, machine)
            recipe.net.load_state_dict({k.removeprefix("net."): v for k, v in best_weights(where).items()})
            net, test = recipe.net.eval(), collection.split("test")
            threshold = operating_point(net, recipe.pictures, fabric.device)
            rows, _, _ = region_rows(net, recipe.pictures, test, fabric.device, threshold, collection.findings[0])
            keep(where / ROWS, settings, "rows", [row.row() for row in rows])
        if rows is not None:
            found[name] = rows
    return found


def _settings(recipe: RegionRecipe, preset: Preset, seed: int) -> dict:
    """What two trainings must share to have the same measures, ready for JSON."""
    test, collection = recipe.collection.split("test"), recipe.collection
    parts = (collection.labels[test], collection.patients[test])
    return json.loads(
        json.dumps(asdict(preset) | {"seed": seed, "test": digest(*parts), "options": dict(collection.options)})
    )
