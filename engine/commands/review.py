"""python -m engine review verify: whether the audit log of the reviews, and what it tells of, is as it was written."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.outputs import writable
from engine.errors import UsageError


class Action(Enum):
    """What can be done."""

    verify = "verify"


def review(
    action: Annotated[Action, typer.Argument(help="verify: check the audit log's chain and what it tells of")],
    database: Annotated[
        str | None,
        typer.Option(help="sqlite:///FILE or postgresql://USER@HOST/NAME; else what the environment names"),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="the hash that an earlier run printed as the log's last; it must still be there")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="write the same facts here", callback=writable)] = None,
) -> None:
    """Check the audit log of the reviews; exit code 1 when anything in it, or in what it tells of, was changed by hand.

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
    store = Store(url)
    try:
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
    print("The chain is whole, and every case, drawing, reading and opinion is as the log says.")
