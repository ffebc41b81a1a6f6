"""python -m engine bench NAME: how much faster than the plain way, measured within one run on this machine."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from engine.commands.outputs import writable
from engine.errors import UsageError
from engine.tables import number, write_json

# name -> module with `bench(rounds, progress)`
BENCHES = {
    "acat": "engine.methods.acat.bench",
    "attri-net": "engine.methods.attri_net.bench",
    "causal-alignment": "engine.methods.causal_alignment.bench",
    "cx-gan": "engine.methods.cx_gan.bench",
    "invariance": "engine.methods.cit_lr.bench",
}
FIELDS = ("ours_s", "plain_s", "ratio", "max_difference")


def bench(
    name: Annotated[str, typer.Argument(help=", ".join(BENCHES))],
    rounds: Annotated[int, typer.Option(min=1, help="the best of so many is kept")] = 3,
    json: Annotated[Path | None, typer.Option(help="write the same numbers here", callback=writable)] = None,
) -> None:
    """Seconds, the ratio plain / ours (above 1 is faster) and the largest difference of what comes out."""
    if name not in BENCHES:
        raise UsageError(f"there is no bench called {name!r}; there are {', '.join(BENCHES)}.")
    import torch

    module = import_module(BENCHES[name])
    with tqdm(unit="measurement") as bar:

        def progress(what: str) -> None:
            bar.set_description(what)
            bar.update()

        rows, remarks = module.bench(rounds, progress)
    if not rows:
        raise UsageError(" ".join(remarks))
    print(shown(rows))
    print("\n".join(["", *remarks, f"{torch.get_num_threads()} CPU threads, the best of {rounds}."]))
    if json:
        write_json(json, "bench", rows)


def shown(rows: list[dict]) -> str:
    """Rows of a bench as an aligned table."""
    width = max(len(row["name"]) for row in rows)
    lines = [f"{'name':<{width}}" + "".join(f"{field:>16}" for field in FIELDS)]
    lines += [f"{row['name']:<{width}}" + "".join(f"{number(row[field]):>16}" for field in FIELDS) for row in rows]
    return "\n".join(lines)
