"""Bias report: would a model's answer change if only the sex, the view position or a marker changed?"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.bias.interventions import STRUCTURAL
from engine.bias.report import request
from engine.bias.report import wording as answers
from engine.bias.report.records import Affected, BiasReport, FindingReport, difference_scale
from engine.bias.report.request import DRAWN, ReportRequest
from engine.checkpoints.format import Checkpoint
from engine.datasets import draws_its_own
from engine.export.bias_json import bias_json
from engine.queue import Job
from pages.components import bias_cards, common
from pages.components.words import literal
from viewer import PanelView, linked_panels

DRAWN_ATTRIBUTES = ("sex", "view_position", "marker")
COUNTS = (100, 200, 400)
SIDE_BY_SIDE = 2  # patients under a report
WORDS = {"sex": "Sex", "view_position": "View position", "marker": "Marker"}


def ask_report(checkpoint: Checkpoint, report_request: ReportRequest) -> Job:
    """The worker's job for this report, before its p values are corrected for all that is asked in this session."""

    def work(progress):
        return common.inference().call(
            request.measured, checkpoint, common.trained_on(checkpoint), report_request, progress=progress
        )

    return common.ask(("bias", report_request), work, long=True)


def in_its_family(checkpoint: Checkpoint, report_request: ReportRequest, measured: BiasReport) -> BiasReport:
    """The report with p values corrected for every report that this session has seen of the checkpoint on the same
    collection.
    """
    from engine.bias.report.compute import judged

    seen = st.session_state.setdefault("bias families", {}).setdefault((checkpoint.identity, measured.collection), {})
    seen[report_request] = measured.question
    return judged([measured], [question for other, question in seen.items() if other != report_request])[0]


def offered() -> list[Checkpoint]:
    """Checkpoints that can be tested: a structural model or a generator is there for the films that they know.

    Those of drawn films, which need no folder, come first.
    """
    known = [c for c in common.usable() if common.trained_on(c) == DRAWN or common.generators(common.trained_on(c))]
    return sorted(known, key=lambda c: common.trained_on(c) != DRAWN)


def choose(offers: list[Checkpoint]) -> Checkpoint:
    names = {c.identity: common.label(c) for c in offers}
    with st.container(key="checkpoint"):
        stored = st.session_state.get("bias checkpoint kept")
        place = list(names).index(stored) if stored in names else 0
        chosen = st.selectbox(
            "Checkpoint",
            list(names),
            place,
            format_func=lambda s: names[s],
            label_visibility="collapsed",
            key="bias checkpoint",
        )
    st.session_state["bias checkpoint kept"] = chosen
    return next(c for c in offers if c.identity == chosen)


def sources(checkpoint: Checkpoint) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """What can show the films of this checkpoint otherwise: name -> (what the reader sees, attributes)."""
    collection = common.trained_on(checkpoint)
    known = {STRUCTURAL: ("the drawing itself, exact", DRAWN_ATTRIBUTES)} if collection == DRAWN else {}
    for generator in common.generators(collection):
        known[str(generator.folder)] = (generator.name, tuple(generator.config.get("attributes", ())))
    return known


def wishes(checkpoint: Checkpoint) -> tuple[ReportRequest, bool, DeltaGenerator]:
    """What the reader wants to know, whether the button was pressed, and the place for the report's files."""
    known = sources(checkpoint)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="bias-wishes"):
        source = next(iter(known))
        if len(known) > 1:
            source = st.selectbox("Counterfactuals by", list(known), format_func=lambda s: known[s][0], width=230)
        attributes = known[source][1]
        stored = st.session_state.get("bias attribute kept")
        st.session_state["bias attribute"] = stored if stored in attributes else attributes[0]
        attribute = st.segmented_control(
            "If only this changed",
            attributes,
            format_func=lambda a: literal(WORDS.get(a, answers.named(a).capitalize())),
            key="bias attribute",
            required=True,
            on_change=_keep_attribute,
        )
        st.session_state["bias attribute kept"] = attribute
        count = st.selectbox("Films", COUNTS, 1, width=90)
        root = None
        if not draws_its_own(common.trained_on(checkpoint)):
            root = st.text_input("Folder of the films", placeholder="in the public layout", width=260).strip() or None
        pressed = st.button("Ask the model", type="primary", key="bias-ask")
        files = st.container(horizontal=True, horizontal_alignment="right", gap="small", key="bias-files")
    return ReportRequest(checkpoint.identity, attribute, count, source, root, common.device()), pressed, files


def _keep_attribute() -> None:
    st.session_state["bias attribute kept"] = st.session_state["bias attribute"]


