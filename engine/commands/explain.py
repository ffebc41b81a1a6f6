"""python -m engine explain SCAN: records, float maps and pictures of what a checkpoint says of one scan."""

from __future__ import annotations

import io
import json as json_text
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from engine import __version__
from engine.answers import no_answer
from engine.checkpoints.detector import only_drawn
from engine.checkpoints.format import Checkpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.commands.outputs import writable, writable_folder
from engine.errors import UsageError
from engine.explanation import Explanation
from engine.export.pictures import overlaid, png, shown
from engine.files import file_stems, staged
from engine.regions import places_in_words
from engine.registry import check_findings, explaining_method, method, open_model
from engine.scan import Scan, frame, read_scans
from engine.scan.announced import announces_volume
from engine.scan.source import SourceRecord, read_sources
from engine.tables import write_json

REMARK = "Research use only, not for diagnosis"


def explain(
    scan: Annotated[Path, typer.Argument(help="DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF, a folder or a zip")],
    checkpoint: Annotated[str, typer.Option(help="a shipped name, a folder, or hub:owner/name@revision")],
    out: Annotated[Path, typer.Option(help="folder to write to", callback=writable_folder)],
    finding: Annotated[list[str] | None, typer.Option(help="again for each; all when not given")] = None,
    series: Annotated[int | None, typer.Option(help="of a folder or zip of several scans, from 0")] = None,
    slice: Annotated[int | None, typer.Option(help="of a volume or multi-frame file, from 0")] = None,
    space: Annotated[
        str, typer.Option(help="image or latent: where counterfactuals are sought, for a checkpoint that knows both")
    ] = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="print the table of a scan unlike the training pictures too")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    json: Annotated[Path | None, typer.Option(help="write the table's numbers here", callback=writable)] = None,
) -> None:
    """Explain one scan: explanation.json, and for each finding its maps (.npz) and pictures (.png)."""
    read, _, checked, records = explained(scan, checkpoint, finding, series, slice, device, space=space)
    write_explanations(out, read, checked, records)
    rows = [record.record() for record in records]
    say(checked, records, anyway)
    if json:
        write_json(json, "explain", rows)


def explained(
    scan: Path,
    checkpoint: str,
    finding: Sequence[str] | None,
    series: int | None,
    slice: int | None,
    device: str,
    sources: bool = False,
    space: str = "",
) -> tuple[Scan, SourceRecord | None, Checkpoint, list[Explanation]]:
    """(the scan, its study where `sources` asks for that, the checkpoint, what it says), from what was typed.

    Args:
        space: in which counterfactuals are sought; "" for that of the training.

    Raises:
        UsageError, UnreadableScan, RefusedCheckpoint, UnsuitableScan, ValueError: in one sentence.
    """
    if not scan.exists():
        raise UsageError(
            f"there is no {scan}; give the path of a DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG or TIFF file, a folder "
            "or a zip."
        )
    chosen = open_checkpoint(checkpoint)
    check_findings(chosen.name, chosen.config["findings"], finding or ())  # before anything that takes time
    explains = explaining_method(chosen)
    if series is None and slice is None and explains.dimensions == 2 and announces_volume(scan):
        raise UsageError(
            f"{explains.title} explains single pictures, {scan} is a volume; choose one slice of it with --slice."
        )
    found = read_scans(scan)
    read = found.one(series)
    source = read_sources(scan, found)[found.place(series)] if sources else None
    for note in found.notes:
        print(note)
    if slice is not None:
        try:
            read = frame(read, slice)
        except IndexError as error:
            raise UsageError(f"there is no {error}.") from error
        source = source.at(slice) if source is not None and len(source.slices) > 1 else source
    model = open_model(chosen, device)
    model = model.in_space(space) if space else model
    drawn_only = only_drawn(model.checkpoint)
    records = [replace(record, only_drawn=drawn_only) for record in model.explain(read, finding or None)]
    return read, source, model.checkpoint, records


