"""Drawing on an invented mammogram of 4600 x 2700 pixels: `streamlit run viewer/demo_drawing.py`; `?marks=100` begins
with as many annotations, `?size=400x300` takes another size, `?volume=24` a volume of as many slices, `?locked=1` lets
nobody draw.
"""

import json
import sys
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.review.measurements import ScanFacts
from engine.review.records import Annotation, UnusableRecord, now, to_json
from server import doors, sessions
from viewer import explain_view
from viewer.demo_volume import SPACING, invented_place, invented_volume
from viewer.marks import drawing, drawn_on

PICTURE = "5d" * 32
SIDE = 160  # pixels of the volume's slices


@st.cache_data(max_entries=2)
def invented_mammogram(height: int, width: int) -> np.ndarray:
    """(height, width) float32, 12 bits: a half disc with noise in it."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    inside = ((y / height - 0.5) / 0.42) ** 2 + (x / width / 0.8) ** 2
    coarse = rng.normal(size=(height // 40 + 2, width // 40 + 2)).repeat(40, 0).repeat(40, 1)[:height, :width]
    picture = np.where(inside < 1, 1400 + 900 * (1 - inside) + 120 * coarse, 30)
    return np.clip(np.rint(picture + rng.normal(0, 20, (height, width))), 0, 4095).astype(np.float32)


def invented_annotations(count: int, height: int, width: int) -> list[Annotation]:
    """Of every kind, the same ones each time."""
    rng = np.random.default_rng(1)
    kinds = ("box", "polygon", "freehand", "length", "angle", "area", "brush")
    made = []
    for k in range(count):
        kind = kinds[k % len(kinds)]
        row, column = rng.uniform(0.1, 0.8, 2) * (height, width)
        size = 0.02 * height * rng.uniform(0.5, 2)
        turn = np.linspace(0, 2 * np.pi, 120 if kind == "freehand" else 7, endpoint=False)
        points = {
            "box": [(row, column), (row + size, column + size)],
            "area": [(row, column), (row + size, column + size)],
            "length": [(row, column), (row + size, column + size)],
            "angle": [(row, column), (row + size, column), (row + size, column + size)],
            "brush": [],
        }.get(kind, [(row + size * (1 + np.sin(t)), column + size * (1 + np.cos(t))) for t in turn])
        runs = [(int(row) + r, int(column), int(size)) for r in range(int(size))] if kind == "brush" else []
        made.append(Annotation(f"{k:032x}", PICTURE, kind, points, "Invented", now(), runs=runs, label=f"Mark {k + 1}"))
    return made


def main() -> None:
    """The column and the view beside it."""
    asked = st.query_params
    height, width = (int(side) for side in asked.get("size", "4600x2700").split("x"))
    facts = ScanFacts((height, width), "mammogram", (0.05, 0.05), "detector")
    slices = int(asked.get("volume", "0"))
    if slices:
        facts = ScanFacts((slices, SIDE, SIDE), "CT", SPACING)
    kept = st.session_state.setdefault("kept", invented_annotations(int(asked.get("marks", "0")), height, width))
    acked, trouble = st.session_state.setdefault("acked", 0), ""
    if (drawn := drawn_on("film", PICTURE)) is not None and drawn.number > acked:
        try:
            kept[:] = drawn.annotations({one.id: one for one in kept}, "You", facts)
        except UnusableRecord as error:
            trouble = str(error)
        acked = st.session_state["acked"] = drawn.number
    pixels = st.session_state.get("pixels")
    if pixels is None:
        made = invented_volume(slices, SIDE) if slices else invented_mammogram(height, width)
        pixels = st.session_state["pixels"] = made
    left, right = st.columns([0.18, 0.82])
    with left:
        drawing(
            "film",
            picture=PICTURE,
            facts=facts,
            annotations=kept,
            loaded=1,
            revision=0,
            acked=acked,
            saved="Kept in this session",
            trouble=trouble,
            locked="Nobody may draw here." if asked.get("locked") else "",
            labels=["Mass", "Calcification"],
        )
    of_scan = {"picture": PICTURE, "scan_sha256": PICTURE}
    with right:
        if slices:
            volume = {"spacing_mm": SPACING[1:], "volume": invented_place(slices)}
            explain_view(pixels, (40.0, 1500.0), (), title="Invented CT", key="film", **of_scan, **volume)
        else:
            explain_view(
                pixels,
                (2000.0, 3000.0),
                (),
                title="Invented mammogram",
                spacing_mm=(0.05, 0.05),
                scale_note=" at the detector",
                key="film",
                **of_scan,
            )
    last = {name: to_json(kept[-1])[name] for name in ("points", "slice", "axis")} if kept else None
    st.html(f"<p id='kept' data-last='{json.dumps(last)}' hidden>{len(kept)}</p>")


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    sessions.enter()
    main()
else:
    routes = doors.routes()
    app = st.App(__file__, routes=routes, middleware=doors.middleware(routes), lifespan=doors.lifespan)
