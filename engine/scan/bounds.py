"""How much a file may ask for, checked before anything of that size is allocated."""

from __future__ import annotations

import io
import zlib

from engine.scan.record import UnreadableScan

MEGA = 1 << 20
FILE_BYTES = 256 * MEGA
PROCESSOR_SECONDS = 2.0  # that a picture, or each frame of a series, may take to decode
SERIES_SECONDS = 60.0  # that all frames of a file may take together
WORKER_BYTES = 2048 * MEGA  # of address space that decoding may take
INFLATED_BYTES = 128 * MEGA  # of a deflated DICOM file
PIXELS = 64 * MEGA  # of all frames together: 256 MB as float32
VALUES = 128 * MEGA  # of all frames and channels together
PICTURE_PIXELS = 24 * MEGA  # of a PNG or JPEG
PICTURE_BYTES = 48 * MEGA  # of a PNG or TIFF, decompressed
# Of volumes: a series of slices, a zip of them, a multi-frame file, NIfTI, NRRD or MetaImage. Within them 1000 slices
# of 512 x 512 open in less than 3 GB of all processes together.
VOLUME_FILE_BYTES = 768 * MEGA  # of one file, also of a zip
VOLUME_BYTES = 1280 * MEGA  # of all files of a folder, an upload or a zip together, and of a volume, unpacked
VOLUME_VOXELS = 320 * MEGA  # of all slices together: 1280 of 512 x 512, 1.3 GB as float32
VOLUME_FILES = 4096  # of a folder, an upload or a zip
OPENING_SECONDS = 20.0  # of processor time that opening a volume may take, beside its frames
VOLUME_SECONDS = 300.0  # of processor time that all slices of a file may take together
SLICE_SECONDS = 0.5  # by which each slice of a series lengthens what the series may take
VOLUME_WORKER_BYTES = 3072 * MEGA  # of address space that the worker may take
ARCHIVE_LIST_BYTES = 2 * MEGA  # of the list of files at the end of a zip
BATCH_BYTES = 16 * MEGA  # of files that are sent to the worker at a time
SIDE = 32_768
FRAMES = 4096
PAGES = 1024  # of a TIFF
CHUNKS = 50_000  # of a PNG
ELEMENTS = 100_000  # reads that a DICOM header may cost: some 700 frames with their functional groups
VALUE_BYTES = 64 * 1024  # of one header value that is not a table or a picture
SLOW_VALUES = (
    32 * MEGA
)  # values of one frame that the slower codecs (JPEG 2000, JPEG-LS, lossless JPEG) may be asked for
JPEG_PIXELS = 40 * MEGA  # of all frames together, in a DICOM file of plain JPEG
JPEG_2000_BYTES = 24 * MEGA  # of one frame of JPEG 2000, of which 3 to 7 MB are decoded in a second
JPEG_SCANS = 64  # passes over one JPEG picture
JPEG_PASSED_PIXELS = 160 * MEGA  # passes times pixels
JPEG_2000_TILES = 4096
JP2_BOXES = 100  # before the one that holds the codestream
JPEG_2000_PRECINCT = 5  # the smallest one has 2**5 pixels a side


class CountedStream(io.BytesIO):
    """Bytes that may be read from only so many times, however the elements in them are nested.

    Several streams can share one `budget`, a list that holds the number of reads left.
    """

    def __init__(self, data: bytes, budget: list[int]):
        super().__init__(data)
        self.budget = budget

    def read(self, size: int | None = -1) -> bytes:
        self.budget[0] -= 1
        if self.budget[0] < 0:
            raise UnreadableScan(
                "The file's header has far too many elements; export the picture again as a plain DICOM file."
            )
        return super().read(size)


def check_size(rows: int, columns: int, frames: int = 1, limit: int = PIXELS) -> None:
    """Refuse a picture of more pixels than `limit`.

    Raises:
        UnreadableScan: says the size and the limit.
    """
    if rows < 1 or columns < 1 or frames < 1:
        raise UnreadableScan(
            f"The file declares a picture of {columns} x {rows} pixels and {frames} frames, which is none; export it "
            "again."
        )
    if rows > SIDE or columns > SIDE or frames > FRAMES or rows * columns * frames > limit:
        raise UnreadableScan(
            f"The picture is {columns} x {rows} pixels in {frames} frames; the limit is {limit // 1_000_000} million "
            f"pixels in at most {FRAMES} frames: send fewer frames or a smaller picture."
        )


def inflate(data: bytes, limit: int, window_bits: int) -> bytes:
    """Decompress at most `limit` bytes.

    Raises:
        UnreadableScan: when there is more, or when the stream is broken or cut off.
    """
    inflater = zlib.decompressobj(window_bits)
    try:
        out = inflater.decompress(data, limit)
    except zlib.error as error:
        raise UnreadableScan("The file's compressed part is damaged; export it again.") from error
    if inflater.eof:
        return out
    if inflater.unconsumed_tail:
        raise UnreadableScan(
            f"The file's compressed part holds more than the {limit:,} bytes that it may; export it uncompressed."
        )
    raise UnreadableScan("The file's compressed part is cut off; send the whole file.")
