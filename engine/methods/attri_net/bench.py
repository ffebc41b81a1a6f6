"""How fast Attri-Net answers, against the same sums done plainly: as ratios within one run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.datasets.phantom.collection import FINDINGS, Phantom
from engine.methods.attri_net.explain import STEPS, AttriNetModel, open_model
from engine.methods.attri_net.fast import FastAttriNet, suited_precision
from engine.methods.attri_net.network import HIGHEST, Architecture, AttriNet
from engine.preprocessing import Preprocessing
from engine.scan import Scan
from engine.timing import in_turn, row, timed

SAMPLE = 8  # patient of the phantom's test part
FILMS = 20  # drawn for the time of one


def bench(rounds: int = 3, progress: Callable[[str], None] | None = None) -> tuple[list[dict], list[str]]:
    """Rows with `name`, `ours_s`, `plain_s`, `ratio` and `max_difference`, and remarks. Times are the best of `rounds`.

    Args:
        progress: called with the name of each measurement before it starts.
    """
    rows, remarks = [], []
    for name, measure in (("network", _paper_network), ("scan", _sample_scan), ("film", _drawn_film)):
        if progress:
            progress(name)
        found = measure(rounds)
        (remarks if isinstance(found, str) else rows).append(found)
    return rows, remarks


@torch.inference_mode()
def compared(net: AttriNet, picture: np.ndarray, rounds: int, precision: torch.dtype | None = None) -> dict:
    """All findings of one prepared picture (size, size) by the network as it is trained, in float32 and the default
    memory layout, one forward a finding as the authors do; and by what `AttriNetModel` uses.
    """
    device = torch.device("cpu")
    x = torch.from_numpy(picture)[None, None]
    plain = net.to(device).to(memory_format=torch.contiguous_format).eval()
    fast = FastAttriNet(plain, precision or suited_precision(device, net.architecture))
    prepared = x.to(memory_format=torch.channels_last)
    plain_s, ours_s, theirs, ours = in_turn(
        lambda: plain.every_task(x)[1], lambda: fast.every_task(prepared)[1], rounds
    )
    return row("", ours_s, plain_s, torch.sigmoid(theirs), torch.sigmoid(ours))


def _paper_network(rounds: int) -> dict:
    torch.manual_seed(0)
    architecture = Architecture()
    net = AttriNet(FINDINGS, architecture).requires_grad_(False)
    film = Phantom(SAMPLE + 1).image(SAMPLE, architecture.size)
    measured_row = compared(net, Preprocessing(architecture.size).apply(film), rounds)
    return measured_row | {
        "name": f"five findings of one {architecture.size} x {architecture.size} picture, the paper's network"
    }


def _sample_scan(rounds: int) -> dict | str:
    """A shipped checkpoint explains a scan, every finding with its counterfactual path."""
    names = [name for name in shipped() if name.startswith("attri-net")]
    if not names:
        return (
            "explain sample scan: no Attri-Net checkpoint is shipped; train one with python -m engine train attri_net."
        )
    name = "attri-net-phantom" if "attri-net-phantom" in names else names[0]
    model = open_model(open_checkpoint(name), "cpu")
    scan = Scan.of(Phantom(SAMPLE + 1, size=512).image(SAMPLE))
    plain = AttriNet(tuple(model.findings), model.net.architecture).eval().requires_grad_(False)
    plain.load_state_dict(model.net.state_dict())

    def ours() -> Tensor:
        paths = [record.path for record in model.explain(scan)]
        return torch.tensor(np.stack([path.probabilities for path in paths if path is not None]))

    plain_s, ours_s, theirs, found = in_turn(lambda: _explained_plainly(plain, model, scan), ours, rounds)
    return row(f"every finding of one scan explained, {name}", ours_s, plain_s, theirs, found)


@torch.inference_mode()
def _explained_plainly(net: AttriNet, model: AttriNetModel, scan: Scan) -> Tensor:
    """Probabilities (C, K) along the counterfactual paths, one forward a frame."""
    x = torch.from_numpy(model.preprocess(scan))[None, None]
    paths = []
    for c in range(len(net.findings)):
        task = torch.tensor([c])
        change, logit = net(x, task)
        frames = [(x + float(a) * change).clamp(-HIGHEST, HIGHEST) for a in STEPS[1:]]
        paths.append(torch.sigmoid(torch.cat([logit, *(net(frame, task)[1] for frame in frames)])))
    return torch.stack(paths)


def _drawn_film(rounds: int) -> dict:
    """There is no plain way to draw a phantom, so only the time is given."""
    phantom = Phantom(FILMS)
    phantom.image(0)
    seconds = min(timed(lambda: phantom.pictures(range(FILMS)))[0] for _ in range(rounds))
    measured_row = {"name": "one drawn film of 128 x 128", "ours_s": seconds / FILMS}
    return measured_row | dict.fromkeys(("plain_s", "ratio", "max_difference"))
