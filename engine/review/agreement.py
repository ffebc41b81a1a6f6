"""Read first: how far readers agree with each other and with a model, what they change once its answer is revealed,
whether that helps, and how far they are pulled along.

Two opposite biases are measured where a model's answer and the reader's own differ:

- automation bias: a reader who was right takes over a wrong answer of the model;
- anchoring: a reader stays at his own first reading whatever the model says.

Sources: Cohen, Educ. Psychol. Meas. 20 (1960); Fleiss, Psychol. Bull. 76 (1971); the weight of advice of Harvey and
Fischer, Organ. Behav. Hum. Decis. Process. 70 (1997); automation bias as in Goddard et al., JAMIA 19 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.metrics.intervals import bootstrap, mean_interval, share_interval
from engine.review.records import AIDS, Reading

DISAGREES = 0.1  # difference of confidence and model's answer from which the weight of advice is defined
MODEL = "the model"
SHOWN = {(): "answer alone", ("pictures",): "with pictures", ("words",): "with words", AIDS: "with pictures and words"}


@dataclass(frozen=True)
class Estimate:
    """One number with its 95 % interval.

    Attributes:
        value: a share in [0, 1], a kappa in [-1, 1], or a weight of advice.
        low, high: None where there are fewer than two scans, or they vary in nothing.
        n: of how many readings, or of how many things that were read by all.
    """

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Pair:
    """What one reader thought of one finding on one scan, before and after the reveal, and the model's answer."""

    before: Reading
    after: Reading

    @property
    def scan(self) -> str:
        return self.before.scan_sha256

    @property
    def item(self) -> tuple[str, str, str]:
        """Scan, finding and model."""
        return self.scan, self.before.finding, self.before.checkpoint_identity

    @property
    def model(self) -> bool:
        """Whether the model calls the finding present."""
        return bool(self.after.model_present)

    @property
    def truth(self) -> bool | None:
        """Whether the finding is there, where that is known."""
        return self.after.truth if self.after.truth is not None else self.before.truth

    @property
    def changed(self) -> bool:
        return self.before.present != self.after.present

    @property
    def advice(self) -> float:
        """The model's answer on the reader's scale, on which its operating point is one half."""
        assert self.after.probability is not None and self.after.threshold is not None
        odds = _log_odds(self.after.probability) - _log_odds(self.after.threshold)
        return 1 / (1 + math.exp(-odds))


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance of two readers (Cohen), or of all of them (Fleiss; `second` is then empty)."""

    first: str
    second: str
    stage: str
    estimate: Estimate


@dataclass(frozen=True)
class Influence:
    """What the reveal did to one reader, or to all.

    Attributes:
        reader: the name; empty for all.
        changed: share of calls that were changed.
        towards: of those changed, the share that went to the model's answer; None where none was.
        right_before, right_after: share of calls that are right, where the truth is known; else None.
        helped, harmed: share of calls that became right, and that became wrong.
        automation: where the model is wrong and the reader was right: the share that took over the wrong answer.
        accepted: where the model is right and the reader was wrong: the share that took over the right answer.
        advice: mean weight of advice, where the model's answer differs from the reader's: 0 stays at the own reading, 1
            takes the model's answer.
        anchoring: where model and reader call differently: the share that stays with its own call.
    """

    reader: str
    changed: Estimate
    towards: Estimate | None
    right_before: Estimate | None
    right_after: Estimate | None
    helped: Estimate | None
    harmed: Estimate | None
    automation: Estimate | None
    accepted: Estimate | None
    advice: Estimate | None
    anchoring: Estimate | None


def pairs(readings: Iterable[Reading]) -> list[Pair]:
    """The first reading before the reveal and the first one after it, of each reader, scan, finding and model; not of
    findings on which the model has no answer, nor of those whose reader had seen the model before.
    """
    return [pair for pair in _all_pairs(readings) if not pair.before.saw_model]


def seen_before(readings: Iterable[Reading]) -> list[Pair]:
    """Those that `pairs` leaves out because the reader had seen the model's answer before the first reading."""
    return [pair for pair in _all_pairs(readings) if pair.before.saw_model]


def _all_pairs(readings: Iterable[Reading]) -> list[Pair]:
    first: dict[tuple, dict[str, Reading]] = {}
    for reading in sorted(readings, key=lambda one: one.created):
        if reading.probability is None and reading.stage == "after":
            continue
        key = (reading.reader, reading.scan_sha256, reading.finding, reading.checkpoint_identity)
        first.setdefault(key, {}).setdefault(reading.stage, reading)
    return [Pair(both["before"], both["after"]) for both in first.values() if len(both) == 2]


