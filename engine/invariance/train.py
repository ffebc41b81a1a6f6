"""How CIT-LR's generator is trained: judge, autoencoder, denoiser and perturbation, one after the other (section 5 and app. H)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.invariance.diffusion import Diffusion
from engine.invariance.losses import information_bound, noise_loss, prior_loss, reconstruction_loss
from engine.invariance.network import TRAIN_STEPS, Architecture, MutualInformation, Networks
from engine.invariance.sampling import Sampler
from engine.networks.augmentation import Augmentation
from engine.networks.films import Films
from engine.preprocessing import Preprocessing
from engine.training import Recipe, average_gradients, shard

if TYPE_CHECKING:
    from lightning.fabric import Fabric

SENSITIVE = ("sex", "view_position", "marker", "race")  # attributes that are asked about, where a collection has them
FEWEST = 20  # training pictures of a value; rarer ones are left out


@dataclass(frozen=True)
class Preset:
    """Everything that decides a training, but for data and devices.

    Attributes:
        judge_steps, autoencoder_steps, denoiser_steps, disentangler_steps: of the four phases; the third is the longest.
        batch: pictures of a step; the autoencoder takes half as many.
        prior: weight of the autoencoder's divergence from its prior; the authors' 1e-6 on sums.
        dropped: how often the denoiser is not told the value of an attribute or finding, each on its own.
        averaging: decay of the running average of the denoiser's weights.
        strength: lambda of the perturbation, in the latent picture's own length.
        information_steps: of the estimator for each of the perturbation (five in the paper).
        disentangled: pictures that the perturbation learns from.
        validated: at most so many validation pictures are looked at.
        first_beta ... guidance: of `Diffusion`; 0 chooses the guidance on validation.
    """

    architecture: Architecture = field(default_factory=Architecture)
    judge_steps: int = 5000
    autoencoder_steps: int = 20_000
    denoiser_steps: int = 100_000
    disentangler_steps: int = 2000
    validate_every: int = 500
    batch: int = 32
    judge_rate: float = 1e-3
    autoencoder_rate: float = 5e-4
    denoiser_rate: float = 3e-4
    disentangler_rate: float = 1e-4
    prior: float = 1e-6
    dropped: float = 0.1
    averaging: float = 0.995
    strength: float = 0.02
    information_steps: int = 5
    disentangled: int = 4000
    validated: int = 256
    first_beta: float = 0.00085
    last_beta: float = 0.012
    reach: float = 1.0
    hops: int = 20
    guidance: float = 0.0
    percentile: float = 1.0
    pixel_reach: float = 0.9
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        for name in ("judge_steps", "autoencoder_steps", "denoiser_steps", "disentangler_steps", "validate_every", "batch", "information_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")

    @property
    def diffusion(self) -> Diffusion:
        return Diffusion(self.first_beta, self.last_beta, self.reach, self.hops, guidance=self.guidance or 1.0)


DEMO = Preset(
    architecture=Architecture(size=96, encoder_width=32, latent=8, width=48, judge_width=16),
    judge_steps=1000,
    autoencoder_steps=2500,
    denoiser_steps=2000,
    disentangler_steps=150,
    validate_every=250,
    batch=16,
    autoencoder_rate=1e-3,
    disentangled=256,
    validated=96,
    reach=0.8,
    hops=8,
)
PRESETS: Mapping[str, Preset] = {"paper": Preset(), "demo": DEMO}


class Material:
    """Pictures with what is known of them.

    Attributes:
        attributes: name to its values, for every one of `SENSITIVE` that the collection knows with two values or more.
        codes: (N, K + C) int64 index of each picture's attribute values, then of its findings, -1 where unknown.
        labels: (N, C) float32, NaN where unknown.

    Raises:
        ValueError: the collection knows no such attribute.
    """

    def __init__(self, collection: Collection, preset: Preset):
        self.collection = collection
        self.films = Films(collection, Preprocessing(preset.architecture.size, preset.percentile, preset.pixel_reach))
        train = collection.split("train")
        self.attributes: dict[str, tuple[str, ...]] = {}
        for name in SENSITIVE:
            said = collection.attributes.get(name)
            if said is not None:
                values, counts = np.unique(said[train], return_counts=True)
                known = tuple(str(v) for v, n in zip(values, counts) if v and n >= FEWEST)
                if len(known) > 1:
                    self.attributes[name] = known
        if not self.attributes:
            raise ValueError(f"{collection.name} knows no attribute to intervene on; one of {', '.join(SENSITIVE)} with two values is needed.")
        self.codes = encoded(collection, np.arange(len(collection)), self.attributes, collection.findings)
        self.labels = np.asarray(collection.labels, np.float32)
        self.parts = {part: collection.split(part) for part in ("train", "validation", "test")}


def encoded(collection: Collection, indices: np.ndarray, attributes: Mapping[str, Sequence[str]], findings: Sequence[str]) -> np.ndarray:
    """(n, K + C) int64: which of its values each picture has for each attribute, and 0 or 1 for each finding; -1 where the collection
    does not say, or says something else."""
    codes = np.full((len(indices), len(attributes) + len(findings)), -1, np.int64)
    for k, (name, values) in enumerate(attributes.items()):
        said = collection.attributes.get(name)
        for code, value in enumerate(values):
            if said is not None:
                codes[said[indices] == value, k] = code
    for c, finding in enumerate(findings):
        if finding in collection.findings:
            label = collection.labels[indices, list(collection.findings).index(finding)]
            codes[:, len(attributes) + c] = np.where(np.isnan(label), -1, np.nan_to_num(label) > 0.5)
    return codes


class Phase(Recipe):
    """What the four phases have in common: one part of the networks learns, the others stand still."""

    def __init__(self, material: Material, preset: Preset, nets: Networks, steps: int, seed: int):
        self.material, self.preset, self.nets, self.seed = material, preset, nets, seed
        self.steps, self.validate_every = steps, preset.validate_every

    @property
    @abstractmethod
    def part(self) -> nn.Module:
        """What is kept."""

    def kept(self) -> dict[str, Tensor]:
        return self.part.state_dict()

    def settings(self) -> dict:
        skipped = ("judge_steps", "autoencoder_steps", "denoiser_steps", "disentangler_steps", "validate_every", "hops", "guidance")
        chosen = {k: v for k, v in asdict(self.preset).items() if k not in skipped}
        return chosen | {"data": [self.material.collection.name, len(self.material.collection)], "attributes": self.material.attributes}

    def chosen(self, stream: str, step: int, count: int) -> np.ndarray:
        """Training pictures of a batch, with replacement."""
        return self.draw(stream, step).choice(self.material.parts["train"], count)

    def pictures(self, stream: str, step: int, count: int, fabric: Fabric) -> tuple[Tensor, np.ndarray]:
        """This process's augmented pictures (B, 1, H, W) and their indices."""
        chosen, mine = self.chosen(stream, step, count), shard(count, fabric)
        x = self.material.films.batch(chosen[mine])
        if self.preset.augmentation != Augmentation():
            changes = torch.from_numpy(self.draw(f"{stream} changes", step).uniform(-1, 1, (count, 5)).astype(np.float32))
            x, _ = self.preset.augmentation(x, changes[mine], self.preset.pixel_reach)
        return x.to(fabric.device, memory_format=torch.channels_last), chosen[mine]

    def some_of(self, part: str) -> np.ndarray:
        pool = self.material.parts[part]
        return self.draw(part, 0).permutation(pool)[: self.preset.validated]

    def descend(self, loss: Tensor, optimiser: torch.optim.Optimizer, fabric: Fabric) -> None:
        optimiser.zero_grad()
        fabric.backward(loss)
        mine = [p for group in optimiser.param_groups for p in group["params"]]
        average_gradients(mine, fabric)
        nn.utils.clip_grad_norm_(mine, 1.0)
        optimiser.step()


