"""Bringing in an ONNX file: what fits runs as its maker meant it, and what is hostile or does not fit gets
one sentence.
"""

import itertools
import json
import time

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.checkpoints.format import RefusedCheckpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.methods.onnx.adopt import adopt, trial_pictures
from engine.methods.onnx.card import UnusableCard, parsed
from engine.methods.onnx.network import Network, UnusableNetwork
from engine.methods.onnx.tiny import CARD, network
from engine.registry import UnsuitableScan, open_model
from engine.scan import Scan
from tests.methods.onnx.graphs import SIZE, graph


@pytest.fixture
def bring(tmp_path):
    """Adopts a model (or bytes) under the tiny card with changes, and returns the checkpoint."""

    def run(model, name="mine", **changes):
        data = model if isinstance(model, bytes) else model.SerializeToString()
        (tmp_path / "file.onnx").write_bytes(data)
        (tmp_path / "card.json").write_text(json.dumps({**CARD, **changes}))
        return adopt(tmp_path / "file.onnx", tmp_path / "card.json", name, tmp_path / "out", "python -m engine adopt")

    return run


def film(side=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side)).astype(np.float32)


def asked(model, x):
    """What onnxruntime itself says."""
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"picture": x.astype(np.float32)})[0]


def test_an_adopted_model_says_what_its_file_says(bring):
    model = network()
    picture = film()
    opened = open_model(bring(model, grey_levels=[0, 255]), "cpu")
    assert np.allclose(opened.predict_proba(Scan.of(picture)), asked(model, picture[None, None] / 255)[0], atol=1e-6)
    assert "Random numbers" in opened.checkpoint.card and opened.checkpoint.config["method"] == "onnx"


def test_a_folder_that_was_adopted_opens_again_and_a_taken_name_is_refused(bring):
    checkpoint = bring(network())
    assert open_checkpoint(checkpoint.folder).sha256 == checkpoint.sha256
    with pytest.raises(RefusedCheckpoint, match="something called mine"):
        bring(network())
    with pytest.raises(RefusedCheckpoint, match="made of letters"):
        bring(network(), name="../mine")


def test_two_models_of_one_file_leave_records_that_can_be_told_apart(bring):
    model, scan = network(), Scan.of(film())
    one, other = (
        open_model(bring(model, name=name, grey_levels=levels), "cpu").explain(scan)[0]
        for name, levels in (("one", [0, 255]), ("other", [0, 510]))
    )
    assert one.probability != other.probability and one.checkpoint_sha256 == other.checkpoint_sha256
    assert one.checkpoint_identity != other.checkpoint_identity
    assert one.record()["checkpoint_identity"] != other.record()["checkpoint_identity"]


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_order_colour_range_mean_and_deviation_are_the_cards(bring, order):
    last = order == "NHWC"
    shape = ["n", SIZE, SIZE, 3] if last else ["n", 3, SIZE, SIZE]
    weights = np.array([[1, 0, 0], [0, 10, 0], [0, 0, 100]], np.float32).sum(axis=1, keepdims=True)
    model = graph(
        [
            helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[1, 2] if last else [2, 3], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["answer"]),
        ],
        inputs=[("picture", shape)],
        outputs=[("answer", ["n", 1])],
        weights={"weights": weights},
    )
    opened = open_model(
        bring(
            model,
            findings=["Opacity"],
            channel_order=order,
            colour="colour",
            output="logits",
            value_range=[-1, 1],
            grey_levels=[0, 255],
            mean=[0.1, 0.2, 0.3],
            std=[1, 10, 1000],
        ),
        "cpu",
    )
    picture = np.clip(film(seed=3), 1, 254)
    x = picture / 255 * 2 - 1
    expected = (x.mean() - 0.1) + 10 * (x.mean() - 0.2) / 10 + 100 * (x.mean() - 0.3) / 1000
    (p,) = opened.predict_proba(Scan.of(picture))
    assert np.log(p / (1 - p)) == pytest.approx(expected, abs=1e-4)


