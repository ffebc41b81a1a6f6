"""A session on paper: what one checkpoint says of one scan, how it was computed, and what readers said."""

from __future__ import annotations

import cv2
from PIL import Image

from engine import __version__
from engine.export.paper import ACCENT, INK, LEFT, NOTICE, QUIET, WIDTH, Paper, latin
from engine.export.pictures import panels
from engine.export.result import FindingResult, Result

GAP = 4  # mm between two pictures
TALLEST = 85  # mm of a picture
REASONS = {True: "agrees", False: "disagrees"}


def session_pdf(result: Result) -> bytes:
    """The session as a PDF, of a picture. It names no patient: that is the matter of the study it is put into."""
    page = Paper()
    page.set_title(latin(f"{result.model.title}: what it says of a scan"))
    page.set_creator(f"Otherwise {__version__}")
    page.set_creation_date(result.when)
    page.set_lang("en")
    page.add_page()
    page.words(f"What {result.model.title} says of a scan", 15, bold=True)
    page.ln(1)
    page.words(NOTICE, 11, ACCENT, bold=True)
    if result.model.caution:
        page.ln(0.8)
        page.words(f"Caution: {result.model.caution}", 9)
    like = result.explanations[0].like_training
    if like is not True:
        words = "is not known to be like" if like is None else "is unlike"
        page.ln(0.8)
        page.words(f"This scan {words} the scans that the checkpoint was trained on. Do not rely on what it says.", 9)
    page.heading("Findings")
    _table(page, result)
    for finding in result.positive:
        _pictures(page, result, finding)
    _readers(page, result)
    page.heading("How it was computed")
    page.facts(facts(result), label=40)
    return bytes(page.output())


def facts(result: Result) -> list[tuple[str, str]]:
    """Model, scan and settings."""
    scan, model = result.scan, result.model
    height, width = scan.pixels.shape[-2:]
    spacing = scan.plane_spacing_mm
    mm = "not known" if spacing is None else f"{spacing[0]:.3g} x {spacing[1]:.3g} mm at the {scan.spacing_at}"
    return [
        ("model", f"{model.name} ({model.title}), trained on {model.collection or 'what is not known'}"),
        ("identity", model.identity),
        ("weights", model.weights_sha256),
        ("scan", f"{scan.kind}, {width} x {height} pixels, spacing {mm}"),
        ("pixels, sha256", scan.sha256),
        *result.settings.items(),
        (
            "left out",
            ", ".join(result.left_out) + ": the checkpoint's answer means nothing" if result.left_out else "none",
        ),
        ("made", result.when.isoformat(timespec="seconds") if not result.de_identified else "date left out"),
    ]


def _table(page: Paper, result: Result) -> None:
    widths = (56, 26, 30, 24, 44)
    page.cells(("finding", "probability", "operating point", "call", "flips without"), widths, 7, [QUIET] * 5, height=4)
    for one in result.explanations:
        page.page_break_unless_fits(5)
        flip = None if one.path is None else one.path.flip(one.threshold)
        flips = "-" if flip is None else f"{100 * flip:.0f} % of it taken away"
        call = "positive" if one.positive else "negative"
        colours = [INK, INK, INK, ACCENT if one.positive else QUIET, INK]
        page.cells((one.finding, f"{one.probability:.3f}", f"{one.threshold:.3f}", call, flips), widths, 8, colours)


def _pictures(page: Paper, result: Result, finding: FindingResult) -> None:
    made = panels(result, finding)
    height, width = made[0][1].shape[:2]
    across = min((WIDTH - GAP * 2) / 3, TALLEST * width / height)
    tall = across * height / width
    page.heading(finding.record.finding, space=tall + 14)
    top = page.get_y()
    for place, (words, picture) in enumerate(made):
        left = LEFT + place * (across + GAP)
        page.at(left, top + 2.5, words, 7)
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        page.image(Image.fromarray(rgb), left, top + 4, across, tall, alt_text=latin(words))
    page.set_y(top + tall + 6)
    record = finding.record
    page.words(
        f"Orange speaks for it and blue against it, from -{record.attribution_limit:.3g} to "
        f"{record.attribution_limit:.3g} {record.attribution_unit}; white boxes: {result.settings['region']}.",
        7,
        QUIET,
    )


def _readers(page: Paper, result: Result) -> None:
    if not (result.annotations or result.readings or result.opinions):
        return
    page.heading("What readers said (names are as given, and not verified)")
    for one in result.readings:
        confident = f"{100 * one.confidence:.0f} % confident that it is there"
        page.words(f"{one.reader}, {one.stage} the answer was shown: {one.finding}, {confident}.", 8)
    for one in (one for one in result.opinions if one.checkpoint_identity == result.model.identity):
        why = f": {one.reason}" if one.reason else ""
        page.words(f"{one.reader} {REASONS[one.agrees]} about {one.finding}{why}.", 8)
    for one in result.annotations:
        where = "" if one.slice is None else f"slice {one.slice + 1}" + (f" across axis {one.axis}" if one.axis else "")
        words = ", ".join(filter(None, (one.kind, one.label, where, one.comment, one.state)))
        page.words(f"{one.reader} drew: {words}.", 8)
