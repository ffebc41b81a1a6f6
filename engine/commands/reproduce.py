"""python -m engine reproduce TABLE: trains what is missing, measures every model, and puts the paper's
numbers beside.
"""

from __future__ import annotations

import shlex
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from engine.checkpoints.resolve import shipped, shipped_folder
from engine.commands.outputs import writable, writable_folder
from engine.commands.shared import opened, use_threads
from engine.commands.train import guided
from engine.datasets import registered_collection
from engine.datasets.collection import Collection
from engine.datasets.selected_findings import SelectedFindings
from engine.errors import USER_ERRORS, UsageError
from engine.metrics.measure import Measure
from engine.registry import method as registered
from engine.registry import open_model
from engine.reproduce.comparisons import COMPARISONS, MOST, compared, means
from engine.reproduce.judged import NOTE, draw, judged
from engine.reproduce.records import Table, assembled, suffix
from engine.reproduce.tables import STUDIES, TABLES, TOGETHER
from engine.shortcuts import both_numbers
from engine.tables import show, write_json
from engine.training.presets import RUNS

JUDGED, ALL = "metrics-judged", "all"
KNOWN_TRUTH = ("methods-phantom", "methods-implants")  # comparisons on films of which the truth is known
NAMES = (*TABLES, *TOGETHER, *STUDIES, *COMPARISONS, JUDGED, ALL)
FOLDERS = {"implants": "chestxray8"}  # whose films a collection is made of, where it is not its own

if TYPE_CHECKING:  # they bring torch, which the list of commands can do without
    from engine.training.job import TrainingJob
    from engine.training.loop import Machine


def reproduce(
    table: Annotated[str, typer.Argument(help=", ".join(NAMES))],
    preset: Annotated[
        str, typer.Option(help="demo (two CPU cores), gpu (ten minutes of one large GPU) or paper (a GPU for days)")
    ] = "demo",
    root: Annotated[
        Path | None,
        typer.Option(
            help="the collection's folder, where it needs one; for several, the folder that holds theirs by name"
        ),
    ] = None,
    train: Annotated[bool, typer.Option(help="train what is missing, or say that it is")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads")] = None,
    precision: Annotated[
        str | None, typer.Option(help="of training, 32-true or bf16-mixed; what suits the machine when not given")
    ] = None,
    runs: Annotated[
        Path, typer.Option(help="where half-finished runs and the baseline's scores are kept", callback=writable_folder)
    ] = RUNS,
    generator: Annotated[
        str | None,
        typer.Option(help="for invariance-phantom: the checkpoint that makes the counterfactuals, or 'structural'"),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="write the same numbers here", callback=writable)] = None,
) -> None:
    """Ours beside the paper's: one row a measure and model."""
    if table not in NAMES:
        raise UsageError(f"no table is called {table!r}; there are {', '.join(NAMES)}.")
    if table == ALL:
        return _everything(preset, root, train, device, threads, precision, runs, json)
    if table in STUDIES:
        keeps = "runs" in signature(import_module(STUDIES[table]).study).parameters
        unused = {
            "--root": root,
            "--precision": precision,
            "--runs": runs != RUNS and not keeps,
            "--no-train": not train,
        }
        given = [flag for flag, value in unused.items() if value]
        if given:
            raise UsageError(f"{table} makes its own data and keeps no model; it takes no {', '.join(given)}.")
        return _study(table, preset, generator, device, threads, json, runs if keeps else None)
    if generator:
        raise UsageError(f"{table} makes no counterfactuals of attributes; --generator is for invariance-phantom.")
    if table in (*COMPARISONS, JUDGED):
        if preset not in MOST:
            raise UsageError(f"{table} has no preset {preset!r}; there are {', '.join(MOST)}.")
        use_threads(threads)
        return _compared(table, preset, root, train, device, precision, runs, json)
    chosen = [TABLES[name] for name in TOGETHER.get(table, (table,))]
    for table_entry in chosen:
        if preset not in registered(table_entry.method).presets():
            raise UsageError(
                f"{table_entry.method} has no preset {preset!r}; there are "
                f"{', '.join(registered(table_entry.method).presets())}."
            )
    for table_entry in chosen if len(chosen) > 1 else ():  # a folder that is missing is said before the first training
        opened(table_entry.data, _folder(root, table_entry, True), table_entry.findings, table_entry.options)
    use_threads(threads)
    from engine.training.loop import Machine

    machine = Machine(device, 1, precision or _suited_precision(device))
    everything: list[Measure | dict] = []
    for table_entry in chosen:
        rows, missing, remarks = _measured(
            table_entry, preset, _folder(root, table_entry, len(chosen) > 1), machine, runs, train
        )
        print(show(rows, [*remarks, table_entry.note]))
        everything += [*rows, *missing]
    if json:
        write_json(json, "reproduce", everything)


