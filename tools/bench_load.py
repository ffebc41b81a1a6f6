"""make bench-load: twenty visitors at once, each with a film of his own, on two cores; and one who only looks at a
page.

Prints what came of it beside what is wanted: errors, results that belong to somebody else, the time until the last was
answered, how long a page that asks no model takes meanwhile, and the memory of all processes before, during and after.
Absolute times depend on the machine, which is named. Visitors are WebSocket clients, not browsers.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: E402

from engine.datasets.phantom.collection import Phantom  # noqa: E402
from engine.scan import Scan, read_scan  # noqa: E402
from tools.processes import family  # noqa: E402
from tools.serve import DidNotStart, served  # noqa: E402
from tools.streamlit_client import Client  # noqa: E402
from viewer.blob import unpacked  # noqa: E402

SECONDS_EACH = 2.5  # wanted: all are answered within this times the visitors
BYSTANDER_MS = 400  # wanted: median run of a page that asks no model
MEMORY_MB = 4000  # wanted: at most, all processes together (proportional set size)
LEFTOVER_MB = 200  # wanted: above idle at most, a minute after the last has left
AFTER_S = 60
HELD_BACK = "Show it anyway"  # the button before what a checkpoint says of a film unlike those in training
FILM_SEED = 977  # the seed of no checkpoint's training data
PATIENCE = 5  # times what is wanted; whoever has no answer by then counts as unanswered


@dataclass
class Visit:
    """What one visitor saw: seconds until the answer (None without one), and what went wrong."""

    seconds: float | None = None
    errors: list[str] = field(default_factory=list)
    probabilities: dict[str, float] = field(default_factory=dict)
    received: int = 0
    largest: int = 0
    fetched: int = 0
    settled: asyncio.Event = field(default_factory=asyncio.Event)  # answered, or given up


def film(picture: np.ndarray, side: int) -> bytes:
    """A DICOM chest radiograph of `side` x `side` pixels of 12 bits, with noise of its own so that no two are alike."""
    grey = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
    stored = np.clip(
        np.rint(grey * 16 + np.random.default_rng(int(grey.sum())).normal(0, 8, grey.shape)), 0, 4095
    ).astype("<u2")
    header = FileMetaDataset()
    header.MediaStorageSOPClassUID, header.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", generate_uid()
    header.TransferSyntaxUID = ExplicitVRLittleEndian
    dicom = Dataset()
    dicom.file_meta = header
    dicom.SOPClassUID, dicom.SOPInstanceUID = header.MediaStorageSOPClassUID, header.MediaStorageSOPInstanceUID
    dicom.Modality, dicom.BodyPartExamined, dicom.ViewPosition = "DX", "CHEST", "PA"
    dicom.Rows, dicom.Columns, dicom.SamplesPerPixel, dicom.PhotometricInterpretation = side, side, 1, "MONOCHROME2"
    dicom.BitsAllocated, dicom.BitsStored, dicom.HighBit, dicom.PixelRepresentation = 16, 12, 11, 0
    dicom.ImagerPixelSpacing = [0.4, 0.4]
    dicom.PixelData = stored.tobytes()
    file = io.BytesIO()
    dicom.save_as(file, enforce_file_format=True)
    return file.getvalue()


def films(count: int, side: int) -> list[tuple[bytes, Scan]]:
    """`count` different drawn films: the files, and what is in them."""
    phantom = Phantom(count, seed=FILM_SEED, size=512)
    files = [film(phantom.image(index), side) for index in range(count)]
    return [(data, read_scan(data)) for data in files]


def start(cores: str, log: Path) -> tuple[subprocess.Popen, str]:
    """The app on a free port, on `cores` only where the system can do that, keeping nothing of a visitor
    who has left.
    """
    under = ("taskset", "-c", cores) if cores and sys.platform == "linux" else ()
    try:
        return served(ROOT / "app.py", log, env={"OTHERWISE_RETENTION_MINUTES": "0"}, under=under)
    except DidNotStart as reason:
        raise SystemExit(str(reason)) from None


def memory_mb(pid: int) -> dict[str, float]:
    """Proportional set size of a process and of all that descend from it, in millions of bytes, by what they are."""
    found: dict[str, float] = {}
    for process in family(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            name = part_of(Path(f"/proc/{process}/cmdline").read_text())
        except OSError:
            continue
        found[name] = (
            found.get(name, 0.0) + sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
        )
    return found


def processor_s(pid: int) -> dict[str, float]:
    """Seconds of processor time that a process, all that descend from it, and those of them that have ended
    have used.
    """
    found: dict[str, float] = {}
    for process in family(pid):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            name = part_of(Path(f"/proc/{process}/cmdline").read_text())
        except (OSError, IndexError):
            continue
        found[name] = found.get(name, 0.0) + sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


def part_of(command: str) -> str:
    return "inference" if "engine.inference" in command else "decoding" if "engine.worker" in command else "interface"


class Viewer:
    """What the viewer of a page would do: fetches every array that it does not have yet."""

    def __init__(self, client: Client):
        self._client = client
        self._cache: dict[str, np.ndarray] = {}

    def header(self) -> dict | None:
        """Of what the page shows about a scan; without findings before they are there, and while they are held back."""
        return next((component for component in self._client.components() if component.get("kind") == "explain"), None)

    async def scan(self) -> np.ndarray | None:
        """The picture on the page, once all of the arrays behind it are here."""
        header = self.header()
        if header is None:
            return None
        for entry in header["arrays"]:
            if entry["digest"] not in self._cache:
                chunk = await self._client.fetch(f"/pixels/{entry['token']}")
                if chunk is None:  # the page shows something else by now
                    return None
                self._cache[entry["digest"]] = unpacked(entry, chunk)
        return self._cache[header["arrays"][header["scan"]]["digest"]]


async def visit(address: str, data: bytes, scan: Scan, patience: float, seen: Visit, leave: asyncio.Event) -> None:
    """Opens the page, sends the film, waits for its explanation, and stays until `leave`."""
    try:
        async with Client(address) as client:
            seen.errors = client.errors
            if not await client.until(lambda: client.uploader and client.runs, patience):
                raise TimeoutError("the page was never whole")
            begun = time.monotonic()
            await client.upload("film.dcm", data)

            viewer, until, looked_at = Viewer(client), begun + patience, -1
            news = lambda: client.heard > looked_at and viewer.header()
            while await client.until(news, until - time.monotonic()):
                looked_at = client.heard
                own = np.array_equal(await viewer.scan(), scan.pixels)
                if (
                    own and not viewer.header()["findings"]
                ):  # a film unlike those in training has its answer behind one click
                    await client.press(HELD_BACK)
                elif own:
                    seen.seconds = time.monotonic() - begun
                    seen.probabilities = {
                        finding["name"]: finding["probability"] for finding in viewer.header()["findings"]
                    }
                    break
            if seen.seconds is None:
                said = " | ".join(text for text in client.texts() if text.strip())
                seen.errors.append(f"no explanation after {patience:.0f} s; the page says: {said[:300]}")
            seen.settled.set()
            await leave.wait()
            seen.received, seen.largest, seen.fetched = client.received, client.largest, client.fetched
    except Exception as error:  # one visitor's trouble is a result and must not end the others' visits
        seen.errors.append(f"{type(error).__name__}: {error}")
    seen.settled.set()


async def look(address: str, times: list[float], errors: list[str], stop: asyncio.Event) -> None:
    """A visitor of the page Models, which asks no model: runs it again and again."""
    async with Client(address, page="models") as client:
        await client.until(lambda: client.runs, 120)
        while not stop.is_set():
            times.append(await client.rerun_and_wait(30))
            await asyncio.sleep(0.5)
        errors += client.errors


async def weigh(pid: int, peak: list[float], stop: asyncio.Event) -> None:
    while not stop.is_set():
        peak.append(sum((await asyncio.to_thread(memory_mb, pid)).values()))
        await asyncio.sleep(0.5)


async def measure(address: str, pid: int, made: list[tuple[bytes, Scan]]) -> tuple[dict, Visit, list[Visit]]:
    """Numbers, the first visit (alone), and those that come together; the first film is for the first visit."""
    patience = PATIENCE * SECONDS_EACH * (len(made) - 1)
    first, leave = Visit(), asyncio.Event()
    leave.set()
    await visit(address, *made[0], patience=300, seen=first, leave=leave)
    await asyncio.sleep(AFTER_S / 2)
    idle = memory_mb(pid)

    alone: list[float] = []
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as together:
        together.create_task(look(address, alone, first.errors, stop))
        await asyncio.sleep(8)
        stop.set()

    visits, leave, stop = [Visit() for _ in made[1:]], asyncio.Event(), asyncio.Event()
    times: list[float] = []
    peak: list[float] = []
    errors: list[str] = []
    async with asyncio.TaskGroup() as together:
        together.create_task(weigh(pid, peak, stop))
        together.create_task(look(address, times, errors, stop))
        await asyncio.sleep(1)
        begun, used = time.monotonic(), processor_s(pid)
        for seen, (data, scan) in zip(visits, made[1:]):
            together.create_task(visit(address, data, scan, patience, seen, leave))
        for seen in visits:
            await seen.settled.wait()
        all_s = time.monotonic() - begun
        used = {name: seconds - used.get(name, 0.0) for name, seconds in processor_s(pid).items()}
        stop.set()
        leave.set()
    await asyncio.sleep(AFTER_S)
    numbers = {
        "first_s": first.seconds,
        "all_s": all_s,
        "bystander_alone_ms": 1000 * statistics.median(alone),
        "bystander_ms": 1000 * statistics.median(times),
        "bystander_worst_ms": 1000 * max(times),
        "bystander_runs": len(times),
        "idle_mb": idle,
        "peak_mb": max(peak),
        "after_mb": memory_mb(pid),
        "processor_s": used,
        "bystander_errors": errors,
    }
    return numbers, first, visits


def foreign(first: Visit, visits: list[Visit], scans: list[Scan]) -> int:
    """How many visitors were shown probabilities that are not those of their own film, asked without the app."""
    from engine.checkpoints.resolve import shipped
    from engine.registry import Model, open_model

    def alike(model: Model, seen: Visit, scan: Scan) -> bool:
        true = dict(zip(model.findings, model.predict_proba(scan)))
        return set(true) == set(seen.probabilities) and all(
            abs(true[name] - p) < 0.001 for name, p in seen.probabilities.items()
        )

    for name in shipped():
        try:
            model = open_model(name, "cpu")
        except ValueError:  # a generator, or a checkpoint that is refused: it explained nothing
            continue
        if alike(model, first, scans[0]):
            return sum(not alike(model, seen, scan) for seen, scan in zip(visits, scans[1:]) if seen.probabilities)
    raise SystemExit("no checkpoint here says what the first visitor was shown.")


def machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    return (
        f"{platform.system()}, {model or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} "
        "at the start"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--side", type=int, default=1024, help="pixels of a film's side")
    parser.add_argument("--cores", default="0,1", help="that the app may use; empty for all")
    parser.add_argument(
        "--address", help="of an app that runs already; memory is then not measured unless --pid says whose"
    )
    parser.add_argument("--pid", type=int, help="the running app's process")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    made = films(options.visitors + 1, options.side)
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        process, address = (None, options.address) if options.address else start(options.cores, log)
        try:
            numbers, first, visits = asyncio.run(measure(address, options.pid or (process.pid if process else 0), made))
        finally:
            if process:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(timeout=30)
        said = log.read_text() if log.exists() else ""
    return report(numbers, first, visits, foreign(first, visits, [scan for _, scan in made]), where, said, options.json)


def report(
    numbers: dict, first: Visit, visits: list[Visit], others: int, where: str, said: str, file: Path | None
) -> int:
    """Prints what was wanted beside what was measured; 0 when all of it holds."""
    errors = [error for seen in (first, *visits) for error in seen.errors] + numbers["bystander_errors"]
    answered = sorted(seen.seconds for seen in visits if seen.seconds is not None)
    limit = SECONDS_EACH * len(visits)
    rows = [
        ("errors", len(errors), 0, "<="),
        ("answered", len(answered), len(visits), ">="),
        ("somebody else's result", others, 0, "<="),
        ("all answered after, s", round(numbers["all_s"], 1), limit, "<="),
        ("bystander's median run, ms", round(numbers["bystander_ms"]), BYSTANDER_MS, "<="),
        ("memory at most, MB", round(numbers["peak_mb"]), MEMORY_MB, "<="),
        (
            f"memory above idle {AFTER_S} s after, MB",
            round(sum(numbers["after_mb"].values()) - sum(numbers["idle_mb"].values())),
            LEFTOVER_MB,
            "<=",
        ),
    ]
    held = [value <= wanted if sign == "<=" else value >= wanted for _, value, wanted, sign in rows]
    print(where)
    print(f"{'':38}{'measured':>10}{'wanted':>12}")
    for (name, value, wanted, sign), holds in zip(rows, held):
        print(f"{name:38}{value:>10}{f'{sign} {wanted:g}':>12}{'' if holds else '  MISSED'}")
    median = f"median {statistics.median(answered):.1f} s, last {answered[-1]:.1f} s" if answered else "nobody"
    print(f"answers: {median}; the first visitor, alone, with the model to open: {first.seconds or float('nan'):.1f} s")
    print(
        f"bystander: alone {numbers['bystander_alone_ms']:.0f} ms, worst {numbers['bystander_worst_ms']:.0f} ms of "
        f"{numbers['bystander_runs']} runs"
    )
    for name, unit in (
        ("idle_mb", "MB, memory when idle"),
        ("after_mb", "MB, memory afterwards"),
        ("processor_s", "s of processor time for all answers"),
    ):
        parts = ", ".join(f"{part} {value:.0f}" for part, value in sorted(numbers[name].items()))
        print(f"{sum(numbers[name].values()):.0f} {unit}: {parts}")
    socket_mb, message_mb, http_mb = (
        max(getattr(seen, name) for seen in visits) / 1e6 for name in ("received", "largest", "fetched")
    )
    print(
        f"to one visitor at most: {socket_mb:.1f} MB through the socket, longest message {message_mb:.1f} MB; "
        f"{http_mb:.1f} MB by HTTP"
    )
    for error in list(dict.fromkeys(errors))[:8]:
        print("error:", error)
    if errors and said:
        print("the app said:", said[-1500:])
    if file:
        result = {
            "command": "bench-load",
            "machine": where,
            "rows": [{"name": name, "value": value, "wanted": wanted} for name, value, wanted, _ in rows],
        }
        file.write_text(json.dumps(result | {"numbers": numbers, "errors": errors}, indent=1))
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
