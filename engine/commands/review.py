"""python -m engine review verify, export: is the audit log of the reviews as it was written, and what was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.outputs import writable, writable_folder
from engine.errors import UsageError
from engine.files import staged

if TYPE_CHECKING:
    from engine.review.cases import Case


class Action(Enum):
    """What can be done."""

    verify = "verify"
    export = "export"


def review(
    action: Annotated[
        Action,
        typer.Argument(help="verify: check the audit log's chain and what it tells of; export: write what was drawn"),
    ],
    database: Annotated[
        str | None,
        typer.Option(help="sqlite:///FILE or postgresql://USER@HOST/NAME; else what the environment names"),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="the hash that an earlier run printed as the log's last; it must still be there")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="of export: folder for drawings.coco.json and drawings.csv", callback=writable_folder),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="write the same facts here", callback=writable)] = None,
) -> None:
    """Check the audit log of the reviews; exit code 1 when anything in it, or in what it tells of, was changed by hand.
    Or write what readers drew on all scans, named by the sha256 of their pixels, as COCO and CSV.

    Each entry of the log holds the hash of the one before. Note the last hash that is printed: given as --head later,
    it shows that no entries were cut off since.
    """
    from engine.review.database import ADDRESS, FOLDER, MEMORY, address, is_there
    from engine.review.store import Store

    url = database or address()
    if url == MEMORY:
        raise UsageError(f"No reviews are kept: set {FOLDER} or {ADDRESS}, or name a --database.")
    if not is_there(url):
        raise UsageError("There is no database of reviews yet; the app makes it when the first page of a review opens.")
    if action is Action.export and out is None:
        raise UsageError("export needs --out, a folder.")
    store = Store(url)
    try:
        if action is Action.export and out is not None:
            return _export(store.all_cases(), out, json)
        found = store.verify(head)
    finally:
        store.close()
    print(f"{found.entries} entries; the last one's hash is {found.head}")
    if json:
        from engine.tables import write_json

        row = {"name": "audit log", "ok": not found.faults, "entries": found.entries, "head": found.head}
        write_json(json, "review verify", [{**row, "faults": list(found.faults)}])
    if found.faults:
        print("\n".join(found.faults))
        raise UsageError("the audit log, or what it tells of, is not as it was written.")
    print("The chain is whole, and every case, drawing, reading, opinion and assignment is as the log says.")


def _export(cases: Sequence[Case], out: Path, json: Path | None) -> None:
    from engine.export.drawings import cases_coco, cases_csv

    with staged(out) as put:
        put("drawings.coco.json", cases_coco(cases))
        put("drawings.csv", cases_csv(cases))
    rows = [{"name": case.scan_sha256, "state": case.state, "drawings": len(case.annotations)} for case in cases]
    for row in rows:
        print(f"{row['name'][:16]}  {row['state']:<10} {row['drawings']:>5} drawings")
    if json:
        from engine.tables import write_json

        write_json(json, "review export", rows)
    print(f"{len(rows)} cases are in {out}.")
