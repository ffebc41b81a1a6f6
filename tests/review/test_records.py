"""Records of a review are checked where they are made, and come back from JSON as they were."""

import json

import pytest

from engine.review.records import (
    Annotation,
    Measurement,
    Opinion,
    Reading,
    UnusableRecord,
    checked_reader,
    from_json,
    new_id,
    now,
    to_json,
)

SCAN, MODEL = "ab" * 32, "cd" * 32
POINTS = {
    "box": ((1.5, 2), (10, 20.25)),
    "area": ((1, 2), (10, 20)),
    "length": ((1, 2), (3, 4)),
    "angle": ((1, 2), (3, 4), (5, 9)),
    "polygon": ((1, 2), (3, 4), (5, 9)),
    "freehand": ((1, 2), (3, 4), (5, 9), (7, 7)),
    "brush": (),
}


def annotation(kind="box", **more):
    runs = {"runs": ((3, 4, 5), (3, 10, 1), (4, 4, 2))} if kind == "brush" else {}
    values = {"id": new_id(), "scan_sha256": SCAN, "points": POINTS.get(kind, ()), "reader": "R. One", "created": now()}
    return Annotation(kind=kind, **{**values, **runs, **more})


def reading(**more):
    values = {"id": new_id(), "scan_sha256": SCAN, "reader": "R. One", "finding": "Effusion", "confidence": 0.8}
    return Reading(**{**values, "stage": "before", "created": now(), **more})


def opinion(**more):
    values = {"id": new_id(), "scan_sha256": SCAN, "reader": "R. One", "checkpoint_identity": MODEL, "agrees": True}
    return Opinion(**{**values, "finding": "Mass", "created": now(), "probability": 0.7, "threshold": 0.5, **more})


@pytest.mark.parametrize(
    "record",
    [annotation(kind) for kind in POINTS]
    + [
        annotation(slice=7, axis=2, label="Mass", comment="two\nlines", revision=3, state="accepted"),
        reading(),
        reading(stage="after", aids=("words", "pictures"), checkpoint_identity=MODEL, probability=0.2, threshold=0.4),
        opinion(agrees=False, reason="A rib."),
    ],
    ids=lambda record: type(record).__name__ + getattr(record, "kind", ""),
)
def test_a_record_comes_back_from_json_as_it_was(record):
    assert from_json(type(record), json.loads(json.dumps(to_json(record)))) == record


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "circle", "points": POINTS["box"]},
        {"points": ((5, 5), (1, 9))},
        {"points": ((1, 2),)},
        {"points": ((1, 2), (float("nan"), 4))},
        {"points": ((1, 2), (3e9, 4))},
        {"points": "ab"},
        {"points": ((1, 2, 3), (4, 5, 6))},
        {"runs": ((1, 1, 1),)},
        {"kind": "brush", "runs": ()},
        {"kind": "brush", "runs": ((3, 4, 5), (3, 9, 1))},
        {"kind": "brush", "runs": ((3, 4, 5), (2, 9, 1))},
        {"kind": "brush", "runs": ((3, -1, 5),)},
        {"kind": "brush", "runs": ((3, 1.5, 5),)},
        {"slice": -1},
        {"slice": True},
        {"axis": 3, "slice": 1},
        {"axis": 1},
        {"label": "x" * 201},
        {"comment": "a\x00b"},
        {"reader": " "},
        {"reader": "x" * 81},
        {"revision": 0},
        {"state": "lost"},
        {"id": "1"},
        {"scan_sha256": "chest.dcm"},
        {"created": "yesterday"},
    ],
    ids=repr,
)
def test_a_field_that_is_not_as_described_is_refused_in_one_sentence(wrong):
    with pytest.raises(UnusableRecord) as refused:
        annotation(**({"points": ()} if wrong.get("kind") == "brush" else {}) | wrong)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_json_with_fields_that_nobody_knows_or_without_those_needed_is_refused():
    whole = to_json(annotation())
    for data in ({**whole, "patient": "X"}, {name: whole[name] for name in whole if name != "reader"}, [whole], None):
        with pytest.raises(UnusableRecord):
            from_json(Annotation, data)


def test_a_reading_that_was_kept_before_it_was_asked_who_had_seen_the_model_stays_readable():
    kept = to_json(reading())
    del kept["saw_model"]
    assert from_json(Reading, kept).saw_model is False


def test_a_call_is_present_above_one_half_and_the_models_above_its_operating_point():
    assert not reading(confidence=0.5).present and reading(confidence=0.51).present
    assert reading().model_present is None
    answered = {"checkpoint_identity": MODEL, "stage": "after"}
    assert reading(probability=0.31, threshold=0.3, **answered).model_present is True
    assert reading(probability=0.3, threshold=0.3, **answered).model_present is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence": 1.1},
        {"stage": "during"},
        {"aids": ("words",)},
        {"probability": 0.5},
        {"region": "here"},
        {"saw_model": "no"},
    ],
    ids=repr,
)
def test_a_reading_that_cannot_be_is_refused(wrong):
    with pytest.raises(UnusableRecord):
        reading(**wrong)


def test_whoever_disagrees_says_why():
    with pytest.raises(UnusableRecord, match="why"):
        opinion(agrees=False, reason="  ")


def test_a_readers_name_loses_the_blanks_around_it_and_is_refused_when_nothing_is_left():
    assert checked_reader("  Dr.  A.\tB ") == "Dr. A. B"
    for name in ("", "  ", "x" * 81, "a\x07", None):
        with pytest.raises(UnusableRecord):
            checked_reader(name)


def test_a_measurement_says_where_its_millimetres_hold():
    assert Measurement("length", 12.34, "mm", "detector").words() == "12.34 mm at the detector"
    assert Measurement("length", 12.34, "mm", "patient").words() == "12.34 mm"