def test_classes_are_softmaxed_and_added_up(bring):
    model = network(outputs=4, last="Identity")
    opened = open_model(
        bring(model, findings={"Any": [0, 1, 3], "Last": 3}, output="class_logits", grey_levels=[0, 255]), "cpu"
    )
    scores = asked(model, film()[None, None] / 255)[0].astype(np.float64)
    classes = np.exp(scores) / np.exp(scores).sum()
    assert np.allclose(opened.predict_proba(Scan.of(film())), [classes[[0, 1, 3]].sum(), classes[3]], atol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_network_that_insists_on_a_batch_is_fed_so(bring, batch):
    model = network()
    pictures = np.stack([film(seed=seed) for seed in range(6)])
    free = open_model(bring(model, name="free"), "cpu").predict_proba(pictures)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = batch
    opened = open_model(bring(model), "cpu")
    assert np.allclose(opened.predict_proba(pictures), free, atol=1e-6)
    assert np.allclose(np.stack([opened.predict_proba(Scan.of(picture)) for picture in pictures]), free, atol=1e-6)


@pytest.mark.parametrize("open_as", [[-1, 1, SIZE, SIZE], [-1, -1, -1, -1], [-1, "c", -1, "w"]])
def test_a_size_below_0_means_any(bring, open_as):
    pictures = np.stack([film(seed=seed) for seed in range(3)])
    free = open_model(bring(network(), name="free"), "cpu").predict_proba(pictures)
    model = network()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("picture", TensorProto.FLOAT, open_as))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("answer", TensorProto.FLOAT, [-1, 2]))
    assert np.allclose(open_model(bring(model), "cpu").predict_proba(pictures), free, atol=1e-6)


@pytest.mark.parametrize("shape", [[1, 16], [1, -1], [1, 4, 4]])
@pytest.mark.parametrize("place", ["before the weights", "at the end"])
def test_a_network_with_a_shape_for_one_picture_baked_in_is_fed_one_at_a_time(bring, place, shape):
    pictures = np.stack([film(seed=seed) for seed in range(3)])
    free = open_model(bring(network(), name="free"), "cpu").predict_proba(pictures)
    pool, flat, weigh, last = network().graph.node
    nodes = [pool, flat, weigh, last]
    if place == "at the end":
        last.output[0] = "rows"
        nodes.append(helper.make_node("Reshape", ["rows", "shape"], ["answer"]))
        shape = [1, 2 if shape[-1] > 0 else -1]
    elif len(shape) == 3:
        nodes = [
            pool,
            helper.make_node("Reshape", ["cells", "shape"], ["grid"]),
            helper.make_node("Flatten", ["grid"], ["flat"]),
            weigh,
            last,
        ]
    else:
        nodes = [pool, helper.make_node("Reshape", ["cells", "shape"], ["flat"]), weigh, last]
    (weights,) = network().graph.initializer
    model = graph(nodes, weights={"weights": numpy_helper.to_array(weights), "shape": np.array(shape)})
    checkpoint = bring(model)
    assert np.allclose(open_model(checkpoint, "cpu").predict_proba(pictures), free, atol=1e-6)
    assert np.allclose(open_model(checkpoint, "cpu").predict_proba(Scan.of(pictures[1])), free[1], atol=1e-6)


