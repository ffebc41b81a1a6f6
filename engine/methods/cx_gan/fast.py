"""A trained map generator arranged for looking at pictures: the same function with fewer multiplications."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.methods.cx_gan.network import Down, MapGenerator, Up
from engine.networks.enlarging import doubled
from engine.networks.weights import all_of

# Row t: which taps of a 3-tap convolution after doubling by nearest neighbour meet in tap t of a transposed one before
# it.
MEETING = ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0))


class FastMapGenerator:
    """M of a trained `MapGenerator`, on its device; later changes of its weights are not seen.

    Doubling the grid and then convolving 3 x 3 multiplies every picture point up to four times by weights that can be
    added
    first: it is one transposed convolution 4 x 4 of stride 2, the borders included, at 4 / 9 of the cost. The input and
    tanh are float32 whatever the precision. A network that doubles bilinearly is left as it is.

    Args:
        precision: of the layers, torch.float32 or torch.bfloat16.
    """

    @torch.no_grad()
    def __init__(self, net: MapGenerator, precision: torch.dtype = torch.float32):
        self.precision = precision
        downs, ups = all_of(Down, net.down), all_of(Up, net.up)
        lasts = all_of(nn.Conv2d, (net.last[0], net.last[2]))
        self._down = [(*self._kernel(down.layer.weight, down.layer), *self._affine(down.norm)) for down in downs]
        self._smooth = net.architecture.upsampling == "bilinear"
        kernels = [up.layer.weight if self._smooth else doubling(up.layer.weight) for up in ups]
        self._up = [(*self._kernel(kernel, up.layer), *self._affine(up.norm)) for kernel, up in zip(kernels, ups)]
        self._last = [self._kernel(last.weight, last) for last in lasts]

    def __call__(self, x: Tensor) -> Tensor:
        """Pictures (B, 1, H, W) to maps (B, 1, H, W), float32."""
        start = hidden = x.to(self.precision, memory_format=torch.channels_last)
        skips = []
        for weight, bias, scale, shift in self._down:
            hidden = F.leaky_relu_(F.conv2d(hidden, weight, bias, stride=2, padding=1), 0.2)
            hidden = hidden if scale is None else F.group_norm(hidden, 1, scale, shift)
            skips.append(hidden)
        skips.pop()
        for place, (weight, bias, scale, shift) in enumerate(self._up):
            hidden = torch.cat([hidden, skips.pop()], dim=1) if place else hidden
            if self._smooth:
                hidden = F.conv2d(doubled(hidden), weight, bias, padding=1)
            else:
                hidden = F.conv_transpose2d(hidden, weight, bias, stride=2, padding=1)
            hidden = F.group_norm(F.relu_(hidden), 1, scale, shift)
        (before, its_bias), (last, last_bias) = self._last
        hidden = F.relu_(F.conv2d(_framed(torch.cat([hidden, start], dim=1)), before, its_bias))
        return torch.tanh_(F.conv2d(_framed(hidden), last, last_bias).float())

    def _kernel(self, weight: Tensor, layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
        """Weight and bias."""
        assert layer.bias is not None, "every convolution of M has a bias"
        kernel = weight.detach().to(self.precision).contiguous(memory_format=torch.channels_last)
        return kernel, layer.bias.detach().to(self.precision)

    def _affine(self, norm: nn.Module) -> tuple[Tensor | None, Tensor | None]:
        """Scale and shift, None where nothing is normalised."""
        if not isinstance(norm, nn.GroupNorm):
            return None, None
        return norm.weight.detach().to(self.precision), norm.bias.detach().to(self.precision)


def doubling(weight: Tensor) -> Tensor:
    """Of a 3 x 3 convolution (O, I, 3, 3) that follows a doubling of the grid, the transposed one (I, O, 4,
    4) that is both.
    """
    meeting = torch.tensor(MEETING, device=weight.device, dtype=weight.dtype)
    return torch.einsum("oiyx,ay,bx->ioab", weight, meeting, meeting)


def _framed(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), "reflect")
