"""Compare: one scan under every method that can read it, and a scan beside its prior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.preprocessing import enlarged, plane_at
from engine.queue import Job
from engine.review.measurements import ScanFacts, mask_of
from engine.review.records import Annotation, UnusableRecord
from engine.scan import Scan, frame
from engine.scan.side_by_side import placed_on
from pages.components import blind_reading, common, comparing, desk, open_scans, priors, scan_page, scan_words
from pages.components.checkpoint_choice import Offers, offered, standing
from pages.components.comparing import HELD_BACK, NOT_PREDICTED, Said, same_finding
from pages.components.explaining import Explained, explaining
from pages.components.shelf import Entry, OpenScan
from viewer import PanelView, linked_panels
from viewer.marks import drawing, drawn_on

VIEW = "compare"
ONE_ROW, TWO_ROWS = 430, 620  # CSS pixels
MODES = ("Methods", "Prior and current")


def readable(opened: OpenScan, offers: Offers) -> list[Checkpoint]:
    """Every checkpoint that can read the scan, those that suit it best first."""
    return [c for c in offers.checkpoints if common.takes(c, opened.scan.kind, opened.slices)]


def said_by(checkpoint: Checkpoint, job: Job, finding: str, anyway: bool) -> Said:
    """What a checkpoint says of the finding, as far as it is known by now.

    Args:
        anyway: the reader wants to see it also where the scan is unlike those that the checkpoint was trained on.
    """
    said = Said(common.label(checkpoint), None, caution=checkpoint.caution)
    if not any(same_finding(finding, name) for name in checkpoint.config["findings"]):
        return replace(said, why=NOT_PREDICTED)
    if not job.done:
        return replace(said, why="working")
    if job.error is not None:
        return replace(said, why=common.complaint(job, "the others stand"))
    explained: Explained = job.answer()
    if explained.unlike and not anyway:
        return replace(said, why=HELD_BACK, unlike=True)
    view = next((one for one in explained.findings if same_finding(one.name, finding)), None)
    return replace(said, view=view, why="" if view is not None else NOT_PREDICTED, unlike=explained.unlike)


def shown_anyway(opened: OpenScan, scan: Scan, checkpoint: Checkpoint) -> bool:
    """Whether the reader has asked for this result although it is held back, here or on the page Explain."""
    entry = open_scans.scans().get(opened.id)
    return entry is not None and (scan.sha256, checkpoint.identity) in entry.shown_anyway


def offer_held_back(opened: OpenScan, scan: Scan, said: dict[str, Said]) -> None:
    """One line that says how many results are held back, and a button that shows them."""
    held, entry = (
        [identity for identity, one in said.items() if one.why == HELD_BACK],
        open_scans.scans().get(opened.id),
    )
    if not held or entry is None:
        return
    count = "One result is" if len(held) == 1 else f"{len(held)} results are"
    with st.container(key="held-compared", horizontal=True, gap="medium", vertical_alignment="center"):
        st.text(f"{count} held back: the scan is unlike what the checkpoint was trained on, and it may be meaningless.")
        st.button(
            "Show it anyway" if len(held) == 1 else "Show them anyway",
            key="show compared anyway",
            type="tertiary",
            on_click=lambda: entry.shown_anyway.update((scan.sha256, identity) for identity in held),
        )


@st.fragment
def methods(opened: OpenScan) -> None:
    """Panels of every method, their answers and how far they agree."""
    scan, offers = open_scans.chosen_slice(opened), offered(opened)
    able = readable(opened, offers)
    if not able:
        common.line(f"No checkpoint here takes a {scan_words.KINDS[scan.kind]}; open one on the page Models.", "quiet")
        return
    names = {c.identity: common.label(c) for c in able}
    left, right, wide = st.columns([1.1, 2.6, 0.9], gap="small", vertical_alignment="bottom")
    kind = f"{opened.scan.kind} {opened.drawn_by} {len(names)}"
    chosen = right.multiselect(
        "Methods",
        list(names),
        comparing.one_a_method(able, offers, opened.drawn_by),
        format_func=names.get,
        key=f"compared {kind}",
        max_selections=8,
    )
    checkpoints = [c for c in able if c.identity in chosen]
    findings = comparing.findings_of(checkpoints or able)
    finding = left.selectbox("Finding", findings, key=f"compared finding {kind}")
    below = wide.toggle("Scan without it", value=True, key="compared without", help="A second row, without the finding")
    if not checkpoints or finding is None:
        common.worker().keep_only(common.session(), [])
        common.line("Choose at least one method.", "quiet")
        return
    device = common.device()
    asked = {
        c.identity: common.ask(*explaining(opened, scan, c, device))
        for c in checkpoints
        if any(same_finding(finding, name) for name in c.config["findings"])
    }
    common.worker().keep_only(common.session(), [job.key for job in asked.values()])
    waiting = [job for job in asked.values() if not job.wait(0.15)]
    _note(opened, standing(offers), asked)
    by_identity = {}
    for checkpoint in checkpoints:
        job, anyway = asked.get(checkpoint.identity), shown_anyway(opened, scan, checkpoint)
        one = Said(common.label(checkpoint), None, NOT_PREDICTED)
        by_identity[checkpoint.identity] = _flat(said_by(checkpoint, job, finding, anyway) if job else one, opened)
    offer_held_back(opened, scan, by_identity)
    said = [*by_identity.values()]
    if any(one.view is not None for one in said):
        blind_reading.saw(opened)
    if (entry := open_scans.scans().get(opened.id)) is not None:
        entry.disagreement = comparing.disagreement(said)
    base = comparing.smaller(scan.pixels)
    truth = _true_change(opened, finding, base.shape)
    pens, pictures = st.columns([0.16, 0.84], gap="small")
    with pictures:
        linked_panels(
            comparing.panels(base, scan.window, said, finding, below, truth),
            key=VIEW,
            height=TWO_ROWS if below else ONE_ROW,
            scan_sha256=scan.sha256,
        )
    with pens:
        drawn = _draw(scan, base.shape, finding)
    regions = {one.label or f"region {number}": mask_of(one, base.shape) for number, one in enumerate(drawn, 1)}
    regions |= _reviewed(opened, scan, base.shape)
    if truth is not None and np.abs(truth).max() > 0:
        regions["the truth"] = np.abs(truth) > 0.05 * np.abs(truth).max()
    scores = {name: comparing.region_scores(said, region) for name, region in regions.items()}
    st.html(comparing.answers_table(said, scores))
    if len(said) > 1:
        st.html(comparing.agreement_table(said))
    if waiting:
        done = len(asked) - len(waiting)
        common.wait_for(waiting[0], f"{done} of {len(asked)} methods are done; the next")


def _note(opened: OpenScan, best: Checkpoint, asked: dict[str, Job]) -> None:
    """The list of scans hears what has been explained here."""
    entry = open_scans.scans().get(opened.id)
    if entry is None:
        return
    entry.wanted = entry.wanted or best.identity
    for identity, job in asked.items():
        if job.done and job.error is None:
            entry.explained_by(identity, job.answer().unlike, job.answer().told)


def _flat(one: Said, opened: OpenScan) -> Said:
    """Of a method of volumes, its map on the slice on show."""
    if one.view is None or one.view.evidence.ndim == 2:
        return one
    view = one.view
    index, count = open_scans.place_of(opened) or (0, 1)
    changes = view.changes
    if changes is not None and changes.ndim == 4:
        changes = np.stack([plane_at(change, index, count) for change in changes])
    elif changes is not None:
        changes = plane_at(changes, index, count)
    evidence = np.ascontiguousarray(plane_at(view.evidence, index, count))
    return replace(one, view=replace(view, evidence=evidence, changes=changes))


def _true_change(opened: OpenScan, finding: str, shape: tuple[int, int]) -> np.ndarray | None:
    known = next((name for name in opened.truth if same_finding(name, finding)), finding)
    change = open_scans.true_change(opened, known)
    return None if change is None else enlarged(change, shape)


def _draw(scan: Scan, shape: tuple[int, int], finding: str) -> list[Annotation]:
    """The column of pens; what is drawn on this picture, kept for the session."""
    kept = st.session_state.setdefault("compared regions", {})
    spacing = scan.plane_spacing_mm
    if spacing is not None:
        spacing = tuple(mm * side / small for mm, side, small in zip(spacing, scan.pixels.shape, shape))
    facts = ScanFacts(shape, scan.kind, spacing, scan.spacing_at)
    mine, acked, trouble = kept.get(scan.sha256, ([], 0, ""))
    message = drawn_on(VIEW, scan.sha256)
    if message is not None and message.number > acked:
        try:
            mine, trouble = list(message.annotations({one.id: one for one in mine}, "You", facts)), ""
        except UnusableRecord as error:
            trouble = str(error)
        acked = message.number
        kept[scan.sha256] = (mine, acked, trouble)
    drawing(
        VIEW,
        picture=scan.sha256,
        facts=facts,
        annotations=mine,
        loaded=1,
        revision=0,
        acked=acked,
        saved="Kept while this page is open",
        trouble=trouble,
        labels=[finding],
    )
    return [one for one in mine if one.encloses]


def _reviewed(opened: OpenScan, scan: Scan, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """What readers drew on this picture on the page Review, as masks of `shape`."""
    place, masks = open_scans.place_of(opened), {}
    for one in desk.kept(opened.scan.sha256).annotations:
        if one.encloses and one.axis == 0 and one.slice == (None if place is None else place[0]):
            whole = mask_of(one, scan.pixels.shape).astype(np.float32)
            masks[f"{one.label or one.kind} of {one.reader}"] = enlarged(whole, shape) > 0.5
    return masks


@st.fragment
def prior_and_current(opened: OpenScan) -> None:
    """The prior, the current scan without a finding, and the current scan, linked in millimetres."""
    scan, offers = open_scans.chosen_slice(opened), offered(opened)
    others = {
        key: entry
        for key, entry in open_scans.scans().items()
        if key != opened.id
        and entry.small is not None
        and (entry.small.scan.kind, entry.small.drawn_by) == (scan.kind, opened.drawn_by)
    }
    if not others:
        common.line(
            "Open a second scan of the same kind: drop it on this page, and it can stand beside this one.", "quiet"
        )
        return
    able = readable(opened, offers)
    left, middle, right = st.columns([1.2, 1.4, 1.2], gap="small")
    which = _choose_prior(left, opened, others)
    if not able:
        common.line("No checkpoint here reads this scan, so there is no scan without a finding.", "quiet")
    identities = {c.identity: c for c in able}
    best = standing(offers).identity
    chosen = middle.selectbox(
        "Checkpoint",
        list(identities),
        list(identities).index(best) if best in identities else 0,
        format_func=lambda identity: common.label(identities[identity]),
        key=f"prior checkpoint {len(identities)} {scan.kind}",
    )
    checkpoint = identities.get(chosen)
    if which is None:
        common.worker().keep_only(common.session(), [])
        common.line(
            "No earlier scan of this patient is known here. Choose the prior, or drop it on this page.", "quiet"
        )
        return
    if words := priors.caution(opened, others[which]):
        common.line(words, "warn")
    prior_scan = others[which].opened()
    prior = _slice_like(prior_scan, opened)
    placed = placed_on(prior, scan)
    one, job = None, None
    if checkpoint is not None:
        finding = right.selectbox("Finding", list(checkpoint.config["findings"]), key="prior finding")
        job = common.ask(*explaining(opened, scan, checkpoint, common.device()))
        job.wait(0.3)
        one = _flat(said_by(checkpoint, job, finding, shown_anyway(opened, scan, checkpoint)), opened)
    common.worker().keep_only(common.session(), [] if job is None else [job.key])
    if one is not None and one.view is not None:
        blind_reading.saw(opened)
    if one is not None and checkpoint is not None:
        offer_held_back(opened, scan, {checkpoint.identity: one})
    base, before = comparing.smaller(scan.pixels), comparing.smaller(placed.pixels)
    panels = [PanelView(f"Prior: {prior_scan.name}", placed.note, base=before, window=prior.window)]
    if one is not None:
        change = one.change()
        view = one.view
        if change is not None and view is not None and view.probabilities is not None and view.steps is not None:
            words = f"p {view.probability:.2f} to {np.interp(1.0, view.steps, view.probabilities):.2f}"
            without = base + enlarged(change, base.shape)
            panels.append(PanelView(f"Without {finding.lower()}", words, base=without, window=scan.window))
        else:
            panels.append(
                PanelView(f"Without {finding.lower()}", one.why or "cannot tell", base=base, window=scan.window)
            )
    panels.append(PanelView(f"Current: {opened.name}", base=base, window=scan.window))
    linked_panels(panels, key="prior and current")
    if job is not None and not job.done:
        common.wait_for(job, "Explaining the scan")


def _choose_prior(place, opened: OpenScan, others: dict[str, Entry]) -> str | None:
    """Which of the other scans stands as the prior: by itself only one that the files say is one, the latest of the
    same view; the patient's come first in the list, each with how it stands to the scan on show.
    """
    found = [entry.id for entry in priors.priors_of(opened) if entry.id in others]
    rest = sorted(
        set(others) - set(found), key=lambda key: (not priors.of_patient(opened, others[key]), [*others].index(key))
    )
    return place.selectbox(
        "Prior",
        [*found, *rest],
        0 if found else None,
        format_func=lambda key: f"{others[key].title}: {priors.relation(opened, others[key])}",
        placeholder="Choose the prior",
        key=f"prior of {opened.id} {found[:1]}",
    )


def _slice_like(prior: OpenScan, opened: OpenScan) -> Scan:
    """Of a prior volume the slice as far along it as the one on show of the current."""
    if prior.slices == 1:
        return frame(prior.scan, 0)
    index, count = open_scans.place_of(opened) or (0, 1)
    return frame(prior.scan, min(prior.slices - 1, int((index + 0.5) * prior.slices / count)))


def main() -> None:
    scan_page.frame()
    if (opened := scan_page.scan_on_show()) is None or blind_reading.instead(opened):
        return
    with st.container(key="comparing"):
        mode = st.segmented_control(
            "What is compared", MODES, default=MODES[0], required=True, key="compare mode", label_visibility="collapsed"
        )
        (methods if mode == MODES[0] else prior_and_current)(opened)


if common.inside_app_frame():
    main()
