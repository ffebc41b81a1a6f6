"""CX-GAN's networks: shapes, ranges, and sizes that cannot be."""

import pytest
import torch

from engine.methods.cx_gan.network import Architecture, CxGan, Discriminator, MapGenerator

SMALL = Architecture(size=32, width=4, levels=3, critic_width=4)


def test_a_map_has_the_shape_of_its_picture_and_stays_in_range():
    torch.manual_seed(0)
    x = torch.rand(2, 1, 32, 32) * 2 - 1
    change = MapGenerator(SMALL)(x)
    assert change.shape == x.shape and float(change.abs().max()) < 1


def test_a_fresh_map_is_small_but_not_nothing():
    torch.manual_seed(0)
    change = MapGenerator(SMALL)(torch.rand(2, 1, 32, 32) * 2 - 1)
    assert 0 < float(change.abs().mean()) < 0.2


def test_the_map_sees_single_pixels():
    """The picture is the last skip: a change of one pixel reaches the map at that pixel."""
    torch.manual_seed(0)
    net, x = MapGenerator(SMALL), torch.zeros(1, 1, 32, 32, requires_grad=True)
    net(x)[0, 0, 11, 13].backward()
    slope = x.grad[0, 0].abs()
    assert slope[9:14, 11:16].mean() > 3 * slope[24:, 24:].mean()


def test_a_discriminator_answers_for_patches():
    assert Discriminator(SMALL)(torch.zeros(2, 1, 32, 32)).shape == (2, 1, 4, 4)


def test_the_default_sizes_are_those_of_the_published_code_but_for_the_last_skip():
    generator = sum(p.numel() for p in MapGenerator(Architecture()).parameters())
    discriminator = sum(p.numel() for p in Discriminator(Architecture()).parameters())
    assert generator == pytest.approx(1_543_745, rel=0.25) and discriminator == pytest.approx(2_764_481, rel=0.05)


def test_the_cascade_has_a_translator_and_a_second_discriminator():
    assert CxGan(SMALL).translate is None and CxGan(SMALL, cascaded=True).residual is not None


@pytest.mark.parametrize(
    "wrong", [{"size": 50}, {"size": 8}, {"size": 1 << 20}, {"levels": 9}, {"width": 0}, {"width": 2.5}]
)
def test_sizes_that_cannot_be_are_refused_in_a_sentence(wrong):
    with pytest.raises(ValueError, match="must be"):
        Architecture(**{"size": 64, "levels": 4, **wrong})
