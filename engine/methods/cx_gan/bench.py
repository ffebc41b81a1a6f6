"""How fast CX-GAN explains, against one picture and one frame at a time: as ratios within one run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.datasets.phantom.collection import Phantom
from engine.methods.cx_gan.explain import CxGanModel, open_model
from engine.methods.cx_gan.fast import FastMapGenerator
from engine.methods.cx_gan.network import MapGenerator
from engine.methods.map_translation.explain import STEPS
from engine.methods.map_translation.train import translated
from engine.preprocessing import Preprocessing
from engine.timing import in_turn, row

PICTURES, SIDE = 32, 128
ROUNDED = "this processor multiplies bfloat16 itself and so is given it; the row in float32 is what others do"


def bench(rounds: int = 3, progress: Callable[[str], None] | None = None) -> tuple[list[dict], list[str]]:
    """Rows with `name`, `ours_s`, `plain_s`, `ratio` and `max_difference` (of the probabilities), and remarks.

    Args:
        progress: called with the name of each measurement before it starts.
    """
    names = [name for name in shipped() if name.startswith("cx-gan")]
    if not names:
        return [], ["no CX-GAN checkpoint is shipped; train one with python -m engine train cx_gan."]
    model = open_model(open_checkpoint(names[0]), "cpu")
    prepared = Preprocessing(SIDE, model.preprocessing.percentile, model.preprocessing.value_range)
    phantom = Phantom(PICTURES)
    pictures = np.stack([prepared.apply(phantom.image(index, SIDE)) for index in range(PICTURES)])
    plain = MapGenerator(model.net.architecture).eval().requires_grad_(False)
    plain.load_state_dict(model.net.state_dict())

    def compared(precision: torch.dtype) -> dict:
        measured = in_turn(
            lambda: _one_by_one(plain, model, pictures), lambda: torch.from_numpy(model.forward(pictures)[1]), rounds
        )
        plain_s, ours_s, theirs, ours = measured
        name = f"{PICTURES} pictures of {SIDE} x {SIDE} explained, {names[0]}, {str(precision).removeprefix('torch.')}"
        return row(name, ours_s, plain_s, theirs, ours)

    if progress:
        progress("batch")
    assert isinstance(model.fast, FastMapGenerator), "CX-GAN looks at pictures with one"
    rows = [compared(model.fast.precision)]
    if model.fast.precision is torch.float32:
        return rows, []
    if progress:
        progress("batch, float32")
    model.fast = FastMapGenerator(model.net)
    return [*rows, compared(model.fast.precision)], [ROUNDED]


@torch.inference_mode()
def _one_by_one(net: MapGenerator, model: CxGanModel, pictures: np.ndarray) -> Tensor:
    """Probabilities (B, K) along the counterfactual paths: the network as it is trained, float32, the default memory
    layout, one forward a frame.
    """
    paths = []
    for picture in pictures:
        x = torch.from_numpy(picture)[None, None]
        change = net(x)
        sizes = [change, *(net(translated(x, change, float(a))) for a in STEPS[1:])]
        paths.append(torch.cat([model.probability_of(size) for size in sizes]))
    return torch.stack(paths)