def test_what_fails_for_one_picture_too_is_said_once(bring):
    pool, _, weigh, last = network().graph.node
    (weights,) = network().graph.initializer
    nodes = [pool, helper.make_node("Reshape", ["cells", "shape"], ["flat"]), weigh, last]
    model = graph(nodes, weights={"weights": numpy_helper.to_array(weights), "shape": np.array([5, 16])})
    with pytest.raises(UnusableNetwork, match="does not run on 32 x 32"):
        bring(model)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [(TensorProto.UINT8, 0, 255), (TensorProto.DOUBLE, 0, 1), (TensorProto.FLOAT16, 0, 1)]
)
def test_pictures_go_in_as_the_type_that_is_asked_for(bring, kind, low, high):
    model = network()
    model.graph.input[0].type.tensor_type.elem_type = kind
    cast = helper.make_node("Cast", ["picture"], ["as float"], to=TensorProto.FLOAT)
    scaled = helper.make_node("Div", ["as float", "high"], ["scaled"])
    model.graph.node[0].input[0] = "scaled"
    model.graph.initializer.append(numpy_helper.from_array(np.array(high, np.float32), "high"))
    nodes = [cast, scaled, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    opened = open_model(bring(model, value_range=[low, high], grey_levels=[0, 255]), "cpu")
    plain = open_model(bring(network(), name="plain", grey_levels=[0, 255]), "cpu")
    assert np.allclose(opened.predict_proba(Scan.of(film())), plain.predict_proba(Scan.of(film())), atol=2e-3)


def test_open_dimensions_take_the_cards_size(bring):
    model = graph(
        [
            helper.make_node("GlobalAveragePool", ["picture"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
            helper.make_node("Sigmoid", ["scores"], ["answer"]),
        ],
        inputs=[("picture", ["n", "c", "h", "w"])],
        outputs=[("answer", None)],
        weights={"weights": np.ones((1, 2), np.float32)},
    )
    assert open_model(bring(model, input_size=64), "cpu").predict_proba(Scan.of(film(100))).shape == (2,)


def with_node(node, model=None, **imports):
    model = model or network()
    model.graph.node.append(node)
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in imports.items())
    return model


def external():
    model = network()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return model


def hidden_external():
    """The same inside the branch of an If."""
    inner = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["out"])], "inner", [], [helper.make_tensor_value_info("out", 1, [1])]
    )
    inner.initializer.append(external().graph.initializer[0])
    inner.initializer[0].name = "w"
    return with_node(helper.make_node("If", ["yes"], ["unused"], then_branch=inner, else_branch=inner))


def bomb():
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["small"], keepdims=0),
        *network().graph.node[:3],
        helper.make_node("Add", ["scores", "small"], ["answer"]),
    ]
    return graph(
        nodes, weights={"shape": np.array([100_000, 100_000, 100], np.int64), "weights": np.ones((16, 2), np.float32)}
    )


def endless():
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
    )
    return with_node(helper.make_node("Loop", ["", "yes"], [], body=body))


def feeds_itself():
    """A ring of two operators that only pass on what the other gives."""
    nodes = [
        helper.make_node("Identity", ["other"], ["answer"]),
        helper.make_node("Cast", ["answer"], ["other"], to=TensorProto.FLOAT),
    ]
    return graph([*network().graph.node[:3], *nodes], weights={"weights": np.ones((16, 2), np.float32)})


def with_functions(count, calls, last):
    """A chain of functions of one operator domain, each calling the one before so often; the first is `last`."""
    model = network()
    model.opset_import.extend([helper.make_opsetid("maker", 1)])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("maker", 1)]
    for k in range(count):
        inner, domain = (f"f{k - 1}", "maker") if k else last
        names = ["x", *(f"x{n}" for n in range(1, calls)), "y"]
        nodes = [helper.make_node(inner, [a], [b], domain=domain) for a, b in itertools.pairwise(names)]
        model.functions.append(helper.make_function("maker", f"f{k}", ["x"], ["y"], nodes, imports))
    model.graph.node.insert(0, helper.make_node(f"f{count - 1}", ["picture"], ["looked at"], domain="maker"))
    model.graph.node[1].input[0] = "looked at"
    return model


def noisy():
    nodes = [
        helper.make_node("RandomNormalLike", ["picture"], ["noise"]),
        helper.make_node("Add", ["picture", "noise"], ["both"]),
        *network().graph.node,
    ]
    nodes[2].input[0] = "both"
    return graph(
        nodes, weights={"weights": np.full((16, 2), 0.1, np.float32)}
    )  # so small that no answer is saturated, whatever the noise


def at_opset(version):
    model = network()
    model.opset_import[0].version = version
    return model


def two_inputs():
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("age", TensorProto.FLOAT, ["n", 1]))
    return model


