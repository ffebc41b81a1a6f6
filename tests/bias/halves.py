"""Stand-ins for a bias report: pictures of two halves, their true counterfactuals, and models that look at one half or
the other.
"""

from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from engine.bias.interventions import Counterfactuals, Interventions
from engine.bias.report.compute import bias_report
from engine.checkpoints.metrics import Metrics
from engine.metrics.measure import Measure
from engine.metrics.subjects import Variant

N, SIZE = 160, 8


class Films:
    """Small pictures: the upper half is lighter in group b, the lower half where the finding is."""

    name, description, findings = "films", "films of two halves", ("Finding",)

    def __init__(self, n=N, patients=None, unknown=0, few=None):
        random = np.random.default_rng(0)
        self.group = np.where(random.random(n) < 0.5, "a", "b")
        if few is not None:
            self.group[:] = "a"
            self.group[:few] = "b"
        self.labels = (random.random((n, 1)) < 0.5).astype(np.float32)
        self.severity = self.labels[:, 0] * 40 + random.normal(0, 15, n)
        self.base = random.normal(100, 4, (n, SIZE, SIZE)).astype(np.float32)
        self.patients = np.array([f"p{i:04d}" for i in range(n)]) if patients is None else patients
        known = self.group.copy()
        known[:unknown] = ""
        self.attributes = {"group": known}

    def __len__(self):
        return len(self.labels)

    def picture(self, index, value):
        picture = self.base[index].copy()
        picture[: SIZE // 2] += 30 * (value == "b")
        picture[SIZE // 2 :] += self.severity[index]
        return picture


class Made(Interventions):
    """True counterfactuals with a disturbance of the null intervention, and whatever quality is claimed."""

    name, attributes, size, exact = "made-up", {"group": ("a", "b")}, SIZE, False

    def __init__(self, effectiveness=(0.95, 0.9), auc=0.0, disturbed=0.0, traces=0.0, tint=0.0):
        low = 0.05
        rows = [
            Measure("effectiveness", "", e, e - low, min(1, e + low), 200, attribute="group", attribute_value=v)
            for v, e in zip("ab", effectiveness)
        ]
        self.quality = {"group": (*rows, Measure("effect", "Finding", auc, None, None, 200, variant=Variant.AUC))}
        self.disturbed, self.traces, self.tint = disturbed, traces, tint

    def counterfactuals(self, collection, indices, attribute, progress=None, seed=0, size=None):
        values = self.values_of(attribute)
        noise = np.random.default_rng(seed).normal(0, self.disturbed, (len(indices), 1, 1)).astype(np.float32)
        pictures = {v: np.stack([collection.picture(i, v) for i in indices]) + noise for v in values}
        for value in values:  # what making another picture leaves in it
            pictures[value][collection.group[indices] != value, SIZE // 2 :] += self.traces
        pictures["b"][:, SIZE // 2 :] += self.tint  # and what making any picture of group b leaves in it
        original = np.stack([collection.picture(i, collection.group[i]) for i in indices])
        z = np.stack([collection.severity[indices], collection.labels[indices, 0]], 1).astype(np.float32)
        if progress:
            progress(len(indices), len(indices))
        return Counterfactuals(attribute, values, collection.group[indices], original, pictures, z)


class Exact(Made):
    exact = True


class Three(Made):
    """With a third value that nobody has, and that looks like a."""

    attributes: ClassVar = {"group": ("a", "b", "c")}

    def __init__(self):
        super().__init__()
        self.quality = {
            "group": tuple(
                Measure("effectiveness", "", 0.95, 0.9, 1.0, 200, attribute="group", attribute_value=v) for v in "abc"
            )
        }


class Classifier:
    """Log-odds that are a weighted sum of the two halves' means."""

    findings, thresholds = ("Finding",), np.array([0.5], np.float32)
    checkpoint = SimpleNamespace(name="halves", sha256="0" * 64, identity="1" * 64, metrics=Metrics())

    def __init__(self, upper, lower):
        self.upper, self.lower = upper, lower

    def predict_proba(self, pictures):
        top, bottom = pictures[:, : SIZE // 2].mean((1, 2)) - 115, pictures[:, SIZE // 2 :].mean((1, 2)) - 120
        return (1 / (1 + np.exp(-(np.clip(self.upper * top + self.lower * bottom, -30, 30)))))[:, None].astype(
            np.float32
        )


FAIR, ITSELF = Classifier(0.0, 0.1), Classifier(1.0, 0.0)


def reported(model=FAIR, films=None, **made):
    films = films or Films()
    return bias_report(model, films, np.arange(len(films)), "group", Made(**made))
