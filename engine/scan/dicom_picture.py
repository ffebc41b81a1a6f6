"""What a DICOM header says about its picture: the Image Pixel module, checked."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.uid import UID, MediaStorageDirectoryStorage

from engine.scan import bounds
from engine.scan.dicom_header import Header
from engine.scan.record import UnreadableScan

COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", *COLOUR)
BITS_ALLOCATED = {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}


@dataclass(frozen=True)
class Coded:
    """Compressed frames, checked.

    Attributes:
        data: the encapsulated frames (PS3.5 annex A.4).
        offsets: the extended offset table with its lengths, or None.
        depth: bits of a sample, as the frames themselves say.
    """

    data: bytes
    offsets: tuple[bytes, bytes] | None
    depth: int


@dataclass(frozen=True)
class Picture:
    """The Image Pixel module (PS3.3 C.7.6.3), checked.

    Attributes:
        keyword: the element that holds the pixels, a key of BITS_ALLOCATED.
        samples: 3 for COLOUR, else 1.
        shift: bits of a word below the stored ones, HighBit + 1 - BitsStored (PS3.5 8.1.1).
        syntax: the transfer syntax, which says how the pixels are encoded.
        above: bits of a lossy sample above the stored ones, into which its error may run.
        coded: the compressed frames; None where the pixels stand in the file as they are.
    """

    keyword: str
    photometric: str
    frames: int
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    shift: int
    signed: bool
    planar: int
    syntax: UID
    above: int = 0
    coded: Coded | None = None

    @property
    def stored_range(self) -> tuple[int, int] | None:
        """The lowest and highest value that the stored bits can hold; None for floats."""
        if self.keyword != "PixelData":
            return None
        half = 1 << (self.bits_stored - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    @property
    def native_bytes(self) -> int:
        """Bytes of the pixels where they are not compressed."""
        values = self.frames * self.rows * self.columns * self.samples
        if self.photometric == "YBR_FULL_422":
            values = values // 3 * 2
        return -(-values * self.bits_allocated // 8)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.frames, self.rows, self.columns


def describe(header: Header, syntax: UID, storage_class: UID) -> Picture:
    """What the header says about the picture.

    Raises:
        UnreadableScan: without a picture, with one that is too large, or in a form that cannot be decoded.
    """
    rows, columns, allocated, stored, samples, frames = (
        int(header.number(name) or 0)
        for name in ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "NumberOfFrames")
    )
    keyword = next((name for name in BITS_ALLOCATED if header.has(name)), None)
    if keyword is None or not rows or not columns:
        raise UnreadableScan(_no_picture(storage_class))
    stored = stored if 1 <= stored <= allocated else allocated
    high = header.number("HighBit")
    high = stored - 1 if high is None or not stored <= high < allocated else int(high)  # what cannot be is not meant
    picture = Picture(
        keyword=keyword,
        photometric=header.text("PhotometricInterpretation").upper() or ("RGB" if samples == 3 else "MONOCHROME2"),
        frames=frames or 1,
        rows=rows,
        columns=columns,
        samples=samples or 1,
        bits_allocated=allocated,
        bits_stored=stored,
        shift=high + 1 - stored,
        signed=header.number("PixelRepresentation") == 1,
        planar=int(header.number("PlanarConfiguration") or 0),
        syntax=syntax,
    )
    volume = picture.frames > 1 and picture.photometric.startswith("MONOCHROME")
    limit = bounds.VOLUME_VOXELS if volume else min(bounds.PIXELS, bounds.VALUES // picture.samples)
    bounds.check_size(*picture.shape[1:], picture.frames, limit=limit)
    if picture.photometric not in PHOTOMETRIC or picture.samples != (3 if picture.photometric in COLOUR else 1):
        raise UnreadableScan(
            f"The picture's colours are stored in a way that is not read here ({picture.samples} samples a pixel);"
            " export it as MONOCHROME2 or RGB."
        )
    if allocated not in BITS_ALLOCATED[keyword]:
        raise UnreadableScan(
            f"The file declares {allocated} bits for a pixel, which is not read here; export it with 8 or 16."
        )
    return picture


def registered(uid: UID) -> bool:
    """Whether DICOM's registry (PS3.6 annex A) has a name for it."""
    return uid.name != str(uid)


def _no_picture(storage_class: UID) -> str:
    name = storage_class.name if registered(storage_class) else "of an unknown kind"
    if storage_class == MediaStorageDirectoryStorage:
        return "This is a DICOMDIR, an index of other files; send one of the pictures that it lists."
    if "Image" in name:
        return f"This DICOM file ({name}) is cut off before its pixels or never held any; send the whole file."
    return f"This DICOM file ({name}) holds no picture; send the picture that it belongs to."