def constant():
    nodes = [helper.make_node("Mul", ["picture", "zero"], ["black"]), *network().graph.node]
    nodes[1].input[0] = "black"
    return graph(nodes, weights={"zero": np.zeros(1, np.float32), "weights": np.ones((16, 2), np.float32)})


def not_finite():
    nodes = [*network(last="Identity").graph.node[:3], helper.make_node("Log", ["scores"], ["answer"])]
    return graph(nodes, weights={"weights": -np.ones((16, 2), np.float32)})


def fed_as(kind):
    model = network()
    model.graph.input[0].type.tensor_type.elem_type = kind
    return model


HOSTILE = {
    "an opset of the future": (lambda: at_opset(99), {}, "version 99 of ONNX's operators"),
    "an opset of the past": (lambda: at_opset(3), {}, "version 3 of ONNX's operators"),
    "weights in another file": (external, {}, "second file"),
    "weights in another file, inside a branch": (hidden_external, {}, "second file"),
    "an operator of its maker's own": (
        lambda: with_node(helper.make_node("Diagnose", ["answer"], ["x"], domain="acme.secret"), **{"acme.secret": 1}),
        {},
        "Diagnose of 'acme.secret'",
    ),
    "an operator that does not exist": (
        lambda: with_node(helper.make_node("Guess", ["answer"], ["x"])),
        {},
        "does not open|do not fit",
    ),
    "an array of four terabytes": (bomb, {}, "too large"),
    "a loop": (endless, {}, "nobody can tell when to end"),
    "an answer that is made from itself": (feeds_itself, {}, "made from itself"),
    "a function that calls itself": (lambda: with_functions(1, 1, ("f0", "maker")), {}, "calls itself"),
    "functions that call each other": (lambda: with_functions(5, 2, ("f4", "maker")), {}, "calls itself"),
    "ten billion operators in ten functions": (
        lambda: with_functions(10, 10, ("Relu", "")),
        {},
        "more than 200,000 operators",
    ),
    "noise in the answer": (noisy, {}, "answers the same picture differently"),
    "the same answer always": (constant, {}, "the same answer"),
    "an answer that is no number": (not_finite, {"output": "logits"}, "not a finite number"),
    "two inputs": (two_inputs, {}, r"wants 2 inputs \(picture, age\)"),
    "words as input": (lambda: fed_as(TensorProto.STRING), {}, "does not take pictures"),
    "another size": (
        network,
        {"input_size": 64},
        "pictures of any x 1 x 64 x 64 .NCHW., but the network takes any x 1 x 32 x 32",
    ),
    "the other order": (network, {"channel_order": "NHWC"}, "but the network takes any x 1 x 32 x 32"),
    "colour for grey": (network, {"colour": "colour"}, "any x 3 x 32 x 32"),
    "too many findings": (
        network,
        {"findings": ["A", "B", "C"]},
        "C from output 2 .counted from 0., but only 2 come out",
    ),
    "too few findings": (lambda: network(outputs=6), {}, "6 numbers come out, but the card lists 2"),
    "too few findings by number": (
        lambda: network(outputs=6),
        {"findings": {"A": 0, "B": 1}},
        "6 numbers come out, but the card names only 2",
    ),
    "one of two outputs": (
        network,
        {"findings": ["A"]},
        "2 numbers come out, but the card lists 1; .* with null for one that is none, or give their numbers",
    ),
    "one of two classes": (
        lambda: network(last="Softmax"),
        {"findings": ["A"], "output": "softmax"},
        "2 numbers come out, but the card lists 1",
    ),
    "probabilities taken for logits": (network, {"output": "logits"}, "ends in a Sigmoid; say probabilities"),
    "a softmax taken for scores": (
        lambda: network(last="Softmax"),
        {"output": "class_logits"},
        "ends in a Softmax; say probabilities or softmax",
    ),
    "scores taken for probabilities": (lambda: network(last="Identity"), {}, "logits may be what they are"),
    "independent findings taken for classes": (lambda: network(last="HardSigmoid"), {"output": "softmax"}, "add up to"),
    "no such output": (network, {"output_name": "verdict"}, "no output called 'verdict'; it has answer"),
    "no such input": (network, {"input_name": "film"}, "no input called 'film'; it has picture"),
    "a pickle": (lambda: b"\x80\x04\x95cposix\nsystem\n", {}, "a pickle, not an ONNX file"),
    "a PyTorch file": (lambda: b"PK\x03\x04" + bytes(100), {}, "as PyTorch saves them"),
    "a Keras file": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), {}, "as Keras saves them"),
    "nothing": (lambda: b"", {}, "no ONNX file"),
    "a text": (lambda: b"Dear colleague, please find attached", {}, "no ONNX file"),
    "half a file": (lambda: network().SerializeToString()[:150], {}, "no ONNX file|does not open|do not fit"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_is_hostile_or_does_not_fit_gets_one_sentence_and_leaves_nothing(what, bring, tmp_path):
    model, changes, words = HOSTILE[what]
    with pytest.raises((UnusableNetwork, UnusableCard), match=words) as refused:
        bring(model(), **changes)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400 and str(refused.value).endswith(".")
    assert not (tmp_path / "out").exists()


def test_every_byte_that_is_broken_gives_a_sentence_or_a_model(bring):
    data, random = network().SerializeToString(), np.random.default_rng(0)
    for attempt in range(60):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 3):
            broken[place] = random.integers(256)
        try:
            bring(bytes(broken), name=f"broken-{attempt}")
        except (UnusableNetwork, UnusableCard) as refused:
            assert "\n" not in str(refused)


