"""Every measure that Zia et al. report for a discrepancy map, and those that only known truth or a body
mask can give.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from engine.datasets.collection import Collection
from engine.datasets.crop import LEVELLED
from engine.methods.map_translation.explain import BATCH, DiscrepancyModel
from engine.methods.map_translation.train import map_size, translated
from engine.metrics.classification import accuracy, auc, sensitivity, specificity
from engine.metrics.composition import composition
from engine.metrics.effectiveness import effectiveness
from engine.metrics.evidence_on_body import evidence_on_body
from engine.metrics.measure import Measure, collected
from engine.metrics.ncc import ncc
from engine.metrics.non_resemblance import non_resemblance
from engine.metrics.overlap import above, best_threshold, by_area, by_otsu, dice, iou
from engine.metrics.recovery import recovery, restraint
from engine.metrics.ssim import masked_ssim
from engine.metrics.stride_energy import stride_energy

MOST_COUNTERFACTUALS = 300  # positives whose true counterfactual is drawn
HEALED = "share of pictures with the finding below the operating point after translation"
EFFECTIVE_OF_CALLED = "the same of pictures that were above it before"
ON_BODY, ON_MARKS = "map on the body", "map on burned-in marks"
LEFT_ALONE = "mean |change| of {other} pictures, share of the grey range; 0 is perfect"


@dataclass
class Predictions:
    """What the model said of N pictures.

    Attributes:
        probabilities, sizes: (N,), and the root mean square of each map.
        after_map: (N,) probabilities after the whole map has been added.
        maps, pictures: (N, s, s) float16, M(x) and x as the network saw it.
    """

    probabilities: np.ndarray
    sizes: np.ndarray
    after_map: np.ndarray
    maps: np.ndarray = field(repr=False)
    pictures: np.ndarray = field(repr=False)


@torch.inference_mode()
def look(model: DiscrepancyModel, collection: Collection, indices: np.ndarray, batch: int = BATCH) -> Predictions:
    """Run the model over the pictures at `indices`."""
    side = model.preprocessing.size
    probabilities, sizes, generated = (np.empty(len(indices), np.float32) for _ in range(3))
    maps = np.empty((len(indices), side, side), np.float16)
    pictures = np.empty_like(maps)
    for start in range(0, len(indices), batch):
        part = slice(start, start + batch)
        seen = np.stack([model.preprocessing.apply(collection.image(int(i), side)) for i in indices[part]])
        x = torch.from_numpy(seen)[:, None].to(model.device, memory_format=torch.channels_last)
        change, probability = model.map_of(x)
        _, after = model.map_of(translated(x, change))
        probabilities[part], generated[part], sizes[part] = probability.cpu(), after.cpu(), map_size(change).cpu()
        maps[part], pictures[part] = change[:, 0].cpu(), seen
    return Predictions(probabilities, sizes, generated, maps, pictures)


def evaluate(model: DiscrepancyModel, collection: Collection, indices: np.ndarray) -> tuple[list[Measure], list[str]]:
    """All measures on the pictures at `indices`, and a remark for each that could not be had.

    Raises:
        ValueError: the collection's two classes are not the model's, or its pictures are cut otherwise.
    """
    if collection.contrast_class != model.contrast_class:
        raise ValueError(
            f"{model.checkpoint.name} tells {model.findings[0].lower()} from {model.other}; measure it on these two "
            "classes."
        )
    cut, learned_crop = collection.crop, model.checkpoint.config["crop"]
    if cut != learned_crop:
        raise ValueError(
            f"{model.checkpoint.name} was trained on pictures of crop={learned_crop}, these are of crop={cut}; leave "
            f"that "
            "option out."
        )
    return measures(model, collection, indices, look(model, collection, indices))


def measures(
    model: DiscrepancyModel, collection: Collection, indices: np.ndarray, seen: Predictions
) -> tuple[list[Measure], list[str]]:
    """`evaluate`, for pictures that have been looked at already."""
    rows, measured, remarks = collected()
    finding, threshold = model.findings[0], float(model.thresholds[0])
    label, groups = collection.labels[indices, 0], collection.patients[indices]
    known = ~np.isnan(label)
    y, p, who = label[known], seen.probabilities[known], groups[known]
    measured(auc, y, p, finding=finding, groups=who)
    for call in (sensitivity, specificity, accuracy):
        measured(call, y, p, threshold, finding=finding, groups=who)
    after = np.where(seen.after_map[label == 1] <= threshold, "normal", "abnormal")
    called = seen.probabilities[label == 1] > threshold
    for variant, some, remark in (
        ("", np.ones_like(called), HEALED),
        ("of those called", called, EFFECTIVE_OF_CALLED),
    ):
        wanted, whose = np.full(some.sum(), "normal"), groups[label == 1][some]
        measured(effectiveness, wanted, after[some], finding, whose, remark=remark, variant=variant)
    before = seen.pictures[label == 0].astype(np.float32)
    moved = before + seen.maps[label == 0].astype(np.float32)
    measured(
        composition,
        before,
        moved,
        2 * model.preprocessing.value_range,
        groups=groups[label == 0],
        remark=LEFT_ALONE.format(other=model.other),
        variant=f"{model.other} pictures",
    )
    measured(
        stride_energy,
        seen.maps.astype(np.float32),
        seen.pictures.astype(np.float32),
        finding,
        collection.patients[indices],
    )
    _compare_with_masks(model, collection, indices, seen, measured)
    _where(model, collection, indices, seen, measured)
    remarks += [_remark_on(row) for row in rows if row.variant in (ON_BODY, ON_MARKS)]
    if collection.has_counterfactuals:
        _compare_with_truth(model, collection, indices, seen, measured)
    if any(row.variant == "fixed" for row in rows):
        remarks.append(
            f"fixed: a pixel is called where |M| is above {model.cut:g}, of a grey range of "
            f"{2 * model.preprocessing.value_range:g}"
        )
    side = model.preprocessing.size
    if model.contrast_class is not None:
        remarks.append(
            f"only {finding.lower()} and {model.other} pictures take part; of pictures with neither nothing is known"
        )
    remarks.append(
        f"every picture is resized to {side} x {side} pixels; the classes are drawn equally often, the sources as "
        f"often as they occur"
    )
    if (crop := collection.crop) != "whole":
        cropped = f"every picture is cropped to the {crop.removeprefix('levelled-')}"
        levelled = " and its greys are replaced by their ranks" if crop in LEVELLED else ""
        remarks.append(f"{cropped}{levelled} first, so that its format and border do not tell the class")
    if grouping := collection.grouping:
        remarks.append(f"split by groups of look-alikes, as no patient is named: {grouping}")
    return rows, remarks


def fixed_cut(collection: Collection, indices: np.ndarray, strength: np.ndarray) -> float:
    """One threshold for all maps: the best on annotated validation pictures or, where nobody annotated any, half of
    what a picture's strongest pixel has.

    Args:
        indices: (N,) abnormal validation pictures; strength: (N, s, s) their maps, not negative.
    """
    chosen, masks = annotated(collection, indices, strength.shape[-1])
    if len(chosen):
        return float(f"{best_threshold(strength[chosen], masks):.3g}")
    return float(f"{np.median(strength.reshape(len(strength), -1).max(axis=1)) / 2:.3g}")


def annotated(collection: Collection, indices: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of the pictures at `indices` have the finding and a mask of it, as places (n,) among them; and masks (n,
    side, side).
    """
    finding = collection.findings[0]
    chosen, masks = [], []
    for n in np.flatnonzero(collection.labels[indices, 0] == 1):
        mask = collection.mask(int(indices[n]), finding, side)
        if mask is not None and mask.any() and not mask.all():
            chosen.append(n)
            masks.append(np.asarray(mask, bool))
    return np.array(chosen, int), np.stack(masks) if masks else np.zeros((0, side, side), bool)


