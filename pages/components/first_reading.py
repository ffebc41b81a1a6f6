"""Read first: the reader's own findings, then the model's, then the reader's again; both are kept."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.review.database import NotSaved
from engine.review.records import AIDS, Reading, UnusableRecord, new_id, now
from pages.components import blind_reading, common, open_scans
from pages.components.desk import Desk
from pages.components.explaining import Explained
from pages.components.shelf import OpenScan

NOWHERE = "no drawing"
NOT_ANSWERED = "not answered"
NO_ANSWER = "no answer that means anything"


def kept(here: Desk, name: str, checkpoint: Checkpoint, stage: str) -> dict[str, Reading]:
    """The reader's first reading of each finding in this stage."""
    found: dict[str, Reading] = {}
    for reading in here.store.readings(here.case.scan_sha256):
        if (reading.reader, reading.checkpoint_identity, reading.stage) == (name, checkpoint.identity, stage):
            found.setdefault(reading.finding, reading)
    return found


def read(
    opened: OpenScan, here: Desk, name: str, checkpoint: Checkpoint, answer: Callable[[], Explained | None]
) -> Explained | None:
    """The steps of one scan. Returns what the model found where its pictures may be shown: after the reveal, with
    pictures switched on.

    Args:
        answer: asks the model; called once its answer may be seen.
    """
    findings = list(checkpoint.config["findings"])
    before = kept(here, name, checkpoint, "before")
    if set(findings) - set(before):
        _first(here, name, checkpoint, findings)
        return None
    after = kept(here, name, checkpoint, "after")
    explained = answer()
    if explained is None:
        st.text("The model is at work on this scan.")
        return None
    pictures = st.session_state.get(_key(here, checkpoint, "pictures"), True)
    words = st.session_state.get(_key(here, checkpoint, "words"), True)
    if after:
        aids = next(iter(after.values())).aids
        _result(explained, before, after)
        return explained if "pictures" in aids else None
    with st.container(horizontal=True):
        pictures = st.toggle("Pictures", pictures, key=_key(here, checkpoint, "pictures"))
        words = st.toggle("Words", words, key=_key(here, checkpoint, "words"))
    aids = tuple(aid for aid, on in zip(AIDS, (pictures, words), strict=True) if on)
    _second(opened, here, name, checkpoint, explained, before, aids)
    return explained if pictures else None


def _key(here: Desk, checkpoint: Checkpoint, what: str) -> str:
    return f"{what} {here.case.scan_sha256[:16]} {checkpoint.identity[:16]}"


def _regions(here: Desk) -> dict[str, str]:
    """What was drawn on the scan, as it is chosen from a list, to its id."""
    names = {NOWHERE: ""}
    for place, one in enumerate(here.drawn, 1):
        if one.encloses:
            names[f"{place}. {one.label or one.kind}"] = one.id
    return names


def _where(here: Desk, finding: str, key: str, region: str) -> str:
    """The id of the drawing that shows a finding; empty where none does."""
    names = _regions(here)
    place = list(names.values()).index(region) if region in names.values() else 0
    chosen = st.selectbox(f"Where {finding} is", list(names), place, key=f"where {key}", label_visibility="collapsed")
    return names[chosen]


def _ask(here: Desk, checkpoint: Checkpoint, finding: str, start: float, region: str) -> tuple[float, str]:
    """Confidence and region of one finding, once more."""
    key = _key(here, checkpoint, f"after {finding}")
    percent = st.slider(finding, 0, 100, round(100 * start), 5, format="%d %%", key=key)
    return percent / 100, _where(here, finding, key, region) if percent > 50 else ""


def _ask_first(here: Desk, checkpoint: Checkpoint, finding: str) -> tuple[float, str] | None:
    """Confidence and region of one finding; None until the reader has answered."""
    key = _key(here, checkpoint, f"before {finding}")
    percent = st.select_slider(
        finding,
        [NOT_ANSWERED, *range(0, 101, 5)],
        format_func=lambda one: one if one == NOT_ANSWERED else f"{one} %",
        key=key,
    )
    if percent == NOT_ANSWERED:
        return None
    return percent / 100, _where(here, finding, key, "") if percent > 50 else ""


def _answer_absent(keys: list[str]) -> None:
    for key in keys:
        st.session_state[key] = 0