class JudgePhase(Phase):
    """A classifier of attributes and findings, on real pictures."""

    def __init__(self, material: Material, preset: Preset, nets: Networks, seed: int):
        super().__init__(material, preset, nets, preset.judge_steps, seed)
        self._optimiser = torch.optim.AdamW(nets.judge.parameters(), lr=preset.judge_rate, weight_decay=0.01)

    @property
    def part(self) -> nn.Module:
        return self.nets.judge

    def modules(self) -> Mapping[str, nn.Module]:
        return {"judge": self.nets.judge}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"judge": self._optimiser}

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        for group in self._optimiser.param_groups:
            group["lr"] = self.preset.judge_rate * min(1.0, 2 * (1 - step / self.steps))
        x, chosen = self.pictures("judge", step, 2 * self.preset.batch, fabric)
        with fabric.autocast():
            said, findings = self.nets.judge(x)
        codes = torch.from_numpy(self.material.codes[chosen]).to(fabric.device)
        loss = sum(F.cross_entropy(one, codes[:, k], ignore_index=-1) for k, one in enumerate(said) if (codes[:, k] >= 0).any())
        labels = torch.from_numpy(self.material.labels[chosen]).to(fabric.device)
        known = ~labels.isnan()
        loss = loss + F.binary_cross_entropy_with_logits(findings[known], labels[known])
        self.descend(loss, self._optimiser, fabric)
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen, found = self.some_of("validation"), {}
        said, _ = self.nets.judge(self.material.films.batch(chosen).to(fabric.device))
        for k, name in enumerate(self.material.attributes):
            known = self.material.codes[chosen, k] >= 0
            found[name] = float(balanced_accuracy_score(self.material.codes[chosen[known], k], said[k].argmax(1).cpu().numpy()[known]))
        return {"score": min(found.values()), **found}


