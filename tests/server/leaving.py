"""An app of one page for a test: every session asks for a job that never ends by itself, and writes down
when it has ended.
"""

import os
from pathlib import Path

import streamlit as st

from pages.components import common
from server import sessions


def show() -> None:
    sessions.enter()
    folder = Path(os.environ["LEAVING"])
    name = common.session()

    def work(progress):
        (folder / f"{name}.begun").touch()
        try:
            while True:
                progress(0, 1)
        finally:
            (folder / f"{name}.ended").touch()

    common.ask((name,), work)
    st.text(name)


if __name__ == "__main__":
    show()
else:
    from server import doors

    app = st.App(__file__, lifespan=doors.lifespan)
