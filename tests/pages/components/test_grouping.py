"""Scans stand under their patient and study by number; nothing of a patient is said."""

import json

from pages.components import scan_list
from pages.components.grouping import places
from pages.components.shelf import Entry, OpenScan, Shelf
from tests.export import results


def entry(number, drop=1, **elements):
    scan, source = results.opened(results.radiograph(**elements))
    made = Entry(f"scan {number}", f"Radiograph {number}", drop=drop, source=source)
    made.open(OpenScan(made.name, scan))
    made.done.set()
    return made


def test_patients_studies_and_series_are_counted_in_the_order_of_opening():
    entries = [
        entry(1),
        entry(2, SeriesInstanceUID="1.2.9"),
        entry(3, StudyInstanceUID="1.2.8", SeriesInstanceUID="1.2.7"),
        entry(4, PatientID="OTHER", StudyInstanceUID="1.2.6"),
        entry(5, PatientID="", StudyInstanceUID="1.2.5"),
        entry(6, PatientID="", StudyInstanceUID="1.2.4"),
    ]
    found = places(entries)
    assert [(found[e.id].patient, found[e.id].study, found[e.id].series) for e in entries] == [
        (1, 1, 1),
        (1, 1, 2),
        (1, 2, 1),
        (2, 1, 1),
        (3, 1, 1),
        (4, 1, 1),
    ], "without an identity nobody knows that two studies are of one patient"
    assert found["scan 3"].group == "Patient 1, study 2"


def test_the_studies_of_a_patient_are_ordered_by_date_and_no_date_is_told():
    dates = ("20010101", "", "20030101", "20020101")
    entries = [entry(n, StudyInstanceUID=f"1.2.{n}", StudyDate=date) for n, date in enumerate(dates)]
    found = places(entries)
    assert [found[e.id].age for e in entries] == [2, 3, 0, 1]
    shelf = Shelf(None)
    for one in entries:
        shelf.add(one)
    assert not [date for date in dates if date and date in json.dumps(scan_list.described(shelf))]


def test_what_came_without_a_study_stands_under_its_drop():
    plain, drawn = Entry("a", "A", drop=3), Entry("b", "B")
    found = places([plain, drawn])
    assert found["a"].group == "Drop 3, without a study" and found["b"].group == "Drawn pictures and samples"


def test_the_list_says_nothing_of_a_patient():
    shelf = Shelf(None)
    shelf.add(entry(1))
    said = json.dumps(scan_list.described(shelf), ensure_ascii=False)
    assert '"Patient 1, study 1"' in said
    assert not [word for word in (*results.NAMES, *results.UIDS.values()) if word in said]
