"""The tables of the papers that can be made again: which models each needs, which rows, and what the paper printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from engine.checkpoints.card import EARLY_GROUP, EARLY_PATIENTS
from engine.datasets.collection import Collection
from engine.metrics import subjects
from engine.metrics.classification import mean_auc
from engine.metrics.evidence_on_body import evidence_on_body
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import Variant
from engine.reproduce import alignment, attention
from engine.reproduce.records import SEED, Baselines, Table, Training, suffix
from engine.reproduce.rows import About, Ratio, Wanted

MEAN, MEAN_AUC = About(variant=subjects.MEAN_OVER_FINDINGS), About(variant=subjects.MEAN)
EARLY = About(variant=Variant.SUBGROUP, attribute=EARLY_GROUP[0], attribute_value=EARLY_GROUP[1])
IN_PSEUDO_MASK = About(variant="all annotated findings, inside the pseudo mask instead")
UNGUIDED, GUIDED, RESNET = "Attri-Net unguided", "Attri-Net guided", "ResNet-50 trained alike"
CEILING = "U-Net taught on true pairs"  # what recovery can reach with the same pictures and budget

INTEGRATED, CASCADED, VA_GAN, DENSE = "CX-GAN integrated", "CX-GAN cascaded", "VA-GAN", "CX-GAN dense"
MAPS = ("Grad-CAM", "CAM", "CXPlain", "plain intensity")  # engine.attribution.maps measures them
TABLE_1 = {  # of Zia et al.: IoU, Dice, NCC
    INTEGRATED: (0.914, 0.955, 0.95),
    CASCADED: (0.901, 0.936, 0.91),
    VA_GAN: (0.872, 0.928, 0.92),
    "Grad-CAM": (0.307, 0.47, 0.6),
    "CAM": (0.104, 0.188, 0.29),
    "CXPlain": (0.1232, 0.2788, None),
    "plain intensity": (None, None, None),
}


def early_and_pseudo(model, collection: Collection, indices: np.ndarray) -> list[Measure]:
    """What only the NIH selection needs: the AUC on patients who hold both classes, and evidence inside the pseudo
    masks that training patients' boxes make, for findings that have boxes.
    """
    from engine.datasets.guidance import Guidance
    from engine.methods.attri_net.evaluate import look

    seen, guidance = look(model, collection, indices), Guidance(collection, "mixed")
    boxed = {box.finding for box in collection.all_boxes()}
    pairs, who = [], []
    for c, finding in enumerate(collection.findings):
        if finding in boxed:
            mask = guidance.pseudo(finding, model.preprocessing.size) > 0
            for n in np.flatnonzero(collection.labels[indices, c] == 1):
                pairs.append((seen.weighted[n, c].astype(np.float32), mask))
                who.append(collection.patients[indices[n]])
    rows = early_auc(collection, indices, seen.probabilities)
    try:
        return [*rows, evidence_on_body(pairs, variant=IN_PSEUDO_MASK.variant, groups=np.array(who))]
    except NotMeasurable:
        return rows


def early_auc(collection: Collection, indices: np.ndarray, scores: np.ndarray) -> list[Measure]:
    """Mean AUC of scores (N, C) on the patients up to `EARLY_PATIENTS`, or none when no finding has both
    classes there.
    """
    early = np.array([int(patient) <= EARLY_PATIENTS for patient in collection.patients[indices]])
    chosen = indices[early]
    try:
        row = mean_auc(
            collection.labels[chosen], scores[early], collection.findings, groups=collection.patients[chosen]
        )
    except NotMeasurable:
        return []
    return [replace(row, **asdict(EARLY))]


def resnet(
    table: Table, preset: str, collection: Collection, machine, runs: Path, train: bool
) -> Mapping[str, list[Measure]] | None:
    """The AUC rows of a ResNet-50 on the films that the table's models see."""
    from engine.classifiers import resnet50
    from engine.methods.attri_net.train import PRESETS
    from engine.training.presets import with_changes

    ours = with_changes(PRESETS[preset], table.changes)
    alike = replace(
        resnet50.PRESETS[preset],
        size=ours.architecture.size,
        percentile=ours.percentile,
        value_range=ours.value_range,
        augmentation=ours.augmentation,
    )
    scores = resnet50.scores_on_test(
        collection, alike, runs / f"resnet50-{table.data}{suffix(preset)}", machine, SEED, train
    )
    if scores is None:
        return None
    test = collection.split("test")
    rows = [mean_auc(collection.labels[test], scores, collection.findings, groups=collection.patients[test])]
    return {RESNET: rows + (early_auc(collection, test, scores) if collection.name == "chestxray8" else [])}


