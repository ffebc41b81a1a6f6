"""From a training job to a checkpoint of a discrepancy map with a complete card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from engine.checkpoints.card import card, chest_subgroups, metrics_of, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.explanation import fitting_change_limit
from engine.methods.map_translation.evaluate import fixed_cut, look, measures
from engine.methods.map_translation.train import FAINTEST
from engine.metrics.classification import youden_threshold
from engine.ood import ENOUGH, OutOfDistributionDetector
from engine.preprocessing import Preprocessing
from engine.registry import Method
from engine.training.job import TrainingJob, data_facts, hardware, starting_weights, taught_words
from engine.training.loop import best_weights, facts_of, run
from engine.training.presets import with_changes

INTENDED = (
    "Research and teaching: to see what a picture would look like {instead}, and every pixel of the difference. Not "
    "for diagnosis. It was shown two piles of pictures, {piles}, and whatever else sets the piles apart is part of "
    "its map. Its probability is a function of how much it would change, nothing more."
)


def produce(job: TrainingJob, method: Method, presets: Mapping, recipe_of: Callable) -> Checkpoint | None:
    """Train (or go on training), fit the probability on validation, measure on test, save.

    Args:
        presets: of the method, by name.
        recipe_of: (collection, preset, seed), and `pairs=` where there are some -> `DiscrepancyRecipe`.

    Returns:
        the checkpoint; None in all but the first of several processes.

    Raises:
        ValueError: guidance is asked for, which these methods do not have, or settings or a start that do not fit.
    """
    if job.guidance is not None:
        raise ValueError(f"{method.title} is trained without guidance; leave --guidance out.")
    preset = with_changes(presets[job.preset], job.changes)
    if preset.pairs % job.machine.devices:
        raise ValueError(
            f"{preset.pairs} pairs a batch cannot be shared by {job.machine.devices} devices; set pairs to a multiple."
        )
    recipe = recipe_of(job.collection, preset, job.seed, **({} if job.pairs is None else {"pairs": job.pairs}))
    if job.start_from:
        recipe.start_from(starting_weights(job))
    fabric = job.machine.fabric(job.run_folder)
    fabric.launch()
    run(recipe, job.run_folder, fabric, resume=job.resume)
    if not fabric.is_global_zero:
        return None
    collection, facts, finding = job.collection, facts_of(job.run_folder), job.collection.findings[0]
    pictures = {
        part: recipe.films.batch(collection.split(part)[:ENOUGH])[:, 0].numpy() for part in ("train", "validation")
    }
    detector = OutOfDistributionDetector.of(pictures["train"], pictures["validation"])
    config = {
        "findings": [finding],
        "contrast_class": recipe.contrast_class,
        "network": asdict(preset.architecture),
        "preprocessing": asdict(recipe.films.preprocessing),
        "training": {k: v for k, v in asdict(preset).items() if k != "architecture"}
        | {"steps_done": facts["step"], "seed": job.seed},
        "data": data_facts(collection, job.pairs, guidance="none"),
        "calibration": {"slope": 1.0, "middle": 0.0},
        "crop": collection.crop,
        "cut": 0.1,
        "thresholds": {finding: 0.5},
        "scales": {finding: 1.0},
    }
    weights = {k: v for k, v in best_weights(job.run_folder).items() if k.startswith("net.")}
    weights = weights | {k: torch.as_tensor(v) for k, v in detector.tensors().items()}
    draft = save_checkpoint(
        job.run_folder / "draft", method=method.name, config=config, weights=weights, card=placeholder_card(), half=True
    )
    model = method.open(draft, "cuda" if fabric.device.type == "cuda" else "cpu")
    config |= _fitted(model, collection)
    model.slope, model.middle = config["calibration"]["slope"], config["calibration"]["middle"]
    model.cut = config["cut"]
    model.thresholds = np.array([config["thresholds"][finding]], np.float32)
    test = collection.split("test")
    seen = look(model, collection, test)
    rows, remarks = measures(model, collection, test, seen)
    found = metrics_of(collection, rows, remarks, chest_subgroups(collection, test, seen.probabilities[:, None]))
    text = card(
        title=f"{job.name}: {method.title} on {collection.name}",
        intended=intended(finding, recipe.contrast_class),
        terms=job.terms + taught_words(job.pairs),
        collection=collection,
        seed=job.seed,
        guidance="none",
        command=job.command,
        hardware=f"{hardware(job.machine, fabric.device.type)}; {facts['seconds'] / 60:.0f} minutes for "
        f"{facts['step']} steps, the kept weights are those of step {facts['best']['step']}.",
        metrics=found,
    )
    return save_checkpoint(
        job.destination / job.name,
        method=method.name,
        config=config,
        weights=weights,
        card=text,
        metrics=found,
        half=True,
    )


def intended(finding: str, contrast_class: str | None) -> str:
    """What a checkpoint for `finding` is for, in a card's words; `contrast_class` as in `DiscrepancyModel`."""
    if contrast_class is None:
        return INTENDED.format(instead=f"without {finding.lower()}", piles="with and without the finding")
    disease, other = finding.lower(), contrast_class.lower()
    piles = f"{disease} and {other} (none with neither)"
    return INTENDED.format(instead=f"with {other} instead of {disease}", piles=piles)


