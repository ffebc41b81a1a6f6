"""Which methods exist, what each offers, and how a checkpoint of it becomes a model that explains scans."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, TypeVar

import numpy as np

from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.limits import LARGEST_WEIGHTS, declare
from engine.checkpoints.resolve import open_checkpoint
from engine.configuration import method_name
from engine.discovery import import_all, packages_imported
from engine.explanation import ClassCentres, Explanation
from engine.look import AttributeEffect, Look
from engine.scan import Scan

TrainedClass = TypeVar("TrainedClass", bound="Trained")

_methods: dict[str, Trained] = {}


class UnsuitableScan(ValueError):
    """A scan that a method cannot take; the message says what it takes."""


def check_findings(name: str, known: Sequence[str], asked: Sequence[str]) -> None:
    """Refuses findings of which a checkpoint knows nothing.

    Raises:
        ValueError: one of `asked` is not among those that the checkpoint called `name` knows.
    """
    if strange := [finding for finding in asked if finding not in known]:
        folded = {finding.casefold(): finding for finding in known}
        near = get_close_matches(strange[0].casefold(), folded, n=1)
        meant = f" (did you mean {folded[near[0]]!r}?)" if near else ""
        raise ValueError(f"{name} does not know {strange[0]!r}{meant}; it knows {', '.join(known)}.")


class Model(ABC):
    """A checkpoint that has been opened: it gives findings' probabilities and explains them.

    Attributes:
        checkpoint: what was opened.
        findings: the C finding names.
        thresholds: (C,) operating points, probabilities.
        kind: of the scans it was trained on, "unknown" where nobody says.
        spaces: in which counterfactuals can be sought, where that is a choice.
        batch: how many scans go through the network at once.
    """

    checkpoint: Checkpoint
    findings: Sequence[str]
    thresholds: np.ndarray
    kind: str = "unknown"
    spaces: Sequence[str] = ()
    batch: ClassVar[int] = 8

    @abstractmethod
    def preprocess(self, scan: Scan | np.ndarray) -> np.ndarray:
        """A scan, or its pixels, as the network sees it, float32; the display window takes no part.

        It begins with `pixels_of`.

        Raises:
            UnsuitableScan: as `pixels_of`.
        """

    @abstractmethod
    def _predict(self, prepared: np.ndarray) -> np.ndarray:
        """Scans as `preprocess` gives them, (n, ...), to probabilities (n, C) float32."""

    def predict_proba(self, scans: Scan | np.ndarray | Sequence[Scan] | Sequence[np.ndarray]) -> np.ndarray:
        """The probability of every finding, of one scan or of many.

        Args:
            scans: one `Scan`, or many in a sequence. Or pixels, float32 in the scanner's units and of a kind that the
                method
                takes: a picture (H, W) or many (n, H, W); for a method of volumes one volume (S, H, W) or many
                (n, S, H, W); or a sequence of such arrays, whose sizes may differ.

        Returns:
            float32 in [0, 1]: (C,) of one scan, (n, C) of many.

        Raises:
            UnsuitableScan: a volume where the method takes pictures, a picture where it takes volumes, or another kind.
        """
        dimensions = explaining_method(self.checkpoint).dimensions
        if isinstance(scans, Scan) or (isinstance(scans, np.ndarray) and scans.ndim == dimensions):
            return self._predict(self.preprocess(scans)[None])[0]
        answers = [
            self._predict(np.stack([self.preprocess(scan) for scan in scans[start : start + self.batch]]))
            for start in range(0, len(scans), self.batch)
        ]
        return np.concatenate([np.empty((0, len(self.findings)), np.float32), *answers])

    def predict_prepared(self, prepared: np.ndarray) -> np.ndarray:
        """The same of scans as `preprocess` gives them, or changed from there, (n, ...): (n, C) float32."""
        parts = [self._predict(prepared[start : start + self.batch]) for start in range(0, len(prepared), self.batch)]
        return np.concatenate([np.empty((0, len(self.findings)), np.float32), *parts])

    def run_network(self, prepared: np.ndarray) -> None:
        """One pass of a scan, as `preprocess` gives it, through the modules of the network, for who watches them; a
        method that answers by another arrangement of the same weights runs its plain modules here.
        """
        self._predict(prepared[None])

    def pixels_of(self, scan: Scan | np.ndarray) -> np.ndarray:
        """The pixels of a scan that the model takes: (H, W), or (S, H, W) for a method of volumes.

        Pixels alone have no kind.

        Raises:
            UnsuitableScan: the model does not take it, with what it takes.
        """
        declared, pixels = explaining_method(self.checkpoint), scan.pixels if isinstance(scan, Scan) else scan
        kind = scan.kind if isinstance(scan, Scan) else "unknown"
        named = [kind for kind in declared.kinds if kind != "unknown"]
        if isinstance(scan, Scan) and declared.kinds and kind not in declared.kinds:
            raise UnsuitableScan(
                f"{declared.title} explains scans of kind {' or '.join(named) or 'unknown'}, "
                f"this one is of kind {kind}; choose another method."
            )
        if "unknown" not in (kind, self.kind) and kind != self.kind:
            raise UnsuitableScan(
                f"{self.checkpoint.name} was trained on scans of kind {self.kind}, this one is of kind {kind}; "
                "choose another checkpoint."
            )
        if pixels.ndim != declared.dimensions:
            it_is = {2: "is a single picture", 3: f"has {len(pixels)} slices"}.get(
                pixels.ndim, f"has the shape {pixels.shape}"
            )
            takes, instead = (
                ("single pictures", "choose one slice")
                if declared.dimensions == 2
                else ("volumes", "open all slices together")
            )
            raise UnsuitableScan(f"{declared.title} explains {takes}, this scan {it_is}; {instead}.")
        return pixels

    @abstractmethod
    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Explanation]:
        """One record a finding, all of them unless some are named.

        Args:
            progress: called with (done, all) after each finding or part of the work; the last call is (all, all).

        Raises:
            UnsuitableScan: a volume or a picture where the method takes the other, or not of a kind that it takes.
        """

    def in_space(self, space: str) -> Model:
        """The same model, whose counterfactuals are sought in another of its `spaces`."""
        raise UnsuitableScan(f"{explaining_method(self.checkpoint).title} seeks counterfactuals in no other space.")

    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        """The probability of every finding on x + sum of a_c M_c(x): several findings taken away together."""
        raise UnsuitableScan(f"{self.checkpoint.method} cannot remove several findings together.")

    def look(self, scan: Scan, symbol: str = "") -> Look:
        """Where the model looks and which attributes it reads, for a method whose regions hold attributes.

        Args:
            symbol: a value of the symbol that its training pictures carried, drawn into the scan first; "" for none.
        """
        raise UnsuitableScan(f"{explaining_method(self.checkpoint).title} reads no attributes.")

    def predict_from_attributes(self, values: Mapping[str, float]) -> float:
        """The probability of the diagnosis with every attribute, in [0, 1], set by hand."""
        raise UnsuitableScan(f"{explaining_method(self.checkpoint).title} reads no attributes.")

    def attribute_effects(self, values: Mapping[str, float]) -> list[AttributeEffect]:
        """How much of the diagnosis each set of attributes accounts for, most first."""
        raise UnsuitableScan(f"{explaining_method(self.checkpoint).title} reads no attributes.")

    def finding_indices(self, findings: Sequence[str] | None = None) -> list[int]:
        """Where `findings` stand among the model's own; all of them when None.

        Raises:
            ValueError: the model does not know one.
        """
        known = list(self.findings)
        check_findings(self.checkpoint.name, known, findings or ())
        return [known.index(finding) for finding in (known if findings is None else findings)]

    def centres(self) -> list[ClassCentres]:
        """What the model learned overall, one record a finding; empty for a method without class centres."""
        return []


class Trained:
    """Whatever is trained into checkpoints: what the command line needs of it.

    A method is a folder in `engine.methods` whose `__init__` registers a subclass that declares what is listed below.
    The work is done by modules of that folder. They are imported when they are first asked for, so that the command
    line and the pages start without torch:

        explain.py   open_model(checkpoint, device) -> Model
        train.py     PRESETS: name -> preset
        produce.py   produce(job) -> Checkpoint | None, and tiny(folder) -> Checkpoint
        evaluate.py  evaluate(model, collection, indices) -> (measures, remarks)

    Attributes:
        name: as on the command line and in `config.json`.
        title: as a reader knows it.
        paper: author and year.
        trainable: whether `train` does it; what was trained elsewhere has no presets.
        largest_weights: bytes of the weights file that a checkpoint of it may have.
        two_classes: whether it can learn one finding against another, rather than against its absence.
        made_pairs: whether pairs of a picture and its true counterfactual can teach it beside its other losses.
        dimensions: of the scans it takes: 2 for pictures (H, W), 3 for volumes (S, H, W).
        opened_by: the module that opens a checkpoint.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    trainable: ClassVar[bool] = True
    largest_weights: ClassVar[int] = LARGEST_WEIGHTS
    two_classes: ClassVar[bool] = False
    made_pairs: ClassVar[bool] = False
    dimensions: ClassVar[int] = 2
    opened_by: ClassVar[str] = "explain"

    def open(self, checkpoint: Checkpoint, device: str) -> Any:
        """What is behind `checkpoint`, on `device` ("cpu", "cuda")."""
        return self._module(self.opened_by).open_model(checkpoint, device)

    def packages(self) -> set[str]:
        """Packages of others that `open` imports."""
        return packages_imported(f"{type(self).__module__}.{self.opened_by}")

    def presets(self) -> Mapping[str, Any]:
        """Named sizes and schedules; at least "demo", "gpu" and "paper" for what is trained here."""
        return self._module("train").PRESETS if self.trainable else {}

    def train(self, job: Any) -> Checkpoint | None:
        """Trains and saves one checkpoint; `job` is an `engine.training.job.TrainingJob`.

        Returns:
            the checkpoint; None in all but the first of several processes.

        Raises:
            ValueError: the method is not trained here, or the job asks for what it does not have.
        """
        if not self.trainable:
            raise ValueError(f"{self.title}s are trained by their makers; bring one in with python -m engine adopt.")
        return self._module("produce").produce(job)

    def evaluate(self, model: Any, collection: Any, indices: np.ndarray) -> tuple[list, list[str]]:
        """Every measure that the paper reports, on the pictures at `indices`, and remarks on what is not measurable."""
        return self._module("evaluate").evaluate(model, collection, indices)

    def tiny(self, folder: Path) -> Checkpoint:
        """A small checkpoint with random weights, for tests of the contract."""
        return self._module("produce").tiny(folder)

    def _module(self, name: str) -> ModuleType:
        """A module of the method's own folder."""
        return import_module(f"{type(self).__module__}.{name}")


