"""A trained supervised U-Net looks at scans, is measured, and becomes a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path as Folder

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from engine.checkpoints.card import card, chest_subgroups, metrics_of, placeholder_card
from engine.checkpoints.format import Checkpoint, RefusedCheckpoint, save_checkpoint
from engine.datasets.collection import Collection
from engine.explanation import CHANGE_LIMIT, Explanation, Path, fitting_change_limit
from engine.methods.supervised.train import HIGHEST, PRESETS, Architecture, SupervisedRecipe, SupervisedUNet
from engine.metrics.classification import accuracy, auc, mean_auc, sensitivity, specificity, youden_threshold
from engine.metrics.composition import composition
from engine.metrics.disease_sensitivity import disease_sensitivity
from engine.metrics.hit_rate import hit_rate
from engine.metrics.measure import Measure, collected
from engine.metrics.recovery import recovery, restraint
from engine.metrics.stride_energy import stride_energy
from engine.metrics.subjects import MEAN_OVER_FINDINGS, Variant
from engine.networks.weights import with_weights
from engine.ood import ENOUGH, TENSORS, OutOfDistributionDetector
from engine.preprocessing import Preprocessing, enlarged
from engine.registry import Model
from engine.scan import Scan
from engine.training.job import TrainingJob, data_facts, hardware, starting_weights, taught_words
from engine.training.loop import best_weights, facts_of, run
from engine.training.presets import with_changes

BATCH = 8
STEPS = np.arange(0, 1.51, 0.25, dtype=np.float32)  # a of x + a M(x)
FAINTEST = 1e-4  # added to a map's size before its logarithm is taken
MOST_COUNTERFACTUALS = 300  # positives a finding whose true counterfactual is drawn
INTENDED = (
    "Research and teaching: to see what a map is when the true counterfactual of every training picture is known, "
    "which no labelled collection offers. Not for diagnosis. Its probability is a function of how much it would "
    "change, nothing more."
)


class SupervisedModel(Model):
    """An opened checkpoint: its configuration holds `network`, `preprocessing` and, a finding each, `calibration`,
    `thresholds`, `scales`.

    The probability of a finding is a logistic function of the logarithm of its map's size, fitted on validation
    pictures.
    """

    def __init__(self, checkpoint: Checkpoint, device: str):
        config = checkpoint.config
        self.checkpoint, self.device, self.findings = checkpoint, torch.device(device), tuple(config["findings"])
        try:
            sizes, self.preprocessing = Architecture(**config["network"]), Preprocessing(**config["preprocessing"])
            if self.preprocessing.size != sizes.size:
                raise ValueError(f"pictures of {self.preprocessing.size} pixels for a network of {sizes.size}")
            self.kind = str(config["data"]["kind"])
            self.thresholds = np.array([config["thresholds"][f] for f in self.findings], np.float32)
            self.limits = np.array([config["scales"][f] for f in self.findings], np.float32)
            self.change_limit = float(config.get("change_limit", CHANGE_LIMIT))
            calibration = np.array([config["calibration"][f] for f in self.findings], np.float32)
            if calibration.shape != (len(self.findings), 2):
                raise ValueError(f"calibration must be two numbers a finding, got {calibration.shape}")
            self.calibration = torch.from_numpy(calibration).to(self.device)  # (C, 2)
            weights = checkpoint.weights()
            self.detector = OutOfDistributionDetector.from_tensors(
                {k: weights.pop(k).numpy() for k in [*weights] if k.startswith(TENSORS)}
            )
            self.net = with_weights(
                lambda: SupervisedUNet(len(self.findings), sizes),
                {k.removeprefix("net."): v for k, v in weights.items()},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedCheckpoint(
                f"{checkpoint.name} is not a whole supervised U-Net ({error}); save it again with engine train."
            ) from error
        self.net.to(self.device, memory_format=torch.channels_last).eval().requires_grad_(False)

    def map_of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared pictures (B, 1, size, size): maps (B, C, size, size) and probabilities (B, C), float32."""
        maps = self.net(x)
        return maps, torch.sigmoid(
            self.calibration[:, 0] * ((map_sizes(maps) + FAINTEST).log() - self.calibration[:, 1])
        )

    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """The scan as the network sees it, (size, size) float32; see `Model`."""
        return self.preprocessing.apply(self.pixels_of(scan))

    @torch.inference_mode()
    def forward(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepared pictures (B, size, size): maps (B, C, size, size) and probabilities (B, C)."""
        found = [self.map_of(some.to(self.device)) for some in torch.from_numpy(pictures)[:, None].split(BATCH)]
        return tuple(torch.cat(parts).cpu().numpy() for parts in zip(*found))

    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        return self.forward(prepared)[1]

    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        started, chosen, picture = time.perf_counter(), self.finding_indices(findings), self.preprocess(scan)
        units, span = self.preprocessing.scan_units(scan.pixels), 2 * self.preprocessing.value_range
        (maps,), (probabilities,) = self.forward(picture[None])
        records = []
        for done, c in enumerate(chosen):
            frames = np.clip(picture + STEPS[1:, None, None] * maps[c], -HIGHEST, HIGHEST).astype(np.float32)
            along = np.concatenate([probabilities[c : c + 1], self.forward(frames)[1][:, c]])
            drawn, evidence = maps[c] * units, -maps[c] / span
            records.append(
                Explanation(
                    scan_sha256=scan.sha256,
                    checkpoint_sha256=self.checkpoint.sha256,
                    checkpoint_identity=self.checkpoint.identity,
                    finding=self.findings[c],
                    probability=float(probabilities[c]),
                    threshold=float(self.thresholds[c]),
                    attribution=enlarged(evidence, scan.pixels.shape),
                    attribution_unit="of the grey range, that is taken away",
                    attribution_limit=float(self.limits[c]),
                    evidence=evidence,
                    counterfactual=(scan.pixels + enlarged(drawn, scan.pixels.shape)).astype(np.float32),
                    path=Path(
                        STEPS, along.astype(np.float32), STEPS[:, None, None] * drawn, span * units, self.change_limit
                    ),
                    in_distribution=(self.detector.score(picture), self.detector.limit),
                    seconds=time.perf_counter() - started,
                    both_signs=True,
                )
            )
            if progress:
                progress(done + 1, len(chosen))
        return records

    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        picture = self.preprocess(scan)
        (maps,), _ = self.forward(picture[None])
        changed = picture + sum(
            a * maps[c] for c, a in zip(self.finding_indices([*amounts]), amounts.values(), strict=True)
        )
        _, (probabilities,) = self.forward(np.clip(changed, -HIGHEST, HIGHEST).astype(np.float32)[None])
        return {finding: float(p) for finding, p in zip(self.findings, probabilities)}


def map_sizes(maps: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C): the root mean square."""
    return maps.float().square().mean(dim=(2, 3)).sqrt()


def look(
    model: SupervisedModel, collection: Collection, indices: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (N, s, s), maps (N, C, s, s), float16 both, and probabilities (N, C) of the pictures at `indices`."""
    side, pictures, maps, probabilities = model.preprocessing.size, [], [], []
    for start in range(0, len(indices), BATCH):
        seen = np.stack(
            [model.preprocessing.apply(collection.image(int(i), side)) for i in indices[start : start + BATCH]]
        )
        found, believed = model.forward(seen)
        pictures.append(seen.astype(np.float16))
        maps.append(found.astype(np.float16))
        probabilities.append(believed)
    return np.concatenate(pictures), np.concatenate(maps), np.concatenate(probabilities)


def evaluate(model: SupervisedModel, collection: Collection, indices: np.ndarray) -> tuple[list[Measure], list[str]]:
    """What the other rows of a table have: calls, where the map lies, what it leaves alone, and how near it comes to
    the truth.
    """
    pictures, maps, probabilities = look(model, collection, indices)
    labels, groups, side = collection.labels[indices], collection.patients[indices], model.preprocessing.size
    rows, measured, remarks = collected()
    measured(mean_auc, labels, probabilities, model.findings, groups=groups)
    for c, finding in enumerate(model.findings):
        known, has = ~np.isnan(labels[:, c]), labels[:, c] == 1
        measured(auc, labels[known, c], probabilities[known, c], finding=finding, groups=groups[known])
        for call in (sensitivity, specificity, accuracy):
            measured(
                call,
                labels[known, c],
                probabilities[known, c],
                float(model.thresholds[c]),
                finding=finding,
                groups=groups[known],
            )
        marked = [(n, collection.regions(int(indices[n]), finding, side)) for n in np.flatnonzero(has)]
        marked = [(n, [r for r in regions if r.any()]) for n, regions in marked if any(r.any() for r in regions)]
        pairs, who = (
            [(np.abs(maps[n, c].astype(np.float32)), regions) for n, regions in marked],
            groups[[n for n, _ in marked]],
        )
        for call in (hit_rate, disease_sensitivity) if pairs else ():
            measured(call, pairs, finding=finding, groups=who)
        before, change = (stack.astype(np.float32) for stack in (pictures[~has & known], maps[~has & known, c]))
        span, who = 2 * model.preprocessing.value_range, groups[~has & known]
        measured(composition, before, before + change, span, finding, who, variant=Variant.WITHOUT)
        measured(
            stride_energy, maps[:, c].astype(np.float32), pictures.astype(np.float32), finding=finding, groups=groups
        )
        if collection.has_counterfactuals and has.any():
            some = np.flatnonzero(has)[:MOST_COUNTERFACTUALS]
            before = pictures[some].astype(np.float32)
            truth = true_counterfactuals(model.preprocessing, collection, indices[some], finding)
            for call in (recovery, restraint):
                measured(
                    call, before, before + maps[some, c].astype(np.float32), truth, finding=finding, groups=groups[some]
                )
    for metric in ("recovery", "restraint", "stride_energy", "hit_rate"):
        rows += mean_over(rows, metric)
    return rows, remarks


def true_counterfactuals(prep: Preprocessing, collection: Collection, indices: np.ndarray, finding: str) -> np.ndarray:
    """(N, s, s) float32: the pictures without `finding` in the network's range, by the percentiles of the
    pictures with it.
    """
    found = []
    for index in indices:
        low, high = prep.ends(prep.resized(collection.image(int(index), prep.size)))
        true = prep.resized(collection.counterfactual(int(index), prep.size, without=(finding,)))
        found.append(
            np.clip(
                (true - low) * (2 * prep.value_range / (high - low)) - prep.value_range,
                -prep.value_range,
                prep.value_range,
            )
        )
    return np.stack(found)


def mean_over(rows: Sequence[Measure], metric: str) -> list[Measure]:
    """The mean over findings, its interval the mean of theirs, which holds under any dependence; nothing
    for fewer than two.
    """
    parts = [row for row in rows if row.metric == metric]
    if len(parts) < 2:
        return []
    ends = (
        [None, None]
        if any(row.low is None for row in parts)
        else np.mean([(row.low, row.high) for row in parts], axis=0)
    )
    chance = None if any(row.chance is None for row in parts) else float(np.mean([row.chance for row in parts]))
    value = float(np.mean([row.value for row in parts]))
    return [Measure(metric, "", value, *ends, n=sum(row.n for row in parts), chance=chance, variant=MEAN_OVER_FINDINGS)]


def produce(job: TrainingJob, method) -> Checkpoint | None:
    """Train (or go on training), fit the probabilities on validation, measure on test, save."""
    if job.guidance is not None:
        raise ValueError(f"{method.title} is trained without guidance; leave --guidance out.")
    preset = with_changes(PRESETS[job.preset], job.changes)
    recipe = SupervisedRecipe(job.collection, preset, job.seed, job.pairs)
    if job.start_from:
        recipe.start_from(starting_weights(job))
    fabric = job.machine.fabric(job.run_folder)
    fabric.launch()
    run(recipe, job.run_folder, fabric, resume=job.resume)
    if not fabric.is_global_zero:
        return None
    collection, facts = job.collection, facts_of(job.run_folder)
    known = {
        part: recipe.films.batch(collection.split(part)[:ENOUGH])[:, 0].numpy() for part in ("train", "validation")
    }
    detector = OutOfDistributionDetector.of(known["train"], known["validation"])
    config = {
        "findings": list(collection.findings),
        "network": asdict(preset.architecture),
        "preprocessing": asdict(recipe.films.preprocessing),
        "training": {k: v for k, v in asdict(preset).items() if k != "architecture"}
        | {"steps_done": facts["step"], "seed": job.seed},
        "data": data_facts(collection, job.pairs, guidance="none"),
        "calibration": {finding: [1.0, 0.0] for finding in collection.findings},
        "thresholds": dict.fromkeys(collection.findings, 0.5),
        "scales": dict.fromkeys(collection.findings, 1.0),
    }
    weights = best_weights(job.run_folder) | {k: torch.as_tensor(v) for k, v in detector.tensors().items()}
    saved = {"method": method.name, "weights": weights, "half": True}
    draft = save_checkpoint(job.run_folder / "draft", config=config, card=placeholder_card(), **saved)
    model = method.open(draft, "cuda" if fabric.device.type == "cuda" else "cpu")
    config |= _fitted(model, collection)
    draft = save_checkpoint(job.run_folder / "draft", config=config, card=placeholder_card(), **saved)
    model, test = method.open(draft, model.device.type), collection.split("test")
    rows, remarks = evaluate(model, collection, test)
    found = metrics_of(collection, rows, remarks, chest_subgroups(collection, test, look(model, collection, test)[2]))
    text = card(
        title=f"{job.name}: {method.title} on {collection.name}",
        intended=INTENDED,
        terms=job.terms + taught_words(job.pairs),
        collection=collection,
        seed=job.seed,
        guidance="none",
        command=job.command,
        hardware=f"{hardware(job.machine, fabric.device.type)}; {facts['seconds'] / 60:.0f} minutes for "
        f"{facts['step']} steps, the kept weights are those of step {facts['best']['step']}.",
        metrics=found,
    )
    return save_checkpoint(job.destination / job.name, config=config, card=text, metrics=found, **saved)


def _fitted(model: SupervisedModel, collection: Collection) -> dict:
    """From validation: each finding's logistic function, operating point by Youden's index, and colour scale."""
    chosen = collection.split("validation")
    _, maps, _ = look(model, collection, chosen)
    sizes = np.sqrt((maps.astype(np.float32) ** 2).mean(axis=(2, 3)))
    calibration, thresholds, scales = {}, {}, {}
    for c, finding in enumerate(model.findings):
        labels = collection.labels[chosen, c]
        known = ~np.isnan(labels)
        logs = np.log(sizes[known, c].astype(np.float64) + FAINTEST)
        spread = max(float(logs.std()), 1e-6)
        fit = LogisticRegression().fit((logs - logs.mean())[:, None] / spread, labels[known])
        slope = max(float(fit.coef_[0, 0]) / spread, 1e-3)  # a larger map never speaks against the finding
        middle = float(logs.mean() - fit.intercept_[0] / slope)
        calibration[finding] = [round(slope, 6), round(middle, 6)]
        believed = 1 / (1 + np.exp(-slope * (logs - middle)))
        thresholds[finding] = round(float(youden_threshold(labels[known], believed, finding=finding)), 6)
        strength = np.abs(maps[labels == 1, c].astype(np.float32)) / (2 * model.preprocessing.value_range)
        scales[finding] = float(f"{max(float(np.quantile(strength, 0.995)), 1e-6):.2g}")
    limit = fitting_change_limit(maps, 2 * model.preprocessing.value_range)
    return {"calibration": calibration, "thresholds": thresholds, "scales": scales, "change_limit": limit}


def tiny(
    folder: Folder, name: str, findings: tuple[str, ...] = ("Atelectasis", "Effusion"), seed: int = 0
) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    torch.manual_seed(seed)
    net = SupervisedUNet(len(findings), Architecture(size=32, width=4, levels=2))
    torch.nn.init.normal_(net.last.weight, std=0.05)
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, 32, 32)).astype(np.float32)
    detector = OutOfDistributionDetector.of(pictures[:30], pictures[30:])
    config = {
        "findings": list(findings),
        "network": asdict(net.architecture),
        "preprocessing": asdict(Preprocessing(32)),
        "data": {"collection": "phantom", "kind": "radiograph", "guidance": "none"},
        "calibration": {finding: [1.0, -1.0] for finding in findings},
        "thresholds": dict.fromkeys(findings, 0.5),
        "scales": dict.fromkeys(findings, 0.2),
    }
    weights = {f"net.{k}": v for k, v in net.state_dict().items()} | {
        k: torch.as_tensor(v) for k, v in detector.tensors().items()
    }
    return save_checkpoint(folder, method=name, config=config, weights=weights, card=placeholder_card())


def open_model(checkpoint: Checkpoint, device: str) -> SupervisedModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return SupervisedModel(checkpoint, device)