def _compared(
    table: str,
    preset: str,
    root: Path | None,
    train: bool,
    device: str,
    precision: str | None,
    runs: Path,
    json: Path | None,
) -> None:
    """Methods side by side on the same films, or what these tell of the measures."""
    from engine.training.loop import Machine

    machine = Machine(device, 1, precision or "32-true")
    names = [table] if table in COMPARISONS else [name for name in KNOWN_TRUTH if root or name == KNOWN_TRUTH[0]]
    rows: list[Measure] = []
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
        if table == JUDGED:
            rows += judged(found, known.title)
            remarks += [f"{known.title}: {reason}" for reason in missing]
        else:
            rows += means(found)
            remarks += [*missing, *dict.fromkeys(remark for entrant in found for remark in entrant.remarks)]
    if table == JUDGED and rows:
        draw(rows, runs / f"{JUDGED}{suffix(preset)}.png")
        remarks.append(f"as a picture: {runs / f'{JUDGED}{suffix(preset)}.png'}")
    print(show(rows, [*remarks, NOTE if table == JUDGED else COMPARISONS[table].note]))
    if json:
        write_json(json, "reproduce", rows)


def _everything(
    preset: str,
    root: Path | None,
    train: bool,
    device: str,
    threads: int | None,
    precision: str | None,
    runs: Path,
    json: Path | None,
) -> None:
    """Every table, one after the other, and what is missing of each; a table that cannot be made stops no other.

    Args:
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
        own = COMPARISONS[name].data if name in COMPARISONS else TABLES[name].data if name in TABLES else ""
        own = own or ("implants" if name == JUDGED else "")
        needs = bool(own) and registered_collection(own).needs_folder
        where = root / FOLDERS.get(own, own) if root is not None and needs else None
        keeps = not study or "runs" in signature(import_module(STUDIES[name]).study).parameters
        beside = None if json is None else json.with_name(f"{json.stem}-{name}.json")
        try:
            reproduce(
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
        except USER_ERRORS as reason:
            said.append(f"{name}: {reason}")
            print(reason)
    print("\n" + ("Missing:\n" + "\n".join(said) if said else "Nothing is missing."))


def _folder(root: Path | None, table: Table, several: bool) -> Path | None:
    """The collection's folder: `root` itself, or, where several collections are asked for, its folder of the
    collection's name.
    """
    return root / FOLDERS.get(table.data, table.data) if several and root is not None else root


def _measured(
    table: Table, preset: str, root: Path | None, machine: Machine, runs: Path, train: bool
) -> tuple[list[Measure], list[dict], list[str]]:
    """The rows of one table, those that could not be had, and remarks."""
    collection = opened(table.data, root, table.findings, table.options)
    measured: dict[str, list[Measure]] = {}
    absent: dict[str, str] = {}
    remarks: list[str] = []
    bar = tqdm(table.models, unit="model")
    for model in bar:
        bar.set_description(model)
        rows, said = _rows_of(table, model, preset, collection, machine, runs, train)
        remarks += [f"{model}: {remark}" for remark in (*said, *both_numbers(rows or ()))]
        if rows is None:
            absent[model] = (
                f"checkpoint {table.checkpoint(model, preset)} is not there; leave --no-train out to train it"
            )
        else:
            measured[model] = rows
    if table.baselines:
        beside = table.baselines.measured(table, preset, collection, machine, runs, train)
        reason = f"the baseline has not been trained with the {preset} preset; leave --no-train out to do so"
        measured |= beside or {}
        absent |= {} if beside else dict.fromkeys(table.baselines.names, reason)
    rows, missing = assembled(table, measured, absent)
    return rows, missing, remarks + _reasons(missing)


def _reasons(missing: list[dict]) -> list[str]:
    """Each reason why rows are missing, once, with the measures and subjects that it keeps from a number."""
    subjects: dict[str, dict[str, list[str]]] = {}
    for row in missing:
        subjects.setdefault(row["remark"], {}).setdefault(row["metric"], []).append(row["subject"])
    listed = {
        reason: [f"{metric} ({'; '.join(of)})" for metric, of in metrics.items()]
        for reason, metrics in subjects.items()
    }
    return [f"{reason}: {', '.join(rows)}" for reason, rows in listed.items()]


def _study(
    name: str,
    preset: str,
    generator: str | None,
    device: str,
    threads: int | None,
    json: Path | None,
    runs: Path | None,
) -> None:
    """A study that makes its own data and models, from beginning to end.

    Args:
        runs: where a study that can be continued keeps what is finished; None for one that cannot.
    """
    module = import_module(STUDIES[name])
    if preset not in module.PRESETS:
        raise UsageError(f"{name} has no preset {preset!r}; there are {', '.join(module.PRESETS)}.")
    taken = signature(module.study).parameters
    if generator and "generator" not in taken:
        raise UsageError(f"{name} makes no counterfactuals of attributes; --generator is for invariance-phantom.")
    if device == "cuda" and "device" not in taken:
        raise UsageError(f"{name} runs on the CPU; leave --device out.")
    given = {"generator": generator, "device": device, "runs": runs}
    chosen = {option: value for option, value in given.items() if value and option in taken}
    use_threads(threads)
    with threadpool_limits(threads), tqdm(unit="model") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        rows, remarks = module.study(module.PRESETS[preset], progress, **chosen)
    print(show(rows, [*remarks, module.NOTE]))
    if json:
        write_json(json, "reproduce", rows)


def _rows_of(
    table: Table, model: str, preset: str, collection: Collection, machine: Machine, runs: Path, train: bool
) -> tuple[list[Measure] | None, list[str]]:
    """All that is measured of one model on the test part, None when its checkpoint is missing and not to be trained;
    and what `evaluate` remarks.
    """
    method = table.models[model].method or table.method
    entry, name = registered(method), table.checkpoint(model, preset)
    if table.models[model].findings:
        collection = SelectedFindings(collection, table.models[model].findings)
    if name not in shipped():
        if not train:
            return None, []
        entry.train(training_job(table, model, preset, collection, machine, runs))
    opened_model, test = open_model(name, machine.accelerator), collection.split("test")
    if opened_model.checkpoint.method != method or tuple(opened_model.findings) != tuple(collection.findings):
        raise UsageError(
            f"checkpoint {name} is not the one this table needs: it knows {', '.join(opened_model.findings)}."
        )
    rows, remarks = entry.evaluate(opened_model, collection, test)
    return rows + (table.more(opened_model, collection, test) if table.more else []), remarks


def training_job(
    table: Table, model: str, preset: str, collection: Collection, machine: Machine, runs: Path
) -> TrainingJob:
    """The training of one model of a table, the same as the `engine train` command that its card names."""
    from engine.training.job import TrainingJob
    from engine.training.loop import STATE

    training, name = table.models[model], table.checkpoint(model, preset)
    guide, words = guided(training.guidance, collection)
    changes, start_from = {**table.changes, **training.changes}, None
    if preset == "demo":
        changes, start_from = {**changes, **training.demo}, training.start_from
    typed = [
        "python",
        "-m",
        "engine",
        "train",
        training.method or table.method,
        "--data",
        table.data,
        "--name",
        name,
        "--preset",
        preset,
    ]
    typed += ["--root", "DIR"] if registered_collection(table.data).needs_folder else []
    settings = [f"{name}={value}" for name, value in changes.items()]
    for flag, values in (
        ("--finding", training.findings or table.findings),
        ("--option", table.options),
        ("--set", settings),
    ):
        typed += [word for value in values for word in (flag, value)]
    typed += ["--start-from", start_from] if start_from else []
    typed += ["--guidance", training.guidance, "--seed", str(training.seed), "--precision", machine.precision]
    return TrainingJob(
        name=name,
        collection=collection,
        terms=registered_collection(table.data).terms,
        preset=preset,
        changes=changes,
        guidance=guide,
        guidance_words=words,
        machine=machine,
        seed=training.seed,
        command=shlex.join(typed),
        destination=shipped_folder(),
        start_from=start_from,
        resume=(runs / name / STATE).exists(),
        runs=runs,
    )


def _suited_precision(device: str) -> str:
    """bfloat16 where the device has it in hardware; training on another would only be slower for it."""
    import torch

    from engine.networks.precision import bfloat16_in_hardware
    from engine.registry import choose_device

    gains = torch.cuda.is_bf16_supported() if choose_device(device) == "cuda" else bfloat16_in_hardware()
    return "bf16-mixed" if gains else "32-true"
