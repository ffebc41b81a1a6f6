"""From real ratings to the diagnosis, without pictures: how well the attributes of LIDC's nodules tell malignant ones,
which of them account for it, and whether what that rests on holds (section 4.3 of Liu et al. 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from engine.datasets.lidc_annotations import ATTRIBUTES, Nodule, annotations_file, read_nodules
from engine.datasets.nodule_crops import FINDINGS, chosen_nodules
from engine.errors import UsageError
from engine.methods.causal_alignment.ccce import LARGEST_SUBSET, DiagnosisTable, coverage, monotonicity_violations
from engine.methods.causal_alignment.network import DiagnosisNetwork
from engine.metrics.classification import accuracy, auc
from engine.metrics.intervals import bootstrap, resamples
from engine.metrics.measure import Measure

FINDING = FINDINGS[0]
FOLDS = 5  # by patient; every nodule is called by a network that never saw its patient
FALLING = ("margin", "texture")  # a low rating is what malignant nodules have
TOP = 8  # subsets that are listed
FEWEST = 30  # malignant nodules of which a mean CCCE is told
CELL = 5  # cases that a cell needs to speak for itself


@dataclass(frozen=True)
class Preset:
    """Sizes: epochs, seeds and hidden units of the attribute network, and resamples of the intervals."""

    epochs: int = 200
    seeds: int = 3
    hidden: int = 16
    draws: int = 300


PRESETS: Mapping[str, Preset] = {"demo": Preset(), "paper": Preset(seeds=10, draws=1000)}
NOTE = (
    "Nodules of 7 mm and more in the 615 scans of LIDC-IDRI whose spiculation and lobulation were rated on the final "
    "scale; malignant is a median rating of 4 or 5, as in the paper, which gives no numbers for ratings alone. AUC and "
    f"accuracy are of {FOLDS} parts by patient. 'CCCE of' a set is its mean over the malignant nodules that show all "
    "of it: the share of their diagnosis that would be gone without it. It is causal only as far as its assumptions "
    "hold; the rows and remarks on them say how far. Intervals resample patients."
)


def study(preset: Preset, progress: Callable[[int, int], None] | None = None) -> tuple[list[Measure], list[str]]:
    """Rows and remarks of `reproduce causal-alignment-attributes`.

    Raises:
        UsageError: the annotations of LIDC are not installed.
    """
    try:
        nodules = chosen_nodules(read_nodules(annotations_file()))
    except FileNotFoundError as missing:
        raise UsageError(str(missing)) from missing
    return measured(nodules, preset, progress)


def measured(
    nodules: Sequence[Nodule], preset: Preset, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Measure], list[str]]:
    """All rows and remarks of these nodules."""
    a = np.array([n.attributes for n in nodules])
    y = np.array([n.malignant for n in nodules])
    patients = np.array([n.patient for n in nodules])
    diameter = np.array([n.diameter_mm for n in nodules])
    ratings = np.array([[n.rating(name) for name in ATTRIBUTES] for n in nodules], float)
    step, steps = 0, 4

    def done() -> None:
        nonlocal step
        step += 1
        if progress:
            progress(step, steps)

    rows = called(a, y, patients, diameter, ratings, preset)
    done()
    alone, top, remarks = causes(a, y, patients, preset)
    done()
    correlations = rank_correlations(nodules, ratings, patients, preset)
    rows += [row for pair in zip(alone, correlations, strict=True) for row in pair] + top
    remarks += compared(alone, correlations)
    done()
    more, said = assumptions(a, y, patients, diameter, preset)
    done()
    return rows + more, remarks + said


def called(
    a: np.ndarray, y: np.ndarray, patients: np.ndarray, diameter: np.ndarray, ratings: np.ndarray, preset: Preset
) -> list[Measure]:
    """AUC and accuracy of the attribute network on patients that it never saw, and what else tells malignant nodules.

    Args:
        a: (n, 6) of 0 and 1. y: (n,) of 0 and 1. patients: (n,). diameter: (n,) mm. ratings: (n, 6) of 1 to 6.
    """
    network = out_of_fold(a, y, patients, lambda x, t: attribute_network(x, t, preset))
    scaled = (ratings - ratings.mean(0)) / np.maximum(ratings.std(0), 1e-9)
    whole = out_of_fold(scaled, y, patients, logistic)
    with_size = out_of_fold(np.column_stack([scaled, np.log(diameter)]), y, patients, logistic)
    scores = {
        "six attributes, two-layer network": network,
        "six ratings from 1 to 5, logistic regression": whole,
        "six ratings and diameter, logistic regression": with_size,
        "diameter alone": diameter,
    }
    rows = [_named(auc(y, score, finding=FINDING, groups=patients), name) for name, score in scores.items()]
    name = next(iter(scores))
    return [*rows, _named(accuracy(y, network, 0.5, finding=FINDING, groups=patients), name)]


def out_of_fold(
    x: np.ndarray, y: np.ndarray, patients: np.ndarray, fit: Callable[[np.ndarray, np.ndarray], Callable]
) -> np.ndarray:
    """(n,) probabilities of nodules by a model that was fitted without their patient."""
    found = np.empty(len(y))
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=42).split(x, y, patients):
        found[test] = fit(x[train], y[train])(x[test])
    return found


def logistic(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A logistic regression, as a function to probabilities."""
    model = LogisticRegression(C=1.0, max_iter=1000).fit(x, y)
    return lambda new: model.predict_proba(new)[:, 1]


