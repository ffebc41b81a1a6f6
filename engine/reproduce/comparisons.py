"""Every method and every attribution method of a classifier on the same films, by the same measures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.checkpoints.format import Checkpoint
from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.datasets.collection import Collection
from engine.datasets.selected_findings import SelectedFindings
from engine.discovery import declared
from engine.files import write_whole
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import MEAN_OVER_FINDINGS
from engine.ood import TENSORS
from engine.preprocessing import Preprocessing
from engine.registry import Generator, methods, open_generator, open_model, trained
from engine.reproduce.records import SEED, suffix

if TYPE_CHECKING:  # they bring torch, which the list of commands can do without
    from engine.attribution.explainer import Explainer
    from engine.attribution.rivals import Rival
    from engine.training.loop import Machine

NIH = ("Pneumonia", "Infiltration", "Atelectasis", "Edema", "Effusion")
RANDOM = "random map"  # as `engine.attribution.explainer` calls it
MOST = {"demo": 4, "paper": 100}  # pictures a finding


@dataclass(frozen=True)
class Comparison:
    """Films on which explainers are compared.

    Attributes:
        data, options, findings: the collection; findings are its own where none are named.
        trained_on: collections whose shipped checkpoints take part, each with those of its findings that it knows.
        note: what a reader must know.
    """

    data: str
    trained_on: Sequence[str]
    note: str
    options: Sequence[str] = ()
    findings: Sequence[str] = ()


CLASSIFIER = (
    "Attribution methods and the two latent counterfactuals explain one small classifier that was trained on these "
    "films; the other methods are the shipped checkpoints. Each number stands beside that of a random map (chance)."
)
COMPARISONS: Mapping[str, Comparison] = {
    "methods-phantom": Comparison(
        "phantom", ("phantom",), f"Drawn chests, whose true counterfactuals are known. {CLASSIFIER}", ("count=2000",)
    ),
    "methods-implants": Comparison(
        "implants",
        ("implants", "chestxray8"),
        f"Lesions put into real films, which are themselves the true counterfactuals. {CLASSIFIER}",
        ("copies=6",),
        NIH,
    ),
    "methods-nih": Comparison(
        "chestxray8",
        ("chestxray8", "implants"),
        f"Real films. Where a finding is, radiologists' boxes say for a few of them only. {CLASSIFIER}",
        findings=NIH,
    ),
}


@dataclass(frozen=True)
class Compared:
    """What was measured of one explainer.

    Attributes:
        name: of the explainer.
        rows: as `engine.attribution.measures.measured` gives them. remarks: likewise.
    """

    name: str
    rows: Sequence[Measure]
    remarks: Sequence[str]


@dataclass(frozen=True)
class Entrant:
    """An explainer before it is opened.

    Attributes:
        identity: of what it answers by: a kept result of another is not taken for its own.
        files: the modules of `engine.attribution` that it explains by.
        opened: makes it, with the collection of its findings.
    """

    name: str
    identity: str
    files: Sequence[str]
    opened: Callable[[], tuple[Explainer, Collection]] = field(repr=False)


def compared(
    name: str,
    preset: str,
    collection: Collection,
    machine: Machine,
    runs: Path,
    train: bool,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Compared], list[str]]:
    """All explainers of a comparison, and what is missing, each with its reason.

    What has been measured is kept in `runs` and found again; a stopped comparison goes on where it was.

    Args:
        collection: of the comparison.
        progress: called with (done, all) after each explainer.
    """
    from engine.attribution.measures import GROUPS, measured

    entrants, missing = _entrants(name, preset, collection, machine, runs, train)
    metrics, found = [metric for group in GROUPS.values() for metric in group], []
    for done, entrant in enumerate(entrants):
        settings = {"identity": entrant.identity, "most": MOST[preset], "data": _digest(collection)}
        settings["code"] = _code(metrics, entrant.files)
        file = runs / f"{name}{suffix(preset)}" / f"{re.sub(r'[^a-z0-9]+', '-', entrant.name.lower())}.json"
        kept = _kept(file, settings)
        if kept is None and not train:
            missing.append(f"{entrant.name}: not measured yet; leave --no-train out to do so")
        elif kept is None:
            explainer, own = entrant.opened()
            rows, remarks = measured(explainer, own, own.split("test"), metrics, MOST[preset], SEED)
            kept = Compared(entrant.name, rows, remarks)
            _keep(file, settings, kept)
        found += [kept] if kept is not None else []
        if progress:
            progress(done + 1, len(entrants))
    return found, missing


def means(found: Sequence[Compared]) -> list[Measure]:
    """One row a measure and explainer: the mean over its findings, or that of its only finding, under the name of the
    explainer.
    """
    rows = []
    for entrant in found:
        own = [row for row in entrant.rows if RANDOM not in row.variant]
        averaged = {row.metric for row in own if row.variant.startswith(MEAN_OVER_FINDINGS)}
        for row in own:
            if row.variant.startswith(MEAN_OVER_FINDINGS) or row.metric not in averaged:
                rows.append(replace(row, model=entrant.name))
    order = list(dict.fromkeys(row.metric for row in rows))
    return sorted(rows, key=lambda row: order.index(row.metric))


def _entrants(
    name: str, preset: str, collection: Collection, machine: Machine, runs: Path, train: bool
) -> tuple[list[Entrant], list[str]]:
    comparison, missing, entrants = COMPARISONS[name], [], []
    for checkpoint in _checkpoints(comparison):
        strange = [f for f in checkpoint.config["findings"] if f not in collection.findings]
        if strange:
            missing.append(f"{checkpoint.name}: these films have no {', '.join(strange)}")
        else:
            entrants.append(_of_checkpoint(checkpoint, collection, machine.accelerator))
    rivals = list(_rivals(name, preset, collection, machine, runs, train))
    if not rivals:
        missing.append("attribution methods: their classifier is not trained; leave --no-train out to train it")
    return [*rivals, *entrants], missing


def _checkpoints(comparison: Comparison) -> Iterator[Checkpoint]:
    """Shipped checkpoints that explain pictures and were trained on such films, those of few findings first."""
    known, taking = methods(), []
    for checkpoint in map(open_checkpoint, shipped()):
        entry = known.get(checkpoint.method)
        if entry is not None and entry.dimensions == 2 and checkpoint.collection in comparison.trained_on:
            taking.append(checkpoint)
    yield from sorted(taking, key=lambda checkpoint: (len(checkpoint.config["findings"]), checkpoint.name))


def _of_checkpoint(checkpoint: Checkpoint, collection: Collection, device: str) -> Entrant:
    def opened() -> tuple[Explainer, Collection]:
        from engine.attribution.explainer import ModelExplainer

        model = open_model(checkpoint, device)
        return ModelExplainer(model), SelectedFindings(collection, model.findings)

    return Entrant(checkpoint.name, network_identity(checkpoint), (), opened)


def network_identity(checkpoint: Checkpoint) -> str:
    """sha256 of configuration and weights without the detector and without the caution, which take no part in an
    explanation: a detector that is fitted again makes no other explainer.
    """
    told = ("weights_sha256", "caution")  # of the file, and to a reader
    settings = {name: value for name, value in checkpoint.config.items() if name not in told}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, array in sorted(checkpoint.arrays().items()):
        if not name.startswith(TENSORS):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _rivals(
    name: str, preset: str, collection: Collection, machine: Machine, runs: Path, train: bool
) -> Iterator[Entrant]:
    """The attribution methods on one classifier; none where it is not trained and not to be."""
    from engine.attribution import latents
    from engine.attribution.rivals import BlackBox, RivalExplainer, rivals
    from engine.classifiers import small

    ending = f"{collection.name}{suffix(preset)}"
    seen = small.trained(collection, small.PRESETS[preset], runs / f"small-{ending}", machine, SEED, train)
    if seen is None:
        return
    films = seen.recipe.films
    folder = runs / f"autoencoder-{ending}"
    autoencoder = latents.trained(collection, films, latents.PRESETS[preset], folder, machine, SEED, train)
    box = BlackBox(seen.net, autoencoder, collection.findings, seen.thresholds, films.preprocessing)
    weights = [seen.net, *([autoencoder] if autoencoder is not None else [])]
    digest = hashlib.sha256(
        b"".join(value.detach().cpu().numpy().tobytes() for net in weights for value in net.state_dict().values())
    ).hexdigest()
    for method in [*rivals().values(), *_diffusion(collection, films.preprocessing)]:
        try:
            explainer = RivalExplainer(method, box)
        except NotMeasurable:
            continue
        files = ("rivals", "last_features", "segments", "latents", method.name)
        yield Entrant(
            method.title, f"{method.name} {digest}", files, lambda explainer=explainer: (explainer, collection)
        )


def _diffusion(collection: Collection, preparation: Preprocessing) -> Iterator[Rival]:
    """The diffusion-guided counterfactual, where a generator is shipped that was trained on such pictures."""
    from engine.attribution.diffusion_guided import DiffusionGuidedRival

    known = trained()
    for checkpoint in map(open_checkpoint, sorted(shipped())):
        if isinstance(known.get(checkpoint.method), Generator) and checkpoint.collection == collection.name:
            generator = open_generator(checkpoint, "cpu")  # as the classifier
            if generator.preprocessing == preparation:
                yield DiffusionGuidedRival(generator)
                return


def _code(metrics: Sequence[str], explained_by: Sequence[str]) -> str:
    """Which code measures: a digest of the modules of these metrics, and of those that explain."""
    engine, of = Path(__file__).parents[1], declared("engine.metrics", "METRICS")
    names = ["explainer", "measures", *explained_by]
    files = [engine / "attribution" / f"{name}.py" for name in names]
    files += sorted(engine / "metrics" / f"{of[metric].rsplit('.', 1)[-1]}.py" for metric in {*metrics})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _digest(collection: Collection) -> str:
    test = collection.split("test")
    parts = [collection.labels[test], collection.patients[test]]
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()[:16]


def _kept(file: Path, settings: Mapping) -> Compared | None:
    """What an earlier run of the same code left of the same explainer on the same films."""
    if not file.is_file():
        return None
    stored = json.loads(file.read_text(encoding="utf-8"))
    if stored["settings"] != settings:
        return None
    return Compared(stored["name"], [Measure.of_row(row) for row in stored["rows"]], stored["remarks"])


def _keep(file: Path, settings: Mapping, kept: Compared) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [row.row() for row in kept.rows]
    text = json.dumps({"settings": settings, "name": kept.name, "remarks": list(kept.remarks), "rows": rows})
    write_whole(file, text + "\n")
