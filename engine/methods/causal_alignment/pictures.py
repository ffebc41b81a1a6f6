"""Pictures with the region that an expert marked, in batches, and how a classifier does on them under both symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.network import RegionClassifier, grad_cam
from engine.metrics.cam_precision import precision_of
from engine.networks.augmentation import Augmentation, move_masks
from engine.networks.films import Films
from engine.preprocessing import Preprocessing

BATCH = 64  # pictures that are looked at together


@dataclass(frozen=True)
class RegionBatch:
    """A batch.

    Attributes:
        indices: (B,) of the collection.
        x: (B, 1, s, s). region: (B, 1, s, s) of 0 and 1, all 0 where nothing is marked.
        y: (B,) of 0 and 1. concepts: (B, p) of 0 and 1, None where the collection has none.
    """

    indices: np.ndarray
    x: Tensor
    region: Tensor
    y: Tensor
    concepts: Tensor | None

    def to(self, device: torch.device) -> RegionBatch:
        """The same on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("x", "region", "y")}
        return replace(self, **moved, concepts=None if self.concepts is None else self.concepts.to(device))


class RegionPictures:
    """The pictures of a collection as a network sees them, with regions, labels and concepts.

    Attributes:
        films: the pictures with their own symbol.
        train: the training pictures whose label is known.
    """

    def __init__(self, collection: Collection, preprocessing: Preprocessing):
        self.collection, self.preprocessing = collection, preprocessing
        self.films = Films(collection, preprocessing)
        part = collection.split("train")
        self.train = part[~np.isnan(collection.labels[part, 0])]
        self._regions: dict[int, np.ndarray] = {}
        self._under: dict[tuple[int, str], np.ndarray] = {}

    def regions(self, indices: np.ndarray) -> np.ndarray:
        """(n, s, s) bool, empty where nothing is marked."""
        size = self.preprocessing.size
        for index in map(int, indices):
            if index not in self._regions:
                region = self.collection.marked_region(index, size)
                self._regions[index] = np.zeros((size, size), bool) if region is None else region
        return np.stack([self._regions[int(index)] for index in indices])

    def batch(self, random: np.random.Generator, count: int, augmentation: Augmentation, mirror: bool) -> RegionBatch:
        """Training pictures drawn at random, moved together with their regions."""
        chosen = random.choice(self.train, count, replace=False)
        changes = torch.from_numpy(random.uniform(-1, 1, (count, 5)).astype(np.float32))
        x, region = self.films.batch(chosen), torch.from_numpy(self.regions(chosen).astype(np.float32))[:, None]
        if mirror:
            turned = torch.from_numpy(random.random(count) < 0.5).view(-1, 1, 1, 1)
            x, region = (torch.where(turned, part.flip(3), part) for part in (x, region))
        x, grid = augmentation(x, changes, self.preprocessing.value_range)
        concepts = torch.from_numpy(self.collection.concept_labels[chosen]) if self.collection.concepts else None
        y = torch.from_numpy(self.collection.labels[chosen, 0])
        return RegionBatch(chosen, x, move_masks(region, grid), y, concepts)

    def under(self, indices: np.ndarray, value: str) -> np.ndarray:
        """(n, s, s) float32: pictures with one value of the collection's symbol, or with "" as they are without any."""
        size = self.preprocessing.size
        for index in map(int, indices):
            if (index, value) not in self._under:
                seen = self.collection.with_symbol(index, size, value) if value else self.collection.image(index, size)
                self._under[index, value] = self.preprocessing.apply(seen)
        return np.stack([self._under[int(index), value] for index in indices])

    def random_symbols(self, indices: np.ndarray) -> np.ndarray:
        """(n, s, s) float32: pictures with the symbol that `at_random` says, or as they are without symbols."""
        values = self.at_random(indices).tolist()
        return np.concatenate([self.under(indices[row : row + 1], value) for row, value in enumerate(values)])

    def at_random(self, indices: np.ndarray) -> np.ndarray:
        """(n,) str: the value of each picture's symbol where its label takes no part; "" without symbols."""
        symbols = self.collection.symbols
        return np.array(["" if symbols is None else symbols.at_random(int(index)) for index in indices], str)


