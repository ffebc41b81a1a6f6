"""A network of two layers as its maker would export it, for tests of the contract."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.checkpoints.format import Checkpoint
from engine.methods.onnx.adopt import card_text, save
from engine.methods.onnx.card import parsed

CARD = {
    "findings": ["Opacity", "Effusion"],
    "input_size": 32,
    "value_range": [0, 1],
    "channel_order": "NCHW",
    "colour": "grey",
    "output": "probabilities",
    "terms": "Random numbers; Apache-2.0, as this project.",
}


def network(size: int = 32, outputs: int = 2, last: str = "Sigmoid", seed: int = 0) -> onnx.ModelProto:
    """Means over a grid of 4 x 4 cells, weighed at random: grey pictures in, `outputs` numbers out."""
    weights = np.random.default_rng(seed).normal(0, 2, (16, outputs)).astype(np.float32)
    cell = size // 4
    nodes = [
        helper.make_node("AveragePool", ["picture"], ["cells"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node(last, ["scores"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 1, size, size])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tiny(folder: Path) -> Checkpoint:
    """The network with its card, saved as `adopt` saves."""
    data, declared = network().SerializeToString(), parsed(json.dumps(CARD))
    return save(
        folder, data, declared, card_text(folder.name, "tiny.onnx", data, declared, 0.001, "none: drawn for a test")
    )
