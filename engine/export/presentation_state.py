"""Boxes and words over the scan as a DICOM grayscale softcopy presentation state."""

from __future__ import annotations

import highdicom as hd
from highdicom.color import CIELabColor
from pydicom import Dataset

from engine.export.result import NOTICE, Result
from engine.export.structured_report import box_outline, outline
from engine.export.study import Study, device, finished, maker

MODEL_COLOUR, READER_COLOUR = CIELabColor(65, 30, 60), CIELabColor(70, -10, -35)  # orange and blue


def presentation_state(result: Result, study: Study) -> Dataset:
    """A layer with the boxes of the model and its probabilities, one with what readers drew, and the notice."""
    image = study.images[0]
    model = hd.pr.GraphicLayer("MODEL", 1, "What the model looked at", MODEL_COLOUR)
    reader = hd.pr.GraphicLayer("READER", 2, "What readers drew", READER_COLOUR)
    shapes, words = [], []
    for finding in result.findings:
        record = finding.record
        for top, left, bottom, right in finding.boxes:
            shapes.append(hd.pr.GraphicObject("POLYLINE", box_outline(top, left, bottom, right), "PIXEL"))
            words.append(_words(f"{record.finding} {record.probability:.2f}", left, top, image))
    notice = f"{result.model.name} {result.model.identity[:12]}. {NOTICE}"
    words.append(hd.pr.TextObject(notice, "DISPLAY", bounding_box=(0.02, 0.94, 0.98, 0.99), text_justification="LEFT"))
    graphics = [hd.pr.GraphicAnnotation([image], model, graphic_objects=shapes or None, text_objects=words)]
    layers = [model]
    drawn = [(one, corners) for one in result.drawn_here if (corners := outline(one)) is not None]
    if drawn:
        layers.append(reader)
        graphics.append(
            hd.pr.GraphicAnnotation(
                [image],
                reader,
                graphic_objects=[hd.pr.GraphicObject("POLYLINE", corners, "PIXEL") for _, corners in drawn],
                text_objects=[
                    _words(one.label or one.kind, float(corners[0, 0]), float(corners[0, 1]), image)
                    for one, corners in drawn
                ],
            )
        )
    made = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[image],
        content_label="OTHERWISE",
        content_description="Boxes over the scan",
        content_creator_name=None,
        graphic_annotations=graphics,
        graphic_layers=layers,
        **maker(3),
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
