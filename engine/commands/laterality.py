"""python -m engine laterality: trains and measures the check that says a chest film looks mirrored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from engine.commands.outputs import writable_folder
from engine.commands.shared import opened, use_threads
from engine.datasets import registered_collection
from engine.errors import UsageError

LEAST = 50  # films
DATA = "chestxray8"


def laterality(
    root: Annotated[Path, typer.Option(help=f"folder of frontal chest films in the layout of {DATA}")],
    steps: Annotated[int, typer.Option(min=1, help="of each of the six trainings")] = 600,
    threads: Annotated[int | None, typer.Option(min=1, help="of the CPU")] = None,
    out: Annotated[Path, typer.Option(help="folder for weights, numbers and card", callback=writable_folder)] = Path(
        "laterality"
    ),
) -> None:
    """Train the check that says whether a chest film looks mirrored, and measure it on patients not trained on. The app
    uses the one in engine/laterality/chest.
    """
    from engine.laterality import training

    use_threads(threads)
    collection = opened(DATA, root, ("Pneumonia",))
    if len(collection) < LEAST:
        raise UsageError(f"{root} holds {len(collection)} films; the check needs at least {LEAST}.")
    films = training.films_of(collection)
    with tqdm(total=(training.FOLDS + 1) * steps, unit="step") as bar:

        def told() -> None:
            bar.update()

        found = training.cross_validated(films, collection.patients, steps, told)
        network = training.fitted(films, steps, told=told)
    command = "python -m engine laterality --root DIR" + (f" --steps {steps}" if steps != training.STEPS else "")
    training.save(out, network, found, command, registered_collection(DATA).terms)
    for name in ("specificity", "sensitivity"):
        value, low, high = getattr(found, name)
        print(f"{name} {value:.3f} ({low:.3f} to {high:.3f}), {found.n} films")
