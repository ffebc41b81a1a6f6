"""The header of a view: what the browser shows and how, as JSON, beside the arrays that it names by their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from viewer.blob import (
    BADGE_KINDS,
    VISIBLE_CHANGE,
    FindingView,
    Packer,
    PanelView,
    PriorView,
    TrustView,
    check_window,
    full_window,
)
from viewer.hanging import layout_header
from viewer.volume import VolumePixels, VolumePlace


def explain_parts(
    pixels,
    window,
    findings,
    *,
    title,
    badges=(),
    spacing_mm=None,
    pixel_aspect=1.0,
    scale_note="",
    method="",
    presets=(),
    difference_limit=None,
    grey_range=None,
    noun="picture",
    picture="",
    scan_sha256="",
    blank=None,
    volume=None,
    model="",
    layouts=(),
    layouts_for="",
    prior=None,
    height=None,
    key,
) -> tuple[Packer, dict]:
    """The arrays and the header behind `explain_view`; see there for the arguments.

    Raises ValueError where they disagree.
    """
    place = None
    if isinstance(pixels, VolumePixels):
        place = (volume or VolumePlace()).header(pixels.shape)
    else:
        pixels = np.asarray(pixels, dtype=np.float32)
        if pixels.ndim != 2 or min(pixels.shape) < 2 or not np.isfinite(pixels).all():
            raise ValueError(f"pixels must have shape (H, W), at least 2 x 2, and be finite, got {pixels.shape}")
    check_window(window)
    whole = place is not None and not place["findings_of_slice"]
    if any(finding.of_volume != whole for finding in findings):
        raise ValueError("findings of a volume belong to a volume, findings of a picture to a picture or to a slice")
    names = [finding.name for finding in findings]
    if len(set(names)) != len(names):
        raise ValueError(f"findings must have different names, got {names}")
    grids = {finding.changes.shape[-3 if whole else -2 :] for finding in findings if finding.changes is not None}
    if grids and any(finding.changes is None for finding in findings):
        raise ValueError("either every finding of a view has a counterfactual or none has")
    if len(grids) > 1:
        raise ValueError(f"the changes of all findings must share one grid to be added, got {sorted(grids)}")
    truth = bool(grids) and all(finding.truth is not None for finding in findings)
    for words, kind in badges:
        if kind not in BADGE_KINDS:
            raise ValueError(f"badge {words!r} must be one of {BADGE_KINDS}, got {kind!r}")

    if blank is not None and findings:
        raise ValueError("findings are shown or left blank, not both")
    if prior is not None and (place is not None or prior.pixels.shape != pixels.shape):
        raise ValueError(f"a prior lies on the grid of its picture, {pixels.shape}, got {prior.pixels.shape}")

    packer = Packer()
    grey_range = float(grey_range or window[1])
    header = _header("explain", pixels.shape[-2:], spacing_mm, key, height)
    header |= {
        "pixel_aspect": float(pixel_aspect),
        "scale_note": scale_note,
        "title": title,
        "badges": [[words, kind] for words, kind in badges],
        "method": method,
        "noun": noun,
        "presets": _presets(pixels, window, presets),
        "windows": [[float(window[0]), float(window[1])]],
        "difference_limit": float(difference_limit or grey_range / 2),
        "grey_range": grey_range,
        "visible_change": VISIBLE_CHANGE * grey_range,
        "picture": picture,
        "scan_sha256": scan_sha256,
        "volume": place,
        "model": model,
        "blank": None if blank is None else asdict(replace(blank, names=list(blank.names))),
        "scan": packer.pixels(pixels),
        "prior": None if prior is None else _prior(prior, packer),
        "layouts_for": layouts_for,
        "findings": [
            {
                "name": finding.name,
                "probability": float(finding.probability),
                "threshold": float(finding.threshold),
                "verdict": finding.verdict,
                "sentence": finding.sentence,
                "evidence": packer.map(finding.evidence, whole),
                "limit": float(finding.evidence_limit),
                "unit": finding.evidence_unit,
                "sequential": bool(finding.sequential),
                "unsure": bool(finding.unsure),
                "counterfactual": finding.counterfactual,
                "title": finding.evidence_title,
                **(_path(finding, packer, whole) if grids else {"changes": None}),
                "truth": packer.change(finding.truth, whole) if truth else None,
                "facts": [[str(label), str(value)] for label, value in finding.facts],
                "trust": _trust(finding.trust),
            }
            for finding in findings
        ],
    }
    header["layouts"] = layout_header(layouts, header["presets"])
    return packer, header


def panels_parts(
    panels: Sequence[PanelView],
    *,
    key: str,
    height: int | None = None,
    spacing_mm: tuple[float, float] | None = None,
    pixel_aspect: float = 1.0,
    scan_sha256: str = "",
) -> tuple[Packer, dict]:
    """The arrays and the header behind `linked_panels`."""
    if not panels:
        raise ValueError("linked_panels needs at least one panel")
    shapes = {panel.base.shape for panel in panels if panel.base is not None}
    if len(shapes) > 1:
        raise ValueError(f"the bases of linked panels must share one shape, got {sorted(shapes)}")
    maps = [panel.map.shape for panel in panels if panel.map is not None]
    shape = shapes.pop() if shapes else max(maps)
    first = next((panel.base for panel in panels if panel.base is not None), None)

    packer = Packer()
    packed_bases: dict[int, int] = {}  # one picture under several maps is sent once
    windows, entries = [], []
    for panel in panels:
        if panel.base is not None and id(panel.base) not in packed_bases:
            packed_bases[id(panel.base)] = packer.pixels(panel.base)
        window = panel.window or (full_window(panel.base) if panel.base is not None else (0.5, 1.0))
        windows.append([float(window[0]), float(window[1])])
        entries.append(
            {
                "title": panel.title,
                "subtitle": panel.subtitle,
                "alt": panel.alt or panel.title,
                "base": None if panel.base is None else packed_bases[id(panel.base)],
                "map": None if panel.map is None else packer.map(panel.map),
                "limit": float(panel.map_limit),
                "unit": panel.map_unit,
                "sequential": bool(panel.sequential),
            }
        )
    header = _header("panels", shape, spacing_mm, key, height)
    header |= {
        "pixel_aspect": float(pixel_aspect),
        "scan_sha256": scan_sha256,
        "panels": entries,
        "windows": windows,
        "presets": [] if first is None else _presets(first, windows[0], ()),
        "findings": [],
    }
    return packer, header


def _header(kind: str, shape: tuple[int, int], spacing_mm, key: str, height: int | None) -> dict:
    return {
        "kind": kind,
        "key": key,
        "frame": [int(shape[0]), int(shape[1])],
        "spacing_mm": None if spacing_mm is None else [float(spacing_mm[0]), float(spacing_mm[1])],
        "height": None if height is None else int(height),
    }


def _prior(prior: PriorView, packer: Packer) -> dict:
    return {
        "pixels": packer.pixels(prior.pixels),
        "window": [float(prior.window[0]), float(prior.window[1])],
        "title": prior.title,
        "note": prior.note,
    }


def _path(finding: FindingView, packer: Packer, volume: bool) -> dict:
    return {
        "steps": [round(float(step), 6) for step in finding.steps],
        "probabilities": [round(float(p), 6) for p in finding.probabilities],
        "changes": packer.change(finding.changes, volume),
    }


def _trust(trust: TrustView | None) -> dict | None:
    if trust is None:
        return None
    return {
        "steps": [round(float(step), 6) for step in trust.steps],
        "similarity": [round(float(value), 4) for value in trust.similarity],
        "likeness": None if trust.likeness is None else [round(float(value), 4) for value in trust.likeness],
        "record": trust.record,
    }


def _presets(pixels: np.ndarray | VolumePixels, window: tuple[float, float], presets) -> list:
    for _, centre, width in presets:
        check_window((centre, width))
    ends = pixels if isinstance(pixels, np.ndarray) else np.array([pixels.low, pixels.high])
    own = [("Start window", *window), ("Full range", *full_window(ends))]
    return [[name, float(centre), float(width)] for name, centre, width in [*own, *presets]][:9]
