"""Both searches of a counterfactual beside each other: for whom it is offered, and what is said of each."""

import numpy as np

from engine.registry import open_model
from engine.scan import Scan
from pages.components.spaces import change_words, has_spaces, without
from tests.pages.components.aligned_checkpoints import aligned
from tests.tiny_checkpoints import tiny

SCAN = Scan.of(np.random.default_rng(0).normal(-500, 300, (40, 40)).astype(np.float32), kind="CT")


def test_both_are_offered_for_a_checkpoint_with_an_autoencoder_alone(tmp_path):
    assert has_spaces(aligned(tmp_path / "both", latent=True))
    assert not has_spaces(aligned(tmp_path / "one")) and not has_spaces(tiny(tmp_path / "attri-net"))


def test_what_is_shown_and_said_is_the_whole_change(tmp_path):
    model = open_model(aligned(tmp_path / "both", latent=True), "cpu")
    for space in model.spaces:
        (record,) = model.in_space(space).explain(SCAN)
        small = record.without_pictures()
        assert np.allclose(without(SCAN, small), record.counterfactual, atol=1e-2)
        said = change_words(small)
        assert f"from {record.probability:.2f} to {record.path.probabilities[4]:.2f}" in said
        share = 100 * (np.abs(record.evidence) > 0.01).mean()
        assert f"{share:.0f} % of the picture" in said