def cohen_kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """kappa = (p_o - p_e) / (1 - p_e) of two raters' calls; None where both always say the same one."""
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    observed = float((a == b).mean())
    expected = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(calls: np.ndarray) -> float | None:
    """Fleiss' kappa of (items, raters) bool; None where all calls are the same."""
    calls = np.asarray(calls, bool)
    raters = calls.shape[1]
    counts = np.stack([calls.sum(axis=1), raters - calls.sum(axis=1)], axis=1)
    observed = float(((counts**2).sum(axis=1) - raters).mean() / (raters * (raters - 1)))
    expected = float(((counts.sum(axis=0) / calls.size) ** 2).sum())
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def kappas(pairs: Sequence[Pair], seed: int = 0) -> list[Kappa]:
    """Of every two readers, of each reader and the model, and of all readers together, before and after the reveal."""
    found = []
    readers = sorted({pair.before.reader for pair in pairs})
    for stage in ("before", "after"):
        calls: dict[str, dict[tuple, bool]] = {reader: {} for reader in readers}
        for pair in pairs:
            calls[pair.before.reader][pair.item] = getattr(pair, stage).present
        calls[MODEL] = {pair.item: pair.model for pair in pairs}
        for first, second in combinations([*readers, MODEL], 2):
            if (one := _kappa(calls, (first, second), seed)) is not None:
                found.append(Kappa(first, second, stage, one))
        if len(readers) > 2 and (all_ := _kappa(calls, tuple(readers), seed)) is not None:
            found.append(Kappa("all readers", "", stage, all_))
    return found


def _kappa(calls: dict[str, dict[tuple, bool]], raters: tuple[str, ...], seed: int) -> Estimate | None:
    """Over what all of `raters` read; the interval by drawing scans, since findings of one scan belong together."""
    items = sorted(set.intersection(*(set(calls[rater]) for rater in raters)))
    if not items:
        return None
    table = np.array([[calls[rater][item] for rater in raters] for item in items])
    of = (lambda t: cohen_kappa(t[:, 0], t[:, 1])) if len(raters) == 2 else fleiss_kappa
    value = of(table)
    if value is None:
        return None
    rows = np.arange(len(items))

    def drawn(weights: np.ndarray) -> np.ndarray:
        kappas = (of(table[np.repeat(rows, one.astype(int))]) for one in weights)
        return np.array([np.nan if kappa is None else kappa for kappa in kappas])

    low, high = bootstrap(drawn, len(items), [item[0] for item in items], seed=seed)
    return Estimate(value, low, high, len(items))


def influence(pairs: Sequence[Pair], reader: str = "") -> Influence | None:
    """What the reveal did to a reader, or to all; None where nobody has read before and after it."""
    own = [pair for pair in pairs if not reader or pair.before.reader == reader]
    if not own:
        return None
    known = [(pair, pair.truth) for pair in own if pair.truth is not None]
    changed = [pair for pair in own if pair.changed]
    wrong_model = [(p, t) for p, t in known if p.model != t and p.before.present == t]
    right_model = [(p, t) for p, t in known if p.model == t and p.before.present != t]
    differ = [pair for pair in own if pair.before.present != pair.model]
    advised = [pair for pair in own if abs(pair.advice - pair.before.confidence) >= DISAGREES]
    everyone = _share([pair.changed for pair in own], own)
    assert everyone is not None
    return Influence(
        reader=reader,
        changed=everyone,
        towards=_share([pair.after.present == pair.model for pair in changed], changed),
        right_before=_share([p.before.present == t for p, t in known], [p for p, _ in known]),
        right_after=_share([p.after.present == t for p, t in known], [p for p, _ in known]),
        helped=_share([p.before.present != t and p.after.present == t for p, t in known], [p for p, _ in known]),
        harmed=_share([p.before.present == t and p.after.present != t for p, t in known], [p for p, _ in known]),
        automation=_share([p.after.present != t for p, t in wrong_model], [p for p, _ in wrong_model]),
        accepted=_share([p.after.present == t for p, t in right_model], [p for p, _ in right_model]),
        advice=_mean(
            [(p.after.confidence - p.before.confidence) / (p.advice - p.before.confidence) for p in advised],
            advised,
        ),
        anchoring=_share([pair.after.present == pair.before.present for pair in differ], differ),
    )


def by_aids(pairs: Sequence[Pair]) -> dict[str, Influence]:
    """The same for all readers, apart for what the reveal showed: see SHOWN; only what there is."""
    apart = {words: [pair for pair in pairs if pair.after.aids == aids] for aids, words in SHOWN.items()}
    return {words: one for words, own in apart.items() if (one := influence(own)) is not None}


def _share(hits: Sequence[bool], of: Sequence[Pair]) -> Estimate | None:
    """Share with Wilson's interval; what is said of one scan belongs together."""
    if not hits:
        return None
    return Estimate(float(np.mean(hits)), *share_interval(np.asarray(hits), [pair.scan for pair in of]), len(hits))


def _mean(values: Sequence[float], of: Sequence[Pair]) -> Estimate | None:
    """Mean with Student's interval; what is said of one scan belongs together."""
    if not values:
        return None
    return Estimate(float(np.mean(values)), *mean_interval(values, [pair.scan for pair in of]), len(values))


def _log_odds(probability: float) -> float:
    inside = min(1 - 1e-6, max(1e-6, probability))
    return math.log(inside / (1 - inside))
