"""An explanation in plain language: verdicts, the sentence, and the facts beside the slider."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from engine.answers import NoAnswer, log_odds, no_answer, not_shown_to_know, rate
from engine.explanation import Explanation, full_step
from engine.metrics.measure import Measure
from engine.preprocessing import enlarged, two_dimensional
from engine.scan import Scan
from pages.components.scan_words import measured_at
from viewer import VISIBLE_CHANGE, FindingView, TrustView

SLIGHT = 0.05  # of a scan: what may change in one that is called as good as unchanged
JUST, FAR = 0.4, 2.0  # of log-odds between probability and operating point
COUNTED = frozenset(
    "lesion infarct tumour tumor glioma meningioma nodule mass fracture hernia opacity".split()
)  # last words that take an article
FRONTAL = ("PA", "AP")  # view positions in which, by convention, the patient faces the reader
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "right")


def degree(probability: float, threshold: float) -> str:
    """'far below', 'below', 'just below', 'just above', 'above' or 'far above'."""
    distance = log_odds(probability) - log_odds(threshold)
    side = "above" if probability > threshold else "below"
    size = "just " if abs(distance) < JUST else "far " if abs(distance) >= FAR else ""
    return size + side


def whereabouts(evidence: np.ndarray) -> tuple[float, str] | None:
    """Where most of the evidence for a finding lies.

    Args:
        evidence: (h, w); only what is above zero counts.

    Returns:
        The largest share that one of six parts holds, in [0, 1], and the part's name as seen on the picture
        (a frontal film's left is the patient's right); None without any.
    """
    positive = np.clip(evidence, 0, None)
    total = float(positive.sum())
    if total <= 0:
        return None
    shares = [
        (float(part.sum()) / total, f"{row} {column}")
        for row, band in zip(ROWS, np.array_split(positive, 3, axis=0))
        for column, part in zip(COLUMNS, np.array_split(band, 2, axis=1))
    ]
    return max(shares)


def whose_side(part: str) -> str:
    """Gives "the patient's right" for a part at the left of a picture in which the patient faces the reader."""
    return f"the patient's {'right' if part.endswith('left') else 'left'}"


def noun(kind: str) -> str:
    """What a reader calls a scan of a `Scan.kind` in passing."""
    return {"radiograph": "film", "CT": "slice", "MR": "slice", "ultrasound": "frame"}.get(kind, "picture")


def made_for(kinds: Sequence[str], volumes: bool) -> str:
    """What a checkpoint was made for: 'radiographs', 'CT volumes', 'volumes' for one of volumes of any kind."""
    named = [kind for kind in kinds if kind != "unknown"]
    if volumes:
        return " and ".join(f"{kind} volumes" for kind in named) or "volumes"
    return " and ".join(f"{kind}s" for kind in named)


def with_article(finding: str) -> str:
    """A finding within a sentence: 'a lesion', 'an old fracture', 'pneumonia'."""
    words = finding.lower()
    if not COUNTED & {*re.split(r"[ /]", words)[-1:]}:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def sentence(
    explanation: Explanation,
    rates: Sequence[Measure],
    what: str = "film",
    changed: float | None = None,
    drawn: bool = False,
    facing: bool = False,
    strongest: str = "",
) -> str:
    """What the model says, where it looks, whether the counterfactual undoes it, and how often such calls are wrong.

    Args:
        what: the scan is called, see `noun`.
        changed: which share of it the counterfactual changes, where that is what the model goes by.
        drawn: see `likeness_badge`.
        facing: the patient faces the reader, as on a frontal film, so that the picture's left is the patient's right.
        strongest: 'slice 3 of 20' of a volume, on which the place is.
    """
    finding = explanation.finding.lower()
    if nothing := learned_nothing(explanation, rates, what):
        return nothing
    words = [f"The model {'sees' if explanation.positive else 'does not see'} {with_article(finding)}."]
    if changed is not None and not explanation.positive:
        start = (
            f"The {what} stays nearly as it is" if changed < SLIGHT else f"Even so the {what} would not stay as it is"
        )
        words.append(f"{start}: {100 * changed:.1f} % of it would change.")
    place = whereabouts(np.abs(explanation.evidence) if explanation.both_signs else explanation.evidence)
    against = explanation.positive and not explanation.both_signs and float(explanation.evidence.sum()) < 0
    if against:
        words.append(
            "What speaks against it outweighs what speaks for it; it is called because the operating point is low "
            f"({explanation.threshold:.2f})."
        )
    elif explanation.positive and place is not None:
        share, part = place
        side = f" ({whose_side(part)})" if facing else " as it is shown"
        ground = "the change that it asks for" if explanation.both_signs else "its evidence"
        if strongest:
            words.append(f"{ground[0].upper()}{ground[1:]} is strongest on {strongest}.")
        words.append(
            f"There {100 * share:.0f} % of it lies in the {part} of the picture{side}."
            if strongest and share >= 0.3
            else "There it is spread over the picture."
            if strongest
            else f"{100 * share:.0f} % of {ground} lies in the {part} of the picture{side}."
            if share >= 0.3
            else f"{ground[0].upper()}{ground[1:]} is spread over the picture; the {part}{side} holds most, "
            f"{100 * share:.0f} %."
        )
    if explanation.positive and explanation.path is not None:
        without = float(np.interp(1.0, explanation.path.steps, explanation.path.probabilities))
        words.append(
            f"{'After' if explanation.both_signs else 'Without'} that change in the {what} it would say no."
            if without <= explanation.threshold
            else f"Without it the model is more certain ({without:.2f}). The {what} without it explains nothing here."
            if without > explanation.probability
            else f"Even {'after' if explanation.both_signs else 'without'} it the model would still say yes "
            f"({without:.2f})."
        )
    if not explanation.positive and explanation.path is not None:
        without = float(np.interp(1.0, explanation.path.steps, explanation.path.probabilities))
        if without > explanation.threshold:
            words.append(f"Its {what} without {finding} is wrong: the model would say yes of that ({without:.2f}).")
    words.append(_how_often_wrong(explanation, with_article(finding), rates, what, drawn))
    if explanation.contrast_class is not None:
        words.append(f"It has seen {finding} and {explanation.contrast_class.lower()} {what}s only.")
    return " ".join(filter(None, words))


def learned_nothing(explanation: Explanation, rates: Sequence[Measure], what: str = "film") -> str:
    """The same as a sentence; "" where the answer may mean something."""
    finding, why = with_article(explanation.finding), no_answer(explanation, rates)
    if why is NoAnswer.INDIFFERENT:
        return f"The model has not learned {finding}: its answer hardly depends on the {what}. No result is shown."
    if why is NoAnswer.AUC_HOLDS_CHANCE:
        auc = rate(rates, "auc", explanation.finding)
        return (
            f"The model has not been shown to know {finding}: on {what}s that it was not trained on its AUC is "
            f"{auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f}), and {auc.chance:.2f} is chance. No result is shown."
        )
    return ""


def withheld(findings: Sequence[str], rates: Sequence[Measure], what: str = "film") -> str:
    """Of which findings no result is shown on any scan, and why; "" for none."""
    aucs = [auc for finding in findings if (auc := not_shown_to_know(finding, rates)) is not None]
    if not aucs:
        return ""
    names = [f"{with_article(auc.finding)} ({auc.low:.2f} to {auc.high:.2f})" for auc in aucs]
    return (
        f"No result is shown for {_listed(names)}: on {what}s that it was not trained on the interval of its AUC holds "
        "chance."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def counterfactual_title(finding: str, contrast_class: str | None) -> str:
    """'With benign instead of malignant'; "" for a finding that is told from its absence, whose title the
    viewer makes.
    """
    return "" if contrast_class is None else f"With {contrast_class.lower()} instead of {finding.lower()}"


def told_apart(config: Mapping, what: str) -> str:
    """What a checkpoint of this configuration tells apart: 'films with a finding from films without'.

    Args:
        what: a scan is called, see `noun`.
    """
    if (contrast_class := config.get("contrast_class")) is None:
        return f"{what}s with a finding from {what}s without"
    return f"{config['findings'][0].lower()} {what}s from {contrast_class.lower()} {what}s"


def _how_often_wrong(explanation: Explanation, finding: str, rates: Sequence[Measure], what: str, drawn: bool) -> str:
    """The error that this very call could be, from films not trained on; `finding` with its article."""
    row = rate(rates, "specificity" if explanation.positive else "sensitivity", explanation.finding)
    if row is None:
        return "Its card does not say how often such calls are wrong."
    low, wrong, high = (round(100 * (1 - share)) for share in (row.high, row.value, row.low))
    often = f"{wrong} ({low} to {high})" if high else "fewer than 1"
    if explanation.positive:
        other = "" if explanation.contrast_class is None else f"{explanation.contrast_class.lower()} "
        words = f"Of 100 {other}{what}s without {finding} that it was not trained on, it wrongly calls {often}."
    else:
        words = f"Of 100 {what}s with {finding} that it was not trained on, it misses {often}."
    if explanation.like_training is None and not drawn:
        return words + " Whether this one is like those is not known."
    return (
        words
        if explanation.like_training and not drawn
        else words + f" This {what} is unlike those, so the number may not hold."
    )


def facts(explanation: Explanation, scan: Scan) -> list[tuple[str, str]]:
    """How large the change is that takes the finding away fully (a = 1)."""
    share = changed_share(explanation)
    rows = [("changed at a = 1", f"{100 * share:.1f} % of the {noun(scan.kind)}")]
    if (spacing := scan.plane_spacing_mm) is not None:
        area = share * two_dimensional(scan.pixels, "the scan").size * spacing[0] * spacing[1]
        rows.append(("that is", f"{area:,.0f} mm\u00b2{measured_at(scan)}"))
    rows.append(("counted from", f"{100 * VISIBLE_CHANGE:.2g} % of the grey range"))
    largest = float(np.abs(full_change(explanation)).max())
    rows.append(("largest change", f"{100 * largest / explanation.path.grey_range:.0f} % of the grey range"))
    return rows


def changed_share(explanation: Explanation) -> float:
    """The share of the scan that visibly changes at a = 1, from 0 to 1."""
    return float((np.abs(full_change(explanation)) > VISIBLE_CHANGE * explanation.path.grey_range).mean())


def full_change(explanation: Explanation) -> np.ndarray:
    """(h, w): what is added to the scan at a = 1, in its units."""
    path = explanation.path
    return path.changes[full_step(path.steps)]


def finding_view(
    explanation: Explanation,
    scan: Scan,
    rates: Sequence[Measure],
    first: bool = False,
    drawn: bool = False,
    truth: np.ndarray | None = None,
    signed: bool = True,
    trust: TrustView | None = None,
    what: str = "",
    strongest: str = "",
) -> FindingView:
    """What the viewer needs of an explanation; the large pictures are left behind.

    Args:
        first: at the head of the list, where the verdict names its operating point in full.
        drawn: see `likeness_badge`.
        truth: what the true counterfactual adds to the scan, see `FindingView`.
        signed: whether the method's maps have two signs; the colour bar of others begins at 0.
        trust: how far to trust the counterfactual, see `pages.components.trust`.
        what: the scan is called, where that is not `noun` of its kind.
        strongest: see `sentence`.
    """
    what = what or noun(scan.kind)
    unsure = no_answer(explanation, rates) is not None
    only_change = explanation.both_signs and explanation.path is not None
    changed = changed_share(explanation) if only_change else None
    point = f"its operating point ({explanation.threshold:.2f})" if first else f"({explanation.threshold:.2f})"
    return FindingView(
        name=explanation.finding,
        probability=explanation.probability,
        threshold=explanation.threshold,
        verdict="cannot tell" if unsure else f"{degree(explanation.probability, explanation.threshold)} {point}",
        unsure=unsure,
        counterfactual=counterfactual_title(explanation.finding, explanation.contrast_class),
        evidence_title=f"Change towards {(explanation.contrast_class or 'normal').lower()}"
        if explanation.both_signs
        else "",
        sentence=sentence(
            explanation,
            rates,
            what,
            changed,
            drawn,
            facing=scan.kind == "radiograph" and scan.tags.get("ViewPosition", "") in FRONTAL,
            strongest=strongest,
        ),
        evidence=np.zeros_like(explanation.evidence) if unsure else explanation.evidence,
        evidence_limit=explanation.attribution_limit,
        evidence_unit=explanation.attribution_unit,
        sequential=not signed,
        truth=truth,
        trust=None if unsure else trust,
        **_slider(explanation, scan, unsure, truth),
    )


def recovered(change: np.ndarray, truth: np.ndarray) -> float:
    """How much of the true change (H, W) a change (h, w) of the model brings: 1 for all of it, 0 for none, below 0 for
    harm (`engine.metrics.recovery`).
    """
    return float(1 - np.abs(enlarged(change, truth.shape) - truth).mean() / np.abs(truth).mean())


def literal(text: str) -> str:
    """`text` for a control that reads Markdown, shown as it is: a name from a checkpoint must not become a picture."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>$:~])", r"\\\1", text)


