"""The bytes of an ONNX file as a network that runs: looked through before onnxruntime sees them, and never
unpickled.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # comes with onnx
from onnxruntime.capi import (
    onnxruntime_pybind11_state as states,  # pyright: ignore[reportAttributeAccessIssue]  # compiled, without stubs
)

from engine.methods.onnx.card import Interface

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # of operators that onnxruntime brings itself
OLDEST_OPSET = 7  # below, onnxruntime promises nothing
ENDLESS = ("Loop", "Scan")  # nobody can tell from outside when they end
LARGEST_TENSOR = 2**28  # numbers in any one array between the layers, 1 GiB
MAIN = ("", "")  # stands for the graph among the functions' names
MOST_OPERATORS = 200_000  # when every function is put where it is called
MOST_AT_ONCE = 64  # pictures that a network may insist on
LONGEST_RUN = 120.0  # seconds that one batch may take
TYPES: dict[int, type[np.generic]] = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.DOUBLE: np.float64,
    onnx.TensorProto.UINT8: np.uint8,
}
LAST = {
    "Sigmoid": ("probabilities",),
    "Softmax": ("probabilities", "softmax"),
}  # last operator -> what its output can be
PASSING = ("Identity", "Cast", "Reshape", "Squeeze", "Flatten")  # operators that leave the numbers as they are
LOOK_ALIKES = {
    b"\x89HDF": "an HDF5 file, as Keras saves them",
    b"PK\x03\x04": "a zip file, as PyTorch saves them",
    b"\x80": "a pickle",
}
RUNTIME_ERRORS = (
    *tuple(kind for kind in vars(states).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
    ValueError,
    MemoryError,
)


class UnusableNetwork(ValueError):
    """An ONNX file that is not run, or does not do what its card says; the message is one sentence."""


class SlowNetwork(UnusableNetwork):
    """A network that did not answer in time."""


class Network:
    """An ONNX network that takes pictures as its card says.

    Args:
        data: the file's bytes.
        interface: from the card.
        device: "cuda" uses onnxruntime's CUDA provider where it is installed; else the CPU.
        threads: of the CPU; 0 lets onnxruntime choose.
        outputs: how many numbers must come out for a picture, 0 for any.

    Raises:
        UnusableNetwork: with the first thing that is wrong.
    """

    def __init__(self, data: bytes, interface: Interface, device: str = "cpu", threads: int = 0, outputs: int = 0):
        self.interface, self._outputs = interface, outputs
        model = _looked_through(data)
        weights = {tensor.name for tensor in model.graph.initializer}  # old files list them among the inputs
        self._input = self._the_one(
            [given for given in model.graph.input if given.name not in weights], interface.input_name, "input"
        )
        self._output = self._the_one(model.graph.output, interface.output_name, "output")
        self._type = TYPES.get(self._input.type.tensor_type.elem_type)
        if self._type is None:
            raise UnusableNetwork(
                f"The input {self._input.name} does not take pictures as "
                f"{', '.join(kind.__name__ for kind in TYPES.values())}."
            )
        self._batch = self._checked_shape()
        self._check_last(model.graph)
        _bounded(model, self._input.name, self._shape(self._batch or 1))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is said in an exception
        options.intra_op_num_threads = threads
        there = onnxruntime.get_available_providers()
        providers = [name for name in ("CUDAExecutionProvider",) if device == "cuda" and name in there] + [
            "CPUExecutionProvider"
        ]
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=providers)
        except RUNTIME_ERRORS as error:
            raise UnusableNetwork(f"onnxruntime does not open the file ({_first_line(error)}).") from None

    def __call__(self, pictures: np.ndarray, limit: float = LONGEST_RUN) -> np.ndarray:
        """Prepared pictures (n, size, size) in [-0.5, 0.5] to the probabilities of the findings, (n, C) float32.

        Args:
            limit: seconds that one run may take.

        Raises:
            UnusableNetwork: it takes too long, or answers what its card does not say.
        """
        try:
            numbers = self._runs(pictures, limit)
        except SlowNetwork:
            raise
        except UnusableNetwork:
            if self._batch or len(pictures) < 2:
                raise
            self._run(pictures[:1], limit)  # what fails for one picture too is no matter of how many
            self._batch = 1  # a file that says "any number", but holds a shape for one picture
            numbers = self._runs(pictures, limit)
        return self._findings(self._probabilities(numbers))

    def _runs(self, pictures: np.ndarray, limit: float) -> np.ndarray:
        """(n, size, size) to the raw numbers (n, K), float64, in as many runs as the network wants."""
        return np.concatenate([self._run(part, limit) for part in self._parts(pictures)])

    def _parts(self, pictures: np.ndarray) -> Iterator[np.ndarray]:
        step = self._batch or max(len(pictures), 1)
        for start in range(0, len(pictures), step):
            yield pictures[start : start + step]

    def _run(self, pictures: np.ndarray, limit: float) -> np.ndarray:
        """(n, size, size) to the raw numbers (n, K), float64."""
        fed = (
            pictures if not self._batch else np.resize(pictures, (self._batch, *pictures.shape[1:]))
        )  # a short part is repeated
        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        watch = threading.Timer(limit, lambda: setattr(options, "terminate", True))
        watch.daemon = True
        watch.start()
        try:
            (numbers,) = self._session.run([self._output.name], {self._input.name: self._fed(fed)}, options)
        except RUNTIME_ERRORS as error:
            if options.terminate:
                raise SlowNetwork(f"The network had not answered after {limit:.0f} s.") from None
            raise UnusableNetwork(
                f"The network does not run on {self.interface.size} x {self.interface.size} pixels "
                f"({_first_line(error)})."
            ) from None
        finally:
            watch.cancel()
        if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in "fiu":
            raise UnusableNetwork(
                f"The output {self._output.name} is no array of numbers; name another under output_name."
            )
        if (
            numbers.ndim == 0
            or len(numbers) != len(fed)
            or numbers.size > len(fed) * 10 * len(self.interface.findings) + 10_000
        ):
            raise UnusableNetwork(f"For {len(fed)} pictures the network gives {numbers.shape}, not one row a picture.")
        return numbers.reshape(len(fed), -1)[: len(pictures)].astype(np.float64)

    def _fed(self, pictures: np.ndarray) -> np.ndarray:
        """(n, size, size) in [-0.5, 0.5] as the network wants it, in its type, order and range."""
        face = self.interface
        low, high = face.values
        x = np.repeat(
            ((pictures + 0.5) * (high - low) + low)[:, None], face.channels, axis=1
        )  # (n, channels, size, size)
        for parts, apply in ((face.mean, np.subtract), (face.std, np.divide)):
            if parts:
                x = apply(x, np.asarray(parts)[:, None, None])
        x = x if face.order == "NCHW" else x.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(np.clip(np.rint(x), 0, 255) if self._type is np.uint8 else x, dtype=self._type)

    def _probabilities(self, numbers: np.ndarray) -> np.ndarray:
        """Raw numbers (n, K) to probabilities (n, K), as the card says what they are."""
        output = self.interface.output
        if not np.isfinite(numbers).all():
            raise UnusableNetwork(
                "The network answers with what is not a finite number; check value_range, mean and std."
            )
        if output == "logits":
            return 1 / (1 + np.exp(-np.clip(numbers, -80, 80)))
        if output == "class_logits":
            raised = np.exp(numbers - numbers.max(axis=1, keepdims=True))
            return raised / raised.sum(axis=1, keepdims=True)
        low, high = float(numbers.min()), float(numbers.max())
        if low < -1e-3 or high > 1 + 1e-3:
            other = "class_logits" if self.interface.exclusive else "logits"
            raise UnusableNetwork(
                f"The card says {output}, but the outputs run from {low:.3g} to {high:.3g}; {other} may be what they "
                "are."
            )
        sums = numbers.sum(axis=1)
        if output == "softmax" and np.abs(sums - 1).max() > 1e-2:
            strangest = sums[np.abs(sums - 1).argmax()]
            raise UnusableNetwork(
                f"The card says softmax, but the outputs add up to {strangest:.3g}; probabilities may be what they are."
            )
        return np.clip(numbers, 0, 1)

    def _findings(self, probabilities: np.ndarray) -> np.ndarray:
        given = probabilities.shape[1]
        for name, numbers in self.interface.findings.items():
            if max(numbers) >= given:
                raise UnusableNetwork(
                    f"The card takes {name} from output {max(numbers)} (counted from 0), but only {given} come out."
                )
        if self._outputs and self._outputs != given:
            raise UnusableNetwork(
                f"{given} numbers come out, but the card lists {self._outputs}; name a finding for each, with null "
                "for one that is none, "
                'or give their numbers, as in {"' + next(iter(self.interface.findings)) + '": 0}.'
            )
        named = {number for numbers in self.interface.findings.values() for number in numbers}
        if not self.interface.exclusive and len(named) < given / 2:
            raise UnusableNetwork(
                f"{given} numbers come out, but the card names only {len(named)} findings; list them all, with null "
                "for those that are none."
            )
        columns = [probabilities[:, list(numbers)].sum(axis=1) for numbers in self.interface.findings.values()]
        return np.clip(np.stack(columns, axis=1), 0, 1).astype(np.float32)

    def _the_one(self, offered: Sequence[onnx.ValueInfoProto], name: str, what: str) -> onnx.ValueInfoProto:
        names = [node.name for node in offered]
        if name and name not in names:
            raise UnusableNetwork(f"The network has no {what} called {name!r}; it has {', '.join(names[:10])}.")
        if what == "input" and len(names) != 1:
            raise UnusableNetwork(
                f"The network wants {len(names)} inputs ({', '.join(names[:10])}); only one picture can be given."
            )
        if not name and len(names) != 1:
            raise UnusableNetwork(
                f"The network has {len(names)} outputs ({', '.join(names[:10])}); name one under {what}_name."
            )
        return offered[names.index(name) if name else 0]

    def _shape(self, batch: int) -> list[int]:
        face = self.interface
        return (
            [batch, face.channels, face.size, face.size]
            if face.order == "NCHW"
            else [batch, face.size, face.size, face.channels]
        )

    def _checked_shape(self) -> int | None:
        """The fixed batch, None where any will do. A dimension without a number, or with one below 0, is open."""
        tensor = self._input.type.tensor_type
        shape = (
            [place.dim_value if place.dim_value > 0 else None for place in tensor.shape.dim]
            if tensor.HasField("shape")
            else [None] * 4
        )
        wanted = self._shape(1)
        if len(shape) != 4 or any(size not in (None, due) for size, due in zip(shape[1:], wanted[1:])):
            ours, said = (
                " x ".join("any" if size is None else str(size) for size in sizes)
                for sizes in ([None, *wanted[1:]], shape)
            )
            raise UnusableNetwork(
                f"The card makes pictures of {ours} ({self.interface.order}), but the network takes {said}."
            )
        if shape[0] is not None and shape[0] > MOST_AT_ONCE:
            raise UnusableNetwork(f"The network wants {shape[0]} pictures at once; 1 to {MOST_AT_ONCE} can be given.")
        return shape[0]

    def _check_last(self, graph: onnx.GraphProto) -> None:
        """Refuses a card whose reading of the output the last operator rules out, and operators that feed
        themselves.
        """
        makers = {name: node for node in graph.node for name in node.output}
        node = makers.get(self._output.name)
        for _ in graph.node:
            if node is None or node.op_type not in PASSING or not node.input:
                break
            node = makers.get(node.input[0])
        else:
            if node is not None:
                raise UnusableNetwork("The network's answer is made from itself; export the network again.")
        if node is not None and node.op_type in LAST and self.interface.output not in LAST[node.op_type]:
            raise UnusableNetwork(
                f"The card says {self.interface.output}, but the network ends in a {node.op_type}; say "
                f"{' or '.join(LAST[node.op_type])}."
            )


def _looked_through(data: bytes) -> onnx.ModelProto:
    """The parsed file, with nothing in it that reads other files, runs other code or need not end."""
    for start, what in LOOK_ALIKES.items():
        if data.startswith(start):
            raise UnusableNetwork(
                f"This is {what}, not an ONNX file; export the network to ONNX, nothing is ever unpickled."
            )
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise UnusableNetwork("This is no ONNX file, or a damaged one; export the network to ONNX again.") from None
    if not model.graph.node or not model.opset_import:
        raise UnusableNetwork("This is no ONNX file, or one without a network in it; export the network to ONNX again.")
    for imported in model.opset_import:
        newest = onnx.defs.onnx_opset_version()
        if imported.domain in ("", "ai.onnx") and not OLDEST_OPSET <= imported.version <= newest:
            raise UnusableNetwork(
                f"The file is written in version {imported.version} of ONNX's operators; {OLDEST_OPSET} to {newest} "
                "are run here, export it again."
            )
    own = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model.graph, *model.functions):
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in own:
            raise UnusableNetwork(
                f"The file uses the operator {node.op_type} of {node.domain[:60]!r}, which only its maker's own code "
                "can run."
            )
        if node.op_type in ENDLESS and node.domain in DOMAINS:
            raise UnusableNetwork(
                f"The file holds a {node.op_type}, which nobody can tell when to end; export the network without one."
            )
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise UnusableNetwork(
                "The file keeps weights in a second file, and only one is read; save it again with everything in one."
            )
    _check_functions(model)
    return model


def _check_functions(model: onnx.ModelProto) -> None:
    """Refuses functions that call themselves, or that unfold into more operators than a network has."""
    within: dict[tuple[str, str], list[tuple[str, str]]] = {}  # function -> what its operators are called
    for function in model.functions:
        within.setdefault((function.domain, function.name), []).extend(
            (node.domain, node.op_type) for node in _nodes(function)
        )
    within[MAIN] = [(node.domain, node.op_type) for node in _nodes(model.graph)]
    unfolded: dict[tuple[str, str], int] = {}
    try:
        for function in TopologicalSorter(
            {name: set(calls) & within.keys() for name, calls in within.items()}
        ).static_order():
            unfolded[function] = sum(unfolded.get(called, 1) for called in within[function])
    except CycleError:
        raise UnusableNetwork(
            "The file holds a function that calls itself, which never ends; export the network without it."
        ) from None
    if unfolded[MAIN] > MOST_OPERATORS:
        raise UnusableNetwork(
            f"The functions in the file unfold into more than {MOST_OPERATORS:,} operators; export the network "
            "without functions in functions."
        )


def _graphs(*roots) -> Iterator:
    """Graphs and functions, and every graph inside of their operators."""
    waiting = [*roots]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [part for part in (attribute.g, *attribute.graphs) if part.node or part.initializer]


def _nodes(*roots) -> Iterator[onnx.NodeProto]:
    for graph in _graphs(*roots):
        yield from graph.node


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _graphs(model.graph, *model.functions):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)


def _bounded(model: onnx.ModelProto, name: str, shape: list[int]) -> None:
    """Refuses a network in which a picture of `shape` becomes an array too large to hold, as far as shapes
    can be told.
    """
    for given in model.graph.input:
        if given.name == name:
            for place, due in zip(given.type.tensor_type.shape.dim, shape):
                place.dim_value = due
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise UnusableNetwork(f"The shapes in the file do not fit each other ({_first_line(error)}).") from None
    for value in inferred.graph.value_info:
        sizes = [part.dim_value for part in value.type.tensor_type.shape.dim]
        if all(size >= 0 for size in sizes) and np.prod([float(max(size, 1)) for size in sizes]) > LARGEST_TENSOR:
            raise UnusableNetwork(
                f"For one picture the network makes an array of {' x '.join(map(str, sizes))} numbers, which is too "
                "large."
            )


def _first_line(error: Exception) -> str:
    """What a library said, as part of a sentence."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words[:160].rstrip(". ")