def maps(
    table: Table, preset: str, collection: Collection, machine, runs: Path, train: bool
) -> Mapping[str, list[Measure]] | None:
    """CAM, Grad-CAM, CXPlain and plain intensity on the pictures that the table's models see."""
    from engine.attribution.maps import measured
    from engine.registry import method
    from engine.training.presets import with_changes

    size = with_changes(method(table.method).presets()[preset], table.changes).architecture.size
    return measured(collection, size, preset, runs / f"cam-{table.data}{suffix(preset)}", machine, SEED, train)


# On real pictures an L1 of the usual weight holds the map at nothing before the discriminators have learned what a
# lesion is.
REAL = {
    "mirror": "1",
    "rotate": "5",
    "shift": "0.03",
    "scale": "0.08",
    "gamma": "0.2",
    "lambda_cycle": "2",
    "lambda_identity": "0.3",
    "steps": "1600",
    "validate_every": "100",
}

# Of a training that has found what to change.
CALMER = {**REAL, "lambda_identity": "2", "steps": "400", "falling": "0.5"}

# With patch discriminators of the demo size the synthetic set ends at an IoU of 0.81: the abnormal one runs away from
# its generator.
CRITICS = {
    "wasserstein": "1",
    "critic_steps": "2",
    "warm_steps": "5",
    "warm_critic_steps": "10",
    "beta1": "0",
    "learning_rate": "3e-4",
    "critic_rate": "3e-4",
    "lambda_cycle": "100",
    "lambda_identity": "100",
    "lambda_map": "30",
    "steps": "2400",
    "falling": "0.3",
    "validate_every": "100",
}

# One drawn chest differs from another in much more than its effusion: critics of few steps move every rib a little. So
# what the map moves costs little until the effusion has been found, and much more after.
DRAWN = {**CRITICS, "lambda_cycle": "50", "lambda_identity": "50", "lambda_map": "20", "steps": "1010"}
SPARSER = {
    **DRAWN,
    "lambda_identity": "100",
    "lambda_map": "80",
    "warm_steps": "0",
    "steps": "300",
    "falling": "0",
}  # beyond, the map grows back


def real(data: str, finding: str, model: str, paper: float | None, words: str, models: Mapping[str, Training]) -> Table:
    """CX-GAN on real pictures of one collection, beside the maps of a classifier where experts drew masks.

    Args:
        model: the one of `models` that is compared with other maps.
    """
    drawn = data == "busi"
    overlaps = [
        Wanted(row_name, "dice", About(finding, rule), number if rule == "fixed" else None)
        for rule in ("fixed", "otsu", "area-matched")
        for row_name, number in (
            (model, paper),
            ("Grad-CAM", 0.4519),
            ("CAM", 0.2856),
            ("CXPlain", None),
            ("plain intensity", None),
        )
    ]
    ratios = [Ratio("dice", About(finding, rule), model, "Grad-CAM") for rule in ("fixed", "otsu", "area-matched")]
    resembling = [
        Wanted(model, "non_resemblance", About(finding, where)) for where in ("inside", "outside", "inside - outside")
    ]
    where = "map on the body" if data == "brain_mri" else "map on burned-in marks"
    measures = (
        ("auc", About(finding)),
        ("effectiveness", About(finding)),
        ("composition", About(variant="normal pictures")),
        ("evidence_on_body", About(variant=where)),
    )
    always = [Wanted(row_name, metric, about) for metric, about in measures for row_name in models]
    return Table(
        method="cx_gan",
        data=data,
        models=models,
        baselines=Baselines(MAPS, maps) if drawn else None,
        rows=(*overlaps, *ratios, *resembling, *always) if drawn else tuple(always),
        note=f"Ours are of {words}. The paper's numbers (Table 2 of Zia et al.) are of chest radiographs with "
        "tuberculosis.",
    )


# A training that begins with another's weights: classifiers that learn faster let the maps shrink to the size of the
# findings.
CONTINUED = {"lambda_cl": "20", "classifier_rate": "1e-2", "keep_last": "1", "validate_every": "100"}
FILMS = {"classifier_rate": "3e-4", "steps": "2000"}  # faster classifiers wander on few hundred films
TAGGED = {"demo": {**CONTINUED, "steps": "300"}, "start_from": "attri-net-phantom-unguided"}

