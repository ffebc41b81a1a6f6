"""One file a command; each is a function with typed options, put on the command line by typer when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_command

from engine import __version__

COMMANDS = (
    "app",
    "doctor",
    "explain",
    "export",
    "train",
    "evaluate",
    "reproduce",
    "bias",
    "bench",
    "adopt",
    "caution",
    "detector",
    "index",
    "laterality",
    "push",
    "review",
)


class _OneByOne(TyperGroup):
    """Imports a command's file only when it is needed: `doctor` must run where what the others import is missing."""

    def list_commands(self, ctx) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx, cmd_name: str):
        if cmd_name not in COMMANDS:
            return None
        alone = typer.Typer(add_completion=False)
        alone.command()(getattr(import_module(f"engine.commands.{cmd_name}"), cmd_name))
        return get_command(alone)


command_line = typer.Typer(
    cls=_OneByOne,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Otherwise: train, explain and measure. Research use only, not for diagnosis.",
)


def _say_version(version_flag: bool) -> None:
    if version_flag:
        typer.echo(f"Otherwise {__version__}")
        raise typer.Exit


@command_line.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """What stands before a command's name."""
