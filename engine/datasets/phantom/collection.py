"""A structural causal model of the frontal chest radiograph: labelled pictures whose true counterfactuals are known.

    noise -> illness -> findings, severities          illness, noise -> view position          noise -> sex
    sex, view position, noise -> build                build, findings, severities, noise -> density
    view position, noise -> exposure                  density, exposure, grain -> film         findings, noise -> marker
    -> film

Every patient has counter-based generators keyed by (seed, patient, topic), so patient 17 is the same whatever else is
drawn, and an intervention replays exactly the same noise. Findings are common effects of two latent illnesses (a
failing heart, an infection); no finding causes another, so removing one leaves the others, and the attributes, as they
are. Interventions commute.

What is simplified: one beam energy; thickness is drawn per organ instead of being projected from a volume; scatter does
not see findings; the film's tone does not react to what is on it; fluid lies as in an upright patient; ribs are a
periodic function of a bent coordinate; one picture a patient. The pictures resemble radiographs, but nothing measured
on them says how a method does in patients.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.datasets.collection import SPLITS, Collection
from engine.datasets.phantom.acquisition import (
    Exposure,
    beam_through,
    finish,
    mark_ink,
    quantum_noise,
    scattered,
    tubes,
)
from engine.datasets.phantom.anatomy import Chest, Part, ramp, resized
from engine.datasets.phantom.build import Build
from engine.datasets.phantom.findings import FINDINGS, Course, Opacities, draw_illness, textures
from engine.datasets.registry import register_collection

TOPICS = ("illness", "sex", "view", "build", "course", "texture", "vessels", "exposure", "grain", "tubes", "marker")
FINEST_BELOW = 128  # smaller pictures are drawn at this size and averaged down
SMALLEST, LARGEST = 32, 1024
MOST = 1_000_000  # patients; their numbers have six digits
KEPT_BYTES = 24 * 2**20


@dataclass(frozen=True)
class Marker:
    """A text burned into the film that goes along with a finding: a shortcut.

    Attributes:
        text: for example ``"CXR-ROOM1"``, ``"+"`` or ``"-"``.
        finding: the finding it goes along with.
        share_of_positives, share_of_negatives: how many of the films with and without `finding` carry it.
        place: (x, y) of the text's upper left corner, in film widths; a single sign lies on the body at, say, (0.3,
            0.875).
        height: of a capital letter, in film widths.
        grey: of the ink, 0 black to 255 white; on as dark a place (beside the body, say) black ink shows less.
    """

    text: str = "CXR-ROOM1"
    finding: str = "Cardiomegaly"
    share_of_positives: float = 0.5
    share_of_negatives: float = 0.0
    place: tuple[float, float] = (20 / 320, 280 / 320)
    height: float = 0.055
    grey: float = 0.0

    def __post_init__(self) -> None:
        if self.finding not in FINDINGS:
            raise ValueError(f"a marker goes along with one of {', '.join(FINDINGS)}; got {self.finding!r}")
        if not (0 <= self.share_of_positives <= 1 and 0 <= self.share_of_negatives <= 1):
            raise ValueError("a marker's shares must lie between 0 and 1")

    def ink(self, size: int) -> np.ndarray:
        """Coverage, (size, size) float32 from 0 to 1."""
        return _ink(self.text, self.place, self.height, size)


@lru_cache(maxsize=32)
def _ink(text: str, place: tuple[float, float], height: float, size: int) -> np.ndarray:
    ink = mark_ink(text, place, height, size)
    ink.flags.writeable = False
    return ink


def _markers(marker: Marker | Sequence[Marker] | str | None, share: int | None) -> tuple[Marker, ...]:
    if share is not None and not (isinstance(marker, str) and isinstance(share, int) and 0 <= share <= 100):
        raise ValueError(f"marker_share must be a whole number from 0 to 100 beside a marker's text, got {share!r}.")
    if isinstance(marker, str):
        if not marker.strip():
            raise ValueError("marker must be a text to burn into the films, for example marker=CXR-ROOM1.")
        if share is None:
            return (Marker(text=marker),)
        return (Marker(text=marker, share_of_positives=share / 100, share_of_negatives=share / 100),)
    return () if marker is None else (marker,) if isinstance(marker, Marker) else tuple(marker)


def _keep_memory() -> None:
    """Films come and go as many short-lived arrays. Once the C library has freed a block this large it no longer hands
    memory back after each, which would cost a fifth of the drawing.
    """
    np.empty(KEPT_BYTES, np.uint8)


def _lay(density: np.ndarray, part: Part | None, strength: float = 1.0) -> None:
    """Adds a part of the chest to the film's densities, in place."""
    if part is not None:
        where, thickness = part
        density[where] += np.float32(strength) * thickness


