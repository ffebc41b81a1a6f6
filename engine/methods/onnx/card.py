"""The short card that must lie beside somebody else's model: what goes in, what comes out, and on whose terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.datasets import collections
from engine.preprocessing import Preprocessing
from engine.scan.record import KINDS, SMALLEST_SIDE

LARGEST_SIDE = 2048  # pixels; larger inputs are no picture classifier's
MOST_OUTPUTS = 1000
LARGEST = 1e30  # numbers that float32 holds; JSON has whole ones that no float does
ORDERS = ("NCHW", "NHWC")
CHANNELS = {"grey": 1, "colour": 3}
OUTPUTS = {
    "probabilities": "one probability for each finding, independent of each other",
    "logits": "one log-odds for each finding, before the sigmoid",
    "softmax": "probabilities over classes that exclude each other, adding up to 1",
    "class_logits": "scores of classes that exclude each other, before the softmax",
}
NEEDED = ("findings", "input_size", "value_range", "channel_order", "colour", "output", "terms")
OPTIONAL = (
    "kind",
    "collection",
    "grey_levels",
    "mean",
    "std",
    "operating_points",
    "input_name",
    "output_name",
    "intended_use",
    "trained_on",
    "maker",
)


class UnusableCard(ValueError):
    """A card that says too little, or what cannot be; the message is one sentence."""


@dataclass(frozen=True)
class Interface:
    """How the network is spoken to; `network` in the configuration of the checkpoint.

    Attributes:
        size: side of the square input in pixels, 16 to `LARGEST_SIDE`.
        order: of `ORDERS`.
        channels: 1, or 3 that all hold the same grey picture.
        values: what black and white become.
        mean, std: taken off and divided by after that, one number a channel; empty where nothing is.
        output: a key of `OUTPUTS`.
        findings: finding -> numbers of the outputs that speak for it, from 0; several are added up, where classes
            exclude each other.
        input_name, output_name: in the ONNX file; "" where it has but one.

    Raises:
        ValueError: a field that is not as described.
    """

    size: int
    order: str
    channels: int
    values: tuple[float, float]
    output: str
    findings: Mapping[str, tuple[int, ...]]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    input_name: str = ""
    output_name: str = ""

    def __post_init__(self):
        if not _whole(self.size) or not SMALLEST_SIDE <= self.size <= LARGEST_SIDE:
            raise ValueError(
                f"the input size must be a whole number of pixels from {SMALLEST_SIDE} to {LARGEST_SIDE}, got "
                f"{self.size!r}"
            )
        if self.order not in ORDERS:
            raise ValueError(f"the channel order must be {' or '.join(ORDERS)}, got {self.order!r}")
        if self.channels not in CHANNELS.values():
            raise ValueError(f"there must be 1 channel (grey) or 3 (colour), got {self.channels!r}")
        if self.output not in OUTPUTS:
            raise ValueError(f"the output must be one of {', '.join(OUTPUTS)}, got {self.output!r}")
        values = _numbers("value range", self.values, (2,))
        if not values[0] < values[1]:
            raise ValueError(f"the value range must rise, got {values}")
        object.__setattr__(self, "values", values)
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name), (0, self.channels)))
        if not all(part > 0 for part in self.std):
            raise ValueError(f"std must be above 0, got {self.std}")
        object.__setattr__(self, "findings", self._outputs_of_findings())
        for name in (self.input_name, self.output_name):
            if not isinstance(name, str):
                raise ValueError(f"input_name and output_name must be text, got {name!r}")

    @property
    def exclusive(self) -> bool:
        """Whether the outputs are classes of which exactly one holds."""
        return self.output in ("softmax", "class_logits")

    def _outputs_of_findings(self) -> dict[str, tuple[int, ...]]:
        if not isinstance(self.findings, Mapping) or not self.findings:
            raise ValueError("there must be at least one finding")
        found = {}
        for name, numbers in self.findings.items():
            numbers = tuple(numbers) if isinstance(numbers, (list, tuple)) else (numbers,)
            if not isinstance(name, str) or not name.strip() or len(name) > 80 or not name.isprintable():
                raise ValueError(f"a finding must have a name of at most 80 printable characters, got {name!r}")
            if (
                not numbers
                or not all(_whole(n) and 0 <= n < MOST_OUTPUTS for n in numbers)
                or len(set(numbers)) != len(numbers)
            ):
                raise ValueError(
                    f"{name} must name its outputs by different whole numbers from 0, got {list(numbers)!r}"
                )
            if len(numbers) > 1 and not self.exclusive:
                raise ValueError(
                    f"{name} adds up outputs {list(numbers)}, which is right only where they exclude each other"
                )
            found[name] = numbers
        return found


@dataclass(frozen=True)
class Card:
    """A card that has been read and holds together.

    Attributes:
        interface: how the network is spoken to.
        preprocessing: from a scan's units to [-0.5, 0.5], before `interface.values`.
        thresholds: finding -> operating point; 0.5 where the card gives none.
        kind: a scan kind, "unknown" for any.
        collection: the one known here that it was trained on, "" where that is not said; the bias page tests it on such
            pictures.
        words: what the maker says: terms, and where given maker, intended_use, trained_on.
        unstated: findings without an operating point on the card.
        outputs: how many the card lists, null ones too; 0 where it gives the numbers of some instead.
    """

    interface: Interface
    preprocessing: Preprocessing
    thresholds: Mapping[str, float]
    kind: str
    collection: str
    words: Mapping[str, str]
    unstated: tuple[str, ...] = field(default=())
    outputs: int = 0


def parsed(text: str) -> Card:
    """The card in a JSON text: `NEEDED`, and what is wanted of `OPTIONAL`.

    `findings` is a list of all outputs in their order, null for one that is no finding, or an object from finding to
    the number or numbers of its outputs. `grey_levels` are the two values of a scan that count as black and white;
    without them every picture's own darkest and brightest do.

    Raises:
        UnusableCard: with the first thing that is wrong.
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableCard(f"The card is not valid JSON ({error}).") from None
    if not isinstance(entries, dict):
        raise UnusableCard(f"The card must be a JSON object with {', '.join(NEEDED)}.")
    if missing := [name for name in NEEDED if name not in entries]:
        raise UnusableCard(f"The card lacks {', '.join(missing)}; it needs {', '.join(NEEDED)}.")
    if unknown := [name for name in entries if name not in NEEDED + OPTIONAL]:
        raise UnusableCard(
            f"The card says {', '.join(map(repr, unknown))}, which means nothing here; it may say "
            f"{', '.join(NEEDED + OPTIONAL)}."
        )
    try:
        return _card(entries)
    except (TypeError, ValueError) as error:
        raise UnusableCard(f"The card does not hold: {error}.") from None


