"""CX-GAN's training refuses, before it begins, what would only fail in its first step."""

import pytest

from engine.cx_gan.train import Preset


@pytest.mark.parametrize("name", ["critic_steps", "warm_critic_steps", "steps"])
def test_a_training_without_a_step_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got 0"):
        Preset(**{name: 0})
