"""From a training job to a checkpoint: fit, calibrate on validation, measure on test, write the card, save.

A method subclasses `Pipeline` with what is its own, and its `produce(job)` calls `run_pipeline`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from lightning.fabric import Fabric
from torch import Tensor

from engine.checkpoints.card import card, metrics_of, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.metrics.measure import Measure
from engine.networks.films import Films
from engine.registry import method
from engine.training.detector import detector_of
from engine.training.job import TrainingJob, data_facts, hardware, starting_weights, taught_words
from engine.training.loop import PictureRecipe, Recipe, best_weights, facts_of, leave, run
from engine.training.presets import with_changes


class Pipeline(ABC):
    """The steps of one training that are a method's own.

    Attributes:
        name: of the registered method.
        guided: whether guidance can be asked for.
        has_detector: whether the checkpoint gets a detector of scans that are unlike the training pictures.
        job: what is asked for.
        preset: the job's preset with its changes, a dataclass with an `architecture`.

    Raises:
        ValueError: settings that do not go together, or guidance for a method that has none.
    """

    name: ClassVar[str]
    guided: ClassVar[bool] = False
    has_detector: ClassVar[bool] = True

    def __init__(self, job: TrainingJob):
        title = method(self.name).title
        if job.guidance is not None and not self.guided:
            raise ValueError(f"{title} is trained without guidance; leave --guidance out.")
        self.job = job
        self.preset = with_changes(method(self.name).presets()[job.preset], job.changes)
        pairs = getattr(self.preset, "pairs", 0)
        if pairs % job.machine.devices:
            raise ValueError(
                f"{pairs} pairs a batch cannot be shared by {job.machine.devices} devices; set pairs to a multiple."
            )

    @abstractmethod
    def prepare(self) -> None:
        """Makes what is trained, before any process is started.

        Raises:
            ValueError: the collection, the settings or the weights to start from do not fit.
        """

    @abstractmethod
    def fit(self, fabric: Fabric) -> None:
        """Trains, or goes on training."""

    @property
    @abstractmethod
    def films(self) -> Films:
        """The training pictures as the network sees them."""

    @abstractmethod
    def weights(self) -> Mapping[str, Tensor]:
        """The tensors that are kept, by name."""

    @abstractmethod
    def spent(self) -> str:
        """How long it took, for the card."""

    def training_facts(self) -> dict[str, Any]:
        """What the configuration says under `training` beside the preset."""
        return {"seed": self.job.seed}

    def data_words(self) -> dict[str, str]:
        """What the configuration says under `data` beside the collection."""
        return {"guidance": self.job.guidance_words if self.guided else "none"}

    def configuration(self) -> dict[str, Any]:
        """What the method adds to the configuration, with values that `calibrated` replaces later."""
        return {}

    @abstractmethod
    def calibrated(self, model: Any) -> dict[str, Any]:
        """Operating points, scales and the like, from validation: parts of the configuration.

        Args:
            model: opened from a draft of the checkpoint, not yet calibrated.
        """

    @abstractmethod
    def measured(self, model: Any) -> tuple[Sequence[Measure], Sequence[str], Sequence[Measure]]:
        """Measures on test, remarks, and the measures of subgroups.

        Args:
            model: opened from a calibrated draft.
        """

    @abstractmethod
    def intended(self) -> str:
        """Intended use and limits, for the card."""

    def remarks(self) -> Sequence[str]:
        """What the card says below its measures beside the remarks of measuring."""
        return ()


class RecipePipeline(Pipeline):
    """A training of one recipe, whose networks called `net` are kept."""

    @abstractmethod
    def recipe(self) -> PictureRecipe:
        """What is trained."""

    def prepare(self) -> None:
        self.trained = self.recipe()
        if self.job.start_from:
            self.trained.start_from(starting_weights(self.job))

    def fit(self, fabric: Fabric) -> None:
        run(self.trained, self.job.run_folder, fabric, resume=self.job.resume, minutes=self.job.minutes)

    @property
    def films(self) -> Films:
        return self.trained.films

    def weights(self) -> Mapping[str, Tensor]:
        return {k: v for k, v in best_weights(self.job.run_folder).items() if k.startswith("net.")}

    def spent(self) -> str:
        facts = facts_of(self.job.run_folder)
        return (
            f"{facts['seconds'] / 60:.0f} minutes for {facts['step']} steps, the kept weights are those of step "
            f"{facts['best']['step']}"
        )

    def training_facts(self) -> dict[str, Any]:
        return {"steps_done": facts_of(self.job.run_folder)["step"], "seed": self.job.seed}


class PhasedPipeline(Pipeline):
    """A training of several recipes, one after the other, each in a folder of the run's.

    Attributes:
        phases: their names, in order; the preset's steps of one are `NAME_steps`.
        data: with the `films`.
        nets: all networks, whose state is kept.
    """

    phases: ClassVar[Sequence[str]]
    data: Any
    nets: Any

    def learn(self, name: str, recipe: Recipe, fabric: Fabric) -> dict[str, Tensor]:
        """Trains one phase, or goes on training it; of the minutes that were given it gets its share of the steps.

        Returns:
            its best weights.
        """
        job, steps = self.job, {phase: getattr(self.preset, f"{phase}_steps") for phase in self.phases}
        minutes = None if job.minutes is None else job.minutes * steps[name] / sum(steps.values())
        run(recipe, job.run_folder / name, fabric, resume=job.resume, minutes=minutes)
        return best_weights(job.run_folder / name)

    @property
    def films(self) -> Films:
        return self.data.films

    def weights(self) -> Mapping[str, Tensor]:
        return self.nets.state_dict()

    def spent(self) -> str:
        facts = {name: facts_of(self.job.run_folder / name) for name in self.phases}
        return ", ".join(
            f"{name} {fact['seconds'] / 60:.0f} minutes for {fact['step']} steps" for name, fact in facts.items()
        )

    def data_words(self) -> dict[str, str]:
        return {}


def run_pipeline(pipeline: Pipeline) -> Checkpoint | None:
    """Trains (or goes on training) and saves one checkpoint with a complete card.

    Returns:
        the checkpoint; None in all but the first of several processes, which have nothing left to do after training.
    """
    job, collection = pipeline.job, pipeline.job.collection
    registered = method(pipeline.name)
    pipeline.prepare()
    fabric = job.machine.fabric(job.run_folder)
    fabric.launch()
    pipeline.fit(fabric)
    leave(fabric)
    if not fabric.is_global_zero:
        return None
    device = "cuda" if fabric.device.type == "cuda" else "cpu"
    weights = {**pipeline.weights(), **(detector_of(pipeline.films, collection) if pipeline.has_detector else {})}
    config = {
        "findings": list(collection.findings),
        "network": asdict(pipeline.preset.architecture),
        "preprocessing": asdict(pipeline.films.preprocessing),
        "training": {k: v for k, v in asdict(pipeline.preset).items() if k != "architecture"}
        | pipeline.training_facts(),
        "data": data_facts(collection, job.pairs, **pipeline.data_words()),
        "thresholds": dict.fromkeys(collection.findings, 0.5),
        **pipeline.configuration(),
    }

    def draft() -> Any:
        saved = save_checkpoint(
            job.run_folder / "draft",
            method=pipeline.name,
            config=config,
            weights=weights,
            card=placeholder_card(),
            half=True,
        )
        return registered.open(saved, device)

    config |= pipeline.calibrated(draft())
    rows, remarks, subgroups = pipeline.measured(draft())
    metrics = metrics_of(collection, rows, [*remarks, *pipeline.remarks()], subgroups)
    text = card(
        title=f"{job.name}: {registered.title} on {collection.name}",
        intended=pipeline.intended(),
        terms=job.terms + taught_words(job.pairs),
        collection=collection,
        seed=job.seed,
        guidance=pipeline.data_words().get("guidance", "none"),
        command=job.command,
        hardware=f"{hardware(job.machine, fabric.device.type)}; {pipeline.spent()}.",
        metrics=metrics,
    )
    return save_checkpoint(
        job.destination / job.name,
        method=pipeline.name,
        config=config,
        weights=weights,
        card=text,
        metrics=metrics,
        half=True,
    )
