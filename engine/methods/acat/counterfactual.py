"""Counterfactuals in the latent space of an autoencoder, and the saliency they leave (section 3.2 of Fontanella et al.
2023).

Both counterfactuals of a scan, as if it had no finding and as if it had one, are sought in one batch, and each stops
where it has arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

NEGATIVE, POSITIVE = 0, 1  # the two targets, along the first axis of what is returned


@dataclass(frozen=True)
class Search:
    """How Eq. 4 is minimised.

    Attributes:
        steps: of gradient descent, 20 in the paper.
        step_size: beta, 1 in the paper (0.1 in the authors' code).
        alpha: weight of the distance, 100 in the paper. Eq. 4 prints the sum |z - E(x)|_1; the authors' code takes the
            mean, which alone makes 100 a weight that does not forbid every change, and so does this. Of 18
            drawn heads 100 let 8 searches for "no finding" reach their target in twenty steps, 10 all of them.
        enough: a target's probability at which its search ends; 1 never ends it early.
        residual: 1 asks the classifier about x + D(z) - D(E(x)), so that it sees the noise and the fine detail that it
            was trained on; 0 about D(z), as the paper writes.
    """

    steps: int = 20
    step_size: float = 1.0
    alpha: float = 10.0
    enough: float = 0.8
    residual: int = 1


class Coder(Protocol):
    """An autoencoder, as `engine.networks.autoencoder.Autoencoder` is one."""

    def encode(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> latent (N, C, h, w)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """The way back."""
        ...


@dataclass(frozen=True)
class LatentCounterfactuals:
    """Two counterfactuals of each of B scans, first the negative, then the positive.

    Attributes:
        pictures: (2, B, S, H, W), x + D(z') - D(E(x)): what the autoencoder cannot say of a scan stays as it is.
        path: (T + 1, 2, B, S, H, W) from the scan to them, T the steps taken; None where it was not asked for.
        probabilities: (T + 1, 2, B) of the finding, along the path.
        steps: (2, B) taken until the target was reached, or all.
        reached: (2, B) of bool.
    """

    pictures: Tensor
    path: Tensor | None
    probabilities: Tensor
    steps: Tensor
    reached: Tensor


def latent_counterfactuals(
    classify: Callable[..., Tensor],
    autoencoder: Coder,
    volume: Tensor,
    search: Search = Search(),
    keep_path: bool = False,
    beside: Tensor | None = None,
    quick: Callable[[Tensor], Tensor] | None = None,
) -> LatentCounterfactuals:
    """Minimises g(z) = L(d(z), t) + alpha |z - E(x)|_1, Eq. 4, for t "no finding" and t "finding".

    Args:
        classify: (B, S, H, W) -> log-probabilities (B, K), class 0 being "no finding"; without parameters that want
            gradients.
        autoencoder: in evaluation mode.
        volume: (B, S, H, W) as the classifier reads it.
        keep_path: whether the pictures of every step are returned.
        beside: (B, S, H, W), a second argument of `classify` that stays as it is.
        quick: decodes as `autoencoder` does, with less precision. The search goes by it; the counterfactuals at its end
            are decoded by `autoencoder`. It keeps no path.
    """
    if quick is not None and keep_path:
        raise ValueError("a quick search keeps no path")
    count, slices = volume.shape[:2]
    both = volume.repeat(2, 1, 1, 1)  # (2 B, S, H, W)
    with torch.no_grad():
        start = autoencoder.encode(volume.flatten(0, 1)[:, None])
        rebuilt = autoencoder.decode(start)[:, 0].unflatten(0, (count, slices))
        seen = rebuilt if quick is None else quick(start)[:, 0].unflatten(0, (count, slices))
    decode = quick or autoencoder.decode
    z_0 = start.unflatten(0, (count, slices)).repeat(2, 1, 1, 1, 1)  # (2 B, S, C, h, w)
    rest = (volume - seen).repeat(2, 1, 1, 1)
    target = torch.arange(2, device=volume.device).repeat_interleave(count)  # (2 B,)
    held = None if beside is None else beside.repeat(2, 1, 1, 1)
    z, pictures = z_0.clone(), both.clone()
    going = torch.ones(2 * count, dtype=torch.bool, device=volume.device)
    steps = torch.zeros(2 * count, dtype=torch.long, device=volume.device)
    probability = torch.zeros(2 * count, device=volume.device)
    probabilities, path = [], [both]
    for step in range(search.steps + 1):
        rows = going.nonzero()[:, 0]
        last = step == search.steps
        with torch.set_grad_enabled(not last):
            here = z[rows].requires_grad_(not last)
            shown = decode(here.flatten(0, 1))[:, 0].unflatten(0, (len(rows), slices))
            judged = shown + rest[rows] if search.residual else shown
            log_probabilities = classify(judged) if held is None else classify(judged, held[rows])
            loss = -of_target(log_probabilities, target[rows])
        probability[rows] = 1 - log_probabilities[:, 0].detach().float().exp()
        pictures[rows] = shown.detach() + rest[rows]
        if step == 0:
            pictures = both.clone()
        probabilities.append(probability.clone())
        if keep_path and step:
            path.append(pictures.clone())
        there = loss.detach().float().neg().exp() >= search.enough
        going[rows[there]] = False
        if last or not going.any():
            break
        (slope,) = torch.autograd.grad(loss.sum(), here)
        moving = rows[~there]
        z[moving] = stepped(z[moving], slope[~there], z_0[moving], search)
        steps[moving] += 1
    if quick is not None:
        with torch.no_grad():  # one at a time: together they would need the memory of all
            for row in steps.nonzero()[:, 0].tolist():
                pictures[row] = both[row] + autoencoder.decode(z[row])[:, 0] - rebuilt[row % count]
    split = lambda t: t.unflatten(-1, (2, count))
    final = torch.where(target == POSITIVE, probability, 1 - probability)
    return LatentCounterfactuals(
        pictures.unflatten(0, (2, count)),
        torch.stack([p.unflatten(0, (2, count)) for p in path]) if keep_path else None,
        split(torch.stack(probabilities)),
        split(steps),
        split(final >= search.enough),
    )


def stepped(z: Tensor, slope: Tensor, z_0: Tensor, search: Search) -> Tensor:
    """One step of proximal gradient descent on g(z), Eq. 4: down the slope of L, then towards E(x) by the step size
    times alpha / n in each of n numbers, and no further than to it.

    It has the minimum that gradient descent has. That one jumps to and fro about E(x), where the distance has no slope.

    Args:
        z, slope, z_0: (B, ...) latents, the slopes of L in them, and E(x).
    """
    moved = z - search.step_size * slope - z_0
    pull = search.step_size * search.alpha / z[0].numel()
    return z_0 + moved.sign() * (moved.abs() - pull).clamp_min(0)


def of_target(log_probabilities: Tensor, target: Tensor) -> Tensor:
    """log P of the target, (n,): class 0 for "no finding", all others together for "finding"."""
    none = log_probabilities[:, 0]
    some = log_probabilities[:, 1:].logsumexp(1)
    return torch.where(target == POSITIVE, some, none)


def saliency(volume: Tensor, counterfactuals: Tensor) -> Tensor:
    """|x - x'| of both counterfactuals, each scaled to [0, 1] over its scan, and their mean: what either class would
    change.

    Args:
        volume: (B, S, H, W).
        counterfactuals: (2, B, S, H, W).

    Returns:
        (B, S, H, W) in [0, 1]. It needs no label.
    """
    change = (volume - counterfactuals).abs()  # (2, B, S, H, W)
    largest = change.flatten(2).amax(2)[..., None, None, None]
    return torch.where(largest > 0, change / largest.clamp_min(torch.finfo(change.dtype).tiny), 0.0).mean(0)