def recovery_words(share: float) -> str:
    """'54 % of the true change'; a share below 0 is a change that leads away from the truth."""
    return f"{100 * share:.0f} % of the true change" if share >= 0 else "worse than no change"


def _slider(explanation: Explanation, scan: Scan, unsure: bool, truth: np.ndarray | None) -> dict:
    """The counterfactual slider and the facts beside it; nothing for a method that makes no counterfactual, no change
    for an `unsure` answer.
    """
    path = explanation.path
    if path is None:
        return {}
    whole = full_change(explanation)
    if unsure:
        return {"steps": path.steps, "probabilities": path.probabilities, "changes": np.zeros_like(whole)}
    linear = np.allclose(path.changes, path.steps[:, None, None] * whole, atol=1e-4 * path.grey_range)
    return {
        "steps": path.steps,
        "probabilities": path.probabilities,
        "changes": np.ascontiguousarray(whole) if linear else path.changes,
        "facts": facts(explanation, scan)
        + ([("recovered", recovery_words(recovered(whole, truth)))] if truth is not None and truth.any() else []),
    }


def likeness_badge(likeness: tuple[float, float] | None, what: str = "film", drawn: bool = False) -> tuple[str, str]:
    """Whether the scan is like those the checkpoint was trained on, (score, limit), as a share of the limit; None is
    not known.

    Args:
        what: those are called, see `noun`.
        drawn: the checkpoint has seen drawn pictures only and the scan is a person's, which no score makes alike.
    """
    if drawn:
        return (f"trained on drawn {what}s only", "bad")
    if likeness is None:
        return (f"training {what}s not known", "warn")
    score, limit = likeness
    times = f"{score / limit:.{2 if score < limit else 1}f}" if score < 100 * limit else "over 100"
    share = f"distance {times} times the limit"
    return (
        (f"like the training {what}s ({share})", "good")
        if score <= limit
        else (f"unlike the training {what}s ({share})", "bad")
    )


def unlike(likeness: tuple[float, float] | None, what: str, drawn: bool) -> str:
    """Why a scan is not like those the checkpoint was trained on, as a sentence; "" where nothing says that.

    Arguments as for `likeness_badge`.
    """
    if drawn:
        return f"This checkpoint was trained on drawn {what}s only. This {what} is not drawn."
    if likeness is not None and likeness[0] > likeness[1]:
        return f"This scan is unlike the {what}s this checkpoint was trained on."
    return ""
