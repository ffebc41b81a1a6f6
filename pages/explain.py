"""Explain: one scan, what a model believes of it, where it looked, and the scan without each finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from engine.checkpoints import Checkpoint
from engine.queue import Job, Progress
from engine.scan import Scan, frame
from pages.parts import ahead, cards, common, open_scans, scan_list, shelf, words
from pages.parts.checkpoint_choice import choices, choose, offered, standing
from pages.parts.shelf import Entry, OpenScan
from viewer import FindingView, explain_state, explain_view

VIEW = "explain"  # one view for all scans and checkpoints: zoom and choice stay when only the checkpoint changes


@dataclass(frozen=True)
class Explained:
    """Everything on show about a scan, sorted by how far above its operating point a finding lies.

    `likeness` is (score, limit); None for a model of which nobody here knows what it was trained on.
    """

    findings: tuple[FindingView, ...]
    likeness: tuple[float, float] | None


def explaining(scan: Scan, checkpoint: Checkpoint, device: str) -> tuple[tuple, Callable[[Progress], Explained]]:
    """Key and work of the worker's job for this scan and checkpoint."""
    rates = cards.measures(checkpoint.card)

    def work(progress):
        records = common.model_of(checkpoint, device).explain(scan, progress=progress)
        records.sort(key=lambda record: words.log_odds(record.threshold) - words.log_odds(record.probability))
        views = tuple(words.finding_view(record, scan, rates, first=not place) for place, record in enumerate(records))
        return Explained(views, records[0].in_distribution)

    words_rest_on = (scan.window, scan.spacing_mm, scan.spacing_at, checkpoint.card)
    return ("explain", scan.sha256, checkpoint.identity, device, words_rest_on), work


def explain(scan: Scan, checkpoint: Checkpoint, device: str) -> Job:
    """The worker's job for this scan and checkpoint."""
    return common.ask(*explaining(scan, checkpoint, device))


def without(scan: Scan, checkpoint: Checkpoint, amounts: dict[str, float], device: str) -> Job:
    """The worker's job for several findings taken away together."""

    def work(progress):
        return common.model_of(checkpoint, device).without(scan, amounts)

    return common.ask(("without", scan.sha256, checkpoint.identity, tuple(sorted(amounts.items())), device), work)


