"""From a training job to a checkpoint of the supervised U-Net: train, fit the probabilities, measure, save."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from engine.checkpoints.card import card, chest_subgroups, metrics_of, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.datasets.collection import Collection
from engine.explanation import fitting_change_limit
from engine.methods.supervised.evaluate import evaluate, look
from engine.methods.supervised.explain import FAINTEST, SupervisedModel
from engine.methods.supervised.train import PRESETS, Architecture, SupervisedRecipe, SupervisedUNet
from engine.metrics.classification import youden_threshold
from engine.ood import ENOUGH, OutOfDistributionDetector
from engine.preprocessing import Preprocessing
from engine.registry import methods
from engine.training.job import TrainingJob, data_facts, hardware, starting_weights, taught_words
from engine.training.loop import best_weights, facts_of, run
from engine.training.presets import with_changes

INTENDED = (
    "Research and teaching: to see what a map is when the true counterfactual of every training picture is known, "
    "which no labelled collection offers. Not for diagnosis. Its probability is a function of how much it would "
    "change, nothing more."
)


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), fit the probabilities on validation, measure on test, save."""
    method = methods()["supervised"]
    if job.guidance is not None:
        raise ValueError(f"{method.title} is trained without guidance; leave --guidance out.")
    preset = with_changes(PRESETS[job.preset], job.changes)
    recipe = SupervisedRecipe(job.collection, preset, job.seed, job.pairs)
    if job.start_from:
        recipe.start_from(starting_weights(job))
    fabric = job.machine.fabric(job.run_folder)
    fabric.launch()
    run(recipe, job.run_folder, fabric, resume=job.resume)
    if not fabric.is_global_zero:
        return None
    collection, facts = job.collection, facts_of(job.run_folder)
    known = {
        part: recipe.films.batch(collection.split(part)[:ENOUGH])[:, 0].numpy() for part in ("train", "validation")
    }
    detector = OutOfDistributionDetector.of(known["train"], known["validation"])
    config = {
        "findings": list(collection.findings),
        "network": asdict(preset.architecture),
        "preprocessing": asdict(recipe.films.preprocessing),
        "training": {k: v for k, v in asdict(preset).items() if k != "architecture"}
        | {"steps_done": facts["step"], "seed": job.seed},
        "data": data_facts(collection, job.pairs, guidance="none"),
        "calibration": {finding: [1.0, 0.0] for finding in collection.findings},
        "thresholds": dict.fromkeys(collection.findings, 0.5),
        "scales": dict.fromkeys(collection.findings, 1.0),
    }
    weights = best_weights(job.run_folder) | {k: torch.as_tensor(v) for k, v in detector.tensors().items()}
    saved = {"method": method.name, "weights": weights, "half": True}
    draft = save_checkpoint(job.run_folder / "draft", config=config, card=placeholder_card(), **saved)
    model = method.open(draft, "cuda" if fabric.device.type == "cuda" else "cpu")
    config |= _fitted(model, collection)
    draft = save_checkpoint(job.run_folder / "draft", config=config, card=placeholder_card(), **saved)
    model, test = method.open(draft, model.device.type), collection.split("test")
    rows, remarks = evaluate(model, collection, test)
    found = metrics_of(collection, rows, remarks, chest_subgroups(collection, test, look(model, collection, test)[2]))
    text = card(
        title=f"{job.name}: {method.title} on {collection.name}",
        intended=INTENDED,
        terms=job.terms + taught_words(job.pairs),
        collection=collection,
        seed=job.seed,
        guidance="none",
        command=job.command,
        hardware=f"{hardware(job.machine, fabric.device.type)}; {facts['seconds'] / 60:.0f} minutes for "
        f"{facts['step']} steps, the kept weights are those of step {facts['best']['step']}.",
        metrics=found,
    )
    return save_checkpoint(job.destination / job.name, config=config, card=text, metrics=found, **saved)


def _fitted(model: SupervisedModel, collection: Collection) -> dict:
    """From validation: each finding's logistic function, operating point by Youden's index, and colour scale."""
    chosen = collection.split("validation")
    _, maps, _ = look(model, collection, chosen)
    sizes = np.sqrt((maps.astype(np.float32) ** 2).mean(axis=(2, 3)))
    calibration, thresholds, scales = {}, {}, {}
    for c, finding in enumerate(model.findings):
        labels = collection.labels[chosen, c]
        known = ~np.isnan(labels)
        logs = np.log(sizes[known, c].astype(np.float64) + FAINTEST)
        spread = max(float(logs.std()), 1e-6)
        fit = LogisticRegression().fit((logs - logs.mean())[:, None] / spread, labels[known])
        slope = max(float(fit.coef_[0, 0]) / spread, 1e-3)  # a larger map never speaks against the finding
        middle = float(logs.mean() - fit.intercept_[0] / slope)
        calibration[finding] = [round(slope, 6), round(middle, 6)]
        believed = 1 / (1 + np.exp(-slope * (logs - middle)))
        thresholds[finding] = round(float(youden_threshold(labels[known], believed, finding=finding)), 6)
        strength = np.abs(maps[labels == 1, c].astype(np.float32)) / (2 * model.preprocessing.value_range)
        scales[finding] = float(f"{max(float(np.quantile(strength, 0.995)), 1e-6):.2g}")
    limit = fitting_change_limit(maps, 2 * model.preprocessing.value_range)
    return {"calibration": calibration, "thresholds": thresholds, "scales": scales, "change_limit": limit}


def tiny(folder: Path, findings: tuple[str, ...] = ("Atelectasis", "Effusion"), seed: int = 0) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    torch.manual_seed(seed)
    net = SupervisedUNet(len(findings), Architecture(size=32, width=4, levels=2))
    torch.nn.init.normal_(net.last.weight, std=0.05)
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, 32, 32)).astype(np.float32)
    detector = OutOfDistributionDetector.of(pictures[:30], pictures[30:])
    config = {
        "findings": list(findings),
        "network": asdict(net.architecture),
        "preprocessing": asdict(Preprocessing(32)),
        "data": {"collection": "phantom", "kind": "radiograph", "guidance": "none"},
        "calibration": {finding: [1.0, -1.0] for finding in findings},
        "thresholds": dict.fromkeys(findings, 0.5),
        "scales": dict.fromkeys(findings, 0.2),
    }
    weights = {f"net.{k}": v for k, v in net.state_dict().items()} | {
        k: torch.as_tensor(v) for k, v in detector.tensors().items()
    }
    return save_checkpoint(folder, method="supervised", config=config, weights=weights, card=placeholder_card())
