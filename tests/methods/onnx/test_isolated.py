"""A network in a process of its own: what it takes too much of ends it, and the next who asks is served."""

import json
import os
import signal
import time

import numpy as np
import pytest
from onnx import helper, numpy_helper

from engine.methods.onnx import isolated
from engine.methods.onnx.adopt import trial_pictures
from engine.methods.onnx.card import parsed
from engine.methods.onnx.isolated import IsolatedNetwork
from engine.methods.onnx.network import Network, UnusableNetwork
from engine.methods.onnx.tiny import CARD, network
from tests.methods.onnx.graphs import SIZE, graph


def long_operator():
    """One operator that no one can interrupt: a product of matrices that takes minutes."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["a"], value=numpy_helper.from_array(np.ones(1, np.float32))),
        helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axes"], ["column"]),
        helper.make_node("Unsqueeze", ["column", "axes"], ["cube"]),
        helper.make_node("Mul", ["a", "cube"], ["b"]),  # differs from picture to picture, so that nothing is folded
        helper.make_node("MatMul", ["b", "b"], ["c"]),
        helper.make_node("ReduceMax", ["c"], ["answer"], axes=[1], keepdims=0),
    ]
    return graph(nodes, outputs=[("answer", None)], weights={"shape": np.array([1, 8000, 8000]), "axes": np.array([1])})


@pytest.mark.timeout(280)
def test_an_operator_that_nobody_can_interrupt_is_killed_and_the_next_call_is_served():
    face = parsed(json.dumps({**CARD, "output": "logits", "findings": {"A": 0}})).interface
    slow, started = IsolatedNetwork(long_operator().SerializeToString(), face, threads=1), time.perf_counter()
    for _ in range(2):
        with pytest.raises(UnusableNetwork, match="had not answered after 1 s"):
            slow(trial_pictures(SIZE)[:1], limit=1.0)
    assert time.perf_counter() - started < 60


def test_opening_a_file_takes_only_so_much(monkeypatch):
    face = parsed(json.dumps(CARD)).interface
    monkeypatch.setattr(isolated, "OPENING_SECONDS", 0.001)
    monkeypatch.setattr(isolated, "SECONDS_A_MB", 0.0)
    with pytest.raises(UnusableNetwork, match="processor time"):
        IsolatedNetwork(network().SerializeToString(), face)
    monkeypatch.setattr(isolated, "OPENING_SECONDS", 20.0)
    monkeypatch.setattr(isolated, "WORKER_BYTES", 60 << 20)
    with pytest.raises(UnusableNetwork, match="more memory|crash|does not open"):
        IsolatedNetwork(bomb_of(300 << 20), face)


def bomb_of(count):
    """Unfolds into `count` bytes when it is opened."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["small"], keepdims=0),
        *network().graph.node[:3],
        helper.make_node("Add", ["scores", "small"], ["answer"]),
    ]
    weights = {"shape": np.array([count // 4], np.int64), "weights": np.ones((16, 2), np.float32)}
    return graph(nodes, weights=weights).SerializeToString()


def test_an_isolated_network_that_is_killed_is_opened_again():
    face = parsed(json.dumps(CARD)).interface
    asked_of = IsolatedNetwork(network().SerializeToString(), face)
    before = asked_of(trial_pictures(SIZE))
    os.kill(asked_of._worker.pid, signal.SIGKILL)
    with pytest.raises(UnusableNetwork, match="try again"):
        asked_of(trial_pictures(SIZE))
    assert (asked_of(trial_pictures(SIZE)) == before).all()
    plain = Network(network().SerializeToString(), face)(trial_pictures(SIZE))
    np.testing.assert_array_equal(before, plain)