def _card(entries: Mapping[str, Any]) -> Card:
    if entries["colour"] not in CHANNELS:
        raise ValueError(f"colour must be {' or '.join(CHANNELS)}, got {entries['colour']!r}")
    size = entries["input_size"]
    if isinstance(size, list):
        if len(size) != 2 or size[0] != size[1]:
            raise ValueError(f"only square inputs can be fed, got {size}")
        size = size[0]
    findings, outputs = entries["findings"], 0
    if isinstance(findings, list):
        outputs = len(findings)
        if len({name for name in findings if name is not None}) != sum(name is not None for name in findings):
            raise ValueError("a finding is named twice")
        findings = {name: (number,) for number, name in enumerate(findings) if name is not None}
    interface = Interface(
        size=size,
        order=entries["channel_order"],
        channels=CHANNELS[entries["colour"]],
        values=entries["value_range"],
        output=entries["output"],
        findings=findings,
        mean=entries.get("mean", ()),
        std=entries.get("std", ()),
        input_name=entries.get("input_name", ""),
        output_name=entries.get("output_name", ""),
    )
    kind = entries.get("kind", "unknown")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    collection = entries.get("collection", "")
    if collection not in ("", *collections()):
        raise ValueError(f"collection must be one of {', '.join(collections())}, got {collection!r}")
    points = entries.get("operating_points", {})
    if not isinstance(points, dict) or not {*points} <= {*interface.findings}:
        raise ValueError(f"operating_points must be an object from findings to probabilities, got {points!r}")
    for name, point in points.items():
        if not _finite(point) or not 0 <= point <= 1:
            raise ValueError(f"the operating point of {name} must lie in [0, 1], got {point!r}")
    words = {name: entries[name] for name in ("terms", "maker", "intended_use", "trained_on") if name in entries}
    if silent := [name for name, text in words.items() if not isinstance(text, str) or not text.strip()]:
        raise ValueError(f"{silent[0]} must be a text")
    levels = entries.get("grey_levels")
    fixed = None
    if levels is not None:
        low, high = _numbers("grey_levels", levels, (2,))
        fixed = low, high
    return Card(
        interface=interface,
        preprocessing=Preprocessing(interface.size, percentile=0.0, value_range=0.5, fixed=fixed),
        thresholds={name: float(points.get(name, 0.5)) for name in interface.findings},
        kind=kind,
        collection=collection,
        words={name: text.strip() for name, text in words.items()},
        unstated=tuple(name for name in interface.findings if name not in points),
        outputs=outputs,
    )


def _numbers(name: str, entries: Any, lengths: tuple[int, ...]) -> tuple[float, ...]:
    if not isinstance(entries, (list, tuple)) or len(entries) not in lengths or not all(map(_finite, entries)):
        wanted = " or ".join(str(length) for length in lengths if length)
        raise ValueError(f"{name} must be a list of {wanted} finite numbers, got {entries!r}")
    return tuple(float(number) for number in entries)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST
