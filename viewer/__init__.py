"""The linked viewer: panels that zoom, pan, window and step through counterfactuals in the browser, with the pixels
sent once.

How its JavaScript reaches the browser: the files of `modules/` are ES modules and are served as they are, by the route
of `server/modules.py`; nothing joins, builds or rewrites them. Streamlit wants a component's script as a string and
imports that from a `blob:` address, from which no relative import resolves; so the string is two lines that import the
entry module by its full address. The content security policy allows both: scripts from this host, and `blob:`. node
imports the same files in `tests/viewer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from server import modules, sessions
from server import pixels as pixel_route
from viewer.blob import (
    VISIBLE_CHANGE,
    BadState,
    BlankFindings,
    FindingView,
    Packer,
    PanelView,
    PriorView,
    TrustView,
    checked_state,
)
from viewer.hanging import HangingProtocol
from viewer.header import explain_parts, panels_parts
from viewer.volume import VolumePixels, VolumePlace

__all__ = [
    "VISIBLE_CHANGE",
    "BadState",
    "BlankFindings",
    "FindingView",
    "HangingProtocol",
    "PanelView",
    "PriorView",
    "TrustView",
    "VolumePixels",
    "VolumePlace",
    "explain_parts",
    "explain_state",
    "explain_view",
    "linked_panels",
    "panels_parts",
]

_HERE = Path(__file__).parent
_MODULES = modules.publish(_HERE / "modules")


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _import(module: str) -> str:
    """The script of a component: what the module of this name exports."""
    return (
        f'const {{ default: mount }} = await import(new URL("{_MODULES}{module}", document.baseURI).href);\n'
        "export default mount;\n"
    )


_VIEWER = st.components.v2.component(
    "otherwise_viewer",
    html=_text("viewer.html"),
    css=_text("viewer.css"),
    js=_import("viewer.js"),
)
# Small updates for a view that already has its pixels: they are not sent again for a number.
_UPDATES = st.components.v2.component("otherwise_updates", js=_import("updates.js"))


def explain_state(key: str, findings: Sequence[FindingView], picture: str = "") -> dict:
    """What the viewer called `key` last sent back about this picture: {'finding': name, 'amounts': {name: a}}.

    Can be asked before `explain_view` is called, so that joint probabilities can be computed for it.
    Before the first gesture, and for anything the viewer could not have sent, the first finding alone, taken away
    fully.
    """
    names = [finding.name for finding in findings]
    mounted = st.session_state.get(key)
    raw = mounted.get("view") if isinstance(mounted, Mapping) else None
    try:
        return checked_state(raw, names, picture)
    except BadState:
        if not findings:
            return {"finding": None, "amounts": {}}
        first = findings[0]
        return {
            "finding": first.name,
            "amounts": {} if first.steps is None or first.unsure else {first.name: min(1.0, float(first.steps[-1]))},
        }


def explain_view(
    pixels: np.ndarray | VolumePixels,
    window: tuple[float, float],
    findings: Sequence[FindingView],
    *,
    title: str,
    badges: Sequence[tuple[str, str]] = (),
    spacing_mm: tuple[float, float] | None = None,
    pixel_aspect: float = 1.0,
    scale_note: str = "",
    method: str = "Attri-Net",
    presets: Sequence[tuple[str, float, float]] = (),
    joint_probabilities: Mapping[str, float] | None = None,
    joint_truth: np.ndarray | None = None,
    difference_limit: float | None = None,
    grey_range: float | None = None,
    noun: str = "picture",
    picture: str = "",
    scan_sha256: str = "",
    blank: BlankFindings | None = None,
    volume: VolumePlace | None = None,
    on_slice: Callable[[int], None] | None = None,
    model: str = "",
    layouts: Sequence[HangingProtocol] = (),
    layouts_for: str = "",
    prior: PriorView | None = None,
    height: int | None = None,
    key: str,
) -> dict:
    """The Explain page's middle: findings, four linked panels, and the counterfactual slider.

    Args:
        pixels: (H, W) float32, in the scan's units, or a volume, whose slices are fetched one by one, those in the
            middle first.
        window: (centre, width) to start with, same units.
        findings: in the order of the list; without any, the scan alone is shown.
        title, badges: the line above; a badge is (words, 'quiet' | 'good' | 'warn' | 'bad').
        spacing_mm: (row, column); gives the pixels their shape and the scan a scale bar.
        pixel_aspect: height of a pixel over its width, where `spacing_mm` is not known.
        scale_note: follows the length at the scale bar, for example " at the detector".
        method: written on the evidence panel.
        presets: (name, centre, width), reached by the number keys after the start window and the full range.
        joint_probabilities: the model's probabilities with everything in `explain_state(key, findings)['amounts']`
            taken away together, by finding; shown while those amounts stand.
        joint_truth: (h, w), what the true counterfactual without all of those together adds to the scan, in its units;
            None where that is not known. `FindingView.truth` is about one finding alone.
        difference_limit: the difference's colour bar runs from -limit to +limit, in the scan's units; by default half
            of `grey_range`.
        grey_range: in the scan's units, what a difference is written as a share of; by default the window's width.
        noun: what the reader calls such a scan in passing, for example "film" or "slice".
        picture: says which scan this is. Another one begins with its own first finding and its own view; what was
            chosen is dropped.
        scan_sha256: of the pixels; what `viewer.marks.drawing` lays on the view stands on these alone.
        blank: what is shown in place of `findings`, which are then empty.
        volume: how a volume lies in the patient, and what its findings are about.
        on_slice: is told of which slice findings are asked for, before the script runs again; only where
            `volume.findings_of_slice`.
        model: says which model's findings these are: what is remembered of one is not shown of another.
        layouts: hanging protocols that fit the scan, the one that it opens by first; a reader may choose another.
        layouts_for: what his choice is remembered for, see `viewer.hanging.kind_of`.
        prior: an earlier picture of the same patient, for the protocols that show it; None of a volume.
        height: in CSS pixels; by default what is left of the browser window.
        key: one view's name; keep it over reruns, so that nothing is sent twice.

    Returns:
        {'finding': the selected one, 'amounts': {name: a in [0, 1.5]} for each that is taken away}, checked.
    """
    packer, header = explain_parts(
        pixels,
        window,
        findings,
        title=title,
        badges=badges,
        spacing_mm=spacing_mm,
        pixel_aspect=pixel_aspect,
        scale_note=scale_note,
        method=method,
        presets=presets,
        difference_limit=difference_limit,
        grey_range=grey_range,
        noun=noun,
        picture=picture,
        scan_sha256=scan_sha256,
        blank=blank,
        volume=volume,
        model=model,
        layouts=layouts,
        layouts_for=layouts_for,
        prior=prior,
        height=height,
        key=key,
    )
    state = explain_state(key, findings, picture)
    _mount(
        packer,
        header,
        {
            **state,
            "picture": picture,
            "joint": None if joint_probabilities is None else dict(joint_probabilities),
            "truth": _lent_truth(joint_truth, key),
        },
        lambda: _turn_slice(key, len(pixels), on_slice),
    )
    return explain_state(key, findings, picture)


def linked_panels(
    panels: Sequence[PanelView],
    *,
    key: str,
    height: int | None = None,
    least_height: int = 520,
    spacing_mm: tuple[float, float] | None = None,
    pixel_aspect: float = 1.0,
    scan_sha256: str = "",
) -> dict:
    """Any panels, linked: one zoom, one crosshair, one hand. Returns {} (nothing is chosen in it).

    Args:
        height: in CSS pixels; by default what is left of the browser window, but at least `least_height`.
        spacing_mm, pixel_aspect, scan_sha256: as for `explain_view`.

    Raises:
        ValueError: without panels, or when their bases differ in shape.
    """
    packer, header = panels_parts(
        panels, key=key, height=height, spacing_mm=spacing_mm, pixel_aspect=pixel_aspect, scan_sha256=scan_sha256
    )
    _mount(packer, header | {"least_height": int(least_height)}, {})
    return {}


def _turn_slice(key: str, count: int, on_slice: Callable[[int], None] | None) -> None:
    """Passes on which of `count` slices the browser asks for, if it is one of those there are."""
    mounted = st.session_state.get(key)
    wish = mounted.get("slice") if isinstance(mounted, Mapping) else None
    if on_slice is not None and isinstance(wish, int) and not isinstance(wish, bool) and 0 <= wish < count:
        on_slice(wish)


def _mount(packer: Packer, header: dict, news: dict, slice_turned: Callable[[], None] = lambda: None) -> None:
    key = header["key"]
    arrays = _lent(packer, key)
    st.session_state[f"{key}-header"] = whole = {**header, "arrays": arrays}
    with st.container(gap=None):
        _VIEWER(
            data=whole,
            key=key,
            on_view_change=lambda: None,
            on_again_change=lambda: (_take_back(key), _take_back(_truth_of(key))),
            on_slice_change=slice_turned,
        )
        _UPDATES(data={"to": key, **news}, key=f"{key}-updates")


def _take_back(key: str) -> None:
    """The browser could not fetch what it was told of: it is told anew."""
    lent = sessions.belongings().pop(f"pixels of {key}", None)
    if lent is not None:
        pixel_route.STORE.take_back(lent[2])


def _truth_of(key: str) -> str:
    return f"{key}, truth of several findings"


def _lent_truth(joint_truth: np.ndarray | None, key: str) -> dict | None:
    """The entry of the joint truth with its token; it goes beside the header, lest the view be built anew for it."""
    if joint_truth is None:
        _take_back(_truth_of(key))
        return None
    packer = Packer()
    packer.change(joint_truth)
    return _lent(packer, _truth_of(key))[0]


def _lent(packer: Packer, key: str) -> list[dict]:
    """The entries of the packed arrays, each with the token under which the browser can fetch it."""
    mine = sessions.belongings()
    lent = mine.get(f"pixels of {key}")
    if (
        lent is not None
        and lent[0].holds_the_same(packer)
        and (tokens := pixel_route.STORE.renewed(lent[2])) is not None
    ):
        entries = lent[1]
    else:
        _take_back(key)
        entries, chunks = packer.arrays()
        tokens = pixel_route.lend(chunks)
    mine[f"pixels of {key}"] = (packer, entries, tokens)
    return [{**entry, "token": token} for entry, token in zip(entries, tokens, strict=True)]
