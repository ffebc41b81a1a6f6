"""Several scans in one zip: a folder a study, a manifest, refusals by name that lose none of the others."""

import csv
import io
import json
import tracemalloc
import zipfile

import numpy as np
import pydicom
import pytest

from engine.export.several import MANIFEST, TABLE, NotExported, Wanted, export_several
from engine.queue import Withdrawn
from engine.review.cases import Case
from engine.review.measurements import ScanFacts, mask_of
from engine.scan import Scan
from tests.export import results
from tests.review.test_records import annotation

FORMS = ["sr", "csv", "json"]


def film(**elements):
    return results.opened(results.radiograph(**elements))


def wanted(number, study, scan, source=None, label="", make=None):
    return Wanted(
        number,
        study,
        label or f"Film {number}",
        scan.sha256,
        scan.kind,
        make or (lambda progress: results.result(scan, source)),
    )


def no_model(progress):
    raise NotExported("No model here takes it.")


def broken(progress):
    raise RuntimeError("a path /home/x and a name")


def several(wishes, forms=FORMS, **more):
    file = io.BytesIO()
    outcomes = export_several(file, wishes, forms, **more)
    archive = zipfile.ZipFile(io.BytesIO(file.getvalue()))
    assert archive.testzip() is None
    return outcomes, archive


def test_every_study_has_a_folder_and_every_scan_one_in_it():
    first, other = film(), film(SOPInstanceUID="1.2.826.0.1.5.4", InstanceNumber=2)
    picture = Scan.of(np.random.default_rng(2).integers(0, 256, (40, 50)), "unknown")
    outcomes, archive = several([wanted(1, 1, *first), wanted(2, 1, *other), wanted(3, 2, picture)])
    folders = {name.rsplit("/", 1)[0] for name in archive.namelist() if "/" in name}
    assert folders == {"study_001/scan_001", "study_001/scan_002", "study_002/scan_003"}
    assert [one.exported for one in outcomes] == [True] * 3
    reports = [pydicom.dcmread(io.BytesIO(archive.read(f"{folder}/report.dcm"))) for folder in sorted(folders)]
    assert reports[0].StudyInstanceUID == reports[1].StudyInstanceUID == results.UIDS["StudyInstanceUID"]
    assert reports[2].StudyInstanceUID != reports[0].StudyInstanceUID
    manifest = json.loads(archive.read(MANIFEST))
    rows = list(csv.DictReader(io.StringIO(archive.read(TABLE).decode())))
    assert manifest["forms"] == FORMS and manifest["notice"] == "Research use only, not for diagnosis"
    for outcome, told, row in zip(outcomes, manifest["scans"], rows, strict=True):
        inside = [name for name in archive.namelist() if name.startswith(outcome.folder + "/")]
        sizes = sum(archive.getinfo(name).file_size for name in inside)
        assert (told["files"], told["bytes"]) == (len(inside), sizes) == (int(row["files"]), int(row["bytes"]))
        assert told["folder"] == row["folder"] == outcome.folder and row["exported"] == "yes"
        assert told["positive"] == ["Effusion"] and told["checkpoint_identity"] == results.IDENTITY
        assert row["label"] == f"Film {outcome.number}" and row["scan_sha256"] == outcome.scan_sha256


def test_what_cannot_leave_is_refused_by_name_and_the_others_leave():
    scan, source = film()
    outcomes, archive = several(
        [
            wanted(1, 1, scan, source),
            wanted(2, 2, scan, label="=Left", make=no_model),
            wanted(3, 3, scan, make=broken),
            wanted(4, 4, scan, source),
        ]
    )
    assert [one.exported for one in outcomes] == [True, False, False, True]
    assert outcomes[1].reason == "No model here takes it." and "the log says more" in outcomes[2].reason
    assert "/home" not in archive.read(MANIFEST).decode()
    rows = list(csv.DictReader(io.StringIO(archive.read(TABLE).decode())))
    assert [(row["exported"], row["label"]) for row in rows[1:3]] == [("no", "'=Left"), ("no", "Film 3")]
    folders = {name.rsplit("/", 1)[0] for name in archive.namelist() if "/" in name}
    assert folders == {"study_001/scan_001", "study_004/scan_004"}


