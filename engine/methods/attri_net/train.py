"""How Attri-Net is trained: section 3.7 of Sun et al. 2025, one step of generator, critic, classifiers and
centres at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import data_settings
from engine.methods.attri_net.losses import (
    adversarial_loss,
    centre_loss,
    critic_loss,
    guidance_loss,
    sparsity_loss,
)
from engine.methods.attri_net.network import Architecture, AttriNet, Critic
from engine.metrics.classification import validation_score
from engine.networks.augmentation import Augmentation, move_masks
from engine.networks.critic import gradient_penalty
from engine.networks.films import Films
from engine.networks.made_pairs import emphasis_at, made_pairs_for, pair_loss, pair_recovery, pairs_settings
from engine.preprocessing import Preprocessing
from engine.training.loop import PictureRecipe, average_gradients, follow, gathered, shard, total
from engine.training.presets import at_least_one, not_negative

if TYPE_CHECKING:
    from lightning.fabric import Fabric


CLASSIFIERS_FOLLOW = 3  # of so many steps with made pairs alone, the classifiers learn in one


@dataclass(frozen=True)
class Preset:
    """Everything that decides what a training of Attri-Net does, but for data and devices.

    The defaults are the paper's (3.7), where it is silent its authors' code's.

    Attributes:
        pairs: positives in a batch, and as many negatives.
        findings_at_once: 1 walks through the findings one batch at a time as the paper does; 5 mixes five in each
            batch, the same sum over c of Eq. 7 with less noise in each step.
        critic_steps: for each generator step.
        classifier_steps: for each generator step; the first learns from the generator's own batch, the others draw
            theirs.
        warm_critic_steps: critic steps for each of the first `warm_steps` generator steps and for every hundredth.
        lambda_*: weights of Eq. 7; lambda_gd acts on the mean over the batch (the authors sum over their batch of 4).
        centre_rate: learning rate of the centres, an exponential moving average over the last 1 / rate batches.
        averaging: decay of the running average of M's and the classifiers' weights that is kept; 0 keeps the last.
        keep_last: 1 keeps the last weights, 0 (the paper) those with the best AUC on validation, which says nothing of
            the maps; with made pairs, the best sum of AUC and recovery on pairs of validation patients.
        annotated_share: how often a positive is drawn from the annotated ones (3.5.2).
        lambda_pairs: weight of the loss on made pairs (`pair_loss`), where there are any; not in the paper.
        made_pairs: of them in a batch.
        emphasis, last_emphasis: extra weight of pixels that truly change (see `pair_loss`), at the start and after
            `emphasis_steps`.
        pairs_first: steps at the start in which M learns from made pairs alone; `warm_steps` count from there.
    """

    architecture: Architecture = field(default_factory=Architecture)
    steps: int = 100_000
    validate_every: int = 1000
    pairs: int = 4
    findings_at_once: int = 1
    critic_steps: int = 5
    classifier_steps: int = 5
    warm_steps: int = 25
    warm_critic_steps: int = 100
    learning_rate: float = 1e-4
    classifier_rate: float = 1e-4
    weight_decay: float = 1e-5
    lambda_ad: float = 1.0
    lambda_cl: float = 100.0
    lambda_re: float = 100.0
    lambda_ct: float = 0.01
    lambda_gd: float = 30.0
    penalty: float = 10.0
    centre_rate: float = 0.1
    averaging: float = 0.0
    keep_last: int = 0
    annotated_share: float = 0.1
    lambda_pairs: float = 5.0
    made_pairs: int = 5
    emphasis: float = 40.0
    last_emphasis: float = 2.0
    emphasis_steps: int = 2000
    pairs_first: int = 0
    percentile: float = 1.0
    value_range: float = 0.9
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        at_least_one(self, "steps", "validate_every", "pairs", "findings_at_once", "made_pairs")
        not_negative(self, "lambda_pairs", "emphasis", "last_emphasis", "emphasis_steps", "pairs_first")


PAPER = Preset(augmentation=Augmentation(gamma=0.3))
DEMO = Preset(
    architecture=Architecture(size=96, width=16, pool=12),
    steps=4000,
    validate_every=250,
    pairs=5,
    findings_at_once=5,
    critic_steps=1,
    classifier_steps=1,
    warm_steps=5,
    warm_critic_steps=5,
    learning_rate=3e-4,
    classifier_rate=3e-3,
    # |grad D| is about 1 over the picture, 1 / size a pixel; the mean of |M| weighs 1 / size^2: kept as at 320
    lambda_re=30.0,
    averaging=0.99,
)
GPU = replace(
    DEMO,
    architecture=Architecture(size=224, width=32, pool=28, upsampling="resized"),
    steps=12_000,
    validate_every=500,
    pairs=10,
    critic_steps=2,
    made_pairs=10,
    emphasis_steps=3000,
    lambda_re=70.0,  # as at 96 and at 320: in proportion to the side
    averaging=0.995,
    augmentation=Augmentation(rotate=5, shift=0.03, scale=0.06, gamma=0.2),
)
PRESETS: Mapping[str, Preset] = {"paper": PAPER, "gpu": GPU, "demo": DEMO}


@dataclass(frozen=True)
class Batch:
    """One process's share of a batch: pictures (B, 1, H, W), the finding (B,) each is about, where it should show."""

    negative: Tensor
    positive: Tensor
    task: Tensor
    guidance: Tensor | None


