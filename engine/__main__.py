"""The command line: python -m engine COMMAND --help."""

from __future__ import annotations

import sys

from engine.commands import app
from engine.endings import MENDABLE, Stopped


def main() -> None:
    """Runs one command; what a user can mend ends in one sentence on standard error and exit code 1."""
    try:
        app()
    except MENDABLE as error:
        print(f"engine: {error}", file=sys.stderr)
        sys.exit(1)
    except Stopped as stopped:
        print(f"engine: {stopped}", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
