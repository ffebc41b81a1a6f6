"""The viewer on an invented picture: `streamlit run viewer/demo.py`; `?show=large` (or empty, still, many, panels,
small, sidebar, truth, volume, slow, alone, layouts, prior, head) shows its other sides.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.scan import Scan
from server import doors, sessions
from viewer import FindingView, PanelView, PriorView, explain_state, explain_view, hanging, linked_panels
from viewer.demo_volume import show_volume


def smooth_noise(rng, shape, cells):
    """Noise with about `cells` bumps across, by bilinear enlargement."""
    coarse = rng.standard_normal((cells + 1, cells + 1))
    y, x = np.linspace(0, cells, shape[0]), np.linspace(0, cells, shape[1])
    rows = np.stack([np.interp(x, np.arange(cells + 1), row) for row in coarse])
    return np.stack([np.interp(y, np.arange(cells + 1), column) for column in rows.T], axis=1)


def invented_film(height, width, top=4095.0, seed=3):
    """(height, width) float32: a trunk with lungs, ribs, spine and heart that nobody has."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    soft = lambda d, edge: 1 / (1 + np.exp(np.clip(d / edge, -40, 40)))
    shoulder = 0.30 + 0.13 * np.clip((y - 0.08) / 0.22, 0, 1) - 0.03 * y
    body = soft(np.abs(x - 0.5) - shoulder, 0.008) * soft(0.05 - y + 0.55 * np.abs(x - 0.5) ** 2, 0.01)
    body = np.maximum(body, soft(np.abs(x - 0.5) - 0.085 - 0.6 * np.clip(y - 0.12, 0, 1), 0.008))
    film = body * (0.60 + 0.13 * np.cos((x - 0.5) * 3.0) + 0.10 * y)
    for side in (-1, 1):
        u, v = (x - 0.5 - side * 0.175) / 0.125, (y - 0.44) / 0.29
        lean = u * side - 0.18 * v
        lung = soft((lean**2 + np.abs(v) ** 2.6) - 1, 0.07) * soft(y - 0.70 - 0.12 * (u * 0.8) ** 2, 0.012)
        film -= 0.36 * lung
        for k in range(9):
            middle = 0.17 + 0.066 * k + 0.16 * np.clip(np.abs(x - 0.5) - 0.06, 0, 1) ** 1.3 * 3
            rib = (
                np.exp(-(((y - middle) / 0.0085) ** 2))
                * soft(np.abs(x - 0.5) - 0.325, 0.02)
                * soft(0.04 - side * (x - 0.5), 0.01)
            )
            film += 0.075 * rib * body
        for _ in range(14):
            angle, length = rng.uniform(-1.1, 1.1), rng.uniform(0.06, 0.2)
            ox, oy = 0.055 + rng.uniform(-0.012, 0.02), 0.43 + rng.uniform(-0.05, 0.05)
            t = np.clip((side * (x - 0.5) - ox) * np.cos(angle) + (y - oy) * np.sin(angle), 0, length)
            px, py = 0.5 + side * (ox + t * np.cos(angle)), oy + t * np.sin(angle)
            near = np.exp(-(((x - px) ** 2 + (y - py) ** 2) / (0.0055 * (1.1 - t / length)) ** 2))
            film += 0.032 * near * lung
        collar = 0.15 + 0.05 * (0.33 - np.abs(x - 0.5)) - 0.12 * (np.abs(x - 0.5) - 0.18) ** 2
        film += (
            0.11
            * np.exp(-(((y - collar) / 0.011) ** 2))
            * soft(np.abs(x - 0.5) - 0.29, 0.01)
            * soft(0.035 - side * (x - 0.5), 0.01)
        )
    spine = soft(np.abs(x - 0.5) - 0.036, 0.006)
    film += body * spine * (0.085 + 0.03 * np.cos(y * 2 * np.pi * 17) ** 3)
    film -= body * 0.10 * soft(np.abs(x - 0.5 - 0.004) - 0.015, 0.004) * soft(y - 0.33, 0.02)
    heart = soft(((x - 0.555) / 0.125) ** 2 + ((y - 0.60) / 0.135) ** 2 - 1, 0.09)
    film += 0.20 * heart * (1 - 0.4 * soft(np.abs(x - 0.5) - 0.2, 0.02))
    film += 0.10 * soft(((x - 0.545) / 0.035) ** 2 + ((y - 0.345) / 0.04) ** 2 - 1, 0.15)
    film += body * (0.014 * smooth_noise(rng, film.shape, 24) + 0.008 * smooth_noise(rng, film.shape, 90))
    film += 0.006 * rng.standard_normal(film.shape)
    marker = (np.abs(x - 0.885) < 0.004) & (np.abs(y - 0.09) < 0.022) | (np.abs(x - 0.893) < 0.012) & (
        np.abs(y - 0.108) < 0.004
    )
    film[marker] = 0.97
    return np.rint(np.clip(film, 0.01, 1) * top).astype(np.float32)


