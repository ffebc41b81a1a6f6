"""Several methods on one scan and one finding: what each says, how far they agree, and how each fits a region."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from engine.answers import rate
from engine.checkpoints.format import Checkpoint
from engine.explanation import full_step
from engine.metrics.agreement import RegionScore, rank_correlation, region_score, strongest_overlap
from engine.preprocessing import enlarged
from pages.components.checkpoint_choice import Offers
from viewer import FindingView, PanelView

GRID = 128  # pixels a side on which maps are compared
FIRST = 4  # methods that are shown unless the reader chooses others
LARGEST = 900  # pixels a side of a panel's picture
NOT_PREDICTED = "not predicted by this model"
HELD_BACK = "held back"
OWN_LIMIT = "own limit"


@dataclass(frozen=True)
class Said:
    """What one checkpoint says of the finding.

    Attributes:
        label: of the checkpoint, as people read it.
        view: of the finding; None where there is none.
        why: why there is none, in a few words: it works, the model does not predict it, or it failed.
        unlike: it says that the scan is unlike those it was trained on.
        caution: what its card warns of, "" for nothing.
    """

    label: str
    view: FindingView | None
    why: str = ""
    unlike: bool = False
    caution: str = ""

    @property
    def map(self) -> np.ndarray | None:
        """(h, w): what speaks for the finding; of a map of changes their size. None without a map."""
        view = self.view
        if view is None or view.unsure or view.evidence.ndim != 2:
            return None
        return np.abs(view.evidence) if view.evidence_title else np.asarray(view.evidence)

    def on(self, shape: tuple[int, int]) -> np.ndarray | None:
        """The map on a grid (H, W)."""
        return None if self.map is None else enlarged(self.map, shape)

    def change(self) -> np.ndarray | None:
        """(h, w): what is added to the scan to take the finding away, in its units."""
        view = self.view
        if view is None or view.changes is None or view.steps is None or view.unsure or view.evidence.ndim != 2:
            return None
        if view.changes.ndim == 2:
            return view.changes
        return view.changes[full_step(view.steps)]


def same_finding(one: str, other: str) -> bool:
    """Whether two checkpoints mean one finding: 'Effusion' and 'Pleural Effusion'."""
    plain = [name.lower().removeprefix("pleural ").replace("_", " ").strip() for name in (one, other)]
    return plain[0] == plain[1]


def one_a_method(able: list[Checkpoint], offers: Offers, drawn_by: str) -> list[str]:
    """Identities of the best checkpoint of each method, of those made for the like of the scan where there are any.

    Of one method only, its first two.
    """
    suited = [c for c in able if c.identity in offers.alike or (drawn_by and c.collection == drawn_by)] or able
    first = {}
    for checkpoint in suited:
        first.setdefault(checkpoint.method, checkpoint.identity)
    chosen = list(first.values())[:FIRST]
    return chosen if len(chosen) > 1 else [checkpoint.identity for checkpoint in suited[:2]]


def findings_of(checkpoints: list[Checkpoint]) -> list[str]:
    """The findings that any of them knows, each once, first those that most have been shown to know."""
    names: list[str] = []
    for checkpoint in checkpoints:
        names += [name for name in checkpoint.config["findings"] if not any(same_finding(name, one) for one in names)]
    return sorted(names, key=lambda name: -sum(_tells(checkpoint, name) for checkpoint in checkpoints))


def _tells(checkpoint: Checkpoint, finding: str) -> bool:
    """Whether the checkpoint knows the finding, and nothing says that its AUC is chance."""
    own = next((name for name in checkpoint.config["findings"] if same_finding(name, finding)), None)
    auc = None if own is None else rate(checkpoint.metrics.rows, "auc", own)
    return own is not None and (auc is None or auc.low is None or auc.chance is None or auc.low > auc.chance)


def smaller(pixels: np.ndarray) -> np.ndarray:
    """(h, w) float32: a picture of at most LARGEST a side, so that many of it can be sent."""
    scale = LARGEST / max(pixels.shape)
    if scale >= 1:
        return pixels
    size = max(16, round(pixels.shape[1] * scale)), max(16, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def common_scale(said: Sequence[Said]) -> tuple[Callable[[FindingView], float], float, str]:
    """One scale for all maps of a finding: (what a map is multiplied by, where its colour bar ends, its unit).

    Maps of one unit share the largest limit; maps of several are each shown in shares of the limit that its checkpoint
    has for every scan.
    """
    views = [one.view for one in said if one.view is not None]
    units = {view.evidence_unit for view in views}
    if len(units) == 1:
        limit = max(view.evidence_limit for view in views)
        return (lambda view: 1.0), limit, units.pop()
    return (lambda view: 1 / view.evidence_limit), 1.0, OWN_LIMIT


def panels(
    base: np.ndarray,
    window: tuple[float, float],
    said: Sequence[Said],
    finding: str,
    with_changes: bool,
    truth: np.ndarray | None,
) -> list[PanelView]:
    """A row of the scan and every map; below it, where that is wanted, a row of the scan without the finding.

    Args:
        base: (H, W), the scan as it is sent.
        truth: (H, W), what the true counterfactual adds to it; None where nobody knows.
    """
    factor, limit, unit = common_scale(said)
    first, second = [PanelView("Scan", base=base, window=window)], []
    if truth is None:
        second.append(PanelView("Scan", base=base, window=window))
    else:
        second.append(PanelView(f"The truth without {finding.lower()}", "as drawn", base=base + truth, window=window))
    for one in said:
        first.append(_map_panel(base, window, one, factor, limit, unit))
        change = one.change()
        if change is None:
            why = one.why or ("makes none" if one.view is not None and not one.view.unsure else "cannot tell")
            second.append(PanelView(one.label, why, base=base, window=window))
            continue
        view = one.view
        assert view is not None and view.probabilities is not None and view.steps is not None
        left = float(np.interp(1.0, view.steps, view.probabilities))
        without = base + enlarged(change, base.shape)
        second.append(PanelView(one.label, f"without, p {left:.2f}", base=without, window=window))
    return [*first, *second] if with_changes else first


def _map_panel(base, window, one: Said, factor: Callable[[FindingView], float], limit: float, unit: str) -> PanelView:
    view = one.view
    if view is None or view.unsure or view.evidence.ndim != 2:
        return PanelView(one.label, one.why or "cannot tell", base=base, window=window)
    said = f"p {view.probability:.2f}, {'positive' if view.probability > view.threshold else 'negative'}"
    return PanelView(
        one.label,
        said + (", scan unlike its training" if one.unlike else ""),
        base=base,
        map=np.asarray(view.evidence * factor(view), np.float32),
        map_limit=limit,
        map_unit=unit,
        window=window,
        sequential=view.sequential,
        alt=f"{one.label}: map of {view.name}, {said}",
    )


def agreement_table(said: Sequence[Said]) -> str:
    """A table of every pair of maps as HTML: overlap of the strongest tenth, and rank correlation."""
    maps = [one.on((GRID, GRID)) for one in said]
    head = "".join(f"<th>{number}</th>" for number in range(1, len(said) + 1))
    rows = []
    for number, (one, its) in enumerate(zip(said, maps), 1):
        cells = "".join(_agreement_cell(its, other, its is other) for other in maps)
        rows.append(f"<tr><td>{number}</td><td>{html.escape(one.label)}</td>{cells}</tr>")
    return (
        "<div class='per-finding'><h2>Agreement of the maps</h2><table><thead><tr><th></th><th></th>"
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table><p class='note'>Overlap of the strongest tenth "
        "(1 is the same tenth, two unrelated maps reach about 0.05), then Spearman's rank correlation of all places."
        "</p></div>"
    )


def disagreement(said: Sequence[Said]) -> float | None:
    """One less the mean overlap of the strongest tenth over all pairs of maps, in [0, 1]; None for fewer than two."""
    maps = [its for one in said if (its := one.on((GRID, GRID))) is not None]
    pairs = [strongest_overlap(one, other) for place, one in enumerate(maps) for other in maps[place + 1 :]]
    return 1 - float(np.mean(pairs)) if pairs else None


def _agreement_cell(one: np.ndarray | None, other: np.ndarray | None, same: bool) -> str:
    if one is None or other is None or same:
        return "<td><i>-</i></td>"
    rank = rank_correlation(one, other)
    return f"<td>{strongest_overlap(one, other):.2f} <i>/</i> {'-' if rank is None else f'{rank:.2f}'}</td>"


def answers_table(said: Sequence[Said], scores: Mapping[str, Sequence[RegionScore | None]]) -> str:
    """What each method says, and how its map fits each region, as HTML.

    Args:
        scores: region's name to a score of each of `said`; None where there is no map.
    """
    regions = "".join(
        f"<th>{html.escape(name)}: IoU</th><th>strongest point</th><th>mass inside</th>" for name in scores
    )
    rows = []
    for place, one in enumerate(said):
        view, cells = one.view, ""
        for each in scores.values():
            cells += _score_cells(each[place])
        if view is None or view.unsure:
            words = html.escape(one.why or "cannot tell")
            answer = f"<td colspan='3'><i>{words}</i></td>"
        else:
            call = "positive" if view.probability > view.threshold else "negative"
            answer = f"<td>{view.probability:.2f}</td><td>{view.threshold:.2f}</td><td>{call}</td>"
        rows.append(f"<tr><td>{place + 1}</td><td>{html.escape(one.label)}</td>{answer}{cells}</tr>")
    chance = "".join(
        f"<p class='note'>{html.escape(name)} covers {100 * known.chance:.1f} % of the picture: that share of "
        "the mass of a map that knows nothing lies inside. IoU: with as many of the map's strongest places.</p>"
        for name, each in scores.items()
        if (known := next((score for score in each if score is not None), None)) is not None
    )
    chance += "".join(
        f"<p class='note'>{html.escape(one.label)}: caution. {html.escape(one.caution)}</p>"
        for one in said
        if one.caution
    )
    return (
        "<div class='per-finding'><h2>What each says</h2><table><thead><tr><th></th><th></th><th>probability</th>"
        f"<th>operating point</th><th>call</th>{regions}</tr></thead><tbody>{''.join(rows)}</tbody></table>{chance}"
        "</div>"
    )


def _score_cells(score: RegionScore | None) -> str:
    if score is None:
        return "<td><i>-</i></td>" * 3
    mass = "-" if score.mass is None else f"{100 * score.mass:.0f} %"
    return f"<td>{score.iou:.2f}</td><td>{'inside' if score.hit else 'outside'}</td><td>{mass}</td>"


def region_scores(said: Sequence[Said], region: np.ndarray) -> list[RegionScore | None]:
    """How each map fits a region (H, W) bool; None for all where it is empty."""
    grid = cv2.resize(region.astype(np.float32), (2 * GRID, 2 * GRID), interpolation=cv2.INTER_AREA) > 0.5
    if not grid.any():
        return [None] * len(said)
    return [None if (its := one.on(grid.shape)) is None else region_score(its, grid) for one in said]