class Method(Trained):
    """A method that explains scans; `open` gives a `Model`. Pages are derived from what it declares about itself.

    Attributes:
        kinds: the scan kinds it takes; empty for any.
        signed: whether its maps have two signs; others hold nothing below 0, where their colour bar begins.
        counterfactuals: whether it makes them.
        has_centres: whether it has class centres and weights to show.
        has_regions: whether its records hold a tree of regions.
        evidence_name: what its map is called on a panel.
    """

    kinds: ClassVar[Sequence[str]] = ()
    signed: ClassVar[bool]
    counterfactuals: ClassVar[bool]
    has_centres: ClassVar[bool]
    has_regions: ClassVar[bool] = False
    evidence_name: ClassVar[str]

    def open(self, checkpoint: Checkpoint, device: str) -> Model:
        """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
        return super().open(checkpoint, device)


class Generator(Trained):
    """A method that makes counterfactual pictures under other attributes and explains no scan.

    In its folder `generator.py` takes the place of `explain.py`.
    """

    opened_by = "generator"

    def open(self, checkpoint: Checkpoint, device: str) -> Any:
        """The `engine.bias.interventions.Interventions` behind `checkpoint`, on `device` ("cpu", "cuda")."""
        return self._module(self.opened_by).open_generator(checkpoint, device)


def register(method: type[TrainedClass]) -> type[TrainedClass]:
    """Class decorator: the method joins the app, the command line and the contract test."""
    if method.name in _methods:
        raise ValueError(f"two methods are called {method.name!r}")
    _methods[method.name] = method()
    declare(method.name, method.largest_weights)
    return method


def trained() -> Mapping[str, Trained]:
    """Everything that is registered, by name: methods that explain scans, and generators."""
    import_all("engine.methods")
    return dict(_methods)


def methods() -> Mapping[str, Method]:
    """Every registered method that explains scans, by name."""
    return {name: entry for name, entry in trained().items() if isinstance(entry, Method)}


def method(name: str) -> Trained:
    """The method or generator called `name`, or called so in an earlier version.

    Raises:
        ValueError: there is none; the message names those there are.
    """
    known, name = trained(), method_name(name)
    if name not in known:
        raise ValueError(f"no method is called {name!r}; there are {', '.join(sorted(known))}.")
    return known[name]


def explaining_method(checkpoint: Checkpoint) -> Method:
    """The method of a checkpoint that explains scans.

    Raises:
        RefusedCheckpoint: it explains no scans.
    """
    found = method(checkpoint.method)
    if not isinstance(found, Method):
        raise RefusedCheckpoint(
            f"{checkpoint.name} makes counterfactual pictures and explains no scans; use it in the bias report."
        )
    return found


def choose_device(device: str = "auto") -> str:
    """CUDA where there is one, else the CPU, unless `device` says otherwise.

    Raises:
        ValueError: "cuda" is asked for and there is none, or another word.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device here; use --device cpu or leave it out.")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def open_model(where: str | Path | Checkpoint, device: str = "auto") -> Model:
    """The model of a checkpoint: a shipped name, a folder, ``hub:owner/name@revision``, or one already checked.

    Raises:
        RefusedCheckpoint: it explains no scans.
    """
    checkpoint = where if isinstance(where, Checkpoint) else open_checkpoint(where)
    return explaining_method(checkpoint).open(checkpoint, choose_device(device))


def open_generator(where: str | Path | Checkpoint, device: str = "auto") -> Any:
    """The interventions of a generator's checkpoint, named as for `open_model`.

    Raises:
        RefusedCheckpoint: it is a model that explains scans.
    """
    checkpoint = where if isinstance(where, Checkpoint) else open_checkpoint(where)
    entry = method(checkpoint.method)
    if not isinstance(entry, Generator):
        raise RefusedCheckpoint(
            f"{checkpoint.name} explains scans and cannot change an attribute; choose a checkpoint of cit_lr."
        )
    return entry.open(checkpoint, choose_device(device))
