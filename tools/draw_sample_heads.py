"""Draws the CT heads that come with the package: python -m tools.draw_sample_heads [FOLDER THAT HOLDS THE ATLAS]."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.datasets.sample_heads import draw


def main() -> None:
    for file in draw(root=Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(f"{file.name}: {file.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
