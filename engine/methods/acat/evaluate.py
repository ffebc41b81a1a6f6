"""Everything that the paper reports of ACAT, on the scans of a collection (sections 4.3 to 4.6 and appendix H of
Fontanella et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.stroke_scans import StrokePhantom
from engine.methods.acat.calls import BASELINE, OURS, answers, calls, named, paired
from engine.methods.acat.counterfactual import NEGATIVE, POSITIVE, latent_counterfactuals, saliency
from engine.methods.acat.explain import ACATModel
from engine.methods.acat.train import targets
from engine.metrics.classification import share
from engine.metrics.evidence_on_body import evidence_on_body
from engine.metrics.hit_rate import hit_rate
from engine.metrics.intervals import mean_interval
from engine.metrics.measure import Measure, Sample, collected
from engine.metrics.overlap import by_area, dice, iou
from engine.metrics.preactivation_variance import preactivation_variance
from engine.metrics.recovery import recovery, restraint
from engine.metrics.within_strata import auc_within
from engine.networks.volume_films import slices_read

BATCH = 16
MOST_EXPLAINED = 300  # scans whose counterfactuals by ACAT itself, and true ones, are made
MOST_NOISED = 64  # scans that the variance of pre-activations is taken of
ARRIVED = 0.8  # of a target's probability, at which it counts as reached
CALLED = "as many voxels as the lesion has"
MACRO = "mean of lesion and background"


@dataclass(frozen=True)
class Looked:
    """What the networks of a checkpoint make of N scans.

    Attributes:
        classes: (2, N, K) float32, probabilities of baseline and ACAT.
        saliency: (N, S, H, W) float16, class-agnostic, from the baseline.
        changes: (2, N, S, H, W) float16, the baseline's negative and positive counterfactuals less the scan.
        reached: (2, N) of bool, the targets that the baseline's counterfactuals reached.
    """

    classes: np.ndarray
    saliency: np.ndarray
    changes: np.ndarray
    reached: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """(N,) ACAT's of the finding."""
        return 1 - self.classes[1, :, 0]

    @classmethod
    def of(cls, model: ACATModel, collection: Collection, indices: np.ndarray) -> Looked:
        found: list[tuple] = []
        for volume in _volumes(model, collection, indices):
            made = latent_counterfactuals(model.nets.baseline, model.nets.autoencoder, volume, model.search)
            steer = saliency(volume, made.pictures)
            with torch.no_grad():
                said = torch.stack([model.nets.baseline(volume).exp(), model.classes(volume, steer)])
            changes = made.pictures - volume
            found.append(tuple(t.cpu().numpy() for t in (said, steer.half(), changes.half(), made.reached)))
        said, maps, changes, reached = zip(*found, strict=True)
        return cls(*(np.concatenate(p, a) for p, a in ((said, 1), (maps, 0), (changes, 1), (reached, 1))))


def _volumes(model: ACATModel, collection: Collection, indices: np.ndarray) -> Iterable[Tensor]:
    """(B, S, H, W) on the model's device, in batches."""
    for start in range(0, len(indices), BATCH):
        count = slices_read(collection, model.slices)
        seen = [
            model.preprocessing.apply_volume(collection.image(int(i)), count) for i in indices[start : start + BATCH]
        ]
        yield torch.from_numpy(np.stack(seen)).to(model.device)


def evaluate(model: ACATModel, collection: Collection, indices: np.ndarray) -> tuple[list[Measure], list[str]]:
    """Calls of baseline and ACAT, where their maps lie, what their counterfactuals change, and how far noise reaches.

    Raises:
        ValueError: a collection of other classes.
    """
    known = targets(collection)[indices]
    indices, known = indices[known >= 0], known[known >= 0]
    looked = Looked.of(model, collection, indices)
    rows, measured, remarks = collected()
    finding, groups = model.findings[0], collection.patients[indices]
    for network, name in enumerate((BASELINE, OURS)):
        calls(measured, looked.classes[network], known, collection, indices, name)
    answers(measured, looked.probabilities, known, float(model.thresholds[0]), finding, groups)
    measured(paired, looked.classes, known, finding, groups)
    for place, target in ((NEGATIVE, "target without it"), (POSITIVE, "target with it")):
        measured(reached_share, looked.reached[place], finding, groups, f"{BASELINE}, {target}")
    _where(measured, model, collection, indices, known, looked)
    _inside(measured, model, collection, indices, known, looked)
    measured(_variances, model, collection, indices[:MOST_NOISED])
    return rows, remarks


def reached_share(reached: np.ndarray, finding: str, groups: np.ndarray, variant: str) -> Measure:
    """Share of scans whose counterfactual has the target's probability of `ARRIVED` within the steps of the search."""
    return replace(share("effectiveness", reached, finding, groups), variant=f"{variant} reached")


