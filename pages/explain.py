"""Explain: one scan, what a model believes of it, where it looked, and the scan without each finding."""

from __future__ import annotations

import streamlit as st

from engine.checkpoints.detector import only_drawn
from engine.checkpoints.format import Checkpoint
from engine.queue import Job
from engine.regions import places_in_words
from engine.scan import Scan
from pages.components import (
    ahead,
    blind_reading,
    common,
    exporting,
    open_scans,
    priors,
    reasons,
    scan_page,
    scan_words,
    shelf,
    sides,
    sketching,
    spaces,
    twins,
    volumes,
    words,
)
from pages.components.checkpoint_choice import Offers, better, choose, offered, take
from pages.components.explaining import Explained, explaining
from pages.components.explaining_ahead import explain_ahead
from pages.components.shelf import OpenScan
from viewer import BlankFindings, VolumePlace, explain_state, explain_view, hanging

MAPS, REASONS, TWINS, SPACES = "Maps", "Reasons", "Side by side", "Both searches"
VIEW = "explain"  # one view for all scans and checkpoints: zoom and choice stay when only the checkpoint changes


def on_show(opened: OpenScan) -> int:
    """Which slice of the opened scan is on show, from 0."""
    return (open_scans.place_of(opened) or (0, 1))[0]


def explain(opened: OpenScan, scan: Scan, checkpoint: Checkpoint, device: str) -> Job:
    """The worker's job for this scan, the slice on show, and checkpoint."""
    return common.ask(*explaining(opened, scan, checkpoint, device))


def predict_counterfactual(
    opened: OpenScan, scan: Scan, checkpoint: Checkpoint, amounts: dict[str, float], device: str
) -> Job:
    """The worker's job for several findings taken away together."""
    scan = opened.scan if volumes.explains_whole(checkpoint) else scan

    def work(progress):
        return common.model_of(checkpoint, device).predict_counterfactual(scan, amounts)

    return common.ask(("without", scan.sha256, checkpoint.identity, tuple(sorted(amounts.items())), device), work)


def keep(opened: OpenScan, scan: Scan, checkpoint: Checkpoint, explained: Explained) -> None:
    """The answer on show is kept as long as the scan is, so that it stands there at once when the reader comes back."""
    common.worker().ask(
        *explaining(opened, scan, checkpoint, common.device()),
        asker=ahead.asker(shelf.mine()),
        background=True,
    )
    if (entry := open_scans.scans().get(opened.id)) is not None:
        entry.wanted = checkpoint.identity
        entry.explained_by(checkpoint.identity, explained.unlike, explained.told)


@st.fragment
def result(opened: OpenScan) -> None:
    """The checkpoint's choice and the linked view; everything that asks a model starts here.

    Whatever is said above the view has one place, so that the view stands at its own and is never built anew for a line
    more or less.
    """
    scan = open_scans.chosen_slice(opened)
    offers = offered(opened)
    if not any(common.takes(c, scan.kind, opened.slices) for c in offers.checkpoints):
        kinds = sorted({kind for c in offers.checkpoints for kind in common.kinds_of(c) if kind != "unknown"})
        what = f"Those here take: {', '.join(kinds)}." if kinds else "None is installed; open one on the page Models."
        with st.container(key="lines"):
            sides.say(opened)
        common.line(f"No checkpoint here takes a {scan_words.KINDS[scan.kind]}. {what}", "quiet")
        common.worker().keep_only(common.session(), [])
        view(opened, scan, None)
        return
    checkpoint = choose(offers)
    whole = volumes.explains_whole(checkpoint)
    trained_on = volumes.WHAT if whole else words.noun(next(iter(common.kinds_of(checkpoint)), "unknown"))
    drawn = only_drawn(checkpoint, opened.drawn_by)
    job = explain(opened, scan, checkpoint, common.device())
    done = job.wait(
        0.3
    )  # an answer that is kept, or quick, is shown without a detour; one that comes later, in the next run
    failed = done and job.error is not None
    explained = job.answer() if done and not failed else None
    if explained:
        keep(opened, scan, checkpoint, explained)
    with st.container(key="lines"):
        sides.say(opened)
        shown = _lines(
            opened,
            scan,
            offers,
            checkpoint,
            job if failed else None,
            explained,
            words.unlike(explained.likeness, trained_on, drawn) if explained else "",
        )
    badges = [words.likeness_badge(explained.likeness, trained_on, drawn)] if explained else []
    amounts = explain_state(VIEW, explained.findings, _turn(opened))["amounts"] if shown else {}
    together = predict_counterfactual(opened, scan, checkpoint, amounts, common.device()) if len(amounts) > 1 else None
    answered = together is not None and together.wait(0.3)
    common.worker().keep_only(
        common.session(), [job_on_page.key for job_on_page in (job, together) if job_on_page is not None]
    )
    if not shown:
        view(
            opened,
            scan,
            checkpoint,
            badges,
            blank=_blank(opened, checkpoint, "no result" if failed else "held back" if done else "working"),
        )
        if not done:
            common.wait_for(job, "Explaining the scan")
        return
    blind_reading.saw(opened)
    shown_as = _how(checkpoint)
    if shown_as == REASONS:
        reasons.reasons(scan, checkpoint, explained.regions if explained else None)
        return
    if shown_as == TWINS and (twin := twins.twin_of(checkpoint, common.usable())) is not None:
        twins.twins(scan, checkpoint, twin)
        return
    if shown_as == SPACES:
        spaces.spaces(scan, checkpoint)
        return
    called = bool(explained) and explained.findings[0].probability > explained.findings[0].threshold
    if explained and called and (where := places_in_words(explained.regions)):
        st.caption(where)
    view(
        opened, scan, checkpoint, badges, explained, together.answer() if answered and together.error is None else None
    )
    if together is not None and not answered:
        common.wait_for(together, "Taking several findings away")


