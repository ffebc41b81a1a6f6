"""Attri-Net's networks: the class attribution generator M, the critic D, the linear classifiers and the
class centres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.enlarging import ResizeConvolution, check_upsampling
from engine.training.presets import whole_numbers

HIGHEST = 0.999  # |x| beyond which artanh is not asked


@dataclass(frozen=True)
class Architecture:
    """Sizes of Attri-Net; the defaults are the paper's (Tables 9 and 10, 55,860,281 parameters at five findings).

    Attributes:
        size: side of the square input in pixels; at least 2 ** (critic_layers - 1) * 2 + 8.
        width: channels of the first layer (64 in the paper).
        residual_blocks: the paper's table shows "two residual lines", its parameter count fits six blocks of two.
        critic_layers: convolutions of the critic before its last; all but the first halve the grid.
        pool: gamma of Eq. 4; the classifier sees a grid of (size / pool) squared averages.
        code_repeat: how often each element of the one-hot task code stands (20 in the paper).
        upsampling: "transposed" as in the paper, or "resized", which leaves no checkerboard.
    """

    size: int = 320
    width: int = 64
    residual_blocks: int = 6
    critic_layers: int = 6
    pool: int = 32
    code_repeat: int = 20
    upsampling: str = "transposed"

    def __post_init__(self):
        whole_numbers(self)
        check_upsampling(self.upsampling)
        if self.size % self.pool or self.size % 4:
            raise ValueError(f"size must be a multiple of 4 and of pool, got size {self.size} and pool {self.pool}")
        smallest = 2 ** (self.critic_layers - 1) * 2 + 8
        if self.size < smallest:
            raise ValueError(
                f"a critic of {self.critic_layers} layers needs pictures of {smallest} pixels or more, got {self.size}"
            )


class EqualisedLinear(nn.Module):
    """A linear layer whose weights are N(0, 1) and scaled by sqrt(2 / fan_in) at run time, as in the authors' code."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.gain = math.sqrt(2 / inputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, self.bias)


class TaskEmbedding(nn.Module):
    """Task index to task code t_c to task embedding t'_c: pixel norm, then eight linear layers (Table 9)."""

    codes: Tensor

    def __init__(self, tasks: int, repeat: int, layers: int = 8):
        super().__init__()
        self.register_buffer("codes", torch.eye(tasks).repeat_interleave(repeat, dim=1), persistent=False)  # (C, E)
        self.layers = nn.ModuleList(EqualisedLinear(tasks * repeat, tasks * repeat) for _ in range(layers))

    def forward(self, task: Tensor) -> Tensor:
        code = self.codes[task]  # (B, E)
        code = code * torch.rsqrt(code.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            code = F.leaky_relu(layer(code), 0.2)
        return code


class AdaIN(nn.Module):
    """Adaptive instance normalisation: the task sets scale and shift of every channel (3.2)."""

    def __init__(self, channels: int, embedding: int):
        super().__init__()
        self.style = EqualisedLinear(embedding, 2 * channels)
        with torch.no_grad():
            self.style.bias[:channels] = 1.0

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.style(embedding).to(x.dtype)[:, :, None, None].chunk(2, dim=1)  # (B, C, 1, 1) each
        return F.instance_norm(x) * scale + shift


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int, padding: int, mode: Literal["zeros", "reflect"]
) -> nn.Conv2d:
    """A convolution without bias, initialised as in the authors' code (Kaiming normal with slope 2, a gain of 0.63)."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False, padding_mode=mode)
    nn.init.kaiming_normal_(layer.weight, a=2)
    return layer


class AdaConv(nn.Module):
    """Convolution (or its transpose), AdaIN, ReLU."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d | ResizeConvolution, channels: int, embedding: int):
        super().__init__()
        self.layer, self.norm = layer, AdaIN(channels, embedding)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return F.relu(self.norm(self.layer(x), embedding))


class AdaResBlock(nn.Module):
    """Two 3x3 convolutions with AdaIN and a skip; ReLU after the first only, none after the sum."""

    def __init__(self, channels: int, embedding: int, mode: Literal["zeros", "reflect"]):
        super().__init__()
        self.first = AdaConv(convolution(channels, channels, 3, 1, 1, mode), channels, embedding)
        self.second = convolution(channels, channels, 3, 1, 1, mode)
        self.norm = AdaIN(channels, embedding)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return x + self.norm(self.second(self.first(x, embedding)), embedding)


