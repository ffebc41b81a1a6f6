"""A network that is made only when the weights of a file are its own, and the layers it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def all_of(kind: type[Network], modules: Iterable[nn.Module]) -> list[Network]:
    """`modules` as what they are: a ModuleList says of its members only that they are modules.

    Raises:
        TypeError: one is of another kind.
    """
    found = []
    for module in modules:
        if not isinstance(module, kind):
            raise TypeError(f"a {type(module).__name__} stands where a {kind.__name__} is needed")
        found.append(module)
    return found


def with_weights(make: Callable[[], Network], weights: Mapping[str, Tensor]) -> Network:
    """`make()` with `weights`. Shapes are compared before a byte is taken, so an absurd size costs no memory.

    Raises:
        ValueError: a tensor is missing, left over, or of another shape; the message names one.
    """
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in make().state_dict().items()}
    strange = [n for n in {**expected, **weights} if n not in weights or tuple(weights[n].shape) != expected.get(n)]
    if strange:
        raise ValueError(f"{len(strange)} of its tensors are not those of its network, {strange[0]} among them")
    network = make()
    network.load_state_dict(weights)
    return network
