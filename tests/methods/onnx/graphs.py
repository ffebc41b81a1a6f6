"""ONNX graphs made for the tests."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from engine.methods.onnx.tiny import CARD

SIZE = CARD["input_size"]


def graph(nodes, inputs=(("picture", ["n", 1, SIZE, SIZE]),), outputs=(("answer", ["n", 2]),), weights=(), opset=17):
    made = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(weights).items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
