"""What `size_in_bytes` counts."""

from dataclasses import dataclass

import numpy as np

from engine.sizes import size_in_bytes


@dataclass
class Pair:
    one: object
    other: object


def test_arrays_count_wherever_they_are():
    array = np.zeros(10_000)
    for value in (array, [array], {"a": array}, Pair(1, array), Pair({"a": [array]}, None)):
        assert array.nbytes <= size_in_bytes(value) < array.nbytes + 1000


def test_the_same_memory_counts_once_and_a_view_counts_what_it_keeps_alive():
    array = np.zeros((100, 1000))
    assert size_in_bytes([array, array, array[3]]) < array.nbytes + 1000
    assert size_in_bytes(array[3]) >= array.nbytes
    assert size_in_bytes([array, array.copy()]) >= 2 * array.nbytes


def test_bytes_and_text_count_and_loops_end():
    loop = [b"x" * 5000, "y" * 5000]
    loop.append(loop)
    assert 10_000 <= size_in_bytes(loop) < 11_000