def enlarged(film, height, width):
    """Bilinear, with grain of its own."""
    y, x = np.linspace(0, film.shape[0] - 1, height), np.linspace(0, film.shape[1] - 1, width)
    rows = np.stack([np.interp(x, np.arange(film.shape[1]), row) for row in film])
    large = np.stack([np.interp(y, np.arange(film.shape[0]), column) for column in rows.T], axis=1)
    grain = np.random.default_rng(5).normal(0, 25, large.shape)
    return np.rint(np.clip(large + grain, 0, 4095)).astype(np.float32)


@st.cache_resource
def film_of(height, width):
    film = invented_film(512, 512)
    return film if film.shape == (height, width) else enlarged(film, height, width)


@st.cache_resource
def findings_of(grid):
    return invented_findings(grid)


def blob(grid, u, v, wide, high, tilt=0.0):
    y, x = np.meshgrid((np.arange(grid) + 0.5) / grid, (np.arange(grid) + 0.5) / grid, indexing="ij")
    dx, dy = x - u, y - v
    return np.exp(
        -(((dx * np.cos(tilt) + dy * np.sin(tilt)) / wide) ** 2 + ((dy * np.cos(tilt) - dx * np.sin(tilt)) / high) ** 2)
    )


def invented_findings(grid=320):
    steps = np.linspace(0, 1.5, 16)

    def path(start, slope, turn):
        inside = np.log(start / (1 - start))
        return 1 / (1 + np.exp(-(inside - slope * steps - turn * steps**2)))

    def finding(name, p, threshold, verdict, sentence, evidence, changes, slope, turn):
        facts = [("same film elsewhere", "0.98 SSIM"), ("looks like a film", "0.91"), ("inside the lungs", "71 %")]
        return FindingView(
            name,
            p,
            threshold,
            verdict,
            sentence,
            evidence.astype(np.float32),
            0.2,
            "log-odds",
            steps,
            path(p, slope, turn),
            changes.astype(np.float32),
            facts,
        )

    effusion = blob(grid, 0.31, 0.66, 0.075, 0.05) + 0.7 * blob(grid, 0.37, 0.70, 0.06, 0.035, 0.5)
    against = blob(grid, 0.68, 0.36, 0.06, 0.09)
    pneumonia = blob(grid, 0.66, 0.52, 0.05, 0.06)
    bend = (steps**1.4)[:, None, None]
    return [
        finding(
            "Effusion",
            0.83,
            0.47,
            "above its operating point (0.47)",
            "The model sees effusion. 71 % of its evidence lies in the lower right chest. Without that change in the "
            "film it would say no. On films not trained on it is right in 84 of 100 such calls (80 to 88).",
            0.17 * effusion - 0.07 * against,
            -620 * effusion,
            1.0,
            1.6,
        ),
        finding(
            "Pneumonia",
            0.58,
            0.52,
            "just above (0.52)",
            "The model leans towards pneumonia, barely: half of such calls are wrong (44 to 57 of 100).",
            0.11 * pneumonia - 0.03 * effusion,
            bend * (-420 * pneumonia),
            1.2,
            0.4,
        ),
        finding(
            "Atelectasis",
            0.31,
            0.44,
            "below (0.44)",
            "The model does not see atelectasis.",
            0.06 * blob(grid, 0.35, 0.6, 0.08, 0.02) - 0.09 * against,
            -200 * blob(grid, 0.35, 0.6, 0.08, 0.02),
            0.7,
            0.2,
        ),
        finding(
            "Infiltration",
            0.28,
            0.40,
            "below (0.40)",
            "The model does not see infiltration.",
            -0.08 * pneumonia,
            -160 * against,
            0.5,
            0.2,
        ),
        finding(
            "Edema",
            0.06,
            0.35,
            "far below (0.35)",
            "The model does not see edema.",
            -0.14 * (against + blob(grid, 0.32, 0.36, 0.06, 0.09)),
            -120 * against,
            0.4,
            0.1,
        ),
    ]


@st.cache_resource
def joint_truth_of(count):
    """One number everywhere, so that what comes from here is known again."""
    return np.full((64, 64), -100.0 * count, np.float32)


