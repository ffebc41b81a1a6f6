"""Several scans in one zip: a folder for each study, in it one for each scan, and a manifest of what left and what did
not.

One scan is made and written after the other, so that no more than the zip and one scan's files are in memory.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import BinaryIO

import numpy as np

from engine import __version__
from engine.export.annotations import literal
from engine.export.drawings import cases_coco, cases_csv
from engine.export.forms import export
from engine.export.result import NOTICE, Result
from engine.queue import Progress, Withdrawn
from engine.review.cases import Case
from engine.review.records import UnusableRecord

MOST_BYTES = 500_000_000  # of a zip
STEPS = 100  # of one scan
MANIFEST, TABLE = "manifest.json", "manifest.csv"
log = logging.getLogger(__name__)


class NotExported(ValueError):
    """A scan that cannot leave; the message says why in one sentence."""


@dataclass(frozen=True, repr=False)
class Wanted:
    """One scan that is to leave.

    Attributes:
        number: of the scan, from 1; each its own.
        study: number of its study, from 1; scans of one study share it.
        label: what its reader calls it.
        scan_sha256, kind: of the scan.
        make: makes its result, and says how far it is; it may raise `NotExported`.
    """

    number: int
    study: int
    label: str
    scan_sha256: str
    kind: str
    make: Callable[[Progress], Result]

    @property
    def folder(self) -> str:
        """Where its files lie in the zip."""
        return f"study_{self.study:03d}/scan_{self.number:03d}"


@dataclass(frozen=True)
class Outcome:
    """What became of one scan: a line of the manifest.

    Attributes:
        folder: in the zip; "" for a scan that did not leave.
        reason: why it did not leave, in one sentence; "" for one that did.
        checkpoint, checkpoint_identity: what was exported of it, "" where nothing was.
        positive: findings above their operating points.
        files, bytes: how many files, and how large they are together before packing.
        notes: what must be said of them.
    """

    number: int
    study: int
    label: str
    scan_sha256: str
    kind: str
    folder: str = ""
    reason: str = ""
    checkpoint: str = ""
    checkpoint_identity: str = ""
    positive: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def exported(self) -> bool:
        """Whether the scan left."""
        return not self.reason


def export_several(
    file: BinaryIO,
    wanted: Sequence[Wanted],
    forms: Sequence[str],
    de_identified: bool = False,
    progress: Progress | None = None,
    cases: Sequence[Case] = (),
    pixels: Callable[[str], np.ndarray | None] | None = None,
    most_bytes: int = MOST_BYTES,
) -> tuple[Outcome, ...]:
    """Writes the zip, and returns what became of each scan; one that is refused loses none of the others.

    Args:
        forms: as `engine.export.forms.export` takes them.
        progress: called with (done, all) steps.
        cases: reviews whose drawings go into two tables of all scans; left out where names are.
        pixels: as `engine.export.drawings.cases_csv` takes them.
        most_bytes: a scan whose files would make the zip larger than this is refused.
    """
    told = progress or (lambda done, every: None)
    outcomes: list[Outcome] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for place, one in enumerate(wanted):

            def step(done: int, every: int, before: int = STEPS * place) -> None:
                told(before + (STEPS * done // every if every else 0), STEPS * len(wanted))

            step(0, 1)
            outcomes.append(_exported(archive, file, one, forms, de_identified, step, most_bytes))
        drawn = [case for case in cases if case.annotations]
        if drawn and not de_identified:
            try:
                archive.writestr("drawings.coco.json", cases_coco(drawn))
            except UnusableRecord as reason:
                log.warning("the drawings are in no COCO file: %s", reason)
            archive.writestr("drawings.csv", cases_csv(drawn, pixels))
        archive.writestr(MANIFEST, manifest_json(outcomes, forms, de_identified))
        archive.writestr(TABLE, manifest_csv(outcomes))
    told(STEPS * len(wanted), STEPS * len(wanted))
    return tuple(outcomes)


def _exported(
    archive: zipfile.ZipFile,
    file: BinaryIO,
    one: Wanted,
    forms: Sequence[str],
    de_identified: bool,
    step: Progress,
    most_bytes: int,
) -> Outcome:
    label = "" if de_identified else one.label
    outcome = Outcome(one.number, one.study, label, one.scan_sha256, one.kind)
    try:
        result = one.make(lambda done, every: step(done, 2 * every))
        made = export(result, forms, de_identified, lambda done, every: step(every + done, 2 * every))
    except Withdrawn:
        raise
    except NotExported as reason:
        return replace(outcome, reason=str(reason))
    except Exception:  # whatever it is, the other scans leave
        log.exception("a scan could not be exported")
        return replace(outcome, reason="It could not be exported; the log says more.")
    packed = io.BytesIO()  # to know before writing how much room it takes
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as trial:
        for name, data in made.files.items():
            trial.writestr(name, data)
    if file.tell() + packed.tell() > most_bytes:
        size = most_bytes // 1_000_000
        return replace(outcome, reason=f"The zip would be larger than {size} MB; export the scan in another one.")
    for name, data in made.files.items():
        archive.writestr(f"{one.folder}/{name}", data)
    return replace(
        outcome,
        folder=one.folder,
        checkpoint=result.model.name,
        checkpoint_identity=result.model.identity,
        positive=tuple(record.finding for record in result.explanations if record.positive),
        files=len(made.files),
        bytes=sum(map(len, made.files.values())),
        notes=made.notes,
    )


def manifest_json(outcomes: Sequence[Outcome], forms: Sequence[str], de_identified: bool) -> str:
    """{notice, version, made, de_identified, forms, scans}."""
    written = {
        "notice": NOTICE,
        "version": __version__,
        "made": None if de_identified else datetime.now(UTC).isoformat(timespec="seconds"),
        "de_identified": de_identified,
        "forms": list(forms),
        "scans": [{"exported": one.exported, **asdict(one)} for one in outcomes],
    }
    return json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def manifest_csv(outcomes: Sequence[Outcome]) -> str:
    """One line a scan, with the fields of `Outcome`."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["exported", *(field.name for field in fields(Outcome)), "notice"], lineterminator="\n"
    )
    writer.writeheader()
    for one in outcomes:
        row = {"exported": "yes" if one.exported else "no", **asdict(one), "notice": NOTICE}
        row |= {"positive": "; ".join(one.positive), "notes": " ".join(one.notes)}
        writer.writerow({name: literal(value) for name, value in row.items()})
    return text.getvalue()
