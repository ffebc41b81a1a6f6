"""CX-GAN's training refuses, before it begins, what would only fail in its first step."""

import pytest

from engine.methods.cx_gan.train import Preset


@pytest.mark.parametrize("name", ["critic_steps", "warm_critic_steps", "steps"])
def test_a_training_without_a_step_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got 0"):
        Preset(**{name: 0})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        *(({name: 2}, f"^{name} must be 0 or 1, got 2") for name in ("cascaded", "wasserstein")),
        *(
            ({name: -1}, f"^{name} must not be negative, got -1")
            for name in (
                "lambda_cycle",
                "lambda_residual",
                "lambda_identity",
                "lambda_map",
                "penalty",
                "history",
                "warm_steps",
            )
        ),
        ({"penalty": float("nan")}, "^penalty must not be negative, got nan"),
        *(
            ({"cascaded": 1, "first_phase": share}, "^first_phase must lie between 0 and 1, neither included")
            for share in (0.0, 1.0, -0.2)
        ),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Preset(**changes)


def test_what_makes_no_difference_is_not_refused():
    assert Preset(first_phase=1.0).cascaded == 0 and Preset(history=0, lambda_map=0.0, penalty=0.0).history == 0