def _compare_with_masks(model, collection, indices, seen: Predictions, measured) -> None:
    """The map against the experts' masks: overlap under each stated binarisation, NCC, and what stayed as it was."""
    finding = model.findings[0]
    chosen, masks = annotated(collection, indices, model.preprocessing.size)
    if not len(chosen):
        return
    who = collection.patients[indices[chosen]]
    maps, before = seen.maps[chosen].astype(np.float32), seen.pictures[chosen].astype(np.float32)
    compared_with_masks(np.abs(maps), masks, model.cut, finding, who, measured)
    span = 2 * model.preprocessing.value_range
    after = translated(before, maps)
    measured(masked_ssim, before, after, masks, data_range=span, finding=finding, groups=who)
    measured(non_resemblance, before, after, masks, data_range=span, finding=finding, groups=who)


def binarised(strength: np.ndarray, masks: np.ndarray, fixed: float | None) -> dict[str, np.ndarray]:
    """Maps (N, s, s), not negative, as masks, by each rule under its name."""
    rules = {} if fixed is None else {"fixed": above(strength, fixed)}
    return rules | {"otsu": by_otsu(strength), "area-matched": by_area(strength, masks)}


def compared_with_masks(
    strength: np.ndarray, masks: np.ndarray, fixed: float | None, finding: str, who: np.ndarray, measured
) -> None:
    """Overlap and NCC of maps (N, s, s), not negative, with masks of the same shape; what every row of Table 1 is
    measured by.

    Args:
        fixed: one threshold for all pictures, chosen on validation; None where none was.
    """
    for rule, called in binarised(strength, masks, fixed).items():
        for call in (iou, dice):
            measured(call, called, masks, finding=finding, variant=rule, groups=who)
    measured(ncc, strength, masks, finding=finding, groups=who)


