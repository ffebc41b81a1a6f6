"""Trained weights that can be trusted: a folder with weights, configuration, metrics and a card, opened and saved."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from engine.checkpoints.limits import limits
from engine.checkpoints.metrics import Metrics, UnusableMetrics, of_card
from engine.checkpoints.metrics import parsed as parsed_metrics
from engine.checkpoints.sections import read_card
from engine.configuration import FORMAT, UnusableConfiguration, parsed, tensor_name
from engine.files import replace_folder, scratch_beside, staged, unfinished

if TYPE_CHECKING:
    import torch

WEIGHTS, CONFIG, CARD, METRICS = "weights.safetensors", "config.json", "card.md", "metrics.json"
CARD_SECTIONS = (
    "Intended use and limits",
    "Data and licence",
    "Split and seeds",
    "Command",
    "Hardware and wall time",
    "Metrics",
    "Subgroups",
    "Weights",
)
LARGEST_TEXT = 1_000_000  # bytes of config.json, metrics.json or card.md
PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")


class RefusedCheckpoint(ValueError):
    """A checkpoint that is not opened or not saved; the message is one sentence, in one line, that says why and what
    would work.
    """

    def __init__(self, words: str):
        super().__init__(" ".join(words.split()))  # it may quote what a library said on several


@dataclass(frozen=True)
class Checkpoint:
    """One trained model, checked: its configuration is whole, its card complete and its weights the ones the card
    names.

    Attributes:
        name: the folder's name, or the repository's on the Hugging Face Hub.
        method: a name in `engine.registry.methods()`.
        config: config.json, checked by `engine.configuration.Configuration`.
        card: card.md as text.
        metrics: metrics.json; of a checkpoint made before there was one, what the tables of its card say.
        sha256: of the weights file, 64 hexadecimal digits.
        folder: where the files lie.
        source: ``shipped``, a path, or ``hub owner/name@revision``.
    """

    name: str
    method: str
    config: Mapping = field(hash=False)
    card: str = field(hash=False, repr=False)
    sha256: str
    folder: Path
    source: str
    metrics: Metrics = field(default=Metrics(), hash=False, repr=False)

    @property
    def caution(self) -> str:
        """What somebody who looked at its maps warns of, "" for nothing."""
        return self.config.get("caution", "")

    @cached_property
    def identity(self) -> str:
        """sha256 of configuration and weights together, 64 hexadecimal digits: equal for models that answer alike.

        The weights alone do not tell two models apart: one ONNX file may come with two cards that prepare a picture
        differently.
        """
        return hashlib.sha256((self.sha256 + json.dumps(dict(self.config), sort_keys=True)).encode()).hexdigest()

    @property
    def collection(self) -> str:
        """The name of the collection that it was trained on, "" where its configuration does not say."""
        return str(self.config.get("data", {}).get("collection", ""))

    def arrays(self) -> dict[str, np.ndarray]:
        """Every tensor by name, in the stored precision.

        Raises:
            RefusedCheckpoint: the file is no longer the one that was checked.
        """
        sha256, arrays = _read_weights(self.folder, _most(self.method))
        if sha256 != self.sha256:
            raise RefusedCheckpoint(f"The weights of {self.name} have changed since it was opened; open it again.")
        return arrays

    def weights(self) -> dict[str, torch.Tensor]:
        """As `arrays`, on the CPU; floating point ones as float32 whatever the stored precision."""
        import torch

        return {
            key: torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else array.dtype))
            for key, array in self.arrays().items()
        }


def examine(folder: str | Path) -> Checkpoint:
    """The checkpoint in `folder`, after checking its files, its configuration, its card and its weights.

    Raises:
        RefusedCheckpoint: with the first thing that is wrong.
    """
    folder = Path(folder)
    try:
        for file in (WEIGHTS, CONFIG, CARD):
            if not (folder / file).is_file():
                raise RefusedCheckpoint(_missing(folder, file))
        config, card = _read_config(folder), _read_text(folder / CARD)
        metrics = _read_metrics(folder, card, config)
        sha256, arrays = _read_weights(folder, _most(config["method"]))
    except OSError as error:
        raise RefusedCheckpoint(
            f"{folder} cannot be read ({error.strerror}); check that its files may be read."
        ) from error
    _check_detector(folder, arrays)
    sections = read_card(card)
    for title in CARD_SECTIONS:
        section = sections.get(title, "")
        if not section or re.search(r"\bTODO\b", section):
            says = "still says TODO" if section else "has nothing"
            raise RefusedCheckpoint(
                f"The card of {folder.name} {says} under '## {title}'; write that section of {CARD}."
            )
    for file, named in ((CONFIG, config["weights_sha256"]), (CARD, sections["Weights"])):
        if sha256 not in named:
            raise RefusedCheckpoint(
                f"The weights of {folder.name} have sha256 {sha256}, which is not what {file} names; "
                "save the checkpoint again, or copy it again from where it came."
            )
    return Checkpoint(folder.resolve().name, config["method"], config, card, sha256, folder, str(folder), metrics)


def _check_detector(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses tensors of an out-of-distribution detector that cannot be one."""
    if not any(name.startswith("out_of_distribution.") for name in arrays):
        return
    from engine.ood import OutOfDistributionDetector  # needs OpenCV, which doctor must be able to miss

    try:
        OutOfDistributionDetector.from_tensors(arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedCheckpoint(
            f"{folder.name} holds an unusable out-of-distribution detector ({error}); save the checkpoint again."
        ) from None


def as_text(config: Mapping) -> str:
    """config.json."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def save_checkpoint(
    folder: str | Path,
    *,
    method: str,
    config: Mapping,
    weights: Mapping[str, torch.Tensor | np.ndarray],
    card: str,
    metrics: Metrics | None = None,
    half: bool = False,
) -> Checkpoint:
    """Writes a checkpoint, all of it or nothing, over one that is already there.

    Args:
        folder: the checkpoint's own folder; made when missing.
        method: a name in `engine.registry.methods()`.
        config: findings, network, preprocessing and thresholds at least; format, method and weights_sha256 are filled
            in.
        weights: every tensor by name, any device.
        card: Markdown with every section of `CARD_SECTIONS`;
            the sha256 of the weights is written under "## Weights", which may be left out.
        metrics: what was measured, from which the card's sections of metrics and subgroups are made; what stands in
            these, when not given.
        half: store matrices and kernels as float16; vectors (biases, running variances) keep float32, they weigh
            nothing.

    Raises:
        RefusedCheckpoint: the result would not open; what stood in `folder` stands there still.
        UnwritableFile: likewise.
    """
    folder = Path(folder)
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in (WEIGHTS, CONFIG, CARD, METRICS) and not unfinished(path):
            raise RefusedCheckpoint(
                f"{folder} also holds {path.name}, which saving would delete; give the checkpoint a folder of its own."
            )
    data = safetensors_numpy.save({key: _stored(value, half) for key, value in weights.items()}, {"format": "pt"})
    sha256 = hashlib.sha256(data).hexdigest()
    whole = {**config, "format": FORMAT, "method": method, "weights_sha256": sha256}
    card = card if metrics is None else metrics.on(card)
    metrics = of_card(card, whole) if metrics is None else metrics
    with scratch_beside(folder) as scratch:
        new = scratch / folder.name
        with staged(new) as put:
            put(WEIGHTS, data)
            put(CONFIG, as_text(whole))
            put(METRICS, metrics.text())
            put(CARD, _name_weights(card, sha256))
        examine(new)
        replace_folder(new, folder, aside=scratch / "before")  # goes with the scratch folder
    return examine(folder)


def _name_weights(card: str, sha256: str) -> str:
    """The card with `sha256` as the first line under '## Weights', in place of one that an earlier save wrote."""
    line = f"sha256 of `{WEIGHTS}`: `{sha256}`"
    card = re.sub(rf"(?m)^sha256 of `{re.escape(WEIGHTS)}`.*\n?", "", card)
    if "Weights" not in read_card(card):
        card = f"{card.rstrip()}\n\n## Weights\n"
    card = re.sub(r"(?m)^## +Weights[ \t]*$", f"## Weights\n\n{line}\n", card, count=1)
    return re.sub(r"\n{3,}", "\n\n", card).rstrip() + "\n"


def _stored(value: torch.Tensor | np.ndarray, half: bool) -> np.ndarray:
    if not isinstance(value, np.ndarray):  # a torch tensor; bfloat16 has no numpy type
        tensor = value.detach().cpu()
        value = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    array = np.array(value, order="C")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # an overflow becomes infinite, which `examine` refuses
            array = array.astype(np.float16 if half and array.ndim >= 2 else np.float32)
    return array


def _missing(folder: Path, file: str) -> str:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES) if folder.is_dir() else []
    if file == WEIGHTS and pickles:
        return (
            f"{folder.name} holds {pickles[0]}, and nothing is ever unpickled; "
            f"convert it to {WEIGHTS} with the safetensors library."
        )
    return f"{folder.name} has no {file}; a checkpoint is a folder with {WEIGHTS}, {CONFIG} and {CARD}."


def _read_text(path: Path) -> str:
    size = path.stat().st_size
    if size > LARGEST_TEXT:
        raise RefusedCheckpoint(
            f"{path.parent.name}/{path.name} has {size:,} bytes; at most {LARGEST_TEXT:,} are read."
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RefusedCheckpoint(f"{path.parent.name}/{path.name} is not text; save it as UTF-8.") from None


def _read_config(folder: Path) -> dict:
    try:
        return parsed(_read_text(folder / CONFIG), limits().keys())
    except UnusableConfiguration as error:
        raise RefusedCheckpoint(f"The {CONFIG} of {folder.name} {error}.") from None


def _read_metrics(folder: Path, card: str, config: Mapping) -> Metrics:
    if not (folder / METRICS).is_file():
        return of_card(card, config)
    try:
        return parsed_metrics(_read_text(folder / METRICS))
    except UnusableMetrics as error:
        raise RefusedCheckpoint(f"The {METRICS} of {folder.name} {error}.") from None


def most_weights(folder: str | Path) -> int:
    """Bytes that the weights of the checkpoint in `folder` may take, by the method that its configuration names.

    Raises:
        RefusedCheckpoint: the configuration is not whole.
    """
    return _most(_read_config(Path(folder))["method"])


def _most(method: str) -> int:
    """Bytes that the weights of `method` may take."""
    return limits()[method]


def _read_weights(folder: Path, most: int) -> tuple[str, dict[str, np.ndarray]]:
    """sha256 of the weights file and its arrays under today's names; the very bytes that were hashed are the ones that
    are parsed.
    """
    path = folder / WEIGHTS
    size = path.stat().st_size
    if size > most:
        raise RefusedCheckpoint(
            f"The weights of {folder.name} take {size / 1e6:.1f} MB; at most {most // 10**6} MB are opened, "
            "so store them in half precision or make the network smaller."
        )
    data = path.read_bytes()
    try:
        arrays = safetensors_numpy.load(data)
    except SafetensorError as error:
        raise RefusedCheckpoint(
            f"{folder.name}/{WEIGHTS} is not a safetensors file ({error}); save the weights with the safetensors "
            "library."
        ) from None
    except KeyError as error:  # a type that numpy does not have
        raise RefusedCheckpoint(f"{folder.name}/{WEIGHTS} stores {error}; store the weights as F32 or F16.") from None
    if not arrays:
        raise RefusedCheckpoint(f"{folder.name}/{WEIGHTS} holds no tensor; save the trained weights.")
    for key, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RefusedCheckpoint(
                f"The weights of {folder.name} are not finite in {key}; train again or store them as float32."
            )
    return hashlib.sha256(data).hexdigest(), {tensor_name(key): array for key, array in arrays.items()}
