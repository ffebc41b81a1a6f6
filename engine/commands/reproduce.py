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
from engine.commands.shared import as_read, opened, use_threads
from engine.commands.side_by_side import ALL, JUDGED, NAMES, make_all, side_by_side
from engine.commands.train import guided
from engine.datasets import registered_collection
from engine.datasets.collection import Collection
from engine.datasets.selected_findings import SelectedFindings
from engine.errors import UsageError
from engine.metrics.measure import Measure
from engine.registry import method as registered
from engine.registry import open_model
from engine.reproduce.comparisons import COMPARISONS, MOST
from engine.reproduce.records import Table, assembled, of_seeds
from engine.reproduce.tables import STUDIES, TABLES, TOGETHER
from engine.shortcuts import both_numbers
from engine.tables import show, write_json
from engine.training.presets import RUNS

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
    seeds: Annotated[
        str, typer.Option(help="42,43: only the trainings of these seeds, of a table that has several; all else")
    ] = "",
) -> list[str]:
    """Ours beside the paper's: one row a measure and model."""
    if table not in (*TABLES, *NAMES):
        raise UsageError(f"no table is called {table!r}; there are {', '.join(NAMES)}.")
    numbers = _numbers(seeds)
    if numbers and table not in (*TABLES, *TOGETHER):
        raise UsageError(f"{table} has no trainings of several seeds; it takes no --seeds.")
    if table == ALL:
        return make_all(reproduce, preset, root, train, device, threads, precision, runs, json)
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
        _study(table, preset, generator, device, threads, json, runs if keeps else None)
        return []
    if generator:
        raise UsageError(f"{table} makes no counterfactuals of attributes; --generator is for invariance-phantom.")
    if table in (*COMPARISONS, JUDGED):
        if preset not in MOST:
            raise UsageError(f"{table} has no preset {preset!r}; there are {', '.join(MOST)}.")
        use_threads(threads)
        return side_by_side(table, preset, root, train, device, precision, runs, json)
    chosen = [TABLES[name] for name in TOGETHER.get(table, (table,))]
    chosen = [of_seeds(table_entry, numbers) for table_entry in chosen] if numbers else chosen
    for table_entry in chosen:
        if preset not in registered(table_entry.method).presets():
            raise UsageError(
                f"{table_entry.method} has no preset {preset!r}; there are "
                f"{', '.join(registered(table_entry.method).presets())}."
            )
    for table_entry in chosen if len(chosen) > 1 else ():  # a folder that is missing is said before the first training
        _measured_pictures(table_entry, _folder(root, table_entry, True))
    use_threads(threads)
    from engine.training.loop import Machine

    machine = Machine(device, 1, precision or _suited_precision(device))
    everything: list[Measure | dict] = []
    absent: list[str] = []
    for table_entry in chosen:
        rows, missing, remarks = _measured(
            table_entry, preset, _folder(root, table_entry, len(chosen) > 1), machine, runs, train
        )
        print(show(rows, [*remarks, table_entry.note]))
        everything += [*rows, *missing]
        absent += _reasons(missing)
    if json:
        write_json(json, "reproduce", everything)
    return absent


def _numbers(seeds: str) -> list[int]:
    """What was typed after --seeds.

    Raises:
        UsageError: it is no list of whole numbers.
    """
    try:
        return [int(number) for number in seeds.split(",") if number.strip()]
    except ValueError as error:
        raise UsageError(f"--seeds takes whole numbers with commas between, got {seeds!r}.") from error


def _folder(root: Path | None, table: Table, several: bool) -> Path | None:
    """The folder of the collection that is measured: `root` itself, or, where several collections are asked for, its
    folder of the collection's name, which one that draws its own pictures need not have.
    """
    if not several or root is None:
        return root
    known = registered_collection(table.measured_data)
    folder = root / (known.made_of or table.measured_data)
    return folder if known.needs_folder or folder.is_dir() else None


def _measured_pictures(table: Table, root: Path | None) -> Collection:
    """The collection that a table's rows are of, as its method reads it."""
    options = () if table.measured_on else table.options
    return as_read(registered(table.method), opened(table.measured_data, root, table.findings, options))


def _measured(
    table: Table, preset: str, root: Path | None, machine: Machine, runs: Path, train: bool
) -> tuple[list[Measure], list[dict], list[str]]:
    """The rows of one table, those that could not be had, and remarks."""
    collection = _measured_pictures(table, root)
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
        absent |= dict.fromkeys((name for name in table.baselines.names if name not in (beside or {})), reason)
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
        taught = collection
        if table.measured_on:
            taught = as_read(entry, opened(table.data, None, table.findings, table.options))
        entry.train(training_job(table, model, preset, taught, machine, runs))
    part = "all" if table.measured_on else "test"
    opened_model, test = open_model(name, machine.accelerator), collection.split(part)
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
