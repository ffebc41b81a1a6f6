"""Which of the open scans is the prior of another."""

from __future__ import annotations

import numpy as np
import pytest

from engine.scan import Scan
from engine.scan.source import SourceRecord, SourceSlice, is_prior
from pages.components import open_scans, priors
from pages.components.shelf import Entry, OpenScan
from server import sessions


def record(patient="P1", date="20200101", time="", issuer=""):
    said = {"PatientID": patient, "StudyDate": date, "StudyTime": time, "IssuerOfPatientID": issuer}
    return SourceRecord((SourceSlice({name: [word] for name, word in said.items() if word}),))


@pytest.mark.parametrize(
    ("earlier", "current", "is_one"),
    [
        (record(date="20190101"), record(), True),
        (record(time="0900"), record(time="1100"), True),
        (record(), record(), False),
        (record(date="20210101"), record(), False),
        (record("P2", "20190101"), record(), False),
        (record(date="20190101", issuer="A"), record(issuer="B"), False),
        (record("", "20190101"), record(""), False),
        (record(date=""), record(), False),
        (record(date="unknown!"), record(), False),
        (None, record(), False),
        (record(), None, False),
    ],
)
def test_a_prior_is_an_earlier_study_of_the_same_patient(earlier, current, is_one):
    assert is_prior(earlier, current) == is_one


def entry(source, kind="radiograph", view="PA", value=0.0, slices=0, part="CHEST"):
    made = Entry(f"e{value}", f"Radiograph {value:.0f}")
    pixels = np.full((slices, 20, 16) if slices else (20, 16), value, np.float32)
    pixels[..., 3, 3] += 1
    tags = {"ViewPosition": view, "BodyPartExamined": part}
    made.open(OpenScan(made.name, Scan.of(pixels, kind, tags=tags)))
    made.source = source
    return made


@pytest.fixture
def shelf(monkeypatch):
    entries = {}
    monkeypatch.setattr(open_scans, "scans", lambda: entries)
    kept = {}
    monkeypatch.setattr(sessions, "belongings", lambda: kept)

    def put(*made):
        entries.update({one.id: one for one in made})
        return made[0].opened()

    return put


def test_the_latest_earlier_film_of_the_same_view_is_shown_on_the_grid_of_the_current_one(shelf):
    current = shelf(
        entry(record(), value=1),
        entry(record(date="20180101"), value=2),
        entry(record(date="20190101"), value=3),
        entry(record(date="20191201"), value=4, view="LL"),
        entry(record(date="20191202"), value=5, kind="CT"),
        entry(record("P2", "20191202"), value=6),
        entry(record(date="20191203"), value=7, slices=3),
        entry(record(date="20191204"), value=8, part="TIBIA"),
        entry(None, value=9),
    )
    view = priors.prior_view(current)
    assert view.title == "Prior: Radiograph 3" and view.pixels.shape == (20, 16) and view.pixels[0, 0] == 3
    assert "neither says its millimetres" in view.note
    assert priors.prior_view(current) is view, "sent once"


def test_a_scan_without_a_study_or_with_slices_has_none(shelf):
    assert priors.prior_of(shelf(entry(None, value=1), entry(record(date="20190101"), value=2))) is None
    volume = shelf(entry(record(), value=3, slices=3), entry(record(date="20190101"), value=4))
    assert priors.prior_of(volume) is None


def test_a_volume_has_earlier_volumes_to_choose_from(shelf):
    volume = shelf(entry(record(), value=3, slices=3), entry(record(date="20190101"), value=4, slices=5))
    assert [one.title for one in priors.priors_of(volume)] == ["Radiograph 4"]


@pytest.mark.parametrize(
    ("other", "relation", "caution"),
    [
        (record(date="20191231"), "same patient, 1 day earlier", ""),
        (record(date="20190101"), "same patient, 12 months earlier", ""),
        (record(date="20150101"), "same patient, 5 years earlier", ""),
        (record(date="20191210"), "same patient, 3 weeks earlier", ""),
        (record(date="20200110"), "same patient, 9 days later", "one patient, but nothing says"),
        (record(), "same patient, same day", "one patient, but nothing says"),
        (record(date=""), "same patient, date not known", "one patient, but nothing says"),
        (record(date="20201399"), "same patient, date not known", "one patient, but nothing says"),
        (record("P2", "20190101"), "another patient", "of two patients"),
        (record("", "20190101"), "patient not known", "Nothing says that these are of one patient"),
        (record(date="20190101", issuer="A"), "patient not known", "Nothing says that these are of one patient"),
        (record("P2", issuer="A"), "patient not known", "Nothing says that these are of one patient"),
        (None, "patient not known", "Nothing says that these are of one patient"),
    ],
)
def test_what_is_no_prior_is_said_to_be_none_and_no_date_is_named(shelf, other, relation, caution):
    another = entry(other, value=2)
    current = shelf(entry(record(), value=1), another)
    assert priors.relation(current, another) == relation
    assert caution in priors.caution(current, another) and bool(caution) == bool(priors.caution(current, another))
