"""The right side of the Review page: who reads, the case's state, opinions on the model's findings, and the history."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np
import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.export.drawings import cases_coco, cases_csv
from engine.review.cases import BY_ANOTHER, NEXT
from engine.review.database import NotSaved
from engine.review.log import Entry
from engine.review.log import submitter as submitted_by
from engine.review.records import KINDS, Opinion, UnusableRecord, new_id, now
from pages.components import common, desk
from pages.components.desk import Desk
from pages.components.explaining import Explained
from server import downloads, sessions
from viewer import FindingView

DRAWINGS = "otherwise-drawings.zip"
MOST_ENTRIES = 60  # of the history, on the page
VERBS = {"submitted": "Submit", "accepted": "Accept", "returned": "Return"}
SHAPES = dict(
    zip(
        KINDS,
        ("a box", "a polygon", "a freehand outline", "a brush", "a length", "an angle", "an ellipse"),
        strict=True,
    )
)


def who_reads() -> str:
    """Asks for the reader's name, once a session; returns it, or nothing before."""
    with st.container(key="reader"):
        name = desk.reader()
        if not name or st.session_state.get("rename reader"):
            wish = st.text_input(
                "Your name", name, max_chars=80, key="reader name", help="Every entry carries it. It is not verified."
            )
            if wish and wish != name:
                if trouble := desk.name_reader(wish):
                    common.line(trouble, "bad")
                else:
                    st.session_state["rename reader"] = False
                    st.rerun()
            return name
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(f"{name} (name not verified)")
            st.button("Change", type="tertiary", key="change reader", on_click=_rename)
    return name


def _rename() -> None:
    st.session_state["rename reader"] = True


def trouble(here: Desk, name: str) -> None:
    """What could not be saved, and what the reader can do about it."""
    if here.pending is None:
        return
    with st.container(key="conflict"):
        if here.theirs is None:
            common.line(here.trouble, "bad")
            st.button("Save again", on_click=here.save_again, args=(name,), key="save again")
            return
        theirs = here.theirs
        mine, other = len(here.pending), len(theirs.annotations)
        common.line(
            f"{theirs.changed_by} has saved this case at {theirs.changed[11:19]} UTC, since you began from it: it has "
            f"{other} {'drawing' if other == 1 else 'drawings'} there, {mine} here. Yours are not saved yet.",
            "bad",
        )
        if theirs.locked:
            common.line(f"The case is {theirs.state}. It can be drawn on again once it is returned.", "quiet")
        with st.container(horizontal=True):
            st.button("Keep both", type="primary", on_click=here.keep_both, args=(name,), disabled=theirs.locked)
            st.button("Take theirs", on_click=here.take_theirs, help="Lets go of what you drew since")


def state(here: Desk, name: str) -> None:
    """The case's state, and the buttons that give it another."""
    case = here.case
    with st.container(key="case"):
        since = f", by {case.changed_by}, {case.changed[:16].replace('T', ' ')} UTC" if case.revision else ""
        st.html(f"<p class='case-state {case.state}'>{case.state.capitalize()}</p>")
        st.text(f"Revision {case.revision}{since}" if case.revision else "Nothing is saved yet.")
        if case.note:
            st.text(f"\u201c{case.note}\u201d")
        if not name:
            return
        if here.refused:
            with st.container(key="refused"):
                common.line(here.refused, "bad")
        offered, submitter = NEXT[case.state], submitted_by(here.store.history(case.scan_sha256))
        if submitter.casefold() == name.casefold() and set(offered) & set(BY_ANOTHER):
            offered = tuple(new for new in offered if new not in BY_ANOTHER)
            st.text("You submitted this case: another reader must accept or return it.")
        note_key = f"note {case.scan_sha256} {case.revision}"
        if "returned" in offered:
            st.text_input("Why it is returned", key=note_key, max_chars=4000)
        with st.container(horizontal=True):
            for new in offered:
                st.button(
                    VERBS[new],
                    key=f"to {new}",
                    disabled=here.pending is not None,
                    on_click=_move,
                    args=(here, new, name, note_key, case.revision),
                )


def _move(here: Desk, new: str, name: str, note_key: str, base: int) -> None:
    """Decides on the revision that the reader saw, before the page takes over what others have saved since."""
    here.move(new, name, st.session_state.get(note_key, ""), base)


