"""Volumes in files of one each: NIfTI by nibabel, NRRD and MetaImage by SimpleITK; turned so that all lie alike."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from nibabel import orientations
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from engine.scan import bounds
from engine.scan.itk import ItkVolume, read_itk
from engine.scan.metaimage import is_metaimage, metaimage_in_one
from engine.scan.nrrd import nrrd_in_one
from engine.scan.record import UnreadableScan

NIFTI, NRRD, METAIMAGE = "NIfTI", "NRRD", "MetaImage"
LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
SIDES_UNKNOWN = "the file does not say which side is left"
AIR, TISSUE = (-1050, -900), (-150, 300)  # HU
SHARE_OF_CT = 0.03  # of the voxels of a CT lie in either, at least


@dataclass(frozen=True)
class Volume:
    """A volume as it stands in a file, turned.

    Axis 0 runs towards the head, 1 towards the back, 2 towards the patient's left.

    Attributes:
        stored: (S, H, W), a view of the file's bytes.
        slope, intercept: value = slope * stored + intercept.
        affine: (4, 4), see `Scan`; None where the file does not say which side is which.
        spacing_mm: (slice, row, column), or None.
        remarks: for the reader.
        owner: of the voxels' memory, which is kept with them.
    """

    stored: np.ndarray
    slope: float = 1.0
    intercept: float = 0.0
    affine: np.ndarray | None = None
    spacing_mm: tuple[float, float, float] | None = None
    remarks: tuple[str, ...] = ()
    owner: object = None

    @property
    def bits(self) -> int:
        """Of a stored voxel."""
        return 8 * self.stored.dtype.itemsize

    def slices(self, places: Sequence[int]) -> np.ndarray:
        """(n, H, W) values: int16 or uint16 where they are stored so and nothing has to be scaled, else float32."""
        part = self.stored[list(places)]
        if self.slope == 1 and self.intercept == 0 and part.dtype.kind in "iu" and part.dtype.itemsize <= 2:
            return np.ascontiguousarray(part, np.uint16 if part.dtype == np.uint16 else np.int16)
        out = np.empty(part.shape, np.float32)
        for target, source in zip(out, part, strict=True):  # so that float64 stays small
            target[...] = source * np.float64(self.slope) + self.intercept
        return out


def form_of(data: bytes) -> str:
    """NIFTI, NRRD or METAIMAGE, packed by gzip or not; "" for anything else.

    Raises:
        UnreadableScan: for one half of a NIfTI or Analyze file in two.
    """
    head = data[:4096]
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(31).decompress(data[: 1 << 16], 4096)
        except zlib.error:
            return ""
    if head[:4] == b"NRRD":
        return NRRD
    if head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0":
        return NIFTI
    if head[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c") and len(head) >= 348:
        raise UnreadableScan(
            "This is a NIfTI or Analyze header whose voxels stand in another file; save both as one .nii file."
        )
    return METAIMAGE if is_metaimage(head) else ""


def read_volume_file(data: bytes, raw: bytes | None = None) -> Volume:
    """The volume in a NIfTI, NRRD or MetaImage file.

    Args:
        raw: the voxels that a .mhd header keeps in another file.

    Raises:
        UnreadableScan: for more than may be opened or for what is no volume; otherwise whatever a damaged field leads
            a reader to raise.
    """
    form = form_of(data)
    if form == NIFTI:
        return _nifti(data)
    if form == NRRD:
        return _of_itk(read_itk(nrrd_in_one(data), "nrrd"))
    if form == METAIMAGE:
        return _of_itk(read_itk(metaimage_in_one(data, raw), "mha"))
    raise UnreadableScan("This is no NIfTI, NRRD or MetaImage file.")


def _nifti(data: bytes) -> Volume:
    packed = data.startswith(b"\x1f\x8b")
    file = gzip.GzipFile(fileobj=io.BytesIO(data)) if packed else io.BytesIO(data)
    head = file.read(544)
    kind = Nifti2Header if head[4:8] == b"n+2\0" else Nifti1Header
    header = kind.from_fileobj(io.BytesIO(head), check=False)
    shape = tuple(int(side) for side in header.get_data_shape())
    if len(shape) < 3:
        raise UnreadableScan(f"The NIfTI file holds no volume: its size is {' x '.join(map(str, shape))}.")
    if any(side != 1 for side in shape[3:]):
        raise UnreadableScan(
            f"The NIfTI file holds {math.prod(shape[3:])} volumes, of several times or directions;"
            " save one of them by itself."
        )
    shape = shape[:3]
    bounds.check_size(shape[1], shape[0], shape[2], limit=bounds.VOLUME_VOXELS)
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnreadableScan(
            f"The NIfTI file's voxels are stored as {dtype}, which is not read here; save them as numbers."
        )
    start, size = int(header.get_data_offset()), math.prod(shape) * dtype.itemsize
    if not len(head) - 196 <= start <= bounds.MEGA or start + size > bounds.VOLUME_BYTES:
        raise UnreadableScan(
            f"The NIfTI file unfolds into {size / 1e6:.0f} million bytes; the limit is"
            f" {bounds.VOLUME_BYTES / 1e6:.0f} million: save it as 16-bit whole numbers, or a part of it."
        )
    if packed:
        file.seek(0)
        try:
            whole = file.read(start + size)
        except (EOFError, OSError, zlib.error) as error:
            raise UnreadableScan("The file's compressed part is damaged or cut off; send the whole file.") from error
    else:
        whole = data
    if len(whole) < start + size:
        raise UnreadableScan(
            f"The volume is cut off: {max(len(whole) - start, 0)} of {size} bytes are there; send the whole file."
        )
    stored = np.frombuffer(whole, dtype, math.prod(shape), start).reshape(shape, order="F")
    slope, intercept = header.get_slope_inter()
    slope, intercept = (1.0 if slope is None else float(slope)), (0.0 if intercept is None else float(intercept))
    known = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    unit = MILLIMETRES.get(str(header.get_xyzt_units()[0]), 1.0)
    affine = np.diag([unit, unit, unit, 1.0]) @ header.get_best_affine()
    remarks = () if known else (SIDES_UNKNOWN,)
    return _turned(stored, slope, intercept, LPS_OF_RAS @ affine, known, remarks)


def _of_itk(volume: ItkVolume) -> Volume:
    remarks = () if volume.oriented else (SIDES_UNKNOWN,)
    turned = _turned(volume.stored, 1.0, 0.0, volume.affine, volume.oriented, remarks)
    return replace(turned, owner=volume.owner)


def _turned(
    stored: np.ndarray, slope: float, intercept: float, affine: np.ndarray, known: bool, remarks: tuple[str, ...]
) -> Volume:
    """Axes (i, j, k) of a file turned to (slice, row, column) of LPS.

    Args:
        stored: (I, J, K).
        affine: (4, 4) from (i, j, k, 1) to millimetres (LPS).
        known: whether the affine is the patient's; if not, it gives the spacing and a start only.
    """
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or lengths.min() <= 0 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        return Volume(
            stored.transpose(2, 1, 0), slope, intercept, remarks=("the file does not say how its voxels lie",)
        )
    current = orientations.io_orientation(LPS_OF_RAS @ affine)
    turn = orientations.ornt_transform(current, orientations.axcodes2ornt("LPS"))
    turned = orientations.apply_orientation(stored, turn)  # flips and swaps: a view
    affine = affine @ orientations.inv_ornt_aff(turn, stored.shape)
    affine = np.ascontiguousarray(affine[:, [2, 1, 0, 3]])
    spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist())
    return Volume(turned.transpose(2, 1, 0), slope, intercept, affine if known else None, spacing, tuple(remarks))


def looks_like_ct(values: np.ndarray) -> bool:
    """Whether values of an unknown kind lie as those of a CT do: whole numbers, air and tissue among them.

    Args:
        values: (n,) a sample of a volume.
    """
    if not len(values) or (values != np.rint(values)).any():
        return False
    return all(float(((values >= low) & (values <= high)).mean()) >= SHARE_OF_CT for low, high in (AIR, TISSUE))
