"""Promises of the viewer's Python side: what is sent keeps its units, and what comes back is believed only when it can
be true.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.places import ROOT
from viewer import FindingView, PanelView, explain_parts, panels_parts
from viewer.blob import BadState, checked_state, unpacked

VIEWER = ROOT / "viewer"
WINDOW = (100.0, 200.0)
NO_PATH = {"steps": None, "probabilities": None, "changes": None}


def finding(name="Effusion", grid=(8, 6), steps=4, frames=True, seed=0):
    rng = np.random.default_rng(seed)
    changes = rng.normal(0, 40, (steps, *grid) if frames else grid).astype(np.float32)
    return FindingView(
        name,
        0.8,
        0.4,
        "above (0.40)",
        "The model sees it.",
        rng.normal(0, 0.1, grid).astype(np.float32),
        0.2,
        "log-odds",
        np.linspace(0, 1.5, steps),
        np.linspace(0.8, 0.1, steps),
        changes,
        [("same film", "0.98")],
    )


def sent(pixels, findings=(), **more):
    packer, header = explain_parts(pixels, WINDOW, list(findings), title="Film", key="k", **more)
    entries, chunks = packer.arrays()
    return header | {"arrays": entries}, [unpacked(entry, chunk) for entry, chunk in zip(entries, chunks, strict=True)]


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1024, 3071), (0, 65535)])
def test_whole_numbers_arrive_exactly(low, high):
    pixels = np.random.default_rng(1).integers(low, high + 1, (31, 17)).astype(np.float32)
    pixels.flat[:2] = low, high
    header, arrays = sent(pixels)
    assert header["frame"] == [31, 17]
    assert np.array_equal(arrays[header["scan"]], pixels)


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0), (1, -500), (1e5, 1e5)])
def test_other_numbers_keep_their_unit_to_one_part_in_65535(scale, shift):
    pixels = (np.random.default_rng(2).random((20, 20)) * scale + shift).astype(np.float32)
    header, arrays = sent(pixels)
    assert np.abs(arrays[header["scan"]] - pixels).max() <= np.ptp(pixels) / 65535 + 1e-6 * abs(shift)


def test_the_shape_of_pixels_and_the_note_at_the_scale_bar_are_sent():
    pixels = np.arange(30, dtype=np.float32).reshape(5, 6)
    plain, _ = sent(pixels)
    assert (plain["spacing_mm"], plain["pixel_aspect"], plain["scale_note"]) == (None, 1.0, "")
    told, _ = sent(pixels, spacing_mm=(0.4, 0.2), pixel_aspect=2, scale_note=" at the detector")
    assert (told["spacing_mm"], told["pixel_aspect"], told["scale_note"]) == ([0.4, 0.2], 2.0, " at the detector")


def test_a_flat_picture_can_be_shown():
    header, arrays = sent(np.full((5, 5), 7.5, np.float32))
    assert np.all(arrays[header["scan"]] == 7.5)


@pytest.mark.parametrize("frames", [True, False])
def test_evidence_arrives_as_it_is_and_no_change_stays_no_change(frames):
    given = finding(frames=frames)
    given.changes[..., 0] = 0
    header, arrays = sent(np.zeros((16, 12), np.float32), [given])
    entry = header["findings"][0]
    assert np.array_equal(arrays[entry["evidence"]], given.evidence)
    changes = arrays[entry["changes"]]
    assert np.abs(changes - given.changes).max() <= np.abs(given.changes).max() / 32767
    assert np.all(changes[..., 0] == 0)


def test_a_method_without_counterfactuals_sends_its_evidence_alone():
    header, arrays = sent(np.zeros((16, 12), np.float32), [replace(finding(), **NO_PATH, sequential=True)])
    assert header["findings"][0]["changes"] is None and header["findings"][0]["sequential"] is True
    assert len(arrays) == 2


def test_an_array_is_as_long_as_its_entry_says_and_known_again_by_its_digest():
    packer, _ = explain_parts(
        np.zeros((7, 5), np.float32), WINDOW, [finding("A", (3, 5)), finding("B", (3, 5))], title="", key="k"
    )
    entries, chunks = packer.arrays()
    assert [len(chunk) for chunk in chunks] == [math.prod(entry["shape"]) * int(entry["dtype"][1]) for entry in entries]
    digests = [entry["digest"] for entry in entries]
    assert digests == [entry["digest"] for entry in packer.arrays()[0]]
    assert digests[1:3] == digests[3:]  # both findings hold the same arrays
    other, _ = explain_parts(np.ones((7, 5), np.float32), WINDOW, [finding("A", (3, 5), seed=1)], title="", key="k")
    assert not set(digests[1:]) & {entry["digest"] for entry in other.arrays()[0]}


def test_the_same_arrays_are_recognised_and_others_are_not():
    pixels, one = np.zeros((4, 4), np.float32), finding()
    parts = [
        explain_parts(p, WINDOW, [f], title="", key="k")[0]
        for p, f in ((pixels, one), (pixels, one), (pixels.copy(), one))
    ]
    assert parts[0].holds_the_same(parts[1])
    assert not parts[0].holds_the_same(parts[2])


def test_a_picture_under_several_maps_is_sent_once():
    base, map_ = np.zeros((40, 40), np.float32), np.ones((4, 4), np.float32)
    packer, header = panels_parts(
        [PanelView("a", base=base, map=map_), PanelView("b", base=base, map=map_), PanelView("c", map=map_)], key="k"
    )
    assert [panel["base"] for panel in header["panels"]] == [0, 0, None]
    assert len(packer.arrays()[0]) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"probability": 1.2}, "probability of Effusion must lie in"),
        ({"threshold": math.nan}, "threshold of Effusion must lie in"),
        ({"evidence": np.full((4, 4), np.nan, np.float32)}, "must be finite"),
        ({"evidence": np.zeros((2, 4, 4), np.float32)}, "must have shape"),
        ({"evidence_limit": 0.0}, "must be above 0"),
        ({"steps": np.array([0.0, 1.0, 0.5, 1.5])}, "must rise from 0"),
        ({"steps": np.array([0.0, 1.0, 2.0, 3.0])}, "at most 1.5"),
        ({"probabilities": np.array([0.5, 0.5])}, "must share one"),
        ({"changes": np.zeros((3, 8, 6), np.float32)}, "one frame a step"),
        ({"changes": np.full((8, 6), np.inf, np.float32)}, "must be finite"),
        ({"name": ""}, "needs a name"),
        ({"changes": None}, "come together or not at all"),
    ],
)
def test_a_finding_that_cannot_be_is_refused_with_a_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        replace(finding(), **change)


def test_a_view_that_cannot_be_is_refused_with_a_sentence():
    film = np.zeros((8, 8), np.float32)
    for arguments, words in [
        ((film[0], WINDOW, []), "shape"),
        ((film * np.nan, WINDOW, []), "finite"),
        ((film, (0, 0), []), "width above 0"),
        ((film, WINDOW, [finding(), finding()]), "different names"),
        ((film, WINDOW, [finding("A"), finding("B", (4, 4))]), "one grid"),
        ((film, WINDOW, [finding("A"), replace(finding("B"), **NO_PATH)]), "every finding"),
    ]:
        with pytest.raises(ValueError, match=words):
            explain_parts(*arguments, title="", key="k")
    with pytest.raises(ValueError, match="badge"):
        explain_parts(film, WINDOW, [], title="", badges=[("x", "<b>")], key="k")
    with pytest.raises(ValueError, match="share one shape"):
        panels_parts([PanelView("a", base=film), PanelView("b", base=film[1:])], key="k")
    with pytest.raises(ValueError, match="at least one panel"):
        panels_parts([], key="k")


NAMES = ["Effusion", "Edema"]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "Effusion",
        {"finding": "Effusion", "amounts": {}},
        {"picture": "another", "finding": "Effusion", "amounts": {}},
        {"picture": ["p"], "finding": "Effusion", "amounts": {}},
        {"picture": "p", "finding": "Effusion"},
        {"picture": "p", "finding": "Effusion", "amounts": {}, "more": 1},
        {"picture": "p", "finding": "__class__", "amounts": {}},
        {"picture": "p", "finding": None, "amounts": {}},
        {"picture": "p", "finding": ["Effusion"], "amounts": {}},
        {"picture": "p", "finding": "Effusion", "amounts": {"Hernia": 1.0}},
        {"picture": "p", "finding": "Effusion", "amounts": [["Effusion", 1.0]]},
        *(
            {"picture": "p", "finding": "Effusion", "amounts": {"Effusion": bad}}
            for bad in (math.nan, math.inf, -0.01, 1.51, 1e300, "1", None, True, [1.0], 10**400)
        ),
    ],
)
def test_a_hostile_state_from_the_browser_is_refused(raw):
    with pytest.raises(BadState):
        checked_state(raw, NAMES, "p")


def test_an_honest_state_is_believed():
    raw = {"picture": "p", "finding": "Edema", "amounts": {"Edema": 1, "Effusion": 0.5}}
    assert checked_state(raw, NAMES, "p") == {"finding": "Edema", "amounts": {"Effusion": 0.5, "Edema": 1.0}}
    assert checked_state({"picture": "p", "finding": None, "amounts": {}}, [], "p") == {"finding": None, "amounts": {}}


def app():
    import numpy as np
    import streamlit as st

    from viewer import FindingView, explain_state, explain_view

    flat = np.zeros((4, 4), np.float32)
    ends = np.array([0.0, 1.0])
    findings = [
        FindingView(n, 0.8, 0.4, "", "", flat, 1.0, "log-odds", ends, 1 - ends, flat) for n in ("Effusion", "Edema")
    ]
    state = explain_view(flat, (0, 1), findings, title="Film", key="film")
    st.session_state.seen = [state, explain_state("film", findings), explain_state("never mounted", [])]


def test_a_view_that_nobody_touched_takes_the_first_finding_away():
    ran = AppTest.from_function(app, default_timeout=60).run()
    assert not ran.exception
    untouched = {"finding": "Effusion", "amounts": {"Effusion": 1.0}}
    assert ran.session_state.seen == [untouched, untouched, {"finding": None, "amounts": {}}]


def test_words_reach_the_page_as_text_only():
    scripts = list((VIEWER / "modules").glob("*.js"))
    assert scripts
    for script in scripts:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script.read_text()
        ), script.name