class AutoencoderPhase(Phase):
    """Pictures to latent pictures and back."""

    def __init__(self, material: Material, preset: Preset, nets: Networks, seed: int):
        super().__init__(material, preset, nets, preset.autoencoder_steps, seed)
        self.keep_last = True
        self._optimiser = torch.optim.AdamW(nets.autoencoder.parameters(), lr=preset.autoencoder_rate, weight_decay=0.0)

    @property
    def part(self) -> nn.Module:
        return self.nets.autoencoder

    def modules(self) -> Mapping[str, nn.Module]:
        return {"autoencoder": self.nets.autoencoder}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"autoencoder": self._optimiser}

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        for group in self._optimiser.param_groups:
            group["lr"] = self.preset.autoencoder_rate * min(1.0, (step + 1) / 50, 3 * (1 - step / self.steps))
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
        self.descend(sum(losses.values()), self._optimiser, fabric)
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
            x = self.material.films.batch(chosen[start : start + 32]).to(fabric.device)
            with fabric.autocast():
                mean, _ = net.distribution(x)
                made = net.decode(mean.float() / net.spread)
            distances.append(float((made - x).abs().mean()))
            squares.append(float(mean.float().square().mean()))
        net.spread.fill_(float(np.mean(squares)) ** 0.5)
        return {"score": -float(np.mean(distances)), "L1": float(np.mean(distances)), "spread": float(net.spread)}


class DenoiserPhase(Phase):
    """The diffusion model on latent pictures, conditioned on the attributes (Eq. 2)."""

    def __init__(self, material: Material, preset: Preset, nets: Networks, seed: int):
        super().__init__(material, preset, nets, preset.denoiser_steps, seed)
        self.keep_last = True
        self.average = Networks(preset.architecture, material.attributes, material.collection.findings, preset.strength).denoiser
        self.average.load_state_dict(nets.denoiser.state_dict())
        self._optimiser = torch.optim.AdamW(nets.denoiser.parameters(), lr=preset.denoiser_rate, weight_decay=0.0)

    @property
    def part(self) -> nn.Module:
        return self.average

    def modules(self) -> Mapping[str, nn.Module]:
        return {"denoiser": self.nets.denoiser, "average": self.average}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"denoiser": self._optimiser}

    @cached_property
    def latents(self) -> Tensor:
        """(N, latent, h, w) of every picture, as they are; where pictures are augmented this is only for validation."""
        return latents_of(self.nets, self.material.films, np.arange(len(self.material.collection)), next(self.nets.parameters()).device)

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        p = self.preset
        for group in self._optimiser.param_groups:
            group["lr"] = p.denoiser_rate * min(1.0, (step + 1) / 100, 3 * (1 - step / self.steps) + 0.01)
        if p.augmentation != Augmentation():
            x, chosen = self.pictures("denoiser", step, p.batch, fabric)
            with torch.no_grad(), fabric.autocast():
                z = self.nets.autoencoder.encode(x)
        else:
            chosen = self.chosen("denoiser", step, p.batch)[shard(p.batch, fabric)]
            z = self.latents[chosen].to(fabric.device)
        loss = self._loss(self.nets.denoiser, z, chosen, "denoiser", step, p.batch, fabric)
        self.descend(loss, self._optimiser, fabric)
        with torch.no_grad():
            decay = min(p.averaging, (1 + step) / (10 + step))
            for kept, now in zip(self.average.state_dict().values(), self.nets.denoiser.state_dict().values()):
                kept.lerp_(now.to(kept), 1 - decay)
        return {"noise": float(loss.detach())}

    def _loss(self, net: nn.Module, z: Tensor, chosen: np.ndarray, stream: str, step: int, count: int, fabric: Fabric) -> Tensor:
        p, draw = self.preset, self.draw(f"{stream} noise", step)
        mine = shard(count, fabric) if stream != "validation" else slice(None)
        t = torch.from_numpy(draw.integers(0, round(TRAIN_STEPS * p.reach), count)[mine]).to(z.device)
        noise = torch.from_numpy(draw.standard_normal((count, *z.shape[1:]), np.float32)[mine]).to(z.device)
        unknown = (draw.random((count, self.material.codes.shape[1])) < p.dropped)[mine]
        codes = torch.from_numpy(np.where(unknown, -1, self.material.codes[chosen])).to(z.device)
        with fabric.autocast():
            return noise_loss(net(p.diffusion.noised(z, t, noise), t, codes), noise)

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen = self.some_of("validation")
        self.average.to(fabric.device)
        loss = self._loss(self.average, self.latents[chosen].to(fabric.device), chosen, "validation", 0, len(chosen), fabric)
        return {"score": -float(loss), "noise": float(loss)}


