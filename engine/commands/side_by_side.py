"""What `engine reproduce` does with tables that compare methods, with the judges, and with all tables at once."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from pathlib import Path

from tqdm import tqdm

from engine.commands.shared import opened
from engine.datasets import registered_collection
from engine.errors import USER_ERRORS
from engine.metrics.measure import Measure
from engine.reproduce.comparisons import COMPARISONS, compared, means
from engine.reproduce.judged import NOTE, draw, judged
from engine.reproduce.records import suffix
from engine.reproduce.tables import STUDIES, TABLES, TOGETHER
from engine.tables import show, write_json
from engine.training.presets import RUNS

JUDGED, ALL = "metrics-judged", "all"
KNOWN_TRUTH = ("methods-phantom", "methods-implants")  # comparisons on films of which the truth is known
NAMES = (*TABLES, *TOGETHER, *STUDIES, *COMPARISONS, JUDGED, ALL)


def side_by_side(
    table: str,
    preset: str,
    root: Path | None,
    train: bool,
    device: str,
    precision: str | None,
    runs: Path,
    json: Path | None,
) -> list[str]:
    """Methods side by side on the same films, or what these tell of the measures; what is missing, with its reason."""
    from engine.training.loop import Machine

    machine = Machine(device, 1, precision or "32-true")
    names = [table] if table in COMPARISONS else [name for name in KNOWN_TRUTH if root or name == KNOWN_TRUTH[0]]
    rows: list[Measure] = []
    absent: list[str] = []
    remarks = (
        [] if table in COMPARISONS or root else ["give --root, the folder of ChestX-ray8, to judge on implants too"]
    )
    for name in names:
        comparison = COMPARISONS[name]
        known = registered_collection(comparison.data)
        collection = opened(
            comparison.data, root if known.needs_folder else None, comparison.findings, comparison.options
        )
        with tqdm(unit="method") as bar:

            def progress(done: int, total: int, bar: tqdm = bar) -> None:
                bar.total = total
                bar.update(done - bar.n)

            found, missing = compared(name, preset, collection, machine, runs, train, progress)
        absent += [f"{known.title}: {reason}" for reason in missing]
        if table == JUDGED:
            rows += judged(found, known.title)
        else:
            rows += means(found)
            remarks += dict.fromkeys(remark for entrant in found for remark in entrant.remarks)
    if table == JUDGED and rows:
        draw(rows, runs / f"{JUDGED}{suffix(preset)}.png")
        remarks.append(f"as a picture: {runs / f'{JUDGED}{suffix(preset)}.png'}")
    print(show(rows, [*absent, *remarks, NOTE if table == JUDGED else COMPARISONS[table].note]))
    if json:
        write_json(json, "reproduce", rows)
    return absent


def make_all(
    make: Callable[..., list[str]],
    preset: str,
    root: Path | None,
    train: bool,
    device: str,
    threads: int | None,
    precision: str | None,
    runs: Path,
    json: Path | None,
) -> list[str]:
    """Every table, one after the other, and what is missing of each; a table that cannot be made stops
    no other.

    Args:
        make: the command, as `engine reproduce NAME` calls it; it returns what is missing.
        root: the folder that holds the collections' folders by name.
        json: a folder's worth: each table beside it, `NAME-TABLE.json`.
    """
    said: list[str] = []
    for name in (name for name in NAMES if name != ALL and name not in TOGETHER):
        print(f"\n{name}\n{'=' * len(name)}")
        study = name in STUDIES
        if study and not train:
            said.append(f"{name}: makes its own data and models; leave --no-train out to have it")
            continue
        own = COMPARISONS[name].data if name in COMPARISONS else TABLES[name].measured_data if name in TABLES else ""
        own = own or ("implants" if name == JUDGED else "")
        needs = bool(own) and registered_collection(own).needs_folder
        where = root / (registered_collection(own).made_of or own) if root is not None and needs else None
        keeps = not study or "runs" in signature(import_module(STUDIES[name]).study).parameters
        beside = None if json is None else json.with_name(f"{json.stem}-{name}.json")
        try:
            found = make(
                name,
                preset,
                where if not (name == JUDGED and where is not None and not where.is_dir()) else None,
                train,
                device if not (study and device == "cuda") else "auto",
                threads,
                None if study else precision,
                runs if keeps else RUNS,
                None,
                beside,
            )
            said += [f"{name}: {reason}" for reason in found]
        except USER_ERRORS as reason:
            said.append(f"{name}: {reason}")
            print(reason)
    print("\n" + ("Missing:\n" + "\n".join(said) if said else "Nothing is missing."))
    return said
