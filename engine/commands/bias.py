"""python -m engine bias: would a checkpoint's answer change if only one attribute changed?

The answer first, then every number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from tqdm import tqdm

from engine.checkpoints.resolve import open_checkpoint
from engine.commands.outputs import writable
from engine.commands.shared import opened, options_used
from engine.datasets import SPLITS, collections
from engine.errors import UsageError
from engine.files import write_whole
from engine.tables import show, write_text

if TYPE_CHECKING:
    from engine.bias.report.records import BiasReport
    from engine.checkpoints.format import Checkpoint

NOT_EXACT = "--card is for exact counterfactuals, of drawn films or symbols; leave it out for a generator's."


def bias(
    checkpoint: Annotated[str, typer.Option(help="a shipped name, a folder, or hub:owner/name@revision")],
    data: Annotated[str, typer.Option(help=", ".join(collections()))],
    attribute: Annotated[
        list[str],
        typer.Option(help="for example sex, view_position or marker; again for each, Holm's correction is over all"),
    ],
    root: Annotated[Path | None, typer.Option(help="the collection's folder")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="of the collection, name=value; what is not given is as the checkpoint was trained"),
    ] = None,
    default_options: Annotated[
        bool,
        typer.Option(
            "--default-options", help="leave out the options of the collection that the checkpoint was trained with"
        ),
    ] = False,
    generator: Annotated[
        str | None,
        typer.Option(
            help="what makes the counterfactual pictures: a checkpoint, or 'structural'; when not given, the "
            "phantom's own model for drawn films, else the shipped checkpoint for these data"
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="pictures at most, drawn at random")] = 300,
    split: Annotated[str, typer.Option(help="train, validation, test or all")] = "test",
    seed: Annotated[
        int, typer.Option(help="of the choice of pictures, and of what the test and the intervals draw")
    ] = 0,
    margin: Annotated[
        float,
        typer.Option(
            help="a mean change, or a share of decisions, that is too small to matter; 'no sign of it' is claimed "
            "within it alone"
        ),
    ] = 0.05,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    json: Annotated[Path | None, typer.Option(help="write the same numbers here", callback=writable)] = None,
    pdf: Annotated[Path | None, typer.Option(help="write the report here", callback=writable)] = None,
    card: Annotated[
        bool,
        typer.Option(
            "--card", help="also put mean change and flips on the checkpoint's card; exact counterfactuals only"
        ),
    ] = False,
) -> None:
    """Test whether a model's answer depends on an attribute, by counterfactual pictures of every patient."""
    if split not in SPLITS:
        raise UsageError(f"split is one of {', '.join(SPLITS)}, got {split!r}.")
    if not 0 < margin < 1:
        raise UsageError(f"margin lies between 0 and 1, for example 0.05, got {margin:g}.")
    if len(set(attribute)) < len(attribute):
        raise UsageError("an attribute is named twice; name each once.")
    if card and generator not in (None, "structural"):
        raise UsageError(NOT_EXACT)
    found = open_checkpoint(checkpoint)
    if card and not found.metrics.rows:
        raise UsageError(f"the card of {found.name} has no table of measures to add to.")
    labelled = (
        () if data == "phantom" else found.config["findings"]
    )  # drawn films test a finding that they are not labelled for, too
    collection = opened(data, root, labelled, option or (), trained=None if default_options else found)
    remarks = options_used(collection, option or (), found)
    indices = collection.split(split)
    if not len(indices):
        raise UsageError(f"the {split} part of {data} holds no picture; try --split all.")

    # what follows brings torch and more: not before what was typed is known to be sound
    from engine.bias.interventions import open_interventions
    from engine.bias.report import notes
    from engine.bias.report.compute import bias_reports
    from engine.bias.report.wording import HEADER, answer, question, table, trust
    from engine.registry import open_model

    interventions = open_interventions(collection, generator, device)
    for name in attribute:
        if name == "marker" and interventions.exact and "marker" not in interventions.attributes:
            raise UsageError("these drawn films carry no marker; --option marker=TEXT burns one into some of them.")
        interventions.values_of(name)  # refuses an unknown one before anything takes long
    if card and not interventions.exact:
        raise UsageError(NOT_EXACT)
    model = open_model(found, device)
    indices = np.sort(np.random.default_rng(seed).permutation(indices)[:count])
    with tqdm(unit="step") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        reports = bias_reports(model, collection, indices, attribute, interventions, progress, seed, margin, split)
    for report in reports:
        print(question(report.attribute))
        for line in filter(None, (*answer(report), *notes.said_beside(report))):
            print(line)
        print("\nCan these counterfactuals be trusted?")
        for what, much, _ in trust(report):
            print(f"  {what.rstrip(':')}: {much}")
        print("\n" + "\n".join(notes.assumption(report)))
        print("\n" + "\n".join(f"{what}: {how}" for what, how in notes.facts(report)))
        print("\n" + aligned([HEADER, *table(report)]))
        print(notes.columns(report) + "\n")
        print(show(report.measures(), remarks))
        print()
    if json:
        from engine.export.bias_json import bias_json

        write_text(json, bias_json(reports))
    if pdf:
        from engine.export.bias_pdf import bias_pdf

        for report in reports:
            where = pdf if len(reports) == 1 else pdf.with_stem(f"{pdf.stem}-{report.attribute}")
            write_whole(where, bias_pdf(report))
    if card:
        on_card(model.checkpoint, reports)


def on_card(checkpoint: Checkpoint, reports: Sequence[BiasReport]) -> None:
    """Mean change and flips of every finding into the metrics, and so onto the card."""
    from engine.checkpoints.changes import with_measures

    rows = [
        replace(row, remark="")
        for report in reports
        for result in report.findings
        for row in (result.change, result.flips)
    ]
    with_measures(checkpoint, rows)
    print(f"The card of {checkpoint.name} now holds {len(rows)} measures of these reports.")


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells in columns, the first line above a rule."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join([head, "-" * (sum(widths) + 2 * (len(widths) - 1)), *body])
