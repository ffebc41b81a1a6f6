"""Damaged scans by the thousand against the decoders: make fuzz, or python -m tools.fuzz_scans --count 60000 --seed 0.

Every DICOM file under 8 MB of pydicom and pydicom-data is damaged, and pictures made for it. Each mutant must give a
scan or one sentence, in two seconds of processor a frame, and crash nothing. Those that do not are kept in a folder,
and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from tqdm import tqdm

from engine.scan import LIMITS, UnreadableScan, read_scan_in_process
from engine.worker import Worker, WorkerError

LARGEST = 8_000_000  # bytes of a file that is damaged
SMALL = 50_000  # bytes; larger ones are taken more seldom, since each takes longer
KINDS = 6  # of damage


def corpus() -> list[bytes]:
    """Every file under `LARGEST` of pydicom's wheel and of pydicom-data, where that is installed."""
    extra = importlib.util.find_spec("data_store")  # the module of the package pydicom-data
    folders = [
        Path(pydicom.__file__).parent / "data" / "test_files",
        *([Path(extra.origin).parent / "data"] if extra else []),
    ]
    paths = [path for folder in folders for path in sorted(folder.rglob("*.dcm"))]
    return [path.read_bytes() for path in paths if path.stat().st_size < LARGEST]


def mutants(seed: int, count: int, files: list[bytes], pictures: list[bytes]) -> Iterator[bytes]:
    """`count` damaged files: each file once as long as they suffice, then small ones most often, and pictures a third
    of the time.
    """
    chance = random.Random(seed)
    order = chance.sample(files, len(files)) if count > 4 * len(files) else []
    weights = [1 / (SMALL + len(data)) for data in files]
    for number in range(count):
        if number < len(order):
            data = order[number]
        elif pictures and chance.random() < 1 / 3:
            data = chance.choice(pictures)
        else:
            (data,) = chance.choices(files, weights)
        yield damaged(data, files + pictures, chance)


def damaged(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """`data` with flipped bytes, a false length, a piece cut, moved, doubled or put in from another file."""
    data = bytearray(data)
    limit = min(len(data), 1200) if chance.random() < 0.7 else len(data)  # most damage goes where the headers are

    def place() -> int:
        return chance.randrange(limit)

    kind = chance.randrange(KINDS)
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            data[place()] = chance.randrange(256)
    elif kind == 1:
        data = data[: chance.randrange(len(data))]
    elif kind == 2:
        at, width = place(), chance.choice([2, 4])
        data[at : at + width] = chance.choice(
            [b"\xff" * width, b"\0" * width, b"\x7f" * width, chance.randbytes(width)]
        )
    elif kind == 3:
        other = chance.choice(others)
        data = data[: place()] + other[chance.randrange(len(other)) :]
    elif kind == 4:
        at, start = place(), place()
        data[at:at] = data[start : start + chance.randrange(64)]
    else:
        data[place()] ^= 1 << chance.randrange(8)
    return bytes(data)


def judged(data: bytes) -> str:
    """In a worker: "read", "refused", or what is wrong with the answer."""
    warnings.simplefilter("ignore")
    try:
        scan = read_scan_in_process(data)
    except UnreadableScan as refusal:
        return (
            "refused"
            if re.fullmatch(r"[^\n]{20,300}\.", str(refusal))
            else f"a refusal that is no sentence: {refusal!r}"
        )
    except BaseException as error:
        return f"an error escaped: {error!r}"
    return (
        "read"
        if scan.pixels.dtype == np.float32 and np.isfinite(scan.pixels).all()
        else "a scan of what is no finite number"
    )


class FuzzWorker:
    """One worker for many mutants, replaced when it dies."""

    def __init__(self):
        self._worker: Worker | None = None

    def __call__(self, data: bytes) -> str:
        """As `judged`, or the limit that was exceeded, or how it crashed."""
        if self._worker is None or self._worker.gone:
            self._worker = Worker(LIMITS.memory)
        try:
            return self._worker.call("tools.fuzz_scans:judged", data, limits=LIMITS)
        except WorkerError as error:
            return str(error)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()


def main() -> int:
    from tests.scan.picture_files import PICTURES  # drawn for the tests

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_000, help="mutants")
    parser.add_argument("--seed", type=int, default=1000, help="another seed damages otherwise; the suite takes 0 to 7")
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"), help="folder for mutants that broke a promise")
    args = parser.parse_args()
    ask, came, files = FuzzWorker(), Counter(), corpus()
    for number, data in enumerate(tqdm(mutants(args.seed, args.count, files, PICTURES), total=args.count, unit="file")):
        said = ask(data)
        came[said if said in ("read", "refused") else "broke a promise"] += 1
        if said not in ("read", "refused"):
            args.keep.mkdir(parents=True, exist_ok=True)
            path = args.keep / f"{args.seed}-{number}"
            path.write_bytes(data)
            tqdm.write(f"{path}: {said}")
    ask.close()
    print(
        f"{args.count} mutants of {len(files)} files and {len(PICTURES)} pictures: "
        + ", ".join(f"{n} {what}" for what, n in sorted(came.items()))
    )
    return 1 if came["broke a promise"] else 0


if __name__ == "__main__":
    sys.exit(main())
