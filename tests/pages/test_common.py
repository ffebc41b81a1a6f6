"""What every page says of a job that failed."""

from types import SimpleNamespace

import pytest

from engine.registry import UnsuitableScan
from pages.parts.common import complaint


@pytest.mark.parametrize(("kept", "said"), [("", "at work; the log says more."), ("the scan is still open", "at work; the scan is still open, and the log says more.")])
def test_a_failure_promises_only_what_the_page_has(kept, said):
    words = complaint(SimpleNamespace(error=RuntimeError("inside")), kept)
    assert words.endswith(said) and "inside" not in words


def test_a_refusal_is_told_as_it_is():
    assert complaint(SimpleNamespace(error=UnsuitableScan("one picture is needed."))) == "one picture is needed."
