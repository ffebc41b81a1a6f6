"""How CIT-LR's generator is trained: oracle classifier, autoencoder, denoiser, perturbation, and the beta-VAE beside
it, one after the other (section 5 and app. H).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn

from engine.datasets.identity import data_settings
from engine.methods.cit_lr.beta_vae import LATENT
from engine.methods.cit_lr.losses import information_bound, noise_loss, prior_loss, reconstruction_loss
from engine.methods.cit_lr.network import TRAIN_STEPS, MutualInformation, Networks
from engine.methods.cit_lr.sampling import Sampler
from engine.methods.cit_lr.training_data import Preset, TrainingData, latents_of
from engine.networks.augmentation import Augmentation
from engine.networks.precision import fast_autocast
from engine.training.loop import Recipe, descend, follow, shard, total

if TYPE_CHECKING:
    from lightning.fabric import Fabric


LONGEST = 1.0  # gradients are clipped to this norm
HEAVIEST = 5.0  # weight of a picture that its group's findings make rare


class Phase(Recipe):
    """What the phases have in common: one part of the networks learns, the others stand still."""

    indifferent: Sequence[str] = ("disentangler_rate", "perturbation_scale", "beta")

    def __init__(self, training_data: TrainingData, preset: Preset, nets: Networks, steps: int, seed: int):
        self.training_data, self.preset, self.nets, self.seed = training_data, preset, nets, seed
        self.steps, self.validate_every = steps, preset.validate_every

    @property
    @abstractmethod
    def part(self) -> nn.Module:
        """What is kept."""

    def weights_to_keep(self) -> dict[str, Tensor]:
        return self.part.state_dict()

    def settings(self) -> dict:
        skipped = (*(f"{name}_steps" for name in PHASES), "validate_every", "num_steps", "guidance")
        chosen = {k: v for k, v in asdict(self.preset).items() if k not in (*skipped, *self.indifferent)}
        return chosen | {"attributes": self.training_data.attributes} | data_settings(self.training_data.collection)

    def chosen(self, stream: str, step: int, count: int) -> np.ndarray:
        """Training pictures of a batch, with replacement."""
        return self.draw(stream, step).choice(self.training_data.parts["train"], count)

    def pictures(self, stream: str, step: int, count: int, fabric: Fabric) -> tuple[Tensor, np.ndarray]:
        """This process's augmented pictures (B, 1, H, W) and their indices."""
        chosen, own_share = self.chosen(stream, step, count), shard(count, fabric)
        x = self.training_data.films.batch(chosen[own_share])
        if self.preset.augmentation != Augmentation():
            changes = torch.from_numpy(
                self.draw(f"{stream} changes", step).uniform(-1, 1, (count, 5)).astype(np.float32)
            )
            x, _ = self.preset.augmentation(x, changes[own_share], self.preset.value_range)
        return x.to(fabric.device, memory_format=torch.channels_last), chosen[own_share]

    def some_of(self, part: str) -> np.ndarray:
        pool = self.training_data.parts[part]
        return self.draw(part, 0).permutation(pool)[: self.preset.validated]

    def descend(self, loss: Tensor, optimiser: torch.optim.Optimizer, fabric: Fabric) -> None:
        descend(loss, optimiser, fabric, longest=LONGEST)


class OneNetwork(Phase):
    """A phase in which one network learns by one optimiser.

    Attributes:
        name: of the network in `Networks`, and before `_steps` in the preset.
        rate: the preset's name of its learning rate.
        decay: of its weights.
    """

    name: ClassVar[str]
    rate: ClassVar[str]
    decay: ClassVar[float] = 0.0

    def __init__(self, training_data: TrainingData, preset: Preset, nets: Networks, seed: int):
        super().__init__(training_data, preset, nets, getattr(preset, f"{self.name}_steps"), seed)
        self._optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=getattr(preset, self.rate), weight_decay=self.decay
        )

    @property
    def net(self) -> nn.Module:
        """What learns."""
        return getattr(self.nets, self.name)

    @property
    def part(self) -> nn.Module:
        return self.net

    def modules(self) -> Mapping[str, nn.Module]:
        return {self.name: self.net}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {self.name: self._optimiser}

    def learn_at(self, share: float) -> None:
        """The next step's learning rate, as a share of the preset's."""
        for group in self._optimiser.param_groups:
            group["lr"] = getattr(self.preset, self.rate) * share


