"""The viewer's JavaScript modules: their own tests run in node, and they read what the Python side packs."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import numpy as np
import pytest

from engine.review.measurements import ScanFacts, mask_of, measured
from engine.review.records import Annotation, new_id, now, to_json
from tests.places import ROOT
from viewer.blob import Packer, unpacked

DECODE = """
import { gridOf } from "./viewer/modules/arrays.js";
let text = "";
for await (const part of process.stdin) text += part;
const grids = JSON.parse(text).map(({ entry, chunk }) => gridOf(entry, new Uint8Array(Buffer.from(chunk, "base64"))
  .buffer));
console.log(JSON.stringify(grids.map(({ data, scale, frames, height, width }) => ({ shape: [frames, height, width],
  values: Array.from(data, (x) => x * scale) }))));
"""


@pytest.fixture(scope="module")
def node():
    """Runs node in the root of the project; skips where there is none."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("the tests of the viewer's JavaScript need node 18 or later")

    def run(*words: str, given: str = "") -> str:
        ran = subprocess.run(
            [program, *words], check=False, cwd=ROOT, input=given, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


def test_the_modules_keep_their_promises(node):
    tests = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "viewer").glob("*.test.js"))
    assert tests
    assert "# fail 0" in node("--test", "--test-reporter=tap", *tests)


def test_the_browser_decodes_what_python_packs(node):
    rng = np.random.default_rng(4)
    packer = Packer()
    packer.pixels(rng.integers(-1024, 3072, (5, 7)).astype(np.float32))
    packer.pixels(rng.normal(0, 1e-3, (4, 3)).astype(np.float32))
    packer.map(rng.normal(0, 1, (6, 2)).astype(np.float32))
    packer.change(rng.normal(0, 40, (3, 4, 5)).astype(np.float32))
    packer.change(rng.normal(0, 40, (2, 3)).astype(np.float32))
    entries, chunks = packer.arrays()
    sent = [
        {"entry": entry, "chunk": base64.b64encode(chunk).decode()}
        for entry, chunk in zip(entries, chunks, strict=True)
    ]
    grids = json.loads(node("--input-type=module", "--eval", DECODE, given=json.dumps(sent)))
    for entry, chunk, grid in zip(entries, chunks, grids, strict=True):
        expected = unpacked(entry, chunk)
        assert grid["shape"] == ([0] if expected.ndim == 2 else []) + list(expected.shape)
        assert np.allclose(np.reshape(grid["values"], expected.shape), expected, rtol=1e-6, atol=1e-9)


SPANS = """
import { spansOf } from "./viewer/modules/shapes.js";
import { measure } from "./viewer/modules/measuring.js";
let text = "";
for await (const part of process.stdin) text += part;
const { marks, frame, spacing } = JSON.parse(text);
const answer = (mark) => ({ spans: spansOf(mark, frame), found: measure(mark, { spacing, frame }) });
console.log(JSON.stringify(marks.map(answer)));
"""


def test_the_browser_measures_what_the_engine_measures(node):
    """Areas, lengths and angles are the same, and so are the pixels inside."""
    rng = np.random.default_rng(6)
    frame, spacing = (50, 70), (0.4, 0.3)
    facts = ScanFacts(frame, "CT", spacing)
    marks = []
    for kind, count in (("box", 2), ("area", 2), ("polygon", 7), ("freehand", 12), ("length", 2), ("angle", 3)):
        for _ in range(6):
            points = rng.uniform((0, 0), frame, (count, 2))
            points = np.sort(points, axis=0) if kind in ("box", "area") else points
            marks.append(Annotation(new_id(), "ab" * 32, kind, points.tolist(), "R", now()))
    marks.append(Annotation(new_id(), "ab" * 32, "brush", (), "R", now(), runs=((3, 4, 5), (9, 0, 70))))
    given = {"marks": [to_json(mark) for mark in marks], "frame": frame, "spacing": spacing}
    answers = json.loads(node("--input-type=module", "--eval", SPANS, given=json.dumps(given)))
    for mark, answer in zip(marks, answers, strict=True):
        ours = {one.name: one.value for one in measured(mark, facts)}
        assert answer["found"] == pytest.approx(ours, rel=1e-9)
        inside = np.zeros(frame, bool)
        for row, start, end in answer["spans"]:
            inside[row, start:end] ^= True
        if mark.encloses:
            assert np.array_equal(inside, mask_of(mark, frame)), mark.kind