def _where(
    measured: Callable[..., None],
    model: ACATModel,
    collection: Collection,
    indices: np.ndarray,
    known: np.ndarray,
    looked: Looked,
) -> None:
    """Of scans with the finding: hits of the right territory, overlap with the lesion, and nearness to the truth."""
    finding, ill = model.findings[0], np.flatnonzero(known > 0)
    some = ill[:MOST_EXPLAINED]
    own, reached = _by_itself(model, collection, indices[some], looked.saliency[some])
    groups = collection.patients[indices]
    for place, target in ((NEGATIVE, "target without it"), (POSITIVE, "target with it")):
        measured(reached_share, reached[place], finding, groups[some], f"{OURS}, {target}")
    maps = {
        f"{BASELINE}, negative counterfactual": (ill, np.abs(looked.changes[NEGATIVE, ill])),
        f"{BASELINE}, both counterfactuals": (ill, looked.saliency[ill]),
        f"{OURS}, negative counterfactual": (some, np.abs(own[NEGATIVE])),
        f"{OURS}, both counterfactuals": (some, _scaled(own)),
    }
    heads = collection.whole
    for name, (of, drawn) in maps.items():
        if isinstance(heads, StrokePhantom):
            pairs = zip(drawn, (_territories(heads, int(i), model) for i in indices[of]), strict=True)
            measured(named, hit_rate, name, [(_flat(m), [_flat(t)]) for m, t in pairs], finding, groups[of])
        masks = [_mask(collection, int(i), finding, model) for i in indices[of]]
        there = {k: _flat(mask) for k, mask in enumerate(masks) if mask is not None and mask.any()}
        if there:
            drawn_on, truth = [*there], np.stack([*there.values()])
            called = by_area(np.stack([_flat(drawn[k].astype(np.float32)) for k in drawn_on]), truth)
            who = groups[of][drawn_on]
            for call in (iou, dice):
                measured(call, called, truth, finding, who, CALLED, name)
                measured(_macro, call, called, truth, finding, who, name)
    if collection.has_counterfactuals and len(some):
        pictures = [_truth(model, collection, int(i), finding) for i in indices[some]]
        before, after = ([_flat(pair[k]) for pair in pictures] for k in (0, 1))
        for name, changes in ((BASELINE, looked.changes[NEGATIVE, some]), (OURS, own[NEGATIVE])):
            made = [x + _flat(change.astype(np.float32)) for x, change in zip(before, changes, strict=True)]
            for call in (recovery, restraint):
                measured(named, call, name, before, made, after, finding=finding, groups=groups[some])


