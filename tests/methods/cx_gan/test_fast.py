"""What CX-GAN answers with says what the trained network says."""

import pytest
import torch
import torch.nn.functional as F

from engine.methods.cx_gan.fast import FastMapGenerator, doubling
from engine.methods.cx_gan.network import Architecture, MapGenerator
from engine.methods.map_translation.train import map_size

FLOAT32_STRAYS, BFLOAT16_STRAYS = 1e-5, 0.05  # of a map's strongest pixel


def network(width=8, levels=3, seed=0):
    torch.manual_seed(seed)
    net = MapGenerator(Architecture(size=32, width=width, levels=levels, critic_width=4)).eval().requires_grad_(False)
    for name, weight in net.named_parameters():
        if weight.ndim == 1:
            torch.nn.init.normal_(weight, 1.0 if "norm.weight" in name else 0.0, 0.3)
    torch.nn.init.normal_(net.last[-1].weight, std=0.1)
    return net


def pictures(count=3, height=32, width=48, seed=1):
    coarse = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(height, width), mode="bilinear") * 1.8 - 0.9


def test_doubling_and_convolving_is_one_transposed_convolution_up_to_the_borders():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 5, 4, 7, dtype=torch.float64), torch.randn(3, 5, 3, 3, dtype=torch.float64)
    plain = F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, padding=1)
    torch.testing.assert_close(F.conv_transpose2d(x, doubling(weight), stride=2, padding=1), plain, atol=1e-12, rtol=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_in_float32_it_is_the_trained_network(seed, levels, layout):
    net, x = network(levels=levels, seed=seed), pictures(seed=seed + 1)
    plain = net(x)
    ours = FastMapGenerator(net.to(memory_format=layout))(x.to(memory_format=layout))
    assert plain.std() > 0.02
    torch.testing.assert_close(ours, plain, atol=FLOAT32_STRAYS * float(plain.abs().max()), rtol=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_bfloat16_a_map_and_its_size_hardly_change(seed):
    net, x = network(width=16, seed=seed), pictures()
    plain, ours = net(x), FastMapGenerator(net, torch.bfloat16)(x)
    assert ours.dtype == torch.float32
    assert (ours - plain).abs().max() < BFLOAT16_STRAYS * plain.abs().max()
    assert (
        map_size(ours).log() - map_size(plain).log()
    ).abs().max() < 0.01  # a slope of 4 then moves a probability by 0.01 at most


def test_the_picture_is_not_written_to():
    net, x = network(), pictures()
    before = x.clone()
    FastMapGenerator(net)(x)
    assert torch.equal(x, before)
