"""Tables of Liu et al. 2025: causal alignment on breast ultrasound and on lung nodules, its unaligned twin, what stands
beside, what its parts do, and other symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.datasets.collection import Collection
from engine.datasets.lidc_annotations import ATTRIBUTES
from engine.metrics.measure import Measure
from engine.metrics.subjects import FLIPS, MEAN_MOVE
from engine.reproduce.records import SEED, Baselines, Table, Training, suffix
from engine.reproduce.rows import About, Mean, Wanted

OURS, UNALIGNED = "causal alignment", "its unaligned twin"
SEEDS = (43, 44)  # beside SEED
FINDING = "Malignant"
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
PAPER_CT = {  # the same of the CT column; the oracle looks at nothing but the region
    OURS: (0.751, 0.722),
    "Ross et al., input gradients": (0.034, 0.656),
    "Zhang et al., ICNN": (0.068, 0.381),
    "Brendel and Bethge, BagNet": (0.048, 0.358),
    "Rieger et al., multi-task": (0.041, 0.343),
    "Chang et al., augmentation": (0.074, 0.503),
    ORACLE: (1.0, 0.789),
}
CEILING = "U-Net taught on true pairs"
NEITHER, IMAGE_ONLY, BOTH = "no alignment", "alignment of the image", "alignment of image and attributes"
PAPER_PARTS = {NEITHER: (0.057, 0.535), IMAGE_ONLY: (0.587, 0.701), BOTH: (0.751, 0.722)}  # Table 2, LIDC
PAPER_SYMBOLS = {"none": (0.783, 0.707), "intensity": (0.760, 0.723)}  # Table 6, LIDC
SHORT = {"steps": "800"}  # of the demo preset on nodules


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
PLAIN = {**WITHOUT, "masked_steps": "0", "fading_steps": "0"}  # the symbol is there from the first step on


def _seeded(seed: int) -> str:
    return f"{OURS}, seed {seed}"


def _means(paper: tuple[float | None, float | None]) -> tuple[Mean, ...]:
    """Precision of CAM and accuracy over all trainings of ours."""
    models = (OURS, *(_seeded(seed) for seed in SEEDS))
    return tuple(
        Mean(metric, about, f"{OURS}, mean of the seeds", models, number)
        for (metric, about), number in zip(ROWS[:2], paper, strict=True)
    )


LATENT = {"autoencoder_steps": "600"}  # for counterfactuals in its space too; the classifier is the same without it
MODELS = {
    OURS: Training("causal-alignment-busi", demo=LATENT),
    **{_seeded(seed): Training(f"causal-alignment-busi-{seed}", seed=seed) for seed in SEEDS},
    BACKGROUND: Training("causal-alignment-busi-background", changes=WITHOUT),
    UNALIGNED: Training("causal-alignment-busi-unaligned", changes=PLAIN),
}
ROWS = (
    ("cam_precision", About(FINDING)),
    ("accuracy", About(FINDING)),
    ("auc", About(FINDING)),
    ("effect", About(FINDING, FLIPS, "symbol")),
    ("effect", About(FINDING, MEAN_MOVE, "symbol")),
)
LIDC_MODELS = {
    OURS: Training("causal-alignment-lidc", demo=SHORT),
    **{_seeded(seed): Training(f"causal-alignment-lidc-{seed}", demo=SHORT, seed=seed) for seed in SEEDS},
    BACKGROUND: Training("causal-alignment-lidc-background", changes=WITHOUT, demo=SHORT),
    UNALIGNED: Training("causal-alignment-lidc-unaligned", changes=PLAIN, demo={**SHORT, "validate_every": "400"}),
}
PARTS = {
    NEITHER: Training("causal-alignment-lidc-none", changes={"hierarchical": "0", **PLAIN}, demo=SHORT),
    IMAGE_ONLY: Training("causal-alignment-lidc-image", changes={"hierarchical": "0"}, demo=SHORT),
    BOTH: LIDC_MODELS[OURS],
}
CEILING_TRAINING = Training("supervised-lidc", method="supervised", demo={"size": "64", "steps": "800"})
LIDC_OPTIONS = ("copies=2", "symbol=plus_minus")
LIDC_NOTE = (
    "The paper's numbers are of LIDC-IDRI's own pictures, which are not used here. Ours are of its nodules put into "
    "real chests by their outlines and ratings, with a symbol drawn at random, above half of each map's largest value; "
    "no patient and no chest is in two parts."
)


def _symbols(symbol: str) -> Table:
    """Causal alignment on nodules with another symbol, or without any."""
    name = f"causal alignment, symbol {symbol}"
    return Table(
        method="causal_alignment",
        data="lidc_implants",
        options=("copies=2", f"symbol={symbol}"),
        models={name: Training(f"causal-alignment-lidc-symbol-{symbol}", demo=SHORT)},
        rows=tuple(
            Wanted(name, metric, about, PAPER_SYMBOLS[symbol][place]) for place, (metric, about) in enumerate(ROWS[:2])
        ),
        note=LIDC_NOTE,
    )


TABLES: Mapping[str, Table] = {
    "causal-alignment-busi": Table(
        method="causal_alignment",
        data="busi",
        options=("classes=benign,malignant", "symbol=plus_minus"),
        findings=(FINDING,),
        models=MODELS,
        baselines=Baselines(BASELINES, baselines),
        rows=(
            *_means(PAPER[OURS]),
            *(
                Wanted(model, metric, about, PAPER.get(model, (None, None))[place] if place < 2 else None)
                for place, (metric, about) in enumerate(ROWS)
                for model in (*MODELS, *BASELINES)
            ),
        ),
        note="The paper's numbers are the ultrasound column of its Table 3; it says neither how the pictures were "
        "split nor on which threshold the area of a CAM rests. Ours are of frames without look-alikes in training, "
        "with a symbol drawn at random, above half of each map's largest value. All have the same pictures and sizes. "
        "The baselines and the unaligned twin do without the first steps on a plain background; these alone, without "
        "any alignment, keep a classifier off most of the symbol: see their row.",
    ),
    "causal-alignment-lidc": Table(
        method="causal_alignment",
        data="lidc_implants",
        options=LIDC_OPTIONS,
        models={**LIDC_MODELS, CEILING: CEILING_TRAINING},
        baselines=Baselines(BASELINES, baselines),
        rows=(
            *_means(PAPER_CT[OURS]),
            *(
                Wanted(model, metric, about, PAPER_CT.get(model, (None, None))[place] if place < 2 else None)
                for place, (metric, about) in enumerate(ROWS)
                for model in (*LIDC_MODELS, *BASELINES)
            ),
            *(
                Wanted(model, metric, About(FINDING))
                for metric in ("recovery", "restraint")
                for model in (OURS, UNALIGNED, CEILING)
            ),
            *(Wanted(model, "auc", About(concept)) for concept in ATTRIBUTES for model in (OURS, UNALIGNED)),
        ),
        note=f"{LIDC_NOTE} The baselines and the unaligned twin do without the first steps on a plain background. "
        "Recovery is against the same crop without the nodule, which a smallest change that flips the diagnosis need "
        "not be.",
    ),
    "causal-alignment-ablation": Table(
        method="causal_alignment",
        data="lidc_implants",
        options=LIDC_OPTIONS,
        models=PARTS,
        rows=tuple(
            Wanted(model, metric, about, PAPER_PARTS[model][place] if place < 2 else None)
            for place, (metric, about) in enumerate(ROWS)
            for model in PARTS
        ),
        note=f"The paper's numbers are those of its Table 2. {LIDC_NOTE}",
    ),
    "causal-alignment-symbol-none": _symbols("none"),
    "causal-alignment-symbol-intensity": _symbols("intensity"),
}