def _by_itself(
    model: ACATModel, collection: Collection, indices: np.ndarray, steer: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Changes (2, N, S, H, W) float16 of counterfactuals that ACAT itself is asked for, and (2, N) reached."""
    changes, reached, done = [], [], 0
    for volume in _volumes(model, collection, indices):
        held = torch.from_numpy(steer[done : done + len(volume)].astype(np.float32)).to(model.device)
        made = model.counterfactuals(volume, held)
        changes.append((made.pictures - volume).half().cpu().numpy())
        reached.append(made.reached.cpu().numpy())
        done += len(volume)
    if not changes:
        return np.zeros((2, 0, *steer.shape[1:]), np.float16), np.zeros((2, 0), bool)
    return np.concatenate(changes, 1), np.concatenate(reached, 1)


def _scaled(changes: np.ndarray) -> np.ndarray:
    """Class-agnostic saliency (N, S, H, W) of changes (2, N, S, H, W)."""
    volume = torch.zeros(changes.shape[1:])
    return saliency(volume, torch.from_numpy(changes.astype(np.float32))).numpy()


def _inside(
    measured: Callable[..., None],
    model: ACATModel,
    collection: Collection,
    indices: np.ndarray,
    known: np.ndarray,
    looked: Looked,
) -> None:
    """Of slices that say where in their organ they lie, the AUC among those of one height, which that place alone
    cannot raise; and the share of the saliency on organ and body, where the collection knows them.
    """
    finding, groups, ill = model.findings[0], collection.patients[indices], (known > 0).astype(np.float32)
    strata = np.array([collection.position(int(i)) for i in indices])
    if (strata >= 0).any():
        present = 1 - looked.classes[0, :, 0]
        measured(named, auc_within, BASELINE, ill, present, strata, finding=finding, groups=groups)
        measured(auc_within, ill, looked.probabilities, strata, finding=finding, groups=groups)
    some = indices[:MOST_EXPLAINED]
    for place, ask in (("organ", collection.organ), ("body", collection.body)):
        masks = [ask(int(i), model.preprocessing.size) for i in some]
        pairs = [
            (_flat(drawn.astype(np.float32)), _flat(_on_grid(mask, model, collection)))
            for drawn, mask in zip(looked.saliency, masks, strict=False)
            if mask is not None
        ]
        if pairs:
            there = np.array([mask is not None for mask in masks])
            who = groups[: len(some)][there]
            measured(evidence_on_body, pairs, finding=finding, groups=who, variant=f"saliency on the {place}")


def _flat(volume: np.ndarray) -> np.ndarray:
    """(S, H, W) as one picture (S H, W), slice under slice."""
    return volume.reshape(-1, volume.shape[-1])


def _mask(collection: Collection, index: int, finding: str, model: ACATModel) -> np.ndarray | None:
    """(S, H, W) bool of the lesion on the model's grid."""
    mask = collection.mask(index, finding, model.preprocessing.size)
    return None if mask is None else _on_grid(mask, model, collection)


def _on_grid(mask: np.ndarray, model: ACATModel, collection: Collection) -> np.ndarray:
    """A mask (S, H, W) of a scan on the model's grid."""
    return model.preprocessing.volume(mask.astype(np.float32), slices_read(collection, model.slices)) >= 0.5


def _territories(heads: StrokePhantom, index: int, model: ACATModel) -> np.ndarray:
    """(S, H, W) bool: the territories of the patient's infarcts, on the model's grid."""
    there = np.isin(heads.territory_map(index), [1 + place for place in heads.stroke_territories(index)])
    return _on_grid(there, model, heads)


def _truth(model: ACATModel, collection: Collection, index: int, finding: str) -> tuple[np.ndarray, np.ndarray]:
    """The scan and its true counterfactual without the finding, in the network's range of the scan."""
    prep = model.preprocessing
    scan, true = (
        prep.volume(volume, slices_read(collection, model.slices))
        for volume in (collection.image(index), collection.counterfactual(index, without=(finding,)))
    )
    low, high = prep.ends(scan)
    scale = 2 * prep.value_range / (high - low)
    scaled = [np.clip((v - low) * scale - prep.value_range, -prep.value_range, prep.value_range) for v in (scan, true)]
    return scaled[0].astype(np.float32), scaled[1].astype(np.float32)


def _macro(
    call: Callable[..., Measure], called: np.ndarray, truth: np.ndarray, finding: str, groups: np.ndarray, name: str
) -> Measure:
    """IoU or Dice, the mean of the lesion's and the background's, as the paper's Table 5 can only be."""
    parts = [call(called, truth, finding, groups), call(~called, ~truth, finding, groups)]
    samples = [part.sample for part in parts]
    assert samples[0] is not None and samples[1] is not None, "overlaps keep the scans that they rest on"
    values = (samples[0].values + samples[1].values) / 2
    return replace(
        parts[0],
        value=float(values.mean()),
        **dict(zip(("low", "high"), mean_interval(values, groups, within=(0.0, 1.0)), strict=True)),
        chance=None,
        remark=f"{CALLED}; {MACRO}",
        variant=f"{name}, macro",
        sample=Sample(values, groups),
    )


def _variances(model: ACATModel, collection: Collection, indices: np.ndarray) -> list[Measure]:
    """Of every layer of the image branch, of baseline and ACAT, on scans as they are and with noise of a standard
    deviation of 1; the saliency is that of the scan as it is.
    """
    rows: list[Measure] = []
    volumes = [volume for batch in _volumes(model, collection, indices) for volume in batch.split(1)]
    steers = [model.saliency(volume) for volume in volumes]
    random = torch.Generator().manual_seed(0)
    noised = [v + torch.randn(v.shape, generator=random).to(v) for v in volumes]
    groups = collection.patients[indices]
    for inputs, seen in ((volumes, "scans"), (noised, "noised scans")):
        pairs = [torch.stack(pair) for pair in zip(inputs, steers, strict=True)]
        for name, net, stages in (
            (BASELINE, lambda pair: model.nets.baseline(pair[0]), model.nets.baseline.stages),
            (OURS, lambda pair: model.nets.acat(pair[0], pair[1]), model.nets.acat.image.stages),
        ):
            rows += preactivation_variance(
                convolutions(stages), net, pairs, model.findings[0], f"{name}, {seen}", groups
            )
    return rows


def convolutions(stages: nn.ModuleList) -> list[nn.Module]:
    """The convolutions of a backbone, first to last; the last of each stage where there are many."""
    of_stages = [[m for m in stage.modules() if isinstance(m, nn.Conv2d)] for stage in stages]
    every: list[nn.Module] = [layer for layers in of_stages for layer in layers]
    return every if len(every) <= 10 else [layers[-1] for layers in of_stages]
