"""python -m engine export SCAN: what a checkpoint says of one scan, in the forms that other systems read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.answers import no_answer
from engine.commands.explain import explained, say
from engine.commands.outputs import writable, writable_folder
from engine.errors import UsageError
from engine.tables import write_json


def export(
    scan: Annotated[Path, typer.Argument(help="DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF, a folder or a zip")],
    checkpoint: Annotated[str, typer.Option(help="a shipped name, a folder, or hub:owner/name@revision")],
    out: Annotated[Path, typer.Option(help="folder to write to", callback=writable_folder)],
    as_: Annotated[
        str,
        typer.Option(
            "--as", help="seg, map, sr, gsps, sc, dicom-pdf, pdf, coco, csv, fhir, json with commas between; or all"
        ),
    ] = "all",
    finding: Annotated[list[str] | None, typer.Option(help="again for each; all when not given")] = None,
    series: Annotated[int | None, typer.Option(help="of a folder or zip of several scans, from 0")] = None,
    slice: Annotated[int | None, typer.Option(help="of a volume or multi-frame file, from 0")] = None,
    de_identify: Annotated[
        bool, typer.Option("--de-identify", help="without patient, study and readers' names")
    ] = False,
    validate: Annotated[bool, typer.Option("--validate", help="ask dciodvfy of dicom3tools about each object")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    json: Annotated[Path | None, typer.Option(help="write the table's numbers here", callback=writable)] = None,
) -> None:
    """Export what a checkpoint says of one scan: DICOM objects in the scan's study, PDF, COCO, CSV, FHIR and JSON.

    Without --de-identify DICOM objects and FHIR name the patient as the scan's file does.
    """
    from engine.export.forms import FORMS, write_export
    from engine.export.forms import export as exported_as
    from engine.export.result import ModelUsed, Result

    forms = list(FORMS) if as_.strip() == "all" else list(dict.fromkeys(one.strip() for one in as_.split(",")))
    if unknown := [form for form in forms if form not in FORMS]:
        raise UsageError(f"there is no form {unknown[0]!r}; there are {', '.join(FORMS)}.")
    read, source, checked, records = explained(scan, checkpoint, finding, series, slice, device, sources=True)
    nothing = {one.finding: why for one in records if (why := no_answer(one, checked.metrics.rows)) is not None}
    kept = tuple(one for one in records if one.finding not in nothing)
    if not kept:
        raise UsageError(f"{checked.name} says nothing of this scan that means anything; choose another checkpoint.")
    result = Result(read, ModelUsed.of(checked), kept, source, left_out=tuple(nothing))
    made = exported_as(result, forms, de_identify)
    say(checked, kept)
    for name, why in nothing.items():
        print(f"{name} is left out: {why}.")
    verdicts = _verdicts(made.files) if validate else {}
    write_export(out, made)
    for note in made.notes:
        print(note)
    rows = [
        {"file": name, "bytes": len(data)} | ({"errors": verdicts[name]} if name in verdicts else {})
        for name, data in made.files.items()
    ]
    print(f"{'file':<32}{'bytes':>12}" + (f"{'dciodvfy':>12}" if verdicts else ""))
    for row in rows:
        said = "" if "errors" not in row else "no error" if not row["errors"] else f"{len(row['errors'])} errors"
        print(f"{row['file']:<32}{row['bytes']:>12}{said:>12}".rstrip())
    if json:
        write_json(json, "export", rows)
    if wrong := [error for errors in verdicts.values() for error in errors]:
        raise UsageError(f"dciodvfy finds {len(wrong)} errors, the first: {wrong[0]}")


def _verdicts(files: dict[str, bytes]) -> dict[str, list[str]]:
    from engine.export.validation import NoValidator
    from engine.export.validation import validate as ask

    try:
        return {name: list(ask(data).errors) for name, data in files.items() if name.endswith(".dcm")}
    except NoValidator as missing:
        raise UsageError(str(missing)) from missing