def on_plain_background(x: Tensor, region: Tensor, shown: float) -> Tensor:
    """x (B, 1, s, s) whose surroundings of the region are blended with the picture's mean grey; 1 shows them whole."""
    if shown >= 1:
        return x
    plain = x.mean((2, 3), keepdim=True)
    return x * region + (shown * x + (1 - shown) * plain) * (1 - region)


def on_pictures(maps: Tensor, size: int) -> Tensor:
    """Maps (B, h, h) on the grid of the last features to (B, size, size), bilinear.

    A 3 x 3 convolution of stride 2 with one pixel of padding looks from every second pixel, from the first on. So
    place i of the features lies on pixel i size / h, and not in the middle of the size / h pixels from there on, where
    enlarging a picture would put it.
    """
    count = maps.shape[1]
    at = torch.arange(size, device=maps.device, dtype=maps.dtype) * count / size
    along = 2 * at / max(count - 1, 1) - 1
    rows, columns = torch.meshgrid(along, along, indexing="ij")
    grid = torch.stack([columns, rows], 2).expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps[:, None], grid, padding_mode="border", align_corners=True)[:, 0]


@torch.no_grad()
def looked_at(
    net: RegionClassifier, pictures: np.ndarray, device: torch.device, threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n,) of pictures (n, s, s), and the Grad-CAM (n, s, s) of each decision, not negative."""
    probabilities, maps = [], []
    for some in torch.from_numpy(pictures)[:, None].split(BATCH):
        some = some.to(device)
        p = torch.sigmoid(net(some)[1])
        cam = grad_cam(net, some, torch.where(p > threshold, 1.0, -1.0))
        maps.append(on_pictures(cam, some.shape[2]).cpu())
        probabilities.append(p.cpu())
    return torch.cat(probabilities).numpy(), torch.cat(maps).numpy()


def operating_point(net: RegionClassifier, pictures: RegionPictures, device: torch.device) -> float:
    """By Youden's index on validation pictures with random symbols."""
    from engine.metrics.classification import youden_threshold  # brings scikit-learn

    collection = pictures.collection
    chosen = collection.split("validation")
    chosen = chosen[~np.isnan(collection.labels[chosen, 0])]
    p, _ = looked_at(net, pictures.random_symbols(chosen), device)
    return float(youden_threshold(collection.labels[chosen, 0], p, finding=collection.findings[0]))


def symbol_scores(
    net: RegionClassifier, pictures: RegionPictures, indices: np.ndarray, device: torch.device
) -> dict[str, float]:
    """AUC, accuracy at even odds, CAM precision and, with symbols, decisions that flip and the mean |change| of the
    probability; the symbols of the pictures are random.
    """
    from sklearn.metrics import roc_auc_score  # here, since what only opens a checkpoint needs no scikit-learn

    values, own = {*pictures.at_random(indices).tolist()}, pictures.at_random(indices)
    symbols = pictures.collection.symbols
    looks = {v: looked_at(net, pictures.under(indices, v), device) for v in (symbols.values if symbols else values)}
    p = np.array([looks[v][0][row] for row, v in enumerate(own.tolist())])
    cams = np.stack([looks[v][1][row] for row, v in enumerate(own.tolist())])
    y, regions = pictures.collection.labels[indices, 0], pictures.regions(indices)
    marked = regions.any((1, 2))
    scores = {
        "auc": float(roc_auc_score(y, p)) if len(np.unique(y)) == 2 else 0.5,
        "accuracy": float(((p > 0.5) == (y == 1)).mean()),
        "cam_precision": float(np.mean([precision_of(c, r) for c, r in zip(cams[marked], regions[marked])] or [0.0])),
    }
    if symbols:
        one, other = (looks[v][0] for v in symbols.values)
        scores |= {"flips": float(((one > 0.5) != (other > 0.5)).mean()), "moved": float(np.abs(one - other).mean())}
    return scores
