"""The list of open scans in the sidebar: thumbnails, labels and states, kept up to date by the browser itself."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.components import blind_reading, desk, open_scans, shelf
from pages.components.grouping import places
from pages.components.shelf import SHELVES, Entry, Shelf
from server import readers
from server.doors import UPLOADS

KEY = "scan list"
PATH = "/scans/"
_HERE = Path(__file__).parent
_LIST = st.components.v2.component(
    "otherwise_scan_list",
    html="<div class='scans'></div>\n",
    css=(_HERE / "scan_list.css").read_text(encoding="utf-8"),
    js=(_HERE / "scan_list.js").read_text(encoding="utf-8"),
)
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def sidebar(blind: bool = False) -> None:
    """Which scan is on show, opening others, and closing them; `blind` as in `show`."""
    open_scans.settle()
    known = open_scans.scans()
    if known:
        look_up_reviews()
        show(blind)
    with st.container(horizontal=True, gap="small", key="closing"):
        entry = open_scans.chosen_entry()
        if entry is not None:
            st.button(
                f"Close {entry.title}",
                help="It can be reopened until another is closed",
                on_click=open_scans.close,
                args=(entry.id,),
                type="tertiary",
                key="close",
            )
        if closed := shelf.mine().closed:
            st.button(f"Undo: reopen {closed[1].title}", on_click=open_scans.reopen, type="tertiary", key="reopen")
    upload()
    draw(known)


def upload() -> None:
    """The place where files are dropped; what was dropped is opened."""
    round_ = st.session_state.setdefault("uploads", 0)
    most = st.get_option(
        "server.maxUploadSize"
    )  # the widget's own words round it to whole gigabytes, and are not shown
    files = st.file_uploader(
        f"Open DICOM, NIfTI, NRRD, MHA, zip, PNG, JPEG, TIFF, up to {most} MB a file",
        accept_multiple_files=True,
        key=f"upload {round_}",
    )
    if files:
        st.session_state.notice = None
        with st.spinner("Reading"):
            entries = open_scans.take({file.file_id: (file.name, file.getvalue()) for file in files})
            _let_go([file.file_id for file in files], entries)
        st.session_state.uploads = round_ + 1  # a new widget: the old one lets go of the names
        st.rerun()
    context = get_script_run_ctx()
    if context is not None and (sentences := UPLOADS.turned_away(context.session_id)):
        count = f"{len(sentences)} {'file was' if len(sentences) == 1 else 'files were'} not taken."
        reasons = list(dict.fromkeys(sentences))
        st.session_state.notice = f"{count} {reasons[0]}" if len(reasons) == 1 else "\n".join([count, *reasons])


def _let_go(file_ids: list[str], entries: list[Entry]) -> None:
    """Streamlit would keep the bytes of an upload until its session ends; they count as on their way until
    they are read.
    """
    context = get_script_run_ctx()
    if context is not None and runtime.exists():
        for file_id, entry in zip(file_ids, entries, strict=True):
            UPLOADS.hand_over(context.session_id, file_id, entry.done)
            runtime.get_instance().uploaded_file_mgr.remove_file(context.session_id, file_id)


def draw(known: dict[str, Entry]) -> None:
    """The choice of drawn pictures that are not open yet."""
    patients = [name for name in (*open_scans.PATIENTS, *open_scans.HEADS, *open_scans.SYNTHETIC) if name not in known]
    patient = st.selectbox(
        "Or a drawn picture",
        patients,
        index=None,
        placeholder="Choose one",
        key=f"patient {len(known)} {st.session_state.uploads}",
    )
    if patient:
        st.session_state.notice = None
        with st.spinner("Drawing the picture"):
            open_scans.show(open_scans.drawn(patient))
        st.session_state.uploads += 1
        st.rerun()


def show(blind: bool = False) -> None:
    """The list itself.

    Args:
        blind: the reader is to say what is there before any model does.
    """
    mine = shelf.mine()
    data = {"address": f"{PATH[1:]}{mine.token}", "entries": described(mine), "chosen": st.session_state.get("scan")}
    data["me"] = desk.reader()
    data["blind"] = "all" if blind else "unread" if blind_reading.on() else ""  # of which nothing is told
    data["heard"] = st.session_state.get(
        "wishes heard", 0
    )  # until its last wish is, the list stays where the reader has put it
    _LIST(
        data=data,
        key=KEY,
        on_chosen_change=_turn,
        on_closed_change=_close,
        on_renamed_change=_rename,
        on_cleared_change=open_scans.close_refused,
        on_changed_change=lambda: None,
    )


def _sent(name: str) -> object:
    """What the list sent in this run; the browser may send anything."""
    return getattr(st.session_state.get(KEY), name, None)


def _turn() -> None:
    match _sent("chosen"):
        case [str(identity), int(count)]:
            st.session_state["wishes heard"] = count
            open_scans.turn_to(identity)


def _close() -> None:
    if isinstance(wish := _sent("closed"), str):
        open_scans.close(wish)


def _rename() -> None:
    match _sent("renamed"):
        case [str(identity), str(label)]:
            open_scans.rename(identity, label)


def described(mine: Shelf) -> list[dict]:
    """What the list and the worklist show of each entry."""
    entries = list(mine.entries.values())
    where = places(entries)
    return [
        {
            "id": entry.id,
            "title": entry.title,
            "state": entry.state,
            "why": entry.reason or entry.note,
            "pictured": bool(entry.thumbnail),
            "kind": entry.small.scan.kind if entry.small is not None else "",
            "slices": entry.small.slices if entry.small is not None else 0,
            "step": entry.step,
            "exported": entry.exported,
            "group": where[entry.id].group,
            "patient": where[entry.id].patient,
            "age": where[entry.id].age,
            "series": where[entry.id].series,
            "assigned": list(entry.assigned),
            "readBy": list(entry.read_by),
            **_told(entry),
        }
        for entry in entries
    ]


def _told(entry: Entry) -> dict:
    """What the list is ordered and narrowed by; None comes last."""
    told = entry.told.get(entry.wanted)
    held_back = entry.state == "held back"  # nothing is said of it
    return {
        "findings": [] if told is None or held_back else list(told.above),
        "above": None if told is None or held_back else len(told.above),
        "flip": None if told is None or held_back else told.flip,
        "unlike": None if told is None else told.unlike,
        "disagreement": None if held_back else entry.disagreement,
    }


def look_up_reviews() -> None:
    """How far readers are with each scan, and whose it is to read, as the store of reviews has it."""
    store = desk.reviews()
    if store is None:
        return
    states = {case.scan_sha256: case.state for case in store.cases() if case.revision}
    read, read_by = store.answered(), store.read_by()
    assigned: dict[str, tuple[str, ...]] = {}
    for one in store.assignments():
        assigned[one.scan_sha256] = (*assigned.get(one.scan_sha256, ()), one.assignee)
    for entry in shelf.mine().entries.values():
        sha256 = entry.sha256
        state = states.get(sha256, "")
        entry.reviewed = state if state in shelf.CASES else "read" if sha256 in read else state
        entry.assigned, entry.read_by = assigned.get(sha256, ()), read_by.get(sha256, ())


@st.fragment(run_every=1.0)
def wait_for_reading(entry: Entry) -> None:
    """One quiet line while the scan that is to be shown is read; the page runs again when it is."""
    st.container(key="waiting-to-read").progress(0.0, "Reading the scan")
    if entry.done.wait(0.7):
        st.rerun()


def _shelf_of(request: Request) -> Shelf | None:
    return SHELVES.by_token(request.path_params["token"], readers.of_request(request.scope))


async def _entries(request: Request) -> Response:
    mine = _shelf_of(request)
    return JSONResponse([], 404, headers=HEADERS) if mine is None else JSONResponse(described(mine), headers=HEADERS)


async def _thumbnail(request: Request) -> Response:
    mine = _shelf_of(request)
    entry = mine and mine.entries.get(request.path_params["entry"])
    if not entry or not entry.thumbnail:
        return PlainTextResponse("There is no picture.", 404, headers=HEADERS)
    return Response(
        entry.thumbnail, media_type="image/png", headers={**HEADERS, "Cache-Control": "private, max-age=600"}
    )


def routes() -> list[Route]:
    """For the server: the list as it is now, and its thumbnails, to the reader whose they are."""
    return [
        Route(PATH + "{token}", _entries, methods=["GET"]),
        Route(PATH + "{token}/{entry}", _thumbnail, methods=["GET"]),
    ]
