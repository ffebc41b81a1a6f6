"""Boxes and words over the scan as a DICOM grayscale softcopy presentation state."""

from __future__ import annotations

import highdicom as hd
from highdicom.color import CIELabColor
from pydicom import Dataset

from engine.export.result import NOTICE, Result
from engine.export.structured_report import box_outline, outline
from engine.export.study import Study, device, finished, maker

MODEL_COLOUR, READER_COLOUR = CIELabColor(65, 30, 60), CIELabColor(70, -10, -35)  # orange and blue
STATES = 200  # the first number of further states' series, see `maker`


def presentation_states(result: Result, study: Study) -> dict[int | None, Dataset]:
    """By slice, a state for the picture that is exported, with a layer of the model's boxes and probabilities, one of
    what readers drew on it, and the notice; and one for each other slice that readers drew on, since slices of one
    series may differ in how their values are scaled.
    """
    model = hd.pr.GraphicLayer("MODEL", 1, "What the model looked at", MODEL_COLOUR)
    image, own = study.images[0], result.slice if result.slice in study.drawn else None
    shapes, words = [], []
    for finding in result.findings:
        record = finding.record
        for top, left, bottom, right in finding.boxes:
            shapes.append(hd.pr.GraphicObject("POLYLINE", box_outline(top, left, bottom, right), "PIXEL"))
            words.append(_words(f"{record.finding} {record.probability:.2f}", left, top, image))
    words.append(_notice(result))
    graphics = [hd.pr.GraphicAnnotation([image], model, graphic_objects=shapes or None, text_objects=words)]
    drawn = _drawn(result, own, image) if own in study.drawn else None
    made = {own: _state(result, study, image, [model], graphics, drawn, 3)}
    for number, (at, other) in enumerate(study.drawn.items()):
        drawn = None if at == own else _drawn(result, at, other, _notice(result))
        if drawn is not None:
            made[at] = _state(result, study, other, [], [], drawn, STATES + number)
    return made


def _drawn(
    result: Result, at: int | None, image: Dataset, notice: hd.pr.TextObject | None = None
) -> tuple[hd.pr.GraphicLayer, hd.pr.GraphicAnnotation] | None:
    """What readers drew on a slice; None where nothing of it has an outline."""
    drawn = [(one, corners) for one in result.drawn_on[at] if (corners := outline(one)) is not None]
    if not drawn:
        return None
    layer = hd.pr.GraphicLayer("READER", 2, "What readers drew", READER_COLOUR)
    words = [_words(one.label or one.kind, float(c[0, 0]), float(c[0, 1]), image) for one, c in drawn]
    shapes = [hd.pr.GraphicObject("POLYLINE", corners, "PIXEL") for _, corners in drawn]
    words += [] if notice is None else [notice]
    return layer, hd.pr.GraphicAnnotation([image], layer, graphic_objects=shapes, text_objects=words)


def _notice(result: Result) -> hd.pr.TextObject:
    notice = f"{result.model.name} {result.model.identity[:12]}. {NOTICE}"
    return hd.pr.TextObject(notice, "DISPLAY", bounding_box=(0.02, 0.94, 0.98, 0.99), text_justification="LEFT")


def _state(result, study, image, layers, graphics, drawn, number: int) -> Dataset:
    if drawn is not None:
        layers, graphics = [*layers, drawn[0]], [*graphics, drawn[1]]
    made = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[image],
        content_label="OTHERWISE",
        content_description="Boxes over the scan",
        content_creator_name=None,
        graphic_annotations=graphics,
        graphic_layers=layers,
        **maker(number),
        **device(),
    )
    return finished(made, result, study, "Boxes over the scan")


def _words(text: str, left: float, top: float, image: Dataset) -> hd.pr.TextObject:
    """Words above a point, within the picture."""
    rows, columns = int(image.Rows), int(image.Columns)
    height = max(1.0, rows / 40)
    top = min(max(float(top) - height, 0.0), rows - height)
    left = min(max(float(left), 0.0), 0.7 * columns)
    box = (left + 0.5, top + 0.5, min(left + 0.3 * columns, columns), min(top + height, rows))
    return hd.pr.TextObject(text, "PIXEL", bounding_box=box, text_justification="LEFT")
