"""Lets a reader drop files anywhere on a page that has a field for uploads."""

from pathlib import Path

import streamlit as st

_DROP = st.components.v2.component(
    "otherwise_drop_anywhere", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def drop_anywhere() -> None:
    """To be called once on such a page."""
    _DROP(key="drop anywhere")
