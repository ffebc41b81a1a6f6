"""What a model reads of its config.json, typed and checked: the part that methods share, to which each adds its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from engine.explanation import CHANGE_LIMIT
from engine.preprocessing import Preprocessing

Sizes = TypeVar("Sizes")


@dataclass(frozen=True, kw_only=True)
class ModelConfiguration(Generic[Sizes]):
    """The configuration of a model that explains scans.

    Attributes:
        findings: the C finding names.
        network: the sizes of the method's network, `size` among them.
        preprocessing: to pictures of that size.
        thresholds: (C,) operating points in [0, 1].
        limits: (C,) where the colour bar of each finding's map ends, above 0.
        kind: of the scans it was trained on, one of `KINDS`.
        change_limit: share of the grey range at which a colour bar of changes ends.

    Raises:
        ValueError: network and preprocessing are of different sizes.
    """

    findings: tuple[str, ...]
    network: Sizes
    preprocessing: Preprocessing
    thresholds: tuple[float, ...]
    limits: tuple[float, ...]
    kind: str = "unknown"
    change_limit: float = CHANGE_LIMIT

    def __post_init__(self):
        size = getattr(self.network, "size", None)
        if self.preprocessing.size != size:
            raise ValueError(f"pictures of {self.preprocessing.size} pixels for a network of {size}")

    @classmethod
    def of(cls, config: Mapping[str, Any], sizes: Callable[..., Sizes]) -> Self:
        """From config.json as `engine.configuration` checked it.

        Args:
            sizes: makes `network` of the numbers in the configuration.

        Raises:
            KeyError, TypeError, ValueError: a part is missing, or is not what it should be.
        """
        return cls(**cls.fields_of(config, sizes))

    @classmethod
    def fields_of(cls, config: Mapping[str, Any], sizes: Callable[..., Sizes]) -> dict[str, Any]:
        """The fields by name; a method's own configuration adds what it reads beside them."""
        findings = tuple(config["findings"])
        return {
            "findings": findings,
            "network": sizes(**config["network"]),
            "preprocessing": Preprocessing(**config["preprocessing"]),
            "thresholds": tuple(float(config["thresholds"][finding]) for finding in findings),
            "limits": tuple(float(config["scales"][finding]) for finding in findings),
            "kind": str(config.get("data", {}).get("kind", "unknown")),
            "change_limit": float(config.get("change_limit", CHANGE_LIMIT)),
        }
