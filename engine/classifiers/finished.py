"""What a finished training of a classifier has left, found again by one that is set alike."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.files import write_whole


def digest(*parts: np.ndarray) -> str:
    """Of the values of arrays, of whatever shape."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def keep(path: Path, settings: dict, what: str, value: Any) -> None:
    """Writes `value`, ready for JSON, under the name `what` beside the settings that it holds for."""
    write_whole(path, json.dumps({"settings": settings, what: value}) + "\n")


def kept(path: Path, settings: dict, what: str) -> Any:
    """What was kept under the name `what` of the same settings; None where nothing was."""
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    return stored[what] if stored["settings"] == settings else None
