"""What nobody refers to is given back, also where the C library has no word for it."""

import ctypes
import weakref

from engine import memory


class Film:
    """Something that refers to itself, as a figure and its parts do."""

    def __init__(self):
        self.itself = self


def test_what_only_refers_to_itself_is_collected():
    gone = weakref.ref(Film())
    memory.give_back()
    assert gone() is None


def test_a_c_library_without_malloc_trim_is_no_error(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    gone = weakref.ref(Film())
    memory.give_back()
    assert gone() is None