def opinions(here: Desk, name: str, checkpoint: Checkpoint, explained: Explained) -> None:
    """Agree or disagree, with a reason, with each of the model's findings."""
    latest = {
        opinion.finding: opinion
        for opinion in here.store.opinions(here.case.scan_sha256)
        if opinion.reader == name and opinion.checkpoint_identity == checkpoint.identity
    }
    with st.container(key="opinions"):
        st.html(f"<h3 class='part'>What {_escaped(common.label(checkpoint))} finds</h3>")
        for finding in explained.findings:
            if finding.unsure:
                continue
            _opinion(here, name, checkpoint, finding, latest.get(finding.name))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _opinion(here: Desk, name: str, checkpoint: Checkpoint, finding: FindingView, before: Opinion | None) -> None:
    called = "positive" if finding.probability > finding.threshold else "negative"
    st.text(f"{finding.name}: {called}, {finding.probability:.2f} (operating point {finding.threshold:.2f})")
    key = f"{here.case.scan_sha256[:12]} {checkpoint.identity[:12]} {finding.name}"
    if not name:
        return
    said = None if before is None else "Agree" if before.agrees else "Disagree"
    wish = st.segmented_control(
        f"Do you agree on {finding.name}?",
        ["Agree", "Disagree"],
        default=said,
        key=f"agree {key}",
        label_visibility="collapsed",
    )
    if wish is None or (wish == said and wish == "Agree"):
        return
    reason = before.reason if before is not None and wish == said else ""
    if wish == "Disagree":
        reason = st.text_input("Why", reason, key=f"why {key}", max_chars=4000, placeholder="Why you disagree")
        if not reason.strip() or (before is not None and not before.agrees and reason == before.reason):
            return
    try:
        here.store.keep(
            [
                Opinion(
                    id=new_id(),
                    scan_sha256=here.case.scan_sha256,
                    reader=name,
                    checkpoint_identity=checkpoint.identity,
                    finding=finding.name,
                    agrees=wish == "Agree",
                    created=now(),
                    probability=finding.probability,
                    threshold=finding.threshold,
                    reason=reason,
                )
            ]
        )
    except (NotSaved, UnusableRecord) as error:
        common.line(str(error), "bad")


def saving(here: Desk, pixels: np.ndarray) -> None:
    """Offers what is drawn as COCO and CSV; no model is needed for it.

    Args:
        pixels: of the scan, for mean and deviation.
    """
    case = here.case
    if not case.annotations:
        return
    belongings = sessions.belongings()
    lent, these = belongings.get("drawings"), (case.scan_sha256, case.revision)
    known = lent is not None and lent[0] == these
    asked = st.button("Save the drawings", key="save drawings", help="COCO and CSV, with everything that is measured")
    if not asked and not known:
        return
    if not known:
        if lent is not None:
            downloads.take_back(lent[1])
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("drawings.coco.json", cases_coco([case]))
            archive.writestr("drawings.csv", cases_csv([case], lambda _: pixels))
        address = downloads.lend(packed.getvalue(), DRAWINGS)
        lent = belongings["drawings"] = (these, address)
    st.html(f"<a class='download' href='{lent[1]}' download='{DRAWINGS}'>Save {DRAWINGS}</a>")


def history(entries: Sequence[Entry]) -> None:
    """Who did what, the latest first, from the audit log."""
    with st.expander(f"History ({len(entries)})", expanded=False):
        if not entries:
            st.text("Nothing was saved yet.")
        for entry in reversed(entries[-MOST_ENTRIES:]):
            st.text(f"{entry.at[:10]} {entry.at[11:19]} UTC  {entry.reader} {done(entry)}")
        if len(entries) > MOST_ENTRIES:
            st.text(f"{len(entries) - MOST_ENTRIES} earlier entries are in the audit log.")


def done(entry: Entry) -> str:
    """What an entry of the log says was done, in words."""
    content = entry.content()
    if entry.action in ("added", "changed", "removed"):
        verb = {"added": "drew", "changed": "changed", "removed": "removed"}[entry.action]
        label = f" \u201c{content['label']}\u201d" if content["label"] else ""
        return f"{verb} {SHAPES[content['kind']]}{label}"
    if entry.action == "reading":
        when = "before the reveal" if content["stage"] == "before" else "after it"
        return f"read {content['finding']}: {100 * content['confidence']:.0f} %, {when}"
    if entry.action == "opinion":
        how = "agreed" if content["agrees"] else "disagreed"
        return f"{how} on {content['finding']}" + (f": {content['reason']}" if content["reason"] else "")
    if entry.action == "assigned":
        return f"assigned it to {content['assignee']}"
    if entry.action == "unassigned":
        return f"took it from {content['assignee']}"
    return f"{entry.action} the case" + (f": {content['note']}" if content.get("note") else "")
