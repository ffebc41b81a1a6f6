"""The viewer's demo with pixels whose addresses end after a second: `streamlit run tests/server/short_lived.py`."""

import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from server import doors, pixels  # noqa: E402

pixels.STORE.lifetime = 1.0
app = st.App(
    ROOT / "viewer" / "demo.py",
    routes=doors.routes(),
    middleware=doors.middleware(doors.routes()),
    lifespan=doors.lifespan,
)