@st.fragment
def result(offers: list[Checkpoint]) -> None:
    """The choice, and the report as far as it is there; everything that asks a model starts here."""
    checkpoint = choose(offers)
    head = st.empty()
    report_request, pressed, files = wishes(checkpoint)
    wanted = st.session_state.setdefault("bias asked", [])
    if pressed and report_request not in wanted:
        wanted.append(report_request)
        ask_report(checkpoint, report_request)
        st.rerun()  # the frame says how many jobs there are
    head.html(bias_cards.headline(report_request.attribute))
    if report_request not in wanted:
        common.worker().keep_only(common.session(), [])
        empty(report_request)
        return
    job = ask_report(checkpoint, report_request)
    common.worker().keep_only(common.session(), [job.key])
    job.wait(0.3)
    if not job.done:
        quiet(
            f"{report_request.count} counterfactual films are being made, and the model is asked about each. This "
            f"takes a "
            "minute or two; Stop gives it up."
        )

        def stop() -> None:
            wanted.remove(report_request)
            common.worker().withdraw(common.session(), job.key)

        common.wait_for(job, "Asking the model", stop)
        return
    if job.error is not None:
        common.line(common.complaint(job), "bad")
        if st.button("Try again", type="tertiary", key="again"):
            common.worker().forget(job.key)
            st.rerun(scope="fragment")
        return
    report = in_its_family(checkpoint, report_request, job.answer())
    known = (
        "films not trained on" if common.method_of(checkpoint).trainable else "films"
    )  # of another maker's model nobody knows
    head.html(bias_cards.headline(report_request.attribute, bias_cards.badges(report, known)))
    with files:
        take_home(report)
    show(report)


def empty(report_request: ReportRequest) -> None:
    quiet(
        f"At most {report_request.count} films will be shown twice: as they are, and with nothing changed but the "
        f"{answers.named(report_request.attribute)}. The model is asked about both, and a test says whether its "
        "answers differ by more than chance."
    )


def quiet(words: str) -> None:
    with st.container(key="empty"):
        st.markdown(words, text_alignment="center")


def take_home(report: BiasReport) -> None:
    def pdf() -> bytes:  # set only when it is wanted
        from engine.export.bias_pdf import bias_pdf

        return bias_pdf(report)

    stem = f"bias-{report.checkpoint}-{report.attribute}"
    st.download_button(
        "PDF", pdf, f"{stem}.pdf", "application/pdf", on_click="ignore", help="The report on paper", key="pdf"
    )
    st.download_button(
        "JSON",
        bias_json([report]),
        f"{stem}.json",
        "application/json",
        on_click="ignore",
        help="The same numbers",
        key="json",
    )


def show(report: BiasReport) -> None:
    st.html(bias_cards.answer_card(report))
    table, scatter = st.columns([2.15, 1], gap="small")
    with table:
        st.html(bias_cards.findings_card(report))
        st.html(bias_cards.assumption_card(report))
    with scatter, st.container(key="bias-scatter"):
        names = [result.finding for result in report.findings]
        first = report.decided[0].finding if report.decided else names[0]
        chosen = st.selectbox(
            "Every film both ways",
            names,
            names.index(first),
            key=f"bias finding {report.attribute} {report.generator} {report.n}",
        )
        result = report.findings[names.index(chosen)]
        st.html(bias_cards.scatter_card(report, result))
    linked_panels(panels(report, result), key="bias view", least_height=250)


def panels(report: BiasReport, result: FindingReport) -> list[PanelView]:
    """The patients whose answer moves most: original, counterfactual, difference; one scale for all of them."""
    shown = result.affected[:SIDE_BY_SIDE]
    limit = difference_scale(shown)
    return [view for number, person in enumerate(shown, 1) for view in _three(report, result, person, number, limit)]


def _three(report: BiasReport, result: FindingReport, person: Affected, number: int, limit: float) -> list[PanelView]:
    attribute, low, high = report.attribute, float(person.original.min()), float(person.original.max())
    window = ((low + high) / 2, max(high - low, 1.0))
    taken, other = answers.otherwise(attribute, person.factual), answers.otherwise(attribute, person.other)
    flips, way = (
        ", flips" if person.flips else "",
        " to ".join(answers.short(attribute, value) for value in report.values) if len(report.values) == 2 else "",
    )
    whose = f"most affected patient {number}, {result.finding.lower()}"
    return [
        PanelView(
            "As it is",
            f"{answers.short(attribute, person.factual)} p {person.before:.2f}",
            person.original,
            window=window,
            alt=f"Film of the {whose}, {taken}, probability {person.before:.2f}",
        ),
        PanelView(
            "Otherwise",
            f"{answers.short(attribute, person.other)} p {person.after:.2f}{flips}",
            person.counterfactual,
            window=window,
            alt=f"The same film {other}, {whose}, probability {person.after:.2f}{flips}",
        ),
        PanelView(
            "Difference",
            way,
            map=person.difference(report.values),
            map_limit=limit,
            map_unit="grey levels",
            alt=f"What changes between the two films, {whose}",
        ),
    ]


def main() -> None:
    offers = offered()
    if not offers:
        st.html("<h1 class='title'>Bias report</h1>")
        common.line(
            "No checkpoint here can be tested. It needs a checkpoint that was trained on drawn films, or a generator "
            "for its films.",
            "quiet",
        )
        return
    result(offers)


if common.inside_app_frame():
    with st.container(key="bias"):
        main()
