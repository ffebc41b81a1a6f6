"""How fast counterfactuals are made, against one picture and one counterfactual at a time: as ratios within one run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from engine.bias.interventions import GENERATOR_METHOD
from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.datasets.phantom.collection import Phantom
from engine.methods.cit_lr.diffusion import NoiseIn
from engine.methods.cit_lr.generator import BATCH, DiffusionInterventions
from engine.registry import open_generator
from engine.timing import in_turn, row

PICTURES, SIDE, PLAIN = 200, 128, 10
SCALED = f"the plain loop was timed on {PLAIN} of the {PICTURES} pictures and counted {PICTURES // PLAIN} times"


def bench(rounds: int = 3, progress: Callable[[str], None] | None = None) -> tuple[list[dict], list[str]]:
    """Rows with `name`, `ours_s`, `plain_s`, `ratio` and `max_difference` (of pictures, as share of their range), and
    remarks.

    Args:
        progress: called with the name of each measurement before it starts.
    """
    names = [name for name in shipped() if open_checkpoint(name).method == GENERATOR_METHOD]
    if not names:
        return [], ["no checkpoint of CIT-LR is shipped; train one with python -m engine train cit_lr."]
    generator = open_generator(names[0], "cpu")
    phantom = Phantom(PICTURES)
    attribute = next(iter(generator.attributes))
    codes = generator.codes(phantom, np.arange(PICTURES))
    k = [*generator.attributes].index(attribute)
    x = np.stack([generator.preprocessing.apply(phantom.image(i, SIDE)) for i in range(PICTURES)])
    plain = deepcopy(generator.nets.denoiser).float()
    if progress:
        progress(f"two counterfactuals of {attribute}")

    def ours() -> Tensor:
        parts = [slice(start, start + BATCH) for start in range(0, PICTURES, BATCH)]
        return torch.from_numpy(np.concatenate([generator.sampled(x[part], codes[part], k).changed for part in parts]))[
            :PLAIN
        ]

    def one_by_one(count: int = PLAIN) -> Tensor:
        return _one_by_one(generator, plain, x[:count], codes[:count], k)

    plain_s, ours_s, theirs, made = in_turn(
        one_by_one, ours, rounds, lambda: (one_by_one(1), generator.sampled(x[:BATCH], codes[:BATCH], k))
    )
    value_range = 2 * generator.preprocessing.value_range
    seen = f"{PICTURES} films of {SIDE} x {SIDE}, seen at {generator.size} x {generator.size}"
    name = f"{seen}, two counterfactuals each, {names[0]}, {str(generator.precision).removeprefix('torch.')}"
    return [row(name, ours_s, plain_s * PICTURES / PLAIN, theirs / value_range, made / value_range)], [SCALED]


@torch.inference_mode()
def _one_by_one(
    generator: DiffusionInterventions, denoiser: nn.Module, pictures: np.ndarray, codes: np.ndarray, k: int
) -> Tensor:
    """(n, m, s, s): every counterfactual made from its picture anew, float32, with and without the
    condition in two calls.
    """
    nets, d, w, made = generator.nets, generator.diffusion, generator.nets.guidance[k], []

    def noise_under(own: Tensor) -> NoiseIn:
        without = own.clone()
        without[:, k] = -1

        def noise_in(z: Tensor, t: Tensor) -> Tensor:
            conditional, unconditional = denoiser(z, t, own), denoiser(z, t, without)
            return unconditional + w * (conditional - unconditional)

        return noise_in

    for picture, own, targets in zip(pictures, codes, generator.target_codes(codes, k)):
        counterfactuals = []
        for target in targets:
            z = nets.autoencoder.encode(torch.from_numpy(picture)[None, None])
            noise = nets.perturbation(d.invert(z, noise_under(torch.from_numpy(own)[None])))
            edited = d.sample(noise, noise_under(torch.from_numpy(target)[None]))
            counterfactuals.append(nets.autoencoder.decode(edited).clamp(-1, 1)[0, 0])
        made.append(torch.stack(counterfactuals))
    return torch.stack(made)
