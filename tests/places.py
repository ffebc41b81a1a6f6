"""Where things are: the root of the project and the real scans beside it, which need not be there."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REAL_SCANS = ROOT.parent / "shared" / "data"
