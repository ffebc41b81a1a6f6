"""From a training job to a generator's checkpoint with a complete card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from engine.checkpoints.card import card, metrics_of, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.methods.cit_lr.diffusion import Diffusion
from engine.methods.cit_lr.evaluate import evaluate, quality
from engine.methods.cit_lr.generator import DiffusionInterventions
from engine.methods.cit_lr.network import Architecture, Networks
from engine.methods.cit_lr.sampling import Sampler
from engine.methods.cit_lr.train import PHASES, DenoiserPhase
from engine.methods.cit_lr.training_data import PRESETS, Preset, TrainingData, latents_of
from engine.networks.precision import swift
from engine.preprocessing import Preprocessing
from engine.training.job import TrainingJob, data_facts, hardware
from engine.training.loop import best_weights, facts_of, run
from engine.training.presets import with_changes

INTENDED = (
    "Research and teaching: to show the same patient under another {attributes}, so that a model can be asked whether "
    "its answer would change. Not for diagnosis, and no picture of anybody. What comes along with an attribute in the "
    "training pictures may come along in its counterfactuals; the measures below say how far they can be trusted, and "
    "the bias report gives no verdict where they cannot."
)
GUIDANCES = (1.0, 2.0, 3.0, 4.5, 6.5, 9.0, 13.0, 18.0)
HALVINGS = 2  # of the span between the first of these that convinces and the one before
# Effectiveness above which no stronger guidance is tried: the oracle classifier scores exact pictures no higher, and
# findings fade
CONVINCING = 0.90
# Validation pictures that a guidance is chosen on; of 64 the rarer value had twenty, and chance asked for too much
TRIED = 128
MEASURED = 200  # test pictures that the card's measures rest on


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training) the phases, measure on test, save.

    Returns:
        the checkpoint; None in all but the first of several processes.

    Raises:
        ValueError: guidance is asked for, which a generator does not have, or a collection without attributes.
    """
    if job.guidance is not None:
        raise ValueError("CIT-LR is trained without guidance; leave --guidance out.")
    preset = with_changes(PRESETS[job.preset], job.changes)
    if preset.batch % (2 * job.machine.devices):
        raise ValueError(
            f"batches of {preset.batch} and half as many cannot be shared by {job.machine.devices} devices."
        )
    training_data = TrainingData(job.collection, preset)
    torch.manual_seed(job.seed)
    nets = Networks(
        preset.architecture, training_data.attributes, job.collection.findings, preset.perturbation_scale
    ).to(memory_format=torch.channels_last)
    if job.start_from:
        _start_from(nets, open_checkpoint(job.start_from))
    fabric = job.machine.fabric(job.run_folder)
    fabric.launch()
    for name, phase in PHASES.items():
        if name == "disentangler":
            nets.guidance = _guidance(nets, training_data, preset, fabric.device)
        recipe = phase(training_data, preset, nets, job.seed)
        run(recipe, job.run_folder / name, fabric, resume=job.resume)
        recipe.part.load_state_dict(best_weights(job.run_folder / name))
        if isinstance(recipe, DenoiserPhase):
            nets.denoiser.load_state_dict(recipe.average.state_dict())
        getattr(nets, "perturbation" if name == "disentangler" else name).eval().requires_grad_(False)
    return _saved(job, preset, training_data, nets, fabric) if fabric.is_global_zero else None


def _start_from(nets: Networks, checkpoint: Checkpoint) -> None:
    """Begin with another generator's autoencoder and denoiser; what its attributes were called is learned anew.

    Raises:
        ValueError: it is no generator, or its networks have other sizes.
    """
    if checkpoint.method != "cit_lr":
        raise ValueError(f"{checkpoint.name} is a checkpoint of {checkpoint.method}; CIT-LR begins with one of cit_lr.")
    learned_anew = "denoiser.net.class_embedding."
    wanted = {
        k: v
        for k, v in checkpoint.weights().items()
        if k.startswith(("autoencoder.", "denoiser.net.")) and not k.startswith(learned_anew)
    }
    mine = nets.state_dict()
    other = [k for k, v in wanted.items() if k not in mine or mine[k].shape != v.shape]
    if other:
        raise ValueError(
            f"{checkpoint.name} has networks of other sizes ({other[0]} among them); begin with one of the same sizes."
        )
    nets.load_state_dict(mine | wanted)


