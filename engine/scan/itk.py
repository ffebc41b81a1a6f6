"""NRRD and MetaImage by SimpleITK, whose own formats they are: from memory, and only after their size was looked at."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.scan import bounds
from engine.scan.record import UnreadableScan

IMAGE_IO = {"nrrd": "NrrdImageIO", "mha": "MetaImageIO"}


@dataclass(frozen=True)
class OneFile:
    """A file for ITK, in memory.

    Attributes:
        header: that points to no other file.
        voxels: what follows it.
        oriented: whether the header says where the axes point in the patient.
    """

    header: bytes
    voxels: memoryview
    oriented: bool


@dataclass(frozen=True)
class ItkVolume:
    """What ITK read.

    Attributes:
        stored: (I, J, K) voxels, the first axis as the file's fastest.
        affine: (4, 4) from (i, j, k, 1) to millimetres (LPS).
        oriented: see `OneFile`.
        owner: of the voxels' memory, to be kept as long as they are.
    """

    stored: np.ndarray
    affine: np.ndarray
    oriented: bool
    owner: object


def read_itk(file: OneFile, form: str) -> ItkVolume:
    """The volume in a file.

    Args:
        form: a key of IMAGE_IO.

    Raises:
        UnreadableScan: for more than may be opened, and for what is no volume of one value a voxel.
    """
    import SimpleITK as sitk  # large, and of no use to most scans

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    descriptor = os.memfd_create(form)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as memory:
            memory.write(file.header)
            memory.write(file.voxels)
        with tempfile.TemporaryDirectory() as folder:  # holds a link only: the scan itself is never on disk
            link = Path(folder) / f"volume.{form}"
            link.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
            reader = sitk.ImageFileReader()
            reader.SetImageIO(IMAGE_IO[form])
            reader.SetFileName(str(link))
            try:
                reader.ReadImageInformation()
                size = reader.GetSize()
                if len(size) != 3 or reader.GetNumberOfComponents() != 1:
                    raise UnreadableScan(
                        f"The file holds {len(size)} axes and {reader.GetNumberOfComponents()} values a voxel, not one"
                        " volume; save one volume by itself."
                    )
                bounds.check_size(size[1], size[0], size[2], limit=bounds.VOLUME_VOXELS)
                image = reader.Execute()
            except RuntimeError as error:  # how ITK reports whatever is wrong
                raise UnreadableScan(
                    "The volume is damaged or cut off and cannot be decoded; save it again."
                ) from error
    finally:
        os.close(descriptor)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    stored = sitk.GetArrayViewFromImage(image).transpose(2, 1, 0)  # of the image's own memory
    if stored.dtype.kind not in "iuf":
        raise UnreadableScan(
            f"The volume's voxels are stored as {stored.dtype}, which is not read here; save them as numbers."
        )
    return ItkVolume(stored, affine, file.oriented, image)
