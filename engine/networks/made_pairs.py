"""Pairs of a picture and its true counterfactual as teachers: how they are drawn, and the loss on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from engine.datasets.collection import Collection
from engine.networks.augmentation import Augmentation
from engine.preprocessing import Preprocessing

STRONG = 0.25  # of a picture's largest true change; a pixel that changes by as much has the whole extra weight
KEPT_BYTES = 384 * 2**20
IDLE = 1 / 3  # of the drawn pictures have nothing to change
MEASURED = 24  # pictures a finding on which the size of its change is measured


class MadePairs:
    """A collection that knows true counterfactuals, as a teacher of maps M_c with x + M_c(x) = the picture without
    finding c.

    Args:
        collection: one that has true counterfactuals.
        findings: those that are taught, in the pupil's order; any that the collection does not have is never drawn.
        preprocessing: the pupil's; a counterfactual is brought to the network's range by its own picture's percentiles.
        held_out: patients of whom nothing may be learned, beside the collection's own validation and test.
        family: findings that look alike: a picture with one of them does not teach that another is absent.

    Attributes:
        sizes: (C,) float32, the mean absolute change that a finding makes, in the network's range; 1 where it is not
            taught.

    Raises:
        ValueError: none of the findings is in the collection, or it has no true counterfactuals.
    """

    def __init__(
        self,
        collection: Collection,
        findings: Sequence[str],
        preprocessing: Preprocessing,
        held_out: Sequence[str] = (),
        family: Sequence[str] = (),
    ):
        if not collection.has_counterfactuals:
            raise ValueError(
                f"{collection.name} knows no true counterfactuals, so it cannot teach by pairs; take phantom or "
                "implants."
            )
        self.collection, self.preprocessing, self.findings = collection, preprocessing, tuple(findings)
        known = list(collection.findings)
        self.taught = [c for c, finding in enumerate(findings) if finding in known]
        if not self.taught:
            raise ValueError(
                f"{collection.name} makes pairs of {', '.join(known)}, none of which is among {', '.join(findings)}."
            )
        self.name = f"{collection.name}, {len(collection)}"
        self._present: dict[str, dict[int, np.ndarray]] = {}
        self._absent: dict[str, dict[int, np.ndarray]] = {}
        for part in ("train", "validation"):
            chosen = collection.split(part)
            if part == "train":
                chosen = chosen[~np.isin(collection.patients[chosen], list(held_out))]
            labels = collection.labels[chosen]
            self._present[part], self._absent[part] = {}, {}
            for c in self.taught:
                own = known.index(findings[c])
                alike = [known.index(f) for f in family if f in known] if findings[c] in family else [own]
                self._present[part][c] = chosen[labels[:, own] == 1]
                self._absent[part][c] = chosen[(labels[:, alike] == 0).all(axis=1)]
        self._cache: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._bytes = 0
        self._known = {c: known.index(findings[c]) for c in self.taught}
        self._family = {
            c: [known.index(f) for f in family if f in known] if findings[c] in family else [] for c in self.taught
        }
        self.sizes = torch.ones(len(findings))
        for c in self.taught:
            some = np.random.default_rng(c).permutation(self._present["train"][c])[:MEASURED]
            pairs = [self.pair(int(index), c) for index in some]
            self.sizes[c] = max(float(np.mean([np.abs(a - b).mean() for a, b in pairs])), 1e-4) if pairs else 1.0

    def draw(self, random: np.random.Generator, count: int, part: str = "train") -> tuple[list[int], np.ndarray]:
        """`count` pictures and the finding (count,) each is about, findings by turns; a third do not have it."""
        turns = int(random.integers(len(self.taught)))
        task = np.array([self.taught[(turns + n) % len(self.taught)] for n in range(count)])
        chosen = []
        for c in task:
            present, absent = self._present[part][int(c)], self._absent[part][int(c)]
            idle = random.random() < IDLE and len(absent)
            chosen.append(int(random.choice(absent if idle or not len(present) else present)))
        return chosen, task

    def batch(
        self,
        random: np.random.Generator,
        count: int,
        augmentation: Augmentation = Augmentation(),
        part: str = "train",
        mirror: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, 1, H, W), the true change (B, 1, H, W) of each, and the finding (B,) that it takes away."""
        chosen, task = self.draw(random, count, part)
        changes = torch.from_numpy(random.uniform(-1, 1, (count, 5)).astype(np.float32))
        turned = torch.from_numpy(random.random(count) < 0.5 * mirror)[:, None, None, None]
        pairs = [self.pair(index, int(c)) for index, c in zip(chosen, task)]
        before, after = (torch.from_numpy(np.stack(half))[:, None] for half in zip(*pairs))
        if augmentation != Augmentation():
            value_range = self.preprocessing.value_range
            before, after = (augmentation(half, changes, value_range)[0] for half in (before, after))
        change = after - before
        before, change = (torch.where(turned, half.flip(-1), half) for half in (before, change))
        return before, change, torch.from_numpy(task)

    def whole_batch(
        self, random: np.random.Generator, count: int, augmentation: Augmentation = Augmentation(), mirror: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, 1, H, W), the true change of every finding (B, C, H, W), and of which of them (B, C) bool there
        is a truth.

        What a picture does not have changes nothing, but for findings of a family of which it has another.
        """
        chosen, _ = self.draw(random, count)
        changes = torch.from_numpy(random.uniform(-1, 1, (count, 5)).astype(np.float32))
        turned = torch.from_numpy(random.random(count) < 0.5 * mirror)[:, None, None, None]
        known = torch.zeros(count, len(self.findings), dtype=torch.bool)
        stacks = []
        for n, index in enumerate(chosen):
            labels = self.collection.labels[index]
            before = self.pair(index, self.taught[0])[0]
            after = [before] * len(self.findings)
            for c in self.taught:
                has = labels[self._known[c]] == 1
                known[n, c] = bool(has or (labels[[self._known[c], *self._family[c]]] == 0).all())
                if has:
                    after[c] = self.pair(index, c)[1]
            stacks.append(np.stack([before, *after]))
        films = torch.from_numpy(np.stack(stacks))  # (B, 1 + C, H, W)
        if augmentation != Augmentation():
            films = augmentation(films, changes, self.preprocessing.value_range)[0]
        films = torch.where(turned, films.flip(-1), films)
        return films[:, :1], films[:, 1:] - films[:, :1], known

    def pair(self, index: int, c: int) -> tuple[np.ndarray, np.ndarray]:
        """A picture and the one without finding c, (size, size) float32 each in the network's range, in steps of
        value_range / 127.
        """
        if (index, c) not in self._cache:
            finding, prep = self.findings[c], self.preprocessing
            film = prep.resized(self.collection.image(index, prep.size))
            true = prep.resized(self.collection.counterfactual(index, prep.size, without=(finding,)))
            low, high = prep.ends(film)
            shares = (np.clip((p - low) / (high - low), 0, 1) for p in (film, true))
            first, second = (np.rint(share * 254).astype(np.uint8) for share in shares)
            steps = first, second
            if self._bytes < KEPT_BYTES:
                self._cache[index, c] = steps
                self._bytes += 2 * steps[0].nbytes
        else:
            steps = self._cache[index, c]
        value_range = self.preprocessing.value_range
        film, true = (
            step.astype(np.float32) * np.float32(2 * value_range / 254) - np.float32(value_range) for step in steps
        )
        return film, true


def pair_loss(made: Tensor, true: Tensor, emphasis: float, sizes: Tensor | None = None) -> Tensor:
    """Mean over pixels of (1 + emphasis min(1, |true| / 0.25 max|true|)) |made - true|, over the usual size of the
    finding's change.

    Most pixels of most pictures must stay as they are, so plain L1 settles at no change. The weight depends on the
    truth alone: a pixel that truly changes counts 1 + emphasis times, one that does not counts once, wherever the map
    changes. A picture in which nothing changes counts plainly.

    Args:
        made, true: maps (B, 1, H, W).
        sizes: (B,) of `MadePairs.sizes`, so that a thin plate counts like a veil over both lungs; None for 1.
    """
    size = true.abs()
    most = size.amax(dim=(1, 2, 3), keepdim=True)
    extra = torch.where(most > 0, (size / (STRONG * most).clamp_min(1e-6)).clamp(max=1), torch.zeros_like(size))
    each = ((1 + emphasis * extra) * (made.float() - true).abs()).mean(dim=(1, 2, 3))
    return (each if sizes is None else each / sizes).mean()


def emphasis_at(step: int, first: float, last: float, steps: int) -> float:
    """The extra weight at one step: falls from `first` to `last`, by the same factor each step, within `steps`.

    In the beginning a pixel's change is so doubtful that only a large weight asks for any; in the end a large weight
    would ask for change where it is not.
    """
    if steps < 1 or step >= steps:
        return last
    share = step / steps
    return first ** (1 - share) * last**share if min(first, last) > 0 else first * (1 - share) + last * share


def pair_recovery(made: Tensor, true: Tensor) -> float:
    """1 - sum |made - true| / sum |true| over a stack of maps: 1 is perfect, 0 is no change at all."""
    return float(1 - (made.float() - true).abs().sum() / true.abs().sum().clamp_min(1e-6))


def patients_held_out(collection: Collection) -> set[str]:
    """Patients of a collection's validation and test part."""
    parts = [collection.patients[collection.split(part)].tolist() for part in ("validation", "test")]
    return {*parts[0], *parts[1]}


@overload
def made_pairs_for(pairs: Collection, pupil: Collection, preprocessing: Preprocessing) -> MadePairs: ...


@overload
def made_pairs_for(pairs: Collection | None, pupil: Collection, preprocessing: Preprocessing) -> MadePairs | None: ...


def made_pairs_for(pairs: Collection | None, pupil: Collection, preprocessing: Preprocessing) -> MadePairs | None:
    """`MadePairs` of `pairs` for a training on `pupil`, which learns nothing of its own held-back patients; None
    without pairs.
    """
    if pairs is None:
        return None
    return MadePairs(pairs, pupil.findings, preprocessing, sorted(patients_held_out(pupil)), pairs.family)


def pairs_settings(pairs: MadePairs | None) -> dict[str, Any]:
    """What a resumed run must share with the one that was stopped."""
    return {} if pairs is None else {"pairs": pairs.name}
