"""Promises against hostile files: nothing but UnreadableScan comes out, soon, and without much memory."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless

from engine.scan import UnreadableScan, bounds, read_scan, read_scan_in_process
from tests.places import ROOT
from tests.scan.bombs import BOMBS, coded, codestream, nested
from tests.scan.files import body, png
from tests.scan.picture_files import PICTURES
from tools.fuzz_scans import FuzzWorker, corpus, mutants

WHEEL = Path(pydicom.__file__).parent / "data" / "test_files"
SEEDS, MUTANTS = 8, 760  # files a seed
MOST_SECONDS, MOST_MB = 2.0, 1500
CHILD = """
import json, sys, time
from pathlib import Path
from engine.scan import UnreadableScan, read_scan_in_process
def highest_mb():  # of this program alone; ru_maxrss would count the tests that started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000
for path in sys.argv[1:]:
    data = Path(path).read_bytes()
    start = time.process_time()
    try:
        said = repr(read_scan_in_process(data).pixels.shape)
    except UnreadableScan as refusal:
        said = str(refusal)
    except BaseException as error:
        said = f"ESCAPED {error!r}"
    seconds = time.process_time() - start
    print(json.dumps([path, said, seconds, highest_mb()]), flush=True)
"""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_mutated_file_gives_a_scan_or_one_sentence(seed):
    ask, came, files = FuzzWorker(), Counter(), corpus()
    for number, data in enumerate(mutants(seed, MUTANTS, files, PICTURES)):
        said = ask(data)
        assert said in ("read", "refused"), f"mutant {number} of seed {seed}: {said}"
        came[said] += 1
    ask.close()
    assert 0.05 * MUTANTS < came["read"] < 0.95 * MUTANTS  # the mutations are neither fatal nor idle


def test_the_corpus_holds_every_file_of_the_wheel_under_8_MB():
    held = {hashlib.sha256(data).digest() for data in corpus()}
    paths = [path for path in WHEEL.rglob("*.dcm") if path.stat().st_size < 8_000_000]
    assert len(paths) >= 70 and all(hashlib.sha256(path.read_bytes()).digest() in held for path in paths)


def test_bombs_are_refused_soon_and_within_bounds(tmp_path):
    paths = []
    for number, (name, make) in enumerate(BOMBS.items()):
        paths.append(tmp_path / f"{number}-{name.replace(' ', '_')}")
        paths[-1].write_bytes(make())
    run = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0 and len(lines) == len(paths), (
        f"the reader died at {paths[len(lines)].name}: {run.stderr[-500:]}"
    )
    for path, said, seconds, megabytes in lines:
        name = Path(path).name
        let_in = "let_in" in name or "known_length" in name or "4_GB" in name
        assert said.startswith("(") == let_in, f"{name}: {said}"
        assert not said.startswith("ESCAPED"), f"{name}: {said}"
        assert seconds < MOST_SECONDS, f"{name} took {seconds:.1f} s"
        assert megabytes < MOST_MB, f"{name} took {megabytes:.0f} MB"


@pytest.mark.parametrize("depth", [400, 5000])
def test_deep_nesting_is_called_by_its_name(depth):
    with pytest.raises(UnreadableScan, match="nested too deeply"):
        read_scan(nested(depth, defined=False))


def test_a_few_levels_of_nesting_do_no_harm():
    assert read_scan(nested(20, defined=False)).sha256 == read_scan(nested(20, defined=True)).sha256


def test_a_file_above_the_limit_is_refused_before_it_is_looked_at(monkeypatch):
    monkeypatch.setattr(bounds, "FILE_BYTES", 1000)
    with pytest.raises(UnreadableScan, match="limit"):
        read_scan(png(body()))


@pytest.mark.parametrize(
    "error", [RecursionError(), MemoryError(), KeyError("x"), SystemError("bad"), StopIteration(), AssertionError()]
)
def test_whatever_a_decoder_raises_becomes_one_sentence(error, monkeypatch):
    def fail(data):
        raise error

    monkeypatch.setattr("engine.scan.one_file.read_png", fail)
    with pytest.raises(UnreadableScan):
        read_scan_in_process(png(body()))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_person_who_stops_the_program_is_obeyed(error, monkeypatch):
    def fail(data):
        raise error

    monkeypatch.setattr("engine.scan.one_file.read_png", fail)
    with pytest.raises(error):
        read_scan_in_process(png(body()))


def jp2(*boxes: bytes) -> bytes:
    """A DICOM file with a JPEG 2000 picture in the boxes of a JP2 file."""
    return coded(struct.pack(">I4sI", 12, b"jP  ", 0x0D0A870A) + b"".join(boxes), JPEG2000Lossless)


def box(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    return struct.pack(">I4s", len(data) + 8 if length is None else length, kind) + data


CODED = codestream(40, 50, 50)[:-100_002]  # without the zeros that make it a bomb


@pytest.mark.parametrize("length", [0, 1, 7, 9, 1 << 30])
def test_a_ring_of_boxes_is_refused_at_once(length):
    """pydicom walks boxes by their lengths and stays where it is at a length of 0."""
    data = jp2(box(b"ftyp", b"jp2 ", length), box(b"jp2c", CODED))
    started = time.process_time()
    with pytest.raises(UnreadableScan, match="no header that could be read"):
        read_scan_in_process(data)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("length", [None, 0])
def test_a_codestream_behind_other_boxes_is_found(length):
    """A length of 0 says that the last box, the codestream's, goes to the end; what is said to be in it is looked for
    in the tiles then.
    """
    boxes = [box(b"ftyp", b"jp2 \0\0\0\0jp2 "), box(b"jp2h", bytes(40) + b"\xff\x4f\xff\x51" + bytes(40))]
    with pytest.raises(UnreadableScan, match="cannot be decoded"):  # its tile is empty
        read_scan_in_process(jp2(*boxes, box(b"jp2c", CODED, length)))
    with pytest.raises(UnreadableScan, match="60 x 40"):
        read_scan_in_process(jp2(*boxes, box(b"jp2c", codestream(40, 60, 60), length)))


def test_a_decoder_that_never_ends_is_ended_after_two_seconds_of_processor(monkeypatch):
    monkeypatch.setattr("engine.scan.DECODED", "tests.worker.jobs:spins")
    with pytest.raises(UnreadableScan, match="longer than the 2 seconds of processor time"):
        read_scan(png(body()))


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("crashes", "makes its decoder crash"),
        ("is_killed", "short of memory"),
        ("hoards", "more memory"),
        ("unfolds", "unfolds"),
    ],
)
def test_a_decoder_that_crashes_or_takes_all_gets_one_sentence(job, words, monkeypatch):
    monkeypatch.setattr("engine.scan.DECODED", f"tests.worker.jobs:{job}")
    with pytest.raises(UnreadableScan, match=words):
        read_scan(png(body()))


def test_a_scan_is_the_same_from_a_worker_as_from_here():
    ours, theirs = read_scan(png(body())), read_scan_in_process(png(body()))
    assert {name: repr(value) for name, value in vars(ours).items()} == {
        name: repr(value) for name, value in vars(theirs).items()
    }
    assert ours.sha256 == theirs.sha256 and (ours.pixels == theirs.pixels).all() and not ours.pixels.flags.writeable
