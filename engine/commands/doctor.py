"""python -m engine doctor: what this machine has, and whether every shipped checkpoint opens."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.outputs import writable
from engine.errors import UsageError

REQUIRED = Path(__file__).resolve().parent.parent.parent / "requirements.txt"
IMPORTED = {
    "grad-cam": "pytorch_grad_cam",
    "scikit-learn": "sklearn",
    "scikit-image": "skimage",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "SQLAlchemy": "sqlalchemy",
    "faiss-cpu": "faiss",
    "fpdf2": "fpdf",
    "markdown-it-py": "markdown_it",
    "protobuf": "google.protobuf",
    "dicom-anonymizer": "dicomanonymizer",
    "pydicom-data": "data_store",
    "pylibjpeg-libjpeg": "libjpeg",
    "pylibjpeg-openjpeg": "openjpeg",
    "pylibjpeg-rle": "rle",
}  # package to the name it is imported by, where they differ by more than a dash
AS_GOOD = {"opencv-python-headless": "opencv-python"}  # the same module, with windows that nobody opens here


def doctor(
    networks: Annotated[
        bool, typer.Option("--networks", help="also make each checkpoint's network, which takes a while")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="write the same facts here", callback=writable)] = None,
) -> None:
    """Machine, devices, versions, checkpoints found and whether each opens; exit code 1 when something is missing.

    A checkpoint opens when its configuration and card are whole, its weights are the ones that they name, and what
    its method imports is installed.
    """
    rows = [*machine(), *parts(), *system_libraries(), *checkpoints(networks)]
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        print(f"{'ok ' if row['ok'] else 'NO '} {row['name']:<{width}}  {row['says']}")
    if json:
        from engine.tables import write_json  # needs numpy

        write_json(json, "doctor", rows)
    broken = [row["name"] for row in rows if not row["ok"]]
    if broken:
        raise UsageError(f"something is missing: {', '.join(broken)}; the lines marked NO say what would help.")


def machine() -> list[dict]:
    """The processor, Python, and the device that models run on."""
    rows = [
        _row(
            "machine",
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores, Python {platform.python_version()}",
        )
    ]
    try:
        import torch
    except ImportError as error:
        return [*rows, _row("device", f"torch does not import ({error}); run make app", False)]
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return [*rows, _row("device", f"CUDA: {names}")]
    return [*rows, _row("device", "no CUDA device; everything runs on the CPU")]


def parts() -> list[dict]:
    """A row for every package that requirements.txt names."""
    rows = []
    for found in re.finditer(r"(?m)^[A-Za-z0-9][\w.-]*", REQUIRED.read_text(encoding="utf-8")):
        part = found.group()
        here = _found(IMPORTED.get(part, part.replace("-", "_")))
        version = _version(part) or _version(AS_GOOD.get(part, part)) or "of an unknown version"
        rows.append(
            _row(part, version if here else "not installed; run make app, or pip install -r requirements.txt", here)
        )
    return rows


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # its parent does not import, or it is there without a file of its own
        return False


def _version(part: str) -> str | None:
    try:
        return importlib.metadata.version(part)
    except importlib.metadata.PackageNotFoundError:
        return None


def system_libraries() -> list[dict]:
    """Whether OpenCV finds the libraries of the system that it needs."""
    try:
        import cv2

        return [_row("opencv's system libraries", f"found (OpenCV {cv2.__version__})")]
    except ImportError as error:
        return [_row("opencv's system libraries", f"{error}; on Debian: apt-get install libgl1 libglib2.0-0", False)]


def checkpoints(networks: bool = False) -> list[dict]:
    """A row for every shipped checkpoint; `networks` has each network made as well."""
    try:
        from engine.checkpoints.format import RefusedCheckpoint
        from engine.checkpoints.resolve import open_checkpoint, shipped
    except ImportError as error:
        return [_row("checkpoints", f"cannot be looked for ({error})", False)]
    rows = []
    for name in shipped():
        try:
            from engine.registry import method  # and what reads scans

            checkpoint = open_checkpoint(name)
            used = method(checkpoint.method)
            if absent := sorted(package for package in used.packages() if not _found(package)):
                raise ImportError(f"No module named {absent[0]!r}")
            if networks:
                used.open(checkpoint, "cpu")
            knows = checkpoint.config.get("attributes") or checkpoint.config["findings"]
            rows.append(_row(f"checkpoint {name}", f"{checkpoint.method}: {', '.join(knows)}"))
        except RefusedCheckpoint as reason:
            rows.append(_row(f"checkpoint {name}", str(reason), False))
        except ImportError as error:
            rows.append(_row(f"checkpoint {name}", f"does not open here ({error})", False))
    return rows or [_row("checkpoints", "none found; train one with python -m engine train --help", False)]


def _row(name: str, says: str, ok: bool = True) -> dict:
    return {"name": name, "says": says, "ok": ok}
