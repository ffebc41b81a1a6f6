"""Bringing in somebody else's model: file and card are checked, it is run once, and a checkpoint with a card of ours is
written.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from engine.checkpoints.format import CARD_SECTIONS, LARGEST_TEXT, Checkpoint, RefusedCheckpoint, save_checkpoint
from engine.checkpoints.limits import limits
from engine.files import plain_name
from engine.methods.onnx.card import Card, UnusableCard, parsed
from engine.methods.onnx.explain import FILE
from engine.methods.onnx.isolated import IsolatedNetwork
from engine.methods.onnx.network import UnusableNetwork

METHOD = "onnx"  # as its registered class is called
COLOUR_LIMIT = 2.0  # of log-odds; the same for every finding of every ONNX model
SAME = 1e-3  # probabilities of one picture may differ by this much between two runs
TRIAL_SECONDS = 30.0  # that three pictures may take
UNKNOWN = "Not known: the maker does not say."


def adopt(file: Path, card: Path, name: str, out: Path, command: str) -> Checkpoint:
    """The ONNX file and its card as a checkpoint in `out / name`.

    Args:
        file: the ONNX file, with its weights inside.
        card: JSON, see `engine.methods.onnx.card.parsed`.
        command: what was typed, for the card.

    Raises:
        UnusableCard, UnusableNetwork: with the first thing that is wrong, in one sentence.
        RefusedCheckpoint: a name that cannot be, or is taken.
    """
    if not plain_name(name):
        raise RefusedCheckpoint(f"A checkpoint's name is made of letters, digits, dots, - and _, got {name!r}.")
    if (out / name).exists():
        raise RefusedCheckpoint(f"There is something called {name} in {out} already; choose another --name.")
    declared = parsed(_text(card))
    data = _bytes(file)
    try:
        network = IsolatedNetwork(data, declared.interface, outputs=declared.outputs)
        seconds = trial(network, declared.interface.size)
    except UnusableNetwork as reason:
        raise UnusableNetwork(f"{file.name}: {reason}") from None
    return save(out / name, data, declared, card_text(name, file.name, data, declared, seconds, command))


def trial(network: IsolatedNetwork, size: int) -> float:
    """Seconds a picture on three drawn pictures, after checking that the answers can be relied upon.

    Raises:
        UnusableNetwork: it answers one picture differently from time to time or in other company, or all pictures
            alike.
    """
    pictures = trial_pictures(size)
    started = time.perf_counter()
    together = network(pictures, TRIAL_SECONDS)
    seconds = (time.perf_counter() - started) / len(pictures)
    alone = np.concatenate([network(picture[None], TRIAL_SECONDS) for picture in pictures])
    if np.abs(alone - together).max() > SAME:
        raise UnusableNetwork(
            "The network answers the same picture differently, alone and beside others or from one run to the next; "
            "export it for inference."
        )
    if (together == together[0]).all():
        raise UnusableNetwork(
            "The network gives noise, a disc and a gradient the same answer; value_range, mean and std may not be its "
            "own."
        )
    return seconds


def trial_pictures(size: int) -> np.ndarray:
    """Noise, a bright disc and a gradient, (3, size, size) float32 in [-0.5, 0.5]."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (size, size))
    return np.stack([noise, np.where(rows**2 + columns**2 < 0.4, 0.4, -0.5), columns / 2]).astype(np.float32)


def save(folder: Path, data: bytes, declared: Card, text: str) -> Checkpoint:
    """Writes the checkpoint: the file's bytes as they are, the card's facts as configuration, and `text` as card.md."""
    config = {
        "findings": [*declared.interface.findings],
        "network": asdict(declared.interface),
        "preprocessing": asdict(declared.preprocessing),
        "thresholds": dict(declared.thresholds),
        "scales": dict.fromkeys(declared.interface.findings, COLOUR_LIMIT),
        "data": {"collection": declared.collection, "kind": declared.kind},
    }
    return save_checkpoint(
        folder, method=METHOD, config=config, weights={FILE: np.frombuffer(data, np.uint8)}, card=text
    )


def card_text(name: str, file: str, data: bytes, declared: Card, seconds: float, command: str) -> str:
    """card.md: what the maker says, what was seen here, and that the rest is not known."""
    unstated = (
        f" Its card gives no operating point for {', '.join(declared.unstated)}: 0.5 was taken."
        if declared.unstated
        else ""
    )
    sections = {
        "Intended use and limits": f"{declared.words.get('intended_use', UNKNOWN)}\n\nMade by "
        f"{declared.words.get('maker', 'somebody else')}, not here. What it has learned is not known here. "
        "Research and teaching, not for diagnosis. It has no counterfactuals; its map shows where blurring a part of "
        f"the picture changes the answer.{unstated}",
        "Data and licence": f"Trained on: {declared.words.get('trained_on', UNKNOWN)}\n\n"
        f"Terms: {declared.words['terms']}",
        "Split and seeds": UNKNOWN,
        "Command": f"```\n{command}\n```",
        "Hardware and wall time": f"Trained elsewhere. A picture takes {seconds:.2g} s on the CPU here.",
        "Metrics": "None measured here. `python -m engine evaluate onnx --checkpoint NAME --data DATA --root DIR` "
        "measures it on your own cases.",
        "Subgroups": "Not measured. `python -m engine bias` tests whether its answer depends on an attribute.",
        "Weights": f"sha256 of the ONNX file `{file}`: `{hashlib.sha256(data).hexdigest()}`",
    }
    return f"# {name}\n\n" + "\n\n".join(f"## {title}\n\n{sections[title]}" for title in CARD_SECTIONS) + "\n"


def _text(path: Path) -> str:
    if not path.is_file():
        raise UnusableCard(f"There is no card at {path}; write one beside the file.")
    if path.stat().st_size > LARGEST_TEXT:
        raise UnusableCard(
            f"{path.name} is too long for a card: {path.stat().st_size:,} bytes, at most {LARGEST_TEXT:,} are read."
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UnusableCard(f"{path.name} is not text; save the card as UTF-8.") from None


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise UnusableNetwork(f"There is no file at {path}; give the path of an ONNX file.")
    size = path.stat().st_size
    most = limits()[METHOD]
    if size > most - 1000:
        raise UnusableNetwork(f"{path.name} has {size / 1e6:.0f} MB; at most {most // 10**6} MB are opened.")
    return path.read_bytes()