def laid_out(pixels, kind, prior=False, wanted=True, part="CHEST"):
    """The hanging protocols of an invented scan, and its prior: itself, a third brighter."""
    if not wanted:
        return {}
    scan = Scan.of(pixels, kind, tags={"BodyPartExamined": part})
    return {
        "layouts": hanging.fitting(scan, prior),
        "layouts_for": hanging.kind_of(scan),
        "prior": PriorView(pixels * np.float32(1.3), (2048.0, 4096.0), note="linked by the whole picture")
        if prior
        else None,
        "picture": f"{part} {'with' if prior else 'without'} a prior",
    }


def main():
    st.set_page_config("Viewer", layout="wide")
    sessions.enter()
    st.html(
        "<style>.stApp{background:#0a0c10} .stMainBlockContainer{padding:18px 18px 0 !important} "
        "header.stAppHeader{display:none} section[data-testid=stSidebar]{width:200px !important;min-width:200px "
        "!important}</style>"
    )
    wishes = st.query_params.get_all("show")
    st.session_state.runs = st.session_state.get("runs", 0) + 1
    large = "large" in wishes
    film = film_of(1841, 1955) if large else film_of(512, 512)
    if "panels" in wishes:
        centre = blob(64, 0.34, 0.62, 0.12, 0.1) - 0.5 * blob(64, 0.66, 0.4, 0.1, 0.14)
        linked_panels(
            [
                PanelView(
                    "Films with effusion",
                    "mean of 412 maps",
                    map=centre,
                    map_limit=1,
                    map_unit="log-odds",
                    alt="Class centre, with effusion",
                ),
                PanelView("Films without", "mean of 980 maps", map=-0.4 * centre, map_limit=1, map_unit="log-odds"),
                PanelView(
                    "On a film",
                    "the same centre",
                    base=film,
                    map=centre,
                    map_limit=1,
                    map_unit="log-odds",
                    window=(2048, 4096),
                ),
                PanelView(
                    "Weights",
                    "16 x 16 cells",
                    map=np.abs(centre[::4, ::4]),
                    map_limit=1,
                    map_unit="weight",
                    sequential=True,
                ),
            ],
            key="panels",
        )
        return
    if "small" in wishes:
        cells = blob(16, 0.34, 0.62, 0.2, 0.2).astype(np.float32)
        linked_panels([PanelView(name, map=cells, map_limit=1) for name in ("One", "Other")], key="small")
        return
    if "sidebar" in wishes:
        st.sidebar.title("Otherwise")
    if "volume" in wishes:
        size = (int(st.query_params.get(name, default)) for name, default in (("slices", 60), ("side", 192)))
        return show_volume(wishes, *size)
    findings = [] if "empty" in wishes else list(findings_of(320 if large else 256))
    if "many" in wishes:
        findings += [
            FindingView(
                f"Invented finding {k}",
                0.05 * k,
                0.4,
                "below (0.40)",
                "Not seen.",
                findings[2].evidence,
                0.2,
                "log-odds",
                findings[2].steps,
                findings[2].probabilities,
                findings[2].changes,
            )
            for k in range(1, 8)
        ]
    if "still" in wishes:
        findings = [replace(finding, steps=None, probabilities=None, changes=None) for finding in findings]
    if "truth" in wishes:
        findings = [replace(f, truth=0.5 * (f.changes[-1] if f.changes.ndim == 3 else f.changes)) for f in findings]
    state = explain_state("explain", findings)
    joint = (
        {finding.name: finding.probability * 0.6 ** sum(state["amounts"].values()) for finding in findings}
        if len(state["amounts"]) > 1
        else None
    )
    explain_view(
        film,
        (2048.0, 4096.0),
        findings,
        title="Invented chest film",
        badges=[
            (f"{film.shape[1]} x {film.shape[0]}, 12 bit", "quiet"),
            ("like the training films (distance 0.31 times the limit)", "good"),
            ("text in the picture, upper right", "warn"),
        ],
        spacing_mm=(0.8, 0.8) if not large else (0.21, 0.21),
        method="Attri-Net, weighted map",
        presets=[("Lungs", 1400.0, 1900.0), ("Bones", 2900.0, 2200.0)],
        joint_probabilities=joint,
        joint_truth=joint_truth_of(len(state["amounts"])) if "truth" in wishes and joint else None,
        **laid_out(film, "radiograph", "prior" in wishes, "layouts" in wishes),
        key="explain",
    )
    st.html(f"<p data-runs='{st.session_state.runs}' hidden></p>")


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, routes=doors.routes(), middleware=doors.middleware(doors.routes()), lifespan=doors.lifespan)
