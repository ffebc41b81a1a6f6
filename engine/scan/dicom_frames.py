"""The frames of a DICOM file as numbers, decoded one at a time after the picture's size was checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydicom.pixels import get_decoder  # pyright: ignore[reportPrivateImportUsage]  # where pydicom documents it
from pydicom.tag import Tag
from pydicom.uid import JPEGBaseline8Bit

from engine.scan.dicom_coded import AS_PLAIN
from engine.scan.dicom_header import Header
from engine.scan.dicom_picture import Picture, registered
from engine.scan.record import UnreadableScan
from engine.worker import extension


def frames(
    header: Header, picture: Picture, watch: Callable[[np.ndarray, bool], None] | None = None
) -> Iterator[np.ndarray]:
    """(H, W) stored values, frame by frame; (H, W, 3) of RGB, and of YBR the Y, which is its luminance.

    Args:
        watch: sees every frame as it was decoded, and whether it is YBR.

    Raises:
        UnreadableScan: when pixels are missing or the encoding has no decoder; otherwise whatever a codec raises.
    """
    data = picture.coded.data if picture.coded else header.raw(picture.keyword)
    name = picture.syntax.name if registered(picture.syntax) else "an unknown transfer syntax"
    try:
        decoder = get_decoder(picture.syntax)
    except NotImplementedError as error:
        raise UnreadableScan(f"The picture is encoded as {name}, which cannot be decoded here; {AS_PLAIN}.") from error
    options = {
        "pixel_keyword": picture.keyword,
        "pixel_vr": header.elements.get_item(Tag(picture.keyword)).VR or "OW",
        "photometric_interpretation": picture.photometric,
        "number_of_frames": picture.frames,
        "rows": picture.rows,
        "columns": picture.columns,
        "samples_per_pixel": picture.samples,
        "bits_allocated": picture.bits_allocated,
        "bits_stored": picture.bits_stored + picture.shift + picture.above,
        "pixel_representation": int(picture.signed),
        "allow_excess_frames": False,
    }
    if picture.samples > 1:
        options["planar_configuration"] = picture.planar
    if picture.coded is not None:
        if picture.coded.offsets:
            options["extended_offsets"] = picture.coded.offsets
        # libjpeg-turbo, behind Pillow, is several times faster where it suffices
        options["decoding_plugin"] = (
            "pillow" if picture.syntax == JPEGBaseline8Bit and picture.coded.depth <= 8 else "pylibjpeg"
        )
    else:
        _check_native(picture, len(data))
    count = 0
    try:
        for array, properties in decoder.iter_array(data, raw=True, **options):
            differences = str(properties["photometric_interpretation"]).startswith("YBR")
            if watch is not None:
                watch(array, differences)
            array = array[..., 0] if differences else array
            yield _stored(array, picture)
            count += 1
            extension.extend()
            if count == picture.frames:
                return
    except RuntimeError as error:  # how pydicom reports that a codec failed
        raise UnreadableScan(
            f"The picture is encoded as {name}, and its data cannot be decoded; {AS_PLAIN}."
        ) from error
    raise UnreadableScan(f"The file declares {picture.frames} frames but holds {count}; send the whole file.")


def _stored(array: np.ndarray, picture: Picture) -> np.ndarray:
    """The stored bits of decoded words, as signed or not (PS3.5 8.1.1)."""
    if picture.above and picture.stored_range is not None:
        return np.clip(array, *picture.stored_range)
    whole_words = (
        picture.coded and picture.coded.depth == picture.bits_allocated
    )  # of which some decoders leave all bits
    above = 8 * array.itemsize - picture.bits_stored - picture.shift
    if whole_words and above > 0:
        array = (array << above) >> above
    return array >> picture.shift if picture.shift else array


def _check_native(picture: Picture, size: int) -> None:
    if size < picture.native_bytes:
        raise UnreadableScan(
            f"The picture is cut off: {size} of {picture.native_bytes} bytes are there; send the whole file."
        )
