"""One file a command; each is a function with typed options, put on the command line by typer when it is asked for."""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = ("doctor", "explain", "train", "evaluate", "reproduce", "bias", "bench", "adopt", "caution", "push")


class _OneByOne(TyperGroup):
    """Imports a command's file only when it is needed: `doctor` must run where what the others import is missing."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        alone = typer.Typer(add_completion=False)
        alone.command()(getattr(import_module(f"engine.commands.{cmd_name}"), cmd_name))
        return get_command(alone)


app = typer.Typer(
    cls=_OneByOne,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Otherwise: train, explain and measure. Research use only, not for diagnosis.",
)


@app.callback()
def _engine() -> None:
    """Typer wants one where a group has no command of its own."""
