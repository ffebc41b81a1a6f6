"""Two models side by side: the twin is the one that differs in alignment alone, and what the symbol moves is said."""

import numpy as np

from engine.look import Look
from pages.components.twins import is_aligned, moved_words, symbol_values, twin_of
from tests.pages.components.aligned_checkpoints import aligned
from tests.tiny_checkpoints import tiny


def test_the_twin_was_trained_alike_but_for_the_alignment(tmp_path):
    one = aligned(tmp_path / "lidc")
    other = aligned(tmp_path / "lidc-unaligned", with_alignment=False)
    further = aligned(tmp_path / "a-lidc-unaligned", with_alignment=False)
    intensity = aligned(tmp_path / "lidc-intensity", with_alignment=False, symbol="intensity")
    everything = [one, further, other, intensity, tiny(tmp_path / "attri-net")]
    assert is_aligned(one) and not is_aligned(other)
    assert twin_of(one, everything).name == "lidc-unaligned"  # of two, the one named most like it
    assert twin_of(other, everything).name == "lidc"
    assert twin_of(intensity, everything) is None


def test_a_checkpoint_without_symbols_has_no_twin(tmp_path):
    plain, other = (aligned(tmp_path / name, name == "a", symbol="none") for name in ("a", "b"))
    assert symbol_values(plain) == () and twin_of(plain, [other]) is None
    assert twin_of(tiny(tmp_path / "attri-net"), [plain]) is None


def test_how_far_the_symbol_moves_this_scan_is_said():
    def look(p):
        return Look("Malignant", p, 0.5, np.zeros((2, 2), np.float32), {}, {})

    said = moved_words(look(0.2), look(0.9), ("-", "+"))
    assert "0.20" in said and "0.90" in said and "+70.0 points" in said and "The decision flips." in said
    assert "The decision stays." in moved_words(look(0.8), look(0.82), ("-", "+"))
