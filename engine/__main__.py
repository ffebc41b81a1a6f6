"""The command line: python -m engine COMMAND --help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from typer import BadParameter

from engine.commands import command_line
from engine.errors import USER_ERRORS, Stopped

if TYPE_CHECKING:
    from typer._click.exceptions import UsageError
else:
    UsageError = BadParameter.__base__  # of click, or of typer's own copy of it


def _program() -> str:
    """What was called: `engine` for python -m engine, else the command's own name."""
    called = Path(sys.argv[0])
    return called.parent.name if called.stem == "__main__" else called.stem


def main() -> None:
    """Runs one command; what a user can mend ends in one sentence on standard error and exit code 1, or 2 for words
    that no command takes.
    """
    try:
        ended = command_line(sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.exit(ended if isinstance(ended, int) else 0)  # what else a command returns is for callers within
    except UsageError as error:
        help_of = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        print(f"{_program()}: {error.format_message().rstrip('.')}{help_of}.", file=sys.stderr)
        sys.exit(error.exit_code)
    except USER_ERRORS as error:
        print(f"{_program()}: {error}", file=sys.stderr)
        sys.exit(1)
    except Stopped as stopped:
        print(f"{_program()}: {stopped}", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
