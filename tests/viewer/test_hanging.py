"""Promises of hanging protocols: which fits what, and that an entry says what the viewer can do."""

from __future__ import annotations

import numpy as np
import pytest

from engine.scan import KINDS, Scan
from pages.components.scan_words import CT_WINDOWS
from viewer import HangingProtocol, PriorView
from viewer.hanging import PROTOCOLS, fitting, kind_of, layout_header
from viewer.header import explain_parts


def scan(kind="radiograph", slices=0, **tags):
    return Scan.of(np.zeros((slices, 16, 16) if slices else (16, 16)), kind, tags=tags)


def names(*arguments, **keywords):
    return [protocol.name for protocol in fitting(*arguments, **keywords)]


@pytest.mark.parametrize(
    ("of", "first"),
    [
        (scan(BodyPartExamined="CHEST"), "Chest film"),
        (scan(BodyPartExamined="TIBIA"), "Film"),
        (scan(), "Film"),
        (scan("mammogram", BodyPartExamined="BREAST"), "Mammogram"),
        (scan("CT", 4, BodyPartExamined="HEAD"), "CT head"),
        (scan("CT", 4, BodyPartExamined="Brain W/O"), "CT head"),
        (scan("CT", 4, BodyPartExamined="THORAX"), "CT chest"),
        (scan("CT", 4, BodyPartExamined="ABDOMEN"), "CT"),
        (scan("CT", 0, BodyPartExamined="CHEST"), "CT"),
        (scan("MR", 4), "MR"),
        (scan("ultrasound", 4), "Ultrasound"),
        (scan("unknown"), "All panels"),
    ],
)
def test_a_scan_opens_by_the_first_protocol_that_fits(of, first):
    assert names(of)[0] == first
    assert names(of)[-2:] == ["Evidence only", "Scan only"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slices", [0, 3])
def test_every_scan_has_one_that_shows_all_panels_first_and_none_twice(kind, slices):
    found = fitting(scan(kind, slices))
    assert found[0].panels == () and not found[0].planes and found[0].overlay
    assert len({protocol.name for protocol in found}) == len(found)


def test_a_prior_comes_first_where_there_is_one_and_never_otherwise():
    film = scan(BodyPartExamined="CHEST")
    assert names(film, prior=True)[0] == "Prior and current"
    assert "Prior and current" not in names(film)
    assert "Prior and current" not in names(scan("CT", 4), prior=True), "a volume has none"


def test_a_new_protocol_is_one_entry():
    lateral = HangingProtocol("Lateral film", ("radiograph",), views=("LL", "LATERAL"), panels=("scan",))
    found = fitting(scan(ViewPosition="LL"), protocols=(lateral, *PROTOCOLS))
    assert found[0] is lateral
    assert lateral not in fitting(scan(ViewPosition="PA"), protocols=(lateral, *PROTOCOLS))


def test_of_several_that_lay_a_scan_out_alike_the_first_is_offered():
    assert "Film" not in names(scan(BodyPartExamined="CHEST"))


def test_every_window_that_is_named_is_a_preset_of_the_kind():
    presets = {name for name, *_ in CT_WINDOWS}
    assert {one.window for one in PROTOCOLS if one.window} <= presets
    assert all(one.kinds == ("CT",) for one in PROTOCOLS if one.window)
    assert len({one.name for one in PROTOCOLS}) == len(PROTOCOLS)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": ""}, "needs a name"),
        ({"kinds": ("xray",)}, "must be of radiograph"),
        ({"panels": ("scan", "heat")}, "must be of scan"),
        ({"panels": ("scan", "scan")}, "once each"),
        ({"planes": True}, "must be for volumes"),
        ({"slab": ("maximum", 10.0)}, "must be for volumes"),
        ({"volume": True, "slab": ("median", 10.0)}, "slab of"),
        ({"volume": True, "slab": ("mean", 0.0)}, "slab of"),
        ({"panels": ("prior", "scan")}, "or neither"),
        ({"volume": True, "prior": True, "panels": ("prior",)}, "single pictures only"),
        ({"columns": 9}, "columns of"),
    ],
)
def test_an_entry_that_no_viewer_could_show_is_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        HangingProtocol(**{"name": "A", **wrong})


def test_the_header_names_the_window_in_numbers():
    lung, none = layout_header(
        [HangingProtocol("A", window="Lung"), HangingProtocol("B", window="Teeth")], [("Lung", -600, 1500)]
    )
    assert lung["window"] == [-600.0, 1500.0] and none["window"] is None


def test_what_is_chosen_is_remembered_by_kind_part_and_whether_it_is_a_volume():
    assert kind_of(scan("CT", 4, BodyPartExamined="head")) == "CT HEAD volume"
    assert kind_of(scan("CT")) == "CT picture"


def test_a_prior_lies_on_the_grid_of_its_picture():
    words = {"window": (0, 1), "findings": [], "title": "", "key": "k"}
    pixels = np.zeros((16, 20), np.float32)
    _, header = explain_parts(pixels, prior=PriorView(pixels + 1, (1, 2), note="as it is"), **words)
    assert header["prior"]["window"] == [1.0, 2.0] and header["prior"]["note"] == "as it is"
    with pytest.raises(ValueError, match="grid of its picture"):
        explain_parts(pixels, prior=PriorView(np.zeros((16, 16), np.float32), (1, 2)), **words)