@pytest.mark.parametrize("findings", [["Effusion", None], {"Effusion": 0}])
def test_an_output_that_is_no_finding_is_left_out_where_the_card_says_so(findings, bring):
    opened = open_model(bring(network(), findings=findings, grey_levels=[0, 255]), "cpu")
    assert np.allclose(
        opened.predict_proba(film()[None])[0], asked(network(), film()[None, None] / 255)[0][:1], atol=1e-6
    )


def test_a_network_that_takes_too_long_is_stopped():
    heavy = [helper.make_node("Conv", ["picture", "kernel"], ["c0"], pads=[1, 1, 1, 1])]
    heavy += [helper.make_node("Conv", [f"c{k}", "again"], [f"c{k + 1}"], pads=[3, 3, 3, 3]) for k in range(60)]
    heavy += [
        helper.make_node("GlobalAveragePool", ["c60"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["answer"]),
    ]
    weights = {"kernel": np.ones((64, 1, 3, 3)), "again": np.ones((64, 64, 7, 7)) / 3000, "w": np.ones((64, 2)) / 64}
    model = graph(
        heavy,
        inputs=[("picture", ["n", 1, 256, 256])],
        weights={name: array.astype(np.float32) for name, array in weights.items()},
    )
    face = parsed(json.dumps({**CARD, "input_size": 256, "output": "logits"})).interface
    slow, started = Network(model.SerializeToString(), face, threads=1), time.perf_counter()
    with pytest.raises(UnusableNetwork, match="had not answered after 1 s"):
        slow(trial_pictures(256), limit=1.0)
    assert time.perf_counter() - started < 20


def test_functions_that_unfold_into_few_operators_are_run(bring):
    assert open_model(bring(with_functions(3, 2, ("Abs", "")), grey_levels=[0, 255]), "cpu").predict_proba(
        Scan.of(film())
    ).shape == (2,)


def test_a_missing_file_and_a_missing_card_are_named(bring, tmp_path):
    bring(network())
    with pytest.raises(UnusableNetwork, match="no file at"):
        adopt(tmp_path / "none.onnx", tmp_path / "card.json", "other", tmp_path / "out", "")
    with pytest.raises(UnusableCard, match="no card at"):
        adopt(tmp_path / "file.onnx", tmp_path / "none.json", "other", tmp_path / "out", "")


def test_a_scan_far_brighter_than_the_cards_white_is_refused(bring):
    opened = open_model(bring(network(), grey_levels=[0, 255]), "cpu")
    with pytest.raises(UnsuitableScan, match="takes 255 for white"):
        opened.predict_proba(Scan.of(film() * 16 + 500, bits=12))
