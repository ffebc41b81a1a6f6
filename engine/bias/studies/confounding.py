"""What the bias test is asked most unkindly: attribute and answer that follow one bent shape of Z, and a generator that
leaves traces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit

from engine.bias.statistics.comparisons import COMPARISONS
from engine.bias.statistics.dependence import LEVEL, dependence
from engine.bias.statistics.equivalence import subtract_traces
from engine.bias.statistics.regressions import as_known_from
from engine.files import write_whole
from engine.metrics.intervals import cluster_index, share_interval
from engine.metrics.measure import Measure

KEPT_EVERY = 10  # repetitions
PICTURES, REGRESSION = "CIT-LR, calibrated", "CIT-LR, calibrated, g from Z alone"
UNLIKE = 0.5  # log-odds by which the answer to a generated picture differs from the patient's own, at random
A_PATIENT = 3  # pictures


@dataclass(frozen=True)
class Cell:
    """One kind of study.

    Attributes:
        name: as a row says it.
        leans: (n, k) Z to the log-odds of attribute 1. follows: to the log-odds that the model answers with.
        effect: by how much the attribute moves the log-odds; `turned` where it does so up in one half of the patients
            and down in the other.
        trace: log-odds that every picture made under value 1 carries.
        spread: standard deviations of the rest of the log-odds, for the two values.
        k: numbers of Z. within: whether patients have several pictures, and several values of the attribute.
    """

    name: str
    leans: Callable[[np.ndarray], np.ndarray]
    follows: Callable[[np.ndarray], np.ndarray]
    effect: float = 0.0
    turned: bool = False
    trace: float = 0.0
    spread: tuple[float, float] = (1.0, 1.0)
    k: int = 4
    within: bool = False


def _nothing(z: np.ndarray) -> np.ndarray:
    return np.zeros(len(z))


def _line(z: np.ndarray) -> np.ndarray:
    return z[:, 0]


def _product(z: np.ndarray) -> np.ndarray:
    return z[:, 0] * z[:, 1]


def _threshold(z: np.ndarray) -> np.ndarray:
    return (z[:, 0] > 0.5) - 0.3


LINE = Cell("linear confounding", _line, lambda z: z[:, 0] + 0.5 * z[:, 1])
PRODUCT = Cell("product confounding", lambda z: 1.5 * _product(z), lambda z: _product(z) + 0.3 * z[:, 2])
THRESHOLD = Cell("threshold confounding", lambda z: 2.2 * _threshold(z) - 0.2, lambda z: 1.5 * _threshold(z))
OPPOSITE = Cell(
    "effect 0.6, product confounding opposite to it", PRODUCT.leans, lambda z: 0.3 * z[:, 2] - _product(z), effect=0.6
)
CELLS: Sequence[Cell] = (
    Cell("no confounding", _nothing, LINE.follows),
    LINE,
    PRODUCT,
    THRESHOLD,
    replace(PRODUCT, name="product confounding, trace +0.1", trace=0.1),
    replace(PRODUCT, name="product confounding, trace -0.1", trace=-0.1),
    replace(LINE, name="linear confounding, trace +0.1", trace=0.1),
    replace(LINE, name="linear confounding, trace -0.1", trace=-0.1),
    Cell("equal means, unequal variance", lambda z: np.full(len(z), -0.85), _nothing, spread=(0.4, 2.0)),
    replace(LINE, name="attribute varies within a patient", within=True),
    replace(LINE, name="linear confounding, 20 numbers", k=20),
    replace(PRODUCT, name="product confounding, 20 numbers", k=20),
    Cell("effect 0.6, no confounding", _nothing, LINE.follows, effect=0.6),
    Cell("effect 1.2 that changes sign", _nothing, LINE.follows, effect=1.2, turned=True),
    OPPOSITE,
    Cell(
        "effect 0.6, threshold confounding opposite to it", THRESHOLD.leans, lambda z: -1.5 * _threshold(z), effect=0.6
    ),
)


@dataclass(frozen=True)
class Preset:
    """Sizes: repetitions of every cell by our tests and by the slower ones of others, and cases of a study."""

    repetitions: int = 100
    compared: int = 30
    sizes: Sequence[int] = (200, 1000)


PRESETS: Mapping[str, Preset] = {"demo": Preset(), "paper": Preset(repetitions=1000, compared=200)}
NOTE = (
    "Simulated studies: the model's log-odds are a function of Z, the effect and noise; Z is all that attribute and "
    "answer have in common. Pictures are answered with the patient's own noise and more of it. type_1_error and power "
    "are shares of studies with p at or below 0.05; a sound test of an invariant model has 0.05. 'The effect's "
    "interval misses' counts 95 % intervals that do not hold the true E Var(g | Z), of which a sound one has 0.05. "
    "GCM and PCM regress by kernels, the likelihood ratio is of models that are linear in Z."
)


@dataclass(frozen=True)
class Drawn:
    """One study: predictions (n,), codes (n,) int, Z (n, k), answers on pictures (n, 2), patients (n,) or None."""

    predictions: np.ndarray
    codes: np.ndarray
    z: np.ndarray
    pictures: np.ndarray
    patients: np.ndarray | None


def drawn(cell: Cell, n: int, seed: int) -> Drawn:
    """A study of n cases."""
    random = np.random.default_rng(seed)
    z, own = random.standard_normal((n, cell.k)), random.standard_normal(n)
    patients = np.arange(n) // A_PATIENT if cell.within else None
    codes = (random.random(n) < expit(cell.leans(z))).astype(int)
    rest = np.where(codes == 1, cell.spread[1], cell.spread[0]) * own
    if cell.within:
        rest = rest + 2 * random.standard_normal(n // A_PATIENT + 1)[patients]
    logit = cell.follows(z) + rest
    under = np.stack([logit + _moved(cell, z) * (a - 0.5) for a in range(2)], 1)  # (n, 2)
    unlike = UNLIKE * random.standard_normal((n, 2)) + cell.trace * np.arange(2)
    return Drawn(expit(under[np.arange(n), codes]), codes, z, expit(under + unlike), patients)


def _moved(cell: Cell, z: np.ndarray) -> np.ndarray:
    return cell.effect * (np.where(z[:, -1] > 0, 1.0, -1.0) if cell.turned else np.ones(len(z)))


def true_effect(cell: Cell, n: int = 200_000) -> float:
    """E Var(g | Z), by quadrature over the noise and many draws of Z; only where both values vary alike and cases stand
    alone.
    """
    z = np.random.default_rng(0).standard_normal((n, cell.k))
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    moved, base, e = _moved(cell, z), cell.follows(z), expit(cell.leans(z))
    difference = sum(
        w * (expit(base + moved / 2 + cell.spread[0] * x) - expit(base - moved / 2 + cell.spread[0] * x))
        for x, w in zip(nodes, weights / weights.sum())
    )
    return float((e * (1 - e) * difference**2).mean())


def study(
    preset: Preset, progress: Callable[[int, int], None] | None = None, runs: Path | None = None
) -> tuple[list[Measure], list[str]]:
    """Rows and remarks of `reproduce invariance-confounding`.

    Args:
        progress: called with (done, all) after each study.
        runs: folder in which finished repetitions are kept, one line of JSON each, and found again by a later call.
    """
    rows, total, done = [], len(CELLS) * len(preset.sizes) * preset.repetitions, 0
    for n in preset.sizes:
        for place, cell in enumerate(CELLS):
            file = (
                None if runs is None else runs / "invariance-confounding" / f"n{n}-{place:02d}-{preset.compared}.jsonl"
            )
            found = _finished(file, cell)[: preset.repetitions]
            done += len(found)
            for repetition in repeated(cell, n, preset, len(found)):
                found.append(repetition)
                if file is not None and (len(found) % KEPT_EVERY == 0 or len(found) == preset.repetitions):
                    _keep(file, cell, found)
                done += 1
                if progress:
                    progress(done, total)
            rows += measured(cell, n, found)
    return rows, [f"{preset.repetitions} studies a row, {preset.compared} of the tests of others."]


def _code() -> str:
    """Which code measures: a digest of this file and of the tests."""
    files = [Path(__file__), *sorted((Path(__file__).parents[1] / "statistics").glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _of(cell: Cell) -> str:
    """The first line of a file of repetitions: the cell, and the code that measures."""
    return json.dumps({"cell": cell.name, "code": _code()})


def _finished(file: Path | None, cell: Cell) -> list[dict[str, float]]:
    """Repetitions that an earlier run of the same code kept of this cell."""
    lines = file.read_text(encoding="utf-8").splitlines() if file is not None and file.exists() else []
    return [json.loads(line) for line in lines[1:]] if lines and lines[0] == _of(cell) else []


def _keep(file: Path, cell: Cell, found: Sequence[Mapping[str, float]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, "\n".join([_of(cell), *(json.dumps(repetition) for repetition in found), ""]))


def repeated(cell: Cell, n: int, preset: Preset, first: int = 0) -> Iterator[dict[str, float]]:
    """Of every repetition the p value of each test, and whether the effect's interval misses the truth (1 or 0)."""
    truth = None if cell.within or cell.spread[0] != cell.spread[1] else true_effect(cell)
    for seed in range(first, preset.repetitions):
        draw = drawn(cell, n, seed)
        units = cluster_index(draw.patients, n)[0]
        answers = subtract_traces(draw.pictures, draw.predictions, draw.codes, ("0", "1"), draw.patients).answers
        g = as_known_from(draw.z, np.clip(answers, 0, 1), units, seed)
        sample = draw.predictions, draw.codes, draw.z
        by_pictures = dependence(*sample, counterfactuals=g, patients=draw.patients, seed=seed)
        alone = dependence(*sample, patients=draw.patients, seed=seed)
        found = {PICTURES: 10**by_pictures.log10_p, REGRESSION: 10**alone.log10_p}
        low, high = by_pictures.low, by_pictures.high
        if truth is not None and low is not None and high is not None:
            found["misses"] = float(not low <= truth <= high)
        if seed < preset.compared:
            found |= {name: test(*sample, seed=seed) for name, test in COMPARISONS.items()}
        yield found


def measured(cell: Cell, n: int, found: Sequence[Mapping[str, float]]) -> list[Measure]:
    """A row for each test."""
    rows, metric = [], "power" if cell.effect else "type_1_error"
    for test in (PICTURES, REGRESSION, *COMPARISONS):
        p = np.array([outcome[test] for outcome in found if test in outcome])
        if len(p):
            rows.append(_share(metric, f"{test}; {cell.name}; n = {n}", p <= LEVEL))
    missed = np.array([outcome["misses"] for outcome in found if "misses" in outcome])
    if len(missed):
        rows.append(_share("type_1_error", f"the effect's interval misses; {cell.name}; n = {n}", missed > 0))
    return rows


def _share(metric: str, variant: str, hits: np.ndarray) -> Measure:
    low, high = share_interval(hits)
    return Measure(metric, "", float(hits.mean()), low, high, len(hits), chance=LEVEL, variant=variant)