class AttriNetRecipe(PictureRecipe):
    """Attri-Net on one collection.

    Args:
        collection: labelled pictures; NaN labels are in neither half of a batch.
        preset: sizes, weights and schedule.
        guidance: `name`, `mask(index, finding, size)` and `annotated(finding)`, or None for no guidance.
        compiled: fuse M's and D's loops with torch.compile (needs a C++ compiler on the CPU); the same sums in another
            order.
        pairs: a collection that knows true counterfactuals and teaches M by them, or None.
    """

    def __init__(
        self,
        collection: Collection,
        preset: Preset,
        guidance=None,
        seed: int = 42,
        compiled: bool = False,
        pairs: Collection | None = None,
    ):
        self.collection, self.preset, self.guidance, self.seed = collection, preset, guidance, seed
        self.steps, self.validate_every, self.keep_last = preset.steps, preset.validate_every, bool(preset.keep_last)
        architecture = preset.architecture
        torch.manual_seed(seed)
        self.net = AttriNet(tuple(collection.findings), architecture)
        self.critic = Critic(len(collection.findings), architecture)
        self.average = AttriNet(tuple(collection.findings), architecture)
        self.average.load_state_dict(self.net.state_dict())
        self.net.to(memory_format=torch.channels_last)
        self.critic.to(memory_format=torch.channels_last)
        self.films = Films(collection, Preprocessing(architecture.size, preset.percentile, preset.value_range))
        self.teacher = made_pairs_for(pairs, collection, self.films.preprocessing)
        if preset.pairs_first and self.teacher is None:
            raise ValueError(
                "pairs_first asks for steps with made pairs alone, and there are none; add --pairs implants."
            )
        train = collection.split("train")
        labels = collection.labels[train]
        self.present = [train[labels[:, c] == 1] for c in range(len(collection.findings))]
        self.absent = [train[labels[:, c] == 0] for c in range(len(collection.findings))]
        for finding, present, absent in zip(collection.findings, self.present, self.absent):
            if not len(present) or not len(absent):
                raise ValueError(
                    f"training needs pictures with and without {finding}; the train split has {len(present)} and "
                    f"{len(absent)}."
                )
        validation = collection.labels[collection.split("validation")]
        for finding, column in zip(collection.findings, validation.T):
            if not {0.0, 1.0} <= {
                *column.tolist()
            }:  # else there is no operating point to be had after hours of training
                raise ValueError(
                    f"choosing an operating point needs validation pictures with and without {finding}; it has only "
                    "one of them."
                )
        self._optimisers = None
        self._generate = torch.compile(self.net.generator) if compiled else self.net.generator
        self._criticise = torch.compile(self.critic) if compiled else self.critic

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net, "critic": self.critic, "average": self.average}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        if self._optimisers is None:
            p = self.preset
            gan = {"lr": p.learning_rate, "betas": (0.0, 0.9), "weight_decay": p.weight_decay}
            self._optimisers = {
                "generator": torch.optim.Adam(self.net.generator.parameters(), **gan),
                "critic": torch.optim.Adam(self.critic.parameters(), **gan),
                "classifiers": torch.optim.Adam(
                    self.net.classifiers.parameters(), lr=p.classifier_rate, weight_decay=p.weight_decay
                ),
            }
        return self._optimisers

    def weights_to_keep(self) -> dict[str, Tensor]:
        return {f"net.{k}": v for k, v in self.average.state_dict().items()} | {
            f"critic.{k}": v for k, v in self.critic.state_dict().items()
        }

    def settings(self) -> dict:
        chosen = {name: value for name, value in asdict(self.preset).items() if name not in ("steps", "validate_every")}
        data = {"findings": list(self.collection.findings)} | data_settings(self.collection)
        return chosen | data | {"guidance": self.guidance and self.guidance.name} | pairs_settings(self.teacher)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with the weights of an earlier training (`Recipe.weights_to_keep` or a checkpoint, which may lack the
        critic).

        Raises:
            ValueError: they are of another network.
        """
        net = {k.removeprefix("net."): v for k, v in weights.items() if k.startswith("net.")}
        critic = {k.removeprefix("critic."): v for k, v in weights.items() if k.startswith("critic.")}
        try:
            self.net.load_state_dict(net)
            self.average.load_state_dict(net)
            if critic:
                self.critic.load_state_dict(critic)
        except RuntimeError as error:
            raise ValueError(
                "the weights to start from are of another network, or for other findings; train with its settings."
            ) from error

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        p = self.preset
        optimisers = self.optimisers()
        if step < p.pairs_first:
            return self._taught_step(step, fabric, optimisers)
        warm = step - p.pairs_first < p.warm_steps or (p.warm_steps and step % 100 == 0)
        losses = {}
        for k in range(p.warm_critic_steps if warm else p.critic_steps):
            losses["critic"] = self._critic_step(
                self.batch(f"critic {k}", step, fabric), step, k, fabric, optimisers["critic"]
            )
        losses |= self._generator_step(self.batch("generator", step, fabric), step, fabric, optimisers)
        for k in range(1, p.classifier_steps):
            self._classifier_step(self.batch(f"classifier {k}", step, fabric), fabric, optimisers["classifiers"])
        follow(self.average, self.net, self.preset.averaging, step)
        return losses

    def batch(self, stream: str, step: int, fabric: Fabric) -> Batch:
        """Positives and negatives of one finding (or of `findings_at_once`), drawn with replacement from (seed, stream,
        step).
        """
        p, count = self.preset, len(self.collection.findings)
        draw = self.draw(stream, step)
        first = step * p.findings_at_once + (
            int(stream.split()[-1]) if stream != "generator" and p.findings_at_once == 1 else 0
        )
        task = (first + np.arange(p.pairs) % p.findings_at_once) % count
        negative = [draw.choice(self.absent[c]) for c in task]
        positive, masks = [], []
        for c in task:
            finding = self.collection.findings[int(c)]
            annotated = self.guidance.annotated(finding) if self.guidance else ()
            pool = annotated if draw.random() < p.annotated_share and len(annotated) else self.present[c]
            positive.append(draw.choice(pool))
        own_share = shard(p.pairs, fabric)
        changes = torch.from_numpy(draw.uniform(-1, 1, (2, p.pairs, 5)).astype(np.float32))
        pictures, grids = [], []
        for half, chosen in ((0, negative), (1, positive)):
            moved, grid = p.augmentation(self.films.batch(chosen[own_share]), changes[half][own_share], p.value_range)
            pictures.append(moved.to(fabric.device, memory_format=torch.channels_last))
            grids.append(grid)
        guidance = None
        if self.guidance is not None and stream == "generator":
            size = p.architecture.size
            for index, c in zip(positive[own_share], task[own_share]):
                mask = self.guidance.mask(index, self.collection.findings[int(c)], size)
                masks.append(np.ones((size, size), np.float32) if mask is None else mask)
            guidance = move_masks(torch.from_numpy(np.stack(masks))[:, None].float(), grids[1]).to(fabric.device)
        own_negative, own_positive = pictures
        return Batch(own_negative, own_positive, torch.from_numpy(task[own_share]).to(fabric.device), guidance)

    def _critic_step(self, batch: Batch, step: int, k: int, fabric: Fabric, optimiser) -> float:
        with torch.no_grad(), fabric.autocast():
            counterfactual = batch.positive + self._generate(batch.positive, batch.task)
        position = self.draw(f"penalty {k}", step).random((self.preset.pairs, 1, 1, 1), np.float32)
        position = torch.from_numpy(position[shard(self.preset.pairs, fabric)]).to(fabric.device)
        optimiser.zero_grad()
        with fabric.autocast():
            both = self.critic(torch.cat([batch.negative, counterfactual]), batch.task.repeat(2))
            distance = critic_loss(*both.chunk(2))
            penalty = gradient_penalty(lambda u: self.critic(u, batch.task), batch.negative, counterfactual, position)
        fabric.backward(distance + self.preset.penalty * penalty)
        average_gradients(self.critic.parameters(), fabric)
        optimiser.step()
        return float(distance.detach())

    def _taught_step(self, step: int, fabric: Fabric, optimisers) -> dict[str, float]:
        """M from made pairs alone; the classifiers follow, so that later they need no larger maps than the
        findings are.
        """
        optimiser = optimisers["generator"]
        optimiser.zero_grad()
        loss = self.preset.lambda_pairs * self._pair_loss(step, fabric)
        fabric.backward(loss)
        average_gradients(self.net.generator.parameters(), fabric)
        optimiser.step()
        if step % CLASSIFIERS_FOLLOW == 0:
            self._classifier_step(self.batch("classifier 1", step, fabric), fabric, optimisers["classifiers"])
        follow(self.average, self.net, self.preset.averaging, step)
        return {"pairs": float(loss.detach())}

    def _pair_loss(self, step: int, fabric: Fabric) -> Tensor:
        p = self.preset
        assert self.teacher is not None, "no loss on made pairs without them"
        made = self.teacher.batch(self.draw("pairs", step), p.made_pairs, p.augmentation)
        before, change, task = (part[shard(p.made_pairs, fabric)].to(fabric.device) for part in made)
        with fabric.autocast():
            maps = self._generate(before.contiguous(memory_format=torch.channels_last), task)
        emphasis = emphasis_at(step, p.emphasis, p.last_emphasis, p.emphasis_steps)
        return pair_loss(maps, change, emphasis, self.teacher.sizes.to(task.device)[task])

    def _generator_step(self, batch: Batch, step: int, fabric: Fabric, optimisers) -> dict[str, float]:
        p, optimiser = self.preset, optimisers["generator"]
        self.critic.requires_grad_(False)
        self.net.classifiers.requires_grad_(False)
        optimiser.zero_grad()
        task = batch.task.repeat(2)
        with fabric.autocast():
            maps = self._generate(torch.cat([batch.negative, batch.positive]), task)
            negative, positive = maps.chunk(2)
            score = self._criticise(batch.positive + positive, batch.task)
        present = torch.cat([torch.zeros_like(batch.task), torch.ones_like(batch.task)])
        centres = self.net.centres.value
        losses: dict[str, Tensor] = {
            "adversarial": p.lambda_ad * adversarial_loss(score),
            "classification": p.lambda_cl
            * F.binary_cross_entropy_with_logits(self.net.classifiers(maps, task), present.float()),
            "sparsity": p.lambda_re * sparsity_loss(negative, positive),
            "centres": p.lambda_ct
            * centre_loss(negative, positive, centres[batch.task, 0][:, None], centres[batch.task, 1][:, None]),
        }
        if batch.guidance is not None:
            losses["guidance"] = p.lambda_gd * guidance_loss(positive, batch.guidance)
        if self.teacher is not None:
            losses["pairs"] = p.lambda_pairs * self._pair_loss(step, fabric)
        fabric.backward(total(losses))  # Eq. 7 of Sun et al. 2025
        average_gradients(self.net.generator.parameters(), fabric)
        optimiser.step()
        self.critic.requires_grad_(True)
        self.net.classifiers.requires_grad_(True)
        self._classify(maps.detach(), task, present, fabric, optimisers["classifiers"])
        everyone = gathered(maps.detach(), fabric), gathered(task, fabric), gathered(present, fabric)
        self.net.centres.update(*everyone, p.centre_rate)
        return {name: float(value.detach()) for name, value in losses.items()}

    def _classifier_step(self, batch: Batch, fabric: Fabric, optimiser) -> None:
        task = batch.task.repeat(2)
        with torch.no_grad(), fabric.autocast():
            maps = self._generate(torch.cat([batch.negative, batch.positive]), task)
        present = torch.cat([torch.zeros_like(batch.task), torch.ones_like(batch.task)])
        self._classify(maps, task, present, fabric, optimiser)

    def _classify(self, maps: Tensor, task: Tensor, present: Tensor, fabric: Fabric, optimiser) -> None:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(self.net.classifiers(maps, task), present.float())
        fabric.backward(loss)
        average_gradients(self.net.classifiers.parameters(), fabric)
        optimiser.step()

    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen = self.collection.split("validation")
        scores = validation_score(self.collection.labels[chosen], self.scores(chosen, fabric), self.collection.findings)
        if self.teacher is None:
            return scores
        recovered = self._recovered(fabric)
        return scores | {"score": scores["score"] + recovered, "auc": scores["score"], "recovery": recovered}

    @torch.no_grad()
    def _recovered(self, fabric: Fabric, count: int = 60) -> float:
        """How much of the true change M makes on made pairs of patients held back from the teacher."""
        assert self.teacher is not None, "nothing to recover without made pairs"
        before, change, task = self.teacher.batch(self.draw("validation pairs", 0), count, part="validation")
        made = []
        for start in range(0, count, 20):
            some = slice(start, start + 20)
            with fabric.autocast():
                made.append(
                    self.average.generator(before[some].to(fabric.device), task[some].to(fabric.device)).float().cpu()
                )
        return pair_recovery(torch.cat(made), change)

    @torch.no_grad()
    def scores(self, indices: np.ndarray, fabric: Fabric, batch: int = 64) -> np.ndarray:
        """Log-odds (N, C) of the averaged network for the pictures at `indices`."""
        logits = []
        self.average.to(fabric.device).eval()
        for start in range(0, len(indices), batch):
            pictures = self.films.batch(indices[start : start + batch]).to(
                fabric.device, memory_format=torch.channels_last
            )
            with fabric.autocast():
                _, logit = self.average.every_task(pictures)
            logits.append(logit.float().cpu().numpy())
        return np.concatenate(logits)
