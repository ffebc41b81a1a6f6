"""Promises of what a drop becomes: slices of one series are one scan, and everything else is as many scans as files."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from engine.scan import bounds
from engine.scan.bundles import bundles
from pages.components import open_scans, reading
from pages.components.shelf import Shelf
from server.settings import MEGABYTE, Settings
from server.uploads import FILES
from tests.places import ROOT
from tests.scan.files import body, dicom, png
from tests.scan.series_files import SAGITTAL, ct_slice, head, series, shuffled
from tests.scan.test_archive import zipped
from tests.scan.test_volume_files import metaimage, nifti, turned

HEAD = head()


def read(*files):
    """(the shelf, the entry of each file) once all are read."""
    shelf = Shelf(None)
    entries = reading.take(
        shelf, [(f"{place}.dcm", one) if isinstance(one, bytes) else one for place, one in enumerate(files)]
    )
    for entry in entries:
        assert entry.done.wait(120)
    return shelf, entries


@pytest.mark.parametrize(
    "files",
    [lambda: shuffled(series(HEAD)), lambda: [zipped({f"IM{k}": one for k, one in enumerate(shuffled(series(HEAD)))})]],
)
def test_the_slices_of_a_series_are_one_entry(files):
    shelf, entries = read(*files())
    (entry,) = shelf.entries.values()
    assert set(entries) == {entry} and entry.state in ("open", "waiting")
    assert entry.name == "CT 1"
    opened = entry.opened()
    assert opened.slices == 12 and np.array_equal(opened.scan.pixels, HEAD)


def test_films_beside_a_series_keep_their_own_entries():
    shelf, entries = read(dicom(body()), *series(HEAD), png(body(50, 60).astype(np.uint16)))
    assert len(entries) == 14 and [entry.opened().slices for entry in shelf.entries.values()] == [1, 12, 1]


def test_several_series_are_several_entries_and_it_is_said():
    shelf, entries = read(*series(HEAD), *series(HEAD + 3, SeriesInstanceUID="1.2.9"))
    assert [entry.opened().slices for entry in shelf.entries.values()] == [12, 12]
    assert "2 series" in entries[0].notes[0]


def test_a_volume_and_a_header_with_its_voxels_are_one_entry_each():
    header, voxels = metaimage(*turned((2, 1, 0), (1, 1, 1)), file="head.raw")
    array, affine = turned((2, 1, 0), (1, -1, 1))
    shelf, entries = read(("a.nii", nifti(array + 9, affine)), ("head.raw", voxels), ("head.mhd", header))
    assert entries[1] is entries[2] and entries[0] is not entries[1]
    assert [entry.opened().slices for entry in shelf.entries.values()] == [18, 18]


def test_what_cannot_be_read_says_why():
    _, entries = read(zipped({"../x": b"x"}))
    assert "outside" in entries[0].reason


def test_only_slices_are_bundled():
    sagittal = ct_slice(HEAD[0], (0, 0, 0), SAGITTAL)
    files = [("a", dicom(body())), ("b", series(HEAD)[0]), ("c", b"x"), ("d", sagittal)]
    assert bundles(files) == [[0], [1, 3], [2]]
    assert bundles(files[:3]) == [[0], [1], [2]]


def test_a_run_that_is_stopped_on_its_way_takes_no_file_twice(monkeypatch):
    mine, belongings = Shelf(None), {}
    monkeypatch.setattr(open_scans.shelf, "mine", lambda: mine)
    monkeypatch.setattr(open_scans.sessions, "belongings", lambda: belongings)
    drop = {str(place): (f"{place}.dcm", one) for place, one in enumerate([dicom(body()), *series(HEAD)])}
    first = open_scans.take(drop)
    assert open_scans.take(drop) == first and len(mine.entries) == 2
    assert open_scans.take({"new": ("x.dcm", dicom(body(50, 60)))})[0] not in first


def test_the_server_takes_a_file_as_large_as_a_volume_may_be():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    largest = settings["server"]["maxUploadSize"] << 20
    assert largest == bounds.VOLUME_FILE_BYTES <= Settings().upload_megabytes * MEGABYTE
    assert FILES >= 1000


def test_files_with_the_pixels_of_a_scan_that_is_open_are_said_to_be_listed_once():
    from pages.components.open_scans import said_of_same
    from pages.components.shelf import Entry

    listed = {name: Entry(name, f"Scan {name}") for name in "abcde"}
    again = [Entry(f"x{name}", f"Scan x{name}", same_as=name) for name in "abcde"]
    assert said_of_same([], listed) == []
    (one,) = said_of_same(again[:1], listed)
    assert one == "One file has the same pixels as Scan a, which is open already; it is listed once."
    (all_of_them,) = said_of_same(again, listed)
    assert all_of_them.startswith("5 files have the same pixels as Scan a, Scan b, Scan c and others, open already")
    (gone,) = said_of_same(again[:1], {})
    assert "a scan that was closed" in gone
