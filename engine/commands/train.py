"""python -m engine train METHOD: one checkpoint with its card, from one collection."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.checkpoints.resolve import shipped_folder
from engine.commands.outputs import checkpoint_name, writable_folder
from engine.commands.shared import as_read, opened, use_threads
from engine.commands.shared import settings as parsed
from engine.datasets import collections, registered_collection
from engine.datasets.guidance import PSEUDO_FORMS, Elsewhere, Guidance, OnBody
from engine.errors import UsageError
from engine.registry import Trained, trained
from engine.registry import method as registered
from engine.training.presets import RUNS

PAIRS = tuple(name for name, one in collections().items() if one.pairs_of)
GUIDANCE = ("none", "full", "pseudo", "mixed", "elsewhere")


def train(
    method: Annotated[str, typer.Argument(help="for example attri_net")],
    data: Annotated[str, typer.Option(help=", ".join(collections()))],
    root: Annotated[Path | None, typer.Option(help="the collection's folder")] = None,
    preset: Annotated[
        str, typer.Option(help="demo (two CPU cores), gpu (ten minutes of one large GPU) or paper (a GPU for days)")
    ] = "demo",
    name: Annotated[
        str | None,
        typer.Option(
            help="of the checkpoint; METHOD-DATA when not given, -against-OTHER after it where there is one",
            callback=checkpoint_name,
        ),
    ] = None,
    finding: Annotated[
        list[str] | None, typer.Option(help="again for each finding; the collection's own when not given")
    ] = None,
    contrast_class: Annotated[
        str | None,
        typer.Option(
            help="the finding that the other class has instead; the other class is without the finding when not given"
        ),
    ] = None,
    option: Annotated[list[str] | None, typer.Option(help="of the collection, name=value")] = None,
    set: Annotated[list[str] | None, typer.Option(help="a setting that differs from the preset, name=value")] = None,
    guidance: Annotated[str, typer.Option(help=", ".join(GUIDANCE))] = "none",
    pseudo_mask: Annotated[str, typer.Option(help=f"form of pseudo masks: {', '.join(PSEUDO_FORMS)}")] = "binary",
    pairs: Annotated[str | None, typer.Option(help=f"learn from made pairs as well: {', '.join(PAIRS)}")] = None,
    pairs_root: Annotated[
        Path | None, typer.Option(help="folder of the films that pairs are made of; --root when not given")
    ] = None,
    pairs_copies: Annotated[int, typer.Option(min=1, help="pairs made of each film")] = 60,
    start_from: Annotated[
        str | None, typer.Option(help="begin with the weights of this run (critic and all) or checkpoint")
    ] = None,
    seed: Annotated[int, typer.Option()] = 42,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes on the CPU")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of each process")] = None,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed")] = "32-true",
    compiled: Annotated[
        bool, typer.Option("--compiled", help="fuse loops with torch.compile; needs a C++ compiler")
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(help="end the training after so many and keep the best weights; all steps when not given"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run that was stopped")] = False,
    out: Annotated[
        Path | None, typer.Option(help="folder that the checkpoint's folder goes into", callback=writable_folder)
    ] = None,
    runs: Annotated[Path, typer.Option(help="where half-finished runs are kept", callback=writable_folder)] = RUNS,
) -> None:
    """Train, choose operating points on validation, measure on test, and save weights, configuration and card."""
    use_threads(threads)
    entry = registered(method)
    if not entry.trainable:
        raise UsageError(f"{entry.title}s are trained by their makers; bring one in with python -m engine adopt.")
    registered_collection(data)
    if preset not in entry.presets():
        raise UsageError(f"{method} has no preset {preset!r}; there are {', '.join(entry.presets())}.")
    if minutes is not None and not minutes > 0:
        raise UsageError(f"--minutes must be above 0, got {minutes:g}.")
    if contrast_class is not None:
        check_two_classes(entry, finding or ())
    collection = as_read(entry, opened(data, root, finding or (), option or (), contrast_class))
    guide, words = guided(guidance, collection, pseudo_mask)
    teacher = made_pairs(entry, pairs, pairs_root or root, collection.findings, pairs_copies)
    from engine.training.job import TrainingJob  # brings torch: not before what was typed is known to be sound
    from engine.training.loop import Machine

    if not name:
        trained_on = f"{method}-{data}{f' against {contrast_class.lower()}' if contrast_class else ''}"
        name = re.sub(r"[^A-Za-z0-9.]+", "-", trained_on).strip("-")
        checkpoint_name(name)
    job = TrainingJob(
        name=name,
        collection=collection,
        terms=registered_collection(data).terms,
        preset=preset,
        changes=parsed(set or ()),
        guidance=guide,
        guidance_words=words,
        machine=Machine(device, devices, precision),
        seed=seed,
        command=typed(),
        destination=out or shipped_folder(),
        resume=resume,
        start_from=start_from,
        compiled=compiled,
        pairs=teacher,
        runs=runs,
        minutes=minutes,
    )
    checkpoint = entry.train(job)
    if checkpoint is not None:
        print(checkpoint.card)


def made_pairs(entry: Trained, pairs: str | None, root: Path | None, findings: Sequence[str], copies: int):
    """The collection called `pairs`, with as many of `findings` as it can make; None where no pairs are asked for."""
    if pairs is None:
        return None
    if pairs not in PAIRS:
        raise UsageError(f"pairs are {', '.join(PAIRS)}, got {pairs!r}.")
    if not entry.made_pairs:
        able = ", ".join(sorted(name for name, other in trained().items() if other.made_pairs))
        raise UsageError(f"{entry.title} cannot learn from made pairs; leave --pairs out, or train one of {able}.")
    makes = registered_collection(pairs).pairs_of
    able = [finding for finding in findings if finding in makes]
    if not able:
        raise UsageError(f"{pairs} can be made of {', '.join(makes)}, not of {', '.join(findings)}.")
    return opened(pairs, root, able, [f"copies={copies}"])


def check_two_classes(entry: Trained, findings: Sequence[str]) -> None:
    """Refuses another class for a method that learns a finding against its absence only, or without the one finding it
    is against.
    """
    if not entry.two_classes:
        able = ", ".join(sorted(name for name, other in trained().items() if other.two_classes))
        raise UsageError(
            f"{entry.title} learns a finding by its absence only; leave --contrast-class out, or train one of {able}."
        )
    if len(findings) != 1:
        raise UsageError(
            "--contrast-class is the other class of one finding; name that finding, and no other, with --finding."
        )


def guided(strategy: str, collection, pseudo_mask: str = "binary"):
    """The guidance object of a strategy, and words for the card."""
    if strategy not in GUIDANCE:
        raise UsageError(f"guidance is one of {', '.join(GUIDANCE)}, got {strategy!r}.")
    if pseudo_mask not in PSEUDO_FORMS:
        raise UsageError(f"pseudo masks are {', '.join(PSEUDO_FORMS)}, got {pseudo_mask!r}.")
    if pseudo_mask != "binary" and strategy not in ("pseudo", "mixed"):
        raise UsageError(f"guidance {strategy} has no pseudo masks; --pseudo-mask goes with pseudo or mixed.")
    if strategy == "none":
        return None, "none"
    if strategy == "elsewhere":
        if not collection.markers:
            raise UsageError(
                "guidance elsewhere needs a collection with a marker, for example --data phantom --option "
                "marker=CXR-ROOM1."
            )
        return Elsewhere(collection.marker_mask(None, 320)), "everywhere but on the marker, all findings"
    made = {"binary": "union", "weighted": "mean", "bounding": "smallest rectangle around the union"}[pseudo_mask]
    words = {
        "full": "the expert's own annotation of each training picture",
        "pseudo": f"one mask a finding, the {made} of annotations of training patients",
        "mixed": f"the expert's own annotation where a training picture has one, else the {made} of annotations of "
        "training patients",
    }
    if strategy == "full":
        return Guidance(collection, strategy), words[strategy]
    return OnBody(Guidance(collection, strategy, pseudo_mask)), f"{words[strategy]}, within the body"


def typed() -> str:
    """The command as it was typed, without --resume and without the folders of this machine: the card is published."""
    words: list[str] = []
    for word in sys.argv[1:]:
        flag, equals, value = word.partition("=")
        if equals and flag.startswith("--"):
            words.append(f"{flag}={_public(flag, value)}")
        elif word != "--resume":
            words.append(_public(words[-1] if words else "", word))
    return shlex.join(["python", "-m", "engine", *words])


def _public(flag: str, value: str) -> str:
    """The value of an option as it may be published: DIR for a folder, a checkpoint's name for the path to it."""
    if flag in ("--root", "--out", "--runs", "--pairs-root"):
        return "DIR"
    name, equals, _ = value.partition("=")
    if flag == "--option" and equals and any(one.options.get(name) is Path for one in collections().values()):
        return f"{name}=DIR"
    return Path(value).name if flag == "--start-from" and not value.startswith("hub:") else value
