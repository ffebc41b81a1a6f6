"""LIDC in its public layout: the right slice, in pixels of 1 mm, with the nodule where it was outlined."""

import numpy as np
import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.lidc import LIDC
from engine.datasets.nodule_crops import PAD_MM
from tests.datasets.lidc_small import SLICE, SPACING, disc, write_annotations
from tests.scan.series_files import ct_slice

SIDE = 128  # pixels of a slice


def write_lidc(root, patients=12, noise=5):
    """A folder a patient, with three slices; the nodule is solid on the middle one only."""
    write_annotations(root, patients, SIDE)
    random = np.random.default_rng(0)
    for n in range(patients):
        folder = root / "LIDC-IDRI" / f"LIDC-IDRI-{n:04d}" / f"1.{n}" / f"1.{n}.3"
        folder.mkdir(parents=True)
        for place, z in enumerate((-SLICE, 0.0, SLICE)):
            hu = -860 + random.normal(0, noise, (SIDE, SIDE))
            if z == 0.0:
                y, x = np.mgrid[:SIDE, :SIDE]
                hu[np.hypot(x - SIDE * 0.4, y - SIDE * 0.5) < 8 + 4 * (n % 2)] = 40
            data = ct_slice(
                hu.round(),
                (0.0, 0.0, z),
                PixelSpacing=[SPACING, SPACING],
                SeriesInstanceUID=f"1.{n}.3",
                StudyInstanceUID=f"1.{n}",
                InstanceNumber=place + 1,
            )
            (folder / f"{3 - place:06d}.dcm").write_bytes(data)  # file names are not in slice order
    (root / "LIDC-IDRI" / "LICENSE.dcm").write_text("no picture")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("lidc")
    write_lidc(root)
    return root


@pytest.fixture(scope="module")
def collection(root):
    return LIDC(root)


def test_the_middle_slice_is_read_in_hounsfield_units(collection):
    for index in (0, 1):
        picture, outline = collection.image(index), collection.outline(index)
        assert np.median(picture[outline]) > 0 and picture.min() >= -1000


def test_pixels_are_of_one_millimetre(collection):
    radius = np.sqrt(collection.outline(1).sum() / np.pi)
    assert radius == pytest.approx((12 + 0.5) * SPACING, rel=0.08)  # two readers, one a pixel wider
    rows = np.flatnonzero(collection.outline(1).any(1))
    assert len(collection.image(1)) == pytest.approx(len(rows) + 2 * PAD_MM, abs=1)


def test_ratings_and_parts_are_those_of_the_annotations(collection):
    assert len(collection) == 12 and collection.labels[:, 0].tolist() == [0, 1] * 6
    assert collection.concept_labels[1].tolist() == [1, 1, 1, 1, 1, 0]
    assert len({*collection.patients}) == 12 and not collection.has_counterfactuals


def test_every_nodule_has_a_region_and_the_symbol_keeps_off_it(root):
    marked = LIDC(root, symbol="plus_minus")
    region, symbol = marked.marked_region(0, 64), marked.symbol_mask(0, 64)
    assert region.any() and symbol.any() and not (region & symbol).any()
    assert (marked.image(0, 64) != LIDC(root).image(0, 64))[~symbol].sum() == 0


def test_only_scans_that_are_there_take_part(root, tmp_path):
    write_annotations(tmp_path, 12, SIDE)
    with pytest.raises(UnusableCollection, match="no scan of LIDC-IDRI"):
        LIDC(tmp_path)
    (tmp_path / "one").symlink_to(root / "LIDC-IDRI" / "LIDC-IDRI-0003")
    folder = tmp_path / "LIDC-IDRI-0003" / "study" / "series"
    folder.mkdir(parents=True)
    for path in (root / "LIDC-IDRI" / "LIDC-IDRI-0003").rglob("*.dcm"):
        (folder / path.name).write_bytes(path.read_bytes())
    assert LIDC(tmp_path).patients.tolist() == ["LIDC-IDRI-0003"]


def test_a_missing_slice_is_named(root, tmp_path):
    write_annotations(tmp_path, 12, SIDE)
    folder = tmp_path / "s"
    folder.mkdir()
    away = ct_slice(np.zeros((SIDE, SIDE)), (0, 0, 900.0), SeriesInstanceUID="1.1.3", StudyInstanceUID="1.1")
    (folder / "a.dcm").write_bytes(away)
    with pytest.raises(UnusableCollection, match="no slice at 0 mm"):
        LIDC(tmp_path).image(0)


def test_another_nodule_is_kept_out_of_the_crop_where_that_can_be(root, collection, monkeypatch):
    import engine.datasets.lidc as lidc

    shown = []
    real = lidc.square
    monkeypatch.setattr(lidc, "square", lambda *given: shown.append(given) or real(*given))
    nodule = collection.nodules[1]
    beside = type(nodule)(**{**vars(nodule), "readings": tuple(moved(r) for r in nodule.readings)})
    monkeypatch.setattr(collection, "_all", [nodule, beside])
    collection._crop(1)
    overlaps = [int(real(*given).sum()) for given in shown[:-2]]
    chosen = int(real(shown[0][0], *shown[-1][1:3], False).sum())
    assert len(overlaps) == lidc.TRIES and chosen == min(overlaps) < max(overlaps)


def moved(reading):
    """The same reading 45 pixels to the right."""
    contours = [
        type(c)(c.z_mm, (disc(SIDE * 0.4 + 45, SIDE * 0.5, 6)).astype(np.float32), True) for c in reading.contours
    ]
    return type(reading)(reading.ratings, tuple(contours))
