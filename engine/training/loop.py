"""The one training loop: devices, precision, progress, logs, resume. What is trained is a `Recipe`'s business.

Everything random in a recipe is drawn from (seed, stream, step), never from a generator that lives on between steps. So
a run that was killed and resumed ends with the weights of one that was not, and N processes that share a global batch
end with the weights of one process that holds it whole.
"""

from __future__ import annotations

import json
import operator
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from tqdm import tqdm

from engine.datasets.identity import agree, in_words
from engine.errors import Stopped
from engine.files import write_whole

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from engine.networks.films import Films

STATE = "state.safetensors"
BEST = "best.safetensors"


class UnusableRun(ValueError):
    """A run folder that cannot be started in or resumed from; the message says why."""


class Recipe(ABC):
    """What is trained, and how one step of it goes.

    Attributes:
        seed: with the stream and the step, the source of all that is random.
        steps: how many steps the whole training has.
        validate_every: steps between two validations.
        keep_last: keep the weights of the last validation rather than those of the best.
        patience: validations without a better score after which the training ends; 0 goes on to `steps`.
        indifferent: settings that make no difference to it, and may be recorded with any value where it is resumed.
    """

    seed: int
    steps: int
    validate_every: int
    keep_last: bool = False
    patience: int = 0
    indifferent: Sequence[str] = ()

    @abstractmethod
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything that a resumed run needs, by name; parameters and buffers."""

    @abstractmethod
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """The optimisers, by name; made once, before the first step."""

    @abstractmethod
    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        """One training step, counted from 0; returns what to log."""

    @abstractmethod
    def validate(self, fabric: Fabric) -> dict[str, float]:
        """Scores on validation; "score" decides which weights are kept, higher is better."""

    @abstractmethod
    def weights_to_keep(self) -> dict[str, Tensor]:
        """The weights that are worth keeping when `validate` was best."""

    def settings(self) -> dict:
        """What a resumed run must share with the one that was stopped, ready for JSON; more steps may be asked for."""
        return {}

    def draw(self, stream: str, step: int) -> np.random.Generator:
        """The random numbers of one stream ("critic 2", ...) at one step."""
        return np.random.default_rng([self.seed, step, *stream.encode()])


class PictureRecipe(Recipe):
    """A recipe that learns from the pictures of one collection and may begin with the weights of an earlier training.

    Attributes:
        films: the training pictures as the network sees them.
    """

    films: Films

    @abstractmethod
    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with the weights of an earlier training.

        Raises:
            ValueError: they are of another network.
        """


@dataclass(frozen=True)
class Machine:
    """Where a training runs.

    Attributes:
        accelerator: "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda".
        devices: how many of them; on the CPU, processes.
        precision: "32-true", "bf16-mixed" or "bf16-true".
    """

    accelerator: str = "auto"
    devices: int = 1
    precision: str = "32-true"

    def fabric(self, folder: Path) -> Fabric:
        from lightning.fabric import Fabric
        from lightning.fabric.loggers.tensorboard import TensorBoardLogger

        accelerator = self.accelerator
        if accelerator == "auto":
            accelerator = "cuda" if torch.cuda.is_available() else "cpu"
        return Fabric(
            accelerator=accelerator,
            devices=self.devices,
            strategy="ddp" if self.devices > 1 else "auto",
            precision=cast(Any, self.precision),  # Fabric itself refuses a word that is none
            loggers=TensorBoardLogger(root_dir=folder, name="logs", version=""),
        )


def average_gradients(parameters: Iterable[nn.Parameter], fabric: Fabric) -> None:
    """The mean gradient over all processes, in one message; DistributedDataParallel does not survive double
    backward.
    """
    if fabric.world_size == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    flat = cast(Tensor, fabric.all_reduce(flat, reduce_op="mean"))  # of a tensor, a tensor
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(part.view_as(gradient))


def gathered(part: Tensor, fabric: Fabric) -> Tensor:
    """The whole (N B, ...) of which each of N processes holds a share (B, ...)."""
    return cast(Tensor, fabric.all_gather(part)).flatten(0, 1) if fabric.world_size > 1 else part


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """The sum of the parts of a loss, first to last."""
    return reduce(operator.add, losses.values())


