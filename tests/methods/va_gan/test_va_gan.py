"""VA-GAN: its map generator with batch normalisations folded away says what the trained one says, and
settings have ranges.
"""

import pytest
import torch

from engine.methods.va_gan.train import Architecture, MapGenerator, Preset, folded


def network(width=4, seed=0):
    torch.manual_seed(seed)
    net = MapGenerator(Architecture(size=32, width=width)).eval().requires_grad_(False)
    for name, values in net.state_dict().items():
        if "running_mean" in name or name.endswith("bias"):
            values.normal_(0, 0.2)
        elif "running_var" in name:
            values.uniform_(0.5, 2)
    return net


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_float32_it_is_the_trained_network_and_leaves_that_alone(seed):
    net, x = network(seed=seed), torch.rand(2, 1, 32, 48) * 1.8 - 0.9
    names, plain = [*net.state_dict()], net(x)
    assert plain.std() > 0.02
    torch.testing.assert_close(folded(net)(x), plain, atol=2e-6, rtol=0)
    assert [*net.state_dict()] == names and torch.equal(net(x), plain)


def test_in_bfloat16_a_map_hardly_changes():
    net, x = network(16), torch.rand(2, 1, 32, 48) * 1.8 - 0.9
    plain, ours = net(x), folded(net, torch.bfloat16)(x)
    assert ours.dtype == torch.float32
    assert (ours - plain).abs().mean() < 0.02 * plain.abs().mean()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lambda_map": -1.0}, "lambda_map must not be negative"),
        ({"penalty": -1.0}, "penalty must not be negative"),
        ({"warm_steps": -1}, "warm_steps must not be negative"),
        ({"critic_steps": 0}, "critic_steps"),
    ],
)
def test_settings_out_of_their_range_are_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        Preset(**changes)
