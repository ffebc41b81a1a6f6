"""Tables 1 to 3 and 5 of Fontanella et al. 2023 on drawn heads: ACAT beside its baseline and its competitors, over
three seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.datasets.collection import Collection
from engine.metrics.measure import Measure
from engine.reproduce.records import SEED, Baselines, Table, Training, suffix
from engine.reproduce.rows import About, Difference, Mean, Row, Wanted

OURS = "ACAT"
SEEDS = (43, 44)  # beside SEED
FINDING = "Infarct"
BASELINE, ATTENDED = "baseline", "ACAT"  # variants of the measures of one checkpoint, which holds both
TRAINED_ON = "baseline, trained on as long"
COMPETITORS = (TRAINED_ON, "SMIC", "SalClassNet", "HSM", "SpAtt", "SeAtt", "ViT")
ACCURACY = {  # Table 2, IST-3
    BASELINE: 0.7139,
    ATTENDED: 0.7255,
    "SMIC": 0.7085,
    "SalClassNet": 0.6943,
    "HSM": 0.7138,
    "SpAtt": 0.7096,
    "SeAtt": 0.7123,
    "ViT": 0.5787,
}
SIZES = ("none", "very small", "small", "medium", "large")  # infarct sizes 1 to 4
_TABLE_1 = {
    BASELINE: (0.8141, 0.2366, 0.5416, 0.7209, 0.8774),
    ATTENDED: (0.8430, 0.3023, 0.5502, 0.6867, 0.8493),
    "SalClassNet": (0.7671, 0.2924, 0.5448, 0.6495, 0.8271),
    "SMIC": (0.7924, 0.2555, 0.5482, 0.6571, 0.8836),
    "HSM": (0.8037, 0.2728, 0.5386, 0.7160, 0.8910),
    "SpAtt": (0.8256, 0.2133, 0.5158, 0.6786, 0.8677),
    "SeAtt": (0.8349, 0.2703, 0.5205, 0.6554, 0.8442),
    "ViT": (0.7679, 0.1167, 0.4104, 0.5312, 0.6154),
}
BY_SIZE: Mapping[str, Mapping[str, float]] = {
    name: dict(zip(SIZES, numbers, strict=True)) for name, numbers in _TABLE_1.items()
}
# Section 4.4; the maps of ACAT itself are made of both counterfactuals.
HITS = {"baseline, negative counterfactual": 0.6505, "ACAT, both counterfactuals": 0.6855}
OVERLAP = {"iou": 0.5203, "dice": 0.5372}  # Table 5, MosMed
VARIANCES = {  # Table 3, layers 1 to 7
    "baseline, scans": (0.017, 17.68, 7.22, 0.97, 1.91, 3.05, 0.23),
    "ACAT, scans": (0.035, 0.03, 0.09, 0.04, 0.15, 0.05, 0.17),
    "baseline, noised scans": (0.36, 33.92, 10.14, 17.04, 336.04, 5958.12, 831.92),
    "ACAT, noised scans": (0.39, 0.97, 2.62, 2.46, 15.28, 11.64, 77.98),
}
MAPS = (
    "baseline, negative counterfactual",
    "baseline, both counterfactuals",
    "ACAT, negative counterfactual",
    "ACAT, both counterfactuals",
)
NETWORKS = (BASELINE, ATTENDED)


def seeded(name: str, seed: int) -> str:
    """A model or competitor of one seed, as a reader sees it."""
    return name if seed == SEED else f"{name}, seed {seed}"


def _models(seeds: Sequence[int]) -> dict[str, Training]:
    names = {seed: "acat-stroke-phantom" + ("" if seed == SEED else f"-{seed}") for seed in seeds}
    return {seeded(OURS, seed): Training(name, seed=seed) for seed, name in names.items()}


def competitors(
    table: Table, preset: str, collection: Collection, machine, runs: Path, train: bool
) -> Mapping[str, list[Measure]] | None:
    """The classifiers that the paper compares with, of every seed whose ACAT is there."""
    from engine.classifiers import beside_attention
    from engine.registry import choose_device, method
    from engine.training.presets import with_changes

    found = {}
    for model, training in table.models.items():
        name = table.checkpoint(model, preset)
        if name not in shipped():
            continue
        changes = {**table.changes, **training.changes, **(training.demo if preset == "demo" else {})}
        alike = with_changes(method(table.method).presets()[preset], changes).suited_to(collection)
        nets = beside_attention.starting_networks(alike.architecture, runs / name, open_checkpoint(name).weights)
        device = choose_device(machine.accelerator)
        start = beside_attention.Start(collection, alike, nets, runs / name, training.seed, device)
        folder = runs / f"beside-{training.name}{suffix(preset)}"
        rows = beside_attention.measured(COMPETITORS, start, folder, machine, train)
        found |= {seeded(competitor, training.seed): measures for competitor, measures in rows.items()}
    return found or None


def _accuracies(seed: int) -> list[Row]:
    """Accuracy of ACAT, baseline and competitors of one seed, over all scans and by the lesion's size."""
    ours, rows = seeded(OURS, seed), []
    shown = [(ours, network, network) for network in NETWORKS]
    shown += [(seeded(name, seed), "", name) for name in COMPETITORS]
    rows += [Wanted(model, "accuracy", About(FINDING, variant), ACCURACY.get(key)) for model, variant, key in shown]
    rows.append(Wanted(ours, "effect", About(FINDING, "accuracy, ACAT less baseline"), 0.7255 - 0.7139))
    rows += [
        Wanted(model, "accuracy", About(FINDING, variant, "lesion_size", size), BY_SIZE.get(key, {}).get(size))
        for size in SIZES
        for model, variant, key in shown
    ]
    rows += [
        Wanted(model, metric, About(FINDING, variant))
        for metric in ("auc", "sensitivity", "specificity")
        for model, variant, _ in shown
    ]
    return rows