def _where(model, collection, indices, seen: Predictions, measured) -> None:
    """How much of the map lies on the body and, of pictures that have any, on burned-in marks, where the
    collection can tell.
    """
    side = model.preprocessing.size
    for mask_of, variant in ((collection.body, ON_BODY), (collection.marks, ON_MARKS)):
        masks = [mask for index in indices if (mask := mask_of(int(index), side)) is not None]
        if len(masks) < len(indices):
            continue
        chosen = [n for n, mask in enumerate(masks) if mask.any()]
        pairs = [(seen.maps[n].astype(np.float32), masks[n]) for n in chosen]
        measured(evidence_on_body, pairs, variant=variant, groups=collection.patients[indices[chosen]])


def _remark_on(row: Measure) -> str:
    """What a share of the map on the body or on marks means, beside the share of the picture that these are; a model
    that changes marks more than other places is reported as such.
    """
    assert row.chance is not None, "a share of the map is measured beside that of the picture"
    if row.variant == ON_BODY:
        return f"{1 - row.value:.1%} of the map lies outside the body, which leaves {1 - row.chance:.1%} of the picture"
    where = (
        f"{row.value:.1%} of the map lies on burned-in marks, which are {row.chance:.1%} of the {row.n} pictures that "
        "have any"
    )
    changes_marks = row.low is not None and row.low > row.chance
    return (
        f"{where}: "
        f"{'it changes marks as well' if changes_marks else 'no more than anywhere else, as far as can be told'}"
    )


def _compare_with_truth(model, collection, indices, seen: Predictions, measured) -> None:
    """recovery and restraint, in the units of the network, so that all three pictures share one scale.

    The truth is the picture without the finding, and with the one of the other class where that is not normal.
    """
    side, prep, finding = model.preprocessing.size, model.preprocessing, model.findings[0]
    chosen = np.flatnonzero(collection.labels[indices, 0] == 1)[:MOST_COUNTERFACTUALS]
    if not len(chosen):
        return
    before, after, truth = [], [], []
    instead = {} if model.contrast_class is None else {"with_": (model.contrast_class,)}
    for n in chosen:
        index = int(indices[n])
        true = collection.counterfactual(index, side, without=(finding,), **instead)
        before.append(seen.pictures[n].astype(np.float32))
        after.append(translated(before[-1], seen.maps[n].astype(np.float32)))
        truth.append(prep.apply(true, like=collection.image(index, side)))
    who = collection.patients[indices[chosen]]
    for call in (recovery, restraint):
        measured(call, np.stack(before), np.stack(after), np.stack(truth), finding=finding, groups=who)
