"""Trains the check of chest films on films that are taken to be the right way round, and measures it by patient."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save as saved
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.files import staged
from engine.laterality.chest import GROUPS, SHOWN, SIDE
from engine.metrics.intervals import share_interval

WIDTH, STEPS, BATCH, RATE = 12, 600, 32, 2e-3
FOLDS = 5
WANTED = 0.995  # share of the films that shall not be said to look mirrored
SEED = 0


class Block(nn.Module):
    """Two 3 x 3 convolutions, each with normalisation over groups and ReLU, then half the size."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.a, self.b = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.a_norm, self.b_norm = nn.GroupNorm(GROUPS, outputs), nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a_norm(self.a(x)))
        return F.max_pool2d(F.relu(self.b_norm(self.b(x))), 2)  # (B, outputs, H / 2, W / 2)


class OddNetwork(nn.Module):
    """f(x) = g(x) - g(x mirrored), so that f(x mirrored) = -f(x) for every x."""

    def __init__(self, width: int = WIDTH):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 5, stride=2, padding=2)
        self.first, self.second, self.third = Block(width, width), Block(width, 2 * width), Block(2 * width, 4 * width)
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(4 * width * (SIDE // 16) ** 2, 1)

    def one_way(self, x: Tensor) -> Tensor:
        x = self.third(self.second(self.first(F.relu(self.stem(x)))))
        return self.head(self.drop(x.flatten(1)))[:, 0]

    def forward(self, x: Tensor) -> Tensor:
        return self.one_way(x) - self.one_way(x.flip(-1))  # (B,)


@dataclass(frozen=True)
class Measured:
    """What the scores of films not trained on say; every film mirrored has the same score with the other sign.

    Attributes:
        limit: of the score, for the network that was trained on all films.
        specificity, sensitivity: (value, low, high), each fold under the limit that the others give; 95 %
            intervals, films of one patient taken together.
        n: films.
        scores: (n,) float.
    """

    limit: float
    specificity: tuple[float, float, float]
    sensitivity: tuple[float, float, float]
    n: int
    scores: np.ndarray


def films_of(collection: Collection) -> Tensor:
    """(n, 1, 128, 128) in shares of each film's 1st to 99th percentile."""
    import cv2

    films = []
    for index in range(len(collection)):
        film = np.asarray(collection.image(index), np.float32)
        low, high = np.percentile(film, (1, 99))
        small = cv2.resize(film, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA)
        films.append(np.clip((small - low) / max(float(high - low), 1e-6), 0, 1))
    return torch.from_numpy(np.stack(films).astype(np.float32))[:, None]


def varied(films: Tensor, random: torch.Generator) -> Tensor:
    """(B, 1, 64, 64): turned by up to 8 degrees, shifted, nearer or farther, lighter or darker."""
    count = len(films)

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=random)

    angle, scale = between(-0.14, 0.14), between(SHOWN - 0.1, SHOWN + 0.1)
    across, down = between(-0.1, 0.1), between(-0.1, 0.1)
    matrix = torch.stack(
        [
            torch.stack([scale * angle.cos(), -scale * angle.sin(), across], 1),
            torch.stack([scale * angle.sin(), scale * angle.cos(), down], 1),
        ],
        1,
    )
    grid = F.affine_grid(matrix, [count, 1, SIDE, SIDE], align_corners=False)
    seen = F.grid_sample(films, grid, align_corners=False, padding_mode="border").clamp(0, 1)
    seen = seen ** torch.exp(between(-0.4, 0.4, 1, 1, 1))
    return seen - seen.mean((2, 3), keepdim=True)


def middles(films: Tensor) -> Tensor:
    """(B, 1, 64, 64): what the network is shown of films (B, 1, 128, 128) when it is asked."""
    rim = round(2 * SIDE * (1 - SHOWN) / 2)
    seen = F.interpolate(films[..., rim:-rim, rim:-rim], size=(SIDE, SIDE), mode="area")
    return seen - seen.mean((2, 3), keepdim=True)


def fitted(films: Tensor, steps: int = STEPS, seed: int = SEED, told: Callable[[], None] = lambda: None) -> OddNetwork:
    """A network that was trained on films (n, 1, 128, 128), all the right way round."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    network = OddNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(steps):
        batch = films[torch.randint(len(films), (BATCH,), generator=random)]
        loss = F.softplus(-network(varied(batch, random))).mean()  # a mirrored film has the same loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        told()
    return network.eval()


def folds_of(patients: np.ndarray, folds: int = FOLDS, seed: int = SEED) -> np.ndarray:
    """(n,) which fold each film belongs to; all films of one patient to one."""
    names, of = np.unique(patients, return_inverse=True)
    return np.random.default_rng(seed).permutation(len(names))[of] % folds


def cross_validated(
    films: Tensor, patients: np.ndarray, steps: int = STEPS, told: Callable[[], None] = lambda: None
) -> Measured:
    """The scores of every film by a network that saw no film of its patient."""
    fold, scores = folds_of(patients), np.zeros(len(films))
    for k in range(FOLDS):
        network = fitted(films[torch.from_numpy(fold != k)], steps, told=told)
        with torch.no_grad():
            scores[fold == k] = network(middles(films[torch.from_numpy(fold == k)])).numpy()
    return measured(scores, fold, patients)


def measured(scores: np.ndarray, fold: np.ndarray, patients: np.ndarray) -> Measured:
    """How often films are said to look mirrored, and mirrored ones, under limits chosen on the other folds."""
    own = np.array([limit_of(scores[fold != k]) for k in range(fold.max() + 1)])[fold]
    rates: list[tuple[float, float, float]] = []
    for hits in (scores >= own, -scores < own):
        low, high = share_interval(hits, patients)
        rates.append((float(hits.mean()), float(low or 0), float(high or 1)))
    return Measured(limit_of(scores), rates[0], rates[1], len(scores), scores)


def limit_of(scores: np.ndarray) -> float:
    """A negative limit below which at most 1 - WANTED of the scores lie."""
    return float(min(np.quantile(scores, 1 - WANTED), -1e-6))


def save(folder: Path, network: OddNetwork, found: Measured, command: str, data: str) -> None:
    """Writes weights, numbers and a card."""
    rates = {
        name: dict(zip(("value", "low", "high"), getattr(found, name), strict=True))
        for name in ("specificity", "sensitivity")
    }
    numbers = {"limit": found.limit, "n": found.n, **rates, "command": command, "data": data}
    with staged(folder, marker="metrics.json") as put:
        put("weights.safetensors", saved({name: tensor.contiguous() for name, tensor in network.state_dict().items()}))
        put("card.md", card(found, command, data))
        put("metrics.json", json.dumps(numbers, indent=2) + "\n")


def card(found: Measured, command: str, data: str) -> str:
    """What a reader must know of the check, in Markdown."""
    rows = "\n".join(
        f"| {name} | {value:.3f} | {low:.3f} to {high:.3f} | {found.n} |"
        for name, (value, low, high) in (("specificity", found.specificity), ("sensitivity", found.sensitivity))
    )
    parts = (
        "# Whether a chest film looks mirrored",
        "## Intended use and limits",
        "Research and teaching: a reminder to look at the side marker. Not for diagnosis. It says that a frontal chest "
        "film looks as mirrored films do. A heart on the right (dextrocardia) looks so too. It says nothing of lateral "
        "films and of other pictures, and it turns nothing.",
        "## Data and licence",
        f"{data} All films are taken to be the right way round; whether each one is was not checked. Mirrored copies "
        "of the same films are the positives.",
        f"## Command\n\n```\n{command}\n```",
        "## Metrics",
        f"Of {found.n} films, each scored by a network that saw no film of its patient, under a limit that was chosen "
        "on other patients. Specificity: films that are not said to look mirrored. Sensitivity: mirrored copies that "
        "are. 95 % intervals, films of one patient taken together.",
        f"| metric | value | 95 % interval | n |\n|---|---|---|---|\n{rows}",
        "The network that ships was trained on all of them.",
    )
    return "\n\n".join(parts) + "\n"