def attribute_network(a: np.ndarray, y: np.ndarray, preset: Preset) -> Callable[[np.ndarray], np.ndarray]:
    """f_theta2 fitted to attributes and diagnoses: the mean of networks from several seeds."""
    x, t = torch.from_numpy(a).float(), torch.from_numpy(y).float()
    networks = []
    for seed in range(preset.seeds):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = DiagnosisNetwork(a.shape[1], preset.hidden)
            optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=1e-2)
            for _ in range(preset.epochs):
                optimiser.zero_grad()
                F.binary_cross_entropy_with_logits(network(x), t).backward()
                optimiser.step()
        networks.append(network.eval())

    @torch.no_grad()
    def probabilities(new: np.ndarray) -> np.ndarray:
        odds = torch.stack([network(torch.from_numpy(new).float()) for network in networks])
        return torch.sigmoid(odds).mean(0).double().numpy()

    return probabilities


def causes(
    a: np.ndarray, y: np.ndarray, patients: np.ndarray, preset: Preset
) -> tuple[list[Measure], list[Measure], list[str]]:
    """CCCE of each attribute alone, of the best subsets, and how often each attribute is in a nodule's best subset."""
    p = a.shape[1]
    subsets = [s for size in range(1, LARGEST_SUBSET + 1) for s in combinations(range(p), size)]
    subsets = [s for s in subsets if (a[y == 1][:, s] == 1).all(1).sum() >= FEWEST or len(s) == 1]
    value = mean_ccce(a, y, subsets)
    drawn = np.array(
        [
            mean_ccce(np.repeat(a, counts, 0), np.repeat(y, counts), subsets)
            for weights in resamples(patients, len(y), preset.draws)
            for counts in weights.astype(int)
        ]
    )
    low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)

    def row(place: int) -> Measure:
        names = " and ".join(ATTRIBUTES[k] for k in subsets[place])
        n = int((a[y == 1][:, subsets[place]] == 1).all(1).sum())
        ends = (float(low[place]), float(high[place])) if n else (None, None)
        return Measure("effect", FINDING, value[place], *ends, n=max(n, 1), chance=0.0, variant=f"CCCE of {names}")

    order = sorted(range(len(subsets)), key=lambda k: -value[k])
    table = DiagnosisTable.fit(ATTRIBUTES, a, y)
    r = table.causal_attributes(a[y == 1], y[y == 1])
    remarks = [
        "Share of the malignant nodules whose best subset holds it: "
        + ", ".join(f"{ATTRIBUTES[k]} {r[:, k].mean():.2f}" for k in np.argsort(-r.mean(0)))
        + "."
    ]
    return [row(k) for k in range(p)], [row(k) for k in order if len(subsets[k]) > 1][:TOP], remarks


def mean_ccce(a: np.ndarray, y: np.ndarray, subsets: Sequence[tuple[int, ...]]) -> np.ndarray:
    """(k,) the mean CCCE of each subset over the malignant people who show all of it, 0 where nobody does."""
    table = DiagnosisTable.fit(ATTRIBUTES, a, y)
    people, counts = np.unique(a[y == 1], axis=0, return_counts=True)
    found = np.zeros(len(subsets))
    for place, subset in enumerate(subsets):
        shows = people[:, subset].all(axis=1)
        if shows.any():
            each = [table.ccce(person, 1, subset) for person in people[shows]]
            found[place] = np.average(each, weights=counts[shows])
    return found