def _fitted(model, collection) -> dict:
    """From validation: the probability's logistic function, the operating point by Youden's index, and one
    colour scale.
    """
    chosen, finding = collection.split("validation"), collection.findings[0]
    chosen = chosen[~np.isnan(collection.labels[chosen, 0])]
    seen, labels = look(model, collection, chosen), collection.labels[chosen, 0]
    logs = np.log(seen.sizes.astype(np.float64) + FAINTEST)
    fit = LogisticRegression().fit((logs - logs.mean())[:, None] / max(logs.std(), 1e-6), labels)
    slope = max(float(fit.coef_[0, 0] / max(logs.std(), 1e-6)), 1e-3)  # a larger map never speaks against the finding
    middle = float(logs.mean() - fit.intercept_[0] / slope)
    probabilities = 1 / (1 + np.exp(-slope * (logs - middle)))
    strength = np.abs(seen.maps[labels == 1].astype(np.float32))
    limit = max(float(np.quantile(strength, 0.995)), 1e-6) / (2 * model.preprocessing.value_range)
    return {
        "calibration": {"slope": round(slope, 6), "middle": round(middle, 6)},
        "cut": fixed_cut(collection, chosen[labels == 1], strength),
        "thresholds": {finding: round(float(youden_threshold(labels, probabilities, finding=finding)), 6)},
        "scales": {finding: float(f"{limit:.2g}")},
        "change_limit": fitting_change_limit(seen.maps, 2 * model.preprocessing.value_range),
    }


def tiny(folder: Path, method: str, net: torch.nn.Module, finding: str = "Lesion", seed: int = 0) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (0.3 if parameter.ndim > 1 else 0.05))
    size = net.architecture.size
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, size, size)).astype(np.float32)
    detector = OutOfDistributionDetector.of(pictures[:30], pictures[30:])
    return save_checkpoint(
        folder,
        method=method,
        config={
            "findings": [finding],
            "network": asdict(net.architecture),
            "preprocessing": asdict(Preprocessing(size)),
            "data": {"collection": "vagan_synthetic", "kind": "unknown", "guidance": "none"},
            "calibration": {"slope": 1.0, "middle": -1.0},
            "crop": "whole",
            "cut": 0.1,
            "thresholds": {finding: 0.5},
            "scales": {finding: 0.2},
        },
        weights={f"net.{k}": v for k, v in net.state_dict().items()}
        | {k: torch.as_tensor(v) for k, v in detector.tensors().items()},
        card=placeholder_card(),
    )
