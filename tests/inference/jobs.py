"""Functions that tests have the inference process run."""

import os
import time


def add(progress, one, other):
    return one + other


def where(progress):
    return os.getpid()


def pixels(progress, *scans):
    return [float(scan.pixels.sum()) for scan in scans], [scan.sha256 for scan in scans]


def refuse(progress, error):
    raise error


class Stubborn(ValueError):
    """An error that cannot be made again from what it was pickled as."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def refuse_stubbornly(progress):
    raise Stubborn("this", "that")


def steps(progress, count, file=None):
    """`count` steps; every one that is ended is a letter in `file`."""
    for step in range(count):
        if file:
            with open(file, "a") as written:
                written.write("x")
        progress(step + 1, count)
    return count


def until(progress, file):
    """Steps until there is a file of that name."""
    while not os.path.exists(file):
        progress(0, 1)
        time.sleep(0.01)
    return "seen"


def die(progress):
    os._exit(9)


def without_parent(progress, file):
    """Goes on stepping; writes its process id first."""
    with open(file, "w") as written:
        written.write(str(os.getpid()))
    while True:
        progress(0, 1)
        time.sleep(0.01)


def steps_without_gradients(progress, mode):
    """Two steps in one of torch's modes, which must be the same after what went between them."""
    import torch

    with getattr(torch, mode)():
        progress(1, 2)
        still = not torch.is_grad_enabled() and torch.is_inference_mode_enabled() == (mode == "inference_mode")
        progress(2, 2)
    return still


def slope(progress):
    """The derivative of x squared at 3, from a leaf made here."""
    import torch

    x = torch.tensor(3.0, requires_grad=True)
    return float(torch.autograd.grad(x * x, x)[0])
