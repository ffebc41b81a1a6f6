"""Collections of labelled pictures, each read in its own public layout."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from engine.datasets.collection import SPLITS, Collection, UnusableCollection, split_by_patient

__all__ = [
    "COLLECTIONS",
    "SPLITS",
    "Collection",
    "UnusableCollection",
    "collection_class",
    "open_collection",
    "split_by_patient",
]

# Name on the command line -> module and class, imported when asked for.
COLLECTIONS = {
    "phantom": ("engine.datasets.phantom.collection", "Phantom"),
    "chestxray8": ("engine.datasets.chestxray8", "ChestXray8"),
    "chexpert": ("engine.datasets.chexpert", "CheXpert"),
    "mimic_cxr": ("engine.datasets.mimic_cxr", "MimicCxr"),
    "vindr": ("engine.datasets.vindr", "VinDr"),
    "vagan_synthetic": ("engine.datasets.vagan_synthetic", "VAGANSynthetic"),
    "busi": ("engine.datasets.busi", "BUSI"),
    "brain_mri": ("engine.datasets.brain_mri", "BrainMRI"),
    "brats": ("engine.datasets.brats", "BraTS"),
    "implants": ("engine.datasets.implants", "Implants"),
    "tuberculosis": ("engine.datasets.tuberculosis", "Tuberculosis"),
}
NEED_NO_FOLDER = frozenset({"phantom", "vagan_synthetic"})


def open_collection(name: str, root: str | Path | None = None, **options: Any) -> Collection:
    """The collection called `name`.

    Args:
        name: a key of `COLLECTIONS`.
        root: its folder, in the public layout; none for collections that make their own pictures.
        options: handed to the collection, for example `findings=` or `seed=`.

    Raises:
        ValueError: unknown name, or an option out of range.
        UnusableCollection: no folder given, or not in the public layout.
    """
    if name not in COLLECTIONS:
        raise ValueError(f"no collection is called {name!r}; known are {', '.join(sorted(COLLECTIONS))}")
    if name in NEED_NO_FOLDER:
        return collection_class(name)(**options)
    if root is None:
        raise UnusableCollection(f"{name} is read from a folder: give its root.")
    return collection_class(name)(root, **options)


def collection_class(name: str) -> type[Collection]:
    """The class of the collection called `name`, a key of `COLLECTIONS`."""
    module, cls = COLLECTIONS[name]
    return getattr(import_module(module), cls)
