"""What readers drew leaves without a model: COCO that gives back the pixels, CSV with what is measured."""

import csv
import io
import json

import numpy as np
import pytest
from skimage.draw import polygon2mask

from engine.export.drawings import COLUMNS, cases_coco, cases_csv
from engine.review.cases import Case
from engine.review.measurements import ScanFacts, mask_of
from engine.review.records import UnusableRecord
from engine.review.store import Store
from tests.review.test_records import POINTS, annotation

FILM, VOLUME = "ab" * 32, "12" * 32


def cases():
    film = tuple(annotation(kind, label="Mass" if kind == "polygon" else "") for kind in POINTS)
    ct = (annotation("box", scan_sha256=VOLUME, slice=3), annotation("box", scan_sha256=VOLUME, slice=2, axis=1))
    return (
        Case(FILM, 2, annotations=film, facts=ScanFacts((40, 60), "mammogram", (0.1, 0.2), "detector")),
        Case(VOLUME, 1, annotations=ct, facts=ScanFacts((30, 40, 60), "CT", (2.0, 0.5, 0.5))),
    )


def covered(segmentation, shape):
    """The pixels of a segmentation, decoded as COCO says."""
    if isinstance(segmentation, list):
        corners = np.array(segmentation[0]).reshape(-1, 2)[:, ::-1]
        return polygon2mask(shape, corners - 0.5)
    counts = segmentation["counts"]
    flat = np.repeat(np.arange(len(counts)) % 2, counts)
    return flat.reshape(segmentation["size"], order="F").astype(bool)


def test_coco_gives_back_what_was_drawn():
    film, ct = cases()
    coco = json.loads(cases_coco([film, ct]))
    assert [image["file_name"] for image in coco["images"]] == [f"{FILM}.png", f"{VOLUME}_0003.png"]
    assert [(image["height"], image["width"]) for image in coco["images"]] == [(40, 60), (40, 60)]
    names = {category["id"]: category["name"] for category in coco["categories"]}
    regions = [one for one in film.annotations if one.encloses]
    assert len(coco["annotations"]) == len(regions) + 1, "what lies across the slices, and lengths, have no image"
    for one, entry in zip(regions, coco["annotations"]):
        assert names[entry["category_id"]] == (one.label or one.kind) and entry["author"] == "R. One"
        mask = mask_of(one, (40, 60))
        assert np.logical_xor(covered(entry["segmentation"], (40, 60)), mask).sum() <= 0.15 * mask.sum()
        left, top, width, height = entry["bbox"]
        rows, columns = np.nonzero(mask)
        assert top <= rows.min() + 1 and rows.max() <= top + height and left <= columns.min() + 1
        assert columns.max() <= left + width


def test_csv_has_a_line_for_everything_with_what_is_measured():
    film, ct = cases()
    rng = np.random.default_rng(0)
    pixels = {VOLUME: rng.normal(size=(30, 40, 60)).astype(np.float32)}
    rows = list(csv.DictReader(io.StringIO(cases_csv([film, ct], pixels.get))))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(POINTS) + 2
    by_kind = {row["kind"]: row for row in rows if row["scan_sha256"] == FILM}
    length = by_kind["length"]
    assert float(length["length"]) == pytest.approx(np.hypot(0.2, 0.4), abs=1e-6)
    assert (length["unit"], length["at"], length["area"], length["mean"]) == ("mm", "detector", "", "")
    assert float(by_kind["box"]["area"]) == pytest.approx(8.5 * 18.25 * 0.02, abs=1e-6)
    boxed = next(row for row in rows if row["axis"] == "0" and row["scan_sha256"] == VOLUME)
    inside = pixels[VOLUME][3][mask_of(ct.annotations[0], (40, 60))]
    assert float(boxed["mean"]) == pytest.approx(inside.mean(), abs=1e-5) and boxed["grey"] == "HU"


def test_words_are_never_taken_for_a_formula():
    case = Case(FILM, 1, annotations=(annotation(label="=1+1", comment="@x"),), facts=None)
    (row,) = csv.DictReader(io.StringIO(cases_csv([case])))
    assert row["label"] == "'=1+1" and row["comment"] == "'@x"


def test_a_scan_of_unknown_size_is_said():
    with pytest.raises(UnusableRecord, match="How large"):
        cases_coco([Case(FILM, 1, annotations=(annotation(),))])


def test_the_command_writes_both(tmp_path, engine, monkeypatch):
    monkeypatch.setenv("OTHERWISE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("OTHERWISE_DATABASE", raising=False)
    (tmp_path / "data").mkdir()
    store = Store(f"sqlite:///{tmp_path / 'data' / 'review.sqlite'}")
    for case in cases():
        store.save(case.scan_sha256, case.annotations, base=0, reader="A", facts=case.facts)
    store.close()
    code, _, err = engine("review", "export")
    assert code == 1 and "--out" in err and err.count("\n") == 1
    code, out, err = engine("review", "export", "--out", tmp_path / "out", "--json", tmp_path / "rows.json")
    assert code == 0 and "2 cases" in out, err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["drawings.coco.json", "drawings.csv"]
    assert len(json.loads((tmp_path / "rows.json").read_text())["rows"]) == 2
