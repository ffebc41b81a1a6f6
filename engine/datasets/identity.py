"""What makes two collections the same to a training that goes on: options, labels, patients, parts and the pictures
themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from engine.datasets.collection import SPLITS, Collection
from engine.datasets.selected_findings import SelectedFindings

LOOKED_AT = 16  # pictures
SIDE, BLOCKS = 64, 4  # of a picture as it is looked at, in pixels, and blocks along it
# Of a picture's range: block means differ by less from one machine to another, and by more where a marker was burned in
SAME = 0.004
PLACES = ("root", "folder", "memory")  # where the files lie and how many are kept, which may change
OF_DATA = " of the data"
PICTURES = f"pictures{OF_DATA}"

_known: WeakKeyDictionary[Collection, dict] = WeakKeyDictionary()


def data_settings(collection: Collection) -> dict[str, Any]:
    """For `Recipe.settings`, ready for JSON: "data" (name, length), and "options", "labels" and "pictures
    of the data".
    """
    if collection not in _known:
        _known[collection] = {
            "data": [collection.name, len(collection)],
            f"options{OF_DATA}": _options(collection),
            f"labels{OF_DATA}": _labels(collection),
            PICTURES: _pictures(collection),
        }
    return _known[collection]


def agree(name: str, first: Any, second: Any) -> bool:
    """Whether two values of one setting are the same; those of `PICTURES` may differ as drawing on two
    machines does.
    """
    if name != PICTURES or first is None or second is None:
        return first == second
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return first.shape == second.shape and bool(np.abs(first - second).max(initial=0) <= SAME)


def in_words(names: Sequence[str]) -> str:
    """Settings that differ, for a sentence: those of the data in one word and a bracket."""
    of_data = [name.removesuffix(OF_DATA) for name in names if name.endswith(OF_DATA)]
    rest = [name for name in names if not name.endswith(OF_DATA) and not (of_data and name == "data")]
    return ", ".join([*rest, *([f"data set (its {', '.join(of_data)})"] if of_data else [])])


def _options(collection: Collection) -> dict[str, Any]:
    """What a collection was made with, as far as its own plain attributes tell."""
    attributes = {
        name: _plain(value)
        for name, value in vars(collection).items()
        if not name.startswith("_") and name not in PLACES
    }
    if isinstance(collection, SelectedFindings):  # the rest is that of the collection it is chosen from
        attributes = {name: attributes.get(name) for name in ("name", "kind", "findings", "contrast_class")}
        attributes["whole"] = _options(collection.chosen_from)
    return {name: value for name, value in attributes.items() if value is not None}


def _plain(value: Any) -> Any:
    """Numbers, text, records and tuples of them, and a collection within, as JSON holds them; None for
    anything else.
    """
    if isinstance(value, Collection):
        return _options(value)
    if is_dataclass(value) and not isinstance(value, type):
        kept = {name: part for name, part in asdict(value).items() if isinstance(part, (bool, int, float, str, tuple))}
        return {name: part for name, part in kept.items() if _plain(part) is not None}  # no tuples of arrays
    if isinstance(value, (tuple, list)) and len(value) <= 100:
        parts = [_plain(part) for part in value]
        return None if None in parts else parts
    return value if isinstance(value, (bool, int, float, str)) else None


def _labels(collection: Collection) -> str:
    """sha256 of labels, patients, attributes and parts."""
    digest = hashlib.sha256(np.ascontiguousarray(collection.labels, np.float32).tobytes())
    for name, values in [("patients", collection.patients), *sorted(collection.attributes.items())]:
        digest.update(f"\n{name}\n".encode() + "\n".join(map(str, values)).encode())
    for part in SPLITS:
        digest.update(np.ascontiguousarray(collection.split(part), np.int64).tobytes())
    return digest.hexdigest()


def _pictures(collection: Collection) -> list[list[float]]:
    """Means of blocks of some training pictures from all over the collection, from 0 (darkest) to 1."""
    train = collection.split("train")
    if not len(train):
        return []
    seen = []
    for index in train[np.linspace(0, len(train) - 1, min(LOOKED_AT, len(train))).astype(int)]:
        picture = np.asarray(collection.image(int(index), SIDE), np.float64)
        if picture.ndim == 3:
            picture = picture.mean(axis=0)
        picture = (picture - picture.min()) / max(np.ptp(picture), 1e-9)
        means = picture.reshape(BLOCKS, SIDE // BLOCKS, BLOCKS, SIDE // BLOCKS).mean(axis=(1, 3))
        seen.append([round(float(mean), 5) for mean in means.ravel()])
    return seen
