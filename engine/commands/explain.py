"""python -m engine explain SCAN: records, float maps and pictures of what a checkpoint says of one scan."""

from __future__ import annotations

import json as json_text
import re
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from engine import __version__
from engine.commands.outputs import writable
from engine.endings import OneSentence
from engine.explanation import Explanation
from engine.registry import open_model
from engine.scan import Scan, frame, read_scan
from engine.tables import write_json

REMARK = "Research use only, not for diagnosis"


def explain(
    scan: Annotated[Path, typer.Argument(help="DICOM, PNG, JPEG or TIFF")],
    checkpoint: Annotated[str, typer.Option(help="a shipped name, a folder, or hub:owner/name@revision")],
    out: Annotated[Path, typer.Option(help="folder to write to")],
    finding: Annotated[list[str] | None, typer.Option(help="again for each; all when not given")] = None,
    slice: Annotated[int | None, typer.Option(help="of a volume or multi-frame file, from 0")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    json: Annotated[Path | None, typer.Option(help="write the table's numbers here", callback=writable)] = None,
) -> None:
    """Explain one scan: explanation.json, and for each finding its maps (.npz) and pictures (.png)."""
    if not scan.is_file():
        raise OneSentence("there is no such scan file; give the path of a DICOM, PNG, JPEG or TIFF file.")
    read = read_scan(scan.read_bytes())
    if slice is not None:
        try:
            read = frame(read, slice)
        except IndexError as error:
            raise OneSentence(f"there is no {error}.") from error
    model = open_model(checkpoint, device)
    records = model.explain(read, finding or None)
    out.mkdir(parents=True, exist_ok=True)
    write_explanations(out, read, model.checkpoint, records)
    rows = [record.record() for record in records]
    alike = records[0].in_distribution
    if alike is None:
        print(f"Whether the scan is like the training pictures is not known: the model was trained elsewhere. {REMARK}.")
    else:
        print(f"{'like' if records[0].like_training else 'UNLIKE'} the training pictures: {alike[0]:.2f}, limit {alike[1]:.2f}. {REMARK}.")
    print(f"{'finding':<22}{'probability':>12}{'threshold':>12}{'call':>10}{'flips at a':>12}")
    for row in rows:
        flip = row["path"] and row["path"]["flip"]
        call = "positive" if row["positive"] else "negative"
        flips = "-" if flip is None else f"{flip:.2f}"
        print(f"{row['finding']:<22}{row['probability']:>12.3f}{row['threshold']:>12.3f}{call:>10}{flips:>12}")
    if json:
        write_json(json, "explain", rows)


def write_explanations(out: Path, scan: Scan, checkpoint, records: list[Explanation]) -> None:
    """explanation.json (scan, checkpoint, explanations), NAME.npz and two pictures a finding; one where there is no counterfactual."""
    text = {
        "remark": REMARK,
        "version": __version__,
        "scan": {
            "sha256": scan.sha256,
            "kind": scan.kind,
            "shape": list(scan.pixels.shape),
            "spacing_mm": scan.spacing_mm,
            "spacing_at": scan.spacing_at,
            "remarks": list(scan.remarks),
            "bits": scan.bits,
            "window": list(scan.window),
            "tags": dict(scan.tags),
        },
        "checkpoint": {"name": checkpoint.name, "method": checkpoint.method, "sha256": checkpoint.sha256, "source": checkpoint.source},
        "explanations": [record.record() for record in records],
    }
    partial = out / ".explanation.json.part"
    partial.write_text(json_text.dumps(text, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(out / "explanation.json")
    for record in records:
        stem = re.sub(r"\W+", "_", record.finding.lower())  # a finding's name comes with a checkpoint and is no path
        maps = {"attribution": record.attribution}
        if record.path is not None:
            maps |= {"counterfactual": record.counterfactual, "steps": record.path.steps, "probabilities": record.path.probabilities}
        np.savez_compressed(out / f"{stem}.npz", **maps)
        grey = shown(scan.pixels, scan.window)
        cv2.imwrite(str(out / f"{stem}_evidence.png"), overlaid(grey, record.attribution, record.attribution_limit))
        if record.counterfactual is not None:
            cv2.imwrite(str(out / f"{stem}_without.png"), shown(record.counterfactual, scan.window))


def shown(pixels: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """(H, W) in scan units through a window (centre, width) to uint8."""
    centre, width = window
    return np.clip((pixels - centre) / width * 255 + 127.5, 0, 255).astype(np.uint8)


def overlaid(grey: np.ndarray, attribution: np.ndarray, limit: float) -> np.ndarray:
    """(H, W) uint8 under a signed map on the fixed scale +-limit, orange for and blue against; (H, W, 3) BGR uint8."""
    strength = np.clip(np.abs(attribution) / limit, 0, 1)[..., None] * 0.75
    colour = np.where(attribution[..., None] >= 0, (60.0, 146.0, 232.0), (240.0, 155.0, 91.0))
    return (grey[..., None] * (1 - strength) + colour * strength).astype(np.uint8)
