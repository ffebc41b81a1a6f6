"""make bench-volumes: 1000 CT slices of 512 x 512 are opened, in each form that a volume comes in.

Prints seconds and the most memory that all processes had together, the file's own bytes included, beside what is
wanted. Memory is the proportional share (PSS) of this process and its workers. Linux only.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from engine.scan import read_scans  # noqa: E402
from tests.scan.series_files import enhanced, series  # noqa: E402
from tools.processes import family  # noqa: E402

WANTED = 3000  # megabytes
SIDE = 512


def voxels(slices: int) -> np.ndarray:
    """(S, H, W) int16 Hounsfield units, hard to compress, each slice unlike the others."""
    plane = np.random.default_rng(0).integers(-1000, 1500, (SIDE, SIDE)).astype(np.int16)
    return np.stack([np.roll(plane, 7 * place) for place in range(slices)])


def zipped(volume: np.ndarray) -> bytes:
    """A zip of one DICOM file a slice."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for place in np.random.default_rng(1).permutation(len(volume)):
            (data,) = series(volume[place : place + 1], start=(0, 0, float(place)))
            archive.writestr(f"{place}.dcm", data)
    return out.getvalue()


def nifti(volume: np.ndarray) -> bytes:
    """NIfTI, not compressed."""
    return nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.diag([0.7, 0.7, 1.0, 1.0])).to_bytes()


def multi_frame(volume: np.ndarray) -> bytes:
    """One enhanced CT file, its frames from the far end."""
    return enhanced(volume, list(range(len(volume)))[::-1])


def metaimage(volume: np.ndarray) -> bytes:
    """MetaImage with its voxels in the same file."""
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 0.7 0.7 1\n"
        f"DimSize = {SIDE} {SIDE} {len(volume)}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    return header.encode() + volume.astype("<i2").tobytes()


FORMS: dict[str, Callable[[np.ndarray], bytes]] = {
    "zip of DICOM": zipped,
    "multi-frame DICOM": multi_frame,
    "NIfTI": nifti,
    "MetaImage": metaimage,
}


class Memory:
    """The most that this process and its descendants have together while it is entered; a context manager.

    Attributes:
        most: megabytes.
    """

    def __init__(self):
        self.most, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(0.03):
            self.most = max(self.most, sum(map(_share, family(os.getpid()))) / 1000)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()


def _share(process: int) -> int:
    """Kilobytes."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> int:
    """The table; 1 where more memory was taken than is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--form", choices=[*FORMS], action="append", help="again for each; all when not given")
    args = parser.parse_args()
    print(f"{'form':<20}{'file MB':>9}{'seconds':>9}{'most MB':>9}{'wanted':>9}")
    over = False
    for form in args.form or FORMS:
        data = FORMS[form](voxels(args.slices))
        start = time.perf_counter()
        with Memory() as memory:
            (scan,) = read_scans(data).scans
        seconds = time.perf_counter() - start
        if scan.pixels.shape != (args.slices, SIDE, SIDE):
            raise SystemExit(f"{form} gave {scan.pixels.shape}")
        over |= memory.most > WANTED
        print(f"{form:<20}{len(data) / 1e6:>9.0f}{seconds:>9.1f}{memory.most:>9.0f}{'< ' + str(WANTED):>9}", flush=True)
        del data, scan
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
