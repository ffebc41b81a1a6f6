"""What is asked of a model about the scan on show, and how its records become what the viewer shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.checkpoints.detector import only_drawn
from engine.checkpoints.format import Checkpoint
from engine.explanation import Path
from engine.queue import Progress
from engine.regions import Region
from engine.scan import Scan
from pages.components import common, detectors, open_scans, volumes, words
from pages.components.shelf import OpenScan, Told
from pages.components.trust import trust
from viewer import FindingView


@dataclass(frozen=True)
class Explained:
    """Everything on show about a scan, sorted by how far above its operating point a finding lies; what tells nothing
    comes last.

    `likeness` is (score, limit); None for a model of which nobody here knows what it was trained on. `unlike` says that
    the scan is not like what it was. `difference` is where the colour bar of a difference ends, and the grey range,
    both in the scan's units; None without counterfactuals. `regions` is the tree of the first finding, None for a
    method without one.
    """

    findings: tuple[FindingView, ...]
    likeness: tuple[float, float] | None
    unlike: bool
    difference: tuple[float, float] | None
    regions: Region | None = None

    @property
    def told(self) -> Told:
        """The same in a few numbers, for the list of scans."""
        sure = [view for view in self.findings if not view.unsure]
        flips = [flip for view in sure if (flip := flips_at(view)) is not None]
        return Told(
            tuple(view.name for view in sure if view.probability > view.threshold),
            min(flips, default=None),
            None if self.likeness is None else self.likeness[0] / self.likeness[1],
        )


def flips_at(view: FindingView) -> float | None:
    """The share of a finding that must be taken away to turn its positive call (`Path.flip`); None where none does."""
    if view.steps is None or view.probabilities is None:
        return None
    path = Path(np.asarray(view.steps), np.asarray(view.probabilities), np.zeros((len(view.steps), 1, 1)), 1.0)
    return path.flip(view.threshold)


def explaining(
    opened: OpenScan, scan: Scan, checkpoint: Checkpoint, device: str
) -> tuple[tuple, Callable[[Progress], Explained]]:
    """Key and work of the worker's job for this scan, a slice of the opened one, and checkpoint; for a checkpoint of
    volumes it is the same job for every slice.
    """
    whole = volumes.explains_whole(checkpoint)
    drawn = only_drawn(checkpoint, opened.drawn_by)
    rates = checkpoint.metrics.rows
    signed = common.method_of(checkpoint).signed

    def work(progress):
        if whole:
            records = volumes.records(checkpoint, device, opened.scan, progress)
        else:
            records = common.model_of(checkpoint, device).explain(scan, progress=progress)
        records = [replace(record, only_drawn=drawn) for record in records]
        records.sort(
            key=lambda r: (
                words.no_answer(r, rates) is not None,
                words.log_odds(r.threshold) - words.log_odds(r.probability),
            )
        )
        likeness = None if whole or drawn else detectors.likeness(checkpoint)
        views = tuple(
            volumes.finding_view(
                record,
                opened.scan,
                rates,
                not place,
                signed,
                open_scans.true_change(opened, record.finding),
                common.method_of(checkpoint).title,
            )
            if whole
            else words.finding_view(
                record,
                scan,
                rates,
                not place,
                drawn,
                open_scans.true_change(opened, record.finding),
                signed,
                trust(record, scan, rates, likeness),
            )
            for place, record in enumerate(records)
        )
        path = records[0].path
        difference = None if path is None else (path.change_limit * path.grey_range, path.grey_range)
        return Explained(
            views, records[0].in_distribution, records[0].like_training is False, difference, records[0].regions
        )

    explained = opened.scan if whole else scan
    words_rest_on = (explained.window, explained.spacing_mm, explained.spacing_at, checkpoint.metrics, drawn)
    return ("explain", explained.sha256, checkpoint.identity, device, words_rest_on), work
