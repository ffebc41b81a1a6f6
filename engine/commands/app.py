"""python -m engine app: the pages, served to this machine's own browsers."""

from __future__ import annotations

import errno
import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError

APP = Path(__file__).resolve().parents[2] / "app.py"


def app(port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one and says which")] = 8501) -> None:
    """Serves the app on http://127.0.0.1:8501 until it is interrupted."""
    if importlib.util.find_spec("streamlit") is None:
        raise UsageError(
            "the app needs streamlit, which is not installed here; pip install -r requirements.txt brings it."
        )
    if port and in_use(port):
        raise UsageError(
            f"port {port} is in use, perhaps by another Otherwise; choose another with --port, or --port 0 for a free "
            "one."
        )
    served = ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"]
    # -P: a file of the working directory that is called like a module of ours or of Streamlit's is never run.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "streamlit", "run", str(APP), *served])


def in_use(port: int) -> bool:
    """Whether something listens on a port of this machine already."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: what has just ended is no bar
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