class OraclePhase(OneNetwork):
    """A classifier of attributes and findings, on real pictures, that must not read a finding off an attribute:
    pictures count as if the two did not go together (reweighing, Kamiran and Calders 2012, for all attributes at once).
    A classifier that leans would take a perfect counterfactual for another finding.
    """

    name, rate, decay = "oracle", "oracle_rate", 0.01

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        self.learn_at(min(1.0, 2 * (1 - step / self.steps)))
        x, chosen = self.pictures("judge", step, 2 * self.preset.batch, fabric)
        with fabric.autocast():
            attribute_logits, findings = self.nets.oracle(x)
        codes = torch.from_numpy(self.training_data.codes[chosen]).to(fabric.device)
        loss = sum(
            F.cross_entropy(logits, codes[:, k], ignore_index=-1)
            for k, logits in enumerate(attribute_logits)
            if (codes[:, k] >= 0).any()
        )
        labels = torch.from_numpy(self.training_data.labels[chosen]).to(fabric.device)
        known, weights = ~labels.isnan(), torch.from_numpy(self._weights[chosen]).to(fabric.device)
        of_findings = F.binary_cross_entropy_with_logits(
            findings[known], labels[known], weights[known], reduction="sum"
        )
        loss = loss + of_findings / known.sum().clamp_min(1)  # a batch without any known label has a mean of nothing
        self.descend(loss, self._optimiser, fabric)
        return {"loss": float(loss.detach())}

    @cached_property
    def _weights(self) -> np.ndarray:
        """(N, C) float32 of pictures and findings, from training pictures."""
        codes, train = self.training_data.codes, self.training_data.parts["train"]
        k = len(self.training_data.attributes)
        return np.stack([reweighed(codes[:, :k], codes[:, c], train) for c in range(k, codes.shape[1])], 1)

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen, found = self.some_of("validation"), {}
        attribute_logits, _ = self.nets.oracle(self.training_data.films.batch(chosen).to(fabric.device))
        for k, name in enumerate(self.training_data.attributes):
            known = self.training_data.codes[chosen, k] >= 0
            found[name] = float(
                balanced_accuracy_score(
                    self.training_data.codes[chosen[known], k], attribute_logits[k].argmax(1).cpu().numpy()[known]
                )
            )
        return {"score": min(found.values()), **found}


