"""The scan on the Review page, alone or beside where a model looked; every panel can be drawn on."""

from __future__ import annotations

import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.preprocessing import enlarged
from engine.scan import Scan
from pages.components import open_scans, priors, scan_words, words
from pages.components.explaining import Explained
from pages.components.shelf import OpenScan
from server import sessions
from viewer import FindingView, PanelView, VolumePlace, explain_view, hanging, linked_panels

VIEW = "review"


def labels(opened: OpenScan, checkpoint: Checkpoint | None) -> list[str]:
    """What is offered for the label of a drawing."""
    return list(checkpoint.config["findings"]) if checkpoint else []


def show(opened: OpenScan, explained: Explained | None, blind: bool = False) -> None:
    """The viewer.

    Args:
        explained: what a model found, shown in further panels for a picture; None for the scan alone.
        blind: nothing is said of how a drawn scan was drawn.
    """
    scan = open_scans.chosen_slice(opened)
    findings = [] if explained is None else [finding for finding in explained.findings if not finding.unsure]
    if findings and opened.slices == 1:
        names = [finding.name for finding in findings]
        chosen = st.pills("Finding", names, default=names[0], key=f"shown {names}", label_visibility="collapsed")
        finding = next((one for one in findings if one.name == chosen), findings[0])
        linked_panels(
            _panels(scan, finding),
            key=VIEW,
            spacing_mm=scan.plane_spacing_mm,
            pixel_aspect=scan.pixel_aspect,
            scan_sha256=opened.scan.sha256,
        )
        return
    voxels, prior = open_scans.chosen_volume(opened), priors.prior_view(opened)
    explain_view(
        scan.pixels if voxels is None else voxels,
        scan.window,
        (),
        title=scan_words.scan_title(scan) if not opened.drawn_by else "Drawn picture",
        badges=scan_words.scan_badges(scan),
        spacing_mm=scan.plane_spacing_mm,
        pixel_aspect=scan.pixel_aspect,
        scale_note=scan_words.measured_at(scan),
        presets=scan_words.window_presets(opened.scan),
        noun=words.noun(scan.kind),
        picture=opened.scan.sha256,
        scan_sha256=opened.scan.sha256,
        layouts=hanging.fitting(opened.scan, prior is not None),
        layouts_for=f"{hanging.kind_of(opened.scan)} to review",
        prior=prior,
        volume=None
        if voxels is None
        else VolumePlace(opened.scan.spacing_mm, opened.scan.affine, open_scans.place_of(opened)[0], False),
        key=VIEW,
    )


def _panels(scan: Scan, finding: FindingView) -> list[PanelView]:
    """The scan, the evidence, and the scan without the finding; the very same arrays as long as they are the same."""
    belongings = sessions.belongings()
    known = belongings.get("review panels")
    if known is not None and known[0] is finding and known[1] == scan.sha256:
        return known[2]
    map_of = {
        "map": finding.evidence,
        "map_limit": finding.evidence_limit,
        "map_unit": finding.evidence_unit,
        "sequential": finding.sequential,
    }
    title = finding.evidence_title or f"Evidence for {finding.name.lower()}"
    made = [
        PanelView("Scan", base=scan.pixels, window=scan.window),
        PanelView(title, base=scan.pixels, window=scan.window, **map_of),
    ]
    if finding.changes is not None:
        change = finding.changes if finding.changes.ndim == 2 else finding.changes[-1]
        without = scan.pixels + enlarged(change, scan.pixels.shape)
        name = finding.counterfactual or f"Without {finding.name.lower()}"
        made.append(PanelView(name, base=without, window=scan.window))
    belongings["review panels"] = (finding, scan.sha256, made)
    return made