class Generator(nn.Module):
    """The class attribution generator: M_c(x) such that x + M_c(x) looks as if finding c were absent (3.2, Table 9).

    The paper writes M = tanh(x + out) - x, which cannot express "no change" where |x| is near 1 and costs effort
    everywhere else. Here M = tanh(artanh(x) + out) - x: out = 0 is exactly no change, and x + M still lies in (-1, 1).
    Training must not start from "no change": there L1 holds M before the features that would move it are learned.
    Convolutions reflect at the borders, because zero padding under instance normalisation draws frames into the map.

    Shape:
        x (B, 1, H, W) in (-1, 1), task (B,) int64 -> M (B, 1, H, W).
    """

    def __init__(self, tasks: int, architecture: Architecture):
        super().__init__()
        w, e = architecture.width, tasks * architecture.code_repeat
        self.embedding = TaskEmbedding(tasks, architecture.code_repeat)
        self.down = nn.ModuleList(
            [
                AdaConv(convolution(1, w, 7, 1, 3, "reflect"), w, e),
                AdaConv(convolution(w, 2 * w, 4, 2, 1, "reflect"), 2 * w, e),
                AdaConv(convolution(2 * w, 4 * w, 4, 2, 1, "reflect"), 4 * w, e),
            ]
        )
        self.blocks = nn.ModuleList(AdaResBlock(4 * w, e, "reflect") for _ in range(architecture.residual_blocks))
        self.up = nn.ModuleList()
        for channels in (4 * w, 2 * w):
            if architecture.upsampling == "resized":
                layer = ResizeConvolution(channels, channels // 2, slope=2)
            else:
                layer = nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)
                nn.init.kaiming_normal_(layer.weight, a=2)
            self.up.append(AdaConv(layer, channels // 2, e))
        self.last = convolution(w, 1, 7, 1, 3, "reflect")

    def forward(self, x: Tensor, task: Tensor) -> Tensor:
        embedding = self.embedding(task)  # (B, E)
        out = x
        for layer in (*self.down, *self.blocks, *self.up):
            out = layer(out, embedding)
        out = self.last(out).float()
        x = x.float()
        return torch.tanh(torch.atanh(x.clamp(-HIGHEST, HIGHEST)) + out) - x


class Critic(nn.Module):
    """D_c(x): how much x looks like a picture without finding c; one number a picture (Table 10).

    Shape:
        x (B, 1, H, W), task (B,) int64 -> (B,).
    """

    def __init__(self, tasks: int, architecture: Architecture):
        super().__init__()
        w, e = architecture.width, tasks * architecture.code_repeat
        self.embedding = TaskEmbedding(tasks, architecture.code_repeat)
        self.layers = nn.ModuleList([AdaConv(convolution(1, w, 4, 1, 1, "zeros"), w, e)])
        for depth in range(architecture.critic_layers - 1):
            channels = w * 2**depth
            self.layers.append(AdaConv(convolution(channels, 2 * channels, 4, 2, 1, "zeros"), 2 * channels, e))
        self.last = convolution(w * 2 ** (architecture.critic_layers - 1), 1, 3, 1, 1, "zeros")

    def forward(self, x: Tensor, task: Tensor) -> Tensor:
        embedding = self.embedding(task)
        for layer in self.layers:
            x = layer(x, embedding)
        return self.last(x).float().mean(dim=(1, 2, 3))


class Classifiers(nn.Module):
    """One logistic regression a finding on the pooled attribution map (Eq. 4).

    Weights start at one small negative value (the authors' start is random, of about this size): to take an opacity
    away is evidence for it. A random start asks M for changes of a random sign; at zero, neither M nor the weights
    would move.

    Shape:
        maps (B, 1, H, W), task (B,) -> log-odds (B,).
    """

    def __init__(self, tasks: int, architecture: Architecture):
        super().__init__()
        self.pool, self.side = architecture.pool, architecture.size // architecture.pool
        self.weight = nn.Parameter(torch.full((tasks, self.side, self.side), -0.1))
        self.bias = nn.Parameter(torch.zeros(tasks))

    def forward(self, maps: Tensor, task: Tensor) -> Tensor:
        pooled = F.avg_pool2d(maps, self.pool)[:, 0]  # S_gamma(M), (B, h, w)
        return (self.weight[task] * pooled).sum(dim=(1, 2)) + self.bias[task]  # Eq. 4 of Sun et al. 2025, with a bias

    def weighted(self, maps: Tensor, task: Tensor) -> Tensor:
        """The local explanation (3.6.1), (B, 1, H, W): its mean over a pooled cell is that cell's share of
        the log-odds.
        """
        weight = self.weight[task].repeat_interleave(self.pool, dim=1).repeat_interleave(self.pool, dim=2)
        return maps * weight[:, None]


class Centres(nn.Module):
    """Class centres v of Eq. 5: the running mean attribution map of pictures without (0) and with (1) each finding."""

    value: Tensor

    def __init__(self, tasks: int, architecture: Architecture):
        super().__init__()
        self.register_buffer("value", torch.zeros(tasks, 2, architecture.size, architecture.size))

    @torch.no_grad()
    def update(self, maps: Tensor, task: Tensor, present: Tensor, rate: float) -> None:
        """c <- c - rate * (c - mean of this batch's maps), as Wen et al. 2016; `maps` is the whole global batch."""
        for c in task.unique():
            for y in (0, 1):
                chosen = (task == c) & (present == y)
                if chosen.any():
                    self.value[c, y] += rate * (maps[chosen, 0].mean(dim=0) - self.value[c, y])


class AttriNet(nn.Module):
    """M, the classifiers and the centres: what is needed after training. The critic is kept apart.

    Attributes:
        findings: the C finding names; a task index points into them.
    """

    def __init__(self, findings: tuple[str, ...], architecture: Architecture):
        super().__init__()
        self.findings, self.architecture = tuple(findings), architecture
        self.generator = Generator(len(findings), architecture)
        self.classifiers = Classifiers(len(findings), architecture)
        self.centres = Centres(len(findings), architecture)

    def forward(self, x: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
        """Attribution maps (B, 1, H, W) and log-odds (B,)."""
        maps = self.generator(x, task)
        return maps, self.classifiers(maps, task)

    def every_task(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """All findings of all pictures: maps (B, C, H, W) and log-odds (B, C)."""
        maps, logits = [], []
        for c in range(len(self.findings)):
            task = torch.full((len(x),), c, dtype=torch.long, device=x.device)
            one_map, one_logit = self(x, task)
            maps.append(one_map)
            logits.append(one_logit)
        return torch.cat(maps, dim=1), torch.stack(logits, dim=1)