def _over(seeds: Sequence[int]) -> list[Row]:
    """Over all seeds: mean accuracy of each, and how much higher ACAT's is, scan by scan."""
    ours = tuple(seeded(OURS, seed) for seed in seeds)
    ways = {BASELINE: (ours, BASELINE), **{c: (tuple(seeded(c, s) for s in seeds), "") for c in COMPETITORS}}
    rows: list[Row] = []
    if len(seeds) > 1:
        of = f"mean of {len(seeds)} seeds"
        means = {ATTENDED: (ours, ATTENDED), **ways}
        rows += [
            Mean(
                "accuracy",
                About(FINDING, variant),
                f"{OURS if models == ours else name}, {of}",
                models,
                ACCURACY.get(name),
            )
            for name, (models, variant) in means.items()
        ]
    for size in ("", *SIZES):
        attribute = ("lesion_size", size) if size else ("", "")
        rows += [
            Difference(
                "accuracy",
                About(FINDING, ATTENDED, *attribute),
                ours,
                About(FINDING, variant, *attribute),
                models,
                f"{OURS} less {name}",
                _gain(name, size),
            )
            for name, (models, variant) in ways.items()
        ]
    return rows


def _gain(name: str, size: str) -> float | None:
    """What the paper has of ACAT above another classifier."""
    if name not in ACCURACY:
        return None
    other, ours = (BY_SIZE[n][size] if size else ACCURACY[n] for n in (name, ATTENDED))
    return round(ours - other, 4)


def _explained(model: str) -> list[Row]:
    """What is measured of ACAT's maps and counterfactuals, and of the pre-activations."""
    rows: list[Row] = [Wanted(model, "hit_rate", About(FINDING, name), HITS.get(name)) for name in MAPS]
    for metric, paper in OVERLAP.items():
        rows += [Wanted(model, metric, About(FINDING, name)) for name in MAPS]
        rows += [
            Wanted(model, metric, About(FINDING, f"{name}, macro"), paper if name == MAPS[1] else None) for name in MAPS
        ]
    rows += [
        Wanted(model, "effectiveness", About(FINDING, f"{network}, target {target} it reached"))
        for network in NETWORKS
        for target in ("without", "with")
    ]
    rows += [
        Wanted(model, metric, About(FINDING, network)) for metric in ("recovery", "restraint") for network in NETWORKS
    ]
    rows += [
        Wanted(model, "preactivation_variance", About(FINDING, f"{name}, layer {layer}"), paper)
        for name, papers in VARIANCES.items()
        for layer, paper in enumerate(papers, 1)
    ]
    return rows


def _table(seeds: Sequence[int]) -> Table:
    return Table(
        method="acat",
        data="stroke_phantom",
        models=_models(seeds),
        baselines=Baselines([seeded(name, seed) for seed in seeds for name in COMPETITORS], competitors),
        rows=(
            *_over(seeds),
            *(row for seed in seeds for row in (*_accuracies(seed), *_explained(seeded(OURS, seed)))),
        ),
        note="The paper's numbers are of IST-3 (Tables 1 to 3 and section 4.4) and, of IoU and Dice, of MosMed (Table "
        "5), which can only be the mean of lesion and background; ours are of drawn heads. Its layers have no batch "
        "normalisation that it speaks of; ours are what enters each activation, after it. All competitors but the "
        "vision transformer start from the baseline and are trained on for as many steps as ACAT, with the same maps "
        "where they read maps; so is the baseline itself, since ACAT is trained for longer than its baseline. "
        "Intervals of means and differences over seeds are over scans.",
    )


# The first seed alone, and all three; both use the same checkpoints and trainings.
TABLES: Mapping[str, Table] = {
    "acat-stroke": _table((SEED, *SEEDS)),
    "acat-stroke-first": _table((SEED,)),
}
