"""One file a command; each is a function with typed options, put on the command line by typer."""

from __future__ import annotations

import typer

from engine.commands.adopt import adopt
from engine.commands.bench import bench
from engine.commands.bias import bias
from engine.commands.doctor import doctor
from engine.commands.evaluate import evaluate
from engine.commands.explain import explain
from engine.commands.push import push
from engine.commands.reproduce import reproduce
from engine.commands.train import train

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Otherwise: train, explain and measure. Research use only, not for diagnosis.",
)
for command in (doctor, explain, train, evaluate, reproduce, bias, bench, adopt, push):
    app.command()(command)
