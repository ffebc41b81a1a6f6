"""An index of cases: built once, saved as plain arrays and JSON, searched by faiss."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from engine.checkpoints.format import Checkpoint
from engine.datasets.collection import Collection
from engine.files import write_whole
from engine.registry import Model
from engine.scan import Scan
from engine.similar.describe import GRID, Description, of_records

ARRAYS, FACTS = "cases.npz", "index.json"
WORDS = ("checkpoint", "identity", "collection", "description", "layer", "unit")  # fields that FACTS holds as text
SIDE = 176  # pixels of a case's picture
LARGEST_INDEX = 200_000_000  # bytes of its arrays
EMBEDDING = "embedding"  # the name of that space; a finding's is its own name


class UnusableIndex(ValueError):
    """A folder that holds no index, or not that of this checkpoint; the message says what would help."""


@dataclass(frozen=True)
class Neighbour:
    """A case of the index: its place, and how similar it is, the cosine in [-1, 1]."""

    place: int
    similarity: float


@dataclass(frozen=True, eq=False)
class CaseIndex:
    """N cases as one checkpoint sees them.

    Attributes:
        checkpoint: its name, and `identity`: another model's answers are not comparable.
        findings: the C names.
        collection: its name, and in `description` what of it is a choice.
        layer: see `engine.similar.describe.embed`.
        pictures: (N, SIDE, SIDE) uint8, from the darkest to the brightest grey of `window`; for a volume its middle
            slice.
        labels: (N, C) float32, what is known of the cases; NaN unknown.
        probabilities: (N, C) float32.
        evidence: (N, C, GRID, GRID) float32.
        embeddings: (N, d) float32; d is 0 where the network cannot be looked into.
        limits: (C,) float32, where the colour bar of each finding's map ends.
        unit: of the maps.
    """

    checkpoint: str
    identity: str
    findings: tuple[str, ...]
    collection: str
    description: str
    layer: str
    pictures: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    evidence: np.ndarray
    embeddings: np.ndarray
    limits: np.ndarray
    unit: str

    def __post_init__(self):
        n, c = len(self.pictures), len(self.findings)
        for name, shape in (
            ("pictures", (n, SIDE, SIDE)),
            ("labels", (n, c)),
            ("probabilities", (n, c)),
            ("evidence", (n, c, GRID, GRID)),
            ("limits", (c,)),
        ):
            if getattr(self, name).shape != shape:
                raise UnusableIndex(f"{name} must have the shape {shape}, got {getattr(self, name).shape}.")
        if self.embeddings.shape[:1] != (n,) or self.embeddings.ndim != 2 or not n:
            raise UnusableIndex(f"embeddings must be one vector a case, got {self.embeddings.shape}.")

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def spaces(self) -> tuple[str, ...]:
        """What similarity can be asked in: every finding's evidence map, and the embedding where there is one."""
        return (*self.findings, *((EMBEDDING,) if self.embeddings.shape[1] else ()))

    def nearest(self, described: Description, space: str, count: int = 5) -> list[Neighbour]:
        """The cases most similar to a scan, the most similar first.

        Args:
            space: one of `spaces`. Maps are compared as they are, embeddings less the mean of the index.

        Raises:
            ValueError: another space.
        """
        searched = self._searched(space)
        query = _unit((self._vectors_of(described, space) - self._middle(space))[None])
        similarity, places = searched.search(query, min(count, len(self)))
        return [Neighbour(int(p), float(s)) for p, s in zip(places[0], similarity[0], strict=True) if p >= 0]

    def _vectors_of(self, described: Description, space: str) -> np.ndarray:
        if space == EMBEDDING:
            return described.embedding.astype(np.float32)
        return described.evidence[self.findings.index(space)].ravel().astype(np.float32)

    def _middle(self, space: str) -> np.ndarray | float:
        return self.embeddings.mean(axis=0) if space == EMBEDDING else 0.0

    def _searched(self, space: str) -> Any:
        if space not in self.spaces:
            raise ValueError(f"similarity is by {', '.join(self.spaces)}, got {space!r}.")
        if space not in self._built:
            import faiss  # slow to load

            rows = self.embeddings if space == EMBEDDING else self.evidence[:, self.findings.index(space)]
            vectors = _unit(rows.reshape(len(self), -1).astype(np.float32) - self._middle(space))
            built = faiss.IndexFlatIP(vectors.shape[1])
            built.add(vectors)
            self._built[space] = built
        return self._built[space]

    @cached_property
    def _built(self) -> dict[str, Any]:
        return {}

    def save(self, folder: Path) -> None:
        """Writes the index; nothing in it is ever unpickled."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            allow_pickle=False,
            pictures=self.pictures,
            labels=self.labels,
            probabilities=self.probabilities,
            evidence=self.evidence.astype(np.float16),
            embeddings=self.embeddings.astype(np.float16),
            limits=self.limits,
        )
        facts = {name: getattr(self, name) for name in WORDS} | {"findings": list(self.findings)}
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / ARRAYS, file.getvalue())
        write_whole(folder / FACTS, json.dumps(facts, indent=1).encode())


def open_index(folder: Path) -> CaseIndex:
    """The index in a folder.

    Raises:
        UnusableIndex: there is none, or it is damaged.
    """
    if not (folder / FACTS).is_file() or not (folder / ARRAYS).is_file():
        raise UnusableIndex(f"There is no index in {folder}; build one with python -m engine index.")
    if (folder / ARRAYS).stat().st_size > LARGEST_INDEX:
        raise UnusableIndex(f"{folder / ARRAYS} has more than {LARGEST_INDEX // 1_000_000} MB; build a smaller index.")
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return CaseIndex(
            **{name: str(facts[name]) for name in WORDS},
            findings=tuple(map(str, facts["findings"])),
            pictures=arrays["pictures"].astype(np.uint8),
            **{
                name: arrays[name].astype(np.float32)
                for name in ("labels", "probabilities", "evidence", "embeddings", "limits")
            },
        )
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise UnusableIndex(f"The index in {folder} is damaged ({error}); build it again.") from error


def build(
    model: Model,
    collection: Collection,
    indices: Sequence[int] | np.ndarray,
    progress: Callable[[int, int], None] | None = None,
) -> CaseIndex:
    """An index of the pictures at `indices`, each explained by `model`.

    Raises:
        UnusableIndex: no pictures.
    """
    if not len(indices):
        raise UnusableIndex(f"{collection.name} has no pictures to index.")
    described, pictures, labels = [], [], []
    limits, unit, layer = {}, "", None
    known = [list(collection.findings).index(f) if f in collection.findings else None for f in model.findings]
    for done, index in enumerate(map(int, indices)):
        scan = Scan.of(collection.image(index), collection.kind)
        records = model.explain(scan)
        if not done:
            limits = {record.finding: record.attribution_limit for record in records}
            unit = records[0].attribution_unit
        described.append(of_records(model, scan, records, layer))
        layer = described[-1].layer
        pictures.append(picture_of(scan))
        labels.append([np.nan if k is None else collection.labels[index, k] for k in known])
        if progress:
            progress(done + 1, len(indices))
    checkpoint: Checkpoint = model.checkpoint
    return CaseIndex(
        checkpoint.name,
        checkpoint.identity,
        tuple(model.findings),
        collection.name,
        collection.description,
        layer or "",
        np.stack(pictures),
        np.array(labels, np.float32),
        np.stack([one.probabilities for one in described]),
        np.stack([one.evidence for one in described]),
        np.stack([one.embedding for one in described]),
        np.array([limits[finding] for finding in model.findings], np.float32),
        unit,
    )


def picture_of(scan: Scan) -> np.ndarray:
    """(SIDE, SIDE) uint8: the scan in its start window, aspect not kept; the middle slice of a volume."""
    pixels = scan.pixels if scan.pixels.ndim == 2 else scan.pixels[len(scan.pixels) // 2]
    centre, width = scan.window
    shown = np.clip((np.asarray(pixels, np.float32) - (centre - width / 2)) / max(width, 1e-6), 0, 1)
    return np.round(255 * cv2.resize(shown, (SIDE, SIDE), interpolation=cv2.INTER_AREA)).astype(np.uint8)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, 1e-12), np.float32)
