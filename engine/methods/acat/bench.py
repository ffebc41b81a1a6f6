"""How fast ACAT's saliency is made, against the plain procedure, as a ratio within one run."""

from __future__ import annotations

import threading
from collections.abc import Callable
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
from engine.timing import in_turn, row

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
    remarks, rows = [], []
    precisions = [torch.bfloat16] * bfloat16_in_hardware() + [torch.float32]
    for precision in precisions:
        ours = _ours(nets, volume, precision)
        words = str(precision).removeprefix("torch.")
        if progress:
            progress(words)
        plain_s, ours_s, theirs, found = in_turn(
            lambda: plain_saliency(nets, volume, SEARCH), ours, rounds, warm_up=ours
        )
        size = ARCHITECTURE.size
        steps = f"2 x {SEARCH.steps} steps"
        name = f"saliency of {SLICES} slices of {size} x {size}, {ARCHITECTURE.backbone}, {steps}, {words}"
        rows.append(row(name, ours_s, plain_s, theirs, found))
        alike = float(np.corrcoef(theirs.flatten().numpy(), found.flatten().numpy())[0, 1])
        most = [peak(call) for call in (lambda: plain_saliency(nets, volume, SEARCH), ours)]
        remarks.append(
            f"{words}: the maps correlate by {alike:.4f}; beyond what was held before, the plain procedure took "
            f"{most[0]:.0f} MB at most, ours {most[1]:.0f} MB."
        )
    return rows, remarks


def _ours(nets: Networks, volume: Tensor, precision: torch.dtype) -> Callable[[], Tensor]:
    """Both targets and all slices in one batch, weights frozen and normalisation folded away; the classifier, not the
    autoencoder that draws the change, in `precision`.
    """
    folded = fused(nets)
    baseline = folded.baseline.to(precision)

    def classify(x: Tensor) -> Tensor:
        return baseline(x.to(precision)).float()

    return lambda: saliency(volume, latent_counterfactuals(classify, folded.autoencoder, volume, SEARCH).pictures)


def peak(call: Callable[[], object], every_s: float = 0.02) -> float:
    """Megabytes that the process held at most while `call` ran, beyond what it held before; 0 where nobody says."""
    status, seen, done = Path("/proc/self/statm"), [], threading.Event()
    if not status.exists():
        return 0.0

    def resident() -> float:
        return int(status.read_text().split()[1]) * 4096 / 1e6

    def watch() -> None:
        while not done.wait(every_s):
            seen.append(resident())

    before, watcher = resident(), threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        call()
    finally:
        done.set()
        watcher.join()
    return max([before, *seen]) - before
