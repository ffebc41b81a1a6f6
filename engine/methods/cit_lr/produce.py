"""From a training job to a generator's checkpoint with a complete card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from engine.checkpoints.card import placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.methods.cit_lr.diffusion import Diffusion
from engine.methods.cit_lr.evaluate import evaluate, quality
from engine.methods.cit_lr.generator import DiffusionInterventions
from engine.methods.cit_lr.network import Architecture, Networks
from engine.methods.cit_lr.sampling import Sampler
from engine.methods.cit_lr.train import PHASES, DenoiserPhase
from engine.methods.cit_lr.training_data import Preset, TrainingData, latents_of
from engine.networks.precision import fast_autocast
from engine.preprocessing import Preprocessing
from engine.training.job import TrainingJob
from engine.training.pipeline import PhasedPipeline, run_pipeline

INTENDED = (
    "Research and teaching: to make a picture of the same patient with another {attributes}, and to test whether a "
    "model's answer changes with it. Not for diagnosis. The pictures made show no real person. What goes together "
    "with an attribute in the training pictures may change with it in the counterfactuals. The measures below say how "
    "far they can be trusted. The bias report gives no verdict where they cannot."
)
GUIDANCES = (1.0, 2.0, 3.0, 4.5, 6.5, 9.0, 13.0, 18.0)
HALVINGS = 2  # of the span between the first of these that convinces and the one before
# Effectiveness above which no stronger guidance is tried: the oracle classifier scores exact pictures no higher, and
# findings fade
CONVINCING = 0.90
# Validation pictures that a guidance is chosen on; of 64 the rarer value had twenty, and chance asked for too much
TRIED = 128
MEASURED = 200  # test pictures that the card's measures rest on


class CitLrPipeline(PhasedPipeline):
    """The generator's phases, one after the other; the guidance is chosen before the perturbation is learned."""

    name = "cit_lr"
    has_detector = False
    nets: Networks
    phases = tuple(PHASES)

    def __init__(self, job: TrainingJob):
        super().__init__(job)
        if self.preset.batch % (2 * job.machine.devices):
            raise ValueError(
                f"batches of {self.preset.batch} and half as many cannot be shared by {job.machine.devices} devices."
            )

    def prepare(self) -> None:
        job, preset = self.job, self.preset
        self.data = TrainingData(job.collection, preset)
        torch.manual_seed(job.seed)
        self.nets = Networks(
            preset.architecture, self.data.attributes, job.collection.findings, preset.perturbation_scale
        ).to(memory_format=torch.channels_last)
        if job.start_from:
            _start_from(self.nets, open_checkpoint(job.start_from))

    def fit(self, fabric: Fabric) -> None:
        job, nets = self.job, self.nets
        for name, phase in PHASES.items():
            if name == "disentangler":
                nets.guidance = _guidance(nets, self.data, self.preset, fabric.device)
            recipe = phase(self.data, self.preset, nets, job.seed)
            recipe.part.load_state_dict(self.learn(name, recipe, fabric))
            if isinstance(recipe, DenoiserPhase):
                nets.denoiser.load_state_dict(recipe.average.state_dict())
            getattr(nets, "perturbation" if name == "disentangler" else name).eval().requires_grad_(False)

    def configuration(self) -> dict[str, Any]:
        attributes = {name: list(values) for name, values in self.data.attributes.items()}
        return {
            "attributes": attributes,
            "diffusion": asdict(self.preset.diffusion),
            "perturbation_scale": self.preset.perturbation_scale,
            "guidance": dict(zip(attributes, self.nets.guidance)),
            "quality": {},
        }

    def _test(self) -> np.ndarray:
        test = self.job.collection.split("test")
        return np.sort(np.random.default_rng(self.job.seed).permutation(test)[:MEASURED])

    def calibrated(self, model: DiffusionInterventions) -> dict[str, Any]:
        self._quality = quality(model, self.job.collection, self._test())
        return {"quality": {name: [row.row() for row in rows] for name, rows in self._quality.items()}}

    def measured(self, model: DiffusionInterventions):
        return *evaluate(model, self.job.collection, self._test(), self._quality), []

    def intended(self) -> str:
        return INTENDED.format(attributes=" or ".join(name.replace("_", " ") for name in self.data.attributes))

    def remarks(self) -> Sequence[str]:
        guided = zip(self.data.attributes, self.nets.guidance, strict=True)
        strengths = ", ".join(f"{name.replace('_', ' ')} {w:g}" for name, w in guided)
        return [
            f"Of {len(self._test())} test pictures; guidance {strengths}, {self.preset.num_steps} DDIM steps over "
            f"{self.preset.strength:.0%} of the noise schedule."
        ]


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training) the phases, measure on test, save.

    Returns:
        the checkpoint; None in all but the first of several processes.

    Raises:
        ValueError: guidance is asked for, which a generator does not have, or a collection without attributes.
    """
    return run_pipeline(CitLrPipeline(job))


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
    own_weights = nets.state_dict()
    other = [k for k, v in wanted.items() if k not in own_weights or own_weights[k].shape != v.shape]
    if other:
        raise ValueError(
            f"{checkpoint.name} has networks of other sizes ({other[0]} among them); begin with one of the same sizes."
        )
    nets.load_state_dict(own_weights | wanted)


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
            with torch.no_grad(), fast_autocast(device):
                edited = sampler.picture_of(sampler.noise_of(z, codes, k), wanted, k)
            logits, _ = nets.oracle(x + nets.autoencoder.decode(edited) - base)
            right = logits[k].argmax(1) == wanted[:, k]
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
        return max(tried, key=lambda guidance: tried[guidance])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if convinced(middle) >= CONVINCING else (middle, high)
    return high


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
