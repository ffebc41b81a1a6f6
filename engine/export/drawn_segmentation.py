"""What readers drew as DICOM segmentations: a segment for each drawing, on the slices that it lies on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import highdicom as hd
import numpy as np
from pydicom import Dataset

from engine.export.result import Result
from engine.export.segmentation import CATEGORY
from engine.export.study import Study, device, finding_code, finished, maker, volume_of
from engine.review.measurements import mask_of
from engine.review.records import Annotation

MOST_BYTES = 256_000_000  # of the masks of one file; more segments go into further files
SERIES = 10  # the first number of these series, see `maker`
WHAT = "What readers drew"


def drawn_segmentations(result: Result, study: Study) -> list[Dataset]:
    """Binary segmentations of everything that encloses pixels; none where nothing does.

    Of a volume whose slices have a place in its study's space they hold all slices, also what was drawn across them;
    of any other picture or slice there is one for each slice that was drawn on.
    """
    drawn = [one for one in result.annotations if one.encloses]
    within = volume_of(result)
    if within is None:
        made: list[Dataset] = []
        for at, image in study.drawn.items():
            here = [one for one in drawn if one.slice == at and one.axis == 0]
            flat = replace(study, images=(image,), slices=(0,))
            made += _files(result, flat, here, (1, int(image.Rows), int(image.Columns)), [at or 0], len(made))
        return made
    volume, images, frames = within
    slices = [at for at in _slices(drawn, len(volume.pixels)) if at in images]
    whole = Study(tuple(images[at] for at in slices), tuple(slices), frames, None)
    return _files(result, whole, drawn, volume.pixels.shape, slices, 0) if slices else []


def _slices(drawn: Sequence[Annotation], count: int) -> list[int]:
    """The slices of a volume that something drawn lies on."""
    found: set[int] = set()
    for one in drawn:
        if one.axis == 0:
            found |= {one.slice or 0}
        else:  # the rows of a plane across the slices are the slices
            rows = [row for row, *_ in (one.runs or one.points)]
            found |= set(range(max(0, int(min(rows))), min(count, int(max(rows)) + 1)))
    return sorted(found)


def _files(
    result: Result,
    study: Study,
    drawn: Sequence[Annotation],
    shape: Sequence[int],
    slices: Sequence[int],
    before: int,
) -> list[Dataset]:
    """Segmentations of `study.images`, which are `slices` of a volume of `shape`; `before` are there already."""
    numbers = {one.id: number for number, one in enumerate(result.annotations, 1)}  # as in the list beside the film
    most = max(1, MOST_BYTES // max(1, len(slices) * shape[1] * shape[2]))
    made: list[Dataset] = []
    part: list[tuple[int, Annotation, np.ndarray]] = []
    for one in drawn:
        mask = _mask(one, shape, slices)
        if mask.any():
            part.append((numbers[one.id], one, mask))
        if len(part) == most:
            made.append(_segmentation(result, study, part, before + len(made)))
            part = []
    return [*made, *([_segmentation(result, study, part, before + len(made))] if part else [])]


def _mask(one: Annotation, shape: Sequence[int], slices: Sequence[int]) -> np.ndarray:
    """(len(slices), H, W) uint8: the pixels that a drawing encloses."""
    place = {at: number for number, at in enumerate(slices)}
    mask = np.zeros((len(slices), *shape[1:]), np.uint8)
    if one.axis == 0:
        if (at := one.slice or 0) in place:
            mask[place[at]] = mask_of(one, (shape[1], shape[2]))
        return mask
    plane = mask_of(one, (shape[0], shape[2 if one.axis == 1 else 1]))
    for at, number in place.items():
        across = mask[number, one.slice] if one.axis == 1 else mask[number, :, one.slice]
        across |= plane[at]
    return mask


def _segmentation(
    result: Result, study: Study, part: Sequence[tuple[int, Annotation, np.ndarray]], number: int
) -> Dataset:
    segments = [
        hd.seg.SegmentDescription(
            segment_number=place,
            segment_label=f"{at} {one.label or one.kind} of {one.reader}"[:64],
            segmented_property_category=CATEGORY,
            segmented_property_type=finding_code(one.label or one.kind),
            algorithm_type="MANUAL",
            tracking_uid=hd.UID(),
            tracking_id=one.id,
        )
        for place, (at, one, _) in enumerate(part, 1)
    ]
    made = hd.seg.Segmentation(
        source_images=list(study.images),
        pixel_array=np.stack([mask for *_, mask in part], axis=-1),
        segmentation_type="BINARY",
        segment_descriptions=segments,
        content_label="DRAWN",
        content_description=WHAT,
        **maker(SERIES + number),
        **device(),
    )
    return finished(made, result, study, WHAT)
