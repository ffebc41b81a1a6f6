"""The classifiers that Fontanella et al. 2023 compare ACAT with, trained alike: on the same scans and the same saliency
maps, for as many steps, from the same baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.classifiers.finished import digest, keep, kept
from engine.classifiers.hsm import HSM
from engine.classifiers.salclassnet import SalClassNet
from engine.classifiers.self_attention import SelfAttentionClassifier
from engine.classifiers.smic import SMIC
from engine.classifiers.spatial_attention import SpatialAttention
from engine.classifiers.steered import SteeredClassifier
from engine.classifiers.vit import ViT
from engine.datasets.collection import Collection
from engine.methods.acat.calls import calls
from engine.methods.acat.maps import identity, saliency_in
from engine.methods.acat.train import Architecture, AttentionPhase, BaselinePhase, Networks, Preset, TrainingData
from engine.metrics.measure import Measure, collected
from engine.networks.fused import fused
from engine.training.loop import BEST, Machine, best_weights, train_in

TRAINED_ON = "baseline, trained on as long"  # what further training alone brings
STEERED: Mapping[str, tuple[str, type[SteeredClassifier]]] = {  # as a reader sees it -> its folder and its network
    TRAINED_ON: ("baseline", SteeredClassifier),
    "SMIC": ("smic", SMIC),
    "SalClassNet": ("salclassnet", SalClassNet),
    "HSM": ("hsm", HSM),
    "SpAtt": ("spatial-attention", SpatialAttention),
    "SeAtt": ("self-attention", SelfAttentionClassifier),
}
VIT = "ViT"
NAMES = (*STEERED, VIT)
SCORES = "scores.json"
BATCH = 32  # scans that are called at once


@dataclass(frozen=True)
class Start:
    """What competitors begin with.

    Attributes:
        preset: of the ACAT that they are compared with; its architecture is suited to the collection.
        nets: of that ACAT; `baseline` and `autoencoder` count.
        run_folder: of its training, where its saliency maps are, or will be.
        seed: of its training, and of theirs.
    """

    collection: Collection
    preset: Preset
    nets: Networks
    run_folder: Path
    seed: int
    device: str = "cpu"

    @cached_property
    def identity(self) -> str:
        """Of the networks and the search that the maps come from."""
        return identity(self.preset.search, self.nets.baseline, self.nets.autoencoder)

    @cached_property
    def data(self) -> TrainingData:
        return TrainingData(self.collection, self.preset)

    @cached_property
    def tested(self) -> np.ndarray:
        """The scans of the test part whose class is known."""
        test = self.collection.split("test")
        return test[self.data.targets[test] >= 0]

    @cached_property
    def saliency(self) -> dict[int, np.ndarray]:
        """Maps (S, H, W) uint8 of every scan, from the baseline's counterfactuals."""
        nets, search, maps = fused(self.nets.to(self.device)), self.preset.search, {}
        learned = np.concatenate([self.data.parts[part] for part in ("train", "validation")])
        own = self.run_folder / f"saliency-{self.identity}"  # where ACAT's training keeps those that it learned from
        for folder, indices in ((own, learned), (own / "test", self.tested)):
            found, _ = saliency_in(
                folder, indices, self.data.films.batch, nets.baseline, nets.autoencoder, search, self.device
            )
            maps |= found
        return maps


def starting_networks(architecture: Architecture, run_folder: Path, weights: Callable[[], Mapping]) -> Networks:
    """Baseline and autoencoder as ACAT's training left them in its folder; of its checkpoint, in half precision, where
    that is gone.

    Args:
        weights: gives those of the checkpoint.
    """
    nets = Networks(architecture)
    if all((run_folder / part / BEST).is_file() for part in ("baseline", "autoencoder")):
        nets.baseline.load_state_dict(best_weights(run_folder / "baseline"))
        nets.autoencoder.load_state_dict(best_weights(run_folder / "autoencoder"))
    else:
        nets.load_state_dict(weights())
    return nets.eval().requires_grad_(False)


class CompetitorPhase(AttentionPhase):
    """Fine-tuning of one competitor, as ACAT is fine-tuned; a vision transformer, which has nothing to start from, gets
    the steps of the baseline's training as well, at the rate of fine-tuning, which it bears.
    """

    def __init__(self, name: str, start: Start):
        torch.manual_seed(start.seed)
        self.name, preset, architecture = name, start.preset, start.preset.architecture
        saliency: Mapping[int, np.ndarray] = {}
        if name == VIT:
            net: nn.Module = ViT(architecture.size, architecture.width, architecture.classes, architecture.half_brain)
            preset = replace(preset, attention_steps=preset.baseline_steps + preset.attention_steps)
            self.reads_saliency = False
        else:
            net = STEERED[name][1](**architecture.classifier)
            net.start_from(start.nets.baseline)
            self.reads_saliency = net.reads_saliency
            saliency = start.saliency if net.reads_saliency else {}
        self.started = start.identity
        super().__init__(start.data, preset, net, deepcopy(net), saliency, start.seed)

    def settings(self) -> dict:
        return super().settings() | {"network": self.name, "start": self.started}

    def inputs(self, chosen: np.ndarray) -> list[Tensor]:
        return super().inputs(chosen) if self.reads_saliency else BaselinePhase.inputs(self, chosen)


def measured(
    names: Sequence[str], start: Start, folder: Path, machine: Machine, train: bool
) -> dict[str, list[Measure]]:
    """Measures on the test part by name, of those of `names` that are trained or may be.

    Args:
        folder: where trainings and scores are kept, one folder a competitor.
        train: whether to train, or go on with a stopped training, what is missing.
    """
    found = {}
    for name in names:
        where = folder / ("vit" if name == VIT else STEERED[name][0])
        settings = _settings(name, start)
        stored = kept(where / SCORES, settings, "classes")
        classes = None if stored is None else np.array(stored, np.float32)
        if classes is None and train:
            phase = CompetitorPhase(name, start)
            fabric = train_in(phase, where, machine)
            phase.average.load_state_dict(best_weights(where))
            classes = scores(phase, start.tested, fabric.device).round(6)
            keep(where / SCORES, settings, "classes", classes.tolist())
        if classes is not None:
            rows, collect, _ = collected()
            calls(collect, classes, start.data.targets[start.tested], start.collection, start.tested)
            found[name] = rows
    return found


@torch.no_grad()
def scores(phase: CompetitorPhase, indices: np.ndarray, device: torch.device | str) -> np.ndarray:
    """Probabilities of every class, (n, K) float32, by the running average of the weights."""
    net, found = phase.average.to(device).eval(), []
    for start in range(0, len(indices), BATCH):
        inputs = (part.to(device) for part in phase.inputs(indices[start : start + BATCH]))
        found.append(net(*inputs).float().exp().cpu().numpy())
    return np.concatenate(found)


def _settings(name: str, start: Start) -> dict:
    """What two trainings must share to have the same scores, ready for JSON."""
    tested, collection, preset = start.tested, start.collection, start.preset
    parts = (start.data.targets[tested], collection.patients[tested])
    described = repr(preset)  # every setting, in the order of the class
    return {"network": name, "preset": described, "seed": start.seed, "start": start.identity, "test": digest(*parts)}
