"""Is the counterfactual still a film of the same patient, where a patient has several."""

from __future__ import annotations

import cv2
import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("same_patient",)
SIDE = 24  # pixels that a picture is compared on: the build of a chest, not its grain


def build(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W) to (N, SIDE * SIDE) float64 of length 1: what is left of a picture at a coarse grid, its mean and
    contrast taken out, so that two films are compared by their correlation.
    """
    coarse = np.stack([cv2.resize(p.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in pictures])
    flat = coarse.reshape(len(coarse), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.sqrt((flat**2).sum(axis=1, keepdims=True))
    return flat / np.maximum(length, 1e-12)


def same_patient(
    x_hat: Pictures,
    patients: Groups,
    gallery: Pictures,
    gallery_patients: Groups,
    finding: str = "",
    before: Pictures | None = None,
    variant: str = "",
) -> Measure:
    """Mean over counterfactuals of the share of other patients' films that are less like it than another film of its
    own patient (the mean over those): 1 where the patient is always known again, 0.5 by chance.

    Likeness is the correlation of coarse pictures (`build`). The remark gives the same of the pictures before they were
    changed. n is the number of counterfactuals whose patient has another film.

    Args:
        x_hat: (N, H, W); patients: (N,).
        gallery: (M, H, W), films other than those that were changed; gallery_patients: (M,).
        before: (N, H, W), what `x_hat` was made from.

    Raises:
        NotMeasurable: no patient has another film, or there are no other patients.
    """
    patients, owners = np.asarray(patients), np.asarray(gallery_patients)
    known = np.isin(patients, owners) & np.array([bool((owners != who).any()) for who in patients], bool)
    if not known.any():
        raise NotMeasurable(f"{finding or 'all'}: no patient has a second film to be known again by")
    (changed,) = same_stack(x_hat=np.asarray(x_hat)[known])
    films = build(np.asarray(gallery))
    values = _known_again(changed, patients[known], films, owners)
    remark = ""
    if before is not None:
        as_they_were = _known_again(np.asarray(before)[known], patients[known], films, owners)
        remark = f"{as_they_were.mean():.3f} of the pictures as they were"
    return Measure(
        "same_patient",
        finding,
        values.mean(),
        *mean_interval(values, patients[known], within=(0.0, 1.0)),
        n=len(values),
        chance=0.5,
        remark=remark,
        variant=variant,
        sample=Sample(values, patients[known]),
    )


def _known_again(pictures: np.ndarray, patients: np.ndarray, films: np.ndarray, owners: np.ndarray) -> np.ndarray:
    likeness = build(pictures) @ films.T  # (N, M)
    shares = []
    for row, who in zip(likeness, patients):
        own, others = row[owners == who], np.sort(row[owners != who])
        below, up_to = (np.searchsorted(others, own, side=side) for side in ("left", "right"))
        shares.append((below + up_to).mean() / (2 * len(others)))
    return np.array(shares)