def _guidance(nets: Networks, training_data: TrainingData, preset: Preset, device: torch.device) -> tuple[float, ...]:
    """For each attribute the weakest guidance under which the oracle classifier takes nearly all counterfactuals of
    validation pictures for what they are to be, whichever value that is, or the one that convinces it most; that of the
    preset where it has one.
    """
    if preset.guidance:
        return (preset.guidance,) * len(training_data.attributes)
    chosen = np.random.default_rng(0).permutation(training_data.parts["validation"])[:TRIED]
    z = latents_of(nets, training_data.films, chosen, device).to(device)
    x, codes = training_data.films.batch(chosen).to(device), torch.from_numpy(training_data.codes[chosen]).to(device)
    base, sampler, found = nets.autoencoder.decode(z), Sampler(nets, preset.diffusion), []
    for k, values in enumerate(training_data.attributes.values()):
        wanted, known = codes.clone(), codes[:, k] >= 0
        wanted[:, k] = torch.where(known, (codes[:, k] + 1) % len(values), -1)

        def convinced(guidance, k=k, wanted=wanted, known=known) -> float:
            nets.guidance = (guidance,) * len(training_data.attributes)
            with torch.no_grad(), swift(device):
                edited = sampler.picture_of(sampler.noise_of(z, codes, k), wanted, k)
            said, _ = nets.oracle(x + nets.autoencoder.decode(edited) - base)
            right = said[k].argmax(1) == wanted[:, k]
            return min(
                (float(right[wanted[:, k] == value].float().mean()) for value in wanted[known, k].unique()), default=0.0
            )

        found.append(weakest(convinced))
    return tuple(found)


def weakest(convinced: Callable[[float], float]) -> float:
    """The weakest guidance that convinces, or the one that convinces most.

    Args:
        convinced: guidance -> the share of pictures that convince, which rises with guidance before it falls again.
    """
    tried: dict[float, float] = {}
    for low, high in pairwise((0.0, *GUIDANCES)):  # noqa: B007 - asked for below
        tried[high] = convinced(high)
        if tried[high] >= CONVINCING:
            break
    else:
        return max(tried, key=tried.get)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if convinced(middle) >= CONVINCING else (middle, high)
    return high


def _saved(job: TrainingJob, preset: Preset, training_data: TrainingData, nets: Networks, fabric) -> Checkpoint:
    collection, attributes = job.collection, {name: list(values) for name, values in training_data.attributes.items()}
    config = {
        "findings": list(collection.findings),
        "thresholds": dict.fromkeys(collection.findings, 0.5),
        "network": asdict(preset.architecture),
        "preprocessing": asdict(training_data.films.preprocessing),
        "attributes": attributes,
        "diffusion": asdict(preset.diffusion),
        "perturbation_scale": preset.perturbation_scale,
        "guidance": dict(zip(attributes, nets.guidance)),
        "quality": {},
        "training": {k: v for k, v in asdict(preset).items() if k != "architecture"} | {"seed": job.seed},
        "data": data_facts(collection),
    }
    weights = nets.state_dict()
    draft = save_checkpoint(
        job.run_folder / "draft", method="cit_lr", config=config, weights=weights, card=placeholder_card(), half=True
    )
    generator = DiffusionInterventions(draft, "cuda" if fabric.device.type == "cuda" else "cpu")
    test = np.random.default_rng(job.seed).permutation(collection.split("test"))[:MEASURED]
    found = quality(generator, collection, np.sort(test))
    config["quality"] = {name: [row.row() for row in rows] for name, rows in found.items()}
    rows, remarks = evaluate(generator, collection, np.sort(test), found)
    facts = {name: facts_of(job.run_folder / name) for name in PHASES}
    spent = ", ".join(
        f"{name} {fact['seconds'] / 60:.0f} minutes for {fact['step']} steps" for name, fact in facts.items()
    )
    strengths = ", ".join(f"{name.replace('_', ' ')} {w:g}" for name, w in zip(attributes, nets.guidance))
    how = (
        f"Of {len(test)} test pictures; guidance {strengths}, {preset.num_steps} DDIM steps over {preset.strength:.0%} "
        "of the noise schedule."
    )
    measured = metrics_of(collection, rows, [*remarks, how], [])
    text = card(
        title=f"{job.name}: CIT-LR on {collection.name}",
        intended=INTENDED.format(attributes=" or ".join(name.replace("_", " ") for name in attributes)),
        terms=job.terms,
        collection=collection,
        seed=job.seed,
        guidance="none",
        command=job.command,
        hardware=f"{hardware(job.machine, fabric.device.type)}; {spent}.",
        metrics=measured,
    )
    return save_checkpoint(
        job.destination / job.name,
        method="cit_lr",
        config=config,
        weights=weights,
        card=text,
        metrics=measured,
        half=True,
    )


def tiny(folder: Path, seed: int = 0) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    attributes, findings = {"sex": ["F", "M"], "view_position": ["AP", "PA"]}, ["Effusion"]
    architecture = Architecture(size=32, encoder_width=8, latent=2, width=24, perturbation_width=4, oracle_width=4)
    torch.manual_seed(seed)
    nets = Networks(architecture, attributes, findings, 0.02)
    return save_checkpoint(
        folder,
        method="cit_lr",
        config={
            "findings": findings,
            "thresholds": dict.fromkeys(findings, 0.5),
            "network": asdict(architecture),
            "preprocessing": asdict(Preprocessing(architecture.size)),
            "attributes": attributes,
            "diffusion": asdict(Diffusion(num_steps=3)),
            "perturbation_scale": 0.02,
            "guidance": dict.fromkeys(attributes, 1.0),
            "quality": {},
            "data": {"collection": "phantom", "kind": "radiograph"},
        },
        weights=nets.state_dict(),
        card=placeholder_card(),
    )