def rank_correlations(
    nodules: Sequence[Nodule], ratings: np.ndarray, patients: np.ndarray, preset: Preset
) -> list[Measure]:
    """Spearman of each attribute's median rating with that of malignancy, towards what 1 means."""
    malignancy = stats.rankdata([n.rating("malignancy") for n in nodules])
    rows = []
    for k, name in enumerate(ATTRIBUTES):
        rank = stats.rankdata(-ratings[:, k] if name in FALLING else ratings[:, k])
        statistic = _weighted_correlation(rank, malignancy)
        value = float(statistic(np.ones((1, len(rank))))[0])
        ends = bootstrap(statistic, len(rank), patients, preset.draws)
        variant = f"ratings of {name} and malignancy"
        rows.append(Measure("spearman", FINDING, value, *ends, n=len(rank), chance=0.0, variant=variant))
    return rows


def compared(alone: Sequence[Measure], correlations: Sequence[Measure]) -> list[str]:
    """Whether CCCE and the rank correlations put the attributes in the same order."""
    ccce, rank = (np.array([row.value for row in rows]) for rows in (alone, correlations))
    order = lambda values: ", ".join(ATTRIBUTES[k] for k in np.argsort(-values))
    agreement = float(np.corrcoef(stats.rankdata(ccce), stats.rankdata(rank))[0, 1])
    return [
        f"By CCCE: {order(ccce)}. By rank correlation: {order(rank)}. The two orders of {len(ATTRIBUTES)} agree with a "
        f"Spearman of {agreement:.2f}."
    ]


def assumptions(
    a: np.ndarray, y: np.ndarray, patients: np.ndarray, diameter: np.ndarray, preset: Preset
) -> tuple[list[Measure], list[str]]:
    """What CCCE takes for granted, held against the data: monotonicity, enough cases, and no common cause."""
    table = DiagnosisTable.fit(ATTRIBUTES, a, y)
    violations, pairs = monotonicity_violations(table)
    cells = a @ (1 << np.arange(a.shape[1]))
    statistic = within_cells_auc(cells, y, diameter)
    value = float(statistic(np.ones((1, len(y))))[0])
    ends = bootstrap(statistic, len(y), patients, preset.draws)
    row = Measure(
        "auc",
        FINDING,
        value,
        *ends,
        n=len(y),
        chance=0.5,
        variant="diameter, among nodules with the same six attributes",
    )
    said = [
        f"Monotonicity: {len(violations)} of {pairs} pairs of cells contradict it beyond chance."
        + "".join(
            f" {v.attribute} lowers malignancy from {v.absent:.2f} to {v.present:.2f} (p {v.p_value:.3f}) where "
            + ", ".join(f"{name} is {value}" for name, value in v.others.items())
            + "."
            for v in violations
        ),
        f"{100 * coverage(table, CELL):.0f} % of the nodules stand in cells of at least {CELL}; what is said of the "
        f"others rests on a logistic regression. {int((table.cases == 0).sum())} of {table.cases.size} cells are "
        "empty.",
    ]
    if row.low is not None and row.low > 0.5:
        said.append(
            "Exogeneity does not hold: among nodules with the same attributes the larger ones are called malignant, so "
            "size moves ratings and diagnosis alike, and CCCE overstates what the attributes cause."
        )
    return [row], said


def within_cells_auc(cells: np.ndarray, y: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How often a positive has a higher score than a negative of the same cell, as a function of weights (d, n)."""
    up, down = [], []
    for cell in np.unique(cells):
        here = np.flatnonzero(cells == cell)
        p, n = here[y[here] == 1], here[y[here] == 0]
        up.append(np.repeat(p, len(n)))
        down.append(np.tile(n, len(p)))
    first, second = np.concatenate(up), np.concatenate(down)
    wins = np.where(score[first] > score[second], 1.0, np.where(score[first] == score[second], 0.5, 0.0))

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.array([np.average(wins, weights=w[first] * w[second]) for w in weights])

    return statistic


def _weighted_correlation(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def statistic(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(1, keepdims=True)
        dx, dy = x - weights @ x[:, None] / total, y - weights @ y[:, None] / total  # (d, n)
        return (weights * dx * dy).sum(1) / np.sqrt((weights * dx**2).sum(1) * (weights * dy**2).sum(1))

    return statistic


def _named(row: Measure, variant: str) -> Measure:
    return replace(row, variant=variant)
