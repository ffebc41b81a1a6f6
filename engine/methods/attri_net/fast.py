"""A trained Attri-Net arranged for looking at pictures: the same function, with all that no picture changes
done once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.methods.attri_net.network import HIGHEST, AdaConv, AdaIN, AdaResBlock, Architecture, AttriNet
from engine.networks.enlarging import ResizeConvolution, doubled
from engine.networks.precision import suited_to
from engine.networks.weights import all_of

WIDE = 64  # channels of the first layer (the paper's); at 32 float32 is as quick, at 16 quicker


def suited_precision(device: torch.device, architecture: Architecture) -> torch.dtype:
    """bfloat16 for a wide network on a CPU that multiplies matrices of it in hardware, else float32."""
    return suited_to(device, architecture.width, WIDE)


class FastAttriNet:
    """M and the linear classifiers of a trained `AttriNet`, on its device; later changes of its weights are not seen.

    AdaIN's scales and shifts are computed once a task and applied by the normalisation itself; the first convolution,
    before which no task is known, is done once a picture. The input, tanh, artanh and the classifiers are float32
    whatever the precision.

    Attributes:
        precision: of M's layers, torch.float32 or torch.bfloat16.
    """

    @torch.no_grad()
    def __init__(self, net: AttriNet, precision: torch.dtype = torch.float32):
        generator = net.generator
        self.precision, self.tasks, self._classifiers = precision, len(net.findings), net.classifiers
        everyone = torch.arange(self.tasks, device=generator.last.weight.device)
        self._embedding = generator.embedding(everyone)  # (C, E)
        self._down = [(self._kernel(down.layer), self._style(down.norm)) for down in all_of(AdaConv, generator.down)]
        self._blocks = [
            (
                self._kernel(block.first.layer),
                self._style(block.first.norm),
                self._kernel(block.second),
                self._style(block.norm),
            )
            for block in all_of(AdaResBlock, generator.blocks)
        ]
        self._resized = net.architecture.upsampling == "resized"
        self._up = [(self._kernel(up.layer), self._style(up.norm)) for up in all_of(AdaConv, generator.up)]
        self._last = self._kernel(generator.last)

    def opened(self, x: Tensor) -> Tensor:
        """The first convolution of pictures (B, 1, H, W), the same for every task: (B, width, H, W)."""
        kernel, _ = self._down[0]
        return _convolved(x.to(self.precision, memory_format=torch.channels_last), *kernel)

    def task(self, x: Tensor, c: int, opened: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Finding c of pictures x (B, 1, H, W): maps M_c(x) (B, 1, H, W) and log-odds (B,).

        Args:
            opened: `opened(x)`, where it is at hand.
        """
        hidden = self.opened(x) if opened is None else opened
        hidden = F.relu_(_normalised(hidden, self._down[0][1], c))
        for kernel, style in self._down[1:]:
            hidden = F.relu_(_normalised(_convolved(hidden, *kernel), style, c))
        for first, first_style, second, second_style in self._blocks:
            inner = F.relu_(_normalised(_convolved(hidden, *first), first_style, c))
            hidden = hidden + _normalised(_convolved(inner, *second), second_style, c)
        for (weight, stride, padding), style in self._up:
            if self._resized:
                hidden = _convolved(doubled(hidden), weight, stride, padding)
            else:
                hidden = F.conv_transpose2d(hidden, weight, stride=stride, padding=padding)
            hidden = F.relu_(_normalised(hidden, style, c))
        out = _convolved(hidden, *self._last).float()
        maps = torch.tanh(torch.atanh(x.clamp(-HIGHEST, HIGHEST)) + out) - x
        return maps, self._classifiers(maps, torch.full((len(x),), c, dtype=torch.long, device=x.device))

    def every_task(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """All findings of all pictures: maps (B, C, H, W) and log-odds (B, C)."""
        opened = self.opened(x)
        maps, logits = zip(*(self.task(x, c, opened) for c in range(self.tasks)))
        return torch.cat(maps, dim=1), torch.stack(logits, dim=1)

    def _kernel(
        self, layer: nn.Conv2d | nn.ConvTranspose2d | ResizeConvolution
    ) -> tuple[Tensor, tuple[int, ...], tuple[int, ...]]:
        """Weight, stride and padding."""
        layer = layer.layer if isinstance(layer, ResizeConvolution) else layer
        weight = layer.weight.detach().to(self.precision)
        if isinstance(layer, nn.Conv2d):
            weight = weight.contiguous(memory_format=torch.channels_last)
        assert not isinstance(layer.padding, str), "every padding of M is a number"
        return weight, layer.stride, layer.padding

    def _style(self, norm: AdaIN) -> tuple[Tensor, Tensor]:
        """Scale and shift, (C, channels) each."""
        scale, shift = norm.style(self._embedding).to(self.precision).chunk(2, dim=1)
        return scale.contiguous(), shift.contiguous()


def _convolved(x: Tensor, weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...]) -> Tensor:
    across, down = padding[1], padding[0]
    return F.conv2d(F.pad(x, (across, across, down, down), "reflect"), weight, stride=stride)


def _normalised(x: Tensor, style: tuple[Tensor, Tensor], c: int) -> Tensor:
    """AdaIN: a group normalisation with one channel a group is an instance normalisation that scales and
    shifts as well.
    """
    return F.group_norm(x, x.shape[1], style[0][c], style[1][c], 1e-5)