class DisentanglerPhase(Phase):
    """The perturbation against the estimator of mutual information, in alternation (Eq. 3)."""

    def __init__(self, material: Material, preset: Preset, nets: Networks, seed: int):
        super().__init__(material, preset, nets, preset.disentangler_steps, seed)
        self.keep_last = True
        self.information = MutualInformation(preset.architecture, [len(v) for v in material.attributes.values()])
        adam = {"lr": preset.disentangler_rate, "weight_decay": 1e-5}
        self._optimisers = {
            "information": torch.optim.Adam(self.information.parameters(), **adam | {"lr": 10 * preset.disentangler_rate}),
            "perturbation": torch.optim.Adam(nets.perturbation.parameters(), **adam | {"lr": 10 * preset.disentangler_rate}),
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
        """Of some pictures of training and validation: the noise that each is taken to under its own attributes, and their codes."""
        found = {}
        for part, count in (("train", self.preset.disentangled), ("validation", self.preset.validated)):
            chosen = self.draw(f"noises {part}", 0).permutation(self.material.parts[part])[:count]
            device = next(self.nets.parameters()).device
            z = latents_of(self.nets, self.material.films, chosen, device)
            codes = torch.from_numpy(self.material.codes[chosen])
            sampler, noises = Sampler(self.nets, self.preset.diffusion), []
            for turn, start in enumerate(range(0, len(z), 32)):  # each attribute is the one that is to be changed, by turns
                some = slice(start, start + 32)
                noises.append(sampler.noise_of(z[some].to(device), codes[some].to(device), turn % len(self.material.attributes)))
            found[part] = torch.cat(noises), codes
        return found

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        for k in range(self.preset.information_steps):
            self.descend(-self._bound(f"information {k}", step, fabric, learning=False), self._optimisers["information"], fabric)
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
        z, codes = (one.to(fabric.device) for one in self.noises["validation"])
        others = codes[torch.from_numpy(self.draw("validation others", 0).permutation(len(z)))]
        after = float(self._between(self.nets.perturbation(z), codes, others))
        return {"score": -after, "nats": after, "nats unperturbed": float(self._between(z, codes, others))}


PHASES = {"judge": JudgePhase, "autoencoder": AutoencoderPhase, "denoiser": DenoiserPhase, "disentangler": DisentanglerPhase}


@torch.no_grad()
def latents_of(nets: Networks, films: Films, indices: np.ndarray, device: torch.device) -> Tensor:
    """(n, latent, h, w) float32 on the CPU."""
    parts = []
    for start in range(0, len(indices), 64):
        x = films.batch(indices[start : start + 64]).to(device, memory_format=torch.channels_last)
        parts.append(nets.autoencoder.encode(x).cpu())
    return torch.cat(parts)
