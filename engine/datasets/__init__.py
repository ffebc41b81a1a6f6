"""Collections of labelled pictures, each read in its own public layout; `registry` knows which there are."""

from engine.datasets.collection import SPLITS, Collection, UnusableCollection, split_by_patient
from engine.datasets.registry import (
    RegisteredCollection,
    collections,
    draws_its_own,
    open_collection,
    register_collection,
    registered_collection,
)

__all__ = [
    "SPLITS",
    "Collection",
    "RegisteredCollection",
    "UnusableCollection",
    "collections",
    "draws_its_own",
    "open_collection",
    "register_collection",
    "registered_collection",
    "split_by_patient",
]
