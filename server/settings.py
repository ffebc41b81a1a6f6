"""What may be set from outside, by environment variables; README lists them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

MEGABYTE = 1_000_000
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?")


class BadSetting(ValueError):
    """An environment variable that holds what it cannot; the message is a sentence for whoever starts the app."""


@dataclass(frozen=True)
class Settings:
    """Attributes:
    allowed_hosts: names under which the app may be asked for, beside 127.0.0.1 and localhost on its own port;
        'name' for any port, or 'name:port'.
    retention_minutes: how long open scans outlive their last page; 0 keeps nothing.
    scans_megabytes: memory for the scans of all readers together.
    upload_megabytes: of files on their way into one session; the whole host takes twice that.
    """

    allowed_hosts: tuple[str, ...] = ()
    retention_minutes: float = 60.0
    scans_megabytes: float = 3000.0
    upload_megabytes: float = 1000.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Raises BadSetting, which names the variable."""
        hosts = tuple(
            filter(None, (name.strip().lower() for name in environment.get("OTHERWISE_ALLOWED_HOSTS", "").split(",")))
        )
        for name in hosts:
            if not HOST.fullmatch(name):
                raise BadSetting(
                    "OTHERWISE_ALLOWED_HOSTS holds host names, as in reading-room.example.org, with commas between, "
                    f"got {name!r}."
                )
        return cls(
            hosts,
            _number(environment, "OTHERWISE_RETENTION_MINUTES", cls.retention_minutes, 0),
            _number(environment, "OTHERWISE_SCANS_MB", cls.scans_megabytes, 100),
            _number(environment, "OTHERWISE_UPLOAD_MB", cls.upload_megabytes, 1),
        )


def _number(environment: Mapping[str, str], name: str, default: float, least: float) -> float:
    words = environment.get(name, "").strip()
    try:
        value = float(words) if words else default
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least):
        raise BadSetting(f"{name} must be a number from {least:g} up, got {words!r}.")
    return value
