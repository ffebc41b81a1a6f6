"""Which open scans are of one patient, one study and one series, in numbers: nothing of a patient is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.scan.source import when
from pages.components.shelf import Entry


@dataclass(frozen=True)
class Place:
    """Where a scan belongs among those that are open; numbers count from 1 in the order of opening.

    Attributes:
        patient, study, series: 0 for a scan that came without a study. Studies are counted in their patient, series in
            their study.
        age: place of its study among the patient's, from 0 for the newest; those without a date come last.
        drop: which drop or choice of files it came with; 0 for a drawn picture and the sample.
    """

    patient: int = 0
    study: int = 0
    series: int = 0
    age: int = 0
    drop: int = 0

    @property
    def group(self) -> str:
        """What it stands under in the worklist."""
        if self.patient:
            return f"Patient {self.patient}, study {self.study}"
        return f"Drop {self.drop}, without a study" if self.drop else "Drawn pictures and samples"


def places(entries: Iterable[Entry]) -> dict[str, Place]:
    """The place of each entry, by its id."""
    patients: dict[tuple, int] = {}
    studies: dict[int, dict[str, int]] = {}
    series: dict[tuple[int, int], dict[str, int]] = {}
    found: dict[str, Place] = {}
    dates: dict[int, dict[int, tuple[str, str]]] = {}
    for entry in entries:
        if entry.source is None:
            found[entry.id] = Place(drop=entry.drop)
            continue
        first = entry.source.first
        uid = first.text("StudyInstanceUID")
        known = first.text("PatientID"), first.text("IssuerOfPatientID")
        who = known if known[0] else ("", uid)  # without an identity nobody knows whose another study is
        patient = patients.setdefault(who, len(patients) + 1)
        of_patient = studies.setdefault(patient, {})
        study = of_patient.setdefault(uid, len(of_patient) + 1)
        of_study = series.setdefault((patient, study), {})
        number = of_study.setdefault(first.text("SeriesInstanceUID"), len(of_study) + 1)
        of_dates = dates.setdefault(patient, {})
        of_dates[study] = max(of_dates.get(study, ("", "")), when(entry.source))
        found[entry.id] = Place(patient, study, number, drop=entry.drop)
    ages = {
        patient: sorted(of_dates, key=lambda study: of_dates[study], reverse=True)
        for patient, of_dates in dates.items()
    }
    return {
        key: replace(place, age=ages[place.patient].index(place.study)) if place.patient else place
        for key, place in found.items()
    }