TABLES: Mapping[str, Table] = {
    "attri-net-phantom": Table(
        method="attri_net",
        data="phantom",
        options=("count=6000",),
        models={
            UNGUIDED: Training("attri-net-phantom-unguided", demo={"steps": "3000"}),
            GUIDED: Training(
                "attri-net-phantom",
                "full",
                demo={**CONTINUED, "lambda_gd": "10", "critic_steps": "3", "steps": "600"},
                start_from="attri-net-phantom-unguided",
            ),
            CEILING: Training("supervised-phantom", method="supervised"),
        },
        baselines=Baselines((RESNET,), resnet),
        rows=(
            Wanted(UNGUIDED, "auc", MEAN_AUC, 0.779),
            Wanted(GUIDED, "auc", MEAN_AUC, 0.774),
            Wanted(RESNET, "auc", MEAN_AUC, 0.778),
            Wanted(UNGUIDED, "class_sensitivity", MEAN, 0.951),
            Wanted(GUIDED, "class_sensitivity", MEAN, 0.965),
            Wanted(UNGUIDED, "disease_sensitivity", MEAN, 0.158),
            Wanted(GUIDED, "disease_sensitivity", MEAN, 0.327),
            Ratio("disease_sensitivity", MEAN, GUIDED, UNGUIDED, 0.327 / 0.158),
            Wanted(UNGUIDED, "recovery", MEAN),
            Wanted(GUIDED, "recovery", MEAN),
            Wanted(CEILING, "recovery", MEAN),
            Wanted(UNGUIDED, "restraint", MEAN),
            Wanted(GUIDED, "restraint", MEAN),
            Wanted(CEILING, "restraint", MEAN),
        ),
        note="The paper's numbers (Tables 2 and 3 of Sun et al. 2025) are of ChestX-ray8, guided by pseudo masks; "
        "ours are of drawn chests, guided by each training picture's own lesion. The guided model goes on from the "
        "unguided one for 600 steps with classifiers that learn faster; going on like that without guidance (the "
        "tag's unguided model did, for 300) left disease_sensitivity where it was, at 0.37.",
    ),
    "attri-net-tag": Table(
        method="attri_net",
        data="phantom",
        options=("count=6000", "marker=CXR-ROOM1"),
        models={
            UNGUIDED: Training("attri-net-phantom-tag", **TAGGED),
            GUIDED: Training("attri-net-phantom-tag-guided", "elsewhere", **TAGGED),
        },
        rows=(
            Wanted(UNGUIDED, "confounder_sensitivity", About("Cardiomegaly"), 0.747),
            Wanted(GUIDED, "confounder_sensitivity", About("Cardiomegaly"), 0.002),
            Wanted(UNGUIDED, "auc", MEAN_AUC),
            Wanted(GUIDED, "auc", MEAN_AUC),
        ),
        note="The paper's numbers (4.5 of Sun et al. 2025) are of CheXpert with a tag on half of the films with "
        "Cardiomegaly; ours are of drawn chests with the same tag.",
    ),
    "attri-net-nih": Table(
        method="attri_net",
        data="chestxray8",
        findings=("Pneumonia", "Infiltration", "Atelectasis", "Edema", "Effusion"),
        changes={"rotate": "3", "shift": "0.02", "scale": "0.05", "gamma": "0.2"},
        models={
            UNGUIDED: Training(
                "attri-net-nih-unguided",
                demo={
                    "rotate": "5",
                    "shift": "0.04",
                    "scale": "0.08",
                    "gamma": "0.3",
                    "classifier_rate": "1e-3",
                    "validate_every": "100",
                    "steps": "1200",
                },
                start_from="attri-net-phantom-unguided",
                findings=("Atelectasis", "Infiltration", "Pneumonia", "Edema", "Effusion"),
            ),
            GUIDED: Training("attri-net-nih", "mixed", demo=FILMS),
        },
        baselines=Baselines((RESNET,), resnet),
        more=early_and_pseudo,
        rows=(
            Wanted(UNGUIDED, "auc", MEAN_AUC, 0.779),
            Wanted(GUIDED, "auc", MEAN_AUC, 0.774),
            Wanted(RESNET, "auc", MEAN_AUC, 0.778),
            Wanted(UNGUIDED, "auc", EARLY),
            Wanted(GUIDED, "auc", EARLY),
            Wanted(RESNET, "auc", EARLY),
            Wanted(UNGUIDED, "class_sensitivity", MEAN, 0.951),
            Wanted(GUIDED, "class_sensitivity", MEAN, 0.965),
            Wanted(UNGUIDED, "disease_sensitivity", About("Pneumonia")),
            Wanted(GUIDED, "disease_sensitivity", About("Pneumonia")),
            Wanted(UNGUIDED, "evidence_on_body", About(variant="all findings")),
            Wanted(GUIDED, "evidence_on_body", About(variant="all findings")),
            Wanted(UNGUIDED, "evidence_on_body", IN_PSEUDO_MASK),
            Wanted(GUIDED, "evidence_on_body", IN_PSEUDO_MASK),
        ),
        note="The paper's numbers (Tables 2 and 3 of Sun et al. 2025) are of the whole of ChestX-ray8 at 320 x 320 "
        "pixels and of five other findings (Atelectasis, Cardiomegaly, Consolidation, Edema, Effusion). Ours are not "
        "trained alike: the unguided model begins with the phantom's weights, its findings in an order that lets "
        "those of one name begin as they are.",
    ),
    "cx-gan-synthetic": Table(
        method="cx_gan",
        data="vagan_synthetic",
        models={
            INTEGRATED: Training("cx-gan-synthetic", demo=CRITICS),
            CASCADED: Training(
                "cx-gan-synthetic-cascaded", changes={"cascaded": "1"}, demo={**CRITICS, "steps": "1600"}
            ),
            VA_GAN: Training("va-gan-synthetic", method="va_gan"),
        },
        baselines=Baselines(MAPS, maps),
        rows=(
            *(
                Wanted(model, metric, About("Lesion", rule), paper if rule == "fixed" else None)
                for rule in ("fixed", "otsu", "area-matched")
                for metric, column in (("iou", 0), ("dice", 1))
                for model, paper in ((model, numbers[column]) for model, numbers in TABLE_1.items())
            ),
            *(Wanted(model, "ncc", About("Lesion"), numbers[2]) for model, numbers in TABLE_1.items()),
            Wanted(INTEGRATED, "ssim", About("Lesion"), 0.6701),
            Wanted(CASCADED, "ssim", About("Lesion")),
            Wanted(VA_GAN, "ssim", About("Lesion")),
            Wanted(INTEGRATED, "recovery", About("Lesion")),
            Wanted(CASCADED, "recovery", About("Lesion")),
            Wanted(VA_GAN, "recovery", About("Lesion")),
        ),
        note="The paper's numbers (Tables 1 and 4 of Zia et al.) are of discs that a plain threshold finds with an "
        "IoU of 0.999; ours are of VA-GAN's recipe, on which it finds 0.38 (0.30 with the pixels of all pictures in "
        "one pool). Fixed is the one threshold that is best on validation pictures, chosen for every method alike.",
    ),
    "cx-gan-busi": real(
        "busi", "Lesion", INTEGRATED, 0.8147, "breast ultrasound", {INTEGRATED: Training("cx-gan-busi", demo=REAL)}
    ),
    "cx-gan-brain-mri": real(
        "brain_mri",
        "Tumour",
        INTEGRATED,
        None,
        "brain MRI, on which nobody drew the tumours",
        {
            DENSE: Training("cx-gan-brain-mri-dense", demo={**REAL, "steps": "2100"}),
            INTEGRATED: Training("cx-gan-brain-mri", demo=CALMER, start_from="cx-gan-brain-mri-dense"),
        },
    ),
    "cx-gan-phantom": Table(
        method="cx_gan",
        data="phantom",
        options=("count=6000",),
        findings=("Effusion",),
        models={
            DENSE: Training("cx-gan-phantom-dense", demo=DRAWN),
            INTEGRATED: Training("cx-gan-phantom", demo=SPARSER, start_from="cx-gan-phantom-dense"),
            VA_GAN: Training("va-gan-phantom", method="va_gan"),
            CEILING: Training("supervised-phantom-effusion", method="supervised"),
        },
        rows=tuple(
            Wanted(model, metric, About("Effusion"))
            for metric in ("recovery", "restraint", "auc", "effectiveness")
            for model in (INTEGRATED, DENSE, VA_GAN, CEILING)
            if (model, metric) != (CEILING, "effectiveness")
        ),
        note="Nobody has measured this before: only a drawn chest has a true counterfactual. Dense is where the "
        "integrated model begins, before what its map moves costs more.",
    ),
    "implants": Table(
        method="supervised",
        data="implants",
        options=("copies=6",),
        models={CEILING: Training("supervised-implants")},
        rows=tuple(
            Wanted(CEILING, metric, about)
            for metric in ("recovery", "restraint")
            for about in (*map(About, ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion")), MEAN)
        ),
        note="Lesions put into real films without findings, whose true counterfactual is the film itself; patients "
        "held back. Any other method is measured on them by python -m engine evaluate METHOD --data implants --root "
        "DIR.",
    ),
    **alignment.TABLES,
    **attention.TABLES,
}

# Asked for by one name.
TOGETHER: Mapping[str, Sequence[str]] = {"cx-gan-real": ("cx-gan-busi", "cx-gan-brain-mri"), **attention.TOGETHER}
STUDIES = {  # tables without a checkpoint of their own: the module that has PRESETS, study and NOTE
    "invariance-scm": "engine.bias.studies.scm",
    "invariance-phantom": "engine.bias.studies.phantom",
    "invariance-confounding": "engine.bias.studies.confounding",
    "causal-alignment-attributes": "engine.methods.causal_alignment.lidc_attributes",
}
