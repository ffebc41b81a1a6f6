"""Hanging protocols: how a scan is laid out when it is opened. One entry of PROTOCOLS is one protocol.

A scan opens by the first protocol that fits it; the viewer's menu Layout offers every other that fits. All panels of a
view are linked, in millimetres where the scans say them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.scan import KINDS, Scan

PANELS = ("scan", "evidence", "without", "difference", "truth", "true-difference", "prior")
PROJECTIONS = ("maximum", "mean", "minimum")


@dataclass(frozen=True)
class HangingProtocol:
    """What it fits, and how such a scan is laid out.

    Attributes:
        name: in the menu; no other protocol has it.
        kinds: of scan that it fits, of `engine.scan.KINDS`; empty for all.
        parts: what BodyPartExamined holds, any of them; empty for any, also where the file does not say it.
        views: what ViewPosition is, any of them; empty for any, also where the file does not say it.
        volume: whether it fits volumes only, or single pictures only; None for both.
        prior: it fits a scan of whose patient an earlier one of the same kind is open.
        panels: of PANELS, in their order, without those that a model does not offer; empty for all that it offers.
        columns: of the grid of panels; 0 for those that make the pictures largest.
        planes: three planes of a volume, side by side.
        slab: (projection, millimetres) of a volume, or None.
        window: name of a window preset; "" for the window that the file asks for.
        overlay: whether evidence is shown over the scan.
    """

    name: str
    kinds: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    volume: bool | None = None
    prior: bool = False
    panels: tuple[str, ...] = ()
    columns: int = 0
    planes: bool = False
    slab: tuple[str, float] | None = None
    window: str = ""
    overlay: bool = True

    def __post_init__(self):
        if not self.name:
            raise ValueError("a hanging protocol needs a name")
        for what, given, known in (("kinds", self.kinds, KINDS), ("panels", self.panels, PANELS)):
            if unknown := set(given) - set(known):
                raise ValueError(f"{what} of {self.name!r} must be of {', '.join(known)}, got {sorted(unknown)}")
        if len(set(self.panels)) != len(self.panels):
            raise ValueError(f"panels of {self.name!r} stand once each, got {self.panels}")
        if (self.planes or self.slab is not None) and self.volume is not True:
            raise ValueError(f"{self.name!r} has planes or a slab, so it must be for volumes: volume=True")
        if ("prior" in self.panels) != self.prior or (self.prior and self.volume is not False):
            raise ValueError(f"{self.name!r} must have a prior and its panel, or neither, for single pictures only")
        if self.slab is not None and (self.slab[0] not in PROJECTIONS or not 2 <= self.slab[1] <= 60):
            raise ValueError(f"slab of {self.name!r} must be (one of {PROJECTIONS}, 2 to 60 mm), got {self.slab}")
        if not 0 <= self.columns <= 6:
            raise ValueError(f"columns of {self.name!r} must be 0 to 6, got {self.columns}")

    def fits(self, scan: Scan, prior: bool = False) -> bool:
        """Whether it is for such a scan.

        Args:
            prior: an earlier scan of the same patient and kind is open.
        """
        part = scan.tags.get("BodyPartExamined", "").upper()
        return (
            (not self.kinds or scan.kind in self.kinds)
            and (not self.parts or any(known in part for known in self.parts))
            and (not self.views or scan.tags.get("ViewPosition", "").upper() in self.views)
            and (self.volume is None or self.volume == (scan.pixels.ndim == 3))
            and (prior or not self.prior)
        )


HEAD, CHEST = ("HEAD", "BRAIN", "SKULL"), ("CHEST", "THORAX", "LUNG")
WITH_PRIOR = ("prior", "scan", "without", "difference")
PROTOCOLS = (
    HangingProtocol("Prior and current", ("radiograph", "mammogram"), volume=False, prior=True, panels=WITH_PRIOR),
    HangingProtocol("Chest film", ("radiograph",), CHEST, volume=False),
    HangingProtocol("Film", ("radiograph",)),
    HangingProtocol("Mammogram", ("mammogram",)),
    HangingProtocol("Mammogram, one row", ("mammogram",), volume=False, panels=PANELS[:4], columns=4),
    HangingProtocol("CT head", ("CT",), HEAD, volume=True, window="Brain"),
    HangingProtocol("CT head, planes", ("CT",), HEAD, volume=True, planes=True, window="Brain"),
    HangingProtocol("CT chest", ("CT",), CHEST, volume=True, window="Lung"),
    HangingProtocol("CT chest, soft tissue", ("CT",), CHEST, volume=True, window="Soft tissue"),
    HangingProtocol("CT chest, planes", ("CT",), CHEST, volume=True, planes=True, window="Lung"),
    HangingProtocol("CT chest, MIP", ("CT",), CHEST, volume=True, slab=("maximum", 10.0), window="Lung"),
    HangingProtocol("CT", ("CT",)),
    HangingProtocol("MR", ("MR",)),
    HangingProtocol("Ultrasound", ("ultrasound",)),
    HangingProtocol("All panels", ("unknown",)),
    HangingProtocol("Planes", ("CT", "MR", "unknown"), volume=True, planes=True),
    HangingProtocol("Evidence only", panels=("evidence",)),
    HangingProtocol("Scan only", panels=("scan",)),
)


def fitting(scan: Scan, prior: bool = False, protocols: Sequence[HangingProtocol] = PROTOCOLS) -> list[HangingProtocol]:
    """The protocols that fit a scan, the one that it opens by first.

    Of several that lay a scan out alike only the first is offered: a chest film needs no second entry for films.
    """
    found: list[HangingProtocol] = []
    for protocol in protocols:
        if protocol.fits(scan, prior) and not any(_alike(protocol, one) for one in found):
            found.append(protocol)
    return found


def _layout(one: HangingProtocol) -> tuple:
    return one.panels, one.columns, one.planes, one.slab, one.window, one.overlay


def _alike(one: HangingProtocol, other: HangingProtocol) -> bool:
    return _layout(one) == _layout(other)


def kind_of(scan: Scan) -> str:
    """What a reader's choice is remembered for: 'CT CHEST volume'."""
    part = scan.tags.get("BodyPartExamined", "").upper()
    return " ".join(filter(None, (scan.kind, part, "volume" if scan.pixels.ndim == 3 else "picture")))


def layout_header(protocols: Sequence[HangingProtocol], presets: Sequence) -> list[dict]:
    """The entries of a view's header.

    Args:
        presets: (name, centre, width) of each window preset of the view; a name that is not there is no window.
    """
    windows = {name: [float(centre), float(width)] for name, centre, width in presets}
    return [
        {
            "name": one.name,
            "panels": list(one.panels),
            "columns": one.columns,
            "planes": one.planes,
            "slab": None if one.slab is None else [one.slab[0], float(one.slab[1])],
            "window": windows.get(one.window),
            "overlay": one.overlay,
        }
        for one in protocols
    ]
