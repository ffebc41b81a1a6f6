"""One alignment step against the published one: 200 Adam steps and an implicit solve, in one run on this machine.

The counterfactuals are latent, 16 x 24 x 24, a batch of 64, and the classifier is of the size of the authors': one
convolution and two layers. The published step ends so far from the minimum that its gradient has the wrong sign (4.4 of
the notes on their code measured it); how far each ends stands in the rows.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.methods.causal_alignment.alignment import InnerProblem, align
from engine.methods.causal_alignment.counterfactual import Objective, Solution
from engine.methods.causal_alignment.implicit import conjugate_gradients
from engine.timing import in_turn, row

BATCH, LATENT = 64, (16, 24, 24)
ALPHA, ADAM_STEPS, ADAM_RATE = 0.1, 200, 0.01  # alpha and schedule of the authors' code
TOLERANCE, SEARCH = 2e-6, 100
WARM_STEPS = 100  # of the classifier, on drawn latents, so that it has something to align


class LatentClassifier(nn.Module):
    """A convolution, pooling and two layers on a latent.

    Shape:
        z (B, 16, 24, 24) -> log-odds (B,).
    """

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(LATENT[0], 16, 3, 2, 1)
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 1)

    def forward(self, z: Tensor) -> Tensor:
        pooled = F.silu(self.convolution(z)).mean((2, 3))
        return self.second(F.silu(self.first(pooled)))[:, 0]


def bench(rounds: int = 3, progress: Callable[[str], None] | None = None) -> tuple[list[dict], list[str]]:
    """One row with `name`, `ours_s`, `plain_s`, `ratio`, `max_difference` (of the losses) and the gradient norms, and
    remarks.

    Args:
        progress: called with the name of each measurement before it starts.
    """
    if progress:
        progress("alignment step")
    net, z, region, target = problem()
    parameters = list(net.parameters())

    def cross_entropy(points: Tensor, rows: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(net(points), target[rows], reduction="none")

    settings = InnerProblem(ALPHA, tolerance=TOLERANCE, iterations=SEARCH, solves=50, residual=1e-3)
    objective, norms, ends = settings.objective(cross_entropy, z), {}, {}

    def ours() -> Tensor:
        term = align(cross_entropy, z, region, settings, relative=False)
        if not term.arrived:
            raise RuntimeError(f"no counterfactual has reached |grad T| <= {TOLERANCE:.0e}")
        torch.autograd.grad(term.loss, parameters)
        norms["ours"], ends["arrived"] = term.gradient_norm, term.arrived
        return term.loss.detach()[None]

    def published() -> Tensor:
        loss, norms["plain"] = published_step(objective, z, region, parameters)
        return loss[None]

    plain_s, ours_s, theirs, found = in_turn(published, ours, rounds, warm_up=lambda: net(z))
    made = row(
        f"one alignment step, batch {BATCH}, latent {' x '.join(map(str, LATENT))}", ours_s, plain_s, theirs, found
    )
    made |= {"gradient_norm": norms["ours"], "plain_gradient_norm": norms["plain"]}
    return [made], [
        f"Largest |grad T| of the batch: ours {norms['ours']:.1e} ({ends['arrived']:.0%} of the counterfactuals take "
        f"part), 200 Adam steps {norms['plain']:.1e}, {norms['plain'] / norms['ours']:.0f} times as large. The loss is "
        f"{float(found):.4f} by ours and {float(theirs):.4f} by theirs; max_difference is of these."
    ]


def problem(seed: int = 0) -> tuple[LatentClassifier, Tensor, Tensor, Tensor]:
    """A classifier that was taught something, latents (64, 16, 24, 24), their regions and the diagnoses wanted."""
    torch.manual_seed(seed)
    net, z = LatentClassifier(), torch.randn(BATCH, *LATENT)
    label = (torch.arange(BATCH) % 2).float()
    region = torch.zeros(BATCH, 1, *LATENT[1:])
    region[:, :, 8:16, 8:16] = 1
    z = z + label.view(-1, 1, 1, 1) * region * 0.7
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(WARM_STEPS):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(net(z), label).backward()
        optimiser.step()
    return net, z, region.expand_as(z), 1 - label


def adam_search(objective: Objective, z: Tensor) -> Solution:
    """The authors' search: 200 steps of Adam on all latents of the batch."""
    x, rows = z.clone().requires_grad_(), torch.arange(len(z))
    optimiser = torch.optim.Adam([x], ADAM_RATE)
    for _ in range(ADAM_STEPS):
        (x.grad,) = torch.autograd.grad(objective(x, rows).sum(), x)
        optimiser.step()
    (slope,) = torch.autograd.grad(objective(x, rows).sum(), x)
    taken = torch.full((len(z),), ADAM_STEPS)
    return Solution(x.detach(), slope.flatten(1).norm(dim=1), taken, torch.ones_like(z, dtype=torch.bool))


def published_step(
    objective: Objective, z: Tensor, region: Tensor, parameters: list[nn.Parameter]
) -> tuple[Tensor, float]:
    """Adam's search and the gradient through where it ended, by conjugate gradients as the authors stop them (a
    relative residual of 0.1), whether or not it is a minimum. The loss, and the largest |grad T|.
    """
    solution = adam_search(objective, z)
    x = solution.x.requires_grad_()
    (slope,) = torch.autograd.grad(objective(x, torch.arange(len(z))).sum(), x, create_graph=True)
    outside = ((x - z) * (1 - region)).abs().flatten(1).sum(1).mean()
    (upstream,) = torch.autograd.grad(outside, x)

    def product(v: Tensor) -> Tensor:
        return torch.autograd.grad(slope, x, v, retain_graph=True)[0]

    v, _ = conjugate_gradients(product, upstream, 0.1, 50)
    torch.autograd.grad(slope, parameters, -v)
    return outside.detach(), float(solution.gradient_norm.max())
