"""The installed package: everything that the repository has in its root lies in this one folder, and goes on the path
here.

In a wheel, `engine/`, `pages/`, `server/`, `viewer/`, `checkpoints/`, `app.py` and `.streamlit/` lie beside this file,
so that installing adds no other top-level name; in the repository they lie one folder up.
"""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
HOME = _HERE if (_HERE / "engine").is_dir() else _HERE.parent


def main() -> None:
    """Runs one command, as `python -m engine` does: `otherwise COMMAND --help` explains each."""
    if str(HOME) not in sys.path:
        sys.path.insert(0, str(HOME))
    from engine.__main__ import main as run

    run()
