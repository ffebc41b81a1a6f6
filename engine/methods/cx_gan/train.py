"""How CX-GAN is trained: section 3 of Zia et al., the integrated model at once, the cascaded one phase after phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.methods.cx_gan.losses import (
    cycle_loss,
    discriminator_loss,
    generator_loss,
    identity_loss,
    map_loss,
    residual_loss,
)
from engine.methods.cx_gan.network import Architecture, CxGan, MapGenerator
from engine.methods.map_translation.train import DiscrepancyRecipe, Schedule
from engine.networks.critic import gradient_penalty
from engine.networks.made_pairs import emphasis_at, made_pairs_for, pair_loss, pair_recovery, pairs_settings
from engine.training.loop import descend, gathered, shard, total
from engine.training.presets import at_least_one, not_negative, yes_or_no

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Preset(Schedule):
    """Everything that decides what a training of CX-GAN does, but for data and devices.

    The defaults are the paper's (3.3), where it is silent its authors' code's.

    Attributes:
        cascaded: 1 for the model of 3.1, 0 for the integrated one of 3.2.
        first_phase: share of the steps in which the cascade learns to translate, before its residual generator learns
            the map; `patience` counts from the first map that is judged.
        critic_rate: learning rate of the discriminators.
        lambda_cycle: of Eq. 2 and 10.
        lambda_residual: of Eq. 7 (pix2pix's 100).
        lambda_identity: weight of |M(x-)|; the code's.
        history: generated pictures that the discriminators are shown again (3.3).
        wasserstein: 1 for critics of whole pictures with a gradient penalty (VA-GAN's) in the discriminators' place,
            which the paper does not have: a patch discriminator of the demo size runs away from its generator in the
            end.
        penalty: weight of that gradient penalty.
        critic_steps: for each step of the generators, `warm_critic_steps` for the first `warm_steps`.
        lambda_map: weight of |M(x+)|; not in the paper, VA-GAN's.
        lambda_pairs: weight of the loss on made pairs (`pair_loss`), where there are any; not in the paper.
        made_pairs: of them in a batch.
        emphasis, last_emphasis: extra weight of pixels that truly change (see `pair_loss`), at the start and after
            `emphasis_steps`.
        pairs_first: steps at the start in which the map generator learns from made pairs alone.
    """

    architecture: Architecture = field(default_factory=Architecture)
    cascaded: int = 0
    first_phase: float = 0.6
    critic_rate: float = 2e-4
    lambda_cycle: float = 10.0
    lambda_residual: float = 100.0
    lambda_identity: float = 1.0
    history: int = 50
    wasserstein: int = 0
    penalty: float = 10.0
    critic_steps: int = 1
    warm_steps: int = 0
    warm_critic_steps: int = 1
    lambda_map: float = 0.0
    lambda_pairs: float = 5.0
    made_pairs: int = 4
    emphasis: float = 40.0
    last_emphasis: float = 2.0
    emphasis_steps: int = 2000
    pairs_first: int = 0

    def __post_init__(self):
        super().__post_init__()
        at_least_one(self, "critic_steps", "warm_critic_steps", "made_pairs")
        not_negative(self, "lambda_pairs", "emphasis", "last_emphasis", "emphasis_steps", "pairs_first")
        yes_or_no(self, "cascaded", "wasserstein")
        not_negative(
            self, "lambda_cycle", "lambda_residual", "lambda_identity", "lambda_map", "penalty", "history", "warm_steps"
        )
        if self.cascaded and not 0 < self.first_phase < 1:
            raise ValueError(f"first_phase must lie between 0 and 1, neither included, got {self.first_phase}.")


DEMO = Preset(
    architecture=Architecture(size=112, width=16, critic_width=16),
    steps=3750,  # beyond, the abnormal discriminator runs away from its generator
    validate_every=250,
    patience=0,
    pairs=4,
    learning_rate=4e-4,
    critic_rate=4e-4,
    averaging=0.99,
    keep_last=1,
)
GPU = replace(
    DEMO,
    architecture=Architecture(size=192, width=32, critic_width=32),
    steps=10_000,
    validate_every=500,
    pairs=8,
    learning_rate=3e-4,
    critic_rate=3e-4,
)
PRESETS: Mapping[str, Preset] = {"paper": Preset(), "gpu": GPU, "demo": DEMO}


class History(nn.Module):
    """Pictures that were generated earlier, shown to a discriminator instead of every second new one (Shrivastava et
    al. 2017).
    """

    pictures: Tensor
    held: Tensor

    def __init__(self, capacity: int, size: int):
        super().__init__()
        self.register_buffer("pictures", torch.zeros(capacity, 1, size, size))
        self.register_buffer("held", torch.zeros((), dtype=torch.int64))

    def forward(self, made: Tensor, random: np.random.Generator) -> Tensor:
        """(B, 1, H, W) new pictures in, as many out, some of them from earlier steps."""
        shown = made.clone()
        for place, picture in enumerate(made):
            keep, where = random.random() < 0.5, int(random.integers(max(len(self.pictures), 1)))
            if self.held < len(self.pictures):
                self.pictures[self.held] = picture
                self.held += 1
            elif keep and len(self.pictures):
                shown[place] = self.pictures[where]
                self.pictures[where] = picture
        return shown


class CxGanRecipe(DiscrepancyRecipe[MapGenerator]):
    """CX-GAN on one collection with one finding; c+ is the finding, c- its absence.

    Args:
        pairs: a collection that knows true counterfactuals and teaches the map generator by them, or None.
    """

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42, pairs: Collection | None = None):
        torch.manual_seed(seed)
        self.nets = CxGan(preset.architecture, bool(preset.cascaded), bool(preset.wasserstein)).to(
            memory_format=torch.channels_last
        )
        super().__init__(collection, preset, self.nets.abnormal_to_normal, MapGenerator(preset.architecture), seed)
        if pairs is not None and self.contrast_class is not None:
            raise ValueError(
                f"made pairs show pictures without {self.finding}, not with {self.contrast_class} instead; leave "
                "--pairs or --contrast-class out."
            )
        self.teacher = made_pairs_for(pairs, collection, self.films.preprocessing)
        if preset.pairs_first and self.teacher is None:
            raise ValueError(
                "pairs_first asks for steps with made pairs alone, and there are none; add --pairs implants."
            )
        if preset.cascaded:
            self.patience = 0  # until `validate` has a map to judge
        self.histories = nn.ModuleDict(
            {name: History(preset.history, preset.architecture.size) for name in ("normal", "abnormal")}
        )
        self.has_pairs = False  # whether the cascade is in its second phase
        self._optimisers = None

    @property
    def training_networks(self) -> Mapping[str, nn.Module]:
        return {name: network for name, network in self.nets.named_children() if network is not self.map_generator}

    def modules(self) -> Mapping[str, nn.Module]:
        return {"nets": self.nets, "average": self.average, "histories": self.histories}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        if self._optimisers is None:
            n, adam = self.nets, {"lr": self.preset.learning_rate, "betas": (self.preset.beta1, self.preset.beta2)}
            critic_adam = adam | {"lr": self.preset.critic_rate}
            forward = n.abnormal_to_normal if n.translate is None else n.translate
            self._optimisers = {
                "generators": torch.optim.Adam([*forward.parameters(), *n.normal_to_abnormal.parameters()], **adam),
                "discriminators": torch.optim.Adam([*n.normal.parameters(), *n.abnormal.parameters()], **critic_adam),
            }
            if n.residual is not None:
                self._optimisers["residual generator"] = torch.optim.Adam(n.abnormal_to_normal.parameters(), **adam)
                self._optimisers["residual discriminator"] = torch.optim.Adam(n.residual.parameters(), **critic_adam)
        return self._optimisers

    def settings(self) -> dict:
        """The cascade's phases are shares of all its steps, so these cannot change on the way."""
        return (
            super().settings() | ({"steps": self.steps} if self.preset.cascaded else {}) | pairs_settings(self.teacher)
        )

    def validate(self, fabric: Fabric) -> dict[str, float]:
        if self.preset.cascaded and not self.has_pairs:
            return {"score": -100.0}  # less than any map's: the residual generator has not begun
        self.patience = self.preset.patience
        scores = super().validate(fabric)
        if self.teacher is None:
            return scores
        before, change, _ = self.teacher.batch(self.draw("validation pairs", 0), 40, part="validation")
        with torch.no_grad(), fabric.autocast():
            made = torch.cat([self.average(some.to(fabric.device)).float().cpu() for some in before.split(20)])
        return scores | {"recovery": pair_recovery(made, change)}

    def _pair_loss(self, step: int, fabric: Fabric) -> Tensor:
        p = self.preset
        assert self.teacher is not None, "no loss on made pairs without them"
        before, change, task = self.teacher.batch(
            self.draw("pairs", step), p.made_pairs, p.augmentation, mirror=bool(p.mirror)
        )
        own_share = shard(p.made_pairs, fabric)
        with fabric.autocast():
            made = self.map_generator(before[own_share].to(fabric.device, memory_format=torch.channels_last))
        emphasis = emphasis_at(step, p.emphasis, p.last_emphasis, p.emphasis_steps)
        sizes = self.teacher.sizes[task[own_share]].to(fabric.device)
        return p.lambda_pairs * pair_loss(made, change[own_share].to(fabric.device), emphasis, sizes)

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        self.pace(step)
        if step < self.preset.pairs_first:
            loss = self._pair_loss(step, fabric)
            descend(loss, self.optimisers()["residual generator" if self.preset.cascaded else "generators"], fabric)
            self.follow(step)
            return {"pairs": float(loss.detach())}
        normal, abnormal = self.batch("batch", step, fabric)
        self.has_pairs = bool(self.preset.cascaded) and step >= self.preset.first_phase * self.steps
        if self.has_pairs:
            losses = self._residual_step(normal, abnormal, step, fabric)
        else:
            forward = self.nets.abnormal_to_normal if self.nets.translate is None else self.nets.translate
            losses = self._translation_step(forward, normal, abnormal, step, fabric)
        self.follow(step)
        return losses

    def _translation_step(
        self, forward: nn.Module, normal: Tensor, abnormal: Tensor, step: int, fabric: Fabric
    ) -> dict[str, float]:
        """Both directions at once: Eq. 2 with a translator, Eq. 10 with the map generator itself as `forward`."""
        p, n, optimisers = self.preset, self.nets, self.optimisers()
        _learning(False, n.normal, n.abnormal)
        with fabric.autocast():
            change, identity_map = forward(torch.cat([abnormal, normal])).chunk(2)
            change_back, identity_map_back = n.normal_to_abnormal(torch.cat([normal, abnormal])).chunk(2)
            generated_normal, generated_abnormal = abnormal + change, normal + change_back
            reconstruction = generated_normal + n.normal_to_abnormal(generated_normal)
            reconstruction_normal = generated_abnormal + forward(generated_abnormal)
            losses: dict[str, Tensor] = {
                "adversarial_normal": self._generator_loss(n.normal(generated_normal)),
                "adversarial_abnormal": self._generator_loss(n.abnormal(generated_abnormal)),
                "cycle": p.lambda_cycle
                * (cycle_loss(reconstruction, abnormal) + cycle_loss(reconstruction_normal, normal)),
                "identity": p.lambda_identity * (identity_loss(identity_map) + identity_loss(identity_map_back)),
                "map": p.lambda_map * (map_loss(change) + map_loss(change_back)),
            }
        if self.teacher is not None and not p.cascaded:  # the cascade's map generator learns in its second phase
            losses["pairs"] = self._pair_loss(step, fabric)
        descend(total(losses), optimisers["generators"], fabric)
        _learning(True, n.normal, n.abnormal)
        loss = 0.0
        for k in range(p.warm_critic_steps if step < p.warm_steps else p.critic_steps):
            if k:
                normal, abnormal = self.batch(f"critic {k}", step, fabric)
                with torch.no_grad(), fabric.autocast():
                    generated_normal, generated_abnormal = (
                        abnormal + forward(abnormal),
                        normal + n.normal_to_abnormal(normal),
                    )
            batches = {
                "normal": (n.normal, normal, generated_normal),
                "abnormal": (n.abnormal, abnormal, generated_abnormal),
            }
            loss = self._discriminator_step(batches, "discriminators", step, k, fabric)
        return {"discriminators": loss, **{name: float(value.detach()) for name, value in losses.items()}}

    def _generator_loss(self, discriminator_output: Tensor) -> Tensor:
        """What a generator minimises, of what the discriminator or critic says of its pictures."""
        return -discriminator_output.mean() if self.preset.wasserstein else generator_loss(discriminator_output)

    def _discriminator_step(
        self, batches: Mapping[str, tuple[nn.Module, Tensor, Tensor]], optimiser: str, step: int, k: int, fabric: Fabric
    ) -> float:
        """One step of discriminators or critics: the discriminators' loss, or minus the distance that the critics find.

        Args:
            batches: by name, the discriminator or critic with its real and generated pictures (B, 1, H, W).
        """
        loss = penalty = torch.zeros((), device=fabric.device)
        for name, (discriminator, real, made) in batches.items():
            made = made.detach()
            if self.preset.wasserstein:
                place = self.draw(f"penalty {name} {k}", step).random((self.preset.pairs, 1, 1, 1), np.float32)
                place = torch.from_numpy(place[shard(self.preset.pairs, fabric)]).to(fabric.device)
                with fabric.autocast():
                    of_real, of_made = discriminator(torch.cat([real, made])).float().chunk(2)
                    penalty = penalty + gradient_penalty(discriminator, real, made.float(), place)
                loss = loss + of_made.mean() - of_real.mean()
            else:
                shown = self._from_history(name, made, step, fabric) if name in self.histories else made
                with fabric.autocast():
                    loss = loss + 0.5 * discriminator_loss(discriminator(real), discriminator(shown))
        descend(loss + self.preset.penalty * penalty, self.optimisers()[optimiser], fabric)
        return float(loss.detach())

    def _residual_step(self, normal: Tensor, abnormal: Tensor, step: int, fabric: Fabric) -> dict[str, float]:
        """The cascade's second phase, Eq. 5 to 7: pairs (x+, its counterfactual) teach the residual generator."""
        p, n, optimisers = self.preset, self.nets, self.optimisers()
        assert n.translate is not None and n.residual is not None, "the cascade has both"
        _learning(False, n.residual)
        with torch.no_grad(), fabric.autocast():
            counterfactual = abnormal + n.translate(abnormal)
        with fabric.autocast():
            change, identity_map = n.abnormal_to_normal(torch.cat([abnormal, normal])).chunk(2)
            generated_normal = abnormal + change
            losses: dict[str, Tensor] = {
                "adversarial_normal": self._generator_loss(n.residual(generated_normal)),
                "residual": p.lambda_residual * residual_loss(counterfactual, generated_normal),
                "identity": p.lambda_identity * identity_loss(identity_map),
            }
        if self.teacher is not None:
            losses["pairs"] = self._pair_loss(step, fabric)
        descend(total(losses), optimisers["residual generator"], fabric)
        _learning(True, n.residual)
        loss = self._discriminator_step(
            {"residual": (n.residual, normal, generated_normal)}, "residual discriminator", step, 0, fabric
        )
        return {"discriminators": loss, **{name: float(value.detach()) for name, value in losses.items()}}

    def _from_history(self, name: str, made: Tensor, step: int, fabric: Fabric) -> Tensor:
        shown = self.histories[name](gathered(made, fabric), self.draw(f"history {name}", step))
        return shown[shard(self.preset.pairs, fabric)]

    def reconstruction(self, abnormal: Tensor, generated_normal: Tensor) -> Tensor:
        return generated_normal + self.nets.normal_to_abnormal(generated_normal)


def _learning(on: bool, *networks: nn.Module) -> None:
    for network in networks:
        network.requires_grad_(on)
