"""CIT-LR's networks: autoencoder, conditional denoiser, perturbation, estimator of mutual information, and the oracle
classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.methods.cit_lr.beta_vae import BetaVAE
from engine.methods.cit_lr.blocks import Block, one_hot
from engine.training.presets import whole_numbers

if TYPE_CHECKING:
    from diffusers.models.autoencoders.vae import DecoderOutput
    from diffusers.models.modeling_outputs import AutoencoderKLOutput

LARGEST = 1024  # pixels a side
TRAIN_STEPS = 1000  # of the noise schedule


@dataclass(frozen=True)
class Architecture:
    """Sizes of CIT-LR's networks.

    Attributes:
        size: side of the square input in pixels, a multiple of 16.
        encoder_width: channels of the autoencoder's first level, doubled at its second; the latent grid has size / 4.
        latent: channels of the latent picture.
        width: channels of the denoiser's first level; its three levels have 1, 4/3 and 2 times as many.
        perturbation_width: channels of the perturbation's first level.
        oracle_width: channels of the first level of the oracle classifier and mutual information.
    """

    size: int = 256
    encoder_width: int = 64
    latent: int = 8
    width: int = 192
    perturbation_width: int = 8
    oracle_width: int = 32

    def __post_init__(self):
        whole_numbers(self)
        if self.size % 16 or self.size > LARGEST:
            raise ValueError(f"size must be a multiple of 16 and {LARGEST} at most, got {self.size}")
        if self.width % 24:
            raise ValueError(f"width must be a multiple of 24, got {self.width}")
        if self.encoder_width % 8:
            raise ValueError(f"encoder_width must be a multiple of 8, got {self.encoder_width}")

    @property
    def grid(self) -> int:
        """Side of the latent picture."""
        return self.size // 4


class Autoencoder(nn.Module):
    """E and D of the latent diffusion model: a variational autoencoder (diffusers') behind a pixel unshuffle.

    Attributes:
        spread: standard deviation of the means over the training pictures; `encode` divides by it.
    """

    spread: Tensor

    def __init__(self, architecture: Architecture):
        super().__init__()
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        w = architecture.encoder_width
        sizes: dict[str, Any] = {  # diffusers takes tuples of any length, its annotations tuples of one
            "down_block_types": ("DownEncoderBlock2D",) * 2,
            "up_block_types": ("UpDecoderBlock2D",) * 2,
            "block_out_channels": (w, 2 * w),
        }
        self.net = AutoencoderKL(
            in_channels=4,
            out_channels=4,
            **sizes,
            layers_per_block=1,
            latent_channels=architecture.latent,
            norm_num_groups=8,
            mid_block_add_attention=False,
        )
        self.register_buffer("spread", torch.ones(()))

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 1, H, W) to mean and log variance (B, latent, H / 4, W / 4) of q(z | x)."""
        found = cast("AutoencoderKLOutput", self.net.encode(F.pixel_unshuffle(x, 2))).latent_dist
        return found.mean, found.logvar

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (B, 1, H, W) to latents (B, latent, H / 4, W / 4) of unit spread."""
        return self.distribution(x)[0].float() / self.spread

    def decode(self, z: Tensor) -> Tensor:
        """The way back; no range is enforced."""
        latent = cast("torch.FloatTensor", z * self.spread)
        return F.pixel_shuffle(cast("DecoderOutput", self.net.decode(latent)).sample, 2).float()


class Denoiser(nn.Module):
    """eps(z_t, t, a, y): the noise in a latent picture, given attributes and findings; a U-Net with cross-attention
    (diffusers').

    Every attribute and finding is one token of the cross-attention: an embedding of its value, or of "unknown", which
    is also what the training drops values to, so that one network is both the conditional and the unconditional model.
    The paper conditions on the attribute alone; where illness and attribute go together, changing one would then draw
    the other. Cross-attention is at the coarsest grid only. So that values are heard at every grid the tokens are also
    added, together, to the embedding of t, which scales and shifts every residual block; the paper has the tokens
    alone.

    Args:
        values: how many values each of the K attributes and findings has.

    Shape:
        z (B, latent, h, w), t (B,) int64 in [0, 1000), codes (B, K) int64, -1 for unknown -> (B, latent, h, w).
    """

    def __init__(self, architecture: Architecture, values: Sequence[int]):
        super().__init__()
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

        w = architecture.width
        widths = (w, w * 4 // 3, 2 * w)
        self.values = tuple(values)
        self.tokens = nn.ModuleList(nn.Embedding(count + 1, w) for count in self.values)
        self.net = UNet2DConditionModel(
            sample_size=architecture.grid,
            in_channels=architecture.latent,
            out_channels=architecture.latent,
            block_out_channels=widths,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            cross_attention_dim=w,
            attention_head_dim=w // 12,  # read by diffusers as the number of heads: 24 channels each
            class_embed_type="simple_projection",
            projection_class_embeddings_input_dim=w * len(self.values),
            resnet_time_scale_shift="scale_shift",
            norm_num_groups=8,
        )

    def forward(self, z: Tensor, t: Tensor, codes: Tensor) -> Tensor:
        words = torch.stack([table(codes[:, k] + 1) for k, table in enumerate(self.tokens)], dim=1)
        return self.net(z.to(self.net.dtype), t, words, class_labels=words.flatten(1)).sample.float()


class Perturbation(nn.Module):
    """phi(z) = z + lambda u(z) / |u(z)|_2 (section 3.3 of CIT-LR), u a small U-shaped network.

    Shape:
        z (B, latent, h, w) -> the same; every picture moves by exactly `perturbation_scale`, in units of one latent
        number's spread times the square root of how many there are.
    """

    def __init__(self, architecture: Architecture, perturbation_scale: float):
        super().__init__()
        w, latent = architecture.perturbation_width, architecture.latent
        self.perturbation_scale = perturbation_scale
        self.first = nn.Conv2d(latent, w, 3, 1, 1)
        self.down = nn.ModuleList([Block(w, 2 * w), Block(2 * w, 4 * w)])
        self.up = nn.ModuleList([nn.Conv2d(4 * w + 2 * w, 2 * w, 3, 1, 1), nn.Conv2d(2 * w + w, w, 3, 1, 1)])
        self.last = nn.Conv2d(w, latent, 3, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        skips = [self.first(z)]
        for layer in self.down:
            skips.append(layer(F.silu(skips[-1])))
        hidden = skips.pop()
        for layer in self.up:
            skip = skips.pop()
            hidden = layer(
                F.silu(torch.cat([F.interpolate(hidden, size=skip.shape[-2:], mode="nearest"), skip], dim=1))
            )
        u = self.last(F.silu(hidden)).float()
        length = u.flatten(1).norm(dim=1).clamp_min(1e-6)[:, None, None, None]
        return z + self.perturbation_scale * z[0].numel() ** 0.5 * u / length


class MutualInformation(nn.Module):
    """T(z, a) of the Donsker-Varadhan bound: one number for a latent picture and the values of its attributes, one-hot.

    Shape:
        z (B, latent, h, w), codes (B, K or more) int64, -1 for unknown, attributes first -> (B,).
    """

    def __init__(self, architecture: Architecture, values: Sequence[int]):
        super().__init__()
        self.values, w = tuple(values), architecture.oracle_width
        self.features = nn.Sequential(
            Block(architecture.latent, 2 * w), Block(2 * w, 4 * w), nn.SiLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten()
        )
        self.head = nn.Sequential(nn.Linear(36 * w + sum(self.values), 4 * w), nn.SiLU(), nn.Linear(4 * w, 1))

    def forward(self, z: Tensor, codes: Tensor) -> Tensor:
        return self.on(self.features(z), codes)

    def on(self, features: Tensor, codes: Tensor) -> Tensor:
        """The same on `self.features(z)`, so that joint and marginal share them."""
        return self.head(torch.cat([features, one_hot(codes, self.values).to(features)], dim=1))[:, 0].float()


class OracleClassifier(nn.Module):
    """What the quality of counterfactuals is judged by: a classifier of every attribute and finding, trained on real
    pictures only.

    Shape:
        x (B, 1, H, W) -> a list of logits (B, values) for each attribute, and log-odds (B, C) of the findings.
    """

    def __init__(self, architecture: Architecture, values: Sequence[int], findings: int):
        super().__init__()
        w = architecture.oracle_width
        self.features = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4, w, 3, 1, 1),
            Block(w, 2 * w),
            Block(2 * w, 4 * w),
            Block(4 * w, 4 * w),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
            nn.Linear(36 * w, 4 * w),
            nn.SiLU(),
        )
        self.attributes = nn.ModuleList(nn.Linear(4 * w, count) for count in values)
        self.findings = nn.Linear(4 * w, findings)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        return self.on(self.features(x))

    def on(self, features: Tensor) -> tuple[list[Tensor], Tensor]:
        """The same on `self.features(x)`, (B, 4 * oracle_width), which also serve as features of the
        Frechet distance.
        """
        return [head(features).float() for head in self.attributes], self.findings(features).float()


class Networks(nn.Module):
    """All of one checkpoint: `autoencoder`, `denoiser`, `perturbation`, `oracle`, and the `beta_vae` that is measured
    beside them.

    Attributes:
        guidance: w of each attribute, see `Sampler`; 1 is the conditional model itself.
    """

    def __init__(
        self,
        architecture: Architecture,
        attributes: Mapping[str, Sequence[str]],
        findings: Sequence[str],
        perturbation_scale: float,
    ):
        super().__init__()
        values = [len(names) for names in attributes.values()]
        self.guidance: tuple[float, ...] = (1.0,) * len(values)
        self.autoencoder = Autoencoder(architecture)
        everything = [*values, *(2 for _ in findings)]
        self.denoiser = Denoiser(architecture, everything)
        self.perturbation = Perturbation(architecture, perturbation_scale)
        self.oracle = OracleClassifier(architecture, values, len(findings))
        self.beta_vae = BetaVAE(architecture.size, architecture.encoder_width, everything)
