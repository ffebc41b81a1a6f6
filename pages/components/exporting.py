"""The menu that exports what a checkpoint says of the scan on show."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from engine.answers import log_odds, no_answer
from engine.checkpoints.detector import only_drawn
from engine.checkpoints.format import Checkpoint
from engine.queue import Job, Progress
from engine.scan import frame
from engine.scan.source import SourceRecord
from pages.components import common, desk, open_scans, volumes
from pages.components.background import Background, wait
from pages.components.checkpoint_choice import offered, standing
from pages.components.shelf import Entry, OpenScan
from server import downloads, sessions

if TYPE_CHECKING:
    from engine.export.result import Result

FILE = "otherwise-export.zip"
LABELS = {  # of the forms in `engine.export.forms`, as short as they can be chosen by
    "seg": "SEG",
    "map": "Parametric map",
    "sr": "Structured report",
    "gsps": "Presentation state",
    "sc": "Secondary capture",
    "dicom-pdf": "PDF in DICOM",
    "pdf": "PDF",
    "animation": "Animation",
    "coco": "COCO",
    "csv": "CSV",
    "fhir": "FHIR",
    "json": "JSON",
}
FIRST = ("seg", "sr", "gsps", "pdf", "json")
IN_PIXELS = "Written in the pixels of a scan, names stay: look at every picture before you pass it on."
KIND = Background("export")


@dataclass(frozen=True, repr=False)
class Packed:
    """An export that is ready: the files in a zip, and what must be said of them."""

    data: bytes
    notes: tuple[str, ...]


@st.fragment
def menu(opened: OpenScan) -> None:
    """A popover with the forms, what becomes of names, and the export itself."""
    usable = [c for c in common.usable() if common.takes(c, opened.scan.kind, opened.slices)]
    entry = open_scans.scans().get(opened.id)
    if not usable or entry is None:
        return
    with st.popover("Export", type="tertiary", key="export"):
        checkpoint = standing(offered(opened))
        st.text(f"{opened.name}, {common.label(checkpoint)}")
        forms, without = choose("export")
        _say_where(entry, without)
        if entry.state == "held back":
            st.text("The result is held back: show it first.")
            return
        asked = st.button("Export", key="export now", type="primary", disabled=not forms)
        kept = desk.kept(opened.scan.sha256)
        wish = (opened.id, opened.scan.sha256, checkpoint.identity, tuple(forms), without, _slice(opened), kept.stamp)
        if asked:
            st.session_state["export wish"] = wish
        if st.session_state.get("export wish") != wish:  # something was changed since
            return
        job = _job(opened, entry, checkpoint, wish, kept)
        if not job.done and not job.wait(0.5):
            wait(job, "Exporting")
        elif job.error is not None:
            st.text(common.complaint(job, "nothing was exported"))
        else:
            _show(entry, wish, job.answer())


def choose(what: str) -> tuple[list[str], bool]:
    """Asks for the forms, and whether names are left out; `what` begins the keys of the two."""
    forms = st.pills(
        "Forms", list(LABELS), selection_mode="multi", default=FIRST, format_func=LABELS.get, key=f"{what} forms"
    )
    without = st.toggle(
        "Leave out names", key=f"{what} without names", help="Patient, study, dates and readers, by DICOM PS3.15"
    )
    return forms, without


def _slice(opened: OpenScan) -> int | None:
    place = open_scans.place_of(opened)
    return None if place is None else place[0]


def _say_where(entry: Entry, without: bool) -> None:
    if without:
        st.text(IN_PIXELS)
    elif entry.source is None:
        st.text("The scan came without a study: DICOM files go into a new one.")
    else:
        st.text("DICOM files go into the study of the scan, and name its patient.")


def _job(opened: OpenScan, entry: Entry, checkpoint: Checkpoint, wish: tuple, kept: desk.Kept) -> Job:
    device, source, index = common.device(), entry.source, _slice(opened)

    def work(progress: Progress) -> Packed:
        def half(done: int, every: int) -> None:  # the model's steps are the first half
            progress(done, 2 * every)

        from engine.export.forms import export

        result = result_of(opened, source, checkpoint, device, index, kept, half)
        made = export(result, wish[3], wish[4], lambda done, every: progress(every + done, 2 * every))
        return Packed(_zipped(made.files), made.notes)

    return KIND.ask(("export", *wish, device), work)


def result_of(
    opened: OpenScan,
    source: SourceRecord | None,
    checkpoint: Checkpoint,
    device: str,
    index: int | None,
    kept: desk.Kept,
    progress: Progress,
) -> Result:
    """What a checkpoint and readers say of a scan, ready to be exported; to be called on the worker.

    Args:
        source: the study of the whole scan.
        index: the slice of a volume that a checkpoint of pictures is asked about; None of a picture.

    Raises:
        NothingSaid: nothing that the checkpoint says means anything.
    """
    from engine.export.result import ModelUsed, Result

    whole = volumes.explains_whole(checkpoint)
    scan = opened.scan if whole else frame(opened.scan, index or 0)
    if whole:
        records = volumes.records(checkpoint, device, scan, progress)
    else:
        records = common.model_of(checkpoint, device).explain(scan, progress=progress)
    drawn = only_drawn(checkpoint, opened.drawn_by)
    nothing = tuple(one.finding for one in records if no_answer(one, checkpoint.metrics.rows) is not None)
    said = [replace(one, only_drawn=drawn) for one in records if one.finding not in nothing]
    said.sort(key=lambda one: log_odds(one.threshold) - log_odds(one.probability))
    if not said:
        raise common.NothingSaid(f"{common.label(checkpoint)} says nothing of this scan that means anything.")
    of_slice = not whole and index is not None
    return Result(
        scan,
        ModelUsed.of(checkpoint),
        tuple(said),
        source.at(index or 0) if source is not None and of_slice else source,
        annotations=kept.annotations,
        readings=kept.readings,
        opinions=kept.opinions,
        left_out=nothing,
        slice=index if of_slice else None,
        volume=opened.scan if of_slice else None,
        volume_source=source if of_slice else None,
    )


def _zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _show(entry: Entry, wish: tuple, packed: Packed) -> None:
    entry.exported = True
    lent = sessions.belongings().get("export")
    if lent is None or lent[0] != wish:
        if lent is not None:
            downloads.take_back(lent[1])
        lent = sessions.belongings()["export"] = (wish, downloads.lend(packed.data, FILE))
    st.html(f"<a class='download' href='{lent[1]}' download='{FILE}'>Save {FILE}</a> ({size(len(packed.data))})")
    for note in packed.notes:
        st.text(note)


def size(count: int) -> str:
    """'1.2 MB' or '14 kB'."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"