def explain_ahead(opened: OpenScan) -> None:
    """Has the other open scans explained in the background, those after this one first, each by the checkpoint that would be chosen for it."""
    usable, made, device = common.usable(), dict(choices()), common.device()

    def work_for(other: OpenScan):
        offers = offered(other, usable)
        if not any(common.takes(c, other.scan.kind) for c in offers):
            return None
        checkpoint = standing(other, offers, made)
        return checkpoint.identity, *explaining(frame(other.scan, other.slices // 2) if other.slices > 1 else other.scan, checkpoint, device)

    def failed(entry: Entry, error: BaseException) -> None:
        entry.note = str(error) if isinstance(error, common.EXPECTED) else "not explained: something went wrong"

    entries = list(open_scans.scans().values())
    here = next((place for place, entry in enumerate(entries) if entry.id == opened.id), 0)
    for entry in entries:
        if entry.small is not None:
            offers = offered(entry.small, usable)
            takes = any(common.takes(c, entry.small.scan.kind) for c in offers)
            entry.wanted, entry.note = (standing(entry.small, offers, made).identity, "") if takes else ("", "no model here takes it")
    ahead.plan(common.worker(), [*entries[here + 1 :], *entries[:here]], work_for, failed)


def keep(opened: OpenScan, scan: Scan, checkpoint: Checkpoint) -> None:
    """The answer on show is kept as long as the scan is, so that it stands there at once when the reader comes back."""
    common.worker().ask(*explaining(scan, checkpoint, common.device()), asker=ahead.asker(shelf.mine()), background=True)
    if (entry := open_scans.scans().get(opened.id)) is not None:
        entry.explained_with.add(checkpoint.identity)


@st.fragment
def result(opened: OpenScan) -> None:
    """The checkpoint's choice and the linked view; everything that asks a model starts here."""
    scan = open_scans.chosen_slice(opened)
    offers = offered(opened)
    if not any(common.takes(c, scan.kind) for c in offers):
        kinds = sorted({kind for c in offers for kind in common.kinds_of(c) if kind != "unknown"})
        what = f"Those here take: {', '.join(kinds)}." if kinds else "None is installed; open one on the page Models."
        common.line(f"No checkpoint here takes a {words.KINDS[scan.kind]}. {what}", "quiet")
        common.worker().keep_only(common.session(), [])
        view(opened, scan, (), [], None)
        return
    checkpoint = choose(opened, offers)
    job = explain(scan, checkpoint, common.device())
    wanted = [job.key]
    job.wait(0.3)  # an answer that is kept, or quick, is shown without a detour
    if not job.done or job.error is not None:
        common.worker().keep_only(common.session(), wanted)
        if job.error is not None:
            common.line(common.complaint(job, "the scan is still open"), "bad")
            if st.button("Try again", type="tertiary", key="again"):
                common.worker().forget(job.key)
                st.rerun(scope="fragment")
        view(opened, scan, (), [], checkpoint)
        if not job.done:
            common.wait_for(job, "Explaining the scan")
        return
    explained = job.answer()
    keep(opened, scan, checkpoint)
    trained_on = words.noun(next(iter(common.kinds_of(checkpoint)), "unknown"))
    if not common.takes(checkpoint, scan.kind):
        made_for = " and ".join(f"{kind}s" for kind in common.kinds_of(checkpoint) if kind != "unknown")
        common.line(f"This checkpoint was made for {made_for}; this is a {words.KINDS[scan.kind]}. Do not rely on what it says.", "bad")
    if checkpoint.caution:
        common.line(checkpoint.caution, "warn")
    if explained.likeness is None:
        common.line("This model was made elsewhere: whether the scan is like those it was trained on is not known.", "warn")
    elif explained.likeness[0] > explained.likeness[1]:
        common.line(f"This scan is unlike the {trained_on}s this checkpoint was trained on. Do not rely on what it says here.", "warn")
    amounts = explain_state(VIEW, explained.findings)["amounts"]
    together = without(scan, checkpoint, amounts, common.device()) if len(amounts) > 1 else None
    if together is not None:
        wanted.append(together.key)
        together.wait(0.3)
    common.worker().keep_only(common.session(), wanted)
    ready = together is not None and together.done and together.error is None
    like = words.likeness_badge(explained.likeness, trained_on)
    view(opened, scan, explained.findings, [like], checkpoint, together.answer() if ready else None)
    if together is not None and not together.done:
        common.wait_for(together, "Taking several findings away")


def view(opened: OpenScan, scan: Scan, findings, badges, checkpoint: Checkpoint | None, together=None) -> None:
    """The viewer, with what is known of the scan above it."""
    title = words.scan_title(scan)
    drawn = []
    if opened.drawn_by:
        title = ", ".join(filter(None, (opened.name, scan.tags.get("ViewPosition", ""))))
        drawn = [("drawn " + ("with " + ", ".join(opened.truth).lower() if opened.truth else "without any finding"), "quiet")]
    method = common.method_of(checkpoint) if checkpoint else None
    explain_view(
        scan.pixels,
        scan.window,
        findings,
        title=title,
        badges=[*words.scan_badges(scan), *drawn, *badges],
        spacing_mm=scan.spacing_mm,
        pixel_aspect=scan.pixel_aspect,
        scale_note=words.measured_at(scan),
        method=f"{method.title}, {method.evidence_name}" if method else "",
        presets=words.window_presets(scan),
        joint_probabilities=together,
        difference_limit=words.difference_limit(scan),
        noun=words.noun(scan.kind),
        key=VIEW,
    )


def main() -> None:
    with st.sidebar, st.container(key="scans"):
        scan_list.sidebar()
    if notice := st.session_state.get("notice"):
        common.line(notice, "warn")
    if (entry := open_scans.next_to_show()) is not None:
        scan_list.wait_for_reading(entry)
    opened = open_scans.chosen()
    if opened is None:
        with st.container(key="empty"):
            st.markdown("**No scan is open**  \nDrop one on the field at the left, or choose a drawn patient there.", text_alignment="center")
        return
    explain_ahead(opened)
    with st.container(key="explaining"):
        result(opened)


if common.in_the_house():
    main()
