"""CXPlain (Schwab and Karlen 2019): a second network learns how much the classifier's error grows when a
patch is hidden.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from engine.attribution.cam import Classifier

PATCHES = 14  # a side; what is hidden at once is size / PATCHES pixels wide
STEPS = 300
BATCH = 4  # pictures a step


class Explainer(nn.Module):
    """One logarithm of importance a patch: x (B, 1, H, W) -> (B, PATCHES * PATCHES), a distribution."""

    def __init__(self, width: int = 16):
        super().__init__()
        widths = [width, 2 * width, 4 * width]
        self.layers = nn.Sequential(
            *(
                part
                for before, after in zip([1, *widths], widths)
                for part in (
                    nn.Conv2d(before, after, 3, 1, 1, padding_mode="reflect"),
                    nn.ReLU(),
                    nn.GroupNorm(1, after),
                    nn.AvgPool2d(2),
                )
            )
        )
        self.last = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        drawn = F.adaptive_avg_pool2d(self.last(self.layers(x)), PATCHES)
        return F.log_softmax(drawn.flatten(1), dim=1)


@torch.no_grad()
def importance(classifier: Classifier, x: Tensor) -> Tensor:
    """How much each patch lowers the classifier's error, (B, PATCHES * PATCHES), each row adding up to 1.

    The error is the cross-entropy of "abnormal"; a hidden patch takes the picture's mean. Where nothing helps all are
    alike.
    """
    side = x.shape[2]
    edges = np.linspace(0, side, PATCHES + 1).round().astype(int)
    rows = []
    for picture in x:
        hidden = picture.expand(PATCHES**2, -1, -1, -1).clone()
        for place, (i, j) in enumerate(np.ndindex(PATCHES, PATCHES)):
            hidden[place, :, edges[i] : edges[i + 1], edges[j] : edges[j + 1]] = picture.mean()
        gain = (F.softplus(-classifier(hidden)) - F.softplus(-classifier(picture[None]))).clamp_min(0)
        total = gain.sum()
        rows.append(gain / total if total > 0 else torch.full_like(gain, 1 / PATCHES**2))
    return torch.stack(rows)


def explainer(classifier: Classifier, batches, seed: int = 42) -> Explainer:
    """Trained on the Kullback-Leibler divergence from `importance`.

    Args:
        batches: step -> `BATCH` abnormal training pictures (B, 1, H, W).
    """
    torch.manual_seed(seed)
    net = Explainer()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in tqdm(range(STEPS), unit="step", desc="CXPlain", mininterval=2.0):
        x = batches(step)
        optimiser.zero_grad()
        F.kl_div(net(x), importance(classifier, x), reduction="batchmean").backward()
        optimiser.step()
    return net.eval()


@torch.no_grad()
def cxplain(net: Explainer, x: Tensor) -> np.ndarray:
    """Maps (B, H, W), not negative: the predicted importance of each patch, enlarged bilinearly."""
    drawn = net(x).exp().view(len(x), 1, PATCHES, PATCHES)
    return F.interpolate(drawn, x.shape[2:], mode="bilinear", align_corners=False)[:, 0].numpy()
