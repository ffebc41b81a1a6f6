"""COVID-CT-MD, as a sample and as the full download."""

from pathlib import Path

import numpy as np
import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.covid_ct_md import CovidCtMd
from tests.datasets.lidc_small import chest_pixels
from tests.places import REAL_SCANS
from tests.scan.files import dicom

REAL = REAL_SCANS / "covid_ct"
SLICES = 14


def write_series(folder: Path, patient: int) -> list[tuple[float, str]]:
    """Slices whose names are not in their order; height and name of each, from below."""
    folder.mkdir(parents=True)
    heights = [-300.0 + 2 * k for k in range(SLICES)]
    names = [f"x_{(5 * k) % SLICES}.dcm" for k in range(SLICES)]
    for k, (height, name) in enumerate(zip(heights, names, strict=True)):
        hu = chest_pixels(1, 100 * patient + k)[0]
        if k < 2 or k >= SLICES - 2:
            hu[:] = np.random.default_rng(k).integers(0, 80, hu.shape)  # above or below the lungs
        hu[0, 0] = k  # says which slice it is
        stored = dicom(
            (hu + 1024).astype(np.uint16),
            Modality="CT",
            RescaleSlope="1",
            RescaleIntercept="-1024",
            SliceLocation=str(height),
        )
        (folder / name).write_bytes(stored)
    return list(zip(heights, names, strict=True))


def write_sample(root: Path) -> None:
    rows = ["patient,diagnosis,slice_location,file,infection,LLL,LUL,RLL,RML,RUL"]
    for n in range(12):
        name, diagnosis = (f"P{n:03d}", "COVID-19") if n % 2 else (f"normal{n:03d}", "normal")
        for k, (height, file) in enumerate(write_series(root / name, n)):
            ill = int(bool(n % 2) and 4 <= k < 8)
            rows.append(f"{name},{diagnosis},{height},{file},{ill},{ill},0,0,0,{ill}")
    (root / "slices.csv").write_text("\n".join(rows) + "\n")


def write_full(root: Path) -> None:
    lines = ["Label Index,Diagnosis,Folder/ID,Relative Path"]
    labels, lobes = np.zeros((43, 20)), np.zeros((43, 20, 5))
    for number, name, folder in ((0, "P001", "COVID-19 Cases"), (43, "cap001", "Cap Cases")):
        write_series(root / folder / name, number)
        row = 42 if number == 43 else number
        labels[row, 5], lobes[row, 5, 2] = 1, 1
        lines.append(f"{number},{'CAP' if number else 'COVID-19'},{name},{folder.removesuffix(' Cases')}.")
    write_series(root / "Normal Cases" / "normal001", 7)
    (root / "Index.csv").write_text("\n".join(lines) + "\n")
    np.save(root / "Slice-level-labels.npy", labels)
    np.save(root / "Lobe-level-labels.npy", lobes)


def test_a_sample_is_read_by_height_and_not_by_name(tmp_path):
    write_sample(tmp_path)
    collection = CovidCtMd(tmp_path)
    ill = np.flatnonzero(collection.patients == "P001")
    assert [int(collection.image(int(i))[0, 0]) for i in ill] == list(range(SLICES))
    assert collection.labels[ill, 0].tolist() == [float(4 <= k < 8) for k in range(SLICES)]
    assert collection.attributes["lobes"][ill[5]] == "LLL RUL" and collection.attributes["lobes"][ill[0]] == ""
    assert [collection.position(int(i)) for i in ill] == [-1, -1, *range(10), -1, -1]
    lungs = collection.organ(int(ill[5]), 64)
    assert lungs.shape == (64, 64) and lungs[20, 14] and not lungs[30, 32]


def test_the_full_download_finds_its_labels_by_the_index(tmp_path):
    write_full(tmp_path)
    collection = CovidCtMd(tmp_path)
    assert sorted(set(collection.patients)) == ["P001", "cap001", "normal001"]
    for name in ("P001", "cap001"):
        mine = np.flatnonzero(collection.patients == name)
        assert np.flatnonzero(collection.labels[mine, 0]).tolist() == [5]
        assert collection.attributes["lobes"][mine[5]] == "RLL"
    assert not collection.labels[collection.patients == "normal001"].any()


@pytest.mark.parametrize("damage", ["no index", "labels are text", "a row that is not there", "no height"])
def test_a_folder_that_is_not_whole_is_refused_in_a_sentence(tmp_path, damage):
    write_full(tmp_path)
    if damage == "no index":
        (tmp_path / "Index.csv").unlink()
    elif damage == "labels are text":
        (tmp_path / "Slice-level-labels.npy").write_text("1,0")
    elif damage == "a row that is not there":
        np.save(tmp_path / "Slice-level-labels.npy", np.zeros((3, 20)))
    else:
        (tmp_path / "Cap Cases" / "cap001" / "x_0.dcm").write_bytes(b"\0" * 200)
    with pytest.raises(UnusableCollection):
        CovidCtMd(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/data/covid_ct")
def test_the_real_sample_has_its_labels():
    collection = CovidCtMd(REAL)
    assert len(collection) == 302 and collection.labels.sum() == 80
    index = int(np.flatnonzero(collection.labels[:, 0])[40])
    lungs = collection.organ(index)
    assert lungs.shape == (512, 512) and 0.1 < lungs.mean() < 0.4
    assert collection.image(index)[lungs].mean() < -600
