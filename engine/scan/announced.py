"""Whether a file or folder holds a volume, by its headers alone: asked before anything of its size is read."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from engine import worker
from engine.scan import bounds
from engine.scan.dicom import has_grey_frames
from engine.scan.dicom_header import parse
from engine.scan.dicom_picture import describe
from engine.scan.dicom_place import read_places
from engine.scan.dicom_spacing import read_spacing
from engine.scan.metaimage import dimensions_of as metaimage_dimensions
from engine.scan.nrrd import dimensions_of as nrrd_dimensions
from engine.scan.one_file import is_dicom
from engine.scan.record import UnreadableScan
from engine.scan.series import Slice
from engine.scan.volume_files import METAIMAGE, NIFTI, NRRD, form_of

ANNOUNCED = "engine.scan.announced:announced"
FIRST = 16  # files of a folder that are looked at
HEAD = 1 << 17  # bytes of a file whose header ends before them
LIMITS = worker.Limits(
    processor=bounds.PROCESSOR_SECONDS,
    longest=bounds.OPENING_SECONDS,
    wall=10 * bounds.OPENING_SECONDS,
    memory=bounds.VOLUME_WORKER_BYTES,
    output=bounds.MEGA,
)


def announces_volume(path: Path) -> bool:
    """Whether a file says that it is a volume of several slices, or the first files of a folder that they are slices of
    one.

    False also where it cannot be told: of zips, and of whatever is damaged, which reading then says.
    """
    try:
        files = sorted(file for file in path.rglob("*") if file.is_file())[:FIRST] if path.is_dir() else [path]
        contents = [_beginning(file) for file in files]
        return bool(worker.call(ANNOUNCED, contents, limits=LIMITS, raises=(UnreadableScan,)))
    except (OSError, UnreadableScan, worker.WorkerError):
        return False


def _beginning(file: Path) -> bytes:
    """What is needed of a file: all of a DICOM file, whose header has no known length, else its first bytes."""
    with file.open("rb") as stream:
        head = stream.read(HEAD)
        return head + stream.read(bounds.VOLUME_FILE_BYTES) if is_dicom(head) else head


def announced(contents: list[bytes]) -> bool:
    """As `announces_volume`, for a worker."""
    seen: list[Slice] = []
    for data in contents:
        try:
            if min(_dimensions(data), default=0) > 1 or (is_dicom(data) and has_grey_frames(data)):
                return True
            seen += _places(data) if len(contents) > 1 and is_dicom(data) else []
        except Exception:  # whatever a damaged header leads to; reading it says what is wrong
            continue
    return any(_of_one_volume(first, other) for index, first in enumerate(seen) for other in seen[:index])


def _places(data: bytes) -> list[Slice]:
    header, syntax, storage_class = parse(data)
    picture = describe(header, syntax, storage_class)
    return read_places(header, picture, read_spacing(header, picture.frames))


def _of_one_volume(first: Slice, other: Slice) -> bool:
    """Whether two slices are of one series and lie in parallel at different places."""
    alike = first.series == other.series and first.shape == other.shape and first.orientation == other.orientation
    return (
        alike
        and first.orientation is not None
        and None not in (first.position, other.position)
        and first.position != other.position
    )


def _dimensions(data: bytes) -> tuple[int, ...]:
    """The first three sides that a volume file's header gives, () for other files and where it gives fewer."""
    form = form_of(data)
    sides: tuple[int, ...] = ()
    if form == NRRD:
        sides = nrrd_dimensions(data)
    elif form == METAIMAGE:
        sides = metaimage_dimensions(data)
    elif form == NIFTI:
        file = gzip.GzipFile(fileobj=io.BytesIO(data)) if data.startswith(b"\x1f\x8b") else io.BytesIO(data)
        head = file.read(544)
        kind = Nifti2Header if head[4:8] == b"n+2\0" else Nifti1Header
        sides = tuple(int(side) for side in kind.from_fileobj(io.BytesIO(head), check=False).get_data_shape())
    return sides[:3] if len(sides) >= 3 else ()
