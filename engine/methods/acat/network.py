"""The networks of ACAT (sections 3.1 and 4.2, appendix B of Fontanella et al. 2023): baseline classifiers, and the
two-branch network.

Every network reads volumes (B, S, H, W) of any size and any number of slices, one slice at a time, and returns
log-probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PRESENCE, SIDES = 2, 3  # heads of the multi-task network: lesion or not; left, right or both


class Stages(nn.ModuleList):
    """Four parts of a convolutional backbone, each (N, C, H, W) -> (N, C', H', W'); attention stands after the first
    three, the fused mask after the last. `width` is the last C'.
    """

    def __init__(self, parts: Sequence[nn.Module], channels: int, width: int):
        super().__init__(parts)
        if len(self) != 4:
            raise ValueError(f"a backbone has four stages, got {len(self)}.")
        self.channels, self.width = channels, width


def _convolution(inward: int, outward: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, 3, stride, 1, bias=False), nn.BatchNorm2d(outward), nn.ReLU(inplace=True)
    )


def seven_layers(width: int = 16) -> Stages:
    """The seven convolutions of the multi-task network; attention after the first, third and fifth.

    Strides and widths are ours: the paper names only their number.
    """
    w = (width, 2 * width, 2 * width, 4 * width, 4 * width, 8 * width, 8 * width)
    c = [_convolution(i, o, s) for i, o, s in zip((1, *w[:-1]), w, (2, 1, 2, 1, 2, 1, 1), strict=True)]
    return Stages([c[0], nn.Sequential(*c[1:3]), nn.Sequential(*c[3:5]), nn.Sequential(*c[5:])], 1, w[-1])


class _Residual(nn.Module):
    def __init__(self, inward: int, outward: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            _convolution(inward, outward, stride),
            nn.Conv2d(outward, outward, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outward),
        )
        same = stride == 1 and inward == outward
        self.short = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inward, outward, 1, stride, bias=False), nn.BatchNorm2d(outward))
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.short(x))


def small_resnet(width: int = 24) -> Stages:
    """A residual network of one block a stage, for two processor cores; the paper takes a ResNet-50, `resnet50`."""
    w = (width, 2 * width, 4 * width, 8 * width)
    first = nn.Sequential(_convolution(1, w[0], 2), _Residual(w[0], w[0], 2))
    return Stages([first, _Residual(w[0], w[1], 2), _Residual(w[1], w[2], 2), _Residual(w[2], w[3], 1)], 1, w[3])


def resnet50() -> Stages:
    """The paper's backbone for lungs, untrained; grey slices are repeated to three channels."""
    from torchvision.models import resnet50 as network

    whole = network(weights=None)
    first = nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool, whole.layer1)
    return Stages([first, whole.layer2, whole.layer3, whole.layer4], 3, 2048)


BACKBONES = {"seven_layers": seven_layers, "small_resnet": small_resnet, "resnet50": resnet50}


def as_pictures(volume: Tensor, channels: int) -> Tensor:
    """(B, S, H, W) -> (B S, C, H, W)."""
    pictures = volume.flatten(0, 1)[:, None]
    return pictures.expand(-1, channels, -1, -1) if channels > 1 else pictures


def halves(volume: Tensor) -> Tensor:
    """(B, S, H, W) -> (2 B, S, H, W / 2): first all left halves of the pictures, then all right ones mirrored, so that
    one network reads both. A middle column of an odd width belongs to both.
    """
    half = (volume.shape[-1] + 1) // 2
    return torch.cat([volume[..., :half], volume[..., -half:].flip(-1)])


