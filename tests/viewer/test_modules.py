"""The viewer's JavaScript modules: their own tests run in node, and they read what the Python side packs."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import numpy as np
import pytest

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