def say(checkpoint: Checkpoint, records: Sequence[Explanation], anyway: bool = True) -> None:
    """Prints how far to trust the records, and a line for each; a finding about which no answer means anything is
    withheld, as in the app.

    Args:
        anyway: also of a scan unlike the training pictures, of which the lines are held back else.
    """
    alike = records[0].in_distribution
    if records[0].only_drawn:
        print(f"UNLIKE the training pictures: {checkpoint.name} was trained on drawn pictures only. {REMARK}.")
    elif alike is None:
        elsewhere = "" if method(checkpoint.method).trainable else ": the model was trained elsewhere"
        print(f"Whether the scan is like the training pictures is not known{elsewhere}. {REMARK}.")
    else:
        print(
            f"{'like' if records[0].like_training else 'UNLIKE'} the training pictures: {alike[0]:.2f}, limit "
            f"{alike[1]:.2f}. {REMARK}."
        )
    if checkpoint.caution:
        print(f"Caution: {checkpoint.caution}")
    if records[0].like_training is False and not anyway:
        names = ", ".join(record.finding for record in records)
        print(f"Each probability may be meaningless and is held back ({names}); --anyway prints the table.")
        return
    nothing = {record.finding: why for record in records if (why := no_answer(record, checkpoint.metrics.rows))}
    print(f"{'finding':<22}{'probability':>12}{'threshold':>12}{'call':>10}{'flips at a':>12}")
    for row in (record.record() for record in records):
        flip = row["path"] and row["path"]["flip"]
        if row["finding"] in nothing:
            print(f"{row['finding']:<22}{'-':>12}{row['threshold']:>12.3f}{'withheld':>10}{'-':>12}")
            continue
        call = "positive" if row["positive"] else "negative"
        flips = "-" if flip is None else f"{flip:.2f}"
        print(f"{row['finding']:<22}{row['probability']:>12.3f}{row['threshold']:>12.3f}{call:>10}{flips:>12}")
    for record in records:
        if record.finding not in nothing and (where := places_in_words(record.regions)):
            print(f"{record.finding}: {where}")
    for finding, why in nothing.items():
        print(f"{finding} is withheld: {why}.")


def write_explanations(out: Path, scan: Scan, checkpoint, records: list[Explanation]) -> None:
    """explanation.json (scan, checkpoint, explanations), NAME.npz and two pictures a finding; one where there is no
    counterfactual.

    The pictures of a volume are of the slice with most evidence (`slice_drawn` in explanation.json).
    explanation.json comes last: where it is, all that it speaks of is there and whole.

    Raises:
        UnwritableFile: nothing was written.
    """
    text = {
        "remark": REMARK,
        "version": __version__,
        "scan": scan.record(),
        "checkpoint": {
            "name": checkpoint.name,
            "method": checkpoint.method,
            "sha256": checkpoint.sha256,
            "identity": checkpoint.identity,
            "source": checkpoint.source,
        },
        "explanations": [record.record() | {"slice_drawn": strongest_slice(whole_map(record))} for record in records],
    }
    stems = file_stems(checkpoint.config["findings"])  # a finding's name comes with a checkpoint and is no path
    with staged(out, marker="explanation.json") as put:
        for record in records:
            attribution = whole_map(record)
            stem, at = stems[record.finding], strongest_slice(attribution)
            put(f"{stem}.npz", npz(maps_of(record)))
            grey = shown(of_slice(scan.pixels, at), scan.window)
            put(f"{stem}_evidence.png", png(overlaid(grey, of_slice(attribution, at), record.attribution_limit)))
            if record.counterfactual is not None:
                put(f"{stem}_without.png", png(shown(of_slice(record.counterfactual, at), scan.window)))
        put("explanation.json", json_text.dumps(text, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def maps_of(record: Explanation) -> dict[str, np.ndarray]:
    """The large arrays of a record by name; `regions` stacks the masks of its tree, (R, H, W) or (R, S, H, W) bool."""
    maps = {"attribution": whole_map(record)}
    if record.path is not None and record.counterfactual is not None:
        maps |= {
            "counterfactual": record.counterfactual,
            "steps": record.path.steps,
            "probabilities": record.path.probabilities,
        }
    if record.regions is not None and (masks := record.regions.masks()):
        maps["regions"] = np.stack(masks)
    return maps


def whole_map(record: Explanation) -> np.ndarray:
    """The attribution map of a record on the scan's grid.

    Raises:
        ValueError: the record has left its large pictures behind.
    """
    if record.attribution is None:
        raise ValueError(f"the record of {record.finding} has left its attribution map behind")
    return record.attribution


def strongest_slice(attribution: np.ndarray) -> int | None:
    """The slice of a volume's map (S, H, W) that holds most of it; None for a picture's map (H, W)."""
    return None if attribution.ndim == 2 else int(np.abs(attribution).sum(axis=(1, 2), dtype=np.float64).argmax())


def of_slice(array: np.ndarray, at: int | None) -> np.ndarray:
    """(H, W): slice `at` of a volume; a picture as it is for None."""
    return array if at is None else array[at]


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    """The arrays by name as the bytes of a compressed .npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]  # none is called allow_pickle
    return file.getvalue()