def _how(checkpoint: Checkpoint) -> str:
    """What the reader wants to see of a checkpoint that has more to show than maps."""
    offers = [MAPS]
    offers += [REASONS] if reasons.has_reasons(checkpoint) else []
    offers += [TWINS] if twins.twin_of(checkpoint, common.usable()) is not None else []
    offers += [SPACES] if spaces.has_spaces(checkpoint) else []
    if len(offers) == 1:
        return MAPS
    with st.container(key="how"):
        key = f"how shown of {' '.join(offers)}"  # what another checkpoint has to show is another choice
        chosen = st.segmented_control("Show", offers, default=MAPS, key=key, label_visibility="collapsed")
    return str(chosen or MAPS)


def _lines(
    opened: OpenScan,
    scan: Scan,
    offers: Offers,
    checkpoint: Checkpoint,
    failed: Job | None,
    explained: Explained | None,
    unlike: str,
) -> bool:
    """What is said above the view; whether what the checkpoint says is shown.

    Args:
        failed: the job, where it ended with an error.
        unlike: why the scan is not like those it was trained on, see `words.unlike`.
    """
    if not common.takes(checkpoint, scan.kind, opened.slices):
        common.line(
            "This checkpoint was made for "
            f"{words.made_for(common.kinds_of(checkpoint), volumes.explains_whole(checkpoint))}; this is a "
            f"{scan_words.KINDS[scan.kind]}. Do not rely on what it says.",
            "bad",
        )
    if checkpoint.caution:
        common.line(f"Caution: {checkpoint.caution}", "note")
    if failed is not None:
        common.line(common.complaint(failed, "the scan is still open"), "bad")
        if st.button("Try again", type="tertiary", key="again"):
            common.worker().forget(failed.key)
            st.rerun(scope="fragment")
    if explained is None:
        return False
    entry = open_scans.scans().get(opened.id)
    shown_on_request = entry.shown_anyway if entry is not None else set()
    this = (scan.sha256, checkpoint.identity)
    if unlike and this not in shown_on_request:
        with st.container(key="held", horizontal=True, gap="medium"):
            st.text(f"{unlike} Its result may be meaningless and is not shown.")
            st.button(
                "Show it anyway",
                key="show anyway",
                help="Show what the checkpoint says all the same",
                on_click=shown_on_request.add,
                args=(this,),
            )
            if (other := better(offers, checkpoint)) is not None:
                st.text(f"It looks like what {common.label(other)} was trained on:")
                st.button("Use it", key="use better", on_click=take, args=(offers, other))
        return False
    if unlike:
        common.line(f"{unlike} Do not rely on what it says here.", "warn")
    elif explained.likeness is None:
        elsewhere = "" if common.method_of(checkpoint).trainable else "This model was made elsewhere: "
        unknown = f"{elsewhere}whether the scan is like those it was trained on is not known."
        common.line(unknown[0].upper() + unknown[1:], "warn")
    return True


