"""Open scans outlive the server in the folder for data, whole, within the retention, and nowhere else."""

import os
import stat
import time
from dataclasses import fields

import numpy as np
import pytest

from engine.scan import Scan
from pages.components import kept_scans
from pages.components.kept_scans import LOST, Keeper, folder_of
from pages.components.shelf import Entry, OpenScan, Shelves
from tests.export import results

KEY, HOUR = "the key of a browser", 3600.0
RNG = np.random.default_rng(5)


def entry(number, scan, source=None, **more):
    made = Entry(f"scan {number}", f"Radiograph {number}", source=source, drop=1, **more)
    made.open(OpenScan(made.name, scan))
    made.pack()
    made.done.set()
    return made


def shelves_of(folder, retention=HOUR, limit=1e9):
    """(shelves, their keeper) of a server that has just been started; nothing runs but what is called."""
    shelves = Shelves(limit, retention)
    keeper = Keeper(folder / "scans", shelves)
    keeper._thread = object()  # looks are made by hand
    return shelves, keeper


def came_back(folder, **more):
    shelves, keeper = shelves_of(folder, **more)
    shelf = shelves.of(KEY, "another session")
    for one in shelf.entries.values():
        assert one.done.wait(20)
    return shelves, keeper, shelf


@pytest.fixture
def kept(tmp_path):
    shelves, keeper = shelves_of(tmp_path)
    shelf = shelves.of(KEY, "a session")
    film, source = results.opened(results.radiograph())
    volume = Scan.of(
        RNG.integers(-1024, 3000, (4, 20, 22)), "CT", (2.0, 0.5, 0.5), remarks=["tilted"], tags={"Modality": "CT"}
    )
    fractions = Scan.of(RNG.random((30, 40)), "unknown")
    shelf.add(entry(1, film, source, label="left lung", exported=True))
    shelf.add(entry(2, volume, disagreement=0.25))
    shelf.add(entry(3, fractions, notes=("one note",)))
    shelf.add(Entry("scan 4", "Scan 4", reason="refused"))
    shelf.taken, shelf.drops, shelf.started, shelf.chosen = 4, 1, True, "scan 2"
    shelf.blind, shelf.seen = True, {film.sha256}
    keeper.look()
    return tmp_path, shelf, (film, volume, fractions), source


def test_a_server_that_was_started_anew_has_every_scan_again(kept):
    folder, before, scans, source = kept
    _, _, shelf = came_back(folder)
    assert list(shelf.entries) == ["scan 1", "scan 2", "scan 3"]
    assert (shelf.taken, shelf.drops, shelf.started, shelf.chosen) == (4, 1, True, "scan 2")
    assert shelf.blind and shelf.seen == {scans[0].sha256}
    for one, scan in zip(shelf.entries.values(), scans, strict=True):
        was, back = before.entries[one.id], one.opened().scan
        for name in ("name", "label", "notes", "drop", "exported", "disagreement"):
            assert getattr(one, name) == getattr(was, name), name
        assert one.thumbnail == was.thumbnail
        for field in fields(scan):
            a, b = getattr(scan, field.name), getattr(back, field.name)
            assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name
    again = shelf.entries["scan 1"].source
    assert [(dict(one.header), one.frame) for one in again.slices] == [
        (dict(one.header), one.frame) for one in source.slices
    ]


def test_only_its_owner_reads_it_and_no_key_or_name_of_a_file_is_in_it(kept):
    folder = kept[0]
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert len(paths) == 4 and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths)
    assert all(stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0 for path in paths)
    assert not [path for path in paths if KEY.encode() in path.read_bytes() or KEY in str(path)]


def test_another_browser_finds_nothing_of_it(kept):
    shelves, _ = shelves_of(kept[0])
    assert not shelves.of("another key", "a session").entries
    assert not shelves.of(None, "no cookies").kept_as


def test_what_is_closed_is_gone_from_the_disk_and_a_new_label_is_kept(kept):
    folder = kept[0]
    _, keeper, shelf = came_back(folder)
    gone = shelf.entries["scan 2"].sha256
    shelf.remove("scan 2")
    shelf.entries["scan 3"].label = "right"
    keeper.look()
    assert not list(folder.rglob(f"{gone}.scan"))
    _, _, shelf = came_back(folder)
    assert {one.id: one.title for one in shelf.entries.values()} == {"scan 1": "left lung", "scan 3": "right"}


def test_after_the_retention_nothing_is_left_and_before_it_everything(kept):
    folder = kept[0]
    (where,) = (folder / "scans").iterdir()
    shelves, keeper = shelves_of(folder)
    keeper.look()
    assert where.exists()
    old = time.time() - HOUR - 5
    os.utime(where / "list.json", (old, old))
    assert not shelves.of(KEY, "late").entries and not where.exists()
    _, keeper, shelf = came_back(folder)
    shelf.add(entry(9, kept[2][0]))
    keeper.look()
    os.utime(where / "list.json", (old, old))
    shelves, keeper = shelves_of(folder)
    keeper.look()
    assert not where.exists()


def test_while_a_reader_is_there_the_time_does_not_run(kept):
    folder, _, _, _ = kept
    _, keeper, _ = came_back(folder)
    keeper.look()
    (where,) = (folder / "scans").iterdir()
    old = time.time() - HOUR + 60
    os.utime(where / "list.json", (old, old))
    keeper._touched.clear()
    keeper.look()
    assert time.time() - (where / "list.json").stat().st_mtime < 60


@pytest.mark.parametrize("damage", ["cut off", "other values", "gone", "no header"])
def test_a_damaged_file_costs_that_scan_only_and_is_said(kept, damage):
    folder, before, _, _ = kept
    file = next(folder.rglob(f"{before.entries['scan 1'].sha256}.scan"))
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"cut off": data[:-40], "other values": data[:-2] + b"zz", "no header": b"\xff" * 50}[damage])
    _, _, shelf = came_back(folder)
    assert shelf.entries["scan 1"].reason == LOST
    assert all(shelf.entries[f"scan {number}"].packed is not None for number in (2, 3))


def test_a_list_that_is_none_opens_nothing_and_stops_nobody(kept):
    folder = kept[0]
    next(folder.rglob("list.json")).write_text('{"entries": [{}]}')
    _, _, shelf = came_back(folder)
    assert not shelf.entries and not shelf.started


def test_a_full_disk_is_said_and_what_was_kept_stays(kept, monkeypatch):
    folder = kept[0]
    _, keeper, shelf = came_back(folder)
    keeper.look()
    with monkeypatch.context() as full:
        full.setattr(kept_scans.os, "fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        shelf.add(entry(8, Scan.of(RNG.random((20, 20)), "unknown")))
        keeper.look()
        assert keeper.trouble == "No space left on device" and not list(folder.rglob(".*.part"))
    assert len(came_back(folder)[2].entries) == 3
    keeper.look()
    assert keeper.trouble == "" and len(came_back(folder)[2].entries) == 4


def test_without_the_folder_or_a_retention_nothing_is_kept(tmp_path, monkeypatch):
    assert kept_scans._of_environment({}) is None
    monkeypatch.setattr(kept_scans, "SHELVES", Shelves(1e9, 0))
    assert kept_scans._of_environment({"OTHERWISE_DATA": str(tmp_path)}) is None
    assert folder_of("a") != folder_of("b") and not list(tmp_path.iterdir())