class Head(nn.Module):
    """Features of a scan -> log-probabilities of its classes."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features).log_softmax(1)  # (B, K)


class MultiTaskHead(nn.Module):
    """Presence and side (appendix B): log-probabilities of no lesion, left, right, both (B, 4).

    Their cross-entropy is the sum of the two heads' cross-entropies, the side's over positive scans alone.
    """

    def __init__(self, width: int):
        super().__init__()
        self.presence, self.side = nn.Linear(width, PRESENCE), nn.Linear(width, SIDES)

    def forward(self, features: Tensor) -> Tensor:
        presence, side = self.presence(features).log_softmax(1), self.side(features).log_softmax(1)
        return torch.cat([presence[:, :1], presence[:, 1:] + side], 1)


class Baseline(nn.Module):
    """The classifier that ACAT starts from: every slice by itself, features pooled over pixels, averaged over slices.

    Args:
        backbone: a name of `BACKBONES`.
        classes: K; 4 with `half_brain`.
        half_brain: whether left and right halves of each slice are read apart, as the multi-task network does.
    """

    def __init__(self, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int):
        super().__init__()
        if half_brain and classes != 1 + SIDES:
            raise ValueError(f"a half-brain network tells {1 + SIDES} classes apart, got {classes}.")
        self.stages, self.half_brain = BACKBONES[backbone](**sizes), half_brain
        self.head_width = (1 + half_brain) * self.stages.width
        self.head = MultiTaskHead(self.head_width) if half_brain else Head(self.head_width, classes)

    def features(self, volume: Tensor) -> Tensor:
        """(B, S, C') of each slice, C' twice the width with `half_brain`."""
        parts = halves(volume) if self.half_brain else volume
        maps = as_pictures(parts, self.stages.channels)
        for stage in self.stages:
            maps = stage(maps)
        return joined(maps.mean((2, 3)).unflatten(0, parts.shape[:2]), self.half_brain)

    def forward(self, volume: Tensor) -> Tensor:
        return self.head(self.features(volume).mean(1))


def joined(features: Tensor, half_brain: bool) -> Tensor:
    """(2 B, S, C) of the halves -> (B, S, 2 C)."""
    return torch.cat(features.chunk(2), 2) if half_brain else features


class SaliencyAttention(nn.Module):
    """One attention module: the saliency branch's features, their largest over the channels, a 3 x 3 convolution and a
    sigmoid give the mask S_s; the image branch gives F + F S_s (Eq. 1 and the skip connection below it).
    """

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, image: Tensor, saliency: Tensor) -> tuple[Tensor, Tensor]:
        """Args: (N, C, H, W) both. Returns: what goes on in the image branch, and the mask (N, 1, H, W)."""
        mask = torch.sigmoid(self.convolution(saliency.amax(1, keepdim=True)))
        return image + image * mask, mask


class Fusion(nn.Module):
    """The fused mask S_f: the three masks, averaged down to the last features' size, weighed by a 1 x 1 convolution.

    Its sigmoid is ours, so that S_f is a mask as the others are; the authors' code pools to 4 x 4 always, which ties
    the network to one picture size.
    """

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 1, 1)

    def forward(self, image: Tensor, masks: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        height, width = image.shape[-2:]
        pooled = torch.cat([F.adaptive_avg_pool2d(mask, (height, width)) for mask in masks], 1)
        fused = torch.sigmoid(self.convolution(pooled))
        return image + image * fused, fused


class SliceAttention(nn.Module):
    """The mask over slices (section 4.2): an MLP with one hidden layer, leaky ReLU, dropout and a sigmoid.

    It reads one slice at a time where the authors' reads all at once, so that any number of slices will do; the
    weighted mean keeps the features' size.
    """

    def __init__(self, width: int, hidden: int = 64):
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(width, hidden), nn.LeakyReLU(), nn.Dropout(0.1), nn.Linear(hidden, 1), nn.Sigmoid()
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, C) -> (B, C) and the mask (B, S)."""
        weights = self.weigh(features)  # (B, S, 1)
        return (features * weights).sum(1) / weights.sum(1).clamp_min(1e-6), weights[..., 0]


class ACAT(nn.Module):
    """The two-branch network: saliency steers the image branch after its early, middle and late layers, and once more
    before the head.
    """

    def __init__(self, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int):
        super().__init__()
        self.image = Baseline(backbone, classes, half_brain, **sizes)
        self.saliency = nn.ModuleList(list(BACKBONES[backbone](**sizes))[:3])  # the last stage would steer nothing
        self.attention = nn.ModuleList(SaliencyAttention() for _ in range(3))
        self.fusion = Fusion()
        self.slices = SliceAttention(self.image.head_width)

    @classmethod
    def from_baseline(
        cls, baseline: Baseline, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int
    ) -> ACAT:
        """Fine-tuning starts from the baseline's weights, in both branches (the authors' saliency branch
        starts from chance).
        """
        network = cls(backbone, classes, half_brain, **sizes)
        network.image.load_state_dict(baseline.state_dict())
        for own, theirs in zip(network.saliency, baseline.stages, strict=False):
            own.load_state_dict(theirs.state_dict())
        return network

    def forward(self, volume: Tensor, saliency: Tensor) -> Tensor:
        return self.explained(volume, saliency)[0]

    def explained(self, volume: Tensor, saliency: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Log-probabilities (B, K); the early, middle, late and fused masks (B, S, h, w), of both halves side by side
        where there are two; and the slices' weights (B, S).

        Args:
            volume: (B, S, H, W).
            saliency: (B, S, H, W) in [0, 1], of the same voxels.
        """
        if volume.shape != saliency.shape:
            raise ValueError(
                f"saliency must have the volume's shape {tuple(volume.shape)}, got {tuple(saliency.shape)}."
            )
        half, channels = self.image.half_brain, self.image.stages.channels
        parts = halves(volume) if half else volume
        shape = parts.shape[:2]
        f, s = as_pictures(parts, channels), as_pictures(halves(saliency) if half else saliency, channels)
        masks = []
        for stage, beside, attend in zip(self.image.stages, self.saliency, self.attention, strict=False):
            f, s = stage(f), beside(s)
            f, mask = attend(f, s)
            masks.append(mask)
        f, fused = self.fusion(self.image.stages[-1](f), masks)
        whole, weights = self.slices(joined(f.mean((2, 3)).unflatten(0, shape), half))
        shown = [_whole(mask[:, 0].unflatten(0, shape), half) for mask in (*masks, fused)]
        return self.image.head(whole), shown, weights


def _whole(masks: Tensor, half_brain: bool) -> Tensor:
    """Masks of halves (2 B, S, h, w) side by side again (B, S, h, 2 w)."""
    if not half_brain:
        return masks
    left, right = masks.chunk(2)
    return torch.cat([left, right.flip(-1)], -1)