def _first(here: Desk, name: str, checkpoint: Checkpoint, findings: list[str]) -> None:
    st.html("<h3 class='part'>Your reading</h3>")
    st.text("How sure are you that each finding is there? 0 % is surely not, 100 % surely. Draw where you see it.")
    asked = {finding: _ask_first(here, checkpoint, finding) for finding in findings}
    given = {finding: answer for finding, answer in asked.items() if answer is not None}
    missing = [finding for finding in findings if finding not in given]
    if missing:
        st.text(f"{len(missing)} of {len(findings)} findings {'is' if len(missing) == 1 else 'are'} not answered yet.")
    keys = [_key(here, checkpoint, f"before {finding}") for finding in missing]
    st.button(
        "The rest: absent",
        key="rest absent",
        help="Answers 0 % for each finding that is not answered yet",
        on_click=_answer_absent,
        args=(keys,),
        disabled=not missing,
    )
    if blind_reading.has_seen(here.case.scan_sha256):
        st.text(
            "You have seen a model's answer of this scan: the reading is kept with that, and Agreement leaves it out."
        )
    closed = bool(missing) or here.pending is not None
    if st.button("Keep it and reveal the model's answer", type="primary", disabled=closed):
        _keep(here, name, checkpoint, given, "before")


def _second(
    opened: OpenScan,
    here: Desk,
    name: str,
    checkpoint: Checkpoint,
    explained: Explained,
    before: dict[str, Reading],
    aids: tuple[str, ...],
) -> None:
    st.html("<h3 class='part'>The model's answer, and yours again</h3>")
    given = {}
    for finding in explained.findings:
        own = before[finding.name]
        called = "present" if finding.probability > finding.threshold else "absent"
        words = f"gives {NO_ANSWER}" if finding.unsure else f"says {called}, {finding.probability:.2f}"
        st.text(f"{finding.name}: the model {words}; you said {100 * own.confidence:.0f} %")
        if "words" in aids:
            st.text(finding.sentence)
        given[finding.name] = _ask(here, checkpoint, finding.name, own.confidence, own.region)
    if st.button("Keep this as my final reading", type="primary", disabled=here.pending is not None):
        answers = {one.name: (one.probability, one.threshold) for one in explained.findings if not one.unsure}
        _keep(here, name, checkpoint, given, "after", aids, answers, truths(opened, checkpoint))


def truths(opened: OpenScan, checkpoint: Checkpoint) -> dict[str, bool]:
    """Which of a checkpoint's findings are there, of a drawn scan; empty for any other."""
    if not opened.drawn_by or common.trained_on(checkpoint) != opened.drawn_by:
        return {}
    return {
        finding: finding in opened.truth
        for finding in checkpoint.config["findings"]
        if open_scans.true_change(opened, finding) is not None
    }


def _keep(
    here: Desk,
    name: str,
    checkpoint: Checkpoint,
    given: dict[str, tuple[float, str]],
    stage: str,
    aids: tuple[str, ...] = (),
    answers: dict[str, tuple[float, float]] | None = None,
    truth: dict[str, bool] | None = None,
) -> None:
    try:
        here.store.keep(
            [
                Reading(
                    id=new_id(),
                    scan_sha256=here.case.scan_sha256,
                    reader=name,
                    finding=finding,
                    confidence=confidence,
                    stage=stage,
                    created=now(),
                    region=region,
                    aids=aids,
                    checkpoint_identity=checkpoint.identity,
                    probability=(answers or {}).get(finding, (None, None))[0],
                    threshold=(answers or {}).get(finding, (None, None))[1],
                    truth=(truth or {}).get(finding),
                    saw_model=stage == "before" and blind_reading.has_seen(here.case.scan_sha256),
                )
                for finding, (confidence, region) in given.items()
            ]
        )
    except (NotSaved, UnusableRecord) as error:
        common.line(str(error), "bad")
        return
    st.rerun()


def _result(explained: Explained, before: dict[str, Reading], after: dict[str, Reading]) -> None:
    st.html("<h3 class='part'>What you read, and what the model says</h3>")
    for finding in explained.findings:
        first, last = before[finding.name], after.get(finding.name)
        if last is None:
            continue
        truth = "" if last.truth is None else ("; it is there" if last.truth else "; it is not there")
        changed = ", changed" if first.present != last.present else ""
        model = f"the model {'gives ' + NO_ANSWER if finding.unsure else f'{finding.probability:.2f}'}"
        st.text(
            f"{finding.name}: {100 * first.confidence:.0f} % before, {100 * last.confidence:.0f} % after{changed}; "
            f"{model}{truth}"
        )
