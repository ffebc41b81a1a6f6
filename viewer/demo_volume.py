"""An invented CT of a chest that nobody has, with findings of the volume as a whole: for demo and bench."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import streamlit as st

from engine.scan import Scan
from viewer import FindingView, VolumePixels, VolumePlace, explain_state, explain_view, hanging

ZERO = -1024  # Hounsfield units that are stored as 0
SPACING = (1.0, 0.7, 0.7)  # millimetres: slice, row, column
LESION = (0.62, 0.52, 0.30)  # where it lies, as shares of slices, rows and columns


def invented_volume(slices: int, side: int = 512) -> VolumePixels:
    """(slices, side, side): trunk, lungs with vessels, spine, ribs and a lesion in the right lung, with noise."""
    rng = np.random.default_rng(7)
    y, x = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side), indexing="ij")
    noise = rng.normal(0, 12, (side, side + 64))
    grain = rng.normal(0, 1, (side // 8, side // 8)).repeat(8, 0).repeat(8, 1)
    stored = np.empty((slices, side, side), np.uint16)
    for k in range(slices):
        z = k / max(1, slices - 1)  # from the abdomen to the neck
        wide = 0.86 - 0.25 * z**4
        plane = np.where((x / wide) ** 2 + (y / 0.62) ** 2 < 1, 40.0, -1000.0)
        plane[((x / wide) ** 2 + (y / 0.62) ** 2 < 1) & ((x / (wide - 0.06)) ** 2 + (y / 0.56) ** 2 >= 1)] = -90
        full = max(0.0, 1 - (2 * abs(z - 0.55)) ** 3)
        for middle in (-0.40, 0.40):
            lung = ((x - middle) / 0.31) ** 2 + ((y + 0.02) / 0.44) ** 2 < full
            plane[lung] = -860 + 260 * (grain[lung] + 0.5 * np.sin(9 * z + 20 * x[lung]) > 1.9)
        plane[(x - 0.12) ** 2 + (y + 0.12) ** 2 < 0.05 * max(0.0, 1 - (3 * abs(z - 0.4)) ** 2)] = 50
        plane[x**2 + (y - 0.40) ** 2 < 0.010] = 320 + 200 * (z * 17 % 1 > 0.2)
        ribs = np.abs(np.hypot(x / (wide - 0.09), y / 0.52) - 1) < 0.03
        plane[ribs & ((np.arctan2(y, x) * 2 + 40 * z) % 3.1 < 0.7)] = 480
        u, v, w = (x + 1) / 2 - LESION[2], (y + 1) / 2 - LESION[1], (z - LESION[0]) * 0.8
        plane += 620 * np.exp(-(u**2 + v**2 + w**2) / 0.0016) * (plane < -500)
        shift = (k * 13) % 64
        stored[k] = np.clip(plane + noise[:, shift : shift + side] - ZERO, 0, 4095).astype(np.uint16)
    return VolumePixels.of(stored, ZERO, f"invented volume {slices} {side}")


def invented_place(slices: int) -> VolumePlace:
    """Lying on the back, feet first along the slices, as a scanner says it."""
    affine = np.array(
        [[0, 0, SPACING[2], -180], [0, SPACING[1], 0, -180], [SPACING[0], 0, 0, -150], [0, 0, 0, 1]], float
    )
    return VolumePlace(SPACING, affine, index=slices // 2)


def invented_findings(grid: tuple[int, int, int] = (60, 96, 96)) -> list[FindingView]:
    """Two findings with evidence and counterfactuals on a grid of the model's own."""
    z, y, x = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in grid], indexing="ij")

    def blob(at, size):
        return np.exp(-sum(((axis - c) / size) ** 2 for axis, c in zip((z, y, x), at, strict=True))).astype(np.float32)

    lesion = blob(LESION, 0.05)
    other = blob((0.45, 0.6, 0.7), 0.07)
    steps = np.linspace(0, 1.5, 7).astype(np.float32)
    bent = (steps**1.3)[:, None, None, None]
    return [
        FindingView(
            "Consolidation",
            0.86,
            0.45,
            "above its operating point (0.45)",
            "The model sees consolidation. Without it, it would say no.",
            0.18 * lesion - 0.06 * other,
            0.2,
            "log-odds",
            steps,
            0.86 - 0.5 * np.minimum(steps, 1.4),
            (-600 * bent * lesion).astype(np.float32),
            [("changed at a = 1", "0.4 % of the volume")],
        ),
        FindingView(
            "Effusion",
            0.22,
            0.40,
            "below (0.40)",
            "The model does not see effusion.",
            0.05 * other,
            0.2,
            "log-odds",
            steps,
            np.full(7, 0.2),
            -80 * other,
        ),
    ]


def show_volume(wishes: list[str], slices: int = 60, side: int = 192) -> None:
    """The viewer on an invented volume.

    Args:
        wishes: 'alone' leaves the findings out, 'unplaced' what is known of its place; 'later' shows one slice as a
            picture until a button opens the volume.
        slices, side: of the volume.
    """
    volume, findings = _volume(slices, side), [] if "alone" in wishes else _findings()
    if "truth" in wishes:
        whole = lambda f: f.changes[np.abs(f.steps - 1).argmin()] if f.changes.ndim == 4 else f.changes
        findings = [replace(f, truth=0.5 * whole(f)) for f in findings]
    if "later" in wishes and not st.session_state.get("later"):
        explain_view(volume.stored[slices // 2], (1074.0, 400.0), [], title="Invented slice", key="explain", height=700)
        st.button("Open the volume", on_click=st.session_state.update, args=({"later": True},))
        return
    st.html(f"<p data-decoded='{time.time()}' hidden></p>")
    explain_view(
        volume,
        (50.0, 400.0),
        findings,
        title="Invented chest CT",
        badges=[(f"{side} x {side}, 12 bit", "quiet")],
        spacing_mm=SPACING[1:],
        method="a model of volumes",
        presets=[("Lung", -600.0, 1500.0), ("Bone", 400.0, 1800.0), ("Brain", 40.0, 80.0)],
        noun="slice",
        grey_range=1200.0,
        volume=VolumePlace(index=slices // 2) if "unplaced" in wishes else invented_place(slices),
        joint_probabilities={f.name: 0.2 for f in findings}
        if len(explain_state("explain", findings)["amounts"]) > 1
        else None,
        **_laid_out(wishes),
        key="explain",
    )
    st.html(f"<p data-runs='{st.session_state.runs}' hidden></p>")


def _laid_out(wishes: list[str]) -> dict:
    """The hanging protocols of such a volume, of the chest, or of the head where that is wished for."""
    if "layouts" not in wishes:
        return {}
    part = "HEAD" if "head" in wishes else "CHEST"
    scan = Scan.of(np.zeros((2, 16, 16)), "CT", tags={"BodyPartExamined": part})
    return {"layouts": hanging.fitting(scan), "layouts_for": hanging.kind_of(scan)}


@st.cache_resource
def _volume(slices: int, side: int) -> VolumePixels:
    return invented_volume(slices, side)


@st.cache_resource
def _findings() -> list[FindingView]:
    return invented_findings()
