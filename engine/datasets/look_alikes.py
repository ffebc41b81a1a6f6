"""Groups of look-alike pictures and parts made of whole groups, for collections that do not say which pictures are one
patient's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.sparse.csgraph import connected_components

from engine.datasets.collection import UnusableCollection
from engine.datasets.pictures import read_grey
from engine.preprocessing import two_dimensional

THUMBNAIL = 24  # pixels
# A folder is dealt out ten groups at a time, 7 train, 1 validation, 2 test.
HAND = ("train", "test", "train", "train", "train", "validation", "train", "train", "test", "train")


def look_alikes(pictures: Iterable[np.ndarray], limit: float) -> np.ndarray:
    """(N,) int: one number for pictures that resemble each other, directly or through others.

    Two pictures resemble each other when their 24 x 24 thumbnails (pixel areas averaged) correlate above `limit`.

    Args:
        pictures: N of (H, W) float32.
        limit: 0.96 for breast ultrasound, 0.97 for brain MR: chosen by eye in the public collections.
    """
    pictures = (two_dimensional(picture, "a picture") for picture in pictures)
    thumbnails = [
        cv2.resize(picture, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel() for picture in pictures
    ]
    stack = np.array(thumbnails, np.float32).reshape(-1, THUMBNAIL**2)
    stack -= stack.mean(axis=1, keepdims=True)
    stack /= np.maximum(np.linalg.norm(stack, axis=1, keepdims=True), 1e-12)
    return connected_components(stack @ stack.T > limit, directed=False)[1]


def groups_of(root: Path, files: Sequence[str], limit: float) -> tuple[np.ndarray, str]:
    """(N,) str group of each file, and a sentence that says where the groups come from.

    `groups.csv` (columns `file`, `group`) in the root counts when it lists every file; else look-alikes are sought,
    which reads every picture.

    Args:
        files: N paths below `root`, with forward slashes.

    Raises:
        UnusableCollection: `groups.csv` lacks a column, or a picture cannot be read.
    """
    import pandas as pd  # slow to load

    path = root / "groups.csv"
    if path.is_file():
        table = pd.read_csv(path, dtype=str)
        if missing := {"file", "group"} - set(table.columns):
            raise UnusableCollection(f"{path} has no column {', '.join(sorted(missing))}.")
        group_of = dict(zip(table["file"], table["group"]))
        if all(file in group_of for file in files):
            return np.array(
                [group_of[file] for file in files], str
            ), "Split by the groups of look-alikes in groups.csv."
    numbers = look_alikes((read_grey(root / file) for file in files), limit)
    why = "groups.csv does not list every picture" if path.is_file() else "there is no groups.csv"
    return numbers.astype(str), f"Split by look-alikes (24 x 24 thumbnails correlated above {limit}), as {why}."


def dealt(groups: np.ndarray, classes: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Whole groups to train, validation and test, 70/10/20, each class spread over all three.

    Groups are shuffled, ordered by their rarest class, the rarest first, and dealt like cards.

    Args:
        groups, classes: (N,) str, of every picture.
        seed: the same seed and groups give the same parts, whatever the order of the pictures.
    """
    names, counts = np.unique(classes, return_counts=True)
    rarity: Mapping[str, int] = {
        str(name): int(rank) for rank, name in enumerate(names[np.argsort(counts, kind="stable")])
    }
    rarest: dict[str, int] = {}
    for group, kind in zip(groups.tolist(), classes.tolist()):
        rarest[group] = min(rarity[kind], rarest.get(group, len(names)))
    shuffled = np.random.default_rng(seed).permutation(sorted(rarest)).tolist()
    part_of = {group: HAND[i % len(HAND)] for i, group in enumerate(sorted(shuffled, key=rarest.__getitem__))}
    parts = np.array([part_of[group] for group in groups.tolist()])
    return {name: np.flatnonzero(parts == name) for name in ("train", "validation", "test")}
