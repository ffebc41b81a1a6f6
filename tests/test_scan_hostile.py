"""Promises against hostile files: nothing but UnreadableScan comes out, soon, and without much memory."""

import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

from engine.scan import UnreadableScan, bounds, read_scan
from tests.scan_bombs import BOMBS, nested
from tests.scan_files import body, interlaced_png, picture, png, tiff

WHEEL = Path(pydicom.__file__).parent / "data" / "test_files"
SEEDS, MUTANTS = 8, 800  # files a seed
MOST_SECONDS, MOST_MB = 2.0, 1500
FLAT = body(40, 50, 255, np.uint8)
COLOUR = np.stack([FLAT, FLAT // 2, 255 - FLAT], -1)
PICTURES = [
    png(FLAT),
    png(body()),
    png(COLOUR),
    interlaced_png(FLAT),
    picture(FLAT, "JPEG"),
    picture(COLOUR, "JPEG", progressive=True),
    picture(FLAT, "TIFF", compression="tiff_lzw"),
    tiff(body(), order=">"),
    tiff(body(), body(), compression=8),
    tiff(COLOUR),
]
CHILD = """
import json, sys, time
from pathlib import Path
from engine.scan import UnreadableScan, read_scan
def highest_mb():  # of this program alone; ru_maxrss would count the tests that started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000
for path in sys.argv[1:]:
    data = Path(path).read_bytes()
    start = time.process_time()
    try:
        said = repr(read_scan(data).pixels.shape)
    except UnreadableScan as refusal:
        said = str(refusal)
    except BaseException as error:
        said = f"ESCAPED {error!r}"
    seconds = time.process_time() - start
    print(json.dumps([path, said, seconds, highest_mb()]), flush=True)
"""


def corpus() -> list[bytes]:
    """The small files of pydicom's wheel, one per encoding at least, and as many pictures again."""
    files = [path.read_bytes() for path in sorted(WHEEL.glob("*.dcm")) if path.stat().st_size < 40_000]
    return files + PICTURES * (len(files) // (2 * len(PICTURES)))


def mutant(files: list[bytes], chance: random.Random) -> bytes:
    """A file with flipped bytes, a false length, a piece cut, moved, doubled or put in from another file."""
    data = bytearray(chance.choice(files))
    reach = min(len(data), 1200) if chance.random() < 0.7 else len(data)  # most damage goes where the headers are

    def place() -> int:
        return chance.randrange(reach)

    kind = chance.randrange(6)
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            data[place()] = chance.randrange(256)
    elif kind == 1:
        data = data[: chance.randrange(len(data))]
    elif kind == 2:
        at, width = place(), chance.choice([2, 4])
        data[at : at + width] = chance.choice([b"\xff" * width, b"\0" * width, b"\x7f" * width, chance.randbytes(width)])
    elif kind == 3:
        other = chance.choice(files)
        data = data[: place()] + other[chance.randrange(len(other)) :]
    elif kind == 4:
        at, start = place(), place()
        data[at:at] = data[start : start + chance.randrange(64)]
    else:
        data[place()] ^= 1 << chance.randrange(8)
    return bytes(data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_mutated_file_gives_a_scan_or_one_sentence(seed):
    chance, files = random.Random(seed), corpus()
    read = 0
    for number in range(MUTANTS):
        data = mutant(files, chance)
        start = time.process_time()
        try:
            scan = read_scan(data)
            read += 1
            assert scan.pixels.dtype == np.float32 and np.isfinite(scan.pixels).all()
        except UnreadableScan as refusal:
            assert re.fullmatch(r"[^\n]{20,300}\.", str(refusal))
        except BaseException as error:
            pytest.fail(f"mutant {number} of seed {seed} let {error!r} escape")
        assert time.process_time() - start < MOST_SECONDS, f"mutant {number} of seed {seed}"
    assert 0.05 * MUTANTS < read < 0.95 * MUTANTS  # the mutations are neither fatal nor idle


def test_bombs_are_refused_soon_and_within_bounds(tmp_path):
    paths = []
    for number, (name, make) in enumerate(BOMBS.items()):
        paths.append(tmp_path / f"{number}-{name.replace(' ', '_')}")
        paths[-1].write_bytes(make())
    root = Path(__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0 and len(lines) == len(paths), f"the reader died at {paths[len(lines)].name}: {run.stderr[-500:]}"
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


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), KeyError("x"), SystemError("bad"), StopIteration(), AssertionError()])
def test_whatever_a_decoder_raises_becomes_one_sentence(error, monkeypatch):
    def fail(data):
        raise error

    monkeypatch.setattr("engine.scan.read_png", fail)
    with pytest.raises(UnreadableScan):
        read_scan(png(body()))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_person_who_stops_the_program_is_obeyed(error, monkeypatch):
    def fail(data):
        raise error

    monkeypatch.setattr("engine.scan.read_png", fail)
    with pytest.raises(error):
        read_scan(png(body()))
