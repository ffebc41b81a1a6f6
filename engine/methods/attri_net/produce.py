"""From a training job to a checkpoint with a complete card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from engine.checkpoints.card import card, chest_subgroups, metrics_of, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.explanation import fitting_change_limit
from engine.methods.attri_net.evaluate import look, measures
from engine.methods.attri_net.explain import AttriNetModel
from engine.methods.attri_net.network import Architecture, AttriNet
from engine.methods.attri_net.train import PRESETS, AttriNetRecipe
from engine.metrics.classification import youden_threshold
from engine.ood import ENOUGH, OutOfDistributionDetector
from engine.preprocessing import Preprocessing
from engine.training.job import TrainingJob, data_facts, hardware, starting_weights, taught_words
from engine.training.loop import best_weights, facts_of, run
from engine.training.presets import with_changes

FAINTEST_SCALE = 0.01  # log-odds per cell: evidence below that moves no call, and a scale that fits it would shout
INTENDED = (
    "Research and teaching: to see what an inherently interpretable classifier looks at. Not for diagnosis. It knows "
    "its findings only, on frontal chest radiographs like those it was trained on; scans unlike them are marked as "
    "such. A counterfactual shows what would change this model's mind, not what the patient would look like in health."
)


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), choose operating points on validation, measure on test, save.

    Returns:
        the checkpoint; None in all but the first of several processes, which have nothing left to do after training.
    """
    preset = with_changes(PRESETS[job.preset], job.changes)
    if preset.pairs % job.machine.devices:
        raise ValueError(
            f"{preset.pairs} pairs a batch cannot be shared by {job.machine.devices} devices; set pairs to a multiple."
        )
    recipe = AttriNetRecipe(job.collection, preset, job.guidance, job.seed, job.compiled, job.pairs)
    if job.start_from:
        recipe.start_from(starting_weights(job))
    fabric = job.machine.fabric(job.run_folder)
    fabric.launch()
    run(recipe, job.run_folder, fabric, resume=job.resume)
    if not fabric.is_global_zero:
        return None
    net = {k: v for k, v in best_weights(job.run_folder).items() if k.startswith("net.")}
    collection, facts = job.collection, facts_of(job.run_folder)
    detector = OutOfDistributionDetector.of(
        *(_pictures(recipe, collection.split(part)[:ENOUGH]) for part in ("train", "validation"))
    )
    config = {
        "findings": list(collection.findings),
        "network": asdict(preset.architecture),
        "preprocessing": asdict(recipe.films.preprocessing),
        "training": {k: v for k, v in asdict(preset).items() if k != "architecture"}
        | {"steps_done": facts["step"], "seed": job.seed},
        "data": data_facts(collection, job.pairs, guidance=job.guidance_words),
        "thresholds": dict.fromkeys(collection.findings, 0.5),
        "scales": dict.fromkeys(collection.findings, 1.0),
    }
    weights = net | {k: torch.as_tensor(v) for k, v in detector.tensors().items()}
    draft = save_checkpoint(
        job.run_folder / "draft", method="attri_net", config=config, weights=weights, card=placeholder_card(), half=True
    )
    model = AttriNetModel(draft, "cuda" if fabric.device.type == "cuda" else "cpu")
    config |= _operating_points(model, collection)
    model.thresholds = np.array(list(config["thresholds"].values()), np.float32)
    test = collection.split("test")
    seen = look(model, collection, test)
    rows, remarks = measures(model, collection, test, seen)
    found = metrics_of(collection, rows, remarks, chest_subgroups(collection, test, seen.probabilities))
    text = card(
        title=f"{job.name}: Attri-Net on {collection.name}",
        intended=INTENDED,
        terms=job.terms + taught_words(job.pairs),
        collection=collection,
        seed=job.seed,
        guidance=job.guidance_words,
        command=job.command,
        hardware=f"{hardware(job.machine, fabric.device.type)}; {facts['seconds'] / 60:.0f} minutes for "
        f"{facts['step']} steps, the kept weights are those of step {facts['best']['step']}.",
        metrics=found,
    )
    return save_checkpoint(
        job.destination / job.name,
        method="attri_net",
        config=config,
        weights=weights,
        card=text,
        metrics=found,
        half=True,
    )


def _pictures(recipe: AttriNetRecipe, indices: np.ndarray) -> np.ndarray:
    return recipe.films.batch(indices)[:, 0].numpy()


def _operating_points(model: AttriNetModel, collection) -> dict:
    """Thresholds by Youden's index (3.7), one colour scale a finding and one for changes, from validation."""
    chosen = collection.split("validation")
    seen, labels = look(model, collection, chosen), collection.labels[chosen]
    thresholds, scales = {}, {}
    for c, finding in enumerate(collection.findings):
        known = ~np.isnan(labels[:, c])
        thresholds[finding] = round(
            float(youden_threshold(labels[known, c], seen.probabilities[known, c], finding=finding)), 6
        )
        positive = np.abs(seen.weighted[labels[:, c] == 1, c].astype(np.float32))
        scales[finding] = float(f"{max(np.quantile(positive, 0.995), FAINTEST_SCALE):.2g}")
    return {
        "thresholds": thresholds,
        "scales": scales,
        "change_limit": fitting_change_limit(seen.maps, 2 * model.preprocessing.value_range),
    }


def tiny(folder: Path, findings: tuple[str, ...] = ("Atelectasis", "Cardiomegaly"), seed: int = 0) -> Checkpoint:
    """A small Attri-Net with random weights, for tests."""
    torch.manual_seed(seed)
    architecture = Architecture(size=32, width=4, residual_blocks=1, critic_layers=4, pool=8, code_repeat=4)
    net = AttriNet(findings, architecture)
    torch.nn.init.normal_(net.generator.last.weight, std=0.05)
    torch.nn.init.normal_(net.classifiers.weight)
    torch.nn.init.normal_(net.centres.value, std=0.1)
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, 32, 32)).astype(np.float32)
    detector = OutOfDistributionDetector.of(pictures[:30], pictures[30:])
    return save_checkpoint(
        folder,
        method="attri_net",
        config={
            "findings": list(findings),
            "network": asdict(architecture),
            "preprocessing": asdict(Preprocessing(32)),
            "data": {"collection": "phantom", "kind": "radiograph", "guidance": "none"},
            "thresholds": dict.fromkeys(findings, 0.5),
            "scales": dict.fromkeys(findings, 0.2),
        },
        weights={f"net.{k}": v for k, v in net.state_dict().items()}
        | {k: torch.as_tensor(v) for k, v in detector.tensors().items()},
        card=placeholder_card(),
    )