class AutoencoderPhase(OneNetwork):
    """Pictures to latent pictures and back."""

    name, rate, keep_last = "autoencoder", "autoencoder_rate", True

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        self.learn_at(min(1.0, (step + 1) / 50, 3 * (1 - step / self.steps)))
        count = max(self.preset.batch // 2, 1)
        x, _ = self.pictures("autoencoder", step, count, fabric)
        noise = self.draw("latent noise", step).standard_normal((count, *self._latent_shape), np.float32)
        net = self.nets.autoencoder
        with fabric.autocast():
            mean, log_variance = net.distribution(x)
            mean, log_variance = mean.float(), log_variance.float()
            z = mean + (0.5 * log_variance).exp() * torch.from_numpy(noise[shard(count, fabric)]).to(mean)
            made = net.decode(z / net.spread)
        losses = {"pixels": reconstruction_loss(made, x), "prior": self.preset.prior * prior_loss(mean, log_variance)}
        self.descend(total(losses), self._optimiser, fabric)
        return {name: float(value.detach()) for name, value in losses.items()}

    @property
    def _latent_shape(self) -> tuple[int, int, int]:
        a = self.preset.architecture
        return a.latent, a.grid, a.grid

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        """Also sets `spread`, by which latents are divided."""
        net, distances, squares = self.nets.autoencoder, [], []
        chosen = self.some_of("validation")
        for start in range(0, len(chosen), 32):
            x = self.training_data.films.batch(chosen[start : start + 32]).to(fabric.device)
            with fabric.autocast():
                mean, _ = net.distribution(x)
                made = net.decode(mean.float() / net.spread)
            distances.append(float((made - x).abs().mean()))
            squares.append(float(mean.float().square().mean()))
        net.spread.fill_(float(np.mean(squares)) ** 0.5)
        return {"score": -float(np.mean(distances)), "L1": float(np.mean(distances)), "spread": float(net.spread)}


class DenoiserPhase(OneNetwork):
    """The diffusion model on latent pictures, conditioned on the attributes (Eq. 2)."""

    name, rate, keep_last = "denoiser", "denoiser_rate", True

    def __init__(self, training_data: TrainingData, preset: Preset, nets: Networks, seed: int):
        super().__init__(training_data, preset, nets, seed)
        self.average = Networks(
            preset.architecture, training_data.attributes, training_data.collection.findings, preset.perturbation_scale
        ).denoiser
        self.average.load_state_dict(nets.denoiser.state_dict())

    @property
    def part(self) -> nn.Module:
        return self.average

    def modules(self) -> Mapping[str, nn.Module]:
        return {**super().modules(), "average": self.average}

    @cached_property
    def latents(self) -> Tensor:
        """(N, latent, h, w) of every picture, as they are; where pictures are augmented this is only for validation."""
        return latents_of(
            self.nets,
            self.training_data.films,
            np.arange(len(self.training_data.collection)),
            next(self.nets.parameters()).device,
        )

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        p = self.preset
        self.learn_at(min(1.0, (step + 1) / 100, 3 * (1 - step / self.steps) + 0.01))
        if p.augmentation != Augmentation():
            x, chosen = self.pictures("denoiser", step, p.batch, fabric)
            with torch.no_grad(), fabric.autocast():
                z = self.nets.autoencoder.encode(x)
        else:
            chosen = self.chosen("denoiser", step, p.batch)[shard(p.batch, fabric)]
            z = self.latents[chosen].to(fabric.device)
        loss = self._loss(self.nets.denoiser, z, chosen, "denoiser", step, p.batch, fabric)
        self.descend(loss, self._optimiser, fabric)
        follow(self.average, self.nets.denoiser, p.averaging, step)
        return {"noise": float(loss.detach())}

    def _loss(
        self, net: nn.Module, z: Tensor, chosen: np.ndarray, stream: str, step: int, count: int, fabric: Fabric
    ) -> Tensor:
        p, draw = self.preset, self.draw(f"{stream} noise", step)
        own_share = shard(count, fabric) if stream != "validation" else slice(None)
        t = torch.from_numpy(draw.integers(0, round(TRAIN_STEPS * p.strength), count)[own_share]).to(z.device)
        noise = torch.from_numpy(draw.standard_normal((count, *z.shape[1:]), np.float32)[own_share]).to(z.device)
        unknown = (draw.random((count, self.training_data.codes.shape[1])) < p.dropped)[own_share]
        codes = torch.from_numpy(np.where(unknown, -1, self.training_data.codes[chosen])).to(z.device)
        with fabric.autocast():
            return noise_loss(net(p.diffusion.add_noise(z, t, noise), t, codes), noise)

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen = self.some_of("validation")
        self.average.to(fabric.device)
        loss = self._loss(
            self.average, self.latents[chosen].to(fabric.device), chosen, "validation", 0, len(chosen), fabric
        )
        return {"score": -float(loss), "noise": float(loss)}


class DisentanglerPhase(Phase):
    """The perturbation against the estimator of mutual information, in alternation (Eq. 3)."""

    indifferent = ("beta",)

    def __init__(self, training_data: TrainingData, preset: Preset, nets: Networks, seed: int):
        super().__init__(training_data, preset, nets, preset.disentangler_steps, seed)
        self.keep_last = True
        self.information = MutualInformation(preset.architecture, [len(v) for v in training_data.attributes.values()])
        learning = {"information": self.information, "perturbation": nets.perturbation}
        self._optimisers = {
            name: torch.optim.Adam(part.parameters(), lr=preset.disentangler_rate, weight_decay=1e-5)
            for name, part in learning.items()
        }

    @property
    def part(self) -> nn.Module:
        return self.nets.perturbation

    def modules(self) -> Mapping[str, nn.Module]:
        return {"perturbation": self.nets.perturbation, "information": self.information}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return self._optimisers

    @cached_property
    def noises(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of some pictures of training and validation: the noise that each is taken to under its own attributes, and
        their codes.
        """
        found = {}
        for part, count in (("train", self.preset.disentangled), ("validation", self.preset.validated)):
            chosen = self.draw(f"noises {part}", 0).permutation(self.training_data.parts[part])[:count]
            device = next(self.nets.parameters()).device
            z = latents_of(self.nets, self.training_data.films, chosen, device)
            codes = torch.from_numpy(self.training_data.codes[chosen])
            sampler, noises = Sampler(self.nets, self.preset.diffusion), []
            for turn, start in enumerate(
                range(0, len(z), 32)
            ):  # each attribute is the one that is to be changed, by turns
                some = slice(start, start + 32)
                with fast_autocast(device):
                    noises.append(
                        sampler.noise_of(
                            z[some].to(device), codes[some].to(device), turn % len(self.training_data.attributes)
                        )
                    )
            found[part] = torch.cat(noises), codes
        return found

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        for k in range(self.preset.information_steps):
            self.descend(
                -self._bound(f"information {k}", step, fabric, learning=False), self._optimisers["information"], fabric
            )
        self.information.requires_grad_(False)
        bound = self._bound("perturbation", step, fabric, learning=True)
        self.descend(bound, self._optimisers["perturbation"], fabric)
        self.information.requires_grad_(True)
        return {"nats": float(bound.detach())}

    def _bound(self, stream: str, step: int, fabric: Fabric, learning: bool) -> Tensor:
        z, codes = self.noises["train"]
        count = 4 * self.preset.batch
        draw = self.draw(stream, step)
        chosen = torch.from_numpy(draw.choice(len(z), count)[shard(count, fabric)])
        shuffled = torch.from_numpy(draw.choice(len(z), count)[shard(count, fabric)])
        with torch.set_grad_enabled(learning):
            moved = self.nets.perturbation(z[chosen].to(fabric.device))
        return self._between(moved, codes[chosen].to(fabric.device), codes[shuffled].to(fabric.device))

    def _between(self, z: Tensor, own: Tensor, others: Tensor) -> Tensor:
        features = self.information.features(z)
        return information_bound(self.information.on(features, own), self.information.on(features, others))

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        z, codes = (array.to(fabric.device) for array in self.noises["validation"])
        others = codes[torch.from_numpy(self.draw("validation others", 0).permutation(len(z)))]
        after = float(self._between(self.nets.perturbation(z), codes, others))
        return {"score": -after, "nats": after, "nats unperturbed": float(self._between(z, codes, others))}


class BetaVaePhase(OneNetwork):
    """The beta-VAE that counterfactuals are compared with."""

    name, rate, indifferent = "beta_vae", "autoencoder_rate", ("disentangler_rate", "perturbation_scale")

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        self.learn_at(min(1.0, (step + 1) / 50, 3 * (1 - step / self.steps)))
        count = 2 * self.preset.batch
        x, chosen = self.pictures("beta-VAE", step, count, fabric)
        noise = self.draw("beta-VAE noise", step).standard_normal((count, LATENT), np.float32)[shard(count, fabric)]
        with fabric.autocast():
            loss = self._loss(x, chosen, noise)
        self.descend(loss / x[0].numel(), self._optimiser, fabric)
        return {"nats": float(loss.detach())}

    def _loss(self, x: Tensor, chosen: np.ndarray, noise: np.ndarray) -> Tensor:
        codes = torch.from_numpy(self.training_data.codes[chosen]).to(x.device)
        return self.nets.beta_vae.loss(x, codes, torch.from_numpy(noise).to(x.device), self.preset.beta)

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen = self.some_of("validation")
        noise = self.draw("validation noise", 0).standard_normal((len(chosen), LATENT), np.float32)
        nats = float(self._loss(self.training_data.films.batch(chosen).to(fabric.device), chosen, noise))
        return {"score": -nats, "nats": nats}


def reweighed(groups: np.ndarray, labels: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Weights under which groups and labels are independent: P(group) P(label) / P(group, label) ("reweighing", Kamiran
    and Calders 2012).

    Args:
        groups: (N, K) codes, a group is a row; labels: (N,) codes; of: indices that the shares are counted among.

    Returns:
        (N,) float32, `HEAVIEST` at most; that also where the shares know no such pair.
    """
    _, groups = np.unique(groups, axis=0, return_inverse=True)
    _, labels = np.unique(labels, return_inverse=True)
    together = np.zeros((groups.max() + 1, labels.max() + 1))
    np.add.at(together, (groups[of], labels[of]), 1 / len(of))
    expected = together.sum(1, keepdims=True) * together.sum(0)
    weights = np.divide(expected, together, out=np.full_like(expected, HEAVIEST), where=together > 0)
    return np.minimum(weights, HEAVIEST)[groups, labels].astype(np.float32)


PHASES = {
    "oracle": OraclePhase,
    "autoencoder": AutoencoderPhase,
    "denoiser": DenoiserPhase,
    "disentangler": DisentanglerPhase,
    "beta_vae": BetaVaePhase,
}