def _truth_known(opened: OpenScan, checkpoint: Checkpoint) -> bool:
    return all(open_scans.true_change(opened, finding) is not None for finding in checkpoint.config["findings"])


def _blank(opened: OpenScan, checkpoint: Checkpoint, state: str, sentence: str = "") -> BlankFindings:
    """The checkpoint's findings while nothing is said of them; `state` is written where a result would stand."""
    counterfactuals = common.method_of(checkpoint).counterfactuals
    return BlankFindings(
        tuple(checkpoint.config["findings"]),
        state,
        sentence,
        counterfactuals,
        counterfactuals and _truth_known(opened, checkpoint),
    )


def _turn(opened: OpenScan) -> str:
    """Names this scan and this turning to it: what was chosen in the view lasts until the reader turns to
    another scan.
    """
    before = st.session_state.get("turn", ("", 0))
    turn = before if before[0] == opened.scan.sha256 else (opened.scan.sha256, before[1] + 1)
    st.session_state["turn"] = turn
    return f"{turn[0]} {turn[1]}"


def view(
    opened: OpenScan,
    scan: Scan,
    checkpoint: Checkpoint | None,
    badges=(),
    explained: Explained | None = None,
    together=None,
    blank: BlankFindings | None = None,
) -> None:
    """The viewer, with what is known of the scan above it."""
    title = scan_words.scan_title(opened.scan)
    truth = []
    if opened.drawn_by:
        title = ", ".join(filter(None, (opened.name, scan.tags.get("ViewPosition", ""))))
        truth = [
            ("drawn " + ("with " + ", ".join(opened.truth).lower() if opened.truth else "without any finding"), "quiet")
        ]
    method = common.method_of(checkpoint) if checkpoint else None
    findings = explained.findings if explained else ()
    amounts = explain_state(VIEW, findings, _turn(opened))["amounts"]
    several_known = len(amounts) > 1 and bool(findings) and all(finding.truth is not None for finding in findings)
    limit, grey_range = (explained.difference if explained else None) or (None, None)
    voxels, prior = open_scans.chosen_volume(opened), priors.prior_view(opened)
    by_slice = checkpoint is not None and not volumes.explains_whole(checkpoint)
    place = VolumePlace(opened.scan.spacing_mm, opened.scan.affine, on_show(opened), by_slice)
    explain_view(
        scan.pixels if voxels is None else voxels,
        scan.window,
        findings,
        title=title,
        badges=[*scan_words.scan_badges(opened.scan), *truth, *badges],
        spacing_mm=scan.plane_spacing_mm,
        pixel_aspect=scan.pixel_aspect,
        scale_note=scan_words.measured_at(scan),
        method=f"{method.title}, {method.evidence_name}" if method else "",
        presets=scan_words.window_presets(opened.scan),
        joint_probabilities=together,
        joint_truth=open_scans.true_change(opened, *amounts) if several_known else None,
        difference_limit=limit,
        grey_range=grey_range,
        noun=words.noun(scan.kind),
        picture=_turn(opened),
        scan_sha256=opened.scan.sha256,
        blank=blank,
        volume=None if voxels is None else place,
        model=checkpoint.identity if checkpoint else "",
        layouts=hanging.fitting(opened.scan, prior is not None),
        layouts_for=hanging.kind_of(opened.scan),
        prior=prior,
        on_slice=lambda index: open_scans.turn_slice(opened, index),
        key=VIEW,
    )


def main() -> None:
    scan_page.frame()
    if (opened := scan_page.scan_on_show()) is None:
        return
    if blind_reading.instead(opened):
        explain_ahead(opened.id)
        return
    with st.sidebar:
        sketching.beside(opened, VIEW)
    with st.sidebar, st.container(key="exporting"):
        exporting.menu(opened)
    explain_ahead(opened.id)
    with st.container(key="explaining"):
        result(opened)


if common.inside_app_frame():
    main()
