"""config.json of a checkpoint, checked whole: every part that anything here reads is of the type and in the range that
it is read as.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeGuard

FORMAT = 1
CONFIG_KEYS = ("format", "method", "findings", "network", "preprocessing", "thresholds", "weights_sha256")
OBJECTS = (
    "network",
    "preprocessing",
    "thresholds",
    "scales",
    "data",
    "attributes",
    "quality",
    "training",
    "calibration",
    "guidance",
    "diffusion",
)
# What earlier versions called it: checkpoints keep the names that they were written with, and are read under today's.
_OLD_METHODS = {"foreign": "onnx"}
_OLD_KEYS = {
    "": {"against": "contrast_class", "strength": "perturbation_scale"},
    "preprocessing": {"reach": "value_range"},
    "network": {"judge_width": "oracle_width"},
    "diffusion": {"reach": "strength", "hops": "num_steps", "mends": "fixed_point_iterations"},
}
_OLD_TENSORS = {"likeness.": "out_of_distribution.", "judge.": "oracle."}
_OLD_SETTINGS = {  # of presets: old name -> the names that it may have today, the first that a preset has
    "reach": ("strength", "value_range"),
    "pixel_reach": ("value_range",),
    "hops": ("num_steps",),
    "judge_steps": ("oracle_steps",),
    "judge_rate": ("oracle_rate",),
    "judge_width": ("oracle_width",),
}
LONGEST_CAUTION = 300  # characters, what is read at a glance above a result
LONGEST_NAME = 300  # characters of a finding, a class or an attribute
MOST_FINDINGS = 1000
DEEPEST = 8  # objects and lists within each other


class UnusableConfiguration(ValueError):
    """What config.json says and may not; the message goes on from "The config.json of NAME ..."."""


@dataclass(frozen=True)
class Configuration:
    """What every method's configuration holds. What a method adds for itself it checks where it opens the checkpoint.

    Attributes:
        format: `FORMAT`.
        method: a registered name.
        findings: one at least, each a different name.
        network: the method's sizes.
        preprocessing: the fields of `Preprocessing`.
        thresholds: finding -> operating point in [0, 1].
        weights_sha256: 64 hexadecimal digits.
        scales: finding -> limit of its colour bar, above 0; for all findings or none.
        data: `collection` and `kind` of what it was trained on, and other facts, as text; `options` that the collection
            was opened with, name -> whole number, number or text.
        calibration: name -> number or numbers, of what turns a network's answer into a probability.
        attributes: of a generator, attribute -> its values.
        contrast_class: the class that its finding is told from; None for normal.
        caution: one line that stands above its results.

    Raises:
        UnusableConfiguration: with the first thing that is wrong.
    """

    format: int
    method: str
    findings: tuple[str, ...]
    network: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    thresholds: Mapping[str, float]
    weights_sha256: str
    scales: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contrast_class: str | None = None
    caution: str = ""

    def __post_init__(self):
        # Here, since they need OpenCV: doctor names a package that is missing, and so must run without it.
        from engine.preprocessing import Preprocessing
        from engine.scan.record import KINDS

        if not isinstance(self.findings, (list, tuple)) or not all(_name(name) for name in self.findings):
            raise UnusableConfiguration("must list findings as names")
        if not 1 <= len(self.findings) <= MOST_FINDINGS:
            raise UnusableConfiguration(
                f"must list at least one finding and at most {MOST_FINDINGS}, got {len(self.findings)}"
            )
        if len(set(self.findings)) != len(self.findings):
            raise UnusableConfiguration("names a finding twice")
        if not isinstance(self.caution, str) or len(self.caution) > LONGEST_CAUTION or "\n" in self.caution:
            raise UnusableConfiguration(f"may hold a caution of one line and {LONGEST_CAUTION} characters")
        if self.contrast_class is not None and (not _name(self.contrast_class) or self.contrast_class in self.findings):
            raise UnusableConfiguration(
                "must name another finding under contrast_class, or give null there for normal, got "
                f"{self.contrast_class!r:.80}"
            )
        for name in self.findings:
            threshold = self.thresholds.get(name)
            if threshold is None or not _number(threshold) or not 0 <= threshold <= 1:
                raise UnusableConfiguration(f"must give {name!r:.80} a threshold in [0, 1], got {threshold!r:.80}")
            if self.scales and not (_number(self.scales.get(name)) and self.scales[name] > 0):
                raise UnusableConfiguration(
                    f"must give {name!r:.80} a scale above 0, got {self.scales.get(name)!r:.80}"
                )
        if not re.fullmatch(r"[0-9a-f]{64}", str(self.weights_sha256)):
            raise UnusableConfiguration("must give weights_sha256 as 64 hexadecimal digits")
        for name, value in self.data.items():
            if name == "options":
                if not isinstance(value, dict) or not all(
                    isinstance(entry, str) or _number(entry) for entry in value.values()
                ):
                    raise UnusableConfiguration(f"must give options under data as numbers or text, got {value!r:.80}")
            elif not isinstance(value, str):
                raise UnusableConfiguration(f"must give {name!r:.80} under data as text, got {value!r:.80}")
        if self.data.get("kind", "unknown") not in KINDS:
            raise UnusableConfiguration(
                f"must give one of {', '.join(KINDS)} as kind under data, got {self.data['kind']!r:.80}"
            )
        for name, value in self.calibration.items():
            if not all(_number(part) for part in (value if isinstance(value, list) else [value])):
                raise UnusableConfiguration(
                    f"must give {name!r:.80} under calibration as a number or numbers, got {value!r:.80}"
                )
        for name, values in self.attributes.items():
            if (
                not _name(name)
                or not isinstance(values, (list, tuple))
                or len(values) < 2
                or not all(isinstance(value, str) for value in values)
            ):
                raise UnusableConfiguration(
                    f"must give the values of {name!r:.80} under attributes, two or more, as text"
                )
        try:
            Preprocessing(**self.preprocessing)
        except (TypeError, ValueError) as error:
            raise UnusableConfiguration(f"has a preprocessing that is none ({str(error).rstrip('.')[:160]})") from None


def parsed(text: str, methods: Collection[str]) -> dict[str, Any]:
    """The configuration in a JSON text under today's names, after all of it was checked.

    Args:
        methods: the names that are known.

    Raises:
        UnusableConfiguration: with the first thing that is wrong.
    """

    def not_a_number(constant: str):
        raise UnusableConfiguration(f"holds {constant}; only finite numbers can be used")

    try:
        config = json.loads(text, parse_constant=not_a_number)
    except UnusableConfiguration:
        raise
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
        raise UnusableConfiguration(f"is not valid JSON ({error}); save the checkpoint again") from None
    if not isinstance(config, dict):
        raise UnusableConfiguration("must be a JSON object with the keys " + ", ".join(CONFIG_KEYS))
    config = under_todays_names(config)
    if missing := [key for key in CONFIG_KEYS if key not in config]:
        raise UnusableConfiguration(f"lacks {', '.join(missing)}; it needs {', '.join(CONFIG_KEYS)}")
    if config["format"] != FORMAT or isinstance(config["format"], bool):
        raise UnusableConfiguration(f"has format {config['format']!r:.80}; this version opens format {FORMAT}")
    if not isinstance(config["method"], str) or config["method"] not in methods:
        raise UnusableConfiguration(
            f"names the method {config['method']!r:.80}; known are {', '.join(sorted(methods))}"
        )
    for key in OBJECTS:
        if key in config and not isinstance(config[key], dict):
            raise UnusableConfiguration(f"must hold an object under {key}")
    _check_numbers(config)
    Configuration(**{field.name: config[field.name] for field in fields(Configuration) if field.name in config})
    return config


def under_todays_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that an earlier version may have written, with the keys that this one reads; values
    stay as they are.
    """
    config = _renamed(config, _OLD_KEYS[""])
    for part, names in _OLD_KEYS.items():
        if isinstance(config.get(part), dict):
            config[part] = _renamed(config[part], names)
    if isinstance(config.get("method"), str):
        config["method"] = method_name(config["method"])
    return config


def method_name(name: str) -> str:
    """Today's name of a method that an earlier version may have named."""
    return _OLD_METHODS.get(name, name)


def setting_name(name: str, known: Collection[str]) -> str:
    """Today's name of a preset's setting, where an earlier version's is none of `known`."""
    return name if name in known else next((new for new in _OLD_SETTINGS.get(name, ()) if new in known), name)


def tensor_name(name: str) -> str:
    """Today's name of a tensor of a checkpoint that an earlier version may have written."""
    for old, new in _OLD_TENSORS.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _renamed(part: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """In the same order; a key that is there under both names is left as it is, to be refused."""
    return {names.get(key, key) if names.get(key) not in part else key: value for key, value in part.items()}


def _check_numbers(value: Any, depth: int = 0) -> None:
    """Every number is one that a float holds; 1e999 is infinite without being called so."""
    if depth > DEEPEST:
        raise UnusableConfiguration(f"holds objects or lists nested more than {DEEPEST} deep")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not _number(value):
        raise UnusableConfiguration("holds a number that is too large")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(part, depth + 1)


def _number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number that a float holds."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False


def _name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST_NAME and value.isprintable()