def test_a_scan_that_would_make_it_too_large_is_refused_and_a_smaller_one_still_leaves():
    scan, source = film()
    rng = np.random.default_rng(0)
    large = Scan.of(rng.integers(0, 60000, (700, 700)), "radiograph")
    wishes = [wanted(1, 1, scan, source), wanted(2, 2, large), wanted(3, 3, scan, source)]
    outcomes, archive = several(wishes, ["json", "csv"], most_bytes=400_000)
    assert [one.exported for one in outcomes] == [True, False, True]
    assert "larger than 0 MB" in outcomes[1].reason and archive.testzip() is None


@pytest.mark.parametrize("de_identified", [False, True])
def test_without_names_nothing_says_whose_the_scans_are(de_identified):
    scan, source = film()
    case = Case(
        scan.sha256, 1, annotations=(annotation(scan_sha256=scan.sha256, reader="Dr Rot"),), facts=ScanFacts.of(scan)
    )
    outcomes, archive = several(
        [wanted(1, 1, scan, source, label="Müller left")],
        ["csv", "json", "sr"],
        de_identified=de_identified,
        cases=[case],
    )
    everything = b"".join(archive.read(name) for name in archive.namelist())
    names = ("Müller", "Dr Rot", "MRN-4711")
    assert all((name.encode() in everything) != de_identified for name in names)
    assert ("drawings.csv" in archive.namelist()) != de_identified
    assert json.loads(archive.read(MANIFEST))["made"] is None or not de_identified
    assert outcomes[0].exported


def test_the_table_of_drawings_has_mean_and_deviation_of_the_pixels_inside():
    scan, source = film()
    box = annotation(scan_sha256=scan.sha256)
    gone = annotation(scan_sha256="cd" * 32)
    cases = [Case(one.scan_sha256, 1, annotations=(one,), facts=ScanFacts.of(scan)) for one in (box, gone)]
    _, archive = several([wanted(1, 1, scan, source)], cases=cases, pixels={scan.sha256: scan.pixels}.get)
    row, without = csv.DictReader(io.StringIO(archive.read("drawings.csv").decode()))
    inside = scan.pixels[mask_of(box, scan.pixels.shape)].astype(np.float64)
    assert float(row["mean"]) == pytest.approx(inside.mean(), abs=1e-5)
    assert float(row["deviation"]) == pytest.approx(inside.std(), abs=1e-5) and row["grey"] == "grey levels"
    assert without["mean"] == "" and float(without["area"]) == float(row["area"]), "its pixels are not at hand"


def test_progress_only_rises_and_ends_at_the_end():
    told = []
    scan, source = film()
    several(
        [wanted(1, 1, scan, source), wanted(2, 2, scan, make=no_model), wanted(3, 3, scan, source)],
        progress=lambda done, every: told.append((done, every)),
    )
    assert told == sorted(told) and told[0] == (0, 300) and told[-1] == (300, 300) and len(told) > 8


def test_a_job_that_nobody_wants_any_more_ends():
    scan, source = film()

    def stop(done, every):
        if done >= 100:
            raise Withdrawn

    with pytest.raises(Withdrawn):
        several([wanted(1, 1, scan, source), wanted(2, 2, scan, source)], progress=stop)


def test_memory_holds_the_zip_and_one_scan_and_not_all_of_them():
    scan = Scan.of(np.zeros((600, 600)), "radiograph")  # what is written of it packs to little

    def peak(count):
        tracemalloc.start()
        several([wanted(number, number, scan) for number in range(1, count + 1)], ["json", "sc"])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)  # imports
    assert peak(6) < 1.5 * peak(2)
