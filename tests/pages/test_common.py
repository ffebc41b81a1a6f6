"""What every page says of a job that failed, and how it calls a checkpoint."""

from types import SimpleNamespace

import pytest

from engine.registry import UnsuitableScan
from pages.parts.common import complaint, label


@pytest.mark.parametrize(("kept", "said"), [("", "at work; the log says more."), ("the scan is still open", "at work; the scan is still open, and the log says more.")])
def test_a_failure_promises_only_what_the_page_has(kept, said):
    words = complaint(SimpleNamespace(error=RuntimeError("inside")), kept)
    assert words.endswith(said) and "inside" not in words


def test_a_refusal_is_told_as_it_is():
    assert complaint(SimpleNamespace(error=UnsuitableScan("one picture is needed."))) == "one picture is needed."


@pytest.mark.parametrize(
    ("method", "name", "said"),
    [
        ("cx_gan", "cx-gan-busi", "CX-GAN, BUSI"),
        ("cx_gan", "cx-gan-brain-mri-dense", "CX-GAN, brain MRI dense"),
        ("attri_net", "attri-net-nih", "Attri-Net, NIH"),
        ("attri_net", "attri-net-business", "Attri-Net, business"),
        ("attri_net", "attri-net", "Attri-Net"),
    ],
)
def test_a_checkpoint_is_called_as_people_write_it(method, name, said):
    assert label(SimpleNamespace(method=method, name=name)) == said