@register_collection(
    "phantom",
    title="drawn films",
    kind="radiograph",
    terms="Drawn by `engine/datasets/phantom/collection.py`; no patient. Apache-2.0, as this project.",
    needs_folder=False,
)
class Phantom(Collection):
    """`count` drawn patients, one film each.

    Args:
        count: how many, at most a million; patient i is the same for every count.
        seed: another seed, other patients.
        size: side of a film in pixels, 32 to 1024; the same patient looks the same at every size.
        marker: none, one, or several `Marker`, or the text of one that goes along with Cardiomegaly.
        marker_share: per cent of all films that carry the marker given as a text, whatever their findings; as `Marker`
            has it when not given.

    Attributes:
        severities: (N, 5) float32, 0 where absent, else 0.12 (barely visible) to 1 (obvious).
        marked: (N,) bool, whether the film carries any marker.
        attributes: ``sex`` ("F", "M"), ``view_position`` ("PA", "AP") and, where there are markers, ``marker``
            ("present", "absent").
    """

    findings: Sequence[str] = FINDINGS
    has_counterfactuals = True

    def __init__(
        self,
        count: int = 6000,
        seed: int = 1,
        size: int = 128,
        marker: Marker | Sequence[Marker] | str | None = None,
        marker_share: int | None = None,
    ):
        if not 1 <= count <= MOST:
            raise ValueError(f"count must be at least 1 and at most {MOST}, got {count}")
        self.seed, self.size = seed, self._checked(size)
        _keep_memory()
        self.markers = _markers(marker, marker_share)
        self.labels = np.zeros((count, len(FINDINGS)), np.float32)
        self.severities = np.zeros((count, len(FINDINGS)), np.float32)
        self._latent_severities = np.zeros((count, len(FINDINGS)), np.float32)
        self._marks = np.zeros((count, len(self.markers)), bool)
        sex, view = np.empty(count, "<U1"), np.empty(count, "<U2")
        for i in range(count):
            present, severity, illness = draw_illness(self._noise(i, "illness"))
            self.labels[i], self._latent_severities[i] = present, severity
            sex[i] = "F" if self._noise(i, "sex").random() < 0.47 else "M"
            view[i] = "AP" if self._noise(i, "view").standard_normal() + 0.6 * illness > 0.45 else "PA"
            if self.markers:
                chance = self._noise(i, "marker").random(len(self.markers))
                for j, mark in enumerate(self.markers):
                    has = present[FINDINGS.index(mark.finding)]
                    self._marks[i, j] = chance[j] < (mark.share_of_positives if has else mark.share_of_negatives)
        self.severities[:] = self.labels * self._latent_severities
        self.marked = self._marks.any(axis=1)
        self.patients = np.array([f"phantom-{seed}-{i:06d}" for i in range(count)])
        self.attributes = {"sex": sex, "view_position": view}
        if self.markers:
            self.attributes["marker"] = np.where(self.marked, "present", "absent")

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Film `index`, (size, size) float32 grey levels from 0 to 255, bright = dense."""
        return self.counterfactual(index, size)

    @property
    def description(self) -> str:
        """Seed and number of patients, and of every marker its text and who carries it."""
        shares = [
            f"marker {marker.text!r} on {100 * marker.share_of_positives:g} of 100 films with {marker.finding.lower()} "
            f"and on {100 * marker.share_of_negatives:g} of 100 without"
            for marker in self.markers
        ]
        return "; ".join([f"drawn films ({self.name}), patients of seed {self.seed}, {len(self)} in all", *shares])

    def counterfactual(
        self,
        index: int,
        size: int | None = None,
        *,
        without: Names[str] = (),
        with_: Names[str] = (),
        sex: str | None = None,
        view_position: str | None = None,
        marker: bool | None = None,
    ) -> np.ndarray:
        """The film of the same patient, from the same noise, had things been otherwise; (size, size) float32.

        Args:
            without: findings to take away; taking away one that is absent changes nothing.
            with_: findings to add, as severe and where this patient would have had them.
            sex: "F" or "M"; changes the build, not the findings.
            view_position: "PA" or "AP"; changes the build as projected and the exposure, not the findings.
            marker: with every marker of this collection (True), with none (False), or as it is (None).
        """
        self._check_findings(without)
        self._check_findings(with_)
        both = set(without) & set(with_)
        if both:
            raise ValueError(f"cannot both add and take away {', '.join(sorted(both))}")
        sex = sex or str(self.attributes["sex"][index])
        view = view_position or str(self.attributes["view_position"][index])
        if sex not in ("F", "M") or view not in ("PA", "AP"):
            raise ValueError(f"sex must be F or M and view_position PA or AP; got {sex!r}, {view!r}")
        severity = {
            finding: float(self._latent_severities[index, i])
            for i, finding in enumerate(FINDINGS)
            if finding not in without and (self.labels[index, i] or finding in with_)
        }
        size = self._checked(size or self.size)
        picture = resized(self._film(index, max(size, FINEST_BELOW), severity, sex, view), size)
        marks = self._marks[index] if marker is None else np.full(len(self.markers), marker)
        for mark, burned in zip(self.markers, marks):
            if burned:
                ink = mark.ink(size)
                picture = picture * (1 - ink) + np.float32(mark.grey) * ink
        return picture

    def with_markers(self, index: int, size: int | None, present: bool) -> np.ndarray:
        return self.counterfactual(index, size, marker=present)

    def pictures(self, indices: Iterable[int], size: int | None = None) -> np.ndarray:
        """(n, size, size) float32, one film for each index."""
        return np.stack([self.image(int(i), size) for i in indices])

    def lesion(self, index: int, finding: str, size: int | None = None) -> np.ndarray:
        """Where `finding` is, (size, size) bool over the whole film; all False in a patient without it.

        For Cardiomegaly the whole heart.
        """
        self._check_findings((finding,))
        size = self._checked(size or self.size)
        severity = float(self.severities[index, FINDINGS.index(finding)])
        if not severity:
            return np.zeros((size, size), bool)
        fine = max(size, FINEST_BELOW)
        chest, course, texture = self._body(index, fine, {finding: severity})
        if finding == "Cardiomegaly":
            where = ramp(chest.heart, 0.05) * ramp(chest.floor + 0.03, 0.02)
        else:
            opacity = Opacities(chest, course, texture).of(finding, severity)
            inside = ramp(chest.cage, 0.012) * ramp(chest.a - 0.02, 0.02) if finding == "Effusion" else chest.lung
            if finding == "Effusion":
                inside = inside * ramp(chest.floor + 0.10, 0.02)
            where = opacity * inside
            where = where / max(float(where.max()), 1e-6) * 1.6
            if finding == "Atelectasis":
                where = np.maximum(
                    where, (Chest(chest.build, fine).lung - chest.lung) * 1.6
                )  # where the diaphragm was pulled up
        return resized(where, size) > 0.5

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the films whose lesion of `finding` is known: all that have it."""
        self._check_findings((finding,))
        return np.flatnonzero(self.severities[:, FINDINGS.index(finding)])

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        return self.lesion(index, finding, size) if self.severities[index, FINDINGS.index(finding)] else None

    def marker_mask(self, index: int | None, size: int | None = None) -> np.ndarray:
        """Where markers are burned into film `index`, or with None where they would be; (size, size) bool."""
        size = self._checked(size or self.size)
        mask = np.zeros((size, size), bool)
        for j, mark in enumerate(self.markers):
            if index is None or self._marks[index, j]:
                mask |= mark.ink(size) > 0.1
        return mask

    def split(self, name: str) -> np.ndarray:
        """70 % train, 10 % validation, 20 % test by the last digit of the patient's number, so a larger count keeps
        everyone's part.
        """
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {name!r}")
        index = np.arange(len(self))
        part = {"train": index % 10 < 7, "validation": index % 10 == 7, "test": index % 10 > 7, "all": index >= 0}
        return np.flatnonzero(part[name])

    def _noise(self, index: int, topic: str) -> np.random.Generator:
        counter = np.array([0, 0, 0, TOPICS.index(topic)], np.uint64)
        return np.random.Generator(np.random.Philox(key=np.array([self.seed, index], np.uint64), counter=counter))

    def _body(self, index: int, size: int, severity: dict[str, float], sex: str | None = None, view: str | None = None):
        sex = sex or str(self.attributes["sex"][index])
        view = view or str(self.attributes["view_position"][index])
        build = Build.draw(self._noise(index, "build"), sex, view)
        course = Course.draw(self._noise(index, "course"))
        growth = course.heart_growth(severity.get("Cardiomegaly", 0.0))
        chest = Chest(build, size, growth, course.raised(severity.get("Atelectasis", 0.0)))
        return chest, course, textures(self._noise(index, "texture"), size)

    def _film(self, index: int, size: int, severity: dict[str, float], sex: str, view: str) -> np.ndarray:
        chest, course, texture = self._body(index, size, severity, sex, view)
        exposure = Exposure.draw(self._noise(index, "exposure"), view)
        build = chest.build
        opacities = Opacities(chest, course, texture)
        clear = np.ones_like(chest.u)  # share of the air that is left
        fluid = 0.0
        for finding in FINDINGS:
            if finding in severity and finding != "Cardiomegaly":
                opacity = opacities.of(finding, severity[finding])
                clear = clear * (1 - opacity)
                fluid = opacity if finding == "Effusion" else fluid
        trunk = chest.trunk()
        vessels = chest.vessel_tree(self._noise(index, "vessels"))
        air = chest.air * (1 - 0.05 * texture["fine"] - 0.05 * texture["patchy"])
        density = trunk.copy()
        for part in (chest.breasts(), chest.stomach()):
            _lay(density, part)
        density = density - air * clear
        density = density + chest.lung * vessels * np.float32(0.17 * build.vessels) * (0.3 + 0.7 * clear)
        density = density + chest.lung * fluid * np.float32(0.20)  # as dense as the belly: the diaphragm cannot be told
        density = density + chest.heart_shadow()
        for part, strength in (
            (chest.centre_line(), 1.0),
            (chest.ribs(), build.rib_strength),
            (chest.clavicles(), 0.15),
            (chest.shoulder_bones(), 1.0),
        ):
            _lay(density, part, strength)
        wires = tubes(exposure, chest, self._noise(index, "tubes"))
        if wires is not None:
            density = density + wires
        density = density * ramp(trunk - 0.02, 0.06)
        grain = quantum_noise(self._noise(index, "grain"), size)
        return finish(beam_through(density, scattered(trunk, exposure), exposure, grain), exposure)

    @staticmethod
    def _checked(size: int) -> int:
        if not SMALLEST <= size <= LARGEST:
            raise ValueError(f"size must lie between {SMALLEST} and {LARGEST} pixels, got {size}")
        return int(size)

    @staticmethod
    def _check_findings(names: Names[str]) -> None:
        unknown = [n for n in names if n not in FINDINGS]
        if isinstance(names, str) or unknown:
            raise ValueError(f"findings must be a collection of names out of {', '.join(FINDINGS)}; got {names!r}")