def descend(loss: Tensor, optimiser: torch.optim.Optimizer, fabric: Fabric, longest: float | None = None) -> None:
    """One step of one optimiser, its gradients averaged over all processes and, with `longest`, clipped to
    that norm.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    optimiser.zero_grad()
    fabric.backward(loss)
    average_gradients(parameters, fabric)
    if longest is not None:
        nn.utils.clip_grad_norm_(parameters, longest)
    optimiser.step()


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """Let the running average of a network's weights follow them, faster in the first steps; a decay of 0
    copies them.
    """
    decay = min(decay, (1 + step) / (10 + step)) if decay else 0.0
    for mean, now in zip(average.state_dict().values(), net.state_dict().values()):
        mean.lerp_(now.to(mean), 1 - decay) if mean.is_floating_point() else mean.copy_(now)


def shard(count: int, fabric: Fabric) -> slice:
    """This process's share of a global batch of `count` pictures."""
    if count % fabric.world_size:
        raise ValueError(f"a batch of {count} cannot be shared by {fabric.world_size} processes; choose a multiple")
    share = count // fabric.world_size
    return slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)


def run(
    recipe: Recipe,
    folder: Path,
    fabric: Fabric,
    resume: bool = False,
    save_every_s: float = 60.0,
    minutes: float | None = None,
) -> dict[str, float]:
    """Train `recipe` in `folder`, from the start or from where an earlier run was stopped.

    Args:
        minutes: of training, those before a resume among them, after which it ends with a validation, whatever step it
            has reached; None goes on to `recipe.steps`.

    Returns:
        the best validation scores; the weights that reached them are in `folder / BEST` (see `best_weights`).

    Raises:
        UnusableRun: `folder` holds a run and `resume` is not set, or it holds another recipe's state.
        Stopped: by a signal, after saving.
    """
    state = folder / STATE
    if state.exists() and not resume:
        raise UnusableRun(f"a run is already in {folder}; add --resume to go on with it, or choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for module in recipe.modules().values():  # before the optimisers' state, which follows its parameters
        module.to(fabric.device)
    optimisers = recipe.optimisers()
    first, best, before = 0, {"score": -float("inf"), "step": -1}, 0.0
    if state.exists():
        first, best, before = _restore(state, recipe, optimisers)
    limit = float("inf") if minutes is None else 60 * minutes
    last = recipe.steps if before < limit else first
    stop = _StopOnSignal()
    shown = {"disable": not fabric.is_global_zero, "mininterval": 2.0}
    began = saved = time.monotonic()
    with stop, tqdm(total=recipe.steps, initial=first, unit="step", **shown) as bar:
        for step in range(first, last):
            losses = recipe.step(step, fabric)
            bar.update()
            if step % 10 == 0:
                bar.set_postfix({name: f"{value:.3g}" for name, value in losses.items()})
                fabric.log_dict({f"loss/{name}": value for name, value in losses.items()}, step=step)
            out_of_time = minutes is not None and fabric.broadcast(before + time.monotonic() - began >= limit)
            if (step + 1) % recipe.validate_every == 0 or step + 1 == recipe.steps or out_of_time:
                scores = recipe.validate(fabric)
                fabric.log_dict({f"validation/{name}": value for name, value in scores.items()}, step=step)
                if fabric.is_global_zero:
                    words = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
                    bar.write(f"step {step + 1}: {words}")
                if recipe.keep_last or scores["score"] > best["score"]:
                    best = {**scores, "step": step + 1}
                    if fabric.is_global_zero:
                        _write(folder / BEST, recipe.weights_to_keep(), {"best": best})
            # once: a signal during the save waits for the next step
            stop_requested = fabric.broadcast(stop.requested)
            patience_exceeded = 0 < recipe.patience * recipe.validate_every <= step + 1 - max(best["step"], 0)
            due = (
                time.monotonic() - saved > save_every_s
                or step + 1 == recipe.steps
                or stop_requested
                or patience_exceeded
                or out_of_time
            )
            if fabric.broadcast(due):
                if fabric.is_global_zero:
                    seconds = before + time.monotonic() - began
                    _save(state, recipe, optimisers, {"step": step + 1, "best": best, "seconds": seconds})
                saved = time.monotonic()
            if stop_requested:
                raise Stopped(f"stopped after step {step + 1}; --resume goes on from there.")
            if patience_exceeded:
                bar.write(f"no better score in {recipe.patience} validations: ended after step {step + 1}.")
                break
            if out_of_time:
                bar.write(f"{minutes:g} minutes are over: ended after step {step + 1}.")
                break
    return best


def train_in(recipe: Recipe, folder: Path, machine: Machine) -> Fabric:
    """Trains `recipe` in `folder`, or goes on with what was begun there; `best_weights(folder)` are its weights."""
    fabric = machine.fabric(folder)
    fabric.launch()
    run(recipe, folder, fabric, resume=(folder / STATE).exists())
    return fabric


def ended_in(recipe: Recipe, folder: Path) -> bool:
    """Whether a run in `folder` has reached its last step, or ended before it because its score did not rise."""
    if not (folder / STATE).exists():
        return False
    facts = facts_of(folder)
    waited = facts["step"] - max(facts["best"]["step"], 0)
    return facts["step"] >= recipe.steps or waited >= recipe.patience * recipe.validate_every > 0


def leave(fabric: Fabric) -> None:
    """Ends the process group once all have trained: what is left is done by the first process alone, and a process that
    ends inside a group may be aborted.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        fabric.barrier()
        torch.distributed.destroy_process_group()


def best_weights(folder: Path) -> dict[str, Tensor]:
    """The weights that `Recipe.weights_to_keep` gave at the best validation."""
    return safetensors.torch.load_file(folder / BEST)


class _StopOnSignal:
    """Turns the first SIGINT or SIGTERM into a save at the end of the step; the handlers are put back afterwards."""

    def __init__(self):
        self.requested = False

    def __enter__(self):
        try:
            self.before = {s: signal.signal(s, self._request) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: nobody sends signals here
            self.before = {}
        return self

    def _request(self, *_):
        self.requested = True

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)


def facts_of(folder: Path) -> dict:
    """What a run says of itself: "step", "best", "seed" and "seconds" of training so far."""
    with safe_open(folder / STATE, "pt") as file:
        return json.loads(file.metadata()["facts"])


def _save(path: Path, recipe: Recipe, optimisers: Mapping[str, torch.optim.Optimizer], facts: dict) -> None:
    tensors = {}
    for name, module in recipe.modules().items():
        tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
    for name, optimiser in optimisers.items():
        for index, entries in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{name}/{index}/{key}": torch.as_tensor(value) for key, value in entries.items()}
    _write(path, tensors, {**facts, "seed": recipe.seed, "settings": recipe.settings()})


def _restore(path: Path, recipe: Recipe, optimisers: Mapping[str, torch.optim.Optimizer]) -> tuple[int, dict, float]:
    try:
        tensors, facts = safetensors.torch.load_file(path), facts_of(path.parent)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UnusableRun(
            f"{path} is damaged and cannot be resumed from; delete it or choose another folder."
        ) from error
    if facts["seed"] != recipe.seed:
        raise UnusableRun(
            f"the run in {path.parent} was started with seed {facts['seed']}, not {recipe.seed}; use that seed."
        )
    now = json.loads(json.dumps(recipe.settings()))
    other = [
        name
        for name, value in facts.get("settings", now).items()
        if name not in recipe.indifferent and not agree(name, _known_then(name, value, now.get(name)), now.get(name))
    ]
    if other:
        raise UnusableRun(
            f"the run in {path.parent} was started with another {in_words(other)}; use the same, or another folder."
        )
    parts: dict[str, dict] = {}
    for key, value in tensors.items():
        kind, name, rest = key.split("/", 2)
        parts.setdefault(f"{kind}/{name}", {})[rest] = value
    try:
        for name, module in recipe.modules().items():
            module.load_state_dict(parts[f"module/{name}"])
        for name, optimiser in optimisers.items():
            entries: dict[int, dict] = {}
            for rest, value in parts.get(f"optimiser/{name}", {}).items():
                index, key = rest.split("/", 1)
                entries.setdefault(int(index), {})[key] = value
            optimiser.load_state_dict({"state": entries, "param_groups": optimiser.state_dict()["param_groups"]})
    except (KeyError, RuntimeError) as error:
        raise UnusableRun(
            f"the run in {path.parent} was made with other settings and cannot go on with these."
        ) from error
    return facts["step"], facts["best"], facts["seconds"]


def _known_then(name: str, stored: Any, now: Any) -> Any:
    """A stored record of sizes, with those that came into being since as they are now: the weights would not fit
    otherwise.
    """
    return (
        {**now, **stored} if name == "architecture" and isinstance(stored, dict) and isinstance(now, dict) else stored
    )


def _write(path: Path, tensors: dict[str, Tensor], facts: dict) -> None:
    plain = {
        key: value.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
        for key, value in tensors.items()
    }
    write_whole(path, safetensors.torch.save(plain, metadata={"facts": json.dumps(facts)}))
