"""How fast ACAT's saliency is made, against the plain procedure, as a ratio within one run."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.methods.acat.counterfactual import (
    NEGATIVE,
    POSITIVE,
    Search,
    latent_counterfactuals,
    of_target,
    saliency,
    stepped,
)
from engine.methods.acat.train import PRESETS, Networks
from engine.networks.fused import fused
from engine.networks.precision import bfloat16_in_hardware
from engine.timing import row, timed

SLICES, SEED = 11, 0
ARCHITECTURE = PRESETS["paper"].architecture  # slices of 128 x 128, ResNet-50
# Both counterfactuals take all twenty steps; a distance would hold networks of random weights at the scan.
SEARCH = Search(enough=1.0, alpha=0.0)


def plain_saliency(nets: Networks, volume: Tensor, search: Search) -> Tensor:
    """One target after the other, one slice at a time, float32, as the authors' code goes about it: nothing frozen.

    Args:
        volume: (1, S, H, W).
    """
    slices = volume[0].split(1)  # (1, H, W) each
    pictures = []
    for target in (NEGATIVE, POSITIVE):
        with torch.no_grad():
            start = torch.stack([nets.autoencoder.encode(one[None])[0] for one in slices])
            rebuilt = torch.stack([nets.autoencoder.decode(z[None])[0, 0] for z in start])
        z, wanted = start.clone(), torch.tensor([target])
        for _ in range(search.steps):
            here = z.clone().requires_grad_()
            shown = _shown(nets, here, volume, rebuilt)
            features = torch.cat([nets.baseline.features(one[None]) for one in shown.split(1)], 1)
            loss = -of_target(nets.baseline.head(features.mean(1)), wanted)
            nets.zero_grad()
            loss.sum().backward()
            assert here.grad is not None, "the loss depends on the latent"
            z = stepped(z[None], here.grad[None], start[None], search)[0]
        with torch.no_grad():
            pictures.append(_shown(nets, z, volume, rebuilt)[None])
    return saliency(volume, torch.stack(pictures))


def _shown(nets: Networks, z: Tensor, volume: Tensor, rebuilt: Tensor) -> Tensor:
    """x + D(z) - D(E(x)), (S, H, W)."""
    return volume[0] + torch.stack([nets.autoencoder.decode(one[None])[0, 0] for one in z]) - rebuilt


def bench(rounds: int = 3, progress: Callable[[str], None] | None = None) -> tuple[list[dict], list[str]]:
    """Rows with `name`, `ours_s`, `plain_s`, `ratio` and `max_difference` (of the maps, in [0, 1]), and remarks: how
    the two maps correlate, and the memory that each took.

    Args:
        progress: called with the name of each measurement before it starts.
    """
    torch.manual_seed(SEED)
    nets = Networks(ARCHITECTURE)
    volume = torch.rand(1, SLICES, ARCHITECTURE.size, ARCHITECTURE.size) - 0.5
    nets.train()
    with torch.no_grad():  # statistics of batch normalisation that are not those of the start
        nets.baseline(volume)
        nets.autoencoder(volume[0, :, None])
    nets.eval()
    precisions = [torch.float32] + [torch.bfloat16] * bfloat16_in_hardware()
    ways = {str(p).removeprefix("torch."): _ours(nets, volume, p) for p in precisions}
    for call in ways.values():  # what the libraries prepare at a first call is no part of it
        call(replace(SEARCH, steps=1))
    calls = {"plain": lambda: plain_saliency(nets, volume, SEARCH)}
    calls |= {name: partial(call, SEARCH) for name, call in ways.items()}
    measured: dict[str, list[tuple[float, float, Tensor]]] = {name: [] for name in calls}
    for _ in range(rounds):  # in turn, so that a busy moment of the machine meets all
        for name, call in calls.items():
            if progress:
                progress(name)
            measured[name].append(peak(call))
    theirs, plain_s, plain_mb = measured["plain"][0][2], *_best(measured["plain"])
    remarks, rows, size = (
        [f"Beyond what was held before, the plain procedure took {plain_mb:.0f} MB at most."],
        [],
        ARCHITECTURE.size,
    )
    for name in ways:
        found, (seconds, most) = measured[name][0][2], _best(measured[name])
        steps = f"2 x {SEARCH.steps} steps"
        title = f"saliency of {SLICES} slices of {size} x {size}, {ARCHITECTURE.backbone}, {steps}, {name}"
        rows.append(row(title, seconds, plain_s, theirs, found))
        alike = float(np.corrcoef(theirs.flatten().numpy(), found.flatten().numpy())[0, 1])
        remarks.append(f"{name}: the maps correlate by {alike:.4f}; {most:.0f} MB at most.")
    return rows, remarks


def _best(measured: Sequence[tuple[float, float, Tensor]]) -> tuple[float, float]:
    """Least seconds and least of the largest memories, in MB: what else runs on the machine only adds to both."""
    return min(seconds for seconds, _, _ in measured), min(most for _, most, _ in measured)


def _ours(nets: Networks, volume: Tensor, precision: torch.dtype) -> Callable[[Search], Tensor]:
    """Both targets and all slices in one batch, weights frozen, channels last, and normalisation folded away. With
    bfloat16 the steps are taken in that, and the counterfactuals at their end decoded in float32.
    """
    folded = fused(nets)
    baseline, decoder = fused(nets).baseline.to(precision), fused(nets).autoencoder.decoder.to(precision)

    def classify(x: Tensor) -> Tensor:
        return baseline(x.to(precision)).float()

    def quick(z: Tensor) -> Tensor:
        return decoder(z.to(precision)).float()

    fast = None if precision == torch.float32 else quick
    return lambda search: saliency(
        volume, latent_counterfactuals(classify, folded.autoencoder, volume, search, quick=fast).pictures
    )


def peak(call: Callable[[], Tensor], every_s: float = 0.05) -> tuple[float, float, Tensor]:
    """Seconds that `call` took, the megabytes that the process held at most while it ran, beyond what it held before (0
    where nobody says), and what it returned.
    """
    status, seen, done = Path("/proc/self/statm"), [], threading.Event()

    def resident() -> float:
        return int(status.read_text().split()[1]) * 4096 / 1e6 if status.exists() else 0.0

    def watch() -> None:
        while not done.wait(every_s):
            seen.append(resident())

    gc.collect()
    before, watcher = resident(), threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        seconds, made = timed(call)
    finally:
        done.set()
        watcher.join()
    return seconds, max([before, *seen]) - before, made
