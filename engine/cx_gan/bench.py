"""How fast CX-GAN explains, against one picture and one frame at a time: as ratios within one run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints import shipped
from engine.cx_gan.explain import CxGanModel
from engine.cx_gan.network import MapGenerator
from engine.discrepancy.model import STEPS
from engine.registry import open_model
from engine.timing import in_turn, row

PICTURES, SIDE = 32, 128


def bench(rounds: int = 3, progress: Callable[[str], None] | None = None) -> tuple[list[dict], list[str]]:
    """Rows with `name`, `ours_s`, `plain_s`, `ratio` and `max_difference` (of the probabilities), and remarks.

    Args:
        progress: called with the name of each measurement before it starts.
    """
    names = [name for name in shipped() if name.startswith("cx-gan")]
    if not names:
        return [], ["no CX-GAN checkpoint is shipped; train one with python -m engine train cx_gan."]
    if progress:
        progress("batch")
    model = open_model(names[0], "cpu")
    pictures = np.random.default_rng(0).uniform(-0.9, 0.9, (PICTURES, SIDE, SIDE)).astype(np.float32)
    plain = MapGenerator(model.net.architecture).eval().requires_grad_(False)
    plain.load_state_dict(model.net.state_dict())
    plain_s, ours_s, theirs, ours = in_turn(
        lambda: _one_by_one(plain, model, pictures), lambda: torch.from_numpy(model.looked_at(pictures)[1]), rounds
    )
    return [row(f"{PICTURES} pictures of {SIDE} x {SIDE} explained, {names[0]}", ours_s, plain_s, theirs, ours)], []


@torch.inference_mode()
def _one_by_one(net: MapGenerator, model: CxGanModel, pictures: np.ndarray) -> Tensor:
    """Probabilities (B, K) along the counterfactual paths: float32, the default memory layout, one forward a frame."""
    paths = []
    for picture in pictures:
        x = torch.from_numpy(picture)[None, None]
        change = net(x)
        sizes = [net((x + float(a) * change).clamp(-1, 1)) for a in STEPS]
        paths.append(torch.cat([model.probability_of(size) for size in sizes]))
    return torch.stack(paths)
