"""The ultrasound column of Table 3 of Liu et al. 2025: causal alignment, its unaligned twin, and what stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.datasets.collection import Collection
from engine.metrics.measure import Measure
from engine.metrics.subjects import FLIPS
from engine.reproduce.records import SEED, About, Baselines, Table, Training, Wanted, suffix

OURS, UNALIGNED = "causal alignment", "its unaligned twin"
SEEDS = (43, 44)  # beside SEED
FINDING = "Malignant"
MOVED = "mean absolute change of the probability"  # `engine.methods.causal_alignment.evaluate` measures it
ORACLE = "oracle, shown the region alone"
PAPER = {  # precision of CAM and accuracy; the oracle was not measured on ultrasound
    OURS: (0.872, 0.797),
    "Ross et al., input gradients": (0.197, 0.679),
    "Zhang et al., ICNN": (0.159, 0.764),
    "Brendel and Bethge, BagNet": (0.165, 0.321),
    "Rieger et al., multi-task": (0.184, 0.509),
    "Chang et al., augmentation": (0.127, 0.270),
    ORACLE: (None, None),
}
BASELINES = tuple(name for name in PAPER if name != OURS)


def baselines(
    table: Table, preset: str, collection: Collection, machine, runs: Path, train: bool
) -> Mapping[str, list[Measure]] | None:
    """The classifiers that the paper compares with, on the pictures that the table's models see."""
    from engine.classifiers import beside_alignment
    from engine.registry import method
    from engine.training.presets import with_changes

    alike = with_changes(method(table.method).presets()[preset], table.changes)
    folder = runs / f"beside-causal-alignment-{table.data}{suffix(preset)}"
    return beside_alignment.measured(BASELINES, collection, alike, folder, machine, SEED, train) or None


BACKGROUND = "first steps on a plain background, without alignment"
WITHOUT = {"lambda_image": "0", "lambda_attributes": "0"}


def _seeded(seed: int) -> str:
    return f"{OURS}, seed {seed}"


MODELS = {
    OURS: Training("causal-alignment-busi"),
    **{_seeded(seed): Training(f"causal-alignment-busi-{seed}", seed=seed) for seed in SEEDS},
    BACKGROUND: Training("causal-alignment-busi-background", changes=WITHOUT),
    UNALIGNED: Training(
        "causal-alignment-busi-unaligned", changes={**WITHOUT, "masked_steps": "0", "fading_steps": "0"}
    ),
}
ROWS = (
    ("cam_precision", About(FINDING)),
    ("accuracy", About(FINDING)),
    ("auc", About(FINDING)),
    ("effect", About(FINDING, FLIPS, "symbol")),
    ("effect", About(FINDING, MOVED, "symbol")),
)
TABLES: Mapping[str, Table] = {
    "causal-alignment-busi": Table(
        method="causal_alignment",
        data="busi",
        options=("classes=benign,malignant", "symbol=plus_minus"),
        findings=(FINDING,),
        models=MODELS,
        baselines=Baselines(BASELINES, baselines),
        rows=tuple(
            Wanted(model, metric, about, PAPER.get(model, (None, None))[place] if place < 2 else None)
            for place, (metric, about) in enumerate(ROWS)
            for model in (*MODELS, *BASELINES)
        ),
        note="The paper's numbers are the ultrasound column of its Table 3; it says neither how the pictures were "
        "split nor on which threshold the area of a CAM rests. Ours are of frames without look-alikes in training, "
        "with a symbol drawn at random, above half of each map's largest value. All have the same pictures and sizes. "
        "The baselines and the unaligned twin do without the first steps on a plain background; these alone, without "
        "any alignment, keep a classifier off most of the symbol: see their row.",
    )
}
